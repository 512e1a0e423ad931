//! Fingerprints on disk: catalogue and postings in immutable, checksummed files. Knows nothing of
//! media, and nothing of how a term or a payload was made.
//!
//! A library is a directory (FORMAT.md describes every byte):
//!
//! ```text
//! manifest        names the live files; swapped by an atomic rename, which is what publishes
//! runs/N.run      immutable: some references' catalogue entries, fingerprints and postings
//! lock            held by the one writer
//! ```
//!
//! [`Snapshot`] reads what one manifest names and never changes; [`IndexWriter`] appends runs,
//! marks references as dead and merges runs. Every byte is checked against a BLAKE3 checksum
//! before it is used: the manifest's own, which covers each run's table of checksums.

mod catalogue;
mod checksum;
#[cfg(any(test, feature = "fuzzing"))]
pub mod decoders;
mod durable;
mod error;
#[cfg(test)]
mod faults;
mod lock;
mod manifest;
mod memory;
mod merge;
mod place;
mod postings;
mod run;
mod snapshot;
pub mod stoppable;
mod store;
mod writer;

pub use catalogue::Entry;
pub use error::LibraryError;
pub use lock::Holder;
pub use manifest::{Extractors, FORMAT_VERSION};
pub use memory::MemoryStore;
pub use place::{Collection, Directory, Editor, Extent, Place, Stamp};
pub use postings::TermDirectory;
pub use run::SPACES;
pub use snapshot::{FileCheck, Lost, Snapshot, verify};
pub use stoppable::Stoppable;
pub use store::{Estimate, Store, StoreError};
pub use writer::{IndexWriter, NewReference};

/// Made-up references, which the tests in `tests` use as well.
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
/// The name by which those know this crate.
#[cfg(test)]
extern crate self as likeness_index;
