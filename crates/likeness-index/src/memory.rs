//! A few references in memory: what comparing two files needs, and tests.

use crate::run::{SPACES, space_index};
use crate::store::{Estimate, Store, StoreError};
use likeness_core::report::Media;
use likeness_core::{
    AudioFingerprint, Fingerprint, Posting, PostingSpace, ReferenceId, Stretches, VideoFingerprint,
};
use std::collections::HashMap;
use std::sync::Arc;

/// References in memory, numbered from 0 in the order in which they were added.
#[derive(Debug, Default)]
pub struct MemoryStore {
    references: Vec<Streams>,
    /// Each space's postings, in order.
    postings: [Vec<Posting>; SPACES],
    excluded: HashMap<ReferenceId, Stretches>,
}

#[derive(Debug)]
struct Streams {
    audio: Option<Arc<AudioFingerprint>>,
    video: Option<Arc<VideoFingerprint>>,
}

impl MemoryStore {
    /// Adds a sparse fingerprint with its postings (in the order of [`PostingSpace::ALL`]); the
    /// postings' reference is set here.
    pub fn add(
        &mut self,
        fingerprint: Fingerprint,
        postings: [Vec<Posting>; SPACES],
    ) -> ReferenceId {
        let id = ReferenceId(self.references.len() as u32);
        self.references.push(Streams {
            audio: fingerprint.audio.into_analysed().map(Arc::new),
            video: fingerprint.video.into_analysed().map(Arc::new),
        });
        for (all, own) in self.postings.iter_mut().zip(postings) {
            all.extend(own.into_iter().map(|posting| Posting {
                reference: id,
                ..posting
            }));
            all.sort_unstable();
        }
        id
    }

    /// Sets which stretches of a reference never make a match.
    pub fn exclude(&mut self, reference: ReferenceId, stretches: Stretches) {
        self.excluded.insert(reference, stretches);
    }
}

impl Store for MemoryStore {
    fn postings(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        let all = &self.postings[space_index(space)];
        for (i, &term) in terms.iter().enumerate() {
            let start = all.partition_point(|posting| posting.term >> free < term);
            let list = all[start..]
                .iter()
                .take_while(|posting| posting.term >> free == term);
            list.for_each(|posting| sink(i, *posting));
        }
        Ok(())
    }

    fn estimates(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
    ) -> Result<Vec<Estimate>, StoreError> {
        let all = &self.postings[space_index(space)];
        let below = |term: u64| all.partition_point(|posting| posting.term >> free < term);
        let estimate = |&term: &u64| {
            let end = term.checked_add(1).map_or(all.len(), below);
            Estimate {
                postings: (end - below(term)) as u32,
                passed: 0,
            }
        };
        Ok(terms.iter().map(estimate).collect())
    }

    fn audio(&self, reference: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError> {
        let streams = self.references.get(reference.0 as usize);
        Ok(streams.and_then(|s| s.audio.clone()))
    }

    fn video(&self, reference: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError> {
        let streams = self.references.get(reference.0 as usize);
        Ok(streams.and_then(|s| s.video.clone()))
    }

    fn hours(&self, media: Media) -> f64 {
        let seconds = self.references.iter().map(|streams| match media {
            Media::Audio => streams.audio.as_ref().map_or(0.0, |audio| audio.duration),
            Media::Video => streams.video.as_ref().map_or(0.0, |video| video.duration),
        });
        seconds.sum::<f64>() / 3600.0
    }

    fn excluded(&self, reference: ReferenceId) -> Option<&Stretches> {
        self.excluded.get(&reference)
    }

    fn references(&self) -> Vec<ReferenceId> {
        (0..self.references.len() as u32).map(ReferenceId).collect()
    }
}
