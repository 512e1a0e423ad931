//! What changes from one picture to the next in two films that run side by side, and what such changes
//! correlate by chance.

use super::dot::dot;
use super::film::Film;
use std::ops::RangeInclusive;

/// Variance of a change that quantisation alone makes.
const QUANTISATION: f32 = 2.7;
/// Chance is never taken for less.
const MIN_CHANCE: f64 = 0.02;
/// Pictures by which films must be out of step not to be in step.
const OUT_OF_STEP: usize = 5;
/// Correlation with the change before it from which a change is more of the same.
const SAME: f32 = 0.9;
/// The largest of the correlations with a turned film, at all its shifts, that their root mean square
/// gives rise to by chance, in units of it.
pub(super) const LARGEST: f64 = 3.2;

/// A film that moves as the reference does and shows something else.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Decoy {
    /// What its changes correlate with the query's...
    pub query: f64,
    /// ...and with the reference's own: 1 where that is its own mirror image.
    pub reference: f64,
}

impl Decoy {
    /// One that has nothing to do with the reference and correlates `query` with the query's.
    pub(super) fn unrelated(query: f64) -> Decoy {
        Decoy {
            query,
            reference: 0.0,
        }
    }

    /// This one, or another if that correlates better with the query's.
    pub(super) fn or(self, other: Decoy) -> Decoy {
        if other.query > self.query {
            other
        } else {
            self
        }
    }
}

/// What changes from one picture to the next, in both films.
pub(super) struct Changes {
    /// Values of a picture.
    pub size: usize,
    pub query: Vec<f32>,
    reference: Vec<f32>,
    /// What each value of a picture was multiplied by.
    weights: Vec<f32>,
    /// Root of the product of their energies.
    norm: f64,
}

impl Changes {
    /// The changes at `steps` of two films that run side by side. Pixels count by how much they
    /// change in the reference: the rest of a copy holds nothing but noise. No step counts more than
    /// the mean one: a cut changes more than all motion together.
    pub(super) fn new(
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
        let mut query = difference(query, &|k| numbers[k]);
        let mut reference = difference(reference, &|k| k);
        let energy = energy(&reference, size);
        let mean = energy.iter().sum::<f32>() / size as f32;
        let floor = mean + QUANTISATION * steps.len() as f32;
        let weights: Vec<f32> = energy.iter().map(|e| (e / (e + floor)).sqrt()).collect();
        for film in [&mut query, &mut reference] {
            weigh(film, &weights);
        }
        Changes {
            weights,
            ..Changes::of(query, reference, size)
        }
    }

    /// The changes from each picture of another stretch of the reference to the next, weighed as these are.
    pub(super) fn weighed(&self, film: &Film) -> Vec<f32> {
        let next = film.values.iter().skip(self.size);
        let mut changes: Vec<f32> = next.zip(&film.values).map(|(b, a)| b - a).collect();
        weigh(&mut changes, &self.weights);
        changes
    }

    fn of(query: Vec<f32>, reference: Vec<f32>, size: usize) -> Changes {
        let energy = |film: &[f32]| f64::from(dot(film, film));
        Changes {
            norm: (energy(&query) * energy(&reference)).sqrt(),
            size,
            query,
            reference,
            weights: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.query.len() / self.size
    }

    /// Correlation of each step with the one that `twin` gives for it.
    pub(super) fn correlation(&self, twin: impl Fn(usize) -> usize) -> f64 {
        let picture = |k: usize| k * self.size..(k + 1) * self.size;
        let products = (0..self.len()).map(|k| {
            f64::from(dot(
                &self.query[picture(k)],
                &self.reference[picture(twin(k))],
            ))
        });
        match self.norm > 0.0 {
            true => products.sum::<f64>() / self.norm,
            false => 0.0,
        }
    }

    /// How many moments of change there are: few when all that happens is one cut.
    pub(super) fn moments(&self) -> f64 {
        effective(self.energies())
    }

    /// How many things happen: as moments, but a fade, which changes picture after picture in the same way,
    /// is one of them however long it takes.
    pub(super) fn events(&self) -> f64 {
        let steps: Vec<&[f32]> = self.reference.chunks_exact(self.size).collect();
        let cosine = |a: &[f32], b: &[f32]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        let mut events: Vec<f64> = Vec::new();
        for (k, energy) in self.energies().enumerate() {
            match events.last_mut() {
                Some(event) if cosine(steps[k - 1], steps[k]) > SAME => *event = event.max(energy),
                _ => events.push(energy),
            }
        }
        effective(events.into_iter())
    }

    /// How much changes at each step in both films.
    fn energies(&self) -> impl Iterator<Item = f64> {
        let query = self.query.chunks_exact(self.size);
        let steps = query.zip(self.reference.chunks_exact(self.size));
        steps.map(|(q, r)| (f64::from(dot(q, q)) * f64::from(dot(r, r))).sqrt())
    }

    /// Share of the picture over which changes that both films have spread: that of which they would fill
    /// all evenly.
    pub(super) fn spread(&self) -> f64 {
        let energies = energy(&self.query, self.size)
            .into_iter()
            .zip(energy(&self.reference, self.size));
        let common = energies.map(|(q, r)| (f64::from(q) * f64::from(r)).sqrt());
        effective(common) / self.size as f64
    }

    /// Root mean square of what the same changes correlate out of step: played round from another
    /// moment on, and played backwards.
    pub(super) fn chance(&self) -> f64 {
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

    /// The picture of another kind that moves alike and agrees best: the reference's own, turned over.
    ///
    /// Two titles that rise, or the spectra of two songs that scroll, keep in step and look alike as far
    /// as small pictures tell, and out of step they do not: the motion alone makes them agree. A film
    /// mirrored across the motion, or mirrored along it and played backwards, moves as it did but
    /// shows something else. It is turned about the middle of what moves in it, so that it stays where
    /// it was, and shifted in time to where it agrees best. `pixels` are the places of the values in a
    /// picture of `width`.
    pub(super) fn decoy(&self, pixels: &[usize], width: usize) -> Decoy {
        let best = |turn: Turn| {
            let turned = self.turned(turn, pixels, width);
            let (query, shift) = turned.best_shift(turn.reversed);
            (query, turned, turn.reversed, shift)
        };
        let turned = TURNS.into_iter().map(best);
        let Some((query, turned, reversed, shift)) = turned.max_by(|a, b| a.0.total_cmp(&b.0))
        else {
            return Decoy::default();
        };
        let n = self.len();
        let own = Changes::of(self.reference.clone(), turned.reference, self.size);
        Decoy {
            query: query.max(0.0),
            reference: own.correlation(|k| twin(k, shift, n, reversed)),
        }
    }

    /// The same with the reference turned over.
    fn turned(&self, turn: Turn, pixels: &[usize], width: usize) -> Changes {
        let sources = turn.sources(pixels, width, &energy(&self.reference, self.size));
        let sign = if turn.reversed { -1.0 } else { 1.0 };
        let pictures = self.reference.chunks_exact(self.size);
        let read =
            |picture: &[f32], source: &Option<usize>| source.map_or(0.0, |i| sign * picture[i]);
        let reference = pictures
            .flat_map(|picture| sources.iter().map(move |source| read(picture, source)))
            .collect();
        Changes::of(self.query.clone(), reference, self.size)
    }

    /// The highest correlation when the reference begins, or ends, at any other moment, and the moment.
    fn best_shift(&self, reversed: bool) -> (f64, usize) {
        let n = self.len();
        let shifted = |s: usize| (self.correlation(|k| twin(k, s, n, reversed)), s);
        let best = (0..n).map(shifted).max_by(|a, b| a.0.total_cmp(&b.0));
        best.unwrap_or_default()
    }
}

/// How many equal weights would be spread as widely as these.
fn effective(weights: impl Iterator<Item = f64>) -> f64 {
    let (sum, squares) = weights.fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
    if squares > 0.0 {
        sum * sum / squares
    } else {
        0.0
    }
}

/// The step that stands beside step `k` of `n` when a film begins, or ends, with step `shift`.
fn twin(k: usize, shift: usize, n: usize, reversed: bool) -> usize {
    match reversed {
        true => (shift + n - k) % n,
        false => (shift + k) % n,
    }
}

/// How much each value of some changes of `size` values changes.
fn energy(changes: &[f32], size: usize) -> Vec<f32> {
    let mut energy = vec![0.0; size];
    for picture in changes.chunks_exact(size) {
        energy
            .iter_mut()
            .zip(picture)
            .for_each(|(e, v)| *e += v * v);
    }
    energy
}

/// A way to turn a film over such that some motion stays what it was.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// Left to right.
    across: bool,
    /// Upside down.
    down: bool,
    /// Played backwards.
    reversed: bool,
}

const TURNS: [Turn; 5] = [
    // Motion up and down, and to the sides, stays.
    turn(true, false, false),
    turn(false, true, false),
    turn(false, true, true),
    turn(true, false, true),
    // All straight motion stays.
    turn(true, true, true),
];

const fn turn(across: bool, down: bool, reversed: bool) -> Turn {
    Turn {
        across,
        down,
        reversed,
    }
}

impl Turn {
    /// For each of some pixels of a picture of `width`, the number of the one that comes in its place
    /// when turned about the middle of their `energy`.
    fn sources(self, pixels: &[usize], width: usize, energy: &[f32]) -> Vec<Option<usize>> {
        let total: f32 = energy.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let middle = |place: fn(usize, usize) -> usize| {
            let weighted = pixels.iter().zip(energy);
            let sum: f32 = weighted.map(|(&p, e)| place(p, width) as f32 * e).sum();
            (2.0 * sum / total).round() as usize
        };
        let (twice_x, twice_y) = (middle(|p, w| p % w), middle(|p, w| p / w));
        let mirror = |at: usize, twice: usize, flip: bool| match flip {
            true => twice.checked_sub(at),
            false => Some(at),
        };
        let source = |&pixel: &usize| {
            let x = mirror(pixel % width, twice_x, self.across)?;
            let y = mirror(pixel / width, twice_y, self.down)?;
            // Pixels come in rising order.
            (x < width).then(|| pixels.binary_search(&(y * width + x)).ok())?
        };
        pixels.iter().map(source).collect()
    }
}

/// Multiplies each picture of a film by `weights`, and scales down those with more than the mean energy.
fn weigh(film: &mut [f32], weights: &[f32]) {
    for picture in film.chunks_exact_mut(weights.len()) {
        picture.iter_mut().zip(weights).for_each(|(v, w)| *v *= w);
    }
    limit(film, weights.len());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fade_is_one_event_of_many_moments() {
        let check = |name: &str, changes: &[[f32; 3]], moments: f64, events: f64| {
            let film = changes.concat();
            let changes = Changes::of(film.clone(), film, 3);
            let found = (changes.moments(), changes.events());
            assert!((found.0 - moments).abs() < 1e-3, "{name}: {found:?}");
            assert!((found.1 - events).abs() < 1e-3, "{name}: {found:?}");
        };
        let (up, down, other) = ([1.0, 2.0, 0.5], [-1.0, -2.0, -0.5], [2.0, -1.0, 0.5]);
        check("a cut", &[[0.0; 3], up, [0.0; 3]], 1.0, 1.0);
        check("a card", &[[up; 4], [down; 4]].concat(), 8.0, 2.0);
        check("light that flickers", &[up, down, up, down], 4.0, 4.0);
        check("a film", &[up, other, down, other], 4.0, 4.0);
        check("nothing", &[[0.0; 3]; 4], 0.0, 0.0);
    }
}
