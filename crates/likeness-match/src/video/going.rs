//! Whether a match that is known goes on in a film that does.
//!
//! Nothing is looked up: the film's pictures are compared with the reference's, one by one, where the
//! known segment puts them. That costs next to nothing, and tells an end as soon as something else is
//! shown, even after a still picture, of which motion tells nothing.

use super::config::VideoMatchConfig;
use super::dot::dot;
use super::ends::{MIN_LIKENESS, cosine};
use super::exclusion;
use super::film::{Film, Look, Warps};
use super::placement::Placement;
use super::query::Query;
use super::timeline::Line;
use likeness_core::report::{Match, Segment};
use likeness_core::{ReferenceId, VideoFingerprint};
use likeness_index::{Store, StoreError};

/// Share of the usual likeness of two pictures from which they show the same, and below which they do
/// not.
const ALIKE: f64 = 0.8;
const UNLIKE: f64 = 0.6;
/// Share of the pictures after the last alike one that must be unlike for an end.
const MOST: f64 = 0.8;
/// Seconds of the known segment that tell the usual likeness.
const USUAL: f64 = 6.0;
/// Pictures that are needed to tell it, and that must be unlike for an end: a second of them.
const PICTURES: usize = 5;
/// Deviation of a picture's values below which it shows nothing.
const BLANK: f32 = 2.5;

/// Whether a known match goes on in a film.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Going {
    /// Up to this second of the film, near its end, the pictures are alike.
    On(f64),
    /// The pictures were alike up to this second, and have not been for a second or more since.
    Over(f64),
    /// The pictures do not tell.
    Unclear,
}

/// Whether a match of picture, whose one segment is in the time of `query`, goes on there.
///
/// # Errors
/// What the store says of damaged or unreadable files.
pub fn going(
    query: &VideoFingerprint,
    reference: ReferenceId,
    known: &Match,
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Going, StoreError> {
    let (Some(film), [segment]) = (store.video(reference)?, &known.segments[..]) else {
        return Ok(Going::Unclear);
    };
    let film = exclusion::stilled(&film, store.excluded(reference));
    let likeness = likeness(query, &film, segment, config);
    Ok(judge(&likeness, (segment.query_start, segment.query_end)))
}

/// How alike the films' pictures are along the line on which a segment ends: query time in the middle
/// of each of the query's pictures, and likeness; `None` where neither shows anything.
fn likeness(
    query: &VideoFingerprint,
    reference: &VideoFingerprint,
    segment: &Segment,
    config: &VideoMatchConfig,
) -> Vec<(f64, Option<f64>)> {
    let Some(placement) = Placement::new(segment, reference.aspect, query.aspect) else {
        return Vec::new();
    };
    let look = Look {
        mirrored: placement.mirrored,
        inverted: false,
    };
    let slowed = query.thumbnails.slowed();
    let query = &Query::new(query, &slowed);
    let warps = Warps::new(&placement.map.into(), look, reference, query);
    let (low, high) = config.speed;
    if warps.pixels.is_empty() || !(low..=high).contains(&segment.speed) {
        return Vec::new();
    }
    let line = Line {
        start: segment.reference_end - segment.query_end * segment.speed,
        speed: segment.speed,
    };
    let span = (segment.query_end - USUAL, query.duration);
    let there = (line.at(span.0) - 1.0, line.at(span.1) + 1.0);
    let own = Film::raw(query.thumbnails, &warps.query, span).levelled();
    let other = Film::raw(&reference.thumbnails, &warps.reference, there).levelled();
    let (numbers, other) = other.along(&own, line);
    let mut likeness: Vec<(f64, Option<f64>)> = numbers
        .iter()
        .enumerate()
        .map(|(k, &i)| {
            let (a, b) = (own.picture(i), other.picture(k));
            let alike = (!blank(a) || !blank(b)).then(|| cosine(a, b));
            (own.time(i), alike)
        })
        .collect();
    // Where the reference is over, nothing can be like it.
    let met = numbers.last().map_or(0, |last| last + 1);
    likeness.extend((met..own.len()).map(|i| (own.time(i), Some(0.0))));
    likeness
}

fn blank(picture: &[f32]) -> bool {
    dot(picture, picture) < BLANK * BLANK * picture.len() as f32
}

/// What the likeness of pictures, by time, says of a match that is known from a time to another.
fn judge(likeness: &[(f64, Option<f64>)], (start, end): (f64, f64)) -> Going {
    let inside = likeness.iter().filter(|(t, _)| (start..=end).contains(t));
    let mut usual: Vec<f64> = inside.filter_map(|(_, alike)| *alike).collect();
    usual.sort_by(f64::total_cmp);
    let middle = usual.get(usual.len() / 2).copied().unwrap_or(0.0);
    // In negative, pictures are as unlike as can be.
    if usual.len() < PICTURES || middle.abs() < MIN_LIKENESS {
        return Going::Unclear;
    }
    let share = |alike: Option<f64>| alike.map_or(1.0, |alike| alike / middle);
    let alike = |&(_, alike): &(f64, Option<f64>)| share(alike) >= ALIKE;
    let Some(last) = likeness.iter().rposition(alike) else {
        return Going::Unclear;
    };
    let after = &likeness[last + 1..];
    let step = likeness.get(1).map_or(0.0, |next| next.0 - likeness[0].0);
    let until = likeness[last].0 + step / 2.0;
    // None of them is alike, and hardly one is in between.
    let unlike = after.iter().filter(|&&(_, alike)| share(alike) < UNLIKE);
    let unlike = unlike.count() as f64 >= MOST * after.len() as f64;
    match (unlike, after.len()) {
        (_, 0) => Going::On(until),
        (true, n) if n >= PICTURES => Going::Over(until),
        (true, _) => Going::On(until),
        (false, _) => Going::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures five a second, from zero on.
    fn check(likeness: &[f64], end: f64, want: Going) {
        let pictures: Vec<(f64, Option<f64>)> = likeness
            .iter()
            .enumerate()
            .map(|(i, &alike)| {
                let alike = (!alike.is_nan()).then_some(alike);
                ((i as f64 + 0.5) / 5.0, alike)
            })
            .collect();
        let found = judge(&pictures, (0.0, end));
        let same = match (found, want) {
            (Going::On(a), Going::On(b)) | (Going::Over(a), Going::Over(b)) => (a - b).abs() < 1e-9,
            (found, want) => found == want,
        };
        assert!(same, "{likeness:?}: {found:?}, not {want:?}");
    }

    #[test]
    fn an_end_is_seen_after_a_second() {
        let copy = [0.95; 20];
        let then = |rest: &[f64]| [&copy[..], rest].concat();
        check(&copy, 3.0, Going::On(4.0));
        check(&then(&[0.1; 4]), 3.0, Going::On(4.0));
        check(&then(&[0.1; 5]), 3.0, Going::Over(4.0));
        // A stranger may look a little like it for a moment.
        check(&then(&[0.1, 0.1, 0.65, 0.1, 0.1]), 3.0, Going::Over(4.0));
        check(&then(&[0.1, 0.65, 0.65, 0.1, 0.1]), 3.0, Going::Unclear);
        // It was thought to have gone on.
        check(&then(&[0.1; 6]), 4.6, Going::Over(4.0));
        // Something covers it for a moment.
        check(&then(&[0.1, 0.1, 0.1, 0.9]), 3.0, Going::On(4.8));
        // It fades to black, as the reference does.
        check(&then(&[f64::NAN; 9]), 3.0, Going::On(5.8));
    }

    #[test]
    fn what_does_not_tell_is_said() {
        check(&[0.95; 4], 3.0, Going::Unclear);
        check(&[0.2; 30], 3.0, Going::Unclear);
        check(&[f64::NAN; 30], 3.0, Going::Unclear);
        // Neither like nor unlike.
        let faded = [[0.9; 20], [0.65; 20]].concat();
        check(&faded, 4.0, Going::Unclear);
    }

    #[test]
    fn negatives_are_as_unlike_as_copies_are_alike() {
        let film = [[-0.9; 20], [0.1; 20]].concat();
        check(&film, 3.8, Going::Over(4.0));
    }
}
