//! Where along a line the films agree, and how surely.

use super::config::VideoMatchConfig;
use super::film::{Film, dot};
use super::timeline::Line;
use std::ops::RangeInclusive;

/// Correlation, smoothed over some seconds, that starts a segment...
const ENTER: f64 = 0.4;
/// ...and below which it ends.
const LEAVE: f64 = 0.2;
/// Width of the smoothing, seconds.
const SMOOTHING: f64 = 1.6;
/// Share of the mean energy below which a picture stands still and says nothing.
const STILL: f64 = 0.03;

/// Variance of a change that quantisation alone makes.
const QUANTISATION: f32 = 2.7;
/// Chance is never taken for less.
const MIN_CHANCE: f64 = 0.02;
/// Pictures by which films must be out of step not to be in step.
const OUT_OF_STEP: usize = 5;

/// Sums for a correlation of pictures.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    qq: f64,
    rr: f64,
    qr: f64,
}

impl Sums {
    fn of(query: &[f32], reference: &[f32]) -> Sums {
        Sums {
            qq: dot(query, query).into(),
            rr: dot(reference, reference).into(),
            qr: dot(query, reference).into(),
        }
    }

    fn add(&mut self, other: &Sums) {
        self.qq += other.qq;
        self.rr += other.rr;
        self.qr += other.qr;
    }

    fn correlation(&self) -> f64 {
        let norm = (self.qq * self.rr).sqrt();
        if norm > 0.0 { self.qr / norm } else { 0.0 }
    }
}

/// A stretch over which the films agree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreement {
    /// Query times.
    pub span: (f64, f64),
    /// Correlation of the two films over it.
    pub correlation: f64,
    /// Correlation of what changes from one picture to the next.
    pub change: f64,
    /// The same, root mean square, out of step: by chance.
    pub chance: f64,
    /// How many moments of change it rests on: few when all that happens is one cut, however long
    /// what follows stands still.
    pub moments: f64,
}

/// The stretch of query time around the seconds `core` over which the films agree along `line`.
pub(super) fn agreement(
    query: &Film,
    reference: &Film,
    line: Line,
    core: (f64, f64),
    config: &VideoMatchConfig,
) -> Option<Agreement> {
    let (numbers, reference) = reference.along(query, line);
    let sums: Vec<Sums> = numbers
        .iter()
        .enumerate()
        .map(|(k, &i)| Sums::of(query.picture(i), reference.picture(k)))
        .collect();
    let states = states(&sums, query.rate);
    let middle = (core.0 + core.1) / 2.0;
    // The agreeing step nearest to the middle of what proposed the line.
    let seed = (0..states.len())
        .filter(|&k| states[k].is_some_and(|c| c >= ENTER))
        .min_by(|&a, &b| {
            let far = |k: usize| (query.time(numbers[k]) - middle).abs();
            far(a).total_cmp(&far(b))
        })?;
    let first = walk(&states, (0..=seed).rev())?;
    let last = walk(&states, seed..states.len())?;
    let half = 0.5 / query.rate;
    let time = |k: usize| query.time(numbers[k]);
    let span = (time(first) - half, time(last) + half);
    if span.1 - span.0 < config.min_seconds {
        return None;
    }
    let mut total = Sums::default();
    sums[first..=last].iter().for_each(|s| total.add(s));
    let changes = Changes::new(query, &reference, &numbers, first..=last);
    Some(Agreement {
        span,
        correlation: total.correlation(),
        change: changes.correlation(|k| k),
        chance: changes.chance(),
        moments: changes.moments(),
    })
}

/// What changes from one picture to the next, in both films.
struct Changes {
    /// Values of a picture.
    size: usize,
    query: Vec<f32>,
    reference: Vec<f32>,
}

impl Changes {
    /// The changes at `steps` of two films that run side by side. Pixels count by how much they
    /// change in the reference: the rest of a copy holds nothing but noise. No step counts more than
    /// the mean one: a cut changes more than all motion together.
    fn new(
        query: &Film,
        reference: &Film,
        numbers: &[usize],
        steps: RangeInclusive<usize>,
    ) -> Changes {
        let size = query.size;
        let steps: Vec<usize> = steps.skip(1).collect();
        let difference = |film: &Film, number: &dyn Fn(usize) -> usize| -> Vec<f32> {
            let of = |&k: &usize| {
                let pair = film
                    .picture(number(k))
                    .iter()
                    .zip(film.picture(number(k - 1)));
                pair.map(|(b, a)| b - a)
            };
            steps.iter().flat_map(of).collect()
        };
        let mut changes = Changes {
            size,
            query: difference(query, &|k| numbers[k]),
            reference: difference(reference, &|k| k),
        };
        let mut energy = vec![0f32; size];
        for picture in changes.reference.chunks_exact(size) {
            energy
                .iter_mut()
                .zip(picture)
                .for_each(|(e, v)| *e += v * v);
        }
        let mean = energy.iter().sum::<f32>() / size as f32;
        let floor = mean + QUANTISATION * steps.len() as f32;
        let weights: Vec<f32> = energy.iter().map(|e| (e / (e + floor)).sqrt()).collect();
        for film in [&mut changes.query, &mut changes.reference] {
            for picture in film.chunks_exact_mut(size) {
                picture.iter_mut().zip(&weights).for_each(|(v, w)| *v *= w);
            }
            limit(film, size);
        }
        changes
    }

    fn len(&self) -> usize {
        self.query.len() / self.size
    }

    /// Correlation of each step with the one that `twin` gives for it.
    fn correlation(&self, twin: impl Fn(usize) -> usize) -> f64 {
        let picture = |k: usize| k * self.size..(k + 1) * self.size;
        let products = (0..self.len()).map(|k| {
            f64::from(dot(
                &self.query[picture(k)],
                &self.reference[picture(twin(k))],
            ))
        });
        let norm = f64::from(dot(&self.query, &self.query))
            * f64::from(dot(&self.reference, &self.reference));
        match norm > 0.0 {
            true => products.sum::<f64>() / norm.sqrt(),
            false => 0.0,
        }
    }

    /// How many moments of change there are: few when all that happens is one cut.
    fn moments(&self) -> f64 {
        let steps = self
            .query
            .chunks_exact(self.size)
            .zip(self.reference.chunks_exact(self.size));
        let weights = steps.map(|(q, r)| (f64::from(dot(q, q)) * f64::from(dot(r, r))).sqrt());
        let (sum, squares) = weights.fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
        if squares > 0.0 {
            sum * sum / squares
        } else {
            0.0
        }
    }

    /// Root mean square of what the same changes correlate out of step: played round from another
    /// moment on, and played backwards.
    fn chance(&self) -> f64 {
        let n = self.len();
        let least = self.moments().max(1.0).sqrt().recip();
        if n < 4 * OUT_OF_STEP {
            // Too few to be put out of step.
            return least;
        }
        let shifted = (OUT_OF_STEP..=n - OUT_OF_STEP).map(|s| self.correlation(|k| (k + s) % n));
        let reversed = (0..n).map(|s| self.correlation(|k| (s + n - k) % n));
        let (mut squares, mut count) = (0.0, 0);
        for c in shifted.chain(reversed) {
            squares += c * c;
            count += 1;
        }
        (squares / f64::from(count)).sqrt().max(MIN_CHANCE)
    }
}

/// Scales down the pictures with more than the mean energy.
fn limit(film: &mut [f32], size: usize) {
    let total = dot(film, film);
    let mean = total / (film.len() / size).max(1) as f32;
    for picture in film.chunks_exact_mut(size) {
        let energy = dot(picture, picture);
        if energy > mean {
            let scale = (mean / energy).sqrt();
            picture.iter_mut().for_each(|v| *v *= scale);
        }
    }
}

/// Follows the agreement until it breaks; stillness is bridged but not trailed into.
fn walk(states: &[Option<f64>], order: impl Iterator<Item = usize>) -> Option<usize> {
    let mut last = None;
    for k in order {
        match states[k] {
            Some(c) if c >= LEAVE => last = Some(k),
            Some(_) => break,
            None => {}
        }
    }
    last
}

/// Smoothed correlation at every step; `None` where both films stand still.
fn states(sums: &[Sums], rate: f64) -> Vec<Option<f64>> {
    let reach = (SMOOTHING / 2.0 * rate).round() as usize;
    let n = sums.len();
    let mean = sums.iter().map(|s| s.qq + s.rr).sum::<f64>() / n.max(1) as f64;
    (0..n)
        .map(|k| {
            let near = &sums[k.saturating_sub(reach)..(k + reach + 1).min(n)];
            let mut total = Sums::default();
            near.iter().for_each(|s| total.add(s));
            let still = total.qq + total.rr < STILL * mean * near.len() as f64;
            (!still).then(|| total.correlation())
        })
        .collect()
}
