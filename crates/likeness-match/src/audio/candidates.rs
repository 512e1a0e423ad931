//! A window's triplets to hits: places in references that hold a triplet of the same shape.

use super::config::AudioMatchConfig;
use super::wanted::{Asking, Wanted};
use likeness_audio::triplets::Stored;
use likeness_core::audio::{Peak, STEPS_PER_SEMITONE, TICKS_PER_SECOND};
use likeness_core::{AudioFingerprint, PostingSpace, ReferenceId};
use likeness_index::{Store, StoreError};
use std::cell::LazyCell;

/// A stretch of the query, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Start.
    pub start: f64,
    /// End.
    pub end: f64,
}

impl Window {
    /// The middle.
    pub fn centre(&self) -> f64 {
        (self.start + self.end) / 2.0
    }
}

/// One triplet of the query met one of a reference: by itself a guess at the whole transform.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) reference: ReferenceId,
    /// When in the query.
    pub(super) time: f32,
    /// Logarithm of the speed.
    pub(super) log_speed: f32,
    /// Semitones.
    pub(super) pitch: f32,
    /// Reference time at the window's centre.
    pub(super) offset: f32,
    /// How rare the term is and how well the shapes fit, natural log.
    pub(super) weight: f32,
    term: u32,
}

impl Hit {
    /// What a chroma patch proposes that lies at `time` seconds of the query; `likeness` below 1.
    pub(super) fn alike(
        reference: ReferenceId,
        time: f64,
        speed: f64,
        pitch: f64,
        offset: f64,
        likeness: f32,
    ) -> Hit {
        Hit {
            reference,
            time: time as f32,
            log_speed: speed.ln() as f32,
            pitch: pitch as f32,
            offset: offset as f32,
            // As the verification weighs a correlation.
            weight: -(1.0 - likeness * likeness).max(0.01).ln(),
            term: 0,
        }
    }
}

/// What a window's triplets met.
pub(super) struct Met {
    pub(super) hits: Vec<Hit>,
    /// Whether so little was read that few of a copy's triplets are among it.
    pub(super) little: bool,
}

/// Looks the window's triplets up.
pub(super) fn look_up(
    query: &AudioFingerprint,
    window: Window,
    store: &dyn Store,
    config: &AudioMatchConfig,
) -> Result<Met, StoreError> {
    let wanted = Wanted::new(query, window, config);
    let mut terms = wanted.terms();
    let estimates = store.estimates(PostingSpace::AudioLandmark, 0, &terms)?;
    let little = wanted.afford(&mut terms, &estimates, config);
    let mut counts = vec![0u32; terms.len()];
    let mut hits: Vec<Hit> = Vec::new();
    store.postings(
        PostingSpace::AudioLandmark,
        0,
        &terms,
        &mut |term, posting| {
            counts[term] += 1;
            let stored = LazyCell::new(|| Stored::new(&posting));
            for asking in wanted.meeting(&posting) {
                hits.push(meet(asking, &stored, posting.reference, term, window));
            }
        },
    )?;
    weigh(&mut hits, &counts, config);
    Ok(Met { hits, little })
}

/// The peaks inside a window.
pub(super) fn within(peaks: &[Peak], window: Window) -> &[Peak] {
    let at = |seconds: f64| {
        let tick = (seconds.max(0.0) * TICKS_PER_SECOND) as u32;
        peaks.partition_point(|p| p.time < tick)
    };
    let start = at(window.start);
    &peaks[start..at(window.end).max(start)]
}

/// Errors of a true hit, roughly: of an interval in steps, of a gap in ticks.
const INTERVAL_ERROR: f32 = 2.5;
const GAP_ERROR: f32 = 6.0;

/// The transform that two triplets of nearly the same shape propose.
fn meet(
    asking: &Asking,
    stored: &Stored,
    reference: ReferenceId,
    term: usize,
    window: Window,
) -> Hit {
    let triplet = &asking.triplet;
    let apart = |i: usize| (f32::from(triplet.intervals[i]) - stored.intervals[i]).abs();
    let length = f32::from(triplet.gaps[1]);
    let late = (f32::from(triplet.gaps[0]) - stored.ratio * length).abs();
    let misfit = (apart(0) + apart(1)) / INTERVAL_ERROR + late / GAP_ERROR;
    let speed = stored.length / length;
    let time = f64::from(triplet.time) / TICKS_PER_SECOND;
    let there = f64::from(stored.time) / TICKS_PER_SECOND;
    Hit {
        reference,
        time: time as f32,
        log_speed: stored.log_length - asking.log_length,
        pitch: (f32::from(triplet.frequency) - stored.frequency) / STEPS_PER_SEMITONE as f32,
        offset: (there + (window.centre() - time) * f64::from(speed)) as f32,
        weight: FIT * (1.0 - misfit / 2.0) + RELIABILITY * asking.log_reliability,
        term: term as u32,
    }
}

/// What an exact fit adds to a hit's weight; a poor one takes away.
const FIT: f32 = 1.5;
/// What each factor e of a triplet's reliability adds.
const RELIABILITY: f32 = 0.5;
/// The least weight.
const LEAST: f32 = 0.3;

/// Weighs each hit by its term's rarity and its fit, and drops those of terms that occur
/// everywhere.
fn weigh(hits: &mut Vec<Hit>, counts: &[u32], config: &AudioMatchConfig) {
    let occurring = counts.iter().filter(|&&c| c > 0).count().max(1);
    let total: f64 = counts.iter().map(|&c| f64::from(c)).sum();
    let mean = total / occurring as f64;
    let cap = (mean * config.stop_ratio).max(config.stop_postings as f64);
    let rarity: Vec<f32> = counts
        .iter()
        .map(|&count| (1.0 + cap / f64::from(count.max(1))).ln() as f32)
        .collect();
    hits.retain_mut(|hit| {
        hit.weight = (hit.weight + rarity[hit.term as usize]).max(LEAST);
        f64::from(counts[hit.term as usize]) <= cap
    });
}
