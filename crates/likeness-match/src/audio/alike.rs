//! Which chroma patches are most like one: all are compared, or a graph is walked.
//!
//! Public only for the benchmark.

use crate::neighbours::{Distance, Graph, GraphConfig, Neighbour, Neighbours, rank};
use ndarray::{Array2, ArrayView1};

/// Below so many patches (seven hours of sound) comparing all takes no longer than walking a graph, as
/// docs/scale.md measures.
const EXACT_BELOW: usize = 16_384;
const GRAPH: GraphConfig = GraphConfig {
    links: 16,
    build_effort: 64,
    search_effort: 32,
};

/// Neighbours that are used.
pub const NEIGHBOURS: usize = 3;
/// Distance beyond which a neighbour says nothing.
pub const RADIUS: f32 = 0.55;

/// Makes patches, row by row, searchable in the way that serves so many.
pub(super) fn search(patches: Array2<f32>) -> Box<dyn Neighbours<f32>> {
    match patches.nrows() < EXACT_BELOW {
        true => Box::new(All(patches)),
        false => Box::new(graph(&patches)),
    }
}

/// A graph of patches.
pub fn graph(patches: &Array2<f32>) -> Graph<f32, Unlike> {
    let length = patches.ncols().max(1);
    let rows = patches.as_standard_layout();
    let values = rows.as_slice().unwrap_or_default();
    Graph::build(values.chunks_exact(length), Unlike, GRAPH)
}

/// One less the likeness (cosine) of patches of length 1; the crate's own fails when rounding makes
/// it negative.
#[derive(Debug, Clone, Copy)]
pub struct Unlike;

impl Distance<f32> for Unlike {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        unlike(ArrayView1::from(a).dot(&ArrayView1::from(b)))
    }
}

fn unlike(likeness: f32) -> f32 {
    (1.0 - likeness).max(0.0)
}

/// Compares all patches, row by row.
#[derive(Debug)]
pub struct All(pub Array2<f32>);

impl Neighbours<f32> for All {
    fn nearest(&self, query: &[f32], count: usize, radius: f32) -> Vec<Neighbour> {
        let likeness = self.0.dot(&ArrayView1::from(query));
        let distances = likeness.into_iter().map(unlike).enumerate();
        let near = distances.filter(|(_, distance)| *distance <= radius);
        rank(
            near.map(|(item, distance)| Neighbour { item, distance })
                .collect(),
            count,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::patches::tests::grid;
    use super::super::patches::{Turned, of_reference};
    use super::*;
    use ndarray::{Axis, concatenate};

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
        let (graph, exact) = (graph(&patches), All(patches));
        let (mut same, mut all) = (0, 0);
        for seed in 0..60 {
            let query = grid(seed, 20.0, 5, 1.1);
            let patch = Turned::new(&query, 5.0 / 3.0)
                .patch(4.0, 1.1)
                .expect("it fits");
            let wanted = exact.nearest(&patch, NEIGHBOURS, RADIUS);
            let found = graph.nearest(&patch, NEIGHBOURS, RADIUS);
            all += wanted.len();
            same += wanted
                .iter()
                .filter(|w| found.iter().any(|f| f.item == w.item))
                .count();
        }
        assert!(all > 60, "{all}");
        assert!(same as f64 >= 0.95 * all as f64, "{same} of {all}");
    }

    #[test]
    fn the_graph_is_the_same_every_time() {
        let patches = patches(8);
        let graphs = [graph(&patches), graph(&patches)];
        let query = grid(3, 20.0, -7, 0.9);
        for start in [0.0, 1.0, 5.0] {
            let patch = Turned::new(&query, -7.0 / 3.0)
                .patch(start, 0.9)
                .expect("it fits");
            let [a, b] = [0, 1].map(|i| graphs[i].nearest(&patch, NEIGHBOURS, RADIUS));
            assert!(!a.is_empty());
            assert_eq!(a, b);
        }
    }

    #[test]
    fn no_patches_have_no_neighbours() {
        let none = search(Array2::zeros((0, 4)));
        assert!(none.nearest(&[0.5; 4], NEIGHBOURS, RADIUS).is_empty());
    }
}
