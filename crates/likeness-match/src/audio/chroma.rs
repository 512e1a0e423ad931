//! The second channel: chroma patches to hits, by nearest neighbours. It needs no peaks, so it
//! finds what stretching and reverberation smear; it does not tell works in one key apart as well.

use super::alike::{self, NEIGHBOURS, RADIUS};
use super::candidates::{Hit, Window};
use super::config::AudioMatchConfig;
use super::patches::{LENGTH, RASTER, SECONDS, STEP_SECONDS, Turned, of_reference};
use crate::neighbours::Neighbours;
use likeness_core::{AudioFingerprint, ReferenceId};
use likeness_index::{Store, StoreError};
use ndarray::{Array2, Axis, concatenate};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Turns that are tried in an octave; ratio of the speeds that are tried; places in a window.
const TURNS: usize = 36;
const SPEED_RATIO: f64 = 1.05;
const PLACES: usize = 3;

/// The patches of all references of a store, searchable. In memory only: it is built from what
/// the fingerprints hold.
pub struct ChromaIndex {
    /// Of each patch: the reference, and the step at which it starts.
    places: Vec<(ReferenceId, u32)>,
    search: Box<dyn Neighbours<f32>>,
}

impl std::fmt::Debug for ChromaIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChromaIndex")
            .field("patches", &self.places.len())
            .finish_non_exhaustive()
    }
}

impl ChromaIndex {
    /// Indexes every reference's sound.
    ///
    /// # Errors
    /// What the store could not read.
    pub fn build(store: &dyn Store) -> Result<ChromaIndex, StoreError> {
        let mut places = Vec::new();
        let mut all = Vec::new();
        for reference in store.references() {
            if let Some(audio) = store.audio(reference)? {
                let (patches, starts) = of_reference(&audio.grid);
                places.extend(starts.into_iter().map(|start| (reference, start)));
                all.push(patches);
            }
        }
        let views: Vec<_> = all
            .iter()
            .filter(|p| p.nrows() > 0)
            .map(|p| p.view())
            .collect();
        let patches = concatenate(Axis(0), &views).unwrap_or_else(|_| Array2::zeros((0, LENGTH)));
        Ok(ChromaIndex {
            places,
            search: alike::search(patches),
        })
    }

    /// Number of patches.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where a window of the query resembles references.
    pub(super) fn look_up(
        &self,
        query: &AudioFingerprint,
        window: Window,
        config: &AudioMatchConfig,
    ) -> Vec<Hit> {
        let turns = (0..TURNS).into_par_iter();
        let hits = turns.flat_map_iter(|turn| self.turned(turn, query, window, config));
        hits.collect()
    }

    /// The same, of the query turned by so many steps of the octave.
    fn turned(
        &self,
        turn: usize,
        query: &AudioFingerprint,
        window: Window,
        config: &AudioMatchConfig,
    ) -> Vec<Hit> {
        let mut hits = Vec::new();
        let octave = turn as f64 * 12.0 / TURNS as f64;
        let pitch = if octave > 6.0 { octave - 12.0 } else { octave };
        let turned = Turned::new(&query.grid, pitch);
        let speeds = (config.max_speed.ln() / SPEED_RATIO.ln()) as i32;
        for speed in (-speeds..=speeds).map(|i| SPEED_RATIO.powi(i)) {
            for start in starts(window, speed) {
                let Some(patch) = turned.patch(start, speed) else {
                    continue;
                };
                let time = start + SECONDS / speed / 2.0;
                for near in self.search.nearest(&patch, NEIGHBOURS, RADIUS) {
                    let (reference, step) = self.places[near.item];
                    let likeness = 1.0 - near.distance;
                    let there = f64::from(step) * STEP_SECONDS + SECONDS / 2.0;
                    let offset = there + (window.centre() - time) * speed;
                    hits.push(Hit::alike(reference, time, speed, pitch, offset, likeness));
                }
            }
        }
        hits
    }
}

/// Starts of patches: groups spread over the window, each of as many as it takes for one to meet
/// the references' raster.
fn starts(window: Window, speed: f64) -> impl Iterator<Item = f64> {
    let phase = STEP_SECONDS / speed;
    let room = window.end - window.start - SECONDS / speed - (RASTER - 1) as f64 * phase;
    let groups = if room > 0.0 { PLACES } else { 1 };
    let group = move |i: usize| window.start + room.max(0.0) * i as f64 / (PLACES - 1) as f64;
    (0..groups).flat_map(move |i| (0..RASTER).map(move |k| group(i) + k as f64 * phase))
}

/// Builds a store's index when it is first asked for.
#[derive(Debug, Default)]
pub struct ChromaCache(Mutex<Option<Arc<ChromaIndex>>>);

impl ChromaCache {
    /// The index; `store` must be the same every time.
    ///
    /// # Errors
    /// What the store could not read.
    pub fn get(&self, store: &dyn Store) -> Result<Arc<ChromaIndex>, StoreError> {
        // A poisoned lock holds no index or a whole one.
        let mut kept = self.0.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(index) = &*kept {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(ChromaIndex::build(store)?);
        *kept = Some(Arc::clone(&index));
        Ok(index)
    }
}
