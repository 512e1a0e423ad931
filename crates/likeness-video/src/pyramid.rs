//! A picture at several scales, each with its smoothed twin.

use crate::luma::{Luma, resample};

/// One scale of a picture.
#[derive(Debug)]
pub(crate) struct Level {
    /// The picture.
    pub(crate) luma: Luma,
    /// The picture after a 5x5 box filter: what descriptors compare.
    pub(crate) smooth: Luma,
}

/// Levels from fine to coarse, `step` apart. Buffers are reused from frame to frame.
#[derive(Debug)]
pub(crate) struct Pyramid {
    /// The levels; level 0 has the working size.
    pub(crate) levels: Vec<Level>,
    columns: Vec<u16>,
}

impl Pyramid {
    /// Buffers for pictures of `width` x `height`; levels under 48 pixels high or wide are left
    /// out.
    pub(crate) fn new(width: usize, height: usize, step: f32, count: usize) -> Pyramid {
        let levels = (0..count)
            .map(|i| step.powi(-(i as i32)))
            .map(|scale| [width, height].map(|n| ((n as f32 * scale).round() as usize).max(1)))
            .enumerate()
            .take_while(|&(i, [w, h])| i == 0 || w.min(h) >= 48)
            .map(|(_, [w, h])| Level {
                luma: Luma::new(w, h),
                smooth: Luma::new(w, h),
            })
            .collect();
        Pyramid {
            levels,
            columns: Vec::new(),
        }
    }

    /// The picture of level 0, to be filled before [`Pyramid::build`].
    pub(crate) fn base(&mut self) -> &mut Luma {
        &mut self.levels[0].luma
    }

    /// Computes the other levels from level 0, and the smoothed twins.
    pub(crate) fn build(&mut self) {
        for i in 1..self.levels.len() {
            let (fine, coarse) = self.levels.split_at_mut(i);
            resample(&fine[i - 1].luma, &mut coarse[0].luma);
        }
        for level in &mut self.levels {
            box_filter(&level.luma, &mut level.smooth, &mut self.columns);
        }
    }
}

/// 5x5 box filter with repeated borders.
fn box_filter(source: &Luma, target: &mut Luma, columns: &mut Vec<u16>) {
    let (w, h) = (source.width, source.height);
    columns.resize(w, 0);
    for y in 0..h {
        columns.fill(0);
        for dy in 0..5 {
            let row = (y + dy).saturating_sub(2).min(h - 1);
            for (sum, &value) in columns.iter_mut().zip(&source.data[row * w..][..w]) {
                *sum += u16::from(value);
            }
        }
        let out = &mut target.data[y * w..][..w];
        for (x, out) in out.iter_mut().enumerate() {
            let sum: u32 = if x >= 2 && x + 2 < w {
                columns[x - 2..=x + 2].iter().map(|&v| u32::from(v)).sum()
            } else {
                (0..5)
                    .map(|dx| u32::from(columns[(x + dx).saturating_sub(2).min(w - 1)]))
                    .sum()
            };
            *out = ((sum * 5243) >> 17) as u8;
        }
    }
}
