//! Video matching: keypoint votes propose, thumbnails prove.

mod candidates;
mod changes;
mod config;
#[doc(hidden)]
pub mod dot;
mod ends;
mod evidence;
mod exclusion;
mod film;
mod geometry;
mod going;
mod motion;
mod nearest;
mod overlay;
mod placement;
mod polish;
mod rectangles;
mod refind;
#[doc(hidden)]
pub mod scan;
mod segments;
mod timeline;

pub use config::VideoMatchConfig;
pub use going::{Going, going};
pub use placement::{Placement, covered};

use crate::found::{Found, PictureContext};
use crate::naming::coverage;
use candidates::Hypothesis;
use evidence::Signs;
use film::{Film, Look, Warps};
use geometry::{Affine, Fit};
use likeness_core::report::{Media, Segment};
use likeness_core::{ReferenceId, VideoFingerprint};
use likeness_index::{Store, StoreError};
use rayon::prelude::*;
use refind::Which;
use std::collections::BTreeMap;
use timeline::{Line, Products};

/// One verified stretch.
#[derive(Debug, Clone)]
struct Verified {
    reference: ReferenceId,
    /// Log-odds of a copy.
    evidence: f64,
    line: Line,
    segment: Segment,
    context: PictureContext,
}

/// The references whose picture the query shows, best first.
///
/// # Errors
/// What the store says of damaged or unreadable files.
pub fn match_video(
    query: &VideoFingerprint,
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Vec<Found>, StoreError> {
    Ok(gather(find(query, store, config)?))
}

/// Every stretch that a query's picture may show, with its evidence, down to
/// [`VideoMatchConfig::threshold`]: what thresholds are calibrated on.
///
/// # Errors
/// What the store says of damaged or unreadable files.
pub fn examine(
    query: &VideoFingerprint,
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Vec<(ReferenceId, f64, Segment)>, StoreError> {
    let verified = find(query, store, config)?.into_iter();
    Ok(verified
        .map(|v| (v.reference, v.evidence, v.segment))
        .collect())
}

fn find(
    query: &VideoFingerprint,
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Vec<Verified>, StoreError> {
    let mut verified: Vec<Verified> = Vec::new();
    let verify_all = |hypotheses: &[Hypothesis]| -> Result<Vec<Verified>, StoreError> {
        let verify = |hypothesis| verify(query, hypothesis, store, config);
        let found: Result<Vec<Option<Verified>>, _> = hypotheses.par_iter().map(verify).collect();
        Ok(found?.into_iter().flatten().collect())
    };
    for window in query.keyframes.chunks(config.window) {
        let mut found = verify_all(&candidates::hypotheses(query, window, store, config)?)?;
        if let ([], [first, .., last]) = (&found[..], window) {
            let span = (first.seconds(), last.seconds());
            found = verify_all(&motion::hypotheses(query, span, store, config)?)?;
        }
        for new in found {
            add(&mut verified, new);
        }
    }
    Ok(verified)
}

/// A query and what it may show.
struct Comparison<'a> {
    query: &'a VideoFingerprint,
    id: ReferenceId,
    reference: &'a VideoFingerprint,
    look: Look,
    /// Whether only motion speaks for it.
    coarse: bool,
}

/// Fits a hypothesis and weighs the evidence; `None` unless it is for a copy.
fn verify(
    query: &VideoFingerprint,
    hypothesis: &Hypothesis,
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Option<Verified>, StoreError> {
    let Some(reference) = store.video(hypothesis.reference)? else {
        return Ok(None);
    };
    let excluded = store.excluded(hypothesis.reference);
    let reference = exclusion::stilled(&reference, excluded);
    let comparison = Comparison {
        query,
        id: hypothesis.reference,
        reference: &reference,
        look: hypothesis.look,
        coarse: hypothesis.coarse,
    };
    let mut pairs = hypothesis.pairs.clone();
    pairs
        .iter_mut()
        .for_each(|pair| pair.reference[0] *= reference.aspect);
    let reach = match hypothesis.coarse {
        true => config.coarse_inlier_distance,
        false => config.inlier_distance,
    };
    let Some(fit) = geometry::fit(&pairs, reach, config) else {
        return Ok(None);
    };
    // Of keypoints alone, transforms are off by enough to make a good match a doubtful one.
    let doubt = if hypothesis.coarse {
        0.0
    } else {
        config.evidence.doubt
    };
    let Some(new) = comparison.examine(&fit, config.threshold - doubt, config) else {
        return Ok(None);
    };
    let timing = (new.line, (new.segment.query_start, new.segment.query_end));
    let films = (query, &*reference);
    let map = match hypothesis.coarse {
        true => {
            polish::polish(
                fit.map,
                hypothesis.look,
                timing,
                films,
                polish::COARSE,
                config,
            )
            .1
        }
        false => polish::straighten(fit.map, hypothesis.look, timing, films, config),
    };
    let polished = (map != fit.map)
        .then(|| comparison.examine(&Fit { map, ..fit }, config.threshold, config))
        .flatten();
    let sure = |found: &Verified| found.evidence >= config.threshold;
    let found = polished.filter(sure).or(Some(new).filter(sure));
    Ok(found.and_then(|found| exclusion::cut(found, excluded, config)))
}

impl Comparison<'_> {
    /// Finds the line of time that goes with a transform and weighs the evidence; `None` where that is
    /// below `threshold` even before it is compared with decoys.
    fn examine(&self, fit: &Fit, threshold: f64, config: &VideoMatchConfig) -> Option<Verified> {
        let Comparison {
            query,
            reference,
            look,
            ..
        } = *self;
        let warps = Warps::new(&fit.map, look, reference, query);
        let area = reference.thumbnails.width * reference.thumbnails.height;
        if warps.pixels.len() < area / 20 {
            return None;
        }
        let film = |span| Film::new(&query.thumbnails, &warps.query, span, config.detrend);
        let film_of_reference = |span| {
            Film::new(
                &reference.thumbnails,
                &warps.reference,
                span,
                config.detrend,
            )
        };
        let core = spread(fit.inliers.iter().map(|p| p.query_time), 1.5);
        let there = spread(fit.inliers.iter().map(|p| p.reference_time), 4.0);
        let films = (film(core).levelled(), film_of_reference(there).levelled());
        let line = Products::new(&films.0, &films.1).best_line(config);
        let line = timeline::refine(&films.0, &films.1, line);

        let (near, far) = (core.0 - config.reach, core.1 + config.reach);
        let films = (
            film((near, far)),
            film_of_reference((line.at(near) - 1.0, line.at(far) + 1.0)),
        );
        let levelled = (films.0.levelled(), films.1.levelled());
        let (agreement, changes) =
            segments::agreement(&levelled.0, &levelled.1, line, core, config)?;
        let placed = (&fit.map, look.mirrored);
        let refound = |which| {
            refind::refind(
                query,
                reference,
                placed,
                line,
                agreement.span,
                which,
                config,
            )
        };
        let all = refound(Which::All);
        let signs = Signs {
            agreement: &agreement,
            refound: &all,
            map: &fit.map,
            look,
        };
        let mut evidence = signs.evidence(self.coarse, &config.evidence);
        let promising = evidence >= threshold;
        if evidence >= config.threshold {
            let decoy = changes.decoy(&warps.pixels, reference.thumbnails.width);
            let moving = refound(Which::Moving);
            evidence = evidence.min(signs.against_decoys(decoy, &moving, &config.evidence));
        }
        tracing::debug!(
            query = query.duration,
            coarse = self.coarse,
            reference = self.id.0,
            support = fit.support,
            ?agreement,
            refound = ?all,
            evidence,
            ?look,
            "examined"
        );
        if !promising {
            return None;
        }
        let span = ends::refine(&warps, (line, agreement.span), (query, reference), config);
        let timing = (line, span);
        let films = (
            film(span),
            film_of_reference((line.at(span.0), line.at(span.1))),
        );
        let picture = rectangles::measure(
            (&films.0, &films.1),
            &warps,
            placed,
            timing,
            reference,
            query,
        );
        Some(Verified {
            reference: self.id,
            evidence,
            line,
            segment: segment(timing, placed, evidence, picture, query, reference),
            context: picture.context,
        })
    }
}

/// The range of nearly all `times`, and `slack` seconds to either side.
fn spread(times: impl Iterator<Item = f64>, slack: f64) -> (f64, f64) {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let cut = times.len() / 20;
    (times[cut] - slack, times[times.len() - 1 - cut] + slack)
}

fn score(evidence: f64) -> f64 {
    1.0 / (1.0 + (-evidence).exp())
}

fn segment(
    (line, extent): (Line, (f64, f64)),
    (map, mirrored): (&Affine, bool),
    evidence: f64,
    picture: rectangles::Picture,
    query: &VideoFingerprint,
    reference: &VideoFingerprint,
) -> Segment {
    let clip = |t: f64| (t.clamp(0.0, reference.duration) - line.start) / line.speed;
    let query_start = extent.0.max(clip(line.at(extent.0))).max(0.0);
    let query_end = extent.1.min(clip(line.at(extent.1))).min(query.duration);
    Segment {
        query_start,
        query_end,
        reference_start: line.at(query_start),
        reference_end: line.at(query_end),
        speed: line.speed,
        score: score(evidence),
        pitch_semitones: None,
        mirrored: Some(mirrored),
        rotation_degrees: Some(map.rotation_degrees()),
        reference_rect: Some(picture.reference),
        query_rect: Some(picture.query),
    }
}

/// Adds a stretch unless it repeats one that is there; of two that overlap on one line, the better
/// stays, stretched over both.
fn add(verified: &mut Vec<Verified>, mut new: Verified) {
    let overlaps = |a: &Segment, b: &Segment| {
        a.query_end.min(b.query_end) - a.query_start.max(b.query_start) > -1.0
    };
    while let Some(at) = verified
        .iter()
        .position(|old| old.reference == new.reference && overlaps(&old.segment, &new.segment))
    {
        let old = verified.swap_remove(at);
        let middle = (new.segment.query_start + new.segment.query_end) / 2.0;
        let same = (old.line.at(middle) - new.line.at(middle)).abs() < 1.0
            && old.segment.mirrored == new.segment.mirrored;
        let (mut best, other) = if old.evidence >= new.evidence {
            (old, new)
        } else {
            (new, old)
        };
        if same {
            let segment = &mut best.segment;
            segment.query_start = segment.query_start.min(other.segment.query_start);
            segment.query_end = segment.query_end.max(other.segment.query_end);
            segment.reference_start = best.line.at(segment.query_start).max(0.0);
            segment.reference_end = best.line.at(segment.query_end);
        }
        new = best;
    }
    verified.push(new);
}

/// One result per reference.
fn gather(verified: Vec<Verified>) -> Vec<Found> {
    let mut by_reference: BTreeMap<ReferenceId, Vec<Verified>> = BTreeMap::new();
    for v in verified {
        by_reference.entry(v.reference).or_default().push(v);
    }
    let mut found: Vec<Found> = by_reference
        .into_iter()
        .map(|(reference, mut parts)| {
            parts.sort_by(|a, b| a.segment.query_start.total_cmp(&b.segment.query_start));
            let best = parts.iter().map(|p| p.evidence).fold(f64::MIN, f64::max);
            let longest = parts
                .iter()
                .max_by(|a, b| length(a).total_cmp(&length(b)))
                .map(|p| p.context);
            Found {
                reference,
                media: Media::Video,
                score: score(best),
                false_positive_probability: None,
                segments: parts.into_iter().map(|p| p.segment).collect(),
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

fn length(part: &Verified) -> f64 {
    part.segment.query_end - part.segment.query_start
}
