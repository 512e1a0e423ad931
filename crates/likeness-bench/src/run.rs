//! `run`: adds the references, matches the queries, measures the cost.

use crate::corpus::Work;
use crate::decode::decoding_alone;
use crate::make::progress;
use crate::stats::quantile;
use crate::truth::{Lines, Query};
use anyhow::{Context, Result};
use likeness::{
    AddEvent, AddOptions, Input, Library, LibraryWriter, MatchOptions, fingerprint_file,
};
use likeness_core::Density;
use likeness_core::report::MatchReport;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

/// What a run cost. Times in seconds, sizes in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Costs {
    pub(crate) jobs: usize,
    pub(crate) references: usize,
    /// References that could not be added, and why.
    pub(crate) failed: Vec<String>,
    pub(crate) reference_seconds: f64,
    pub(crate) add_wall: f64,
    pub(crate) add_cpu: f64,
    /// Decoding the references again and doing nothing with them; 0 when nothing was added.
    #[serde(default)]
    pub(crate) decode_cpu: f64,
    pub(crate) library_bytes: u64,
    pub(crate) library_audio_seconds: f64,
    pub(crate) library_video_seconds: f64,
    /// Of the fingerprints alone; the look-up tables make up the rest of the library.
    #[serde(default)]
    pub(crate) audio_fingerprint_bytes: u64,
    #[serde(default)]
    pub(crate) video_fingerprint_bytes: u64,
    pub(crate) open_wall: f64,
    pub(crate) queries: usize,
    pub(crate) query_wall: f64,
    pub(crate) query_cpu: f64,
    /// Decoding and fingerprinting a query: p50, p95, p99.
    pub(crate) extract: [f64; 3],
    /// Looking it up: p50, p95, p99.
    pub(crate) lookup: [f64; 3],
    /// Of the whole process, from start to end.
    pub(crate) peak_memory: u64,
}

/// How a run is done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// References added at a time.
    pub(crate) jobs: usize,
    /// Keep the library of an earlier run; what is in it costs only its hash.
    pub(crate) reuse: bool,
}

/// Runs a suite's queries against a library of its references. Writes `out`/report.jsonl.
pub(crate) fn run(
    references: &[&Work],
    queries: &[Query],
    media: &Path,
    out: &Path,
    options: &Options,
) -> Result<(Vec<MatchReport>, Costs)> {
    let directory = out.join("library");
    if directory.exists() && !options.reuse {
        // Left by an earlier run, perhaps of other extractors; made only by this program.
        std::fs::remove_dir_all(&directory)
            .with_context(|| format!("removing {}", directory.display()))?;
    }
    let jobs = options.jobs;
    let mut costs = Costs {
        jobs,
        ..Costs::default()
    };
    add(references, media, &directory, &mut costs)?;
    if costs.references > 0 {
        costs.decode_cpu = decoding_alone(references, media);
    }
    let start = Instant::now();
    let library = Library::open(&directory)?;
    costs.open_wall = start.elapsed().as_secs_f64();
    let stats = library.stats();
    for reference in library.references() {
        costs.audio_fingerprint_bytes += reference.audio.analysed().unwrap_or(&0);
        costs.video_fingerprint_bytes += reference.video.analysed().unwrap_or(&0);
    }
    costs.library_bytes = stats.file_bytes;
    costs.library_audio_seconds = stats.audio_duration;
    costs.library_video_seconds = stats.video_duration;
    let reports = search(&library, queries, out, &mut costs)?;
    costs.peak_memory = peak_memory();
    Ok((reports, costs))
}

fn add(references: &[&Work], media: &Path, directory: &Path, costs: &mut Costs) -> Result<()> {
    let inputs: Vec<Input> = references
        .iter()
        .map(|work| Input {
            path: work.path(media),
            identifier: work.identifier(),
            named: true,
        })
        .collect();
    let failed = Mutex::new(Vec::new());
    let bar = progress(inputs.len() as u64, "adding references");
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let mut writer = LibraryWriter::open_or_create(directory)?;
    let options = AddOptions {
        jobs: costs.jobs,
        allow_truncated: true,
        ..AddOptions::default()
    };
    let summary = writer.add(&inputs, &options, &|event| match event {
        AddEvent::Added { .. } | AddEvent::AlreadyThere { .. } => bar.inc(),
        AddEvent::Failed { error, .. } => {
            bar.inc();
            // A poisoned list still holds what was put in.
            let mut failed = failed.lock().unwrap_or_else(|poison| poison.into_inner());
            failed.push(error.to_string());
        }
        _ => {}
    })?;
    bar.finish();
    costs.references = summary.added;
    costs.reference_seconds = summary.duration;
    costs.add_wall = wall.elapsed().as_secs_f64();
    costs.add_cpu = cpu_seconds() - cpu;
    costs.failed = failed
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner());
    Ok(())
}

/// One query after another, so that latencies are those of a machine with nothing else to do. Each
/// report is written as it comes, so that a run that is stopped can be scored as far as it got.
fn search(
    library: &Library,
    queries: &[Query],
    out: &Path,
    costs: &mut Costs,
) -> Result<Vec<MatchReport>> {
    let options = MatchOptions::default();
    let bar = progress(queries.len() as u64, "matching");
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let (mut extracts, mut lookups, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = Lines::create(&out.join("report.jsonl"))?;
    let mut times = Lines::create(&out.join("times.jsonl"))?;
    for query in queries {
        let start = Instant::now();
        let path = out.join("queries").join(&query.query);
        let extracted = fingerprint_file(&path, Density::Query, &options.extract, &|_| {});
        let extract = start.elapsed().as_secs_f64();
        let report = match extracted {
            Ok(extracted) => {
                let fingerprint = &extracted.fingerprint;
                let report = library.match_fingerprint(&query.query, fingerprint, &options);
                extracts.push(extract);
                lookups.push(start.elapsed().as_secs_f64() - extract);
                report
            }
            Err(error) => MatchReport::failed(&query.query, error.code(), error.to_string()),
        };
        let lookup = start.elapsed().as_secs_f64() - extract;
        times.write(&Times {
            query: &query.query,
            extract,
            lookup,
        })?;
        lines.write(&report)?;
        reports.push(report);
        bar.inc();
    }
    bar.finish();
    costs.queries = queries.len();
    costs.query_wall = wall.elapsed().as_secs_f64();
    costs.query_cpu = cpu_seconds() - cpu;
    costs.extract = percentiles(&extracts);
    costs.lookup = percentiles(&lookups);
    Ok(reports)
}

/// Seconds that one query took.
#[derive(Debug, Serialize)]
struct Times<'a> {
    query: &'a str,
    extract: f64,
    lookup: f64,
}

fn percentiles(values: &[f64]) -> [f64; 3] {
    [0.5, 0.95, 0.99].map(|share| quantile(values, share).unwrap_or(0.0))
}

/// CPU seconds that this process has used, all threads; 0 where the system does not tell.
pub(crate) fn cpu_seconds() -> f64 {
    // Ticks are hundredths of a second on every Linux that Rust runs on.
    const TICKS: f64 = 100.0;
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return 0.0;
    };
    // The name in parentheses may hold spaces: count from behind it.
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok())
        .sum();
    ticks / TICKS
}

/// The most memory that this process has held, bytes; 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
