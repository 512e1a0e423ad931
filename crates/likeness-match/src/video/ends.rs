//! Where exactly a segment begins and ends.
//!
//! Films without their slowly moving means blur the ends: for seconds after a cut the mean still holds
//! what was before it. The pictures themselves, compared one by one, change at the cut at once.

use super::config::VideoMatchConfig;
use super::dot::dot;
use super::film::{Film, Warps};
use super::query::Query;
use super::timeline::Line;
use likeness_core::VideoFingerprint;

/// Seconds at each end that may already show something else.
const DOUBTFUL: f64 = 1.6;
/// Share of the usual likeness of two pictures below which they show different things.
const SHARE: f64 = 0.6;
/// Seconds beyond each end over which pictures are compared: an empty or still scene, which says nothing
/// by itself, is a match's own where both films show it.
const BEYOND: f64 = 20.0;
/// Standard deviation of the pixels of an empty picture, grey levels, at most.
const EMPTY: f32 = 2.5;
/// Pictures, earlier and later, over which a film moves or stands still.
const PACE: usize = 5;
/// Grey levels, root of the mean square, by which what stands still changes at most.
const STILL: f32 = 1.0;
/// Correlation of what two films change by from which they move together.
const TOGETHER: f64 = 0.25;
/// Usual likeness below which single pictures tell nothing.
pub(super) const MIN_LIKENESS: f64 = 0.3;

/// The query seconds `span`, each end moved to where the pictures stop being alike along `line`, or, farther from
/// it than the slowly moving means blur, to where one film moves otherwise than the other. All pictures of a
/// still scene are alike: one of them that is frozen is no copy of how the scene goes on.
pub(super) fn refine(
    warps: &Warps,
    (line, span): (Line, (f64, f64)),
    (query, reference): (&Query, &VideoFingerprint),
    config: &VideoMatchConfig,
) -> (f64, f64) {
    let (near, far) = (span.0 - BEYOND, span.1 + BEYOND);
    let there = (line.at(near) - 1.0, line.at(far) + 1.0);
    let own = Film::raw(query.thumbnails, &warps.query, (near, far)).levelled();
    let other = Film::raw(&reference.thumbnails, &warps.reference, there).levelled();
    let (numbers, other) = other.along(&own, line);
    let likeness: Vec<f64> = numbers
        .iter()
        .enumerate()
        .map(|(k, &i)| cosine(own.picture(i), other.picture(k)))
        .collect();
    let times: Vec<f64> = numbers.iter().map(|&i| own.time(i)).collect();
    let inside = |t: &f64| (span.0 + DOUBTFUL..=span.1 - DOUBTFUL).contains(t);
    let mut usual: Vec<f64> = times
        .iter()
        .zip(&likeness)
        .filter(|(t, _)| inside(t))
        .map(|(_, l)| *l)
        .collect();
    usual.sort_by(f64::total_cmp);
    let Some(&usual) = usual
        .get(usual.len() / 2)
        .filter(|usual| **usual >= MIN_LIKENESS)
    else {
        return span;
    };
    let empty = |k: usize| {
        let (query, reference) = (own.picture(numbers[k]), other.picture(k));
        quiet(query, EMPTY) && quiet(reference, EMPTY)
    };
    let change = |k: usize| {
        let (from, to) = (k.saturating_sub(PACE), (k + PACE).min(numbers.len() - 1));
        let query = difference(own.picture(numbers[from]), own.picture(numbers[to]));
        together(&query, &difference(other.picture(from), other.picture(to)))
    };
    let known = span.0 - config.detrend..=span.1 + config.detrend;
    let alike: Vec<bool> = (0..numbers.len())
        .map(|k| {
            empty(k) || likeness[k] >= SHARE * usual && (known.contains(&times[k]) || change(k))
        })
        .collect();
    let half = 0.5 / own.rate;
    let first = times.partition_point(|t| *t < span.0 + DOUBTFUL);
    let last = times.partition_point(|t| *t <= span.1 - DOUBTFUL);
    let (start, end) = run(&alike, first, last.saturating_sub(1));
    (
        start.map_or(span.0, |k| times[k] - half),
        end.map_or(span.1, |k| times[k] + half),
    )
}

/// The first and the last of the pictures that are `alike` without a gap around `first` and `last`, or around
/// the next ones inwards that are. As long as the mean holds a common title, the films after it agree as well.
fn run(alike: &[bool], first: usize, last: usize) -> (Option<usize>, Option<usize>) {
    let middle = (first + last) / 2;
    let is = |k: &usize| alike.get(*k).is_some_and(|alike| *alike);
    let inner = ((first..=middle).find(is), (middle..=last).rev().find(is));
    let start = |from: usize| (0..=from).rev().take_while(is).last();
    let end = |from: usize| (from..alike.len()).take_while(is).last();
    (inner.0.and_then(start), inner.1.and_then(end))
}

fn quiet(values: &[f32], most: f32) -> bool {
    dot(values, values) < most * most * values.len() as f32
}

fn difference(from: &[f32], to: &[f32]) -> Vec<f32> {
    from.iter().zip(to).map(|(from, to)| to - from).collect()
}

/// Whether two films change alike, or both hardly at all.
fn together(query: &[f32], reference: &[f32]) -> bool {
    quiet(query, STILL) && quiet(reference, STILL) || cosine(query, reference) >= TOGETHER
}

pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norm = f64::from(dot(a, a)) * f64::from(dot(b, b));
    if norm > 0.0 {
        f64::from(dot(a, b)) / norm.sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::{run, together};

    #[test]
    fn what_is_frozen_does_not_move_together_with_what_moves() {
        let still = [0.1, -0.2, 0.1, 0.0];
        let moves = [9.0, -4.0, 0.0, 3.0];
        let darker = [5.0, -2.0, 1.0, 1.0];
        let others = [-3.0, 8.0, 5.0, 0.0];
        let check =
            |a: &[f32], b: &[f32], want: bool| assert_eq!(together(a, b), want, "{a:?} {b:?}");
        check(&still, &still, true);
        check(&[0.0; 4], &[0.0; 4], true);
        check(&[0.0; 4], &moves, false);
        check(&moves, &[0.0; 4], false);
        check(&moves, &darker, true);
        check(&moves, &others, false);
    }

    #[test]
    fn ends_are_where_pictures_stop_being_alike() {
        let check = |pictures: &str, first, last, want: (Option<usize>, Option<usize>)| {
            let alike: Vec<bool> = pictures.chars().map(|c| c == '#').collect();
            assert_eq!(run(&alike, first, last), want, "{pictures}");
        };
        check("##########", 2, 7, (Some(0), Some(9)));
        check("--######--", 4, 5, (Some(2), Some(7)));
        // The doubtful part is longer than was thought.
        check("#####-----", 2, 7, (Some(0), Some(4)));
        check("-----#####", 2, 8, (Some(5), Some(9)));
        // Another picture in the middle ends nothing.
        check("####-#####", 2, 7, (Some(0), Some(9)));
        check("----------", 2, 7, (None, None));
        check("", 0, 0, (None, None));
    }
}
