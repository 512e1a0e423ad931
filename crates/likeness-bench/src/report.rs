//! `report`: results as Markdown, CSV and one self-contained HTML page.

mod bars;
mod html;

use bars::bars;
use html::page;

use crate::ablate::{self, Ablation};
use crate::costs::{AddCost, Costs, MatchCost};
use crate::score::limits::LimitScore;
use crate::score::ndcr::RowCost;
use crate::score::{ClassScore, Finding, RowScore, Scores, VariantScore};
use crate::suite::Suite;
use anyhow::{Context, Result};
use likeness_core::report::Media;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Everything that a run leaves behind, also as `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) suite: Suite,
    pub(crate) split: String,
    /// Version of the harness and the engine.
    pub(crate) version: String,
    /// The processor and how many of its threads there are.
    pub(crate) machine: String,
    /// The libraries that made the queries.
    #[serde(default)]
    pub(crate) ffmpeg: String,
    /// Every parameter of matching.
    #[serde(default)]
    pub(crate) settings: String,
    /// `None` when only a report was scored.
    pub(crate) costs: Option<Costs>,
    pub(crate) scores: Scores,
    /// What each channel of sound finds by itself, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ablation: Option<Ablation>,
}

/// Writes results.json, report.md, report.csv and report.html.
pub(crate) fn write(results: &Results, out: &Path) -> Result<()> {
    let put = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    put("results.json", serde_json::to_string_pretty(results)?)?;
    put("report.md", markdown(results))?;
    put("report.csv", table(&results.scores)?)?;
    put("report.html", page(results)?)
}

/// The processor's name and its threads.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or("unknown processor", |rest| {
        rest.trim_start_matches([' ', '\t', ':'])
    });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {threads} threads")
}

/// Rows as CSV, one line each, every number unrounded.
fn table(scores: &Scores) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in &scores.rows {
        writer.serialize(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A column of a table: title and cell.
pub(crate) type Column<Row> = (&'static str, fn(&Row) -> String);

/// The table of rows.
pub(crate) const COLUMNS: [Column<RowScore>; 16] = [
    ("row", |r| r.row.clone()),
    ("found", |r| format!("{}/{}", r.found, r.queries)),
    ("recall", |r| percent(r.recall)),
    ("95 %", |r| {
        format!("{}-{}", percent(r.recall_low), percent(r.recall_high))
    }),
    ("in place", |r| r.in_place.to_string()),
    ("false", |r| r.false_matches.to_string()),
    ("segment IoU", |r| decimals(r.segment_iou, 2)),
    ("segment F1", |r| decimals(r.segment_f1, 2)),
    ("boundary s", |r| decimals(r.boundary_error, 2)),
    ("offset s", |r| decimals(r.offset_error, 3)),
    ("speed", |r| decimals(r.speed_error, 4)),
    ("pitch st", |r| decimals(r.pitch_error, 3)),
    ("query rect", |r| decimals(r.query_rect_iou, 3)),
    ("ref rect", |r| decimals(r.reference_rect_iou, 3)),
    ("mirror", |r| {
        r.mirror_right.map(percent).unwrap_or_default()
    }),
    ("named", |r| r.named_right.map(percent).unwrap_or_default()),
];

/// The table of detection costs.
pub(crate) const DETECTION_COLUMNS: [Column<RowCost>; 5] = [
    ("NDCR", |r| r.row.clone()),
    ("no false alarm: actual", |r| {
        rate(r.ndcr.no_false_alarm.actual)
    }),
    ("minimal", |r| rate(r.ndcr.no_false_alarm.minimal)),
    ("balanced: actual", |r| rate(r.ndcr.balanced.actual)),
    ("minimal", |r| rate(r.ndcr.balanced.minimal)),
];

/// The table of limits on the probability of chance.
const LIMIT_COLUMNS: [Column<LimitScore>; 3] = [
    ("probability at most", |l| {
        let medium = match l.media {
            Media::Audio => "sound",
            Media::Video => "picture",
        };
        format!("{medium}, {:e}", l.limit)
    }),
    ("found", |l| format!("{}/{}", l.found, l.copies)),
    ("accused", |l| l.accused.to_string()),
];

fn rate(cost: f64) -> String {
    decimals(Some(cost), 3)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn decimals(value: Option<f64>, digits: usize) -> String {
    value
        .map(|value| format!("{value:.digits$}"))
        .unwrap_or_default()
}

/// The whole report as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let scores = &results.scores;
    let mut text = format!(
        "# Suite {}\n\n{}\n",
        results.suite.name,
        conditions(results)
    );
    markdown_table(&mut text, &COLUMNS, &scores.rows);
    let _ = writeln!(
        text,
        "\nErrors are medians over the copies found. micro-AP {:.3}.\n\n\
         | nothing to find | queries | accused | rate at most (95 %) |\n|---|---|---|---|",
        scores.micro_average_precision
    );
    for row in &scores.unrelated {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} % |",
            row.row,
            row.queries,
            row.accused,
            row.rate_high * 100.0
        );
    }
    markdown_table(&mut text, &bars::COLUMNS, &bars(scores));
    let _ = writeln!(text, "\n{}", classes_line(scores));
    if let Some(variants) = &scores.variants {
        let _ = writeln!(text, "\n{}", variants_line(variants));
    }
    if let Some(ablation) = &results.ablation {
        markdown_table(&mut text, &ablate::COLUMNS, &ablation.rows);
        let _ = writeln!(text, "\n{}", ablation.told());
    }
    markdown_table(&mut text, &LIMIT_COLUMNS, &scores.limits);
    markdown_table(&mut text, &DETECTION_COLUMNS, &scores.detection_costs);
    if let Some(costs) = &results.costs {
        let _ = write!(text, "\n## Cost\n\n");
        for (what, value) in cost_lines(costs) {
            let _ = writeln!(text, "- {what}: {value}");
        }
    }
    for (title, findings) in sections(scores) {
        if !findings.is_empty() {
            let _ = write!(text, "\n## {title}\n\n");
            for finding in findings {
                let _ = writeln!(text, "- {}", line(finding));
            }
        }
    }
    text
}

/// A table after an empty line; nothing when it has no rows.
fn markdown_table<Row>(text: &mut String, columns: &[Column<Row>], rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let rule = "---|".repeat(titles.len());
    let _ = writeln!(text, "\n| {} |\n|{rule}", titles.join(" | "));
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|(_, cell)| cell(row)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

/// Recall by class of work.
pub(crate) fn classes_line(scores: &Scores) -> String {
    let class = |score: &ClassScore| {
        let medium = match score.media {
            Media::Audio => "sound",
            Media::Video => "picture",
        };
        format!("{} {medium} {}/{}", score.class, score.found, score.queries)
    };
    let classes: Vec<String> = scores.classes.iter().map(class).collect();
    format!("Found by class, all rows: {}.", classes.join(", "))
}

/// What was found of other people's copies.
pub(crate) fn variants_line(variants: &VariantScore) -> String {
    format!(
        "Copies made by other people: {} of {} found ({}-{}).",
        variants.found,
        variants.queries,
        percent(variants.recall_low),
        percent(variants.recall_high)
    )
}

/// The lists below the tables.
pub(crate) fn sections(scores: &Scores) -> [(&'static str, &[Finding]); 3] {
    [
        ("False matches", &scores.false_matches),
        ("Misses", &scores.misses),
        ("Failures", &scores.failures),
    ]
}

pub(crate) fn line(finding: &Finding) -> String {
    format!("{}{}", finding.query, told(finding))
}

/// What there is to say of a query, to stand behind its name.
pub(crate) fn told(finding: &Finding) -> String {
    let mut line = format!(" ({})", finding.row);
    if let Some(source) = &finding.source {
        let _ = write!(line, " from {source}");
    }
    let _ = write!(line, ": {}", finding.what);
    if let Some(score) = finding.score {
        let _ = write!(line, ", score {score:.3}");
    }
    line
}

/// Under which conditions the numbers came about.
pub(crate) fn conditions(results: &Results) -> String {
    let suite = &results.suite;
    let numbers: BTreeSet<usize> = suite.rows.iter().map(|row| suite.queries(row)).collect();
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    format!(
        "Version {}, split {}, seed {}, queries of {} s, {} a row, on {}; queries made with {}.",
        results.version,
        results.split,
        suite.seed,
        suite.seconds,
        numbers.join(" or "),
        results.machine,
        results.ffmpeg
    )
}

pub(crate) fn cost_lines(costs: &Costs) -> Vec<(String, String)> {
    let hours = |seconds: f64| seconds / 3600.0;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let an_hour = |bytes: u64, seconds: f64| megabytes(bytes) / hours(seconds.max(1.0));
    let references = format!(
        "{} ({:.2} h of sound, {:.2} h of pictures)",
        costs.references,
        hours(costs.library_audio_seconds),
        hours(costs.library_video_seconds)
    );
    let library = format!(
        "{:.1} MB, opened in {:.0} ms; fingerprints without look-up tables: \
         {:.2} MB an hour of sound, {:.2} MB an hour of pictures",
        megabytes(costs.library_bytes),
        costs.open_wall * 1000.0,
        an_hour(costs.audio_fingerprint_bytes, costs.library_audio_seconds),
        an_hour(costs.video_fingerprint_bytes, costs.library_video_seconds),
    );
    let queries: usize = costs.matching.iter().map(|cost| cost.queries).sum();
    let matching = format!(
        "{queries} queries in {:.0} s, {:.0} s CPU",
        costs.query_wall, costs.query_cpu
    );
    let memory = format!("{:.0} MB", costs.peak_memory as f64 / 1e6);
    let mut lines = vec![
        ("references".to_owned(), references),
        (
            "references that failed".to_owned(),
            costs.failed.len().to_string(),
        ),
    ];
    lines.extend(
        costs
            .adding
            .iter()
            .map(|cost| adding_line(cost, costs.jobs)),
    );
    lines.push(("library".to_owned(), library));
    lines.push(("matching".to_owned(), matching));
    lines.extend(costs.matching.iter().flat_map(matching_lines));
    lines.push(("peak memory of adding and matching".to_owned(), memory));
    lines
}

fn adding_line(cost: &AddCost, jobs: usize) -> (String, String) {
    let at_a_time = match jobs {
        0 => "one file a core".to_owned(),
        jobs => format!("{jobs} files"),
    };
    let pace = |cpu: f64| cost.seconds / cpu.max(1e-9);
    let mut line = format!(
        "{} works in {:.0} s with {at_a_time} at a time, {:.0} s CPU: {:.0} x realtime per core; ",
        cost.references,
        cost.wall,
        cost.cpu,
        pace(cost.cpu)
    );
    let _ = if cost.decode_cpu > 0.0 {
        write!(
            line,
            "decoding alone {:.0} s CPU: {:.0} x realtime per core; adding costs {:.2} times as much",
            cost.decode_cpu,
            pace(cost.decode_cpu),
            cost.cpu / cost.decode_cpu
        )
    } else {
        write!(line, "decoding alone not measured: nothing was added")
    };
    (format!("adding, {}", cost.kind.name()), line)
}

fn matching_lines(cost: &MatchCost) -> [(String, String); 2] {
    let line = |values: [f64; 3], cpu: f64| {
        let [median, most, nearly_all] = values.map(|seconds| seconds * 1000.0);
        let cpu = cpu * 1000.0;
        format!(
            "{median:.0} / {most:.0} / {nearly_all:.0} ms (p50 / p95 / p99), {cpu:.0} ms CPU (mean)"
        )
    };
    let what = format!("{}, {} queries", cost.what, cost.queries);
    [
        (
            format!("decoding and fingerprinting a query ({what})"),
            line(cost.extract, cost.extract_cpu),
        ),
        (
            format!("looking a query up ({what})"),
            line(cost.lookup, cost.lookup_cpu),
        ),
    ]
}
