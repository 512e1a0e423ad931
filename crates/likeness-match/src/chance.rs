//! How likely chance alone is to give some evidence.

/// What a query was compared with, and for how long: chance grows with both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure {
    query_seconds: f64,
    library_hours: f64,
}

/// Seconds that the shortest query counts for: it is looked up in one window.
const SHORTEST_QUERY: f64 = 15.0;
/// Hours that the smallest library counts for. What is measured on many hours says little of one
/// pair of works, so that less is not claimed.
const SMALLEST_LIBRARY: f64 = 1.0;
/// No smaller probability is claimed, whatever the evidence: none could ever be checked.
const SMALLEST_PROBABILITY: f64 = 1e-15;
/// The probability that has a score of one half.
const MIDDLE: f64 = 1e-6;

impl Exposure {
    /// A query of some seconds against a library of some hours.
    pub fn new(query_seconds: f64, library_hours: f64) -> Exposure {
        let seconds = query_seconds.max(SHORTEST_QUERY);
        Exposure::bare(seconds, library_hours.max(SMALLEST_LIBRARY))
    }

    /// The same without caution about short queries and small libraries, as a calibration is checked.
    pub fn bare(query_seconds: f64, library_hours: f64) -> Exposure {
        Exposure {
            query_seconds,
            library_hours,
        }
    }
}

/// The evidence that chance gives.
///
/// Stretches that are no copies and still give evidence above some level occur like a Poisson
/// process, in proportion to the hours of the query times the hours of the library; how far beyond
/// the level each lies is exponentially distributed. So the greatest of them follows a Gumbel
/// distribution and the expected number above some evidence is what biologists call an E-value
/// (Karlin and Altschul 1990, PNAS 87, 2264-2268). A stretch needs time to gather evidence, and near
/// a query's ends there is none left: their edge effect (Altschul and Gish 1996, Methods in
/// Enzymology 266, 460-480), here, in a form of our own, `seconds * exp(-edge / seconds)`, which comes to `seconds - edge` for
/// long queries and stays positive for short ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Evidence, natural log of a likelihood ratio, above which the tail is exponential.
    pub level: f64,
    /// Stretches above the level for each hour of query and hour of library.
    pub rate: f64,
    /// Mean evidence beyond the level.
    pub scale: f64,
    /// Seconds at a query's ends that give nothing: about as long as a stretch above the level lasts; 0
    /// if the edge effect is not reckoned with.
    pub edge: f64,
}

/// Seconds of a query in which a stretch of `edge` seconds may begin.
pub fn effective(seconds: f64, edge: f64) -> f64 {
    seconds * (-edge / seconds).exp()
}

impl Chance {
    /// Natural log of the number of stretches with at least this evidence that chance gives.
    pub fn ln_expected(&self, evidence: f64, exposure: Exposure) -> f64 {
        let hours = effective(exposure.query_seconds, self.edge) / 3600.0;
        (self.rate * hours * exposure.library_hours).ln() - (evidence - self.level) / self.scale
    }

    /// The probability that chance gives at least one stretch with at least this evidence;
    /// `1e-15` stands for everything below.
    pub fn probability(&self, evidence: f64, exposure: Exposure) -> f64 {
        let expected = self.ln_expected(evidence, exposure).exp();
        (-(-expected).exp_m1()).max(SMALLEST_PROBABILITY)
    }

    /// One scale for all media: 0 where chance gives as much once in every query, 0.5 where the
    /// probability is one in a million, towards 1 beyond.
    pub fn score(&self, evidence: f64, exposure: Exposure) -> f64 {
        let surprise = (-self.ln_expected(evidence, exposure)).max(0.0);
        surprise / (surprise - MIDDLE.ln())
    }

    /// The evidence that has a probability of `limit`, which must lie between 0 and 1.
    pub fn evidence_at(&self, limit: f64, exposure: Exposure) -> f64 {
        let expected = (-(-limit).ln_1p()).max(f64::MIN_POSITIVE);
        self.level + self.scale * (self.ln_expected(self.level, exposure) - expected.ln())
    }
}

/// What evidence is worth for one query and one library.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    chance: Chance,
    exposure: Exposure,
    threshold: f64,
}

impl Verdict {
    /// Accepts what chance gives with a probability of at most `limit`, which must lie between 0
    /// and 1.
    pub fn new(chance: Chance, exposure: Exposure, limit: f64) -> Verdict {
        Verdict {
            chance,
            exposure,
            threshold: chance.evidence_at(limit, exposure),
        }
    }

    /// As with the usual limit, one in a million.
    pub fn usual(chance: Chance, exposure: Exposure) -> Verdict {
        Verdict::new(chance, exposure, MIDDLE)
    }

    /// The evidence from which a match is accepted.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The evidence from which nothing else is looked for: with a limit looser than one in a million more is accepted,
    /// but what is found does not become another.
    pub fn sure(&self) -> f64 {
        let usual = self.chance.evidence_at(MIDDLE, self.exposure);
        self.threshold.max(usual)
    }

    /// See [`Chance::score`].
    pub fn score(&self, evidence: f64) -> f64 {
        self.chance.score(evidence, self.exposure)
    }

    /// See [`Chance::probability`].
    pub fn probability(&self, evidence: f64) -> f64 {
        self.chance.probability(evidence, self.exposure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANCE: Chance = Chance {
        level: 20.0,
        rate: 3.0,
        scale: 4.0,
        edge: 0.0,
    };

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
    }

    #[test]
    fn more_hours_ask_for_more_evidence() {
        let check = |seconds, hours, evidence, expected: f64| {
            let found = CHANCE.ln_expected(evidence, Exposure::new(seconds, hours));
            assert!(near(found, expected.ln()), "{seconds} {hours} {evidence}");
        };
        check(3600.0, 1.0, 20.0, 3.0);
        check(3600.0, 100.0, 20.0, 300.0);
        check(36.0, 100.0, 20.0, 3.0);
        check(3600.0, 1.0, 20.0 + 4.0 * 2f64.ln(), 1.5);
        // Less than a window and less than an hour count as much.
        check(1.0, 0.01, 20.0, 3.0 * 15.0 / 3600.0);
    }

    #[test]
    fn a_loose_limit_does_not_change_what_is_sure() {
        let exposure = Exposure::new(15.0, 50.0);
        let usual = Verdict::usual(CHANCE, exposure);
        assert!(near(usual.sure(), usual.threshold()));
        let loose = Verdict::new(CHANCE, exposure, 1e-3);
        assert!(loose.threshold() < usual.threshold());
        assert!(near(loose.sure(), usual.sure()));
        let strict = Verdict::new(CHANCE, exposure, 1e-9);
        assert!(near(strict.sure(), strict.threshold()));
    }

    #[test]
    fn near_the_ends_of_a_query_chance_gives_less() {
        let check = |seconds: f64, edge: f64, within: std::ops::Range<f64>| {
            let found = effective(seconds, edge);
            assert!(within.contains(&found), "{seconds} {edge}: {found}");
            let (edged, whole) = (Chance { edge, ..CHANCE }, CHANCE);
            let expected = |chance: Chance, seconds| {
                chance
                    .ln_expected(20.0, Exposure::bare(seconds, 10.0))
                    .exp()
            };
            assert!(near(expected(edged, seconds), expected(whole, found)));
        };
        check(600.0, 10.0, 590.0..590.1);
        check(60.0, 0.0, 60.0..60.1);
        check(15.0, 10.0, 7.0..8.0);
        check(5.0, 10.0, 0.6..0.7);
    }

    #[test]
    fn limits_and_probabilities_are_each_others_inverse() {
        for limit in [0.5, 1e-3, 1e-6, 1e-12] {
            let exposure = Exposure::new(60.0, 500.0);
            let evidence = CHANCE.evidence_at(limit, exposure);
            assert!(
                near(CHANCE.probability(evidence, exposure), limit),
                "{limit}"
            );
        }
    }

    #[test]
    fn a_million_to_one_scores_one_half_and_nothing_is_certain() {
        let exposure = Exposure::new(15.0, 1000.0);
        let half = CHANCE.evidence_at(1e-6, exposure);
        assert!((CHANCE.score(half, exposure) - 0.5).abs() < 1e-6);
        assert_eq!(CHANCE.score(0.0, exposure), 0.0);
        let sure = CHANCE.score(1e4, exposure);
        assert!(sure > 0.98 && sure < 1.0);
        assert_eq!(CHANCE.probability(1e4, exposure), 1e-15);
        assert_eq!(CHANCE.probability(0.0, exposure), 1.0);
    }
}
