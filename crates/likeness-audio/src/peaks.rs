//! Peaks of a surface, located between bins and frames.

use crate::config::AudioConfig;
use likeness_core::Density;
use likeness_core::audio::{BINS, MAX_STRENGTH, Peak, STEPS_PER_BIN};
use std::collections::VecDeque;

/// Ticks in a frame.
pub(crate) const TICKS_PER_FRAME: u32 = 4;
/// Steps of strength in an octave of power.
const STRENGTH_STEPS: f32 = 4.0;
/// Peaks that are ranked at a time: most are not kept, and hours of them would weigh three times as
/// much as those that are.
const BATCH: usize = 4096;

/// Picks the peaks of one surface, row by row.
pub(crate) struct PeakPicker {
    density: Density,
    dense: (usize, usize),
    sparse: (usize, usize),
    min_height: f32,
    span: u32,
    sparse_peaks: usize,
    dense_peaks: usize,
    batch: usize,
    /// So many peaks are ranked.
    due: usize,
    rows: VecDeque<Vec<f32>>,
    /// Number of the row `rows[0]`.
    first: usize,
    /// Row that is searched next.
    next: usize,
    /// Peaks that are not ranked, and those before them that they are ranked against.
    peaks: Vec<Peak>,
    /// Peaks before this tick are ranked.
    ranked: u32,
    kept: Vec<Peak>,
}

impl PeakPicker {
    pub(crate) fn new(config: &AudioConfig, density: Density) -> PeakPicker {
        PeakPicker {
            density,
            dense: (config.dense_frames, config.dense_bins),
            sparse: (config.sparse_frames, config.sparse_bins),
            min_height: config.min_height,
            span: config.rank_ticks,
            sparse_peaks: config.sparse_peaks,
            dense_peaks: config.dense_peaks,
            batch: BATCH,
            due: BATCH,
            rows: VecDeque::new(),
            first: 0,
            next: 0,
            peaks: Vec::new(),
            ranked: 0,
            kept: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: &[f32]) {
        let reach = self.sparse.0;
        let mut stored = match self.rows.len() > 2 * reach {
            true => {
                self.first += 1;
                self.rows.pop_front().unwrap_or_default()
            }
            false => Vec::with_capacity(row.len()),
        };
        stored.clear();
        stored.extend_from_slice(row);
        self.rows.push_back(stored);
        if self.first + self.rows.len() > self.next + reach {
            self.search();
        }
    }

    /// The peaks that stand out enough for the density, ordered.
    pub(crate) fn finish(mut self) -> Vec<Peak> {
        while self.next < self.first + self.rows.len() {
            self.search();
        }
        self.rank(u32::MAX);
        self.kept
    }

    /// Keeps what stands out enough of the peaks before tick `until`, all those within the span of
    /// which are known.
    fn rank(&mut self, until: u32) {
        self.peaks.sort_unstable();
        let sparse = strongest(&self.peaks, self.span, self.sparse_peaks, |p| p.sparse);
        let dense = match self.density {
            Density::Query => strongest(&self.peaks, self.span, self.dense_peaks, |_| true),
            Density::Reference => vec![false; self.peaks.len()],
        };
        let chosen = self.peaks.iter().zip(sparse).zip(dense);
        let chosen = chosen
            .filter(|((peak, sparse), dense)| {
                (self.ranked..until).contains(&peak.time) && (*sparse || *dense)
            })
            .map(|((&peak, sparse), _)| Peak { sparse, ..peak });
        self.kept.extend(chosen);
        self.ranked = until;
        let needed = until.saturating_sub(self.span);
        self.peaks.retain(|peak| peak.time >= needed);
    }

    fn search(&mut self) {
        if self.peaks.len() >= self.due {
            // A peak may lie half a frame beside its row.
            let known = (self.next as u32).saturating_sub(1) * TICKS_PER_FRAME;
            self.rank(known.saturating_sub(self.span).max(self.ranked));
            self.due = self.peaks.len().saturating_add(self.batch);
        }
        let now = self.next - self.first;
        self.next += 1;
        let row = &self.rows[now];
        for bin in 1..row.len().saturating_sub(1) {
            let height = row[bin];
            let candidate =
                height >= self.min_height && height > row[bin - 1] && height >= row[bin + 1];
            if candidate && self.dominates(now, bin, self.dense) {
                let sparse = self.dominates(now, bin, self.sparse);
                // Hours of dense peaks would weigh ten times what a reference keeps.
                if sparse || self.density == Density::Query {
                    self.peaks.push(self.locate(now, bin, sparse));
                }
            }
        }
    }

    /// Whether no value within `frames` and `bins` is higher. Of equals the first wins.
    fn dominates(&self, now: usize, bin: usize, (frames, bins): (usize, usize)) -> bool {
        let height = self.rows[now][bin];
        let (low, high) = (bin.saturating_sub(bins), bin + bins + 1);
        let first = now.saturating_sub(frames);
        let last = (now + frames + 1).min(self.rows.len());
        // Nearest rows first: that is where a higher value is likely.
        let clear = |t: usize| {
            let row = &self.rows[t];
            let near = &row[low..high.min(row.len())];
            let top = near.iter().fold(f32::MIN, |top, &v| top.max(v));
            if t < now { top < height } else { top <= height }
        };
        (now..last).all(clear) && (first..now).rev().all(clear)
    }

    fn locate(&self, now: usize, bin: usize, sparse: bool) -> Peak {
        let row = &self.rows[now];
        let height = row[bin];
        let across = vertex(row[bin - 1], height, row[bin + 1]);
        let before = self.rows[now.saturating_sub(1)][bin];
        let after = self.rows[(now + 1).min(self.rows.len() - 1)][bin];
        let along = vertex(before, height, after);
        let steps = f32::from(STEPS_PER_BIN);
        let frequency = (bin as f32 + across) * steps;
        let strength = (height - self.min_height) * STRENGTH_STEPS;
        // Whole frames stay exact in hours of sound only as integers.
        let whole = (self.next - 1) as i64 * i64::from(TICKS_PER_FRAME);
        let ticks = whole + (along * TICKS_PER_FRAME as f32).round() as i64;
        Peak {
            time: ticks.clamp(0, i64::from(u32::MAX)) as u32,
            frequency: (frequency.round() as u16).min(BINS * STEPS_PER_BIN - 1),
            strength: (strength as u8).min(MAX_STRENGTH),
            sparse,
        }
    }
}

/// Whether each peak is eligible and among the `count` strongest eligible ones within `span` ticks
/// around it. Ranks do not change with volume and little with noise; thresholds do.
fn strongest(
    peaks: &[Peak],
    span: u32,
    count: usize,
    eligible: impl Fn(&Peak) -> bool,
) -> Vec<bool> {
    let (mut from, mut to) = (0, 0);
    let mut chosen = Vec::with_capacity(peaks.len());
    for (i, peak) in peaks.iter().enumerate() {
        while peaks[from].time + span < peak.time {
            from += 1;
        }
        while to < peaks.len() && peaks[to].time <= peak.time.saturating_add(span) {
            to += 1;
        }
        let stronger = |(j, other): (usize, &Peak)| {
            let stronger = other.strength > peak.strength;
            (stronger || other.strength == peak.strength && from + j < i) && eligible(other)
        };
        let rank = || {
            peaks[from..to]
                .iter()
                .enumerate()
                .filter(|&p| stronger(p))
                .count()
        };
        chosen.push(eligible(peak) && rank() < count);
    }
    chosen
}

/// Where the parabola through three equidistant values, the middle one the highest, peaks:
/// -0.5..=0.5.
fn vertex(left: f32, middle: f32, right: f32) -> f32 {
    let curvature = 2.0 * middle - left - right;
    if curvature > 1e-6 {
        ((right - left) * 0.5 / curvature).clamp(-0.5, 0.5)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranking_by_batches_keeps_the_same_peaks() {
        let check = |density: Density, batch: usize| {
            // Small neighbourhoods: more peaks than are kept.
            let config = AudioConfig {
                sparse_frames: 3,
                sparse_bins: 3,
                dense_frames: 2,
                dense_bins: 2,
                ..AudioConfig::default()
            };
            let mut by_batches = PeakPicker::new(&config, density);
            (by_batches.batch, by_batches.due) = (batch, batch);
            let mut at_once = PeakPicker::new(&config, density);
            at_once.due = usize::MAX;
            // Xorshift (Marsaglia 2003): what stands out is now in one part of the spectrum, now in all.
            let mut state = 88_172_645_463_325_252u64;
            for t in 0..4000usize {
                let row: Vec<f32> = (0..config.bins)
                    .map(|bin| {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        let loud = bin % (1 + t / 500) == 0;
                        let height = -((state % 10_000 + 1) as f32 / 10_001.0).ln();
                        height * if loud { 1.5 } else { 0.3 }
                    })
                    .collect();
                by_batches.push(&row);
                at_once.push(&row);
            }
            let (by_batches, at_once) = (by_batches.finish(), at_once.finish());
            assert!(at_once.len() > 500, "{}", at_once.len());
            assert!(by_batches == at_once, "{density:?}, {batch}");
        };
        for batch in [600, 1000, BATCH] {
            check(Density::Reference, batch);
            check(Density::Query, batch);
        }
    }
}
