//! The extractor: samples in, fingerprint out.

use crate::config::AudioConfig;
use crate::grid::GridBuilder;
use crate::peaks::PeakPicker;
use crate::spectrum::Spectrum;
use crate::surfaces::Surfaces;
use likeness_core::{AudioFingerprint, Density, PcmBlock, StreamState};

/// Shortest sound that is fingerprinted, seconds.
const MIN_DURATION: f64 = 1.0;

/// Streaming extractor. What comes out depends on the samples alone, not on how they were cut
/// into pushes; memory besides the growing fingerprint is bounded.
pub struct AudioExtractor {
    density: Density,
    config: AudioConfig,
    samples: u64,
    frames: u64,
    spectrum: Spectrum,
    stages: Stages,
}

/// What follows the spectrum.
struct Stages {
    surfaces: Surfaces,
    onsets: PeakPicker,
    partials: PeakPicker,
    grid: GridBuilder,
}

impl Stages {
    fn push(&mut self, frame: &[f32]) {
        self.grid.push(frame);
        let (onsets, partials) = (&mut self.onsets, &mut self.partials);
        self.surfaces.push(frame, &mut |rows| {
            onsets.push(&rows.onset);
            partials.push(&rows.partial);
        });
    }

    fn flush(&mut self) {
        let (onsets, partials) = (&mut self.onsets, &mut self.partials);
        self.surfaces.finish(&mut |rows| {
            onsets.push(&rows.onset);
            partials.push(&rows.partial);
        });
    }
}

impl AudioExtractor {
    /// An extractor with the default configuration, for samples at
    /// [`AudioConfig::sample_rate`].
    pub fn new(density: Density) -> AudioExtractor {
        let config = AudioConfig::default();
        AudioExtractor {
            density,
            samples: 0,
            frames: 0,
            spectrum: Spectrum::new(&config),
            stages: Stages {
                surfaces: Surfaces::new(&config),
                onsets: PeakPicker::new(&config, density),
                partials: PeakPicker::new(&config, density),
                grid: GridBuilder::new(&config, density),
            },
            config,
        }
    }

    /// Takes the next samples, full scale ±1.
    pub fn push(&mut self, samples: PcmBlock<'_>) {
        self.samples += samples.len() as u64;
        let (stages, frames) = (&mut self.stages, &mut self.frames);
        self.spectrum.push(samples, &mut |frame| {
            *frames += 1;
            stages.push(frame);
        });
    }

    /// The fingerprint of all samples. [`StreamState::Empty`] for silence,
    /// [`StreamState::TooShort`] for less than a second.
    pub fn finish(mut self) -> StreamState<AudioFingerprint> {
        let duration = self.samples as f64 / f64::from(self.config.sample_rate);
        if duration < MIN_DURATION {
            return StreamState::TooShort;
        }
        let stages = &mut self.stages;
        self.spectrum
            .finish(self.samples, self.frames, &mut |frame| stages.push(frame));
        stages.flush();
        let onsets = self.stages.onsets.finish();
        let partials = self.stages.partials.finish();
        if self.spectrum.loudest() < self.config.silence || onsets.len() + partials.len() == 0 {
            return StreamState::Empty;
        }
        StreamState::Analysed(AudioFingerprint {
            duration,
            density: self.density,
            onsets,
            partials,
            grid: self.stages.grid.finish(),
        })
    }
}
