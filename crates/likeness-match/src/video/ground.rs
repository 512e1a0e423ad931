//! What stands in two films, over larger distances than captions, grain and edges reach.
//!
//! Two films with one display or countdown laid over them agree in what moves, and near it in detail. What stands
//! behind it is bright here and dark there in the one, and otherwise in the other; in a copy, however it was graded,
//! one line leads from the grey levels of the reference to its own.

use super::film::Film;
use super::timeline::Line;

/// Blocks in a row and in a column.
const BLOCKS: (usize, usize) = (8, 6);
/// Pixels below which a block says nothing.
const FEWEST: u32 = 3;
/// Grey levels by which blocks of the reference must differ for a line to be laid through them.
const APART: f64 = 8.0;
/// Slopes of such a line: contrast lost or won.
const SLOPES: std::ops::Range<f64> = 0.3..3.0;
/// Grey levels to either side of it within which a block is explained.
const WITHIN: f64 = 10.0;

/// Two films' pictures on average over time, from which no mean was taken.
pub(super) struct Ground {
    query: Vec<f64>,
    reference: Vec<f64>,
}

impl Ground {
    /// What stands in two films that run side by side along `line`.
    pub(super) fn of(query: &Film, reference: &Film, line: Line) -> Ground {
        let (numbers, along) = reference.along(query, line);
        let pictures = numbers.iter().map(|&i| query.picture(i));
        Ground {
            query: mean(pictures, query.size),
            reference: mean((0..numbers.len()).map(|k| along.picture(k)), along.size),
        }
    }

    /// Share of the blocks of the reference's picture, of some width and height, whose grey levels one line leads to
    /// those of the query; all where the reference is of one grey. `places` are those of the values, of which
    /// `inside` tells which are asked.
    pub(super) fn alike(
        &self,
        places: &[usize],
        size: (usize, usize),
        inside: impl Fn(usize) -> bool,
    ) -> f64 {
        explained(&self.blocks(places, size, inside))
    }

    /// Grey levels of the query and of the reference in each block that holds enough pixels.
    fn blocks(
        &self,
        places: &[usize],
        (width, height): (usize, usize),
        inside: impl Fn(usize) -> bool,
    ) -> Vec<(f64, f64)> {
        let mut sums = vec![(0.0, 0.0, 0); BLOCKS.0 * BLOCKS.1];
        let values = self.query.iter().zip(&self.reference);
        for (&place, (q, r)) in places.iter().zip(values).filter(|(p, _)| inside(**p)) {
            let (x, y) = (place % width, place / width);
            let sum = &mut sums[y * BLOCKS.1 / height * BLOCKS.0 + x * BLOCKS.0 / width];
            *sum = (sum.0 + q, sum.1 + r, sum.2 + 1);
        }
        let full = sums.into_iter().filter(|sum| sum.2 >= FEWEST);
        let mean = |(q, r, count)| (q / f64::from(count), r / f64::from(count));
        full.map(mean).collect()
    }
}

/// The mean of some pictures.
fn mean<'a>(pictures: impl ExactSizeIterator<Item = &'a [f32]>, size: usize) -> Vec<f64> {
    let count = pictures.len().max(1) as f64;
    let mut sum = vec![0.0; size];
    for picture in pictures {
        let values = sum.iter_mut().zip(picture);
        values.for_each(|(sum, value)| *sum += f64::from(*value) / count);
    }
    sum
}

/// Share of the blocks that the best of the lines through two of them explains.
fn explained(blocks: &[(f64, f64)]) -> f64 {
    let pairs = blocks.iter().enumerate();
    let pairs = pairs.flat_map(|(i, a)| blocks[..i].iter().map(move |b| (a, b)));
    let lines = pairs.filter(|(a, b)| (a.1 - b.1).abs() >= APART);
    let lines = lines.map(|(a, b)| (a, (a.0 - b.0) / (a.1 - b.1)));
    let near = |(a, slope): (&(f64, f64), f64)| {
        let off = |b: &&(f64, f64)| (b.0 - a.0 - slope * (b.1 - a.1)).abs() < WITHIN;
        let met = SLOPES.contains(&slope);
        if met {
            blocks.iter().filter(off).count()
        } else {
            0
        }
    };
    let best = lines.map(near).max();
    best.map_or(1.0, |best| best as f64 / blocks.len() as f64)
}
