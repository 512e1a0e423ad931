//! Where a short curve fits a long one best. One source, compiled for any processor and for AVX2, which is
//! chosen at run time; neither reorders arithmetic, so both give the same bits.

/// Places that are worked on at a time: four wide registers of sums, which are independent of each other.
const PLACES: usize = 32;

/// A curve of values from 0 to 255, and what correlating with its stretches takes.
#[derive(Debug, Default)]
pub struct Curve {
    values: Vec<f32>,
    /// Sum of the values before each place, and one more; it wraps, differences of near ones do not.
    totals: Vec<i32>,
    /// The same of their squares.
    squares: Vec<i32>,
}

impl Curve {
    /// Takes other values.
    pub fn set(&mut self, values: impl Iterator<Item = u8>) {
        self.values.clear();
        self.totals.clear();
        self.squares.clear();
        let (mut total, mut squares) = (0i32, 0i32);
        for value in values {
            self.values.push(value.into());
            self.totals.push(total);
            self.squares.push(squares);
            total = total.wrapping_add(value.into());
            squares = squares.wrapping_add(i32::from(value).pow(2));
        }
        self.totals.push(total);
        self.squares.push(squares);
    }
}

/// A place of a curve, and the square of the correlation there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Index of the first value.
    pub start: usize,
    /// Above 0.
    pub square: f32,
}

/// Where `curve` correlates best with `template`, which has no mean and unit length, among the places where its
/// stretch has more than `floor` for the sum of squares about its mean; of equals the first. `None` where nothing
/// correlates, and for templates of more than [`LONGEST`].
#[inline]
pub fn best(template: &[f32], curve: &Curve, floor: f32) -> Option<Fit> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing that the callee asks for.
        return unsafe { wide(template, curve, floor) };
    }
    scalar(template, curve, floor)
}

/// Values of a template so that no sum of squares wraps.
pub const LONGEST: usize = 30_000;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide(template: &[f32], curve: &Curve, floor: f32) -> Option<Fit> {
    scalar(template, curve, floor)
}

/// The same for any processor.
#[inline(always)]
pub fn scalar(template: &[f32], curve: &Curve, floor: f32) -> Option<Fit> {
    let (n, values) = (template.len(), &curve.values[..]);
    if n == 0 || n > values.len() || n > LONGEST {
        return None;
    }
    let places = values.len() - n + 1;
    let mut best: Option<Fit> = None;
    let mut squares = [0f32; PLACES];
    for start in (0..places).step_by(PLACES) {
        // The last block begins earlier, so that it is whole where the curve is long enough for one.
        let start = start.min(places.saturating_sub(PLACES));
        let squares = &mut squares[..PLACES.min(places)];
        match <&mut [f32; PLACES]>::try_from(&mut *squares) {
            Ok(whole) => correlate(template, curve, start, floor, whole),
            Err(_) => correlate_few(template, curve, floor, squares),
        }
        let most = best.map_or(0.0, |best| best.square);
        if squares.iter().any(|&square| square > most) {
            for (i, &square) in squares.iter().enumerate() {
                if square > best.map_or(0.0, |best| best.square) {
                    let start = start + i;
                    best = Some(Fit { start, square });
                }
            }
        }
    }
    best
}

/// Squares of the correlations at `PLACES` places from `start` on; 0 for negative ones.
#[inline(always)]
fn correlate(
    template: &[f32],
    curve: &Curve,
    start: usize,
    floor: f32,
    squares: &mut [f32; PLACES],
) {
    let mut sums = [0f32; PLACES];
    for (values, &factor) in curve.values[start..].windows(PLACES).zip(template) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value * factor;
        }
    }
    let n = template.len();
    let before = |sums: &'_ [i32], at: usize| -> [i32; PLACES] {
        let mut near = [0; PLACES];
        near.copy_from_slice(&sums[at..at + PLACES]);
        near
    };
    let totals = [start, start + n].map(|at| before(&curve.totals, at));
    let energies = [start, start + n].map(|at| before(&curve.squares, at));
    for i in 0..PLACES {
        let total = totals[1][i].wrapping_sub(totals[0][i]) as f32;
        let energy = energies[1][i].wrapping_sub(energies[0][i]) as f32 - total * total / n as f32;
        squares[i] = square(sums[i], energy, floor);
    }
}

/// The same at as few places as there are.
fn correlate_few(template: &[f32], curve: &Curve, floor: f32, squares: &mut [f32]) {
    let n = template.len();
    for (start, out) in squares.iter_mut().enumerate() {
        let products = curve.values[start..].iter().zip(template);
        let sum = products.fold(0.0, |sum, (value, factor)| sum + value * factor);
        let about = |sums: &[i32]| sums[start + n].wrapping_sub(sums[start]) as f32;
        let total = about(&curve.totals);
        let energy = about(&curve.squares) - total * total / n as f32;
        *out = square(sum, energy, floor);
    }
}

#[inline(always)]
fn square(sum: f32, energy: f32, floor: f32) -> f32 {
    match sum > 0.0 && energy > floor {
        true => sum * sum / energy,
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::wanted::tests::random;

    /// The place and the square in the most direct way.
    fn exact(template: &[f32], values: &[u8], floor: f64) -> Option<(usize, f64)> {
        let places = values.windows(template.len()).enumerate();
        let square = |(start, stretch): (usize, &[u8])| {
            let values = || stretch.iter().map(|&value| f64::from(value));
            let mean = values().sum::<f64>() / stretch.len() as f64;
            let energy: f64 = values().map(|value| (value - mean).powi(2)).sum();
            let sum: f64 = values()
                .zip(template)
                .map(|(value, factor)| value * f64::from(*factor))
                .sum();
            (sum > 0.0 && energy > floor).then_some((start, sum * sum / energy))
        };
        places.filter_map(square).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    #[test]
    fn the_best_place_is_found_by_both_forms() {
        let check = |n: usize, length: usize, floor: f32| {
            let mean = (0..n).map(|i| (i as f32 * 0.7).sin()).sum::<f32>() / n as f32;
            let template: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin() - mean).collect();
            let norm = template.iter().map(|v| v * v).sum::<f32>().sqrt();
            let template: Vec<f32> = template.iter().map(|v| v / norm).collect();
            // A third of it hardly moves.
            let mut next = random(88_172_645_463_325_252 + length as u64);
            let value = |i| match i > length / 3 {
                true => next() as u8,
                false => 250 + (next() % 2) as u8,
            };
            let values: Vec<u8> = (0..length).map(value).collect();
            let mut curve = Curve::default();
            curve.set([7; 50].into_iter());
            curve.set(values.iter().copied());
            let found = best(&template, &curve, floor);
            assert_eq!(found, scalar(&template, &curve, floor), "{n} {length}");
            let want = exact(&template, &values, floor.into());
            assert_eq!(found.is_some(), want.is_some(), "{n} {length}");
            if let (Some(found), Some((start, square))) = (found, want) {
                assert!(
                    (f64::from(found.square) - square).abs() < 1e-4,
                    "{found:?} {square}"
                );
                assert_eq!(found.start, start, "{n} {length}");
            }
        };
        for (n, length) in [
            (5, 4),
            (5, 5),
            (5, 20),
            (9, 40),
            (80, 111),
            (80, 112),
            (80, 113),
            (33, 1000),
            (300, 5000),
        ] {
            check(n, length, n as f32);
        }
        check(80, 300, 1e9);
    }
}
