//! Matching sound: triplets to hits, hits to hypotheses, hypotheses to fitted and verified
//! transforms, transforms to segments.

mod candidates;
mod config;
mod fit;
mod hypotheses;
mod verify;
mod view;

pub use candidates::Window;
pub use config::AudioMatchConfig;
pub use fit::Transform;
pub use verify::{Agreement, Evidence, Recovery};

use crate::found::Found;
use likeness_core::report::{Media, Segment};
use likeness_core::{AudioFingerprint, ReferenceId};
use likeness_index::{Store, StoreError};
use std::collections::BTreeMap;
use view::QueryView;

/// A transform on a window of the query, with its evidence.
#[derive(Debug, Clone, Copy)]
pub struct Verified {
    /// The reference.
    pub reference: ReferenceId,
    /// The stretch of the query.
    pub window: Window,
    /// How it maps onto the reference.
    pub transform: Transform,
    /// What speaks for it.
    pub evidence: Evidence,
}

/// The references that a query's sound holds: accepted ones only, best first.
///
/// # Errors
/// What the store could not read.
pub fn match_audio(
    query: &AudioFingerprint,
    store: &dyn Store,
    config: &AudioMatchConfig,
) -> Result<Vec<Found>, StoreError> {
    let mut best: BTreeMap<ReferenceId, Verified> = BTreeMap::new();
    for verified in examine(query, store, config)? {
        let entry = best.entry(verified.reference).or_insert(verified);
        if verified.evidence.total > entry.evidence.total {
            *entry = verified;
        }
    }
    let mut found: Vec<Found> = best
        .into_values()
        .filter(|v| v.evidence.total >= config.threshold)
        .map(|v| found(&v, config))
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(found)
}

fn found(verified: &Verified, config: &AudioMatchConfig) -> Found {
    let score = verified.evidence.total / (verified.evidence.total + config.threshold);
    let transform = verified.transform;
    let segment = Segment {
        query_start: verified.window.start,
        query_end: verified.window.end,
        reference_start: transform.to_reference(verified.window.start),
        reference_end: transform.to_reference(verified.window.end),
        speed: transform.speed,
        score,
        pitch_semitones: Some(transform.pitch),
        mirrored: None,
        rotation_degrees: None,
        reference_rect: None,
        query_rect: None,
    };
    Found {
        reference: verified.reference,
        media: Media::Audio,
        score,
        false_positive_probability: None,
        segments: vec![segment],
        picture: None,
    }
}

/// Every hypothesis of every window, fitted and verified, accepted or not: what thresholds are
/// calibrated on.
///
/// # Errors
/// What the store could not read.
pub fn examine(
    query: &AudioFingerprint,
    store: &dyn Store,
    config: &AudioMatchConfig,
) -> Result<Vec<Verified>, StoreError> {
    let view = QueryView::new(query);
    let mut all = Vec::new();
    for window in windows(query.duration, config.window) {
        let hits = candidates::look_up(query, window, store, config)?;
        for hypothesis in hypotheses::vote(&hits, window, config) {
            let Some(reference) = store.audio(hypothesis.reference)? else {
                continue;
            };
            let fitted = fit::fit(&hypothesis, &view, &reference, window, config);
            if let Some(transform) = fitted {
                let window = verify::overlap(&transform, &reference, window);
                all.push(Verified {
                    reference: hypothesis.reference,
                    window,
                    evidence: verify::verify(&transform, &view, &reference, window, config),
                    transform,
                });
            }
        }
    }
    Ok(all)
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
