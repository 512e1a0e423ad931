//! Rows taken together by the bar that they must reach: twenty queries say little of one row, a
//! thousand say something of fifty.

use super::{Column, percent};
use crate::score::{RowScore, Scores};
use crate::stats::wilson;
use likeness_core::report::Media;

/// All rows of one medium with the same bar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BarScore {
    media: Media,
    bar: f64,
    rows: usize,
    found: usize,
    queries: usize,
    /// Rows whose recall is lower.
    below: Vec<String>,
}

/// The table of bars.
pub(crate) const COLUMNS: [Column<BarScore>; 6] = [
    ("bar", |b| {
        let medium = match b.media {
            Media::Audio => "sound",
            Media::Video => "picture",
        };
        format!("{medium}, at least {}", percent(b.bar))
    }),
    ("rows", |b| b.rows.to_string()),
    ("found", |b| format!("{}/{}", b.found, b.queries)),
    ("recall", |b| {
        format!("{:.1} %", 100.0 * b.found as f64 / b.queries.max(1) as f64)
    }),
    ("95 %", |b| {
        let (low, high) = wilson(b.found, b.queries);
        format!("{:.1}-{:.1} %", 100.0 * low, 100.0 * high)
    }),
    ("rows below", |b| match b.below.len() {
        0 => "none".to_owned(),
        _ => b.below.join("; "),
    }),
];

/// Sound before picture, high bars first. Rows without a bar, or with one that all reach, are left out.
pub(crate) fn bars(scores: &Scores) -> Vec<BarScore> {
    let mut bars: Vec<BarScore> = Vec::new();
    for row in &scores.rows {
        let Some(bar) = row.bar.filter(|bar| *bar > 0.0) else {
            continue;
        };
        let same = |score: &BarScore| score.media == row.media && score.bar == bar;
        let index = bars.iter().position(same).unwrap_or(bars.len());
        if index == bars.len() {
            bars.push(BarScore {
                media: row.media,
                bar,
                rows: 0,
                found: 0,
                queries: 0,
                below: Vec::new(),
            });
        }
        bars[index].add(row, bar);
    }
    bars.sort_by(|a, b| {
        let media = (a.media == Media::Video).cmp(&(b.media == Media::Video));
        media.then(b.bar.total_cmp(&a.bar))
    });
    bars
}

impl BarScore {
    fn add(&mut self, row: &RowScore, bar: f64) {
        self.rows += 1;
        self.found += row.found;
        self.queries += row.queries;
        if row.recall < bar {
            self.below
                .push(format!("{} {}/{}", row.row, row.found, row.queries));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::score;
    use crate::truth::Query;

    #[test]
    fn rows_of_one_bar_are_taken_together() {
        let query = |row: &str, media: Media, bar: Option<f64>| {
            let mut query = Query::copied(row, row, media);
            query.bar = bar;
            query
        };
        let queries = [
            query("film", Media::Video, Some(0.9)),
            query("a", Media::Audio, Some(0.8)),
            query("b", Media::Audio, Some(0.9)),
            query("c", Media::Audio, Some(0.9)),
            query("free", Media::Audio, None),
            query("reported only", Media::Audio, Some(0.0)),
        ];
        let bars = bars(&score(&queries, &[], None));
        let told: Vec<String> = bars.iter().map(|bar| COLUMNS[0].1(bar)).collect();
        assert_eq!(
            told,
            [
                "sound, at least 90 %",
                "sound, at least 80 %",
                "picture, at least 90 %"
            ]
        );
        assert_eq!((bars[0].rows, bars[0].queries, bars[0].found), (2, 2, 0));
        assert_eq!(bars[0].below, ["b 0/1", "c 0/1"]);
    }
}
