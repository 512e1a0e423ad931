//! Samples to log-frequency, log-power frames.

use crate::config::AudioConfig;
use likeness_core::PcmBlock;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// Log powers are rounded to this fraction of an octave of power. A sum of some thousand such
/// values is exact in `f32`, so running means neither drift nor depend on where they began.
const RESOLUTION: f32 = 1.0 / 256.0;

/// Streaming spectrogram. Frame `n` is centred on sample `n * hop`. Its power is, bin by bin,
/// that of the louder of mid and side: unlike the power of their mean, that survives channels that
/// cancel each other, wholly (antiphase) or in part (delays, a removed centre), and unlike the sum
/// of their powers it does not add the noise of the one to the music of the other.
pub(crate) struct Spectrum {
    hop: usize,
    fft: Arc<dyn Fft<f32>>,
    window: Vec<f32>,
    kernel: Kernel,
    /// Samples not yet left behind by the next window, mid and side.
    pending: [Vec<f32>; 2],
    buffer: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    powers: [Vec<f32>; 2],
    frame: Vec<f32>,
    floor: f32,
    floor_decay: f32,
    level: f32,
    loudest: f32,
}

impl Spectrum {
    pub(crate) fn new(config: &AudioConfig) -> Spectrum {
        let n = config.window;
        let fft = FftPlanner::new().plan_fft_forward(n);
        let scratch = vec![Complex::default(); fft.get_inplace_scratch_len()];
        // A sine of amplitude 1 has power 1.
        let hann = |i: usize| {
            let phase = std::f64::consts::TAU * i as f64 / n as f64;
            ((1.0 - phase.cos()) * 2.0 / n as f64) as f32
        };
        Spectrum {
            hop: config.hop,
            fft,
            window: (0..n).map(hann).collect(),
            kernel: Kernel::new(config),
            pending: [vec![0.0; n / 2], vec![0.0; n / 2]],
            buffer: vec![Complex::default(); n],
            scratch,
            powers: [vec![0.0; config.bins], vec![0.0; config.bins]],
            frame: vec![0.0; config.bins],
            floor: config.floor,
            floor_decay: config.floor_decay,
            level: 0.0,
            loudest: 0.0,
        }
    }

    /// Largest mean power of a bin in any frame so far.
    pub(crate) fn loudest(&self) -> f32 {
        self.loudest
    }

    /// Takes samples; gives every frame that is complete to `sink`.
    pub(crate) fn push(&mut self, samples: PcmBlock<'_>, sink: &mut impl FnMut(&[f32])) {
        let window = self.window.len();
        for part in samples.chunks(16 * window) {
            let [mid, side] = &mut self.pending;
            mid.extend(part.mid.iter().copied().map(clean));
            side.extend(part.side.iter().copied().map(clean));
            side.resize(mid.len(), 0.0);
            let mut start = 0;
            while self.pending[0].len() >= start + window + self.hop {
                self.transform(start);
                self.emit(0, sink);
                self.emit(1, sink);
                start += 2 * self.hop;
            }
            for channel in &mut self.pending {
                channel.drain(..start);
            }
        }
    }

    /// Gives the remaining frames of a sound of `samples` samples, `emitted` of which are done.
    pub(crate) fn finish(&mut self, samples: u64, emitted: u64, sink: &mut impl FnMut(&[f32])) {
        let frames = samples / self.hop as u64 + 1;
        let mut left = frames.saturating_sub(emitted);
        let mut start = 0;
        while left > 0 {
            let need = start + self.window.len() + self.hop;
            for channel in &mut self.pending {
                channel.resize(channel.len().max(need), 0.0);
            }
            self.transform(start);
            for half in 0..left.min(2) {
                self.emit(half as usize, sink);
            }
            left = left.saturating_sub(2);
            start += 2 * self.hop;
        }
    }

    /// Powers of two neighbouring frames: by one complex transform where the side lies below the
    /// floor anyway, else by one each.
    fn transform(&mut self, start: usize) {
        let span = start..start + self.hop + self.window.len();
        let [mid, side] = [0, 1].map(|c| energy(&self.pending[c][span.clone()]));
        if side <= self.floor * mid {
            self.fourier([(0, start), (0, start + self.hop)]);
            self.kernel.split(&self.buffer);
            for (half, powers) in self.powers.iter_mut().enumerate() {
                self.kernel.sum(half, powers);
            }
        } else {
            for half in 0..2 {
                let start = start + half * self.hop;
                self.fourier([(0, start), (1, start)]);
                self.kernel.split(&self.buffer);
                self.kernel.louder();
                self.kernel.sum(0, &mut self.powers[half]);
            }
        }
    }

    /// Transforms two windows, each of a channel and from a sample, as real and imaginary part.
    fn fourier(&mut self, windows: [(usize, usize); 2]) {
        let n = self.window.len();
        let [first, second] = windows.map(|(c, start)| &self.pending[c][start..start + n]);
        for (((z, &a), &b), &w) in self
            .buffer
            .iter_mut()
            .zip(first)
            .zip(second)
            .zip(&self.window)
        {
            *z = Complex::new(a * w, b * w);
        }
        self.fft
            .process_with_scratch(&mut self.buffer, &mut self.scratch);
    }

    fn emit(&mut self, half: usize, sink: &mut impl FnMut(&[f32])) {
        let powers = &self.powers[half];
        let mean = powers.iter().sum::<f32>() / powers.len() as f32;
        self.loudest = self.loudest.max(mean);
        self.level = mean.max(self.level * self.floor_decay);
        let floor = self.level * self.floor + 1e-13;
        for (out, &power) in self.frame.iter_mut().zip(powers) {
            *out = (fast_log2(power + floor) / RESOLUTION).round() * RESOLUTION;
        }
        sink(&self.frame);
    }
}

/// A decoder's NaN must not spread through the running means.
fn clean(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-64.0, 64.0)
    } else {
        0.0
    }
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum()
}

/// log2 of a positive, normal number, within 0.001.
fn fast_log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = ((bits >> 23) as i32 - 127) as f32;
    let m = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    // Minimax polynomial of log2 on [1, 2).
    let poly =
        -2.786_8 + m * (5.046_9 + m * (-3.492_5 + m * (1.593_9 + m * (-0.404_86 + m * 0.043_43))));
    exponent + poly
}

/// Triangular weights from transform bins to log-frequency bins.
struct Kernel {
    /// First transform bin that any band uses.
    first: usize,
    /// Powers of the transform bins in use, of both frames.
    powers: [Vec<f32>; 2],
    /// Per band: offset into `powers`, and the range of `weights`.
    bands: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<f32>,
}

impl Kernel {
    fn new(config: &AudioConfig) -> Kernel {
        let resolution = f64::from(config.sample_rate) / config.window as f64;
        let ratio = (1.0 / config.bins_per_octave as f64).exp2();
        let mut bands = Vec::with_capacity(config.bins);
        let mut weights = Vec::new();
        let mut first = usize::MAX;
        let mut last = 0;
        for band in 0..config.bins {
            let centre = config.lowest_hz * ratio.powi(band as i32) / resolution;
            // Narrower than 1.5 transform bins, a band would see single transform bins.
            let width = (centre * (ratio - 1.0)).max(1.5);
            let from = (centre - width).floor() as usize + 1;
            let to = (centre + width).ceil() as usize;
            let start = weights.len();
            weights.extend((from..to).map(|k| (1.0 - (k as f64 - centre).abs() / width) as f32));
            let sum: f32 = weights[start..].iter().sum();
            weights[start..].iter_mut().for_each(|w| *w /= sum);
            bands.push((from, start..weights.len()));
            first = first.min(from);
            last = last.max(to);
        }
        bands.iter_mut().for_each(|(from, _)| *from -= first);
        Kernel {
            first,
            powers: [vec![0.0; last - first], vec![0.0; last - first]],
            bands,
            weights,
        }
    }

    /// The bins in use, and those of the opposite frequencies.
    fn bins<'a>(
        &self,
        spectrum: &'a [Complex<f32>],
    ) -> impl Iterator<Item = (&'a Complex<f32>, &'a Complex<f32>)> + use<'a> {
        let (n, count) = (spectrum.len(), self.powers[0].len());
        let up = &spectrum[self.first..self.first + count];
        let down = &spectrum[n + 1 - self.first - count..n + 1 - self.first];
        up.iter().zip(down.iter().rev())
    }

    /// Takes the powers of two real signals, frames or channels, from their common transform.
    fn split(&mut self, spectrum: &[Complex<f32>]) {
        let bins = self.bins(spectrum);
        let [a, b] = &mut self.powers;
        // With z = a + ib, the spectra of a and b are the even and odd parts of z's.
        for ((a, b), (z, y)) in a.iter_mut().zip(b.iter_mut()).zip(bins) {
            let (er, ei) = (z.re + y.re, z.im - y.im);
            let (or, oi) = (z.re - y.re, z.im + y.im);
            *a = (er * er + ei * ei) * 0.25;
            *b = (or * or + oi * oi) * 0.25;
        }
    }

    /// Keeps, of each bin, the louder of two channels.
    fn louder(&mut self) {
        let [a, b] = &mut self.powers;
        a.iter_mut().zip(b).for_each(|(a, b)| *a = a.max(*b));
    }

    /// Sums the powers of one frame (or channel) up to bands.
    fn sum(&self, which: usize, out: &mut [f32]) {
        let powers = &self.powers[which];
        for ((from, range), out) in self.bands.iter().zip(out) {
            let weights = &self.weights[range.clone()];
            let powers = &powers[*from..*from + weights.len()];
            *out = weights.iter().zip(powers).map(|(w, p)| w * p).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log2_is_close() {
        for i in 1..2000 {
            let x = (i as f32 * 0.0173).exp2() * 1e-12;
            assert!((fast_log2(x) - x.log2()).abs() < 1e-3, "{x}");
        }
    }

    #[test]
    fn a_sine_is_loudest_in_its_bin_in_both_halves() {
        let config = AudioConfig::default();
        for bin in [0usize, 20, 80, 161] {
            let hz = config.lowest_hz * (bin as f64 / 36.0).exp2();
            let sample =
                |i: u32| (std::f64::consts::TAU * hz * f64::from(i) / 11025.0).sin() as f32;
            let samples: Vec<f32> = (0..8192).map(sample).collect();
            let mut frames = 0;
            Spectrum::new(&config).push(PcmBlock::mono(&samples), &mut |frame| {
                frames += 1;
                if frames > 10 {
                    let top = (0..config.bins).max_by(|&a, &b| frame[a].total_cmp(&frame[b]));
                    assert!(top.is_some_and(|t| t.abs_diff(bin) <= 1), "{bin} {top:?}");
                    assert!((-6.0..1.0).contains(&frame[bin]), "{bin} {}", frame[bin]);
                }
            });
            assert!(frames > 40);
        }
    }
}
