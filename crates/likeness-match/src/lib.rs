//! Candidates, hypotheses, verified segments, scores and names of disguises.
//!
//! Data flow one way: a query's terms find postings (candidates), postings vote for transforms
//! (hypotheses), a dense comparison with the reference's fingerprint proves or rejects them
//! (verified segments).

pub mod audio;
mod budget;
mod chance;
mod found;
pub mod naming;
pub mod neighbours;
pub mod video;

pub use chance::{Chance, Exposure, Verdict, effective};
pub use found::{Found, PictureContext, Surroundings};
