//! References of a library that share content.

use crate::library::Library;
use crate::matching::{MatchOptions, find};
use likeness_core::report::{Media, Segment};
use likeness_core::{
    AudioFingerprint, Density, Fingerprint, Posting, PostingSpace, ReferenceId, StreamState,
    Stretches, VideoFingerprint,
};
use likeness_index::{Entry, Estimate, Store, StoreError};
use likeness_match::Found;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What two references share, through one medium.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap {
    /// Identifier of the one that was looked up.
    pub one: String,
    /// Identifier of the one that was found in it.
    pub other: String,
    /// Through which medium.
    pub media: Media,
    /// As of a match.
    pub score: f64,
    /// As of a match.
    pub false_positive_probability: f64,
    /// The shared stretches, as if `one` were a query.
    pub segments: Vec<Segment>,
}

impl Library {
    /// Pairs of references that share content, the surest first: what is stored of each is looked up
    /// among all others. A pair that both of its references bring up is told once, as the surer of
    /// them has it. What is excluded of the one that is found counts for nothing, so that a pair is
    /// gone once what is shared is excluded in both.
    ///
    /// What is stored is sparse, so that less is found than of a media file: plain copies and
    /// changes of speed, but not what is buried under something else.
    ///
    /// `progress` is told how many references are done.
    ///
    /// # Errors
    /// Damaged or unreadable files.
    pub fn overlaps(
        &self,
        options: &MatchOptions,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Overlap>, StoreError> {
        let entries: Vec<&Entry> = self.snapshot().entries().collect();
        let done = AtomicUsize::new(0);
        let found: Vec<Vec<(ReferenceId, Found)>> = entries
            .par_iter()
            .map(|entry| {
                let found = self.found_in(entry, options)?;
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                Ok(found.into_iter().map(|found| (entry.id, found)).collect())
            })
            .collect::<Result<_, StoreError>>()?;
        let mut pairs: BTreeMap<_, (ReferenceId, Found)> = BTreeMap::new();
        for (one, found) in found.into_iter().flatten() {
            let other = found.reference;
            let key = (one.min(other), one.max(other), found.media as u8);
            let known = pairs.get(&key);
            if known.is_none_or(|(_, known)| sureness(known) < sureness(&found)) {
                pairs.insert(key, (one, found));
            }
        }
        let name = |id| Some(self.snapshot().entry(id)?.identifier.clone());
        let overlap = |(one, found): (ReferenceId, Found)| {
            Some(Overlap {
                one: name(one)?,
                other: name(found.reference)?,
                media: found.media,
                score: found.score,
                false_positive_probability: found.false_positive_probability,
                segments: found.segments,
            })
        };
        let mut overlaps: Vec<Overlap> = pairs.into_values().filter_map(overlap).collect();
        overlaps.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(overlaps)
    }

    fn found_in(&self, entry: &Entry, options: &MatchOptions) -> Result<Vec<Found>, StoreError> {
        let snapshot = self.snapshot();
        let audio = match options.extract.audio {
            true => snapshot.audio(entry.id)?,
            false => None,
        };
        let video = match options.extract.video {
            true => snapshot.video(entry.id)?,
            false => None,
        };
        let query = Fingerprint {
            content: entry.content,
            duration: entry.duration,
            density: Density::Reference,
            audio: audio.map_or(StreamState::Absent, |f| {
                StreamState::Analysed(Arc::unwrap_or_clone(f))
            }),
            video: video.map_or(StreamState::Absent, |f| {
                StreamState::Analysed(Arc::unwrap_or_clone(f))
            }),
        };
        let others = Others {
            store: snapshot,
            without: entry.id,
        };
        find(&query, &others, self.chroma(), options)
    }
}

/// By which of two findings of one pair is told: score, then seconds.
fn sureness(found: &Found) -> (f64, f64) {
    let seconds = found.segments.iter().map(|s| s.query_end - s.query_start);
    (found.score, seconds.sum())
}

/// All references but one.
struct Others<'a> {
    store: &'a dyn Store,
    without: ReferenceId,
}

impl Store for Others<'_> {
    fn postings(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        self.store.postings(space, free, terms, &mut |i, posting| {
            if posting.reference != self.without {
                sink(i, posting);
            }
        })
    }

    fn estimates(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
    ) -> Result<Vec<Estimate>, StoreError> {
        self.store.estimates(space, free, terms)
    }

    fn audio(&self, reference: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError> {
        match reference == self.without {
            true => Ok(None),
            false => self.store.audio(reference),
        }
    }

    fn video(&self, reference: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError> {
        match reference == self.without {
            true => Ok(None),
            false => self.store.video(reference),
        }
    }

    fn hours(&self, media: Media) -> f64 {
        self.store.hours(media)
    }

    fn excluded(&self, reference: ReferenceId) -> Option<&Stretches> {
        self.store.excluded(reference)
    }

    fn references(&self) -> Vec<ReferenceId> {
        let mut all = self.store.references();
        all.retain(|reference| *reference != self.without);
        all
    }
}
