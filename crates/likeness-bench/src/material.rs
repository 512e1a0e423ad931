//! `classify`: sorts music by how it moves, so that recall can be told by class of material.
//!
//! Nobody has listened to 27 hours: the class is measured. In each of 24 bands a fifth of an octave wide,
//! levels in decibels are compared from one frame to the next; what they rise by, on average over bands
//! and frames, is the *rise*. Pads, choirs and strings have little of it, drums and plucked strings
//! much.

use crate::corpus::{Kind, Work};
use crate::make::progress;
use anyhow::{Context, Result};
use likeness_media::Limits;
use rayon::prelude::*;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use std::ops::ControlFlow;
use std::path::Path;

/// Hz.
const RATE: u32 = 11_025;
/// Samples in a frame, and from one to the next (46 ms).
const FRAME: usize = 1024;
const HOP: usize = 512;
/// Seconds listened to, from the beginning.
const SECONDS: usize = 90;
/// Lower edge of the lowest band, Hz, and how many bands there are to an octave and in all.
const LOWEST: f64 = 100.0;
const PER_OCTAVE: f64 = 5.0;
const BANDS: usize = 24;
/// Levels lower than this below the loudest are as good as silence, decibels.
const FLOOR: f64 = -60.0;
/// Rises, in decibels a frame, up to which music is *sustained*, and from which it is *percussive*; about
/// thirds of the corpus.
const SUSTAINED: f64 = 1.75;
const PERCUSSIVE: f64 = 2.2;

/// Sets the class of all music that is on disk. Returns how many works that were.
pub(crate) fn classify(works: &mut [Work], corpus: &Path) -> Result<usize> {
    let mut music: Vec<&mut Work> = works
        .iter_mut()
        .filter(|work| work.kind == Kind::Music && work.path(corpus).is_file())
        .collect();
    let bar = progress(music.len() as u64, "listening");
    music.par_iter_mut().try_for_each(|work| {
        let rise = rise(&listen(&work.path(corpus))?);
        work.class = class(rise).to_owned();
        println!("{rise:.3}\t{}\t{}", work.class, work.identifier());
        bar.inc();
        Ok::<(), anyhow::Error>(())
    })?;
    bar.finish();
    Ok(music.len())
}

fn class(rise: f64) -> &'static str {
    match rise {
        rise if rise <= SUSTAINED => "sustained",
        rise if rise < PERCUSSIVE => "melodic",
        _ => "percussive",
    }
}

/// The beginning of a work. What breaks off is taken as far as it goes.
fn listen(path: &Path) -> Result<Vec<f32>> {
    let mut sound = Vec::new();
    let wanted = SECONDS * RATE as usize;
    let decoded = likeness_media::decode_audio(path, RATE, &Limits::default(), &mut |block| {
        sound.extend(block.mid);
        match sound.len() < wanted {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    if sound.is_empty() {
        decoded.with_context(|| format!("listening to {}", path.display()))?;
    }
    Ok(sound)
}

/// How much levels rise from one frame to the next, decibels, on average over bands and sounding frames.
fn rise(sound: &[f32]) -> f64 {
    let levels = levels(sound);
    let loudest = levels.iter().flatten().copied().fold(f64::MIN, f64::max);
    let clipped = |level: f64| (level - loudest).max(FLOOR);
    let (mut sum, mut count) = (0.0, 0);
    for pair in levels.windows(2) {
        for (before, after) in pair[0].iter().zip(&pair[1]) {
            let (before, after) = (clipped(*before), clipped(*after));
            if before > FLOOR || after > FLOOR {
                sum += (after - before).max(0.0);
                count += 1;
            }
        }
    }
    sum / f64::from(count.max(1))
}

/// Decibels of each band in each frame.
fn levels(sound: &[f32]) -> Vec<[f64; BANDS]> {
    let fft = FftPlanner::new().plan_fft_forward(FRAME);
    let window: Vec<f32> = (0..FRAME)
        .map(|i| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / FRAME as f32).cos())
        .collect();
    let mut buffer = vec![Complex::default(); FRAME];
    let starts = (0..(sound.len() + 1).saturating_sub(FRAME)).step_by(HOP);
    starts
        .map(|start| {
            let samples = sound[start..start + FRAME].iter().zip(&window);
            for (slot, (sample, weight)) in buffer.iter_mut().zip(samples) {
                *slot = Complex::new(sample * weight, 0.0);
            }
            fft.process(&mut buffer);
            let mut energies = [1e-12; BANDS];
            for (bin, value) in buffer[..FRAME / 2].iter().enumerate().skip(1) {
                let hertz = bin as f64 * f64::from(RATE) / FRAME as f64;
                let band = ((hertz / LOWEST).log2() * PER_OCTAVE).floor();
                if (0.0..BANDS as f64).contains(&band) {
                    energies[band as usize] += f64::from(value.norm_sqr());
                }
            }
            energies.map(|energy| 10.0 * energy.log10())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_distort::Random;

    /// Ten seconds of noise that dies away `decay` times a second after each of `beats` a second.
    fn strokes(beats: usize, decay: f32) -> Vec<f32> {
        let mut random = Random::new(1, "strokes");
        let every = RATE as usize / beats;
        let sample = |index: usize| {
            let time = (index % every) as f32 / RATE as f32;
            (random.unit() as f32 - 0.5) * (-decay * time).exp()
        };
        (0..10 * RATE as usize).map(sample).collect()
    }

    #[test]
    fn drums_are_percussive_and_a_chord_is_sustained() {
        let chord: Vec<f32> = (0..10 * RATE as usize)
            .map(|index| {
                let time = index as f32 / RATE as f32;
                let tone = |hertz: f32| (std::f32::consts::TAU * hertz * time).sin();
                tone(220.0) + tone(277.2) + tone(329.6)
            })
            .collect();
        assert_eq!(class(rise(&chord)), "sustained");
        assert_eq!(class(rise(&strokes(4, 30.0))), "percussive");
        assert!(rise(&strokes(4, 30.0)) > rise(&strokes(1, 2.0)));
    }

    #[test]
    fn loudness_does_not_change_the_class() {
        let loud = strokes(2, 10.0);
        let soft: Vec<f32> = loud.iter().map(|x| x * 0.01).collect();
        assert!((rise(&loud) - rise(&soft)).abs() < 1e-3);
    }

    #[test]
    fn silence_and_nothing_have_no_rise() {
        assert_eq!(rise(&vec![0.0; FRAME * 4]), 0.0);
        assert_eq!(rise(&[]), 0.0);
    }
}
