//! What matching asks of a collection of references, wherever it lives.

use likeness_core::report::Media;
use likeness_core::{
    AudioFingerprint, Posting, PostingSpace, ReferenceId, Stretches, VideoFingerprint,
};
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Why stored data could not be read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's bytes are not what was written.
    #[error("{}: damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A store that another engine runs did not answer, or not as it should.
    #[error("{place}: {reason}")]
    Remote {
        /// The store.
        place: String,
        /// What it said, or what befell it.
        reason: String,
    },
    /// Nobody waits for the answer any more.
    #[error("stopped before it was done")]
    Stopped,
}

/// What looking a term up costs, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Its postings, dead ones too.
    pub postings: u32,
    /// Postings of other terms that are passed by to find them.
    pub passed: u32,
}

/// A fixed set of references: a snapshot of a library, or one work in memory.
///
/// The small trait between matching and storage, so that postings can live elsewhere.
pub trait Store: Sync {
    /// Calls `sink(i, posting)` for every live posting whose term without its `free` lowest bits, fewer
    /// than 64, is `terms[i]`. `terms` ascend and are distinct. Postings of one whole term come in order
    /// of (reference, time).
    ///
    /// # Errors
    /// Damaged or unreadable files; what was delivered before is then worthless.
    fn postings(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError>;

    /// What looking up each of `terms` will cost, about, as they are asked for of
    /// [`Store::postings`], with at least [`PostingSpace::fine_bits`] of them free. Much cheaper than
    /// looking them up.
    ///
    /// # Errors
    /// Damaged or unreadable files.
    fn estimates(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
    ) -> Result<Vec<Estimate>, StoreError>;

    /// The sound of a reference, if it has any.
    ///
    /// # Errors
    /// Damaged or unreadable files.
    fn audio(&self, reference: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError>;

    /// The picture of a reference, if it has any.
    ///
    /// # Errors
    /// Damaged or unreadable files.
    fn video(&self, reference: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError>;

    /// Hours of all live references that have this medium: the more there are, the more chance
    /// gives.
    fn hours(&self, media: Media) -> f64;

    /// The stretches of a reference that never make a match, where there are some.
    fn excluded(&self, reference: ReferenceId) -> Option<&Stretches>;

    /// All live references, ascending.
    fn references(&self) -> Vec<ReferenceId>;
}
