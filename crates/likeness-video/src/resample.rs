//! Scaling a luma plane with a triangle filter as wide as a target pixel: an area filter when it
//! shrinks, linear interpolation when it enlarges. Sub-pixel exact, so that the same picture from
//! sources of different sizes gives the same corners.

use crate::kernels;
use crate::luma::Luma;
use likeness_core::LumaFrame;

/// Fractional bits of a tap's weight.
const WEIGHT_BITS: u32 = 12;

/// The source pixels behind one target pixel and their weights, which add up to one.
#[derive(Debug)]
struct Taps {
    first: usize,
    weights: Vec<u16>,
}

fn taps(source: usize, target: usize) -> Vec<Taps> {
    let scale = source as f64 / target as f64;
    let radius = scale.max(1.0);
    (0..target)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale - 0.5;
            let first = (centre - radius).ceil().max(0.0) as usize;
            let last = ((centre + radius).floor().max(0.0) as usize).min(source - 1);
            let first = first.min(last);
            let raw: Vec<f64> = (first..=last)
                .map(|p| (1.0 - (p as f64 - centre).abs() / radius).max(0.0))
                .collect();
            let one = f64::from(1u32 << WEIGHT_BITS);
            let sum: f64 = raw.iter().sum();
            let weights = if sum > 0.0 {
                raw.iter().map(|w| (w / sum * one).round() as u16).collect()
            } else {
                vec![one as u16]
            };
            Taps { first, weights }
        })
        .collect()
}

/// Scales frames of one size to another; keeps its tables and its row buffer.
#[derive(Debug, Default)]
pub(crate) struct Resampler {
    source: (usize, usize),
    target: (usize, usize),
    columns: Vec<Taps>,
    rows: Vec<Taps>,
    sums: Vec<u32>,
}

impl Resampler {
    /// Fills `target` with the frame scaled to its size.
    pub(crate) fn scale(&mut self, frame: &LumaFrame<'_>, target: &mut Luma) {
        self.prepare((frame.width, frame.height), (target.width, target.height));
        for (taps, out) in self
            .rows
            .iter()
            .zip(target.data.chunks_exact_mut(target.width))
        {
            self.sums.fill(0);
            for (y, &weight) in (taps.first..).zip(&taps.weights) {
                let row = &frame.data[y * frame.stride..][..frame.width];
                kernels::add_weighted(&mut self.sums, row, weight);
            }
            for (out, taps) in out.iter_mut().zip(&self.columns) {
                let values = &self.sums[taps.first..][..taps.weights.len()];
                // Four bits less keep the sum below 2^28. As in `kernels`, a check for overflow
                // would cost more than the sum itself.
                let weighted = values.iter().zip(&taps.weights);
                let sum = weighted.fold(0u32, |sum, (v, w)| {
                    sum.wrapping_add((v >> 4).wrapping_mul(u32::from(*w)))
                });
                let shift = 2 * WEIGHT_BITS - 4;
                *out = ((sum + (1 << (shift - 1))) >> shift).min(255) as u8;
            }
        }
    }

    fn prepare(&mut self, source: (usize, usize), target: (usize, usize)) {
        if (self.source, self.target) != (source, target) {
            self.columns = taps(source.0, target.0);
            self.rows = taps(source.1, target.1);
            self.sums = vec![0; source.0];
            (self.source, self.target) = (source, target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_stays_flat_and_ramps_stay_ramps() {
        let check = |from: (usize, usize), to: (usize, usize)| {
            let mut picture = Luma::new(from.0, from.1);
            for (i, v) in picture.data.iter_mut().enumerate() {
                *v = (200 * (i % from.0) / from.0) as u8;
            }
            let mut target = Luma::new(to.0, to.1);
            Resampler::default().scale(&picture.as_frame(0.0), &mut target);
            for (i, &v) in target.data.iter().enumerate() {
                let x = i % to.0;
                if x > 0 && x + 1 < to.0 {
                    let want = 200.0 * (x as f64 + 0.5) / to.0 as f64;
                    assert!(
                        (f64::from(v) - want).abs() < 2.5,
                        "{from:?} {to:?} {x}: {v} {want}"
                    );
                }
            }
        };
        check((640, 8), (480, 6));
        check((1280, 9), (129, 3));
        check((100, 4), (150, 9));
        check((2, 2), (2, 5));
    }
}
