//! Search for nearest neighbours, exact or not, behind one small trait, and the graph that is one of
//! its forms.
//!
//! docs/scale.md tells which form serves which kind of item, and by which measurements.

pub use hnsw_rs::prelude::Distance;

use hnsw_rs::prelude::Hnsw;

/// An item near to what was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The item's number: its place among those that were indexed.
    pub item: usize,
    /// How far it is, in the metric's unit.
    pub distance: f32,
}

/// Items of `T`s of one length, searchable by nearness. Whoever builds it chooses the metric.
pub trait Neighbours<T>: Send + Sync {
    /// The `count` items nearest to `query` of those at most `radius` away, or as many as there are:
    /// nearest first, equally near ones in order of their numbers.
    ///
    /// An exact search returns just these. Others may miss some, but return none that is farther.
    fn nearest(&self, query: &[T], count: usize, radius: f32) -> Vec<Neighbour>;
}

/// Brings what was found into the order that [`Neighbours::nearest`] promises, and keeps the first
/// `count`.
pub fn rank(mut found: Vec<Neighbour>, count: usize) -> Vec<Neighbour> {
    let order = |n: &Neighbour, other: &Neighbour| {
        let nearer = n.distance.total_cmp(&other.distance);
        nearer.then(n.item.cmp(&other.item))
    };
    if found.len() > count {
        found.select_nth_unstable_by(count, order);
        found.truncate(count);
    }
    found.sort_unstable_by(order);
    found
}

/// How much a graph takes pains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphConfig {
    /// Links of an item (`M` in the paper; twice as many in the lowest layer).
    pub links: usize,
    /// How widely links are looked for (`efConstruction`).
    pub build_effort: usize,
    /// How widely neighbours are looked for (`ef`).
    pub search_effort: usize,
}

/// Walks a graph from neighbour to neighbour, after Malkov & Yashunin, "Efficient and robust approximate
/// nearest neighbor search using hierarchical navigable small world graphs" (2018). In memory only.
///
/// Of the crate's own metrics, that named after Hamming counts words that differ, not bits.
pub struct Graph<T: Clone + Send + Sync + 'static, D: Distance<T> + Send + Sync> {
    layers: Hnsw<'static, T, D>,
    search_effort: usize,
}

/// Layers beyond which more would stay empty.
const LAYERS: usize = 16;

impl<T: Clone + Send + Sync + 'static, D: Distance<T> + Send + Sync> Graph<T, D> {
    /// Indexes `items`. One thread inserts: only then the graph is the same every time.
    pub fn build<'a>(
        items: impl ExactSizeIterator<Item = &'a [T]>,
        metric: D,
        config: GraphConfig,
    ) -> Graph<T, D> {
        let room = items.len();
        let layers = Hnsw::new(config.links, room, LAYERS, config.build_effort, metric);
        for (number, item) in items.enumerate() {
            layers.insert((item, number));
        }
        Graph {
            layers,
            search_effort: config.search_effort,
        }
    }
}

impl<T: Clone + Send + Sync + 'static, D: Distance<T> + Send + Sync> Neighbours<T> for Graph<T, D> {
    fn nearest(&self, query: &[T], count: usize, radius: f32) -> Vec<Neighbour> {
        let found = self.layers.search(query, count, self.search_effort);
        let near = found.into_iter().map(|found| Neighbour {
            item: found.d_id,
            distance: found.distance,
        });
        rank(near.filter(|n| n.distance <= radius).collect(), count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranking_keeps_the_nearest_and_breaks_ties_by_number() {
        let found = [(4, 2.0), (9, 1.0), (2, 2.0), (7, 0.0), (1, 3.0)];
        let found = || {
            let neighbour = |(item, distance)| Neighbour { item, distance };
            found.map(neighbour).to_vec()
        };
        let items = |count| -> Vec<usize> { rank(found(), count).iter().map(|n| n.item).collect() };
        assert_eq!(items(9), [7, 9, 2, 4, 1]);
        assert_eq!(items(3), [7, 9, 2]);
        assert!(items(0).is_empty());
    }
}
