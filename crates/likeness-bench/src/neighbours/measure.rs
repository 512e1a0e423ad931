//! What one way of searching costs and finds.

use crate::costs::{allocated, thread_seconds};
use crate::stats::quantile;
use likeness_match::neighbours::{Neighbour, Neighbours};
use serde::Serialize;

/// Look-ups before the clock counts, for what is done once in a process.
const WARM_UP: usize = 20;

/// What is asked of every item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) count: usize,
    pub(super) radius: f32,
}

/// One way at one size. Times in CPU seconds, sizes in bytes.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) items: usize,
    pub(super) way: &'static str,
    /// Share of the neighbours that are found, and of the nearest ones alone.
    pub(super) recall: [f64; 2],
    /// Of one look-up: p50, p95; of look-ups that are made together, their mean twice.
    pub(super) latency: [f64; 2],
    pub(super) memory: u64,
    pub(super) build: f64,
    /// Whether two builds give the same answers.
    pub(super) repeats: bool,
}

/// Something built twice, side by side.
pub(super) struct Built<I> {
    pub(super) twins: [I; 2],
    /// CPU seconds of one of them.
    pub(super) seconds: f64,
    /// Bytes of memory that one of them took.
    pub(super) memory: u64,
}

/// Builds an index twice.
pub(super) fn twice<I: Send>(build: impl Fn() -> I + Sync) -> Built<I> {
    let timed = || {
        let start = thread_seconds();
        let index = build();
        (index, thread_seconds() - start)
    };
    let before = allocated();
    let ((one, seconds), (other, _)) = rayon::join(timed, timed);
    Built {
        twins: [one, other],
        seconds,
        memory: allocated().saturating_sub(before) as u64 / 2,
    }
}

/// What each query was answered, and p50 and p95 of the CPU seconds that it took.
pub(super) type Answers = (Vec<Vec<Neighbour>>, [f64; 2]);

/// Asks about each query by itself.
pub(super) fn ask<Q>(queries: &[Q], answer: impl Fn(&Q) -> Vec<Neighbour>) -> Answers {
    queries.iter().take(WARM_UP).for_each(|query| {
        std::hint::black_box(answer(query));
    });
    let timed = |query| {
        let start = thread_seconds();
        let found = answer(query);
        (found, thread_seconds() - start)
    };
    let (found, times): (Vec<_>, Vec<f64>) = queries.iter().map(timed).unzip();
    (found, percentiles(&times))
}

fn percentiles(times: &[f64]) -> [f64; 2] {
    [0.5, 0.95].map(|share| quantile(times, share).unwrap_or(0.0))
}

/// The row of an index behind the trait, and its answers, which are right when no `truth` is given.
pub(super) fn measure<T>(
    way: &'static str,
    items: usize,
    build: impl Fn() -> Box<dyn Neighbours<T>> + Sync,
    queries: &[Vec<T>],
    question: Question,
    truth: Option<&[Vec<Neighbour>]>,
) -> (Row, Vec<Vec<Neighbour>>) {
    let built = twice(build);
    eprintln!("{way}: {items} in {:.1} s", built.seconds);
    let [one, other] = &built.twins;
    let nearest = |index: &dyn Neighbours<T>, query: &Vec<T>| {
        index.nearest(query, question.count, question.radius)
    };
    let (found, latency) = ask(queries, |query| nearest(one.as_ref(), query));
    let again = queries.iter().map(|query| nearest(other.as_ref(), query));
    let row = Row {
        items,
        way,
        recall: recall(truth.unwrap_or(&found), &found),
        latency,
        memory: built.memory,
        build: built.seconds,
        repeats: again.eq(found.iter().cloned()),
    };
    (row, found)
}

/// Shares of the true neighbours, and of the nearest ones alone, that are found. One that is as near as
/// a true one counts as well: which of the equally far come first is no question of finding.
pub(super) fn recall(truth: &[Vec<Neighbour>], found: &[Vec<Neighbour>]) -> [f64; 2] {
    let (mut right, mut all, mut first, mut any) = (0, 0, 0, 0);
    for (wanted, found) in truth.iter().zip(found) {
        let (Some(nearest), Some(farthest)) = (wanted.first(), wanted.last()) else {
            continue;
        };
        let near = found.iter().filter(|n| n.distance <= farthest.distance);
        right += near.count().min(wanted.len());
        all += wanted.len();
        first += usize::from(
            found
                .first()
                .is_some_and(|n| n.distance <= nearest.distance),
        );
        any += 1;
    }
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    [share(right, all), share(first, any)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(distances: &[f32]) -> Vec<Neighbour> {
        let neighbour = |(item, &distance)| Neighbour { item, distance };
        distances.iter().enumerate().map(neighbour).collect()
    }

    #[test]
    fn recall_counts_what_is_as_near_as_the_truth() {
        let truth = [neighbours(&[1.0, 3.0, 3.0]), neighbours(&[2.0]), Vec::new()];
        let check = |found: [&[f32]; 3], expected| {
            assert_eq!(recall(&truth, &found.map(neighbours)), expected);
        };
        check([&[1.0, 3.0, 3.0], &[2.0], &[]], [1.0, 1.0]);
        check([&[3.0, 3.0, 4.0], &[], &[5.0]], [0.5, 0.0]);
        check([&[1.0], &[3.0], &[]], [0.25, 0.5]);
    }
}
