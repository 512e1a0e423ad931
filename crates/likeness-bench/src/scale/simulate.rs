//! Works that never were: stretches of real fingerprints one after the other, each distorted. What
//! belongs together stays together, so that terms are as common, and lists as long, as real works
//! make them; random bits would not.

use crate::corpus::Kind;
use likeness::ExtractOptions;
use likeness_core::Fingerprint;
use likeness_distort::Random;

/// Seconds of a simulated work.
pub(super) const LENGTH: (f64, f64) = (120.0, 300.0);
/// Seconds of a stretch in it; less where the donor is shorter.
pub(super) const STRETCH: (f64, f64) = (20.0, 60.0);
/// Speeds at which it is played.
pub(super) const SPEED: (f64, f64) = (0.7, 1.4);
/// Most of the peaks or keypoints that are lost.
pub(super) const LOST: f64 = 0.25;

/// The sound or the picture of a work.
pub(super) trait Stream: Sized + Send + Sync {
    /// The kind of work of which it is looked at.
    const KIND: Kind;
    /// Seconds that a donor must be longer than.
    const SHORTEST: f64;
    /// How a stretch is changed besides its speed.
    type Change;

    /// What is extracted: nothing but this.
    fn extracted() -> ExtractOptions;
    /// The stream of a fingerprint that has it.
    fn of(fingerprint: Fingerprint) -> Option<Self>;
    /// A fingerprint of nothing but this.
    fn alone(self) -> Fingerprint;
    fn seconds(&self) -> f64;
    /// What is between two moments, in whole seconds.
    fn window(&self, window: (f64, f64)) -> Self;

    /// One that lasts no time, otherwise like this.
    fn empty(&self) -> Self;
    fn draw(random: &mut Random) -> Self::Change;
    /// Appends a stretch of `source` after a change. Lasts longer by it, if only a little.
    fn append(
        &mut self,
        source: &Self,
        stretch: &Stretch,
        change: &Self::Change,
        random: &mut Random,
    );
}

/// A part of a donor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Where it begins in the donor, seconds.
    pub(super) start: f64,
    /// How long it lasts when it is played.
    pub(super) seconds: f64,
    pub(super) speed: f64,
}

/// Makes works out of donors'.
pub(super) struct Simulator<S> {
    donors: Vec<S>,
}

impl<S: Stream> Simulator<S> {
    /// Donors are sparse; those that are too short are left out, and some must remain.
    pub(super) fn new(mut donors: Vec<S>) -> Simulator<S> {
        donors.retain(|donor| donor.seconds() > S::SHORTEST);
        Simulator { donors }
    }

    /// Number of donors.
    pub(super) fn donors(&self) -> usize {
        self.donors.len()
    }

    /// Work `number`: always the same.
    pub(super) fn work(&self, number: u64) -> Fingerprint {
        let mut random = Random::new(number, "simulated work");
        let length = random.between(LENGTH.0, LENGTH.1);
        let mut all = self.donors[0].empty();
        while all.seconds() < length {
            let donor = &self.donors[random.index(self.donors.len())];
            let speed = random.between(SPEED.0, SPEED.1);
            let change = S::draw(&mut random);
            let longest = donor.seconds() / speed;
            let seconds = random.between(STRETCH.0, STRETCH.1).min(longest);
            let stretch = Stretch {
                start: random.between(0.0, donor.seconds() - seconds * speed),
                seconds,
                speed,
            };
            all.append(donor, &stretch, &change, &mut random);
        }
        let mut content = [0; 32];
        content[..8].copy_from_slice(&number.to_le_bytes());
        content[8..17].copy_from_slice(b"simulated");
        Fingerprint {
            content,
            ..all.alone()
        }
    }
}
