//! `run`: adds the references, matches the queries, measures the cost.

use crate::corpus::{Kind, Work};
use crate::costs::{
    AddCost, Costs, Times, WHOLE, analysed, cpu_seconds, forget_peak, of_queries, peak_memory,
};
use crate::decode::decoding_alone;
use crate::make::progress;
use crate::truth::{Lines, Query};
use anyhow::{Context, Result};
use likeness::{
    AddEvent, AddOptions, Input, Library, LibraryWriter, MatchOptions, fingerprint_file,
};
use likeness_core::Density;
use likeness_core::report::MatchReport;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

/// How a run is done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// References added at a time.
    pub(crate) jobs: usize,
    /// Keep the library of an earlier run; what is in it costs only its hash.
    pub(crate) reuse: bool,
    /// The options of matching.
    pub(crate) matching: MatchOptions,
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
    forget_peak();
    let jobs = options.jobs;
    let mut costs = Costs {
        jobs,
        ..Costs::default()
    };
    for kind in [Kind::Music, Kind::Speech, Kind::Video] {
        let works: Vec<&Work> = references
            .iter()
            .filter(|w| w.kind == kind)
            .copied()
            .collect();
        if !works.is_empty() {
            add(kind, &works, media, &directory, &mut costs)?;
        }
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
    let reports = search(&library, queries, out, &options.matching, &mut costs)?;
    costs.peak_memory = peak_memory();
    Ok((reports, costs))
}

/// Adds the references of one kind.
fn add(
    kind: Kind,
    references: &[&Work],
    media: &Path,
    directory: &Path,
    costs: &mut Costs,
) -> Result<()> {
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
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    costs.references += summary.added;
    costs.adding.push(AddCost {
        kind,
        references: summary.added,
        seconds: summary.duration,
        wall,
        cpu,
        decode_cpu: if summary.added > 0 {
            decoding_alone(references, media)
        } else {
            0.0
        },
    });
    let failed = failed
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner());
    costs.failed.extend(failed);
    Ok(())
}

/// One query after another, so that latencies are those of a machine with nothing else to do. Each
/// report is written as it comes, so that a run that is stopped can be scored as far as it got.
fn search(
    library: &Library,
    queries: &[Query],
    out: &Path,
    matching: &MatchOptions,
    costs: &mut Costs,
) -> Result<Vec<MatchReport>> {
    let bar = progress(queries.len() as u64, "matching");
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let mut reports = Vec::new();
    let mut all_times = Vec::new();
    let mut lines = Lines::create(&out.join("report.jsonl"))?;
    let mut times = Lines::create(&out.join("times.jsonl"))?;
    for query in queries {
        let (report, taken) = look_up(library, query, out, matching);
        times.write(&taken)?;
        all_times.push(taken);
        lines.write(&report)?;
        reports.push(report);
        bar.inc();
    }
    bar.finish();
    costs.matching = of_queries(&all_times);
    costs.query_wall = wall.elapsed().as_secs_f64();
    costs.query_cpu = cpu_seconds() - cpu;
    Ok(reports)
}

/// One query from its file to its report, and how long that took.
fn look_up(
    library: &Library,
    query: &Query,
    out: &Path,
    options: &MatchOptions,
) -> (MatchReport, Times) {
    let path = out.join("queries").join(&query.query);
    let (start, start_cpu) = (Instant::now(), cpu_seconds());
    let extracted = fingerprint_file(&path, Density::Query, &options.extract, &|_| {});
    let (extract, extract_cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - start_cpu);
    let report = match extracted {
        Ok(extracted) => library.match_fingerprint(&query.query, &extracted.fingerprint, options),
        Err(error) => MatchReport::failed(&query.query, error.code(), error.to_string()),
    };
    let times = Times {
        query: query.query.clone(),
        // A whole work says nothing of what an excerpt costs.
        what: match query.variant {
            true => WHOLE,
            false => analysed(&report),
        },
        extract,
        extract_cpu,
        lookup: start.elapsed().as_secs_f64() - extract,
        lookup_cpu: cpu_seconds() - start_cpu - extract_cpu,
    };
    (report, times)
}
