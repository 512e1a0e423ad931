//! Where exactly a segment begins and ends.
//!
//! Films without their slowly moving means blur the ends: for seconds after a cut the mean still holds
//! what was before it. The pictures themselves, compared one by one, change at the cut at once.

use super::dot::dot;
use super::film::{Film, Warps};
use super::timeline::Line;
use likeness_core::VideoFingerprint;

/// Seconds at each end that may already show something else.
const DOUBTFUL: f64 = 1.6;
/// Share of the usual likeness of two pictures below which they show different things.
const SHARE: f64 = 0.6;
/// Seconds beyond each end over which pictures are compared: how long a still or an empty scene may
/// last, which says nothing by itself, and still be a match's own.
const BEYOND: f64 = 20.0;
/// Grey levels by which the pixels of an empty picture vary.
const EMPTY: f32 = 2.5;
/// Usual likeness below which single pictures tell nothing.
pub(super) const MIN_LIKENESS: f64 = 0.3;

/// The query seconds `span`, each end moved to where the pictures stop being alike along `line`. Two empty
/// ones are.
pub(super) fn refine(
    warps: &Warps,
    (line, span): (Line, (f64, f64)),
    (query, reference): (&VideoFingerprint, &VideoFingerprint),
) -> (f64, f64) {
    let (near, far) = (span.0 - BEYOND, span.1 + BEYOND);
    let there = (line.at(near) - 1.0, line.at(far) + 1.0);
    let own = Film::raw(&query.thumbnails, &warps.query, (near, far)).levelled();
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
    let empty = |picture: &[f32]| dot(picture, picture) < EMPTY * EMPTY * picture.len() as f32;
    let both_empty = |k: usize| empty(own.picture(numbers[k])) && empty(other.picture(k));
    let alike = likeness.iter().enumerate();
    let alike: Vec<bool> = alike
        .map(|(k, l)| *l >= SHARE * usual || both_empty(k))
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
    use super::run;

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
