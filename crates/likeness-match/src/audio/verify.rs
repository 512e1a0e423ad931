//! The evidence for a transform on a window: how many of the reference's peaks are found again,
//! and how well the spectra agree, both against what the same pair gives at wrong transforms.

use super::candidates::{Window, within};
use super::config::AudioMatchConfig;
use super::fit::Transform;
use super::view::QueryView;
use likeness_core::AudioFingerprint;
use likeness_core::audio::{BINS, Peak, STEPS_PER_SEMITONE, Surface, TICKS_PER_SECOND};

/// Shares of the window by which decoys are shifted in time, circularly.
const TIME_DECOYS: [f64; 8] = [0.067, 0.131, 0.223, 0.347, 0.487, 0.619, 0.743, 0.891];
/// Semitones by which decoys are shifted in pitch. Octaves and fifths are left out: a true match
/// resembles itself there.
const PITCH_DECOYS: [f64; 8] = [-4.4, -2.6, -1.5, -0.8, 0.7, 1.4, 2.7, 4.6];

/// Cells of a stretch that are its loudest, against their surroundings in frequency...
const LOUDEST: f64 = 0.1;
/// ...and the levels of the grid, 2 dB each, by which such a one lies lower in a query that does not hold it.
const FALLEN: f32 = 6.0;

/// What speaks for a transform.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// Peaks found again, by surface.
    pub peaks: [Recovery; 2],
    /// Agreement of the spectra.
    pub spectrum: Agreement,
    /// Natural log of the likelihood ratio, all together.
    pub total: f64,
}

impl Evidence {
    /// Share of the peaks that are found again, of the surface that has more of them: a disguise may
    /// wipe out all onsets, or all partials.
    pub(super) fn completeness(&self) -> f64 {
        let most = self.peaks.iter().map(|p| p.expected).max().unwrap_or(0);
        // A handful of peaks on one surface says nothing.
        let told = self.peaks.iter().filter(|p| 4 * p.expected >= most);
        told.map(Recovery::share).fold(0.0, f64::max)
    }
}

/// Peaks of the reference that the query has too.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Recovery {
    /// Peaks that should be there.
    pub expected: usize,
    /// Of those, peaks that are.
    pub found: usize,
    /// Share found when shifted in time: the most of the decoys.
    pub by_time: f64,
    /// Share found when shifted in pitch: the most of the decoys.
    pub by_pitch: f64,
}

impl Recovery {
    /// Share of the peaks that are found again.
    pub fn share(&self) -> f64 {
        self.found as f64 / self.expected.max(1) as f64
    }

    /// Share that chance finds, cautiously: what the decoys found, and a little more.
    pub fn chance(&self) -> f64 {
        (self.by_time.max(self.by_pitch) + 0.02).min(0.9)
    }

    /// Natural log of the likelihood ratio of the found share against chance.
    pub fn log_ratio(&self) -> f64 {
        let n = self.expected as f64;
        let (share, chance) = (self.share(), self.chance());
        if share <= chance {
            return 0.0;
        }
        let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
        n * (term(share, chance) + term(1.0 - share, 1.0 - chance))
    }
}

/// Correlation of log spectra after removing each band's mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Agreement {
    /// Rows compared.
    pub rows: usize,
    /// At the transform.
    pub correlation: f64,
    /// Mean over decoys.
    pub decoy_mean: f64,
    /// Highest of the decoys.
    pub decoy_top: f64,
    /// Share of the reference's loudest cells that lie far lower in the query. Whatever is added to a
    /// copy hides what was there little by little; only another piece lacks it.
    pub fallen: f64,
}

impl Agreement {
    /// Natural log of the likelihood ratio of the correlation against chance.
    pub fn log_ratio(&self) -> f64 {
        let base = self.decoy_mean.max(0.0);
        let excess = ((self.correlation - base) / (1.0 - base)).clamp(0.0, 0.99);
        -0.5 * self.rows as f64 * 2.0 * (1.0 - excess * excess).ln()
    }
}

/// Weighs a transform on a window.
pub(super) fn verify(
    transform: &Transform,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    window: Window,
    config: &AudioMatchConfig,
) -> Evidence {
    let window = overlap(transform, reference, window);
    let peaks = Surface::ALL.map(|s| recover(s, transform, query, reference, window, config));
    let spectrum = agree(transform, query, reference, window);
    let [onsets, partials] = peaks.map(|p| p.log_ratio());
    let spectra = spectrum.log_ratio();
    // Works in the same key that hold the same chord share partials and spectra, not onsets.
    let total = onsets + partials.min(2.0 * onsets + spectra) + spectra;
    Evidence {
        peaks,
        spectrum,
        total,
    }
}

/// The part of the window that falls on the reference.
pub(super) fn overlap(
    transform: &Transform,
    reference: &AudioFingerprint,
    window: Window,
) -> Window {
    Window {
        start: window.start.max(transform.to_query(0.0)),
        end: window.end.min(transform.to_query(reference.duration)),
    }
}

/// The reference's peaks that a stretch of the query should show, each with its time in the query and
/// its frequency there (steps).
pub(super) fn projected<'a>(
    surface: Surface,
    transform: &Transform,
    reference: &'a AudioFingerprint,
    window: Window,
) -> impl Iterator<Item = (&'a Peak, f64, f64)> + use<'a> {
    let transform = *transform;
    let span = Window {
        start: transform.to_reference(window.start),
        end: transform.to_reference(window.end),
    };
    let range = 4.0..f64::from(BINS * 8 - 4);
    let peaks: &[Peak] = within(reference.peaks(surface), span);
    peaks.iter().filter(|p| p.sparse).filter_map(move |peak| {
        let steps = f64::from(peak.frequency) + transform.pitch * STEPS_PER_SEMITONE;
        let time = transform.to_query(f64::from(peak.time) / TICKS_PER_SECOND);
        range.contains(&steps).then_some((peak, time, steps))
    })
}

fn recover(
    surface: Surface,
    transform: &Transform,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    window: Window,
    config: &AudioMatchConfig,
) -> Recovery {
    let length = window.end - window.start;
    if length <= 0.0 {
        return Recovery::default();
    }
    let seconds = config.peak_seconds;
    let reach = config.peak_semitones * STEPS_PER_SEMITONE;
    let mut recovery = Recovery::default();
    let (mut by_time, mut by_pitch) = ([0usize; TIME_DECOYS.len()], [0usize; PITCH_DECOYS.len()]);
    for (_, time, steps) in projected(surface, transform, reference, window) {
        recovery.expected += 1;
        recovery.found += usize::from(query.has(surface, time, steps, seconds, reach));
        for (count, share) in by_time.iter_mut().zip(TIME_DECOYS) {
            let shifted = window.start + (time - window.start + share * length) % length;
            *count += usize::from(query.has(surface, shifted, steps, seconds, reach));
        }
        for (count, semitones) in by_pitch.iter_mut().zip(PITCH_DECOYS) {
            let shifted = steps + semitones * STEPS_PER_SEMITONE;
            *count += usize::from(query.has(surface, time, shifted, seconds, reach));
        }
    }
    let most = |counts: &[usize]| counts.iter().copied().max().unwrap_or(0) as f64;
    let trials = recovery.expected.max(1) as f64;
    recovery.by_time = most(&by_time) / trials;
    recovery.by_pitch = most(&by_pitch) / trials;
    recovery
}

/// Places in a row of the reference at which the query is looked at.
const PARTS: [f64; 2] = [0.25, 0.75];

/// Two matrices of the same shape to compare, with each band's mean removed.
struct Panels {
    bands: usize,
    query: Vec<f32>,
    reference: Vec<f32>,
    /// Of what they were before, [`Agreement::fallen`].
    fallen: f64,
}

fn agree(
    transform: &Transform,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    window: Window,
) -> Agreement {
    let Some(panels) = Panels::new(transform, query, reference, window) else {
        return Agreement::default();
    };
    let rows = panels.query.len() / panels.bands;
    let decoys: Vec<f64> = TIME_DECOYS
        .iter()
        .map(|share| panels.correlation((share * rows as f64) as usize + 1, 0))
        .chain([-5, -3, -2, -1, 1, 2, 3, 5].map(|shift| panels.correlation(0, shift)))
        .collect();
    Agreement {
        rows,
        correlation: panels.correlation(0, 0),
        decoy_mean: decoys.iter().sum::<f64>() / decoys.len() as f64,
        decoy_top: decoys.iter().copied().fold(0.0, f64::max),
        fallen: panels.fallen,
    }
}

impl Panels {
    fn new(
        transform: &Transform,
        query: &QueryView<'_>,
        reference: &AudioFingerprint,
        window: Window,
    ) -> Option<Panels> {
        let grid = &reference.grid;
        let bins = usize::from(grid.bins);
        let seconds = f64::from(grid.step) / TICKS_PER_SECOND;
        let first = (transform.to_reference(window.start) / seconds)
            .ceil()
            .max(0.0) as usize;
        let last = (transform.to_reference(window.end) / seconds)
            .floor()
            .max(0.0) as usize;
        let last = last.min(grid.rows());
        let width = f32::from(BINS) / f32::from(grid.bins.max(1));
        let shift = (transform.pitch * 3.0) as f32 + (width - 1.0) / 2.0;
        let mut bands: Option<std::ops::Range<usize>> = None;
        let mut sampled: Vec<(usize, Vec<f32>)> = Vec::new();
        for row in first..last {
            let mut values = vec![0.0; bins];
            for part in PARTS {
                let time = transform.to_query((row as f64 + part) * seconds);
                let at = query.grid().row_at(time);
                let inside = query.grid().sample(at, shift, width, &mut values);
                if !inside.is_empty() {
                    bands = Some(inside);
                }
            }
            sampled.push((row, values));
        }
        let bands = bands.filter(|b| b.len() >= bins / 4 && sampled.len() >= 8)?;
        let mut panels = Panels {
            bands: bands.len(),
            query: Vec::new(),
            reference: Vec::new(),
            fallen: 0.0,
        };
        for (row, values) in &sampled {
            panels.query.extend(&values[bands.clone()]);
            let reference = bands.clone().map(|band| f32::from(grid.value(*row, band)));
            panels.reference.extend(reference);
        }
        let parts = PARTS.len() as f32;
        panels.query.iter_mut().for_each(|value| *value /= parts);
        panels.fallen = fallen(&panels.query, &panels.reference);
        remove_means(&mut panels.query, panels.bands);
        remove_means(&mut panels.reference, panels.bands);
        Some(panels)
    }

    /// Correlation with the query rotated by `lag` rows and moved by `shift` bands.
    fn correlation(&self, lag: usize, shift: isize) -> f64 {
        let rows = self.query.len() / self.bands;
        let width = self.bands - shift.unsigned_abs();
        let (q0, r0) = ((-shift).max(0) as usize, shift.max(0) as usize);
        let (mut qr, mut qq, mut rr) = (0.0f32, 0.0f32, 0.0f32);
        for row in 0..rows {
            let from = (row + lag) % rows * self.bands + q0;
            let query = &self.query[from..from + width];
            let from = row * self.bands + r0;
            let reference = &self.reference[from..from + width];
            for (q, r) in query.iter().zip(reference) {
                qr += q * r;
                qq += q * q;
                rr += r * r;
            }
        }
        f64::from(qr) / f64::from(qq * rr).sqrt().max(1e-9)
    }
}

fn fallen(query: &[f32], reference: &[f32]) -> f64 {
    let mut sorted = reference.to_vec();
    let rank = (sorted.len() as f64 * (1.0 - LOUDEST)) as usize;
    let (_, &mut loud, _) = sorted.select_nth_unstable_by(rank, f32::total_cmp);
    let pairs = query.iter().zip(reference);
    let loudest = pairs.filter(|&(_, &reference)| reference >= loud);
    let (mut count, mut lower) = (0, 0);
    for (query, reference) in loudest {
        count += 1;
        lower += u32::from(query + FALLEN <= *reference);
    }
    f64::from(lower) / f64::from(count.max(1))
}

fn remove_means(values: &mut [f32], bands: usize) {
    let rows = (values.len() / bands).max(1) as f32;
    let mut means = vec![0.0f32; bands];
    for row in values.chunks_exact(bands) {
        means.iter_mut().zip(row).for_each(|(m, v)| *m += v / rows);
    }
    for row in values.chunks_exact_mut(bands) {
        row.iter_mut().zip(&means).for_each(|(v, m)| *v -= m);
    }
}
