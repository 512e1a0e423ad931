//! What one size of library costs and finds.

use crate::corpus::Kind;
use crate::stats::quantile;
use anyhow::Result;
use likeness::{Library, MatchOptions, Place, Stats};
use likeness_core::Fingerprint;
use likeness_core::report::MatchReport;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// Look-ups before the clock counts, for what is done once in a process.
const WARM_UP: usize = 20;

/// Something to look for.
pub(crate) struct Probe {
    pub(crate) name: String,
    pub(crate) row: String,
    /// References that may rightly be found.
    pub(crate) right: Vec<String>,
    /// Whether one of them must be found.
    pub(crate) copy: bool,
    pub(crate) fingerprint: Fingerprint,
}

/// What adding cost.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ingest {
    pub(crate) works: usize,
    /// Seconds, merges included.
    pub(crate) cpu: f64,
    /// Seconds by the clock, of the directory and of the store beside it.
    #[serde(default)]
    pub(crate) wall: [f64; 2],
}

/// A store beside the directory. Times in seconds by the clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Beside {
    /// Of one copy.
    pub(crate) bytes: u64,
    pub(crate) open: f64,
    /// One look-up: p50, p95, p99.
    pub(crate) wall: [f64; 3],
    /// Look-ups that gave the same report, to the last digit, and those that did not.
    pub(crate) same: usize,
    pub(crate) others: Vec<String>,
}

/// One size. Times in seconds, sizes in bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) hours: f64,
    pub(crate) references: usize,
    pub(crate) runs: usize,
    pub(crate) postings: u64,
    pub(crate) bytes: u64,
    pub(crate) fingerprint_bytes: u64,
    pub(crate) ingest: Option<Ingest>,
    /// Meetings with postings that a look-up may have; the largest number where nothing bounds them, the
    /// matcher's own where none was asked for.
    pub(crate) budget: Option<u64>,
    pub(crate) open_wall: f64,
    /// Resident after all look-ups, and the part of it that is no mapped file.
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
    /// CPU of one look-up of 15 s, all threads together: p50, p95, p99.
    pub(crate) cpu: [f64; 3],
    /// The same by the clock.
    #[serde(default)]
    pub(crate) wall: [f64; 3],
    #[serde(default)]
    pub(crate) beside: Option<Beside>,
    /// (found, copies) of each row.
    pub(crate) rows: BTreeMap<String, (usize, usize)>,
    pub(crate) unrelated: usize,
    /// What was claimed and is not there: query, reference, probability.
    pub(crate) false_matches: Vec<(String, String, f64)>,
}

/// Looks everything up.
pub(crate) fn measure(
    places: &[Box<dyn Place>],
    kind: Kind,
    probes: &[Probe],
    ingest: Option<Ingest>,
    budget: Option<u64>,
) -> Result<Point> {
    let start = Instant::now();
    let open = Library::open_at(&*places[0])?;
    let open_wall = start.elapsed().as_secs_f64();
    let stats = open.stats();
    let mut options = MatchOptions::default();
    if let Some(budget) = budget {
        set_budget(&mut options, kind, budget);
    }
    for probe in probes.iter().take(WARM_UP) {
        open.match_fingerprint(&probe.name, &probe.fingerprint, &options);
    }
    let mut times = Vec::with_capacity(probes.len());
    let mut walls = Vec::with_capacity(probes.len());
    let mut reports = Vec::with_capacity(probes.len());
    let mut rows: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut false_matches = Vec::new();
    for probe in probes {
        let (before, start) = (cpu(), Instant::now());
        let report = open.match_fingerprint(&probe.name, &probe.fingerprint, &options);
        times.push(cpu() - before);
        walls.push(start.elapsed().as_secs_f64());
        let right = |name: &String| probe.right.contains(name);
        if probe.copy {
            let row = rows.entry(probe.row.clone()).or_default();
            row.0 += usize::from(report.matches.iter().any(|m| right(&m.reference)));
            row.1 += 1;
        }
        for found in report.matches.iter().filter(|m| !right(&m.reference)) {
            let probability = found.false_positive_probability.unwrap_or(1.0);
            false_matches.push((probe.name.clone(), found.reference.clone(), probability));
        }
        reports.push(report);
    }
    let [resident, anonymous] = ["Rss:", "Anonymous:"].map(memory);
    let place = places.get(1);
    let beside = place.map(|place| beside(&**place, probes, &reports, &options));
    Ok(Point {
        wall: percentiles(&walls),
        beside: beside.transpose()?,
        hours: hours(&stats, kind),
        references: stats.references,
        runs: stats.files,
        postings: match kind {
            Kind::Video => stats.video_postings,
            _ => stats.audio_postings,
        },
        bytes: stats.file_bytes,
        fingerprint_bytes: stats.fingerprint_bytes,
        ingest,
        budget,
        open_wall,
        resident,
        anonymous,
        cpu: percentiles(&times),
        rows,
        unrelated: probes.iter().filter(|probe| probe.right.is_empty()).count(),
        false_matches,
    })
}

fn percentiles(values: &[f64]) -> [f64; 3] {
    [0.5, 0.95, 0.99].map(|share| quantile(values, share).unwrap_or(0.0))
}

/// Looks the same up in a store, and compares.
fn beside(
    place: &dyn Place,
    probes: &[Probe],
    reports: &[MatchReport],
    options: &MatchOptions,
) -> Result<Beside> {
    let start = Instant::now();
    let open = Library::open_at(place)?;
    let opened = start.elapsed().as_secs_f64();
    for probe in probes.iter().take(WARM_UP) {
        open.match_fingerprint(&probe.name, &probe.fingerprint, options);
    }
    let (mut walls, mut same, mut others) = (Vec::new(), 0, Vec::new());
    for (probe, report) in probes.iter().zip(reports) {
        let start = Instant::now();
        let own = open.match_fingerprint(&probe.name, &probe.fingerprint, options);
        walls.push(start.elapsed().as_secs_f64());
        match own == *report {
            true => same += 1,
            false => others.push(probe.name.clone()),
        }
    }
    Ok(Beside {
        bytes: open.stats().file_bytes,
        open: opened,
        wall: percentiles(&walls),
        same,
        others,
    })
}

/// Hours of works of a kind that a library holds.
pub(crate) fn hours(stats: &Stats, kind: Kind) -> f64 {
    let seconds = match kind {
        Kind::Video => stats.video_duration,
        _ => stats.audio_duration,
    };
    seconds / 3600.0
}

fn set_budget(options: &mut MatchOptions, kind: Kind, budget: u64) {
    match kind {
        Kind::Video => options.video.posting_budget = budget,
        _ => {
            options.audio.posting_budget = budget;
            options.audio.posting_budget_of_little = budget;
        }
    }
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// A number of the system's summary of this process's memory, bytes; 0 where it gives none.
fn memory(what: &str) -> u64 {
    let summary = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = summary.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
