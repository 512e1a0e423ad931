//! Small luma pictures, and the mean of a film's frames over each step of a fixed clock.

use crate::kernels;
use likeness_core::LumaFrame;

/// An owned 8-bit luma picture, rows without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` values.
    pub data: Vec<u8>,
}

impl Luma {
    /// A black picture.
    pub fn new(width: usize, height: usize) -> Luma {
        Luma {
            width,
            height,
            data: vec![0; width * height],
        }
    }

    /// The whole picture as a frame of square pixels.
    pub fn as_frame(&self, time: f64) -> LumaFrame<'_> {
        LumaFrame {
            data: &self.data,
            width: self.width,
            height: self.height,
            stride: self.width,
            pixel_aspect: 1.0,
            time,
        }
    }
}

/// Means of blocks of frames: shrinks each frame by averaging the pixels that fall into each target
/// pixel, and sums frames up. This runs on every decoded frame, so it touches each source pixel
/// once and allocates nothing.
#[derive(Debug)]
pub(crate) struct BlockMean {
    width: usize,
    height: usize,
    columns: Vec<u16>,
    sums: Vec<u32>,
    frames: u32,
}

/// Frames of one step that are looked at: timestamps may put a whole film into it.
const MAX_FRAMES: u32 = 4096;
/// Rows of one block that are looked at, so that sums fit 16 bits.
const MAX_ROWS: usize = 256;

impl BlockMean {
    /// An empty sum of pictures of `width` x `height`.
    pub(crate) fn new(width: usize, height: usize) -> BlockMean {
        BlockMean {
            width,
            height,
            columns: Vec::new(),
            sums: vec![0; width * height],
            frames: 0,
        }
    }

    /// Adds a frame. Where the target is larger than the frame, source pixels are repeated.
    pub(crate) fn add(&mut self, frame: &LumaFrame<'_>) {
        if self.frames == MAX_FRAMES {
            return;
        }
        self.columns.resize(frame.width, 0);
        for ty in 0..self.height {
            let (y0, y1) = span(ty, self.height, frame.height);
            let rows = (y1 - y0).min(MAX_ROWS);
            self.columns.fill(0);
            for y in y0..y0 + rows {
                let row = &frame.data[y * frame.stride..][..frame.width];
                kernels::add_row(&mut self.columns, row);
            }
            let out = &mut self.sums[ty * self.width..][..self.width];
            for (tx, out) in out.iter_mut().enumerate() {
                let (x0, x1) = span(tx, self.width, frame.width);
                let area = (rows * (x1 - x0)) as u32;
                let sum: u32 = self.columns[x0..x1].iter().map(|&v| u32::from(v)).sum();
                // Sixteenths keep dim changes that whole grey levels would round away.
                *out += (16 * sum + area / 2) / area;
            }
        }
        self.frames += 1;
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Writes the mean of the frames added into `picture` and starts over.
    pub(crate) fn take(&mut self, picture: &mut [u8]) {
        let scale = 16 * self.frames.max(1);
        for (out, sum) in picture.iter_mut().zip(&mut self.sums) {
            *out = ((*sum + scale / 2) / scale).min(255) as u8;
            *sum = 0;
        }
        self.frames = 0;
    }
}

/// The source pixels `[from, to)` behind target pixel `i` of `target`, at least one.
fn span(i: usize, target: usize, source: usize) -> (usize, usize) {
    let from = i * source / target;
    let to = ((i + 1) * source / target).max(from + 1);
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_blocks_and_frames() {
        let mut mean = BlockMean::new(2, 1);
        for value in [10, 20] {
            let mut picture = Luma::new(4, 2);
            picture.data.fill(value);
            picture.data[3] = value + 40;
            mean.add(&picture.as_frame(0.0));
        }
        let mut out = [0; 2];
        mean.take(&mut out);
        assert_eq!(out, [15, 25]);
        assert!(mean.is_empty());
    }

    #[test]
    fn padding_is_not_looked_at() {
        let data = [5, 5, 255, 5, 5, 255];
        let frame = LumaFrame {
            data: &data,
            width: 2,
            height: 2,
            stride: 3,
            pixel_aspect: 1.0,
            time: 0.0,
        };
        let mut mean = BlockMean::new(4, 4);
        mean.add(&frame);
        let mut out = [0; 16];
        mean.take(&mut out);
        assert_eq!(out, [5; 16]);
    }
}
