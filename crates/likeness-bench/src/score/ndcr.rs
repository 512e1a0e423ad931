//! Normalised detection cost rate: TRECVID 2010, content-based copy detection, evaluation plan v3.
//!
//! `NDCR = P_miss + beta R_FA`, with `beta = C_FA / (C_miss R_target)`, `R_FA` false alarms per square
//! hour (hours of query times hours of library), `C_miss` 1 and `R_target` 0.005 per square hour. A
//! system that never answers has 1. So few square hours are measured here that one false alarm costs
//! more than all misses together: the minimal rate is near the share missed at the first threshold
//! without any.

use super::{best, wrong};
use crate::truth::Query;
use likeness_core::report::{AudioState, MatchReport, Media, VideoState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Copies expected per square hour.
const TARGET_RATE: f64 = 0.005;
/// What a false alarm costs in misses where both are equally bad.
const BALANCED: f64 = 1.0;
/// ... where no false alarm is to be had.
const NO_FALSE_ALARM: f64 = 1000.0;

/// How much the queries were searched against, hours of each medium.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LibraryHours {
    pub(crate) audio: f64,
    pub(crate) video: f64,
}

/// The cost of one row and medium, over its queries and those with nothing to find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowCost {
    pub(crate) row: String,
    pub(crate) media: Media,
    pub(crate) ndcr: Ndcr,
}

/// The cost in both of TRECVID's profiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ndcr {
    pub(crate) balanced: Cost,
    pub(crate) no_false_alarm: Cost,
}

/// The cost at the shipped threshold and at the best one for these queries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) actual: f64,
    pub(crate) minimal: f64,
}

/// What was answered in a set of queries.
#[derive(Debug, Clone, Default)]
struct Answers {
    scored: Vec<(f64, bool)>,
    positives: usize,
    query_hours: f64,
}

/// The cost of every row in the order of the queries, as TRECVID counts: each disguise by itself,
/// with all queries in which nothing may be found.
pub(crate) fn rows(
    queries: &[Query],
    reports: &BTreeMap<String, &MatchReport>,
    searched: LibraryHours,
) -> Vec<RowCost> {
    let mut rows: Vec<(&str, Media, Answers)> = Vec::new();
    let mut unrelated = [Answers::default(), Answers::default()];
    for query in queries {
        let report = reports.get(&query.query).copied();
        let matches = report.map_or(&[][..], |report| &report.matches);
        let count = |answers: &mut Answers, media: Media| {
            let here = wrong(query, matches).filter(|m| m.media == media);
            answers.scored.extend(here.map(|m| (m.score, false)));
            let seconds = report.and_then(|report| report.duration);
            let shown = query.truths.iter().map(|truth| truth.query_end);
            answers.query_hours += seconds.unwrap_or(shown.fold(0.0, f64::max)) / 3600.0;
        };
        for truth in &query.truths {
            let same = |row: &(&str, Media, Answers)| row.0 == query.row && row.1 == truth.media;
            let index = rows.iter().position(same).unwrap_or(rows.len());
            if index == rows.len() {
                rows.push((&query.row, truth.media, Answers::default()));
            }
            let answers = &mut rows[index].2;
            count(answers, truth.media);
            answers.positives += 1;
            let found = best(query, truth, matches);
            answers.scored.extend(found.map(|m| (m.score, true)));
        }
        if query.truths.is_empty() && !query.variant {
            for media in analysed(report) {
                count(&mut unrelated[media as usize], media);
            }
        }
    }
    let cost = |(row, media, mut answers): (&str, Media, Answers)| {
        let others = &unrelated[media as usize];
        answers.scored.extend(&others.scored);
        answers.query_hours += others.query_hours;
        let hours = match media {
            Media::Audio => searched.audio,
            Media::Video => searched.video,
        };
        let ndcr = ndcr(
            &answers.scored,
            answers.positives,
            answers.query_hours * hours,
        )?;
        Some(RowCost {
            row: row.to_owned(),
            media,
            ndcr,
        })
    };
    rows.into_iter().filter_map(cost).collect()
}

/// The media in which something could have been accused.
fn analysed(report: Option<&MatchReport>) -> impl Iterator<Item = Media> {
    let audio = report.is_some_and(|r| r.audio == Some(AudioState::Analysed));
    let video = report.is_some_and(|r| r.video == Some(VideoState::Analysed));
    [(audio, Media::Audio), (video, Media::Video)]
        .into_iter()
        .filter_map(|(searched, media)| searched.then_some(media))
}

/// The cost of `answers` `(score, right)`, all of which were accepted, when `positives` copies could
/// have been found in `square_hours`. `None` when there was nothing to find or nothing searched.
pub(crate) fn ndcr(answers: &[(f64, bool)], positives: usize, square_hours: f64) -> Option<Ndcr> {
    if positives == 0 || square_hours <= 0.0 {
        return None;
    }
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Hits and false alarms at each threshold, from "nothing is accepted" on.
    let (mut hits, mut alarms) = (0, 0);
    let mut thresholds = vec![(hits, alarms)];
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let right = tied.iter().filter(|(_, right)| *right).count();
        hits += right;
        alarms += tied.len() - right;
        thresholds.push((hits, alarms));
    }
    let profile = |false_alarm_cost: f64| {
        let beta = false_alarm_cost / TARGET_RATE;
        let cost = |(hits, alarms): (usize, usize)| {
            1.0 - hits as f64 / positives as f64 + beta * alarms as f64 / square_hours
        };
        Cost {
            actual: cost((hits, alarms)),
            minimal: thresholds.iter().map(|at| cost(*at)).fold(1.0, f64::min),
        }
    };
    Some(Ndcr {
        balanced: profile(BALANCED),
        no_false_alarm: profile(NO_FALSE_ALARM),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_follow_from_misses_and_false_alarms() {
        let check = |answers: &[(f64, bool)], positives, actual: f64, minimal: f64| {
            // 400 square hours: a false alarm costs 0.5 in the balanced profile, 500 in the other.
            let found = ndcr(answers, positives, 400.0).expect("something to find");
            assert!((found.balanced.actual - actual).abs() < 1e-9, "{found:?}");
            assert!((found.balanced.minimal - minimal).abs() < 1e-9, "{found:?}");
            found.no_false_alarm
        };
        check(&[], 4, 1.0, 1.0);
        check(&[(0.9, true), (0.8, true)], 2, 0.0, 0.0);
        check(&[(0.9, true)], 4, 0.75, 0.75);
        // A higher threshold would have spared the false alarm.
        let dear = check(&[(0.9, true), (0.5, false)], 1, 0.5, 0.0);
        assert!((dear.actual - 500.0).abs() < 1e-9 && dear.minimal == 0.0);
        // No threshold parts equal scores; accepting nothing costs 1.
        let tied = check(&[(0.9, true), (0.9, false)], 1, 0.5, 0.5);
        assert_eq!(tied.minimal, 1.0);
    }

    #[test]
    fn nothing_to_find_and_nothing_searched_have_no_cost() {
        assert_eq!(ndcr(&[(0.9, false)], 0, 400.0), None);
        assert_eq!(ndcr(&[(0.9, true)], 1, 0.0), None);
    }
}
