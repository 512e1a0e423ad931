//! The likeness engine: one facade over decoding, fingerprints, library and matching.
//!
//! ```no_run
//! use likeness::{AddOptions, Library, LibraryWriter, MatchOptions, collect_inputs};
//! use std::path::Path;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = Path::new("likeness-library");
//! let references = collect_inputs(&["references".into()]);
//! let mut writer = LibraryWriter::open_or_create(directory)?;
//! writer.add(&references.inputs, &AddOptions::default(), &|event| println!("{event:?}"))?;
//!
//! let library = Library::open(directory)?;
//! for query in &collect_inputs(&["uploads".into()]).inputs {
//!     let report = library.match_file(query, &MatchOptions::default(), &|_| {});
//!     println!("{}: {} matches", report.query, report.matches.len());
//! }
//! # Ok(())
//! # }
//! ```

mod compare;
mod extract;
mod folder;
mod follow;
mod guard;
mod inputs;
mod library;
mod matching;
mod merge;
mod overlaps;
pub mod plan;
mod shard;
mod source;
mod writer;

pub use compare::{compare, trace};
pub use extract::{ExtractOptions, Extracted, Progress, fingerprint_file};
pub use folder::{
    StoreFingerprintError, Stored, fingerprint_whole, store_fingerprint, write_whole,
};
pub use follow::{FollowOptions, Look, follow};
pub use inputs::{Collected, Input, InputError, collect_inputs, path_text};
pub use library::{Library, ReferenceInfo, Stats, Traced, extractors};
pub use likeness_core as core;
pub use likeness_index::{Directory, FileCheck, LibraryError, Lost, Place, Stamp, StoreError};
pub use likeness_match as matcher;
pub use likeness_match::video::Going;
pub use likeness_media::{Limits, MediaError};
pub use matching::MatchOptions;
pub use merge::{MergeEvent, MergeSource};
pub use overlaps::Overlap;
pub use shard::Shard;
pub use source::{FingerprintError, Source};
pub use writer::{AddError, AddEvent, AddOptions, AddSummary, LibraryWriter};
