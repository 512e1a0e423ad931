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
    /// Dense rows; of a reference those that are not pooled.
    dense: Grid,
    /// A reference's rows: hours of dense ones would weigh six times as much.
    pooled: Grid,
}

impl GridBuilder {
    pub(crate) fn new(config: &AudioConfig, density: Density) -> GridBuilder {
        let step = config.grid_frames as u32 * TICKS_PER_FRAME;
        let dense = Grid::new(config.bins as u16, step, Density::Query, []);
        GridBuilder {
            density,
            frames: config.grid_frames,
            contrast: config.grid_contrast,
            sum: vec![0.0; config.bins],
            summed: 0,
            prefix: vec![0.0; config.bins + 1],
            row: vec![0.0; config.bins],
            pooled: dense.pooled(),
            dense,
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
            self.dense.extend(self.row.iter().map(|v| v.round() as i8));
            self.sum.fill(0.0);
            self.summed = 0;
            if self.density == Density::Reference && self.dense.rows() == BATCH {
                self.pool();
            }
        }
    }

    fn pool(&mut self) {
        let batch = self.dense.pooled();
        self.pooled.extend(batch.of_rows(0..batch.rows()));
        self.dense = self.dense.emptied();
    }

    /// The grid; frames that do not fill a row are dropped.
    pub(crate) fn finish(mut self) -> Grid {
        match self.density {
            Density::Query => self.dense,
            Density::Reference => {
                self.pool();
                self.pooled
            }
        }
    }
}
