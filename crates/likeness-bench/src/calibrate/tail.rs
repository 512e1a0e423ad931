//! The tail of the evidence that chance gives: fitted on one split, checked on the other.

use super::negatives::{Event, Trial, floor};
use likeness_core::report::Media;
use likeness_match::{Chance, Exposure, effective};
use serde::Serialize;
use std::collections::BTreeMap;

/// Exceedances from which a tail is fitted: few enough to lie in the tail, enough to tell its
/// scale within a fifth.
const EXCEEDANCES: usize = 80;
/// Probabilities at which expected and counted false matches are compared.
const LIMITS: [f64; 9] = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 1e-6];
/// Shares of queries at which the QQ table looks.
const SHARES: [f64; 9] = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 5e-3, 1e-3, 2e-4];

/// The tail of one medium as trials show it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tail {
    pub(crate) media: Media,
    pub(crate) queries: usize,
    /// Hours of queries times hours of references.
    pub(crate) exposure: f64,
    /// Pairs of works above the level.
    pub(crate) exceedances: usize,
    pub(crate) level: f64,
    pub(crate) rate: f64,
    pub(crate) scale: f64,
    /// Shape of a generalised Pareto distribution by moments: 0 for an exponential tail, more for
    /// a heavier one.
    pub(crate) shape: f64,
    /// Mean seconds of those above the level.
    pub(crate) edge: f64,
}

/// Fits the tail of one medium; `None` where too little came near.
///
/// Peaks over threshold: the excesses over a high level are exponential (Pickands 1975), their mean
/// is the scale.
pub(crate) fn fit(trials: &[Trial], media: Media) -> Option<Tail> {
    let trials = || trials.iter().filter(|trial| trial.media == media);
    let mut all: Vec<&Event> = trials().flat_map(best_of_each).collect();
    all.sort_by(|a, b| b.evidence.total_cmp(&a.evidence));
    let exceedances = EXCEEDANCES.min(all.len().checked_sub(1)?);
    let (tail, level) = (&all[..exceedances], all[exceedances].evidence);
    let n = exceedances as f64;
    let mean = tail.iter().map(|e| e.evidence - level).sum::<f64>() / n;
    let squares = tail.iter().map(|e| (e.evidence - level - mean).powi(2));
    let variance = squares.sum::<f64>() / (n - 1.0);
    let lengths = tail.iter().map(|e| e.stretch.1 - e.stretch.0);
    let edge = lengths.sum::<f64>() / n;
    let hours = |t: &Trial| effective(t.seconds, edge) / 3600.0 * t.hours;
    let exposure: f64 = trials().map(hours).sum();
    (mean > 0.0 && exposure > 0.0).then(|| Tail {
        media,
        queries: trials().count(),
        exposure,
        exceedances,
        level,
        rate: n / exposure,
        scale: mean,
        // Hosking and Wallis 1987, equation 9.
        shape: 0.5 * (1.0 - mean * mean / variance),
        edge,
    })
}

/// The best event of each reference: what comes nearest in one work often does so several times.
fn best_of_each(trial: &Trial) -> impl Iterator<Item = &Event> {
    let mut best: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in &trial.events {
        let known = best.entry(&event.reference).or_insert(event);
        if event.evidence > known.evidence {
            *known = event;
        }
    }
    best.into_values()
}

/// How many queries a calibration would accuse, and how many it did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    pub(crate) media: Media,
    pub(crate) library_hours: f64,
    pub(crate) queries: usize,
    /// Rows of a limit of probability, the expected and the counted false matches.
    pub(crate) rows: Vec<(f64, f64, usize)>,
}

/// Compares expected with counted false matches of one medium. What gives less than the evidence that is
/// looked at is not counted, so it is not expected either.
pub(crate) fn check(trials: &[Trial], media: Media, chance: &Chance) -> Check {
    let trials: Vec<&Trial> = trials.iter().filter(|t| t.media == media).collect();
    let rows = LIMITS.map(|limit| {
        let expected = trials.iter().map(|t| highest(t, chance).min(limit)).sum();
        let counted = trials.iter().filter(|t| is_false(t, chance, limit));
        (limit, expected, counted.count())
    });
    Check {
        media,
        library_hours: trials.iter().map(|t| t.hours).fold(0.0, f64::max),
        queries: trials.len(),
        rows: rows.to_vec(),
    }
}

/// Of the queries of one medium, which probability a share of them stays below: as much as the share
/// where the probabilities are true, more where they are cautious. Shares of less than a query are
/// left out.
pub(crate) fn quantiles(trials: &[Trial], media: Media, chance: &Chance) -> Vec<(f64, f64)> {
    let trials = trials.iter().filter(|t| t.media == media);
    let mut probabilities: Vec<f64> = trials.map(|trial| probability(trial, chance)).collect();
    probabilities.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * probabilities.len() as f64).floor() as usize;
        Some((share, *probabilities.get(rank.checked_sub(1)?)?))
    };
    SHARES.into_iter().filter_map(at).collect()
}

/// The probability that chance gives a query's best evidence.
fn probability(trial: &Trial, chance: &Chance) -> f64 {
    let evidence = trial.events.iter().map(|event| event.evidence);
    let best = evidence.fold(f64::NEG_INFINITY, f64::max);
    chance.probability(best, exposure(trial))
}

/// Whether a limit would accuse somebody over a trial, by evidence that is looked at.
pub(crate) fn is_false(trial: &Trial, chance: &Chance, limit: f64) -> bool {
    probability(trial, chance) <= limit.min(highest(trial, chance))
}

/// The highest probability that is looked at.
fn highest(trial: &Trial, chance: &Chance) -> f64 {
    chance.probability(floor(trial.media), exposure(trial))
}

fn exposure(trial: &Trial) -> Exposure {
    Exposure::bare(trial.seconds, trial.hours)
}

#[cfg(test)]
mod tests {
    use super::super::negatives::Event;
    use super::*;

    /// Trials of an hour against ten hours, with `rate * 10` events each on average, exponential
    /// beyond 5 with a mean of `scale`.
    fn trials(count: usize, rate: f64, scale: f64) -> Vec<Trial> {
        let mut random = likeness_distort::Random::new(3, "tail");
        let mut exponential = move || -(1.0 - random.unit()).ln();
        (0..count)
            .map(|i| {
                let mut events = Vec::new();
                let mut at = exponential();
                while at < rate * 10.0 {
                    events.push(Event {
                        reference: at.to_string(),
                        evidence: 5.0 + scale * exponential(),
                        stretch: (0.0, 1.0),
                        cause: String::new(),
                    });
                    at += exponential();
                }
                Trial {
                    query: i.to_string(),
                    window: None,
                    media: Media::Audio,
                    seconds: 3600.0,
                    hours: 10.0,
                    events,
                    kin: Vec::new(),
                }
            })
            .collect()
    }

    #[test]
    fn a_known_tail_is_fitted_and_holds_on_other_trials() {
        let fitted = fit(&trials(400, 0.3, 2.5), Media::Audio).unwrap();
        assert!((fitted.scale / 2.5 - 1.0).abs() < 0.3, "{fitted:?}");
        assert!(fitted.shape.abs() < 0.4, "{fitted:?}");
        assert!(fit(&[], Media::Audio).is_none());
        let chance = Chance {
            level: 5.0,
            rate: 0.3,
            scale: 2.5,
            edge: 0.0,
        };
        for (share, found) in quantiles(&trials(4000, 0.3, 2.5), Media::Audio, &chance) {
            let slack = 5.0 * (share / 4000.0).sqrt() + 0.002;
            assert!((found - share).abs() < slack, "{share}: {found}");
        }
        let check = check(&trials(4000, 0.3, 2.5), Media::Audio, &chance);
        for (limit, expected, counted) in check.rows {
            let slack = 4.0 * expected.sqrt() + 2.0;
            let off = (counted as f64 - expected).abs();
            assert!(off < slack, "{limit}: {expected} {counted}");
        }
    }

    #[test]
    fn a_false_calibration_is_found_out() {
        let bold = Chance {
            level: 5.0,
            rate: 0.3,
            scale: 1.0,
            edge: 0.0,
        };
        let check = check(&trials(4000, 0.3, 2.5), Media::Audio, &bold);
        let (_, expected, counted) = check.rows[5];
        assert!(counted as f64 > 3.0 * expected, "{expected} {counted}");
    }
}
