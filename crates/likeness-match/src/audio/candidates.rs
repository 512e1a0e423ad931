//! A window's triplets to hits: places in references that hold a triplet of the same shape.

use super::config::AudioMatchConfig;
use likeness_audio::AudioConfig;
use likeness_audio::triplets::{Stored, Tolerance, Triplet, probes, triplets};
use likeness_core::audio::{Peak, STEPS_PER_SEMITONE, Surface, TICKS_PER_SECOND};
use likeness_core::{AudioFingerprint, PostingSpace, ReferenceId};
use likeness_index::{Store, StoreError};

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
    /// How rare the term is, natural log.
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

/// Looks the window's triplets up.
pub(super) fn look_up(
    query: &AudioFingerprint,
    window: Window,
    store: &dyn Store,
    config: &AudioMatchConfig,
) -> Result<Vec<Hit>, StoreError> {
    let (triplets, probes) = enumerate(query, window, config);
    let mut terms: Vec<u64> = probes.iter().map(|p| p.0).collect();
    terms.dedup();
    // Which probes ask for a term.
    let mut starts: Vec<u32> = Vec::with_capacity(terms.len() + 1);
    for (i, probe) in probes.iter().enumerate() {
        if i == 0 || probes[i - 1].0 != probe.0 {
            starts.push(i as u32);
        }
    }
    starts.push(probes.len() as u32);

    let mut counts = vec![0u32; terms.len()];
    let mut hits: Vec<Hit> = Vec::new();
    store.postings(PostingSpace::AudioLandmark, &terms, &mut |term, posting| {
        counts[term] += 1;
        let asking = &probes[starts[term] as usize..starts[term + 1] as usize];
        let stored = Stored::new(&posting);
        for &(_, triplet) in asking {
            let triplet = &triplets[triplet as usize];
            if let Some(hit) = meet(triplet, &stored, posting.reference, term, window, config) {
                hits.push(hit);
            }
        }
    })?;
    weigh(&mut hits, &counts, config);
    Ok(hits)
}

/// The window's triplets, and (term, triplet) for every probe, in order of the term.
fn enumerate(
    query: &AudioFingerprint,
    window: Window,
    config: &AudioMatchConfig,
) -> (Vec<Triplet>, Vec<(u64, u32)>) {
    let reach = AudioConfig::default().query_reach;
    let tolerance = Tolerance {
        steps: config.interval_tolerance,
        ticks: config.gap_tolerance,
        speed: config.max_speed as f32,
    };
    let mut all: Vec<Triplet> = Vec::new();
    let mut terms: Vec<(u64, u32)> = Vec::new();
    for surface in Surface::ALL {
        let peaks = within(query.peaks(surface), window);
        triplets(peaks, &reach, &mut |triplet| {
            let number = all.len() as u32;
            probes(surface, &triplet, &tolerance, &mut |term| {
                terms.push((term, number));
            });
            all.push(triplet);
        });
    }
    terms.sort_unstable();
    (all, terms)
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

/// The transform that two triplets of nearly the same shape propose.
fn meet(
    triplet: &Triplet,
    stored: &Stored,
    reference: ReferenceId,
    term: usize,
    window: Window,
    config: &AudioMatchConfig,
) -> Option<Hit> {
    let apart = |i: usize| (f32::from(triplet.intervals[i]) - stored.intervals[i]).abs();
    if apart(0) > config.interval_tolerance || apart(1) > config.interval_tolerance {
        return None;
    }
    let length = f32::from(triplet.gaps[1]);
    let ratio = f32::from(triplet.gaps[0]) / length;
    if (ratio - stored.ratio).abs() * length > config.gap_tolerance {
        return None;
    }
    let speed = f64::from(stored.length) / f64::from(triplet.gaps[1]);
    if speed > config.max_speed || speed * config.max_speed < 1.0 {
        return None;
    }
    let pitch = (f64::from(triplet.frequency) - f64::from(stored.frequency)) / STEPS_PER_SEMITONE;
    if pitch.abs() > config.max_pitch {
        return None;
    }
    let time = f64::from(triplet.time) / TICKS_PER_SECOND;
    let there = f64::from(stored.time) / TICKS_PER_SECOND;
    Some(Hit {
        reference,
        time: time as f32,
        log_speed: speed.ln() as f32,
        pitch: pitch as f32,
        offset: (there + (window.centre() - time) * speed) as f32,
        weight: 0.0,
        term: term as u32,
    })
}

/// Weighs each hit by its term's rarity, and drops those of terms that occur everywhere.
fn weigh(hits: &mut Vec<Hit>, counts: &[u32], config: &AudioMatchConfig) {
    let occurring = counts.iter().filter(|&&c| c > 0).count().max(1);
    let total: f64 = counts.iter().map(|&c| f64::from(c)).sum();
    let mean = total / occurring as f64;
    let cap = (mean * config.stop_ratio).max(config.stop_postings as f64);
    hits.retain_mut(|hit| {
        let count = f64::from(counts[hit.term as usize]);
        hit.weight = (1.0 + cap / count).ln() as f32;
        count <= cap
    });
}
