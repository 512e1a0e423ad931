//! Where exactly a segment begins and ends.
//!
//! Films without their slowly moving means blur the ends: for seconds after a cut the mean still holds
//! what was before it. The pictures themselves, compared one by one, change at the cut at once.

use super::config::VideoMatchConfig;
use super::dot::dot;
use super::film::{Film, Warps};
use super::timeline::Line;
use likeness_core::VideoFingerprint;

/// Seconds by which an end may move inwards.
const INWARDS: f64 = 1.6;
/// Share of the usual likeness of two pictures below which they show different things.
const SHARE: f64 = 0.6;
/// Usual likeness below which single pictures tell nothing.
pub(super) const MIN_LIKENESS: f64 = 0.3;

/// The query seconds `span`, each end moved to where the pictures stop being alike along `line`.
pub(super) fn refine(
    warps: &Warps,
    (line, span): (Line, (f64, f64)),
    (query, reference): (&VideoFingerprint, &VideoFingerprint),
    config: &VideoMatchConfig,
) -> (f64, f64) {
    let (near, far) = (span.0 - config.detrend, span.1 + config.detrend);
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
    let inside = |t: &f64| (span.0 + INWARDS..=span.1 - INWARDS).contains(t);
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
    let alike = |k: &usize| likeness[*k] >= SHARE * usual;
    let half = 0.5 / own.rate;
    let first = times.partition_point(|t| *t < span.0 + INWARDS);
    let last = times.partition_point(|t| *t <= span.1 - INWARDS);
    let start = (0..=first.min(times.len().saturating_sub(1)))
        .rev()
        .take_while(alike)
        .last();
    let end = (last.saturating_sub(1)..times.len())
        .take_while(alike)
        .last();
    (
        start.map_or(span.0, |k| times[k] - half),
        end.map_or(span.1, |k| times[k] + half),
    )
}

pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norm = f64::from(dot(a, a)) * f64::from(dot(b, b));
    if norm > 0.0 {
        f64::from(dot(a, b)) / norm.sqrt()
    } else {
        0.0
    }
}
