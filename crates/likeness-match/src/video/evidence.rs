//! How surely a copy: what films that agree and keypoints found again add up to.

use super::changes::{Decoy, LARGEST};
use super::config::Evidence;
use super::refind::Refound;
use super::segments::Agreement;

/// What was measured of a stretch that may be a copy.
pub(super) struct Signs<'a> {
    pub agreement: &'a Agreement,
    pub refound: &'a Refound,
    pub inverted: bool,
    /// Of a query whose pictures were laid on the reference's: what their changes correlate by that alone.
    pub laid: Option<f64>,
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
    /// By what factor it might have lasted longer, at least 1.
    pub cut_short: f64,
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
        let brief = weights.brief * self.cut_short.ln().max(0.0);
        turned + askew + speed + small + brief
    }
}

impl Signs<'_> {
    /// Log-odds of a copy against another film that was put beside it in some moment and place: films
    /// that agree over many moments, and keypoints found again. `coarse`: only motion speaks for it. There, and where
    /// pictures were laid on each other, films were made to go in step.
    pub(super) fn evidence(&self, coarse: bool, weights: &Evidence) -> f64 {
        let agreement = self.agreement;
        if agreement.correlation < weights.min_correlation
            || agreement.moments < weights.min_moments
            || agreement.events < weights.min_events
        {
            return f64::NEG_INFINITY;
        }
        let evidence = self.above(agreement.chance, weights);
        let lucky = match (coarse, self.laid) {
            (_, Some(laid)) => fisher(laid),
            (true, None) => 0.0,
            (false, None) => return evidence,
        };
        let moments = agreement.moments.min(weights.max_moments);
        let film = weights.smooth_film * (self.film() - lucky) * moments.sqrt();
        evidence.min(weights.smooth_prior + film + self.besides(weights))
    }

    /// Log-odds of a copy against another film that moves alike, which would correlate as `decoy` does.
    /// Either the films agree far better than such a one would, or the keypoints that move are found
    /// again. Small pictures of two titles that rise agree well, but their letters differ.
    pub(super) fn against_decoys(&self, decoy: Decoy, moving: &Refound, weights: &Evidence) -> f64 {
        let chance = self.agreement.chance;
        let decoy = decoy.query.max(LARGEST * chance);
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

    /// Log-odds for films that agree better than one would that only moves alike. Nothing where all that
    /// moves is a small thing (`spread` is the share of the picture in which changes lie): that may be a
    /// clock that both films show. To be asked only of matches by keypoints: a transform that was chosen for
    /// films to go in step makes them agree better than a decoy that was not.
    pub(super) fn clear(&self, decoy: Decoy, spread: f64, weights: &Evidence) -> f64 {
        if spread < weights.little_motion {
            return 0.0;
        }
        let moments = self.agreement.moments.min(weights.max_moments);
        let clear = difference(self.agreement.change, decoy, moments);
        weights.clear * (clear - weights.usually_clear).clamp(0.0, weights.max_clear)
    }

    /// Log-odds that a film loses by agreeing with another moment of the reference, `elsewhere`. A copy does so only as
    /// far as that moment is like the one that it shows: its correlation is the product of the two. Another hour of one
    /// film agrees with all its moments.
    pub(super) fn going_on(&self, elsewhere: Decoy, weights: &Evidence) -> f64 {
        let change = self.agreement.change.max(f64::MIN_POSITIVE);
        let excess = elsewhere.query / change - elsewhere.reference;
        weights.elsewhere * (excess - weights.usually_elsewhere).max(0.0)
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

/// By how much the query correlates better with the reference than with a decoy, in units of what
/// `moments` give by chance where both are other films: Williams' T2 for two correlations that share a
/// film (Steiger 1980, Psychological Bulletin 87, 245-251). A decoy that is nearly the
/// reference itself differs little by chance, so that a small difference says much.
fn difference(change: f64, decoy: Decoy, moments: f64) -> f64 {
    let (a, b, own) = (change, decoy.query, decoy.reference.clamp(-0.99, 0.99));
    let left = (1.0 - a * a - b * b - own * own + 2.0 * a * b * own).max(0.0);
    let mean = (a + b) / 2.0;
    let (n, freedom) = ((moments - 1.0).max(0.0), (moments - 3.0).max(1.0));
    let variance = 2.0 * left * n / freedom + mean * mean * (1.0 - own).powi(3);
    (a - b) * (n * (1.0 + own) / variance.max(1e-6)).sqrt()
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

    const AS_IT_IS: Shown = Shown {
        turn: 0.0,
        speed: 1.0,
        area: 1.0,
        cut_short: 1.0,
    };

    #[test]
    fn what_is_shown_as_copies_are_loses_nothing() {
        let check = |turn: f64, speed: f64, area: f64, want: std::ops::Range<f64>| {
            let shown = Shown {
                turn,
                speed,
                area,
                cut_short: 1.0,
            };
            let found = shown.oddity(&Evidence::default());
            assert!(want.contains(&found), "{shown:?}: {found}");
        };
        check(0.0, 1.0, 1.0, 0.0..1e-9);
        check(-15.0, 0.8, 0.25, 0.0..1e-9);
        check(5.0, 1.3, 0.12, 0.0..1e-9);
        check(180.0, 1.0, 1.0, 2.0..4.0);
        check(-90.0, 1.0, 0.3, 2.0..4.0);
        check(0.0, 1.0, 1.0 / 16.0, 0.3..1.5);
        check(45.0, 1.0, 1.0, 5.0..10.0);
        check(0.0, 0.5, 1.0, 1.5..5.0);
        check(0.0, 1.0, 0.01, 2.0..5.0);
        let brief = |cut_short| Shown {
            turn: 0.0,
            speed: 1.0,
            area: 1.0,
            cut_short,
        };
        let weights = Evidence::default();
        assert_eq!(brief(0.9).oddity(&weights), 0.0);
        assert!((1.0..3.0).contains(&brief(12.0).oddity(&weights)));
    }

    /// Values measured on pictures that `docs/experiments-video.md` describes.
    #[test]
    fn copies_and_what_only_moves_alike_are_told_apart() {
        let check = |name: &str, films: [f64; 4], keypoints: [f64; 3], want: bool| {
            let [change, chance, query, moments] = films;
            let decoy = Decoy {
                query,
                reference: 0.0,
            };
            let [expected, found, by_chance] = keypoints;
            let agreement = Agreement {
                span: (0.0, 12.0),
                correlation: 0.8,
                change,
                chance,
                moments,
                events: moments,
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
                laid: None,
                shown: AS_IT_IS,
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

    /// Values measured on pictures that `docs/experiments-video.md` describes, twelfth round.
    #[test]
    fn copies_are_clear_of_decoys_and_what_only_moves_alike_is_not() {
        let check = |name: &str, change: f64, decoy: [f64; 2], moments: f64, spread, want: bool| {
            let agreement = Agreement {
                span: (0.0, 12.0),
                correlation: 0.8,
                change,
                chance: 0.06,
                moments,
                events: moments,
            };
            let signs = Signs {
                agreement: &agreement,
                refound: &Refound::default(),
                inverted: false,
                laid: None,
                shown: AS_IT_IS,
            };
            let [query, reference] = decoy;
            let decoy = Decoy { query, reference };
            let weights = Evidence::default();
            let found = signs.clear(decoy, spread, &weights);
            let most = weights.clear * weights.max_clear;
            assert!((0.0..=most).contains(&found), "{name}: {found}");
            assert_eq!(found > 1.0, want, "{name}: {found}");
        };
        check("a man on a beach", 0.44, [0.05, 0.03], 72.0, 0.13, true);
        check("a film in a corner", 0.62, [0.1, 0.1], 37.0, 0.07, true);
        check("a copy", 0.9, [0.2, 0.2], 40.0, 0.4, true);
        check(
            "another line that runs",
            0.45,
            [0.46, 0.93],
            29.0,
            0.2,
            false,
        );
        check("another title", 0.66, [0.51, 0.64], 67.0, 0.44, false);
        check("two lights", 0.6, [0.41, 0.53], 46.0, 0.69, false);
        check("one transition alike", 0.44, [0.18, 0.2], 10.0, 0.2, false);
        check("a clock", 0.94, [0.38, 0.4], 98.0, 0.013, false);
        // The decoy is nearly the film: a small difference says much, none says nothing.
        check("a kaleidoscope", 0.99, [0.95, 0.96], 44.0, 0.8, true);
        check("its own mirror image", 0.96, [0.96, 1.0], 44.0, 0.8, false);
        check("nothing moves", 0.0, [0.0, 0.0], 0.0, 0.8, false);
    }

    #[test]
    fn another_hour_of_one_film_agrees_with_all_its_moments_and_a_copy_does_not() {
        let check =
            |name: &str, change: f64, [query, reference]: [f64; 2], want: std::ops::Range<f64>| {
                let agreement = Agreement {
                    span: (0.0, 12.0),
                    correlation: 0.8,
                    change,
                    chance: 0.06,
                    moments: 30.0,
                    events: 30.0,
                };
                let signs = Signs {
                    agreement: &agreement,
                    refound: &Refound::default(),
                    inverted: false,
                    laid: None,
                    shown: AS_IT_IS,
                };
                let lost = signs.going_on(Decoy { query, reference }, &Evidence::default());
                assert!(want.contains(&lost), "{name}: {lost}");
            };
        check("a copy", 0.9, [0.1, 0.1], 0.0..1e-9);
        check("a copy of what happens again", 0.9, [0.5, 0.55], 0.0..1e-9);
        check("a faint copy", 0.3, [0.08, 0.06], 0.0..1e-9);
        check("a street", 0.53, [0.39, 0.13], 5.0..20.0);
        check("people who walk", 0.2, [0.27, 0.1], 20.0..80.0);
    }

    #[test]
    fn what_was_laid_on_a_film_must_agree_better_than_laying_brings_about() {
        let check = |name: &str, change: f64, laid: f64, want: bool| {
            let agreement = Agreement {
                span: (0.0, 12.0),
                correlation: 0.8,
                change,
                chance: 0.04,
                moments: 38.0,
                events: 38.0,
            };
            let refound = Refound {
                expected: 2000,
                found: 1000,
                chance: 40.0,
            };
            let signs = Signs {
                agreement: &agreement,
                refound: &refound,
                inverted: false,
                laid: Some(laid),
                shown: AS_IT_IS,
            };
            let found = signs.evidence(false, &Evidence::default());
            assert_eq!(found > 0.0, want, "{name}: {found}");
        };
        check("a head, at another time", 0.7, 0.6, false);
        check("the same, more alike", 0.6, 0.63, false);
        check("a copy that shakes", 0.9, 0.5, true);
        check(
            "a copy of which other moments cannot be laid",
            0.72,
            0.0,
            true,
        );
    }
}
