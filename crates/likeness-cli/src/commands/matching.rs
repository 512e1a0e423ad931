//! `likeness match` and `likeness compare`.

use super::complain;
use super::evidence::{Evidence, media, of_library};
use crate::Outcome;
use crate::args::{Channel, Compare, Match, Search};
use crate::output::{self, ReportWriter};
use crate::progress::{Progress, beside_bars};
use crate::text;
use likeness::{
    ExtractOptions, Input, InputError, Library, MatchOptions, Traced, collect_inputs, path_text,
};
use likeness_core::report::{MatchReport, Status};
use likeness_evidence::{Shown, Work};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A query's report, and what a page shows of it.
type Done = (MatchReport, Option<Shown>);

/// What one path, or one file below it, came to.
type Query = Result<Input, InputError>;

/// Matches files against a library, several at a time, and writes the reports in their order.
pub(crate) fn match_files(args: &Match, quiet: bool) -> anyhow::Result<Outcome> {
    args.analysis.share_threads()?;
    let place = args.library.place_for(args.allow_partial)?;
    let library = Library::open_at(&*place)?;
    let queries = queries(&args.paths);
    let against = format!("the library {place}");
    let inputs = queries.iter().map(path);
    let evidence = Evidence::new(&args.report, against, &args.search, inputs)?;
    let options = options(args.analysis.extract(queries.len()), &args.search);
    let batch = Batch {
        progress: Progress::new(queries.iter().map(path), quiet),
        queries: &queries,
        library: &library,
        references: &args.references,
        evidence: evidence.as_ref(),
        options: &options,
        next: AtomicUsize::new(0),
    };
    let mut writer = output::reports(args.output.format, std::io::stdout());
    let tally = batch.run(args.analysis.jobs(), &mut *writer)?;
    beside_bars(|| writer.finish())?;
    if let Some(evidence) = &evidence {
        evidence.write()?;
    }
    batch.progress.close(&tally.sum_up());
    Ok(tally.outcome())
}

/// Matches one file against another.
pub(crate) fn compare(args: &Compare, quiet: bool) -> anyhow::Result<Outcome> {
    args.analysis.share_threads()?;
    let options = options(args.analysis.extract(2), &args.search);
    let progress = Progress::new(std::iter::once(args.query.as_path()), quiet);
    let files = [args.query.as_path(), args.reference.as_path()];
    let against = args.reference.display().to_string();
    let evidence = Evidence::new(&args.report, against, &args.search, files.into_iter())?;
    let (traced, reference) = likeness::trace(&args.query, &args.reference, &options, &|at| {
        progress.advance(0, at.seconds, at.duration);
    });
    let report = traced.report;
    let mut tally = Tally::default();
    tally.count(&report);
    progress.finish(0, &outcome(&report));
    let mut writer = output::reports(args.output.format, std::io::stdout());
    beside_bars(|| writer.write(&report).and_then(|()| writer.finish()))?;
    if let Some(evidence) = &evidence {
        let reference = reference.map(|print| Work::new(print, media(&args.reference)));
        let query = traced.fingerprint;
        let find = |_: &str| reference.clone();
        let shown = evidence.gather(&report, query, &args.query, &find);
        evidence.push(&report, shown);
        evidence.write()?;
    }
    progress.close(&tally.sum_up());
    Ok(tally.outcome())
}

pub(super) fn options(extract: ExtractOptions, search: &Search) -> MatchOptions {
    let mut options = MatchOptions {
        max_false_positive_probability: search.max_false_positive_probability,
        extract,
        ..MatchOptions::default()
    };
    options.audio.channels.landmarks = search.channels.contains(&Channel::Landmarks);
    options.audio.channels.chroma = search.channels.contains(&Channel::Chroma);
    options
}

/// Files to match, and paths that lead to none, in the order in which they were named.
fn queries(paths: &[PathBuf]) -> Vec<Query> {
    let mut queries = Vec::new();
    for path in paths {
        let collected = collect_inputs(std::slice::from_ref(path));
        queries.extend(collected.inputs.into_iter().map(Ok));
        queries.extend(collected.errors.into_iter().map(Err));
    }
    queries
}

fn path(query: &Query) -> &Path {
    match query {
        Ok(input) => &input.path,
        Err(error) => error.path(),
    }
}

/// The queries of one call.
struct Batch<'a> {
    queries: &'a [Query],
    library: &'a Library,
    /// Where the references' files may lie.
    references: &'a [PathBuf],
    /// The page to be filled, if one is wanted.
    evidence: Option<&'a Evidence>,
    options: &'a MatchOptions,
    progress: Progress,
    /// The next query to be worked on.
    next: AtomicUsize,
}

impl Batch<'_> {
    /// Matches with `jobs` threads; writes each report as soon as all before it are written.
    fn run(&self, jobs: usize, writer: &mut dyn ReportWriter) -> anyhow::Result<Tally> {
        thread::scope(|scope| {
            let (sender, reports) = channel();
            for _ in 0..jobs.min(self.queries.len()) {
                let sender = sender.clone();
                scope.spawn(move || self.work(&sender));
            }
            drop(sender);
            let mut tally = Tally::default();
            let mut waiting = BTreeMap::new();
            for (index, done) in reports {
                waiting.insert(index, done);
                while let Some((report, shown)) = waiting.remove(&tally.queries) {
                    tally.count(&report);
                    beside_bars(|| writer.write(&report))?;
                    if let (Some(evidence), Some(shown)) = (self.evidence, shown) {
                        evidence.push(&report, shown);
                    }
                }
            }
            Ok(tally)
        })
    }

    /// Matches queries until none is left or nobody wants the reports.
    fn work(&self, reports: &Sender<(usize, Done)>) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(query) = self.queries.get(index) else {
                return;
            };
            let done = self.report(index, query);
            self.progress.finish(index, &outcome(&done.0));
            if reports.send((index, done)).is_err() {
                return;
            }
        }
    }

    fn report(&self, index: usize, query: &Query) -> Done {
        let traced = match query {
            Ok(input) => self.library.trace_file(input, self.options, &|at| {
                self.progress.advance(index, at.seconds, at.duration);
            }),
            Err(error) => {
                let name = path_text(error.path());
                Traced {
                    report: MatchReport::failed(name, error.code(), error.to_string()),
                    fingerprint: None,
                }
            }
        };
        let Traced {
            report,
            fingerprint,
        } = traced;
        let shown = self.evidence.map(|evidence| {
            let find = |name: &str| of_library(self.library, self.references, name);
            evidence.gather(&report, fingerprint, path(query), &find)
        });
        (report, shown)
    }
}

/// What a report says, in a few words.
fn outcome(report: &MatchReport) -> String {
    match (report.status, report.matches.len()) {
        (Status::Error, _) => "failed".to_owned(),
        (Status::Ok, 0) => text::nothing(report),
        (Status::Ok, n) => text::count(n, "match", "matches"),
    }
}

/// How many queries came to what.
#[derive(Default)]
struct Tally {
    queries: usize,
    matched: usize,
    failed: usize,
}

impl Tally {
    /// Counts a report, and tells of an error in it.
    fn count(&mut self, report: &MatchReport) {
        self.queries += 1;
        self.matched += usize::from(!report.matches.is_empty());
        self.failed += usize::from(report.status == Status::Error);
        if let Some(error) = &report.error {
            complain(&error.message);
        }
    }

    fn outcome(&self) -> Outcome {
        match (self.failed, self.matched) {
            (0, 0) => Outcome::NothingFound,
            (0, _) => Outcome::Done,
            _ => Outcome::Failures,
        }
    }

    fn sum_up(&self) -> String {
        let queries = text::count(self.queries, "query", "queries");
        let mut line = format!("{queries}, {} matched", self.matched);
        if self.failed > 0 {
            line += &format!(", {} failed", self.failed);
        }
        line
    }
}
