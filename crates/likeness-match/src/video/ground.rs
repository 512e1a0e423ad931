//! What stands in two films, over larger distances than captions, grain and edges reach.
//!
//! Two films with one display or countdown laid over them agree in what moves, and near it in detail. What stands
//! behind it is bright here and dark there in the one, and otherwise in the other; in a copy, however it was graded,
//! one line leads from the grey levels of the reference to its own.

use super::film::Film;
use super::timeline::Line;

/// Pixels through whose grey levels lines are laid.
const SEEDS: usize = 48;
/// Grey levels by which two of them must differ in the reference.
const APART: f32 = 8.0;
/// Slopes of a line: contrast lost or won.
const SLOPES: std::ops::Range<f32> = 0.3..3.0;
/// Grey levels to either side of a line within which a pixel is explained.
const WITHIN: f32 = 10.0;

/// Two films' pictures on average over time, from which no mean was taken.
pub(super) struct Ground {
    query: Vec<f32>,
    reference: Vec<f32>,
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

    /// Of mean grey levels of the query and of the reference, pixel by pixel.
    #[cfg(test)]
    pub(super) fn new(query: Vec<f32>, reference: Vec<f32>) -> Ground {
        Ground { query, reference }
    }

    /// Share of the pixels whose grey levels one line leads from the reference's to the query's; all where the
    /// reference is of one grey. `inside` tells which of the pixels are asked.
    pub(super) fn alike(&self, inside: impl Fn(usize) -> bool) -> f64 {
        let pairs = self.query.iter().zip(&self.reference).enumerate();
        let asked = pairs.filter(|(pixel, _)| inside(*pixel));
        explained(&asked.map(|(_, (q, r))| (*q, *r)).collect::<Vec<_>>())
    }
}

/// The mean of some pictures.
fn mean<'a>(pictures: impl ExactSizeIterator<Item = &'a [f32]>, size: usize) -> Vec<f32> {
    let share = 1.0 / pictures.len().max(1) as f32;
    let mut sum = vec![0.0; size];
    for picture in pictures {
        let values = sum.iter_mut().zip(picture);
        values.for_each(|(sum, value)| *sum += share * value);
    }
    sum
}

/// Share of the grey levels (query, reference) that the best of the lines through two of them explains.
fn explained(levels: &[(f32, f32)]) -> f64 {
    let seeds = levels.iter().step_by((levels.len() / SEEDS).max(1));
    let pairs = seeds.clone().enumerate();
    let pairs = pairs.flat_map(|(i, a)| seeds.clone().take(i).map(move |b| (a, b)));
    let lines = pairs.filter(|(a, b)| (a.1 - b.1).abs() >= APART);
    let near = |(a, b): (&(f32, f32), &(f32, f32))| {
        let slope = (a.0 - b.0) / (a.1 - b.1);
        let off = |c: &&(f32, f32)| (c.0 - a.0 - slope * (c.1 - a.1)).abs() < WITHIN;
        match SLOPES.contains(&slope) {
            true => levels.iter().filter(off).count(),
            false => 0,
        }
    };
    let best = lines.map(near).max();
    best.map_or(1.0, |best| best as f64 / levels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (32, 18);

    #[test]
    fn a_copy_is_explained_by_one_line_and_another_ground_is_not() {
        type Grey<'a> = &'a dyn Fn(usize, usize) -> f32;
        let check =
            |name: &str, query: Grey, reference: Grey, want: std::ops::RangeInclusive<f64>| {
                let draw = |grey: Grey| -> Vec<f32> {
                    let pixels = 0..SIZE.0 * SIZE.1;
                    pixels.map(|p| grey(p % SIZE.0, p / SIZE.0)).collect()
                };
                let ground = Ground {
                    query: draw(query),
                    reference: draw(reference),
                };
                let found = ground.alike(|_| true);
                assert!(want.contains(&found), "{name}: {found}");
            };
        let hill = |x: usize, y: usize| 40.0 + 5.0 * x as f32 + 20.0 * (y as f32 / 4.0).sin();
        let valley = |x: usize, y: usize| 200.0 - 4.0 * x as f32 + 30.0 * (y as f32 / 3.0).cos();
        let boxed = |x: usize, y: usize| if y < 4 { 16.0 } else { hill(x, y) };
        check("itself", &hill, &hill, 1.0..=1.0);
        check("darker", &|x, y| 10.0 + 0.5 * hill(x, y), &hill, 1.0..=1.0);
        check(
            "gamma",
            &|x, y| (hill(x, y) / 255.0).powf(1.4) * 255.0,
            &hill,
            0.8..=1.0,
        );
        check("a box over it", &boxed, &hill, 0.7..=0.9);
        check("another", &valley, &hill, 0.0..=0.45);
        check("in negative", &|x, y| 255.0 - hill(x, y), &hill, 0.0..=0.45);
        check("one grey", &|_, _| 90.0, &hill, 0.0..=0.45);
        check("nothing to tell", &valley, &|_, _| 90.0, 1.0..=1.0);
    }
}
