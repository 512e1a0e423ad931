//! What a query correlates with its reference at other moments than those that it is said to show.
//!
//! Before a camera that stands still people and cars move along the same paths all day, and a machine goes through
//! the same motions, so that another hour of one film agrees with this one as no other film does. Then it agrees with
//! other moments of it as well, which no copy does.

use super::changes::{Changes, Decoy};
use super::dot::dot;
use super::film::Film;

/// Pictures by which a moment is another one.
const APART: usize = 8;
/// Pictures farther than which nothing is looked at.
pub(super) const FARTHEST: usize = 900;
/// Correlation with the reference's own changes from which another moment is the same over again.
const REPEATED: f64 = 0.8;

impl Changes {
    /// The other moment of the reference at which its changes correlate best with the query's. `film` is the reference
    /// around the changes, of which the first is from its picture `first` to the next.
    pub(super) fn elsewhere(&self, film: &Film, first: usize) -> Decoy {
        let (size, n) = (self.size, self.len());
        let film = self.weighed(film);
        let steps = film.len() / size;
        if n == 0 || first + n > steps {
            return Decoy::default();
        }
        let energy = |picture| f64::from(dot(picture, picture));
        let energies: Vec<f64> = film.chunks_exact(size).map(energy).collect();
        let stretch = |at: usize| &film[at * size..(at + n) * size];
        let norm = |at: usize| energies[at..at + n].iter().sum::<f64>().sqrt();
        let correlation = |a: &[f32], norm_of_a: f64, at: usize| {
            f64::from(dot(a, stretch(at))) / (norm_of_a * norm(at)).max(f64::MIN_POSITIVE)
        };
        let own = f64::from(dot(&self.query, &self.query)).sqrt();
        let moments = first.saturating_sub(FARTHEST)..=(first + FARTHEST).min(steps - n);
        let mut best = Decoy::default();
        for at in moments.filter(|at| at.abs_diff(first) >= APART) {
            let query = correlation(&self.query, own, at);
            if query > best.query {
                let reference = correlation(stretch(first), norm(first), at);
                if reference < REPEATED {
                    best = Decoy { query, reference };
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::wanted::tests::random;

    const SIZE: usize = 64;
    /// Where in the reference the query's pictures are, and another moment like it.
    const HERE: usize = 40;
    const THERE: usize = 120;
    const PICTURES: usize = 48;

    /// Pictures of grain, each `seed` its own.
    fn grain(seed: u64, pictures: usize) -> Vec<f32> {
        let mut next = random(88_172_645_463_325_252 * (seed + 1));
        let values = std::iter::repeat_with(|| f32::from((next() >> 30) as u8) - 127.5);
        values.take(SIZE * pictures).collect()
    }

    fn film(values: Vec<f32>) -> Film {
        Film {
            rate: 5.0,
            first: 0.0,
            size: SIZE,
            values,
        }
    }

    /// A reference in which the same things happen twice, each time with `own` of its own.
    fn twice(own: f32) -> Film {
        let mut values = grain(1, 200);
        let common = grain(2, PICTURES);
        for (take, at) in [HERE, THERE].into_iter().enumerate() {
            let stretch = &mut values[at * SIZE..][..common.len()];
            let own_of_take = grain(3 + take as u64, PICTURES);
            let both = common.iter().zip(&own_of_take);
            let both = both.map(|(common, other)| common + own * other);
            stretch.iter_mut().zip(both).for_each(|(v, b)| *v = b);
        }
        film(values)
    }

    #[test]
    fn another_moment_tells_when_the_same_things_happen_again_but_not_when_it_is_the_same() {
        let check =
            |name: &str, reference: &Film, query: &[f32], want: [std::ops::Range<f64>; 2]| {
                let here = film(reference.values[HERE * SIZE..][..query.len()].to_vec());
                let numbers: Vec<usize> = (0..PICTURES).collect();
                let query = film(query.to_vec());
                let changes = Changes::new(&query, &here, &numbers, 0..=PICTURES - 1);
                let found = changes.elsewhere(reference, HERE);
                assert!(want[0].contains(&found.query), "{name}: {found:?}");
                assert!(want[1].contains(&found.reference), "{name}: {found:?}");
            };
        let none = [0.0..0.15, -0.15..0.15];
        let other = film(grain(1, 200));
        let copy = |film: &Film| film.values[HERE * SIZE..][..PICTURES * SIZE].to_vec();
        check("a copy", &other, &copy(&other), none.clone());
        check(
            "a copy of what is repeated",
            &twice(0.1),
            &copy(&twice(0.1)),
            none,
        );
        let happens = twice(0.8);
        check(
            "a copy of what happens again",
            &happens,
            &copy(&happens),
            [0.5..0.7, 0.5..0.7],
        );
        let third: Vec<f32> = grain(2, PICTURES)
            .iter()
            .zip(grain(9, PICTURES))
            .map(|(common, own)| common + 0.8 * own)
            .collect();
        check(
            "the same at a third time",
            &happens,
            &third,
            [0.5..0.7, 0.5..0.7],
        );
    }
}
