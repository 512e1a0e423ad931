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
