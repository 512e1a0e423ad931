//! Chroma patches: a few seconds of pitch classes over time, cut from the fingerprints' grids. A
//! reference's lie on a fixed raster; a query's are resampled for every tempo and turned for every
//! pitch that is tried, both by a matrix.
//!
//! Public only for the benchmark.

use likeness_core::audio::{BINS, Grid, TICKS_PER_SECOND};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

/// Pitch classes.
const CLASSES: usize = 12;
/// Steps in time.
const STEPS: usize = 16;
/// Reference seconds in a step: two rows of a sparse grid.
pub(super) const STEP_SECONDS: f64 = 128.0 / TICKS_PER_SECOND;
/// Reference seconds in a patch.
pub const SECONDS: f64 = STEPS as f64 * STEP_SECONDS;
/// Steps from one patch of a reference to the next.
pub(super) const RASTER: usize = 4;
/// Values of a patch.
pub(super) const LENGTH: usize = CLASSES * STEPS;

/// The patches of a reference, row by row, and the step at which each starts.
pub fn of_reference(grid: &Grid) -> (Array2<f32>, Vec<u32>) {
    let chroma = folding(grid, 0.0).dot(&values(grid));
    let steps = (grid.rows() as f64 * row_seconds(grid) / STEP_SECONDS) as usize;
    let cells = chroma.dot(&averaging(grid, 0.0, STEP_SECONDS, steps));
    let mut starts = Vec::new();
    let mut rows: Vec<f32> = Vec::new();
    for start in (0..(steps + 1).saturating_sub(STEPS)).step_by(RASTER) {
        if let Some(patch) = normalised(cells.slice(s![.., start..start + STEPS])) {
            starts.push(start as u32);
            rows.extend(patch);
        }
    }
    let shape = (starts.len(), LENGTH);
    (
        Array2::from_shape_vec(shape, rows).unwrap_or_default(),
        starts,
    )
}

/// A query's grid, turned by a pitch.
#[derive(Debug)]
pub struct Turned<'a> {
    grid: &'a Grid,
    chroma: Array2<f32>,
}

impl<'a> Turned<'a> {
    /// Undoes a shift of `pitch` semitones.
    pub fn new(grid: &'a Grid, pitch: f64) -> Turned<'a> {
        let chroma = folding(grid, pitch).dot(&values(grid));
        Turned { grid, chroma }
    }

    /// The patch that starts at `start` seconds, played at `speed`; `None` where it does not fit or
    /// nothing changes in it.
    pub fn patch(&self, start: f64, speed: f64) -> Option<Vec<f32>> {
        let end = start + SECONDS / speed;
        let inside = start >= 0.0 && end <= self.grid.rows() as f64 * row_seconds(self.grid);
        let cells = || averaging(self.grid, start, STEP_SECONDS / speed, STEPS);
        inside
            .then(|| normalised(self.chroma.dot(&cells()).view()))
            .flatten()
    }
}

fn row_seconds(grid: &Grid) -> f64 {
    f64::from(grid.step) / TICKS_PER_SECOND
}

/// Bins by rows, on the sparse grid's scale.
fn values(grid: &Grid) -> Array2<f32> {
    let dense = grid.bins == BINS;
    let level = |v: i8| match dense {
        true => (f32::from(v) + 1.5).clamp(0.0, 3.0),
        false => f32::from(v),
    };
    let all = grid.of_rows(0..grid.rows()).map(level).collect();
    let shape = (grid.rows(), usize::from(grid.bins));
    let rows = Array2::from_shape_vec(shape, all).unwrap_or_default();
    rows.reversed_axes()
}

/// Classes by bins: the mean of what falls on a class after undoing a shift of `pitch` semitones.
fn folding(grid: &Grid, pitch: f64) -> Array2<f32> {
    let bins = usize::from(grid.bins);
    let width = f64::from(BINS) / f64::from(grid.bins.max(1));
    let mut matrix = Array2::zeros((CLASSES, bins));
    for bin in 0..bins {
        // Three spectral bins to the semitone; the middle of three sits on a class.
        let semitone = ((bin as f64 + 0.5) * width - 0.5) / 3.0 - 1.0 / 3.0 - pitch;
        let class = semitone.rem_euclid(CLASSES as f64);
        let (low, upper) = (class.floor() as usize % CLASSES, (class.fract()) as f32);
        matrix[[low, bin]] += 1.0 - upper;
        matrix[[(low + 1) % CLASSES, bin]] += upper;
    }
    let sums: Array1<f32> = matrix.sum_axis(Axis(1)).mapv(|s: f32| s.max(1.0));
    matrix / sums.insert_axis(Axis(1))
}

/// Rows by cells: the mean over each of `cells` stretches of `width` seconds from `start` on.
fn averaging(grid: &Grid, start: f64, width: f64, cells: usize) -> Array2<f32> {
    let (rows, row) = (grid.rows(), row_seconds(grid));
    let mut matrix = Array2::zeros((rows, cells));
    for cell in 0..cells {
        let (from, to) = (
            start + cell as f64 * width,
            start + (cell + 1) as f64 * width,
        );
        let last = ((to / row).ceil() as usize).min(rows);
        for i in (from / row) as usize..last {
            let shared = to.min((i + 1) as f64 * row) - from.max(i as f64 * row);
            matrix[[i, cell]] = (shared.max(0.0) / width) as f32;
        }
    }
    matrix
}

/// A patch without each class's mean, of length 1; `None` where nothing is left.
fn normalised(cells: ArrayView2<'_, f32>) -> Option<Vec<f32>> {
    let means = cells.mean_axis(Axis(1))?.insert_axis(Axis(1));
    let centred = &cells - &means;
    let norm = centred.iter().map(|v| v * v).sum::<f32>().sqrt();
    let flat = centred.iter().map(|v| v / norm);
    (norm > 0.5).then(|| flat.collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use likeness_core::Density;

    /// A dense grid of notes drawn from a seed, shifted by thirds of a semitone and played at a
    /// speed.
    pub(in super::super) fn grid(seed: u64, seconds: f64, thirds: i32, speed: f64) -> Grid {
        let step = 32;
        let rows = (seconds * TICKS_PER_SECOND / f64::from(step)) as usize;
        let mut values = vec![-3i8; rows * usize::from(BINS)];
        for (i, row) in values.chunks_exact_mut(usize::from(BINS)).enumerate() {
            let time = (i as f64 + 0.5) * f64::from(step) / TICKS_PER_SECOND * speed;
            for voice in 0..3u64 {
                let note = (time / (0.7 + 0.2 * voice as f64)) as u64;
                let mut hash =
                    (seed << 32 | voice << 24 | note).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^= hash >> 29;
                let bin = 20 + (hash.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as i32 % 36 * 3 + 1;
                for near in -1..=1 {
                    row[(bin + thirds + near) as usize] = 5 - 3 * near.abs() as i8;
                }
            }
        }
        Grid::new(BINS, step, Density::Query, values)
    }

    #[test]
    fn a_turned_and_stretched_patch_is_the_references() {
        let (patches, starts) = of_reference(&grid(1, 60.0, 0, 1.0));
        assert!(starts.len() > 30 && patches.nrows() == starts.len());
        let check = |thirds: i32, speed: f64| {
            let query = grid(1, 60.0 / speed, thirds, speed);
            let turned = Turned::new(&query, f64::from(thirds) / 3.0);
            let there = f64::from(starts[7]) * STEP_SECONDS;
            let patch = turned.patch(there / speed, speed).expect("it fits");
            let likeness = patches.dot(&Array1::from(patch));
            assert!(likeness[7] > 0.85, "{thirds} {speed}: {}", likeness[7]);
            let other = likeness
                .iter()
                .enumerate()
                .filter(|(i, _)| i.abs_diff(7) > 4);
            let most = other.map(|(_, &v)| v).fold(0.0, f32::max);
            assert!(most < likeness[7] - 0.2, "{thirds} {speed}: {most}");
        };
        check(0, 1.0);
        check(6, 1.0);
        check(-15, 1.0);
        check(0, 1.3);
        check(4, 0.75);
        check(-10, 1.15);
    }

    #[test]
    fn what_does_not_change_or_fit_has_no_patch() {
        let values = vec![3; usize::from(BINS) * 300];
        let still = Grid::new(BINS, 32, Density::Query, values);
        assert!(of_reference(&still).1.is_empty());
        assert!(Turned::new(&still, 0.0).patch(0.0, 1.0).is_none());
        let moving = grid(1, 8.0, 0, 1.0);
        let turned = Turned::new(&moving, 0.0);
        assert!(turned.patch(0.0, 1.0).is_some());
        assert!(turned.patch(3.0, 1.0).is_none());
        assert!(turned.patch(-1.0, 1.0).is_none());
        assert!(of_reference(&grid(1, 1.0, 0, 1.0)).1.is_empty());
    }
}
