//! A query prepared for verification: peaks by time, the grid smoothed for sampling anywhere.

use likeness_core::AudioFingerprint;
use likeness_core::audio::{BINS, Grid, Peak, Surface, TICKS_PER_SECOND};
use std::ops::Range;

/// Ticks in a bucket of peaks.
const BUCKET: u32 = 16;

/// Fast access to a query's fingerprint.
pub(super) struct QueryView<'a> {
    fingerprint: &'a AudioFingerprint,
    /// Per surface: for each bucket of time, the first peak at or after its start.
    buckets: [Vec<u32>; 2],
    smooth: SmoothGrid,
}

impl<'a> QueryView<'a> {
    /// Prepares a fingerprint.
    pub(super) fn new(fingerprint: &'a AudioFingerprint) -> QueryView<'a> {
        let buckets = Surface::ALL.map(|surface| {
            let peaks = fingerprint.peaks(surface);
            let last = peaks.last().map_or(0, |p| p.time / BUCKET);
            let mut starts = Vec::with_capacity(last as usize + 2);
            for (i, peak) in peaks.iter().enumerate() {
                while starts.len() as u32 <= peak.time / BUCKET {
                    starts.push(i as u32);
                }
            }
            starts.push(peaks.len() as u32);
            starts
        });
        QueryView {
            fingerprint,
            buckets,
            smooth: SmoothGrid::new(&fingerprint.grid),
        }
    }

    /// The fingerprint.
    pub(super) fn fingerprint(&self) -> &AudioFingerprint {
        self.fingerprint
    }

    /// Seconds of sound.
    pub(super) fn duration(&self) -> f64 {
        self.fingerprint.duration
    }

    /// Calls `sink` with every peak within `seconds` of `time` and `steps` of `frequency` (steps).
    pub(super) fn near(
        &self,
        surface: Surface,
        time: f64,
        frequency: f64,
        seconds: f64,
        steps: f64,
        mut sink: impl FnMut(&Peak),
    ) {
        let peaks = self.fingerprint.peaks(surface);
        let low = ((time - seconds) * TICKS_PER_SECOND).ceil().max(0.0);
        let high = ((time + seconds) * TICKS_PER_SECOND).floor();
        if high < low {
            return;
        }
        let (low, high) = (low as u32, high as u32);
        let starts = &self.buckets[surface as usize];
        let start = starts.get((low / BUCKET) as usize).copied();
        let start = start.map_or(peaks.len(), |s| s as usize);
        for peak in peaks[start..].iter().take_while(|p| p.time <= high) {
            if peak.time >= low && (f64::from(peak.frequency) - frequency).abs() <= steps {
                sink(peak);
            }
        }
    }

    /// Whether any peak lies there.
    pub(super) fn has(
        &self,
        surface: Surface,
        time: f64,
        frequency: f64,
        seconds: f64,
        steps: f64,
    ) -> bool {
        let mut found = false;
        self.near(surface, time, frequency, seconds, steps, |_| found = true);
        found
    }

    /// The grid.
    pub(super) fn grid(&self) -> &SmoothGrid {
        &self.smooth
    }
}

/// A grid averaged over the span of a sparse grid's value, sampled bilinearly.
pub(super) struct SmoothGrid {
    bins: usize,
    rows: usize,
    step: f64,
    /// Spectral bins in a bin.
    width: f64,
    values: Vec<f32>,
}

impl SmoothGrid {
    fn new(grid: &Grid) -> SmoothGrid {
        let bins = usize::from(grid.bins);
        let rows = grid.rows();
        let dense = grid.bins == BINS;
        let mut values = vec![0.0; rows * bins];
        let mut row: Vec<f32> = Vec::with_capacity(bins);
        for i in 0..rows {
            row.clear();
            row.extend(grid.row(i).map(f32::from));
            for j in 0..bins {
                let near = if dense {
                    j.saturating_sub(1)..(j + 2).min(bins)
                } else {
                    j..j + 1
                };
                let count = near.len() as f32;
                let sum: f32 = row[near].iter().sum();
                values[i * bins + j] = sum / count;
            }
        }
        SmoothGrid {
            bins,
            rows,
            step: f64::from(grid.step),
            width: f64::from(BINS) / f64::from(grid.bins.max(1)),
            values,
        }
    }

    /// Row position (fractional) of a time in seconds.
    pub(super) fn row_at(&self, time: f64) -> f32 {
        (time * TICKS_PER_SECOND / self.step - 0.5) as f32
    }

    /// Adds to `out[i]` the value at `row` and at the spectral bin `first + i * pace` (the centre
    /// of a span that wide), for those `i` whose place lies inside the grid; returns them. Empty
    /// when the row lies outside.
    pub(super) fn sample(&self, row: f32, first: f32, pace: f32, out: &mut [f32]) -> Range<usize> {
        let top = row.floor();
        if top < 0.0 || top as usize + 1 >= self.rows {
            return 0..0;
        }
        let (weight, top) = (row - top, top as usize);
        let a = &self.values[top * self.bins..(top + 1) * self.bins];
        let b = &self.values[(top + 1) * self.bins..(top + 2) * self.bins];
        let scale = 1.0 / self.width as f32;
        let mut inside: Option<(usize, usize)> = None;
        for (i, out) in out.iter_mut().enumerate() {
            let x = (first + i as f32 * pace + 0.5) * scale - 0.5;
            let left = x.floor();
            if left < 0.0 || left as usize + 1 >= self.bins {
                continue;
            }
            let (across, left) = (x - left, left as usize);
            let blend = |row: &[f32]| row[left] + (row[left + 1] - row[left]) * across;
            *out += blend(a) + (blend(b) - blend(a)) * weight;
            inside = Some((inside.map_or(i, |(first, _)| first), i + 1));
        }
        inside.map_or(0..0, |(first, end)| first..end)
    }
}
