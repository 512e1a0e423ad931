//! Matching sound: triplets to hits, hits to hypotheses, hypotheses to fitted and verified
//! transforms, transforms to segments.

#[doc(hidden)]
pub mod alike;
mod candidates;
mod chroma;
mod config;
mod explained;
mod fit;
mod hypotheses;
#[doc(hidden)]
pub mod patches;
mod repetition;
mod rest;
mod retrace;
mod segments;
mod verify;
mod view;
mod wanted;

pub use candidates::Window;
pub use chroma::{ChromaCache, ChromaIndex};
pub use config::{AudioMatchConfig, Channels};
pub use fit::Transform;
pub use retrace::{Landmark, retrace};
pub use verify::{Agreement, Evidence, Recovery};

use crate::chance::{Exposure, Verdict};
use crate::found::Found;
use hypotheses::{COMPANY, COMPANY_OF_LITTLE};
use likeness_core::report::{Media, Segment};
use likeness_core::{AudioFingerprint, ReferenceId};
use likeness_index::{Store, StoreError};
use rayon::prelude::*;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use view::QueryView;

/// A transform on a window of the query, with its evidence.
struct Verified {
    reference: ReferenceId,
    window: Window,
    transform: Transform,
    evidence: Evidence,
}

/// A stretch of the query in which a reference is heard, with its evidence.
#[derive(Debug, Clone, Copy)]
pub struct Audible {
    /// The stretch of the query.
    pub window: Window,
    /// How it maps onto the reference.
    pub transform: Transform,
    /// What speaks for it.
    pub evidence: Evidence,
}

/// The references that a query's sound holds, best first: those that chance gives with a
/// probability of at most `limit`. `chroma` is the store's index, if that channel is to be used.
///
/// # Errors
/// What the store could not read.
pub fn match_audio(
    query: &AudioFingerprint,
    store: &dyn Store,
    chroma: Option<&ChromaIndex>,
    limit: f64,
    config: &AudioMatchConfig,
) -> Result<Vec<Found>, StoreError> {
    let hours = store.hours(Media::Audio).max(config.least_hours);
    let exposure = Exposure::new(query.duration, hours);
    let verdict = Verdict::new(config.chance, exposure, limit);
    let mut examined = examine(query, store, chroma, config)?;
    let surer = Verdict::new(config.chance, exposure, limit * config.explained_limit);
    explained::drop_explained(&mut examined, surer.threshold(), config);
    let mut found: Vec<Found> = examined
        .into_iter()
        .filter_map(|(reference, segments)| found(reference, &segments, &verdict))
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(found)
}

/// Every reference that a query's sound may hold, with its segments, best first, accepted or not:
/// what thresholds are calibrated on.
///
/// # Errors
/// What the store could not read.
pub fn examine(
    query: &AudioFingerprint,
    store: &dyn Store,
    chroma: Option<&ChromaIndex>,
    config: &AudioMatchConfig,
) -> Result<Vec<(ReferenceId, Vec<Audible>)>, StoreError> {
    let view = QueryView::new(query);
    let look_into = |windows: Vec<Window>| -> Result<Vec<Verified>, StoreError> {
        let verified = windows.into_par_iter();
        let verified = verified.map(|w| examine_window(&view, w, store, chroma, config));
        let verified: Vec<Vec<Verified>> = verified.collect::<Result<_, _>>()?;
        Ok(verified.into_iter().flatten().collect())
    };
    let windows = windows(query.duration, config.window);
    let mut all = gather(look_into(windows.clone())?, &view, store, config)?;
    let rest = rest::unexplained(&all, &windows, config);
    if !rest.is_empty() {
        let mut others = look_into(rest)?;
        let known: BTreeSet<ReferenceId> = all.iter().map(|(id, _)| *id).collect();
        others.retain(|v| !known.contains(&v.reference));
        all.extend(gather(others, &view, store, config)?);
    }
    Ok(all)
}

/// The references of what was verified, with their segments.
fn gather(
    verified: Vec<Verified>,
    view: &QueryView<'_>,
    store: &dyn Store,
    config: &AudioMatchConfig,
) -> Result<Vec<(ReferenceId, Vec<Audible>)>, StoreError> {
    let mut seeds: BTreeMap<ReferenceId, Vec<Verified>> = BTreeMap::new();
    for verified in verified {
        if verified.evidence.total >= config.seed {
            seeds.entry(verified.reference).or_default().push(verified);
        }
    }
    let mut all = Vec::new();
    for (id, windows) in seeds {
        if let Some(reference) = store.audio(id)? {
            let excluded = store.excluded(id);
            let segments = segments::segments(windows, view, &reference, excluded, config);
            if !segments.is_empty() {
                all.push((id, segments));
            }
        }
    }
    Ok(all)
}

/// Every hypothesis of a window, fitted and verified.
fn examine_window(
    query: &QueryView<'_>,
    window: Window,
    store: &dyn Store,
    chroma: Option<&ChromaIndex>,
    config: &AudioMatchConfig,
) -> Result<Vec<Verified>, StoreError> {
    let mut hypotheses = Vec::new();
    if config.channels.landmarks {
        let met = candidates::look_up(query.fingerprint(), window, store, config)?;
        let (company, most) = match met.little {
            true => (COMPANY_OF_LITTLE, config.max_hypotheses_of_little),
            false => (COMPANY, config.max_hypotheses),
        };
        hypotheses = hypotheses::vote(&met.hits, company, most, window, config);
    }
    if let Some(index) = chroma {
        let hits = index.look_up(query.fingerprint(), window, config);
        let most = config.max_chroma_hypotheses;
        hypotheses.extend(hypotheses::vote(&hits, COMPANY, most, window, config));
    }
    let mut all = Vec::new();
    // Several hypotheses are of one reference, which is decoded once.
    let mut references: HashMap<ReferenceId, Option<Arc<AudioFingerprint>>> = HashMap::new();
    for hypothesis in hypotheses {
        let reference = match references.entry(hypothesis.reference) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(store.audio(hypothesis.reference)?),
        };
        let Some(reference) = reference else {
            continue;
        };
        if let Some(transform) = fit::fit(&hypothesis, query, reference, window, config) {
            let window = verify::overlap(&transform, reference, window);
            all.push(Verified {
                reference: hypothesis.reference,
                window,
                evidence: verify::verify(&transform, query, reference, window, config),
                transform,
            });
        }
    }
    Ok(all)
}

/// The report of a reference, if any of its segments is accepted.
fn found(reference: ReferenceId, segments: &[Audible], verdict: &Verdict) -> Option<Found> {
    let accepted = segments
        .iter()
        .filter(|s| s.evidence.total >= verdict.threshold());
    let best = accepted.clone().next()?.evidence.total;
    let mut segments: Vec<Segment> = accepted.map(|s| segment(s, verdict)).collect();
    segments.sort_by(|a, b| a.query_start.total_cmp(&b.query_start));
    Some(Found {
        reference,
        media: Media::Audio,
        score: verdict.score(best),
        false_positive_probability: verdict.probability(best),
        segments,
        picture: None,
    })
}

fn segment(audible: &Audible, verdict: &Verdict) -> Segment {
    let (window, transform) = (audible.window, audible.transform);
    Segment {
        // Rounding may leave it a hair before the query.
        query_start: window.start.max(0.0),
        query_end: window.end,
        reference_start: transform.to_reference(window.start).max(0.0),
        reference_end: transform.to_reference(window.end),
        speed: transform.speed,
        score: verdict.score(audible.evidence.total),
        pitch_semitones: Some(transform.pitch),
        mirrored: None,
        rotation_degrees: None,
        reference_rect: None,
        query_rect: None,
        still: None,
    }
}

/// Windows of at most `length` that cover the query, each overlapping the next by half.
fn windows(duration: f64, length: f64) -> Vec<Window> {
    let step = length / 2.0;
    let count = ((duration - length) / step).ceil().max(0.0) as usize + 1;
    let at = |i: usize| match duration <= length {
        true => 0.0,
        // The last window ends where the query does.
        false => (i as f64 * step).min(duration - length),
    };
    let window = |start: f64| Window {
        start,
        end: (start + length).min(duration),
    };
    (0..count).map(|i| window(at(i))).collect()
}
