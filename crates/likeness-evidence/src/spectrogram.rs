//! Strips of a spectrogram over log-frequency, for looking at.

use crate::excerpt::{Heard, RATE};
use image::{GrayImage, Luma};
use likeness_core::AudioFingerprint;
use likeness_core::audio::{BINS, Grid, STEPS_PER_BIN, TICKS_PER_SECOND};
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// Columns of a strip.
pub(crate) const COLUMNS: u32 = 320;
/// Samples of a window: 190 ms at [`RATE`], as the fingerprint's.
const WINDOW: usize = 4096;
/// The lowest bin, Hz, and bins in an octave, as the fingerprint's.
const LOWEST: f64 = 200.0;
const PER_OCTAVE: f64 = 36.0;
/// Decibels from black to white.
const RANGE: f64 = 55.0;
/// Greys: few, so that the picture is small.
const GREYS: f64 = 15.0;

/// How the columns and rows of a strip lie in a work's own time and frequency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Seconds at the left edge and at the right edge.
    pub(crate) span: (f64, f64),
    /// Semitones by which the work sounds lower than the strip shows it.
    pub(crate) shift: f64,
}

impl Frame {
    fn time(&self, column: u32) -> f64 {
        let (start, end) = self.span;
        start + (f64::from(column) + 0.5) / f64::from(COLUMNS) * (end - start)
    }

    /// The fractional bin of a row, counted from the bottom.
    fn bin(&self, row: u32) -> f64 {
        f64::from(row) - self.shift * PER_OCTAVE / 12.0
    }
}

/// A strip from sound.
pub(crate) fn of_sound(heard: &Heard, frame: Frame) -> GrayImage {
    let fft = FftPlanner::new().plan_fft_forward(WINDOW);
    let hann: Vec<f32> = (0..WINDOW)
        .map(|i| {
            (std::f32::consts::PI * i as f32 / WINDOW as f32)
                .sin()
                .powi(2)
        })
        .collect();
    let mut decibels = vec![0.0; (COLUMNS * u32::from(BINS)) as usize];
    for column in 0..COLUMNS {
        let centre = (frame.time(column) - heard.start) * f64::from(RATE);
        let first = centre as i64 - WINDOW as i64 / 2;
        let sample = |i: usize| usize::try_from(first + i as i64).ok();
        let mut block: Vec<Complex<f32>> = (0..WINDOW)
            .map(|i| {
                sample(i)
                    .and_then(|at| heard.samples.get(at))
                    .unwrap_or(&0.0)
                    * hann[i]
            })
            .map(|value| Complex::new(value, 0.0))
            .collect();
        fft.process(&mut block);
        for row in 0..u32::from(BINS) {
            let power = power_at(&block, frame.bin(row));
            decibels[(row * COLUMNS + column) as usize] = 10.0 * f64::from(power + 1e-9).log10();
        }
    }
    let top = decibels.iter().copied().fold(f64::MIN, f64::max);
    draw(|column, row| 1.0 + (decibels[(row * COLUMNS + column) as usize] - top) / RANGE)
}

/// The largest power within a bin of the log-frequency axis.
fn power_at(spectrum: &[Complex<f32>], bin: f64) -> f32 {
    let place = |bin: f64| LOWEST * (bin / PER_OCTAVE).exp2() / f64::from(RATE) * WINDOW as f64;
    let (low, high) = (place(bin - 0.5).round(), place(bin + 0.5).round());
    let (low, high) = (low.max(1.0) as usize, (high as usize).min(WINDOW / 2 - 1));
    let powers = spectrum[low.min(high)..=high].iter().map(Complex::norm_sqr);
    powers.fold(0.0, f32::max)
}

/// A strip from a fingerprint: its grid, coarser, and of a reference coarser still.
pub(crate) fn of_fingerprint(fingerprint: &AudioFingerprint, frame: Frame) -> GrayImage {
    let grid = &fingerprint.grid;
    let dense = grid.bins == BINS;
    draw(|column, row| {
        let value = value_at(grid, frame.time(column), frame.bin(row));
        match value {
            None => 0.0,
            Some(value) if dense => (f64::from(value) + 6.0) / 13.0,
            Some(value) => f64::from(value) / 3.0,
        }
    })
}

fn value_at(grid: &Grid, seconds: f64, bin: f64) -> Option<i8> {
    let row = seconds * TICKS_PER_SECOND / f64::from(grid.step);
    let column = bin * f64::from(grid.bins) / f64::from(BINS);
    let inside = row >= 0.0 && (row as usize) < grid.rows();
    let inside = inside && column >= 0.0 && column < f64::from(grid.bins);
    inside.then(|| grid.value(row as usize, column as usize))
}

/// `brightness` of a column and a row from the bottom; 0 is black and 1 white.
fn draw(brightness: impl Fn(u32, u32) -> f64) -> GrayImage {
    let rows = u32::from(BINS);
    GrayImage::from_fn(COLUMNS, rows, |x, y| {
        let level = (brightness(x, rows - 1 - y).clamp(0.0, 1.0) * GREYS).round();
        Luma([(level * 255.0 / GREYS) as u8])
    })
}

/// The row from the top, fractional, of a frequency in steps.
pub(crate) fn row_of(steps: f64) -> f64 {
    f64::from(BINS) - 0.5 - steps / f64::from(STEPS_PER_BIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn a_tone_is_a_line_at_its_place() {
        let check = |hz: f64, shift: f64, row: f64| {
            let sample = |i: u32| (TAU * hz * f64::from(i) / f64::from(RATE)).sin() as f32;
            let heard = Heard {
                start: 3.0,
                samples: (0..4 * RATE).map(sample).collect(),
            };
            let strip = of_sound(
                &heard,
                Frame {
                    span: (4.0, 6.0),
                    shift,
                },
            );
            let brightest = (0..strip.height()).max_by_key(|&y| strip.get_pixel(160, y)[0]);
            let brightest = f64::from(brightest.unwrap());
            assert!(
                (brightest - row).abs() <= 2.0,
                "{hz}: {brightest}, not {row}"
            );
        };
        // Two octaves above 200 Hz are 72 bins from the bottom.
        check(800.0, 0.0, 161.0 - 72.0);
        check(800.0, 2.0, 161.0 - 78.0);
        assert!((row_of(72.0 * 8.0) - (161.5 - 72.0)).abs() < 1e-9);
    }
}
