//! The coarse spectrum for the dense comparison.

use crate::config::AudioConfig;
use crate::peaks::TICKS_PER_FRAME;
use crate::surfaces::stand_out;
use likeness_core::Density;
use likeness_core::audio::Grid;

/// Grid levels in an octave of power.
const LEVELS: f32 = 1.5;

/// Dense rows, an even number, that are pooled at a time.
const BATCH: usize = 128;

/// Averages frames into rows of a [`Grid`].
pub(crate) struct GridBuilder {
    density: Density,
    frames: usize,
    contrast: usize,
    sum: Vec<f32>,
    summed: usize,
    prefix: Vec<f32>,
    row: Vec<f32>,
    /// Dense rows that are not pooled.
    values: Vec<i8>,
    /// A reference's rows: hours of dense ones would weigh six times as much.
    pooled: Vec<i8>,
}

impl GridBuilder {
    pub(crate) fn new(config: &AudioConfig, density: Density) -> GridBuilder {
        GridBuilder {
            density,
            frames: config.grid_frames,
            contrast: config.grid_contrast,
            sum: vec![0.0; config.bins],
            summed: 0,
            prefix: vec![0.0; config.bins + 1],
            row: vec![0.0; config.bins],
            values: Vec::new(),
            pooled: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, frame: &[f32]) {
        for (sum, value) in self.sum.iter_mut().zip(frame) {
            *sum += value;
        }
        self.summed += 1;
        if self.summed == self.frames {
            let scale = LEVELS / self.frames as f32;
            self.sum.iter_mut().for_each(|v| *v *= scale);
            stand_out(&self.sum, self.contrast, &mut self.prefix, &mut self.row);
            self.values
                .extend(self.row.iter().map(|v| v.round().clamp(-8.0, 7.0) as i8));
            self.sum.fill(0.0);
            self.summed = 0;
            if self.density == Density::Reference && self.values.len() == BATCH * self.sum.len() {
                let batch = self.dense();
                self.pooled.extend(batch.pooled().values);
                self.values = batch.values;
                self.values.clear();
            }
        }
    }

    fn dense(&mut self) -> Grid {
        Grid {
            bins: self.sum.len() as u16,
            step: self.frames as u32 * TICKS_PER_FRAME,
            values: std::mem::take(&mut self.values),
        }
    }

    /// The grid; frames that do not fill a row are dropped.
    pub(crate) fn finish(mut self) -> Grid {
        let last = self.dense();
        match self.density {
            Density::Query => last,
            Density::Reference => {
                let last = last.pooled();
                self.pooled.extend(last.values);
                Grid {
                    values: self.pooled,
                    ..last
                }
            }
        }
    }
}
