//! Video matching: keypoint votes propose, thumbnails prove.

mod candidates;
mod changes;
mod config;
mod detail;
#[doc(hidden)]
pub mod dot;
mod ends;
mod evidence;
mod exclusion;
mod film;
mod geometry;
mod going;
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
use evidence::{Shown, Signs};
use film::{Film, Look, Warps};
use geometry::{Fit, middle};
use homography::Homography;
use likeness_core::report::{Media, Segment};
use likeness_core::{ReferenceId, VideoFingerprint};
use likeness_index::{Store, StoreError};
use query::Query;
use rayon::prelude::*;
use refind::Which;
use std::collections::BTreeMap;
use substance::Substance;
use timeline::{Line, Products};

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
    let hours = store.hours(Media::Video).min(config.exhausted_hours);
    let exposure = Exposure::new(query.duration, hours);
    let verdict = Verdict::new(config.chance, exposure, limit);
    let verified = find(query, store, verdict.threshold(), config)?;
    Ok(gather(verified, &verdict))
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

/// Every stretch that a query's picture may show, from `threshold` on: what chance is calibrated on.
///
/// # Errors
/// What the store says of damaged or unreadable files.
pub fn examine(
    query: &VideoFingerprint,
    store: &dyn Store,
    threshold: f64,
    config: &VideoMatchConfig,
) -> Result<Vec<Seen>, StoreError> {
    let verified = find(query, store, threshold, config)?.into_iter();
    Ok(verified.map(|found| found.seen).collect())
}

fn find(
    query: &VideoFingerprint,
    store: &dyn Store,
    threshold: f64,
    config: &VideoMatchConfig,
) -> Result<Vec<Verified>, StoreError> {
    let mut verified: Vec<Verified> = Vec::new();
    let slowed = query.thumbnails.slowed();
    let query = Query::new(query, &slowed);
    let verify_all = |hypotheses: Vec<Hypothesis>| -> Result<Vec<Verified>, StoreError> {
        let by_reference = by_reference(hypotheses);
        let verify =
            |hypotheses: &Vec<Hypothesis>| verify(query, hypotheses, store, threshold, config);
        let found: Result<Vec<Vec<Verified>>, _> = by_reference.par_iter().map(verify).collect();
        Ok(found?.into_iter().flatten().collect())
    };
    for window in query.keyframes.chunks(config.window) {
        let hypotheses = candidates::hypotheses(query.aspect, window, store, config)?;
        let mut found = verify_all(hypotheses)?;
        if let ([], [first, .., last]) = (&found[..], window) {
            let span = (first.seconds(), last.seconds());
            let hypotheses = motion::hypotheses(&query, span, store, config)?;
            found = verify_all(hypotheses)?;
        }
        for new in found {
            add(&mut verified, new);
        }
    }
    Ok(verified)
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

/// How a query is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    AsItIs,
    /// As if its picture did not wander, which takes as long as all else.
    Steadied,
}

/// A query and what it may show.
struct Comparison<'a> {
    query: Query<'a>,
    id: ReferenceId,
    reference: &'a VideoFingerprint,
    look: Look,
    /// Whether only motion speaks for it.
    coarse: bool,
    /// Evidence from which it is a match.
    threshold: f64,
}

/// The stretches of one reference that a query shows, by hypotheses about it, the best first: as it is, or else as
/// if its picture did not wander.
fn verify(
    query: Query,
    hypotheses: &[Hypothesis],
    store: &dyn Store,
    threshold: f64,
    config: &VideoMatchConfig,
) -> Result<Vec<Verified>, StoreError> {
    let Some(best) = hypotheses.first() else {
        return Ok(Vec::new());
    };
    let id = best.reference;
    let Some(reference) = store.video(id)? else {
        return Ok(Vec::new());
    };
    let excluded = store.excluded(id);
    let reference = exclusion::stilled(&reference, excluded);
    let fit = |hypothesis: &Hypothesis, way| {
        let comparison = Comparison {
            query,
            id,
            reference: &reference,
            look: hypothesis.look,
            coarse: hypothesis.coarse,
            threshold,
        };
        let found = comparison.fit(hypothesis, way, excluded.is_some(), config)?;
        exclusion::cut(found, excluded, config)
    };
    let as_it_is = hypotheses.par_iter();
    let as_it_is = as_it_is.filter_map(|hypothesis| fit(hypothesis, Way::AsItIs));
    let mut found: Vec<Verified> = as_it_is.collect();
    if found.is_empty() && !best.coarse {
        found.extend(fit(best, Way::Steadied));
    }
    Ok(found)
}

impl Comparison<'_> {
    /// Fits a transform to a hypothesis and weighs the evidence; `None` where that is below the threshold.
    fn fit(
        &self,
        hypothesis: &Hypothesis,
        way: Way,
        excluded: bool,
        config: &VideoMatchConfig,
    ) -> Option<Verified> {
        let aspect = self.reference.aspect;
        let mut pairs = hypothesis.pairs.clone();
        pairs
            .iter_mut()
            .for_each(|pair| pair.reference[0] *= aspect);
        let reach = match self.coarse {
            true => config.coarse_inlier_distance,
            false => config.inlier_distance,
        };
        let fit = geometry::fit(&pairs, reach, hypothesis.inliers, config)?;
        let tilted = match self.coarse || way == Way::Steadied {
            true => None,
            false => homography::tilted(&pairs, &fit, reach, aspect),
        };
        match (self.reference.thumbnails.stand_still(), way) {
            // Excluded stretches look as if they stood still, and of what stands still all moments are alike.
            (true, Way::AsItIs) if !excluded => self.weigh_still(&fit, tilted.as_ref(), config),
            (true, _) => None,
            (false, Way::AsItIs) => self.weigh(&fit, tilted, config),
            (false, Way::Steadied) => self.weigh_steadied(&fit, config),
        }
    }

    /// Weighs a transform, and one that is `tilted`, and what they become where the films agree best; `None` where
    /// the evidence is below the threshold.
    fn weigh(&self, fit: &Fit, tilted: Option<Fit>, config: &VideoMatchConfig) -> Option<Verified> {
        // Transforms are off by enough, yet, to make a good match a doubtful one.
        let doubt = config.evidence.doubt;
        let flat = self.examine(fit, doubt, config);
        let steep = |tilted: &Fit| self.examine(tilted, doubt, config);
        let new = match (flat, tilted.as_ref().and_then(steep)) {
            (Some(flat), Some(steep)) if steep.seen.evidence > flat.seen.evidence => steep,
            (Some(flat), _) => flat,
            (None, Some(steep)) => steep,
            (None, None) => return None,
        };
        let segment = &new.seen.segment;
        let timing = (new.line, (segment.query_start, segment.query_end));
        let (look, films) = (self.look, (&self.query, self.reference));
        let map = match self.coarse {
            true => polish::polish(fit.map, look, timing, films, polish::COARSE, config).1,
            false => {
                let tilt = tilted.as_ref().map(|fit| fit.map);
                polish::straighten(fit.map, tilt, look, timing, films, config)
            }
        };
        let polished = (map != fit.map)
            .then(|| {
                let tilted = tilted.filter(|_| !map.is_flat());
                let fit = tilted.unwrap_or_else(|| fit.clone());
                self.examine(&Fit { map, ..fit }, 0.0, config)
            })
            .flatten();
        let sure = |found: &Verified| found.seen.evidence >= self.threshold;
        polished.filter(sure).or(Some(new).filter(sure))
    }

    /// Finds the line of time that goes with a transform and weighs the evidence; `None` where that is
    /// below the threshold by more than `doubt` even before it is compared with decoys.
    fn examine(&self, fit: &Fit, doubt: f64, config: &VideoMatchConfig) -> Option<Verified> {
        let (query, reference, look) = (&self.query, self.reference, self.look);
        let warps = Warps::new(&fit.map, look, reference, query);
        let area = reference.thumbnails.width * reference.thumbnails.height;
        if warps.pixels.len() < area / 20 {
            return None;
        }
        let film = |span| Film::new(query.thumbnails, &warps.query, span, config.detrend);
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
        let own = |span| Film::new(query.fine, &warps.query, span, config.detrend).levelled();
        let line = timeline::refine(&own(core), &films.1, line);

        let (near, far) = (core.0 - config.reach, core.1 + config.reach);
        let other = film_of_reference((line.at(near) - 1.0, line.at(far) + 1.0)).levelled();
        let levelled = (own((near, far)).in_step(&other, line), other);
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
            inverted: look.inverted,
            shown: Shown {
                turn: fit.map.near(middle(reference.aspect)).rotation_degrees(),
                speed: line.speed,
                area: warps.area(&fit.map, reference, query),
            },
        };
        let weights = &config.evidence;
        let mut evidence = signs.evidence(self.coarse, weights);
        let mut promising = false;
        if evidence + weights.clear * weights.max_clear >= self.threshold - doubt {
            let decoy = changes.decoy(&warps.pixels, reference.thumbnails.width);
            let clear = match self.coarse {
                true => 0.0,
                false => signs.clear(decoy, changes.spread(), weights),
            };
            evidence += clear;
            promising = evidence >= self.threshold - doubt;
            if evidence >= self.threshold {
                let moving = refound(Which::Moving);
                evidence = evidence.min(signs.against_decoys(decoy, &moving, weights) + clear);
            }
        }
        if evidence >= self.threshold {
            let substance = self.substance(&warps, line, agreement.span);
            evidence -= substance.doubt(changes.spread(), weights);
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
            seen: Seen {
                reference: self.id,
                evidence,
                segment: segment(timing, placed, picture, query, reference),
                change: agreement.change,
                chance: agreement.chance,
                moments: agreement.moments,
                keypoints: (all.found, all.chance),
            },
            line,
            context: picture.context,
        })
    }

    /// What both films show over the seconds `span` of the query.
    fn substance(&self, warps: &Warps, line: Line, span: (f64, f64)) -> Substance {
        let there = (line.at(span.0) - 0.5, line.at(span.1) + 0.5);
        let (query, reference) = (self.query.thumbnails, &self.reference.thumbnails);
        let films = (
            Film::raw(query, &warps.query, span),
            Film::raw(reference, &warps.reference, there),
        );
        let (pixels, width) = (&warps.pixels, reference.width);
        Substance::of(&substance::likeness(
            &films.0, &films.1, line, pixels, width,
        ))
    }
}

/// The range of nearly all `times`, and `slack` seconds to either side.
fn spread(times: impl Iterator<Item = f64>, slack: f64) -> (f64, f64) {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let cut = times.len() / 20;
    (times[cut] - slack, times[times.len() - 1 - cut] + slack)
}

fn segment(
    (line, extent): (Line, (f64, f64)),
    (map, mirrored): (&Homography, bool),
    picture: rectangles::Picture,
    query: &Query,
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
        // Told by the whole query's verdict.
        score: 0.0,
        pitch_semitones: None,
        mirrored: Some(mirrored),
        rotation_degrees: Some(map.near(middle(reference.aspect)).rotation_degrees()),
        reference_rect: Some(picture.reference),
        query_rect: Some(picture.query),
        still: None,
    }
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
