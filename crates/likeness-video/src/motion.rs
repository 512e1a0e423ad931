//! How much a picture moves from moment to moment: a curve that cropping, turning, shrinking and
//! mirroring hardly change, for pictures too smooth for keypoints.

use likeness_core::video::Thumbnails;
use likeness_core::{Posting, PostingSpace, ReferenceId};

/// The space in which curves are stored.
pub const SPACE: PostingSpace = PostingSpace::VideoMotion;
/// The one term of that space: curves are compared one by one, not looked up.
pub const TERM: u64 = 0;
/// Values in a posting's payload, the first in its lowest byte.
const PER_POSTING: usize = 8;
/// Steps of a value for each factor e of motion.
const STEPS: f32 = 22.0;

/// Change from each thumbnail to the next on a logarithmic scale, [`Thumbnails::rate`] values a
/// second: 22 for each factor e of the variance, 0 where nothing moves, 240 for cuts from black to
/// white.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MotionCurve {
    /// The values; value `i` is between pictures `i` and `i + 1`.
    pub values: Vec<u8>,
}

impl MotionCurve {
    /// The curve of sparse thumbnails (those of a query: [`Thumbnails::to_reference`]).
    pub fn of(thumbnails: &Thumbnails) -> MotionCurve {
        let pairs = 1..thumbnails.len();
        MotionCurve {
            values: pairs
                .map(|i| motion(thumbnails.picture(i - 1), thumbnails.picture(i)))
                .collect(),
        }
    }

    /// The curve as postings: time is the index of the first value.
    pub fn postings(&self, reference: ReferenceId) -> Vec<Posting> {
        let chunks = self.values.chunks(PER_POSTING).enumerate();
        chunks
            .map(|(i, chunk)| {
                let mut bytes = [0; PER_POSTING];
                bytes[..chunk.len()].copy_from_slice(chunk);
                Posting {
                    term: TERM,
                    reference,
                    time: (i * PER_POSTING) as u32,
                    payload: u64::from_le_bytes(bytes),
                }
            })
            .collect()
    }

    /// Appends the values of the next posting of the same reference. The curve may end in up to
    /// seven zeros that [`MotionCurve::of`] did not have.
    pub fn extend(&mut self, posting: &Posting) {
        self.values.extend(posting.payload.to_le_bytes());
    }
}

/// Variance of the change over the picture: what brightens all of it at once is no motion.
fn motion(before: &[u8], after: &[u8]) -> u8 {
    let (mut sum, mut squares) = (0i64, 0i64);
    for (&a, &b) in before.iter().zip(after) {
        let change = i64::from(b) - i64::from(a);
        sum += change;
        squares += change * change;
    }
    let n = before.len().max(1) as f32;
    let mean = sum as f32 / n;
    let variance = (squares as f32 / n - mean * mean).max(0.0);
    // 0.5: what quantisation alone does.
    (STEPS * (variance / 0.5).ln_1p()).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A film of one bright square that moves by `step` pixels a picture.
    fn film(step: usize, brightening: u8) -> Thumbnails {
        let mut film = Thumbnails::new();
        for t in 0..20 {
            let picture = film.push_black();
            picture.fill(t * brightening);
            for y in 10..20 {
                for x in 0..10 {
                    picture[y * 64 + (x + step * usize::from(t)) % 64] = 200;
                }
            }
        }
        film.to_reference()
    }

    #[test]
    fn motion_raises_the_curve_and_brightness_does_not() {
        let mean = |film: &Thumbnails| {
            let values = MotionCurve::of(film).values;
            values.iter().map(|&v| u32::from(v)).sum::<u32>() / values.len() as u32
        };
        let (still, slow, fast) = (film(0, 0), film(1, 0), film(4, 0));
        assert_eq!(mean(&still), 0);
        assert!(mean(&slow) > 50 && mean(&fast) > mean(&slow) + 10);
        // Only the square, which stays, tells that the rest brightens.
        assert!(mean(&film(0, 4)) < mean(&slow));
    }

    #[test]
    fn postings_carry_the_curve() {
        let curve = MotionCurve::of(&film(3, 0));
        let mut back = MotionCurve::default();
        for posting in curve.postings(ReferenceId(7)) {
            assert_eq!((posting.term, posting.reference), (TERM, ReferenceId(7)));
            assert_eq!(posting.time as usize, back.values.len());
            back.extend(&posting);
        }
        let (values, filled) = back.values.split_at(curve.values.len());
        assert_eq!(values, curve.values);
        assert!(filled.len() < 8 && filled.iter().all(|&v| v == 0));
    }
}
