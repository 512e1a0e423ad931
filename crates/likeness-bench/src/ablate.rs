//! `run --ablate`: what each way of proposing sound is worth by itself, and what both are together.

use crate::costs::cpu_seconds;
use crate::make::progress;
use crate::report::Column;
use crate::score::score;
use crate::truth::{Lines, Query};
use anyhow::Result;
use likeness::{Library, MatchOptions, fingerprint_file};
use likeness_core::Density;
use likeness_core::report::{MatchReport, Media};
use likeness_match::audio::Channels;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The channels alone, and both.
const CHANNELS: [(&str, Channels); 3] = [
    (
        "landmarks",
        Channels {
            landmarks: true,
            chroma: false,
        },
    ),
    (
        "chroma",
        Channels {
            landmarks: false,
            chroma: true,
        },
    ),
    (
        "both",
        Channels {
            landmarks: true,
            chroma: true,
        },
    ),
];

/// One row's copies of sound, found by [`CHANNELS`] in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AblatedRow {
    row: String,
    queries: usize,
    found: Vec<usize>,
}

/// What each of [`CHANNELS`] found and cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ablation {
    pub(crate) rows: Vec<AblatedRow>,
    /// Matches that should not be, and mean CPU seconds of a look-up.
    false_matches: Vec<usize>,
    lookup_cpu: Vec<f64>,
}

/// The table of rows.
pub(crate) const COLUMNS: [Column<AblatedRow>; 4] = [
    ("sound, by channel", |r| r.row.clone()),
    ("landmarks", |r| cell(r, 0)),
    ("chroma", |r| cell(r, 1)),
    ("both", |r| cell(r, 2)),
];

fn cell(row: &AblatedRow, channel: usize) -> String {
    format!("{}/{}", row.found[channel], row.queries)
}

impl Ablation {
    /// What stands below the table.
    pub(crate) fn told(&self) -> String {
        let found = |i: usize| self.rows.iter().map(|row| row.found[i]).sum::<usize>();
        let channel = |(i, (name, _)): (usize, &(&str, Channels))| {
            format!(
                "{name}: {} found, {} false matches, {:.0} ms CPU a look-up (mean)",
                found(i),
                self.false_matches[i],
                self.lookup_cpu[i] * 1000.0
            )
        };
        let channels: Vec<String> = CHANNELS.iter().enumerate().map(channel).collect();
        format!("{}.", channels.join("; "))
    }
}

/// Matches every query of sound, and all that have nothing to find, by each of [`CHANNELS`] against the
/// library that the run left in `out`.
pub(crate) fn ablate(queries: &[Query], out: &Path) -> Result<Ablation> {
    let library = Library::open(&out.join("library"))?;
    let heard: Vec<Query> = queries
        .iter()
        .filter(|query| !query.truths.iter().any(|truth| truth.media == Media::Video))
        .cloned()
        .collect();
    let mut ablation = Ablation {
        rows: Vec::new(),
        false_matches: Vec::new(),
        lookup_cpu: Vec::new(),
    };
    for (name, channels) in CHANNELS {
        let mut options = MatchOptions::default();
        options.audio.channels = channels;
        let (reports, cpu) = search(&library, &heard, name, out, &options)?;
        let scores = score(&heard, &reports, None);
        for (i, row) in scores.rows.into_iter().enumerate() {
            if ablation.rows.len() == i {
                ablation.rows.push(AblatedRow {
                    row: row.row,
                    queries: row.queries,
                    found: Vec::new(),
                });
            }
            ablation.rows[i].found.push(row.found);
        }
        ablation.false_matches.push(scores.false_matches.len());
        ablation.lookup_cpu.push(cpu);
    }
    Ok(ablation)
}

/// The reports, also written to `out`/report-CHANNEL.jsonl, and mean CPU seconds of a look-up.
fn search(
    library: &Library,
    queries: &[Query],
    name: &'static str,
    out: &Path,
    options: &MatchOptions,
) -> Result<(Vec<MatchReport>, f64)> {
    let bar = progress(queries.len() as u64, name);
    let mut lines = Lines::create(&out.join(format!("report-{name}.jsonl")))?;
    let mut reports = Vec::new();
    let mut cpu = 0.0;
    for (i, query) in queries.iter().enumerate() {
        let path = out.join("queries").join(&query.query);
        let report = match fingerprint_file(&path, Density::Query, &options.extract, &|_| {}) {
            Ok(extracted) => {
                let start = cpu_seconds();
                let report =
                    library.match_fingerprint(&query.query, &extracted.fingerprint, options);
                // The first may build an index.
                cpu += if i == 0 { 0.0 } else { cpu_seconds() - start };
                report
            }
            Err(error) => MatchReport::failed(&query.query, error.code(), error.to_string()),
        };
        lines.write(&report)?;
        reports.push(report);
        bar.inc();
    }
    bar.finish();
    Ok((reports, cpu / queries.len().saturating_sub(1).max(1) as f64))
}
