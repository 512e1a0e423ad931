//! Video matching: keypoint votes propose, thumbnails prove.

mod candidates;
mod changes;
mod comparison;
mod config;
mod detail;
#[doc(hidden)]
pub mod dot;
mod elsewhere;
mod ends;
mod evidence;
mod exclusion;
mod film;
mod geometry;
mod going;
mod ground;
mod hidden;
mod homography;
mod motion;
mod nearest;
mod overlay;
mod placement;
mod polish;
mod query;
mod rectangles;
mod refind;
#[doc(hidden)]
pub mod scan;
mod segments;
#[doc(hidden)]
pub mod slide;
mod steady;
mod still;
mod substance;
mod timeline;
mod wanted;

pub use config::{Agreement, VideoMatchConfig};
pub use going::{Going, going};
pub use placement::{Placement, covered};

use crate::chance::{Exposure, Verdict};
use crate::found::{Found, PictureContext};
use crate::naming::coverage;
use candidates::Hypothesis;
use comparison::{Comparison, Fitted};
use likeness_core::report::{Media, Segment};
use likeness_core::{ReferenceId, VideoFingerprint};
use likeness_index::{Store, StoreError};
use query::Query;
use rayon::prelude::*;
use std::collections::BTreeMap;
use timeline::Line;

/// One verified stretch.
#[derive(Debug, Clone)]
struct Verified {
    seen: Seen,
    line: Line,
    context: PictureContext,
}

/// The references whose picture the query shows, best first: those for which chance gives as much with a
/// probability of at most `limit`.
///
/// # Errors
/// What the store says of damaged or unreadable files.
pub fn match_video(
    query: &VideoFingerprint,
    store: &dyn Store,
    limit: f64,
    config: &VideoMatchConfig,
) -> Result<Vec<Found>, StoreError> {
    let verdict = Verdict::new(config.chance, exposure(query, store, config), limit);
    let asked = Asked {
        least: verdict.threshold(),
        sure: verdict.sure(),
    };
    let verified = find(query, store, asked, config)?;
    Ok(gather(verified, &verdict))
}

fn exposure(query: &VideoFingerprint, store: &dyn Store, config: &VideoMatchConfig) -> Exposure {
    let hours = store.hours(Media::Video).min(config.exhausted_hours);
    Exposure::new(query.duration, hours)
}

/// What is asked of a match.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// Log-odds of a copy from which a stretch is told.
    least: f64,
    /// Those from which nothing else is looked for.
    sure: f64,
}

/// A stretch that a query's picture may show, and what speaks for it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it may show.
    pub reference: ReferenceId,
    /// Log-odds of a copy.
    pub evidence: f64,
    /// Where, and how; its score is not told.
    pub segment: Segment,
    /// Correlation of what changes from one picture to the next.
    pub change: f64,
    /// The same out of step: by chance.
    pub chance: f64,
    /// Moments of change that this rests on.
    pub moments: f64,
    /// Keypoints found again, and by chance.
    pub keypoints: (usize, f64),
}

/// Every stretch that a query's picture may show, from evidence of `least` on: what chance is calibrated on. It is
/// looked for as by [`match_video`] with the usual limit.
///
/// # Errors
/// What the store says of damaged or unreadable files.
pub fn examine(
    query: &VideoFingerprint,
    store: &dyn Store,
    least: f64,
    config: &VideoMatchConfig,
) -> Result<Vec<Seen>, StoreError> {
    let usual = Verdict::usual(config.chance, exposure(query, store, config));
    let asked = Asked {
        least,
        sure: usual.sure(),
    };
    let verified = find(query, store, asked, config)?.into_iter();
    Ok(verified.map(|found| found.seen).collect())
}

fn find(
    query: &VideoFingerprint,
    store: &dyn Store,
    asked: Asked,
    config: &VideoMatchConfig,
) -> Result<Vec<Verified>, StoreError> {
    let mut verified: Vec<Verified> = Vec::new();
    let slowed = query.thumbnails.slowed();
    let query = Query::new(query, &slowed);
    let verify_all = |hypotheses: Vec<Hypothesis>| -> Result<Vec<Verified>, StoreError> {
        let by_reference = by_reference(hypotheses);
        let verify = |hypotheses: &Vec<Hypothesis>| verify(query, hypotheses, store, asked, config);
        let found: Result<Vec<Vec<Verified>>, _> = by_reference.par_iter().map(verify).collect();
        Ok(found?.into_iter().flatten().collect())
    };
    for window in query.keyframes.chunks(config.window) {
        let hypotheses = candidates::hypotheses(query.aspect, window, store, config)?;
        let mut found = verify_all(hypotheses)?;
        if let (false, [first, .., last]) = (any_sure(&found, asked), window) {
            let span = (first.seconds(), last.seconds());
            let hypotheses = motion::hypotheses(&query, span, store, config)?;
            found.extend(verify_all(hypotheses)?);
        }
        for new in found {
            add(&mut verified, new);
        }
    }
    Ok(verified)
}

fn any_sure(found: &[Verified], asked: Asked) -> bool {
    found.iter().any(|found| found.seen.evidence >= asked.sure)
}

/// Hypotheses about each reference, in the order in which they come.
fn by_reference(hypotheses: Vec<Hypothesis>) -> Vec<Vec<Hypothesis>> {
    let mut groups: BTreeMap<ReferenceId, Vec<Hypothesis>> = BTreeMap::new();
    for hypothesis in hypotheses {
        groups
            .entry(hypothesis.reference)
            .or_default()
            .push(hypothesis);
    }
    groups.into_values().collect()
}

/// The stretches of one reference that a query shows, by hypotheses about it: as it is, or else as if its picture did
/// not wander.
fn verify(
    query: Query,
    hypotheses: &[Hypothesis],
    store: &dyn Store,
    asked: Asked,
    config: &VideoMatchConfig,
) -> Result<Vec<Verified>, StoreError> {
    let Some(id) = hypotheses.first().map(|hypothesis| hypothesis.reference) else {
        return Ok(Vec::new());
    };
    let Some(reference) = store.video(id)? else {
        return Ok(Vec::new());
    };
    let excluded = store.excluded(id);
    let reference = exclusion::stilled(&reference, excluded);
    let still = reference.thumbnails.stand_still();
    if still && excluded.is_some() {
        // Excluded stretches look as if they stood still, and of what stands still all moments are alike.
        return Ok(Vec::new());
    }
    let of = |hypothesis: &Hypothesis| Comparison {
        query,
        id,
        reference: &reference,
        look: hypothesis.look,
        coarse: hypothesis.coarse,
        laid: None,
        asked,
    };
    let fitted = hypotheses.par_iter().filter_map(|hypothesis| {
        let comparison = of(hypothesis);
        let fitted = comparison.fit(hypothesis, config)?;
        Some((comparison, fitted))
    });
    let fitted: Vec<(Comparison, Fitted)> = fitted.collect();
    let cut = |found: Verified| exclusion::cut(found, excluded, config);
    let as_it_is = fitted.par_iter().filter_map(|(comparison, fitted)| {
        let found = match still {
            true => comparison.weigh_still(fitted, config),
            false => comparison.weigh(fitted, config),
        };
        found.and_then(cut)
    });
    let mut found: Vec<Verified> = as_it_is.collect();
    if !any_sure(&found, asked) && !still {
        let surest = fitted.iter().max_by_key(|(_, fitted)| fitted.flat.support);
        let steadied = surest.and_then(|(comparison, fitted)| {
            comparison
                .weigh_steadied(&fitted.flat, config)
                .and_then(cut)
        });
        found.extend(steadied);
    }
    Ok(found)
}

/// Adds a stretch unless it repeats one that is there; of two that overlap on one line, the better
/// stays, stretched over both.
fn add(verified: &mut Vec<Verified>, mut new: Verified) {
    let overlaps = |a: &Segment, b: &Segment| {
        a.query_end.min(b.query_end) - a.query_start.max(b.query_start) > -1.0
    };
    while let Some(at) = verified.iter().position(|old| {
        old.seen.reference == new.seen.reference && overlaps(&old.seen.segment, &new.seen.segment)
    }) {
        let old = verified.swap_remove(at);
        let middle = (new.seen.segment.query_start + new.seen.segment.query_end) / 2.0;
        let same = (old.line.at(middle) - new.line.at(middle)).abs() < 1.0
            && old.seen.segment.mirrored == new.seen.segment.mirrored;
        let (mut best, other) = if old.seen.evidence >= new.seen.evidence {
            (old, new)
        } else {
            (new, old)
        };
        // Those of a still picture cover all there is.
        if same && best.seen.segment.still.is_none() {
            let segment = &mut best.seen.segment;
            segment.query_start = segment.query_start.min(other.seen.segment.query_start);
            segment.query_end = segment.query_end.max(other.seen.segment.query_end);
            segment.reference_start = best.line.at(segment.query_start).max(0.0);
            segment.reference_end = best.line.at(segment.query_end);
        }
        new = best;
    }
    verified.push(new);
}

/// One result per reference.
fn gather(verified: Vec<Verified>, verdict: &Verdict) -> Vec<Found> {
    let told = |part: Verified| Segment {
        score: verdict.score(part.seen.evidence),
        ..part.seen.segment
    };
    let mut by_reference: BTreeMap<ReferenceId, Vec<Verified>> = BTreeMap::new();
    for v in verified {
        by_reference.entry(v.seen.reference).or_default().push(v);
    }
    let mut found: Vec<Found> = by_reference
        .into_iter()
        .map(|(reference, mut parts)| {
            parts.sort_by(|a, b| start(a).total_cmp(&start(b)));
            let best = parts
                .iter()
                .map(|p| p.seen.evidence)
                .fold(f64::MIN, f64::max);
            let longest = parts
                .iter()
                .max_by(|a, b| length(a).total_cmp(&length(b)))
                .map(|p| p.context);
            Found {
                reference,
                media: Media::Video,
                score: verdict.score(best),
                false_positive_probability: verdict.probability(best),
                segments: parts.into_iter().map(told).collect(),
                picture: longest,
            }
        })
        .collect();
    found.sort_by(|a, b| {
        let covered = |f: &Found| coverage(f.segments.iter().map(|s| (s.query_start, s.query_end)));
        b.score
            .total_cmp(&a.score)
            .then(covered(b).total_cmp(&covered(a)))
    });
    found
}

fn start(part: &Verified) -> f64 {
    part.seen.segment.query_start
}

fn length(part: &Verified) -> f64 {
    part.seen.segment.query_end - part.seen.segment.query_start
}
