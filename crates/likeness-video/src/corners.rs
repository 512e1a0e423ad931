//! Corners with a quota per cell and per level, so that no background can take the whole budget.
//!
//! Response: smaller eigenvalue of the gradient's structure tensor (Shi and Tomasi, "Good features
//! to track", 1994), tensor summed over 5x5 pixels.

use crate::kernels;
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
    /// The corners of `luma`: local maxima of the response over 3x3 pixels at least `margin` from
    /// the border and at least `threshold` strong. First the strongest of each cell of a grid of
    /// `grid` (columns, rows), strongest first, then the second of each cell, and so on; `limit` at
    /// most. So a busy part of the picture cannot take the whole quota, and a shorter list is the
    /// start of a longer one.
    pub(crate) fn find(
        &mut self,
        luma: &Luma,
        margin: usize,
        threshold: f32,
        grid: (usize, usize),
        limit: usize,
    ) -> Vec<Corner> {
        let (w, h) = (luma.width, luma.height);
        if w <= 2 * margin || h <= 2 * margin {
            return Vec::new();
        }
        self.respond(luma);
        let mut cells: Vec<Vec<Corner>> = vec![Vec::new(); grid.0 * grid.1];
        for y in margin..h - margin {
            let row = (y - margin) * grid.1 / (h - 2 * margin);
            for x in margin..w - margin {
                let response = self.response[y * w + x];
                if response >= threshold && self.is_maximum(x, y, w) {
                    let column = (x - margin) * grid.0 / (w - 2 * margin);
                    cells[row * grid.0 + column].push(Corner {
                        x: x as u16,
                        y: y as u16,
                        response,
                    });
                }
            }
        }
        let mut ranked = Vec::new();
        for cell in &mut cells {
            cell.sort_unstable_by(|a, b| {
                b.response
                    .total_cmp(&a.response)
                    .then((a.y, a.x).cmp(&(b.y, b.x)))
            });
            cell.truncate(limit);
            ranked.extend(cell.iter().copied().enumerate());
        }
        ranked.sort_unstable_by(|(m, a), (n, b)| {
            (m.cmp(n))
                .then(b.response.total_cmp(&a.response))
                .then((a.y, a.x).cmp(&(b.y, b.x)))
        });
        ranked.truncate(limit);
        ranked.into_iter().map(|(_, corner)| corner).collect()
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
            let inside = y * w..(y + 1) * w;
            let products =
                [&mut self.xx, &mut self.xy, &mut self.yy].map(|plane| &mut plane[inside.clone()]);
            kernels::gradient_products([above, level, below], products);
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
                let five = std::array::from_fn(|dy| &plane[(y + dy - 2) * w..][..w]);
                kernels::sum_rows(five, row);
            }
            let [xx, xy, yy] = &self.row;
            let out = &mut self.response[y * w..][..w];
            kernels::smaller_eigenvalues([xx, xy, yy], out);
        }
    }
}
