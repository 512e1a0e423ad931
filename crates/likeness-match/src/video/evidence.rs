//! How surely a copy: what films that agree and keypoints found again add up to.

use super::changes::LARGEST;
use super::config::Evidence;
use super::refind::Refound;
use super::segments::Agreement;

/// What was measured of a stretch that may be a copy.
pub(super) struct Signs<'a> {
    pub agreement: &'a Agreement,
    pub refound: &'a Refound,
    pub inverted: bool,
    /// How the reference is shown.
    pub shown: Shown,
}

/// How a copy shows its reference, as far as that is more or less usual.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// Degrees by which it is turned, -180..=180.
    pub turn: f64,
    pub speed: f64,
    /// Share of the query's picture that it takes.
    pub area: f64,
}

impl Shown {
    /// Log-odds that it loses by being shown as hardly any copy is. What agrees by chance does so at any
    /// angle, speed and size.
    pub(super) fn oddity(&self, weights: &Evidence) -> f64 {
        let turn = self.turn.abs();
        let askew = turn % 90.0;
        let askew = askew.min(90.0 - askew);
        let turned = if turn > 45.0 {
            weights.quarter_turn
        } else {
            0.0
        };
        let askew = weights.askew * (askew / 20.0 - 1.0).max(0.0);
        let speed = weights.odd_speed * (self.speed.ln().abs() - weights.usual_speed.ln()).max(0.0);
        let small = weights.small * (weights.usual_area / self.area.max(1e-3)).ln().max(0.0);
        turned + askew + speed + small
    }
}

impl Signs<'_> {
    /// Log-odds of a copy against another film that was put beside it in some moment and place: films
    /// that agree over many moments, and keypoints found again. `coarse`: only motion speaks for it.
    pub(super) fn evidence(&self, coarse: bool, weights: &Evidence) -> f64 {
        let agreement = self.agreement;
        if agreement.correlation < weights.min_correlation
            || agreement.moments < weights.min_moments
        {
            return f64::NEG_INFINITY;
        }
        let evidence = self.above(agreement.chance, weights);
        if !coarse {
            return evidence;
        }
        let moments = agreement.moments.min(weights.max_moments);
        let film = weights.smooth_film * self.film() * moments.sqrt();
        evidence.min(weights.smooth_prior + film + self.besides(weights))
    }

    /// Log-odds of a copy against another film that moves alike, of which `decoy` is the most that it
    /// would correlate. Either the films agree far better than such a one would, or the keypoints that
    /// move are found again. Small pictures of two titles that rise agree well, but their letters differ.
    pub(super) fn against_decoys(&self, decoy: f64, moving: &Refound, weights: &Evidence) -> f64 {
        let chance = self.agreement.chance;
        let decoy = decoy.max(LARGEST * chance);
        let excess = (decoy * decoy / (LARGEST * LARGEST) - chance * chance).max(0.0);
        let films = self.above(chance.hypot(excess.sqrt()), weights);
        let clear = self.film() - fisher(decoy);
        let found = log_ratio(moving.found, moving.chance);
        let keypoints =
            weights.moving_prior + weights.moving_film * clear + weights.moving_keypoints * found;
        // Of a picture in negative, no keypoint is found again.
        let telling = moving.expected >= weights.min_moving && !self.inverted;
        if !telling {
            return films.max(keypoints);
        }
        let missing = weights.moving_missing * (1.0 - found).max(0.0);
        keypoints.max(films - weights.moving_doubt - missing)
    }

    /// Log-odds if unrelated changes correlate with a root mean square of `chance`.
    fn above(&self, chance: f64, weights: &Evidence) -> f64 {
        let sureness = (self.film() / chance).min(weights.max_sureness);
        weights.prior + weights.sureness * sureness + self.besides(weights)
    }

    fn film(&self) -> f64 {
        fisher(self.agreement.change)
    }

    /// What speaks for a copy besides the films.
    fn besides(&self, weights: &Evidence) -> f64 {
        let keypoints = log_ratio(self.refound.found, self.refound.chance);
        weights.keypoints * keypoints.min(weights.max_keypoints) - self.shown.oddity(weights)
    }
}

/// A correlation such that its error does not depend on it (Fisher's z).
fn fisher(correlation: f64) -> f64 {
    correlation.clamp(-0.999, 0.999).atanh()
}

/// How many times as many as by chance, as a logarithm; cautious about few.
fn log_ratio(found: usize, chance: f64) -> f64 {
    ((found as f64 + 3.0) / (chance + 3.0)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_as_copies_are_loses_nothing() {
        let check = |turn: f64, speed: f64, area: f64, want: std::ops::Range<f64>| {
            let shown = Shown { turn, speed, area };
            let found = shown.oddity(&Evidence::default());
            assert!(want.contains(&found), "{shown:?}: {found}");
        };
        check(0.0, 1.0, 1.0, 0.0..1e-9);
        check(-15.0, 0.8, 0.25, 0.0..1e-9);
        check(5.0, 1.3, 0.12, 0.0..1e-9);
        check(180.0, 1.0, 1.0, 0.5..3.0);
        check(-90.0, 1.0, 0.3, 0.5..3.0);
        check(0.0, 1.0, 1.0 / 16.0, 0.3..1.5);
        check(45.0, 1.0, 1.0, 2.0..5.0);
        check(0.0, 0.5, 1.0, 1.5..5.0);
        check(0.0, 1.0, 0.01, 2.0..5.0);
    }

    /// Values measured on pictures that `docs/experiments-video.md` describes.
    #[test]
    fn copies_and_what_only_moves_alike_are_told_apart() {
        let shown = Shown {
            turn: 0.0,
            speed: 1.0,
            area: 1.0,
        };
        let check = |name: &str, films: [f64; 4], keypoints: [f64; 3], want: bool| {
            let [change, chance, decoy, moments] = films;
            let [expected, found, by_chance] = keypoints;
            let agreement = Agreement {
                span: (0.0, 12.0),
                correlation: 0.8,
                change,
                chance,
                moments,
            };
            let refound = Refound {
                expected: expected as usize,
                found: found as usize,
                chance: by_chance,
            };
            let signs = Signs {
                agreement: &agreement,
                refound: &refound,
                inverted: false,
                shown,
            };
            let weights = Evidence::default();
            assert!(signs.evidence(false, &weights) > 0.0, "{name}");
            let evidence = signs.against_decoys(decoy, &refound, &weights);
            assert_eq!(evidence > 0.0, want, "{name}: {evidence}");
        };
        let title = [1398.0, 338.0, 48.0];
        check("another title", [0.73, 0.054, 0.70, 45.0], title, false);
        check(
            "the title",
            [0.996, 0.068, 0.69, 26.0],
            [794.0, 359.0, 21.0],
            true,
        );
        check(
            "another spectrum",
            [0.60, 0.044, 0.26, 27.0],
            [1170.0, 240.0, 75.0],
            false,
        );
        check(
            "the spectrum",
            [0.98, 0.109, 0.42, 67.0],
            [3134.0, 1865.0, 313.0],
            true,
        );
        check(
            "a window dragged",
            [0.876, 0.116, 0.82, 19.0],
            [443.0, 260.0, 3.0],
            true,
        );
        check(
            "another box",
            [0.65, 0.050, 0.20, 60.0],
            [600.0, 0.0, 0.0],
            false,
        );
        check(
            "nothing but light",
            [0.97, 0.070, 0.35, 40.0],
            [0.0, 0.0, 0.0],
            true,
        );
    }
}
