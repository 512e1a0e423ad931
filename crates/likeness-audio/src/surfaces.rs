//! Log-power frames to the surfaces on which peaks are picked.

use crate::config::AudioConfig;
use std::collections::VecDeque;

/// Turns frames into rows of the onset and the partial surface, `whitening` frames late.
///
/// Onsets: whitened over some seconds (removes equalisers and steady sounds), risen against the
/// recent past, and standing out in frequency (removes broadband noise and compression).
/// Partials: standing out in frequency only; they survive speech and noise that hide onsets, but
/// say less.
pub(crate) struct Surfaces {
    whitening: usize,
    contrast: usize,
    rise: usize,
    smoothing: usize,
    bins: usize,
    /// Frames `first..first + frames.len()`.
    frames: VecDeque<Vec<f32>>,
    first: usize,
    /// Frame whose rows come next.
    next: usize,
    /// Sum of the frames within `whitening` of `next`, as far as they have come.
    sum: Vec<f32>,
    rows: Rows,
    prefix: Vec<f32>,
    work: Vec<f32>,
}

/// One row of each surface.
pub(crate) struct Rows {
    pub(crate) onset: Vec<f32>,
    pub(crate) partial: Vec<f32>,
}

impl Surfaces {
    pub(crate) fn new(config: &AudioConfig) -> Surfaces {
        let bins = config.bins;
        Surfaces {
            whitening: config.whitening,
            contrast: config.contrast,
            rise: config.rise,
            smoothing: config.smoothing,
            bins,
            frames: VecDeque::new(),
            first: 0,
            next: 0,
            sum: vec![0.0; bins],
            rows: Rows {
                onset: vec![0.0; bins],
                partial: vec![0.0; bins],
            },
            prefix: vec![0.0; bins + 1],
            work: vec![0.0; bins],
        }
    }

    pub(crate) fn push(&mut self, frame: &[f32], sink: &mut impl FnMut(&Rows)) {
        add(&mut self.sum, frame);
        // A frame that left the ring gives its memory to the new one.
        let mut stored = match self.frames.len() > 2 * self.whitening {
            true => self.pop(),
            false => Vec::with_capacity(self.bins),
        };
        stored.clear();
        stored.extend_from_slice(frame);
        self.frames.push_back(stored);
        if self.first + self.frames.len() > self.next + self.whitening {
            self.emit(sink);
        }
    }

    pub(crate) fn finish(&mut self, sink: &mut impl FnMut(&Rows)) {
        while self.next < self.first + self.frames.len() {
            if self.next > self.first + self.whitening {
                self.pop();
            }
            self.emit(sink);
        }
    }

    fn pop(&mut self) -> Vec<f32> {
        let oldest = self.frames.pop_front().unwrap_or_default();
        self.first += 1;
        for (sum, value) in self.sum.iter_mut().zip(&oldest) {
            *sum -= value;
        }
        oldest
    }

    fn emit(&mut self, sink: &mut impl FnMut(&Rows)) {
        let now = self.next - self.first;
        let scale = 1.0 / self.frames.len() as f32;
        let frame = &self.frames[now];
        let past = &self.frames[now.saturating_sub(self.rise)];
        let values = frame.iter().zip(past).zip(&self.sum);
        for (out, ((&value, &past), &sum)) in self.work.iter_mut().zip(values) {
            *out = value - sum * scale + (value - past).max(0.0);
        }
        stand_out(
            &self.work,
            self.contrast,
            &mut self.prefix,
            &mut self.rows.onset,
        );

        let from = now.saturating_sub(self.smoothing);
        let to = (now + self.smoothing + 1).min(self.frames.len());
        self.work.fill(0.0);
        for frame in self.frames.range(from..to) {
            add(&mut self.work, frame);
        }
        let scale = 1.0 / (to - from) as f32;
        self.work.iter_mut().for_each(|v| *v *= scale);
        stand_out(
            &self.work,
            self.contrast,
            &mut self.prefix,
            &mut self.rows.partial,
        );
        sink(&self.rows);
        self.next += 1;
    }
}

fn add(sum: &mut [f32], values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

/// `out[i]` = `values[i]` less the mean of `values` within `reach` of `i`. `prefix` is scratch,
/// one longer than `values`.
pub(crate) fn stand_out(values: &[f32], reach: usize, prefix: &mut [f32], out: &mut [f32]) {
    let mut sum = 0.0;
    prefix[0] = 0.0;
    for (prefix, &value) in prefix[1..].iter_mut().zip(values) {
        sum += value;
        *prefix = sum;
    }
    let n = values.len();
    for i in 0..n {
        let (from, to) = (i.saturating_sub(reach), (i + reach + 1).min(n));
        out[i] = values[i] - (prefix[to] - prefix[from]) / (to - from) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_out_is_relative_to_the_neighbours() {
        let values = [1.0, 1.0, 4.0, 1.0, 1.0];
        let mut out = [0.0; 5];
        stand_out(&values, 1, &mut [0.0; 6], &mut out);
        assert_eq!(out, [0.0, -1.0, 2.0, -1.0, 0.0]);
    }

    #[test]
    fn every_frame_gives_one_row_and_means_are_exact() {
        let config = AudioConfig {
            whitening: 3,
            bins: 1,
            rise: 0,
            ..AudioConfig::default()
        };
        for frames in [1usize, 2, 3, 4, 7, 8, 30] {
            let mut surfaces = Surfaces::new(&config);
            let mut rows = 0;
            for i in 0..frames {
                surfaces.push(&[i as f32], &mut |_| rows += 1);
            }
            surfaces.finish(&mut |_| rows += 1);
            assert_eq!(rows, frames);
            let from = frames.saturating_sub(4);
            let want: usize = (from..frames).sum();
            assert_eq!(surfaces.sum[0], want as f32, "{frames}");
        }
    }
}
