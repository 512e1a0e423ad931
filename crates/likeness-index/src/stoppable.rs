//! A store that can be told to stop.

use crate::store::{Estimate, Store, StoreError};
use likeness_core::report::Media;
use likeness_core::{
    AudioFingerprint, Posting, PostingSpace, ReferenceId, Stretches, VideoFingerprint,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A store whose answers become [`StoreError::Stopped`] once `stop` is set, so that a look-up for which
/// nobody waits any more ends at its next question.
pub struct Stoppable<'a> {
    /// What answers until then.
    pub store: &'a dyn Store,
    /// Set by whoever no longer waits.
    pub stop: &'a AtomicBool,
}

impl Stoppable<'_> {
    fn going(&self) -> Result<&dyn Store, StoreError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(StoreError::Stopped),
            false => Ok(self.store),
        }
    }
}

impl Store for Stoppable<'_> {
    fn postings(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        self.going()?.postings(space, free, terms, sink)
    }

    fn estimates(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
    ) -> Result<Vec<Estimate>, StoreError> {
        self.going()?.estimates(space, free, terms)
    }

    fn audio(&self, reference: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError> {
        self.going()?.audio(reference)
    }

    fn video(&self, reference: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError> {
        self.going()?.video(reference)
    }

    fn hours(&self, media: Media) -> f64 {
        self.store.hours(media)
    }

    fn excluded(&self, reference: ReferenceId) -> Option<&Stretches> {
        self.store.excluded(reference)
    }

    fn references(&self) -> Vec<ReferenceId> {
        self.store.references()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[test]
    fn once_stopped_nothing_is_answered() {
        let (memory, stop) = (MemoryStore::default(), AtomicBool::new(false));
        let store = Stoppable {
            store: &memory,
            stop: &stop,
        };
        let ask = || store.postings(PostingSpace::AudioLandmark, 0, &[1], &mut |_, _| {});
        assert!(ask().is_ok() && store.audio(ReferenceId(1)).is_ok());
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(ask(), Err(StoreError::Stopped)));
        assert!(matches!(
            store.audio(ReferenceId(1)),
            Err(StoreError::Stopped)
        ));
    }
}
