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

/// Steps of 16 for each grey level: they keep dim changes that whole grey levels would round away.
const SIXTEENTHS: u32 = 16;
/// Parts into which a step of the clock is divided.
pub(crate) const TICKS: u32 = 1 << 16;
/// Rows of one block that are looked at, so that sums fit 16 bits.
const MAX_ROWS: usize = 256;

/// What is shown on average over each step of a fixed clock, in blocks: each frame counts for as long as it is
/// shown. Shrinking averages the pixels that fall into each block; it runs on every decoded frame, so it touches
/// each source pixel once and allocates nothing.
#[derive(Debug)]
pub(crate) struct BlockMean {
    width: usize,
    height: usize,
    columns: Vec<u16>,
    /// The frame that is shown.
    shown: Vec<u16>,
    sums: Vec<u32>,
    ticks: u32,
}

impl BlockMean {
    /// A mean of `width` x `height` blocks; black is shown.
    pub(crate) fn new(width: usize, height: usize) -> BlockMean {
        BlockMean {
            width,
            height,
            columns: Vec::new(),
            shown: vec![0; width * height],
            sums: vec![0; width * height],
            ticks: 0,
        }
    }

    /// Shows a frame from now on. Where there are more blocks than pixels, pixels are repeated.
    pub(crate) fn show(&mut self, frame: &LumaFrame<'_>) {
        self.columns.resize(frame.width, 0);
        for ty in 0..self.height {
            let (y0, y1) = span(ty, self.height, frame.height);
            let rows = (y1 - y0).min(MAX_ROWS);
            self.columns.fill(0);
            for y in y0..y0 + rows {
                let row = &frame.data[y * frame.stride..][..frame.width];
                kernels::add_row(&mut self.columns, row);
            }
            let out = &mut self.shown[ty * self.width..][..self.width];
            for (tx, out) in out.iter_mut().enumerate() {
                let (x0, x1) = span(tx, self.width, frame.width);
                let area = (rows * (x1 - x0)) as u32;
                let sum: u32 = self.columns[x0..x1].iter().map(|&v| u32::from(v)).sum();
                *out = ((SIXTEENTHS * sum + area / 2) / area) as u16;
            }
        }
    }

    /// What is shown, 16 for each grey level.
    pub(crate) fn shown(&self) -> &[u16] {
        &self.shown
    }

    /// Goes on showing it for so many of a step's [`TICKS`].
    pub(crate) fn hold(&mut self, ticks: u32) {
        debug_assert!(self.ticks + ticks <= TICKS);
        self.ticks += ticks;
        for (sum, &shown) in self.sums.iter_mut().zip(&self.shown) {
            *sum += u32::from(shown) * ticks;
        }
    }

    /// Writes the mean of what was shown in this step into `picture` and begins the next.
    pub(crate) fn take(&mut self, picture: &mut [u8]) {
        let scale = SIXTEENTHS * self.ticks.max(1);
        for (out, sum) in picture.iter_mut().zip(&mut self.sums) {
            *out = ((*sum + scale / 2) / scale).min(255) as u8;
            *sum = 0;
        }
        self.ticks = 0;
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
    fn frames_count_for_as_long_as_they_are_shown() {
        let check = |ticks: [u32; 2], want: [u8; 2]| {
            let mut mean = BlockMean::new(2, 1);
            for (value, ticks) in [(10, ticks[0]), (20, ticks[1])] {
                let mut picture = Luma::new(4, 2);
                picture.data.fill(value);
                picture.data[3] = value + 40;
                mean.show(&picture.as_frame(0.0));
                mean.hold(ticks);
            }
            let mut out = [0; 2];
            mean.take(&mut out);
            assert_eq!(out, want, "{ticks:?}");
        };
        check([TICKS / 2, TICKS / 2], [15, 25]);
        check([TICKS / 4, 3 * TICKS / 4], [18, 28]);
        check([7, 7], [15, 25]);
        check([TICKS, 0], [10, 20]);
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
        mean.show(&frame);
        assert_eq!(mean.shown(), [80; 16]);
    }
}
