//! What one file shows of another, without a library.

use crate::extract::{Progress, fingerprint_file};
use crate::inputs::{Input, path_text};
use crate::library::Traced;
use crate::matching::{self, MatchOptions};
use crate::writer::all_postings;
use likeness_core::report::MatchReport;
use likeness_core::{Density, Fingerprint};
use likeness_index::MemoryStore;
use likeness_match::audio::ChromaCache;
use std::path::Path;

/// What `query` shows of `reference`. `progress` tells of the query. Whatever goes wrong, with
/// either file, becomes a report with an error.
pub fn compare(
    query: &Path,
    reference: &Path,
    options: &MatchOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> MatchReport {
    trace(query, reference, options, progress).0.report
}

/// As [`compare`], and hands out both fingerprints, the reference's in its sparse form, so that what
/// speaks for the matches can be shown.
pub fn trace(
    query: &Path,
    reference: &Path,
    options: &MatchOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> (Traced, Option<Fingerprint>) {
    let name = path_text(query);
    let (stored, looked_up) = rayon::join(
        || fingerprint_file(reference, Density::Reference, &options.extract, &|_| {}),
        || fingerprint_file(query, Density::Query, &options.extract, progress),
    );
    let (stored, looked_up) = match (stored, looked_up) {
        (Ok(stored), Ok(looked_up)) => (stored, looked_up),
        (_, Err(error)) | (Err(error), _) => {
            let report = MatchReport::failed(name, error.code(), error.to_string());
            let fingerprint = None;
            return (
                Traced {
                    report,
                    fingerprint,
                },
                None,
            );
        }
    };
    let identifier = Input::file(reference).identifier;
    let report = pair(
        &name,
        &looked_up.fingerprint,
        &identifier,
        stored.fingerprint.clone(),
        options,
    );
    let broken =
        |reason: Option<String>, path: &Path| Some(format!("{}: {}", path.display(), reason?));
    let report = match broken(looked_up.truncated, query).or(broken(stored.truncated, reference)) {
        Some(reason) => matching::truncated(report, reason),
        None => report,
    };
    let fingerprint = Some(looked_up.fingerprint);
    let traced = Traced {
        report,
        fingerprint,
    };
    (traced, Some(stored.fingerprint))
}

fn pair(
    query: &str,
    fingerprint: &Fingerprint,
    identifier: &str,
    reference: Fingerprint,
    options: &MatchOptions,
) -> MatchReport {
    let mut store = MemoryStore::default();
    let (duration, postings) = (reference.duration, all_postings(&reference));
    store.add(reference, postings);
    let name = |_| Some((identifier, duration));
    matching::report(
        query,
        fingerprint,
        &store,
        &ChromaCache::default(),
        &name,
        options,
    )
}
