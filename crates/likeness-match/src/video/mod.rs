//! Video matching: keypoint votes propose, thumbnails prove.

mod candidates;
mod config;
mod film;
mod geometry;
mod rectangles;
mod segments;
mod timeline;

pub use config::VideoMatchConfig;

use crate::found::{Found, PictureContext};
use crate::naming::coverage;
use candidates::Hypothesis;
use film::{Film, Warp};
use geometry::{Affine, Fit};
use likeness_core::report::{Media, Segment};
use likeness_core::{ReferenceId, VideoFingerprint};
use likeness_index::{Store, StoreError};
use rayon::prelude::*;
use std::collections::BTreeMap;
use timeline::Line;

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
    let mut verified: Vec<Verified> = Vec::new();
    for window in query.keyframes.chunks(config.window) {
        let hypotheses = candidates::hypotheses(query, window, store, config)?;
        let found: Vec<Option<Verified>> = hypotheses
            .par_iter()
            .map(|hypothesis| verify(query, hypothesis, store, config))
            .collect::<Result<_, _>>()?;
        for new in found.into_iter().flatten() {
            add(&mut verified, new);
        }
    }
    Ok(gather(verified))
}

/// Fits a hypothesis and compares the films; `None` unless the evidence is for a copy.
fn verify(
    query: &VideoFingerprint,
    hypothesis: &Hypothesis,
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Option<Verified>, StoreError> {
    let Some(reference) = store.video(hypothesis.reference)? else {
        return Ok(None);
    };
    let mut pairs = hypothesis.pairs.clone();
    pairs
        .iter_mut()
        .for_each(|pair| pair.reference[0] *= reference.aspect);
    let seed = u64::from(hypothesis.reference.0) << 1 | u64::from(hypothesis.mirrored);
    let Some(fit) = geometry::fit(&pairs, 0x9e37_79b9 + seed, config) else {
        return Ok(None);
    };
    let warp = Warp::new(&fit.map, &reference, query);
    let visible = warp.visible();
    let mask: Vec<u32> = (0..visible.len() as u32)
        .filter(|&p| visible[p as usize])
        .collect();
    if mask.len() < visible.len() / 20 {
        return Ok(None);
    }
    let mut query_film = Film::of_query(query, &warp);
    query_film.detrend(config.detrend);
    let mut reference_film = Film::of_reference(&reference.thumbnails, hypothesis.mirrored);
    reference_film.detrend(config.detrend);

    let span = span(&fit);
    let best = timeline::lines(&fit.inliers, config)
        .into_iter()
        .map(|line| timeline::refine(&query_film, &reference_film, &mask, line, span))
        .filter(|(line, _)| (config.speed.0..=config.speed.1).contains(&line.speed))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((line, _)) = best else {
        return Ok(None);
    };
    let Some(extent) = segments::extent(&query_film, &reference_film, &mask, line, span) else {
        return Ok(None);
    };
    let (line, _) = timeline::refine(&query_film, &reference_film, &mask, line, extent);
    let (correlation, seconds) =
        timeline::correlation(&query_film, &reference_film, &mask, line, extent);
    if seconds < config.min_seconds {
        return Ok(None);
    }
    let evidence = evidence(correlation, fit.support, config);
    tracing::debug!(
        reference = hypothesis.reference.0,
        votes = hypothesis.votes,
        support = fit.support,
        correlation,
        seconds,
        evidence,
        mirrored = hypothesis.mirrored,
        "verified"
    );
    if evidence < 0.0 {
        return Ok(None);
    }
    let picture = rectangles::measure(
        (&query_film, &reference_film),
        &visible,
        &fit.map,
        hypothesis.mirrored,
        line,
        extent,
        &reference,
        query,
    );
    Ok(Some(Verified {
        reference: hypothesis.reference,
        evidence,
        line,
        segment: segment(
            line,
            extent,
            &fit.map,
            hypothesis.mirrored,
            evidence,
            picture,
            query,
            &reference,
        ),
        context: picture.context,
    }))
}

/// Query times that the inliers span, at least three seconds.
fn span(fit: &Fit) -> (f64, f64) {
    let mut times: Vec<f64> = fit.inliers.iter().map(|p| p.query_time).collect();
    times.sort_by(f64::total_cmp);
    let (first, last) = (
        times[times.len() / 20],
        times[times.len() - 1 - times.len() / 20],
    );
    let slack = (3.0 - (last - first)).max(1.0) / 2.0;
    (first - slack, last + slack)
}

/// Log-odds of a copy from the films' correlation and the distinct keypoints behind the transform.
fn evidence(correlation: f64, support: usize, config: &VideoMatchConfig) -> f64 {
    config.correlation_slope * (correlation - config.middle_correlation)
        + config.inlier_slope
            * (support as f64 / config.reference_inliers)
                .ln()
                .clamp(-2.0, 2.0)
}

fn score(evidence: f64) -> f64 {
    1.0 / (1.0 + (-evidence).exp())
}

#[allow(clippy::too_many_arguments)]
fn segment(
    line: Line,
    extent: (f64, f64),
    map: &Affine,
    mirrored: bool,
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
