//! The exact search is the oracle of all others.

use super::bits::Differing;
use super::exact::Exact;
use super::measure::Question;
use super::multi_index::MultiIndex;
use super::words::Words;
use likeness_core::video::Keypoint;
use likeness_distort::Random;
use likeness_match::neighbours::{Graph, GraphConfig, Neighbour, Neighbours};
use proptest::prelude::*;

/// By the definition and nothing else.
fn oracle(codes: &[u64], query: u64, count: usize, radius: f32) -> Vec<Neighbour> {
    let distance = |code: &u64| (code ^ query).count_ones() as f32;
    let all = codes.iter().map(distance).enumerate();
    let near = all.filter(|(_, distance)| *distance <= radius);
    let mut near: Vec<_> = near
        .map(|(item, distance)| Neighbour { item, distance })
        .collect();
    near.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    near.truncate(count);
    near
}

/// Few centres, so that many are equal or close.
fn clustered(seed: u64, count: usize) -> Vec<u64> {
    let mut random = Random::new(seed, "codes");
    let centres: Vec<u64> = (0..1 + count / 20).map(|_| random.next_u64()).collect();
    let code = |_| {
        let mut code = centres[random.index(centres.len())];
        for _ in 0..random.index(12) {
            code ^= 1 << random.index(64);
        }
        code
    };
    (0..count).map(code).collect()
}

proptest! {
    #[test]
    fn exact_and_multi_index_find_just_the_nearest(
        seed: u64,
        size in 0usize..400,
        count in 0usize..30,
        radius in 0u32..70,
    ) {
        let codes = clustered(seed, size);
        let radius = radius as f32;
        let indexes: [Box<dyn Neighbours<u64>>; 3] = [
            Box::new(Exact::new(codes.clone())),
            Box::new(Exact::scalar(codes.clone())),
            Box::new(MultiIndex::new(codes.clone())),
        ];
        for query in clustered(seed, 400).into_iter().rev().step_by(100) {
            let expected = oracle(&codes, query, count, radius);
            for index in &indexes {
                prop_assert_eq!(&index.nearest(&[query], count, radius), &expected);
            }
        }
    }
}

#[test]
fn a_graph_finds_most_of_the_nearest_every_time() {
    let codes = clustered(1, 4000);
    let config = GraphConfig {
        links: 16,
        build_effort: 128,
        search_effort: 64,
    };
    let build = || Graph::build(codes.iter().map(std::slice::from_ref), Differing, config);
    let (graph, twin, exact) = (build(), build(), Exact::new(codes.clone()));
    let (mut truth, mut found) = (Vec::new(), Vec::new());
    for query in codes.iter().step_by(20).map(|code| [code ^ 0x8001]) {
        truth.push(exact.nearest(&query, 12, 17.0));
        found.push(graph.nearest(&query, 12, 17.0));
        assert_eq!(found.last(), Some(&twin.nearest(&query, 12, 17.0)));
    }
    let [recall, first] = super::measure::recall(&truth, &found);
    assert!(recall > 0.95 && first > 0.95, "{recall} {first}");
}

#[test]
fn a_graph_returns_nothing_beyond_the_radius() {
    let codes = [0u64, 1, 3, u64::MAX];
    let config = GraphConfig {
        links: 8,
        build_effort: 16,
        search_effort: 16,
    };
    let graph = Graph::build(codes.iter().map(std::slice::from_ref), Differing, config);
    let items: Vec<usize> = graph.nearest(&[0], 9, 2.0).iter().map(|n| n.item).collect();
    assert_eq!(items, [0, 1, 2]);
}

#[test]
fn words_find_what_shares_one_and_nothing_that_is_far() {
    let keypoint = |code: u64| Keypoint {
        x: 1,
        y: 2,
        level: 3,
        angle: 4,
        weak: [1, 0],
        descriptor: [code as u32, (code >> 32) as u32],
    };
    let codes = clustered(2, 3000);
    let items: Vec<Keypoint> = codes.iter().copied().map(keypoint).collect();
    let words = Words::build(&items).expect("a library");
    // The lowest bit belongs to a term and is tried both ways; the highest belongs to none.
    let queries: Vec<u64> = codes.iter().map(|code| code ^ (1 << 63 | 1)).collect();
    let points: Vec<Keypoint> = queries.iter().copied().map(keypoint).collect();
    let question = Question {
        count: usize::MAX,
        radius: 17.0,
    };
    let found = words.nearest(&points, question).expect("a whole library");
    for (item, (query, found)) in queries.iter().zip(&found).enumerate() {
        assert!(found.iter().any(|n| n.item == item && n.distance == 2.0));
        let truth = oracle(&codes, *query, usize::MAX, question.radius);
        assert!(found.iter().all(|n| truth.contains(n)));
    }
}
