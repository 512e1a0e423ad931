//! What other limits on the probability of chance would have given: how much recall the default costs against
//! the best limit that somebody could set by hand, knowing the answers.

use super::{best, wrong};
use crate::truth::Query;
use likeness_core::report::{Match, MatchReport, Media};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Limits that are looked at; those looser than the run's own give what it gives.
const LIMITS: [f64; 9] = [1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];

/// All rows of one medium at one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LimitScore {
    pub(crate) media: Media,
    pub(crate) limit: f64,
    pub(crate) found: usize,
    /// Copies that could have been found.
    pub(crate) copies: usize,
    /// Queries over which somebody is accused who is not in them.
    pub(crate) accused: usize,
}

/// The scores at each limit, from the strictest on.
pub(crate) fn limits(
    queries: &[Query],
    reports: &BTreeMap<String, &MatchReport>,
) -> Vec<LimitScore> {
    let matches = |query: &Query| {
        let report = reports.get(&query.query).copied();
        report.map_or(&[][..], |report| &report.matches)
    };
    let at = |media: Media, limit: f64| {
        let sure = |m: &Match| m.false_positive_probability.is_some_and(|p| p <= limit);
        let within = |m: &Match| m.media == media && sure(m);
        let mut score = LimitScore {
            media,
            limit,
            found: 0,
            copies: 0,
            accused: 0,
        };
        for query in queries {
            let matches = matches(query);
            let truths = query.truths.iter().filter(|truth| truth.media == media);
            for truth in truths {
                score.copies += 1;
                score.found += usize::from(best(query, truth, matches).is_some_and(within));
            }
            score.accused += usize::from(wrong(query, matches).any(within));
        }
        score
    };
    let scores = [Media::Audio, Media::Video]
        .into_iter()
        .flat_map(|media| LIMITS.map(|limit| at(media, limit)));
    scores.filter(|score| score.copies > 0).collect()
}
