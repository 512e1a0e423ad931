//! The second channel: chroma patches to hits, by nearest neighbours. It needs no peaks, so it
//! finds what stretching and reverberation smear; it does not tell works in one key apart as well.

use super::candidates::{Hit, Window};
use super::config::AudioMatchConfig;
use super::patches::{LENGTH, RASTER, SECONDS, STEP_SECONDS, Turned, of_reference};
use hnsw_rs::prelude::{Distance, Hnsw};
use likeness_core::{AudioFingerprint, ReferenceId};
use likeness_index::{Store, StoreError};
use ndarray::{Array1, Array2, ArrayView1, Axis, concatenate};
use std::sync::{Arc, Mutex};

/// Below so many patches comparing all takes no longer than walking a graph.
const EXACT_BELOW: usize = 4096;
/// Links of a patch in the graph, and how widely links are looked for.
const LINKS: usize = 16;
const BUILD_EFFORT: usize = 64;
/// How widely neighbours are looked for, and how many are used.
const SEARCH_EFFORT: usize = 32;
const NEIGHBOURS: usize = 3;
/// Likeness below which a neighbour says nothing.
const LEAST: f32 = 0.45;
/// Turns that are tried in an octave; ratio of the speeds that are tried; places in a window.
const TURNS: usize = 36;
const SPEED_RATIO: f64 = 1.05;
const PLACES: usize = 3;

/// The patches of all references of a store, searchable. In memory only: it is built from what
/// the fingerprints hold.
pub struct ChromaIndex {
    /// Of each patch: the reference, and the step at which it starts.
    places: Vec<(ReferenceId, u32)>,
    search: Search,
}

enum Search {
    /// Compares all, row by row.
    Exact(Array2<f32>),
    /// Walks a graph, after Malkov & Yashunin, "Efficient and robust approximate nearest neighbor
    /// search using hierarchical navigable small world graphs" (2018).
    Graph(Box<Hnsw<'static, f32, Unlike>>),
}

impl std::fmt::Debug for ChromaIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChromaIndex")
            .field("patches", &self.places.len())
            .finish_non_exhaustive()
    }
}

/// One less the likeness of patches of length 1; the crate's own fails when rounding makes it
/// negative.
struct Unlike;

impl Distance<f32> for Unlike {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - ArrayView1::from(a).dot(&ArrayView1::from(b))).max(0.0)
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
        let search = match places.len() < EXACT_BELOW {
            true => Search::Exact(patches),
            false => Search::graph(&patches),
        };
        Ok(ChromaIndex { places, search })
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
        let mut hits = Vec::new();
        let speeds = (config.max_speed.ln() / SPEED_RATIO.ln()) as i32;
        for turn in 0..TURNS {
            let octave = turn as f64 * 12.0 / TURNS as f64;
            let pitch = if octave > 6.0 { octave - 12.0 } else { octave };
            let turned = Turned::new(&query.grid, pitch);
            for speed in (-speeds..=speeds).map(|i| SPEED_RATIO.powi(i)) {
                for start in starts(window, speed) {
                    let Some(patch) = turned.patch(start, speed) else {
                        continue;
                    };
                    let time = start + SECONDS / speed / 2.0;
                    for (at, likeness) in self.search.nearest(&patch) {
                        let (reference, step) = self.places[at];
                        let there = f64::from(step) * STEP_SECONDS + SECONDS / 2.0;
                        let offset = there + (window.centre() - time) * speed;
                        hits.push(Hit::alike(reference, time, speed, pitch, offset, likeness));
                    }
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

impl Search {
    /// One thread inserts: only then the graph is the same every time.
    fn graph(patches: &Array2<f32>) -> Search {
        let layers = 16;
        let graph = Hnsw::new(LINKS, patches.nrows(), layers, BUILD_EFFORT, Unlike);
        for (i, patch) in patches.outer_iter().enumerate() {
            graph.insert((&patch.to_vec(), i));
        }
        Search::Graph(Box::new(graph))
    }

    /// The patches most like one, and how like: the cosine.
    fn nearest(&self, patch: &Array1<f32>) -> Vec<(usize, f32)> {
        let mut all: Vec<(usize, f32)> = match self {
            Search::Exact(patches) => {
                let likeness = patches.dot(patch).into_iter().enumerate();
                likeness.filter(|(_, v)| *v >= LEAST).collect()
            }
            Search::Graph(graph) => graph
                .search(&patch.to_vec(), NEIGHBOURS, SEARCH_EFFORT)
                .into_iter()
                .map(|n| (n.d_id, 1.0 - n.distance))
                .filter(|(_, v)| *v >= LEAST)
                .collect(),
        };
        all.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(NEIGHBOURS);
        all
    }
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

#[cfg(test)]
mod tests {
    use super::super::patches::tests::grid;
    use super::*;

    /// Patches of many works.
    fn patches(works: u64) -> Array2<f32> {
        let all: Vec<Array2<f32>> = (0..works)
            .map(|seed| of_reference(&grid(seed, 90.0, 0, 1.0)).0)
            .collect();
        let views: Vec<_> = all.iter().map(|p| p.view()).collect();
        concatenate(Axis(0), &views).expect("all have one length")
    }

    #[test]
    fn the_graph_finds_what_comparing_all_finds() {
        let patches = patches(60);
        assert!(patches.nrows() > 3000);
        let (graph, exact) = (Search::graph(&patches), Search::Exact(patches.clone()));
        let (mut same, mut all) = (0, 0);
        for seed in 0..60 {
            let query = grid(seed, 20.0, 5, 1.1);
            let patch = Turned::new(&query, 5.0 / 3.0)
                .patch(4.0, 1.1)
                .expect("it fits");
            let wanted = exact.nearest(&patch);
            let found = graph.nearest(&patch);
            all += wanted.len();
            same += wanted
                .iter()
                .filter(|w| found.iter().any(|f| f.0 == w.0))
                .count();
        }
        assert!(all > 60, "{all}");
        assert!(same as f64 >= 0.95 * all as f64, "{same} of {all}");
    }

    #[test]
    fn the_graph_is_the_same_every_time() {
        let patches = patches(8);
        let graphs = [Search::graph(&patches), Search::graph(&patches)];
        let query = grid(3, 20.0, -7, 0.9);
        for start in [0.0, 1.0, 5.0] {
            let patch = Turned::new(&query, -7.0 / 3.0)
                .patch(start, 0.9)
                .expect("it fits");
            let [a, b] = [0, 1].map(|i| graphs[i].nearest(&patch));
            assert!(!a.is_empty());
            assert_eq!(a, b);
        }
    }
}
