//! A hypothesis to a transform: the speed, pitch and offset at which most peaks coincide.

use super::candidates::{Window, within};
use super::config::AudioMatchConfig;
use super::hypotheses::Hypothesis;
use super::view::QueryView;
use likeness_core::AudioFingerprint;
use likeness_core::audio::{STEPS_PER_SEMITONE, Surface, TICKS_PER_SECOND};

/// How far from a hypothesis peaks are paired at first.
const PAIR_SECONDS: f64 = 0.45;
const PAIR_SEMITONES: f64 = 0.7;
/// Speeds that are tried on each side of the hypothesis, and their distance.
const SPEED_TRIALS: i32 = 14;
const SPEED_STEP: f64 = 0.004;
/// Bin of the offset's histogram.
const OFFSET_BIN: f64 = 0.0125;

/// How a stretch of a query maps onto a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// Reference seconds per query second.
    pub speed: f64,
    /// Semitones by which the query lies higher.
    pub pitch: f64,
    /// A moment of the query...
    pub query_time: f64,
    /// ...and of the reference, which coincide.
    pub reference_time: f64,
}

impl Transform {
    /// The reference time that `query_time` shows.
    pub fn to_reference(&self, query_time: f64) -> f64 {
        self.reference_time + (query_time - self.query_time) * self.speed
    }

    /// The query time that shows `reference_time`.
    pub fn to_query(&self, reference_time: f64) -> f64 {
        self.query_time + (reference_time - self.reference_time) / self.speed
    }
}

/// A peak of the query that may be one of the reference.
#[derive(Clone, Copy)]
struct Pair {
    /// Query time less the window's centre.
    query: f64,
    reference: f64,
    /// Query less reference, semitones.
    pitch: f64,
}

/// Refines a hypothesis on a window; `None` where too few peaks coincide.
pub(super) fn fit(
    hypothesis: &Hypothesis,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    window: Window,
    config: &AudioMatchConfig,
) -> Option<Transform> {
    let start = Transform {
        speed: hypothesis.log_speed.exp(),
        pitch: hypothesis.pitch,
        query_time: window.centre(),
        reference_time: hypothesis.offset,
    };
    let wide = pairs(
        &start,
        query,
        reference,
        window,
        PAIR_SECONDS,
        PAIR_SEMITONES,
    );
    let coarse = scan(&start, &wide)?;
    let close: Vec<Pair> = wide
        .into_iter()
        .filter(|p| near(&coarse, p, 0.03))
        .collect();
    let pitch = mode(close.iter().map(|p| p.pitch), 0.1)?;
    let mut transform = Transform { pitch, ..coarse };
    for tolerance in [2.0, 1.4, 1.0] {
        transform = refine(&transform, query, reference, window, config, tolerance)?;
    }
    let speeds = 1.0 / config.max_speed..=config.max_speed;
    (speeds.contains(&transform.speed) && transform.pitch.abs() <= config.max_pitch)
        .then_some(transform)
}

/// One round of least squares on the peaks that coincide within `tolerance` times the limits for
/// a peak that is found again.
pub(super) fn refine(
    transform: &Transform,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    window: Window,
    config: &AudioMatchConfig,
    tolerance: f64,
) -> Option<Transform> {
    let seconds = config.peak_seconds * tolerance;
    let semitones = config.peak_semitones * tolerance;
    let inliers = pairs(transform, query, reference, window, seconds, semitones);
    least_squares(&inliers, window.centre())
}

fn pairs(
    transform: &Transform,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    window: Window,
    seconds: f64,
    semitones: f64,
) -> Vec<Pair> {
    let span = Window {
        start: transform.to_reference(window.start) - seconds,
        end: transform.to_reference(window.end) + seconds,
    };
    let mut pairs = Vec::new();
    for surface in Surface::ALL {
        for peak in within(reference.peaks(surface), span)
            .iter()
            .filter(|p| p.sparse)
        {
            let there = f64::from(peak.time) / TICKS_PER_SECOND;
            let time = transform.to_query(there);
            let steps = f64::from(peak.frequency) + transform.pitch * STEPS_PER_SEMITONE;
            query.near(
                surface,
                time,
                steps,
                seconds,
                semitones * STEPS_PER_SEMITONE,
                |found| {
                    let at = f64::from(found.time) / TICKS_PER_SECOND;
                    if (window.start..=window.end).contains(&at) {
                        pairs.push(Pair {
                            query: at - window.centre(),
                            reference: there,
                            pitch: (f64::from(found.frequency) - f64::from(peak.frequency))
                                / STEPS_PER_SEMITONE,
                        });
                    }
                },
            );
        }
    }
    pairs
}

/// The speed and offset at which most pairs lie on one line.
fn scan(start: &Transform, pairs: &[Pair]) -> Option<Transform> {
    const BINS: usize = (2.0 * PAIR_SECONDS / OFFSET_BIN) as usize + 1;
    let mut best = (0, start.speed, start.reference_time);
    for trial in -SPEED_TRIALS..=SPEED_TRIALS {
        let speed = start.speed * (1.0 + f64::from(trial) * SPEED_STEP);
        let mut histogram = [0u32; BINS];
        for pair in pairs {
            let offset = pair.reference - pair.query * speed - start.reference_time;
            let bin = (offset + PAIR_SECONDS) / OFFSET_BIN;
            if bin >= 0.0 && (bin as usize) < BINS {
                histogram[bin as usize] += 1;
            }
        }
        for (i, three) in histogram.windows(3).enumerate() {
            // Twice the middle: of equal sums the centred one.
            let count = three[0] + 2 * three[1] + three[2];
            if count > best.0 {
                let offset = (i as f64 + 1.5) * OFFSET_BIN - PAIR_SECONDS;
                best = (count, speed, start.reference_time + offset);
            }
        }
    }
    (best.0 >= 8).then_some(Transform {
        speed: best.1,
        reference_time: best.2,
        ..*start
    })
}

fn near(transform: &Transform, pair: &Pair, seconds: f64) -> bool {
    let expected = transform.reference_time + pair.query * transform.speed;
    (pair.reference - expected).abs() <= seconds
}

/// The middle of the `width` that holds most values.
fn mode(values: impl Iterator<Item = f64>, width: f64) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let mut best: Option<(usize, f64)> = None;
    let mut end = 0;
    for (i, &low) in values.iter().enumerate() {
        while end < values.len() && values[end] <= low + width {
            end += 1;
        }
        if best.is_none_or(|(count, _)| end - i > count) {
            best = Some((end - i, values[i + (end - i) / 2]));
        }
    }
    best.map(|(_, value)| value)
}

fn least_squares(pairs: &[Pair], centre: f64) -> Option<Transform> {
    if pairs.len() < 6 {
        return None;
    }
    let n = pairs.len() as f64;
    let mean = |value: fn(&Pair) -> f64| pairs.iter().map(value).sum::<f64>() / n;
    let (query, reference, pitch) = (mean(|p| p.query), mean(|p| p.reference), mean(|p| p.pitch));
    let mut covariance = 0.0;
    let mut variance = 0.0;
    for pair in pairs {
        covariance += (pair.query - query) * (pair.reference - reference);
        variance += (pair.query - query).powi(2);
    }
    (variance > 0.1).then(|| Transform {
        speed: covariance / variance,
        pitch,
        query_time: centre + query,
        reference_time: reference,
    })
}
