//! Corners with a quota per cell and per level, so that no background can take the whole budget.
//!
//! Response: smaller eigenvalue of the gradient's structure tensor (Shi and Tomasi, "Good features
//! to track", 1994), tensor summed over 5x5 pixels.

use crate::luma::Luma;

/// A corner of one level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Corner {
    /// Column in the level.
    pub(crate) x: u16,
    /// Row in the level.
    pub(crate) y: u16,
    /// Smaller eigenvalue of the structure tensor.
    pub(crate) response: f32,
    /// Rank among the corners of its cell, 0 the strongest.
    pub(crate) rank: u8,
}

/// Finds corners; keeps its buffers.
#[derive(Debug, Default)]
pub(crate) struct CornerFinder {
    xx: Vec<f32>,
    xy: Vec<f32>,
    yy: Vec<f32>,
    response: Vec<f32>,
    row: [Vec<f32>; 3],
}

impl CornerFinder {
    /// Appends the corners of `luma` to `out`: local maxima of the response over 3x3 pixels at
    /// least `margin` from the border and at least `threshold` strong, the `per_cell` strongest of
    /// each square cell of `cell` pixels.
    pub(crate) fn find(
        &mut self,
        luma: &Luma,
        margin: usize,
        threshold: f32,
        cell: usize,
        per_cell: usize,
        out: &mut Vec<Corner>,
    ) {
        let (w, h) = (luma.width, luma.height);
        if w <= 2 * margin || h <= 2 * margin {
            return;
        }
        self.respond(luma);
        let mut best: Vec<Corner> = Vec::with_capacity(per_cell + 1);
        for top in (margin..h - margin).step_by(cell) {
            for left in (margin..w - margin).step_by(cell) {
                best.clear();
                for y in top..(top + cell).min(h - margin) {
                    for x in left..(left + cell).min(w - margin) {
                        let response = self.response[y * w + x];
                        if response >= threshold && self.is_maximum(x, y, w) {
                            insert(&mut best, x, y, response, per_cell);
                        }
                    }
                }
                for (rank, corner) in best.iter_mut().enumerate() {
                    corner.rank = rank as u8;
                }
                out.extend_from_slice(&best);
            }
        }
    }

    fn is_maximum(&self, x: usize, y: usize, w: usize) -> bool {
        let here = self.response[y * w + x];
        let row = |y: usize| &self.response[y * w + x - 1..=y * w + x + 1];
        let (above, level, below) = (row(y - 1), row(y), row(y + 1));
        above.iter().all(|&v| v < here)
            && level[0] < here
            && level[2] <= here
            && below.iter().all(|&v| v <= here)
    }

    /// Fills `response`.
    fn respond(&mut self, luma: &Luma) {
        let (w, h) = (luma.width, luma.height);
        for plane in [&mut self.xx, &mut self.xy, &mut self.yy, &mut self.response] {
            plane.clear();
            plane.resize(w * h, 0.0);
        }
        for y in 1..h - 1 {
            let above = &luma.data[(y - 1) * w..y * w];
            let level = &luma.data[y * w..(y + 1) * w];
            let below = &luma.data[(y + 1) * w..(y + 2) * w];
            let at = y * w;
            for x in 1..w - 1 {
                let gx = f32::from(level[x + 1]) - f32::from(level[x - 1]);
                let gy = f32::from(below[x]) - f32::from(above[x]);
                self.xx[at + x] = gx * gx;
                self.xy[at + x] = gx * gy;
                self.yy[at + x] = gy * gy;
            }
        }
        for row in &mut self.row {
            row.clear();
            row.resize(w, 0.0);
        }
        for y in 2..h - 2 {
            for (plane, row) in [&self.xx, &self.xy, &self.yy]
                .into_iter()
                .zip(&mut self.row)
            {
                row.fill(0.0);
                for dy in 0..5 {
                    let source = &plane[(y + dy - 2) * w..][..w];
                    for (sum, &value) in row.iter_mut().zip(source) {
                        *sum += value;
                    }
                }
            }
            let [xx, xy, yy] = &self.row;
            let out = &mut self.response[y * w..][..w];
            for x in 2..w - 2 {
                let sum = |row: &[f32]| row[x - 2..=x + 2].iter().sum::<f32>();
                let (a, b, c) = (sum(xx), sum(xy), sum(yy));
                let root = ((a - c) * (a - c) + 4.0 * b * b).sqrt();
                out[x] = (a + c - root) / 50.0;
            }
        }
    }
}

fn insert(best: &mut Vec<Corner>, x: usize, y: usize, response: f32, limit: usize) {
    let at = best.partition_point(|c| c.response >= response);
    if at < limit {
        best.insert(
            at,
            Corner {
                x: x as u16,
                y: y as u16,
                response,
                rank: 0,
            },
        );
        best.truncate(limit);
    }
}
