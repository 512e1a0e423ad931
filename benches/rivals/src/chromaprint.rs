//! Chromaprint: one 32-bit word every eighth of a second.

use crate::alignment::{self, Strings};
use crate::bench::{Bench, Found};
use crate::sound::{decode, fingerprints};
use anyhow::{Context, Result, anyhow};
use rayon::prelude::*;
use rusty_chromaprint::{Configuration, Fingerprinter, match_fingerprints};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// Samples a second that Chromaprint works at.
const RATE: u32 = 11_025;
/// Seconds from one word to the next: a third of a frame of 4096 samples.
const STEP: f64 = 1365.0 / RATE as f64;

#[derive(Deserialize)]
struct Printed {
    fingerprint: Vec<u32>,
}

/// Whole files' raw fingerprints from `fpcalc`, every alignment tried, scored by the share of equal
/// bits (1 for the same, about 0.5 for unrelated).
pub(crate) fn fpcalc(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    let print = |path: &Path| {
        let mut command = Command::new("fpcalc");
        command.args(["-raw", "-json", "-length", "0"]).arg(path);
        // Its status is an error for files that end unusually, whose fingerprint it prints all the same.
        let output = command
            .output()
            .with_context(|| format!("starting {command:?}"))?;
        let printed: Printed = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{}", path.display()))?;
        Ok(printed
            .fingerprint
            .iter()
            .map(|word| [u64::from(*word)])
            .collect())
    };
    let references: Vec<Strings<1>> = fingerprints(&bench.reference_paths(), print)?;
    let queries = fingerprints(&bench.query_paths(), |path| Ok(vec![print(path)?]))?;
    Ok(alignment::search(&queries, &references, 32, STEP))
}

/// `rusty-chromaprint` with its own matcher, scored by similarity times the share of the query that
/// the matching segment covers.
pub(crate) fn rusty(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    let config = Configuration::preset_test2();
    let print = |path: &Path| rusty_print(path, &config);
    let references = fingerprints(&bench.reference_paths(), print)?;
    let queries = fingerprints(&bench.query_paths(), print)?;
    let search = |query: &Vec<u32>| {
        let candidates = references.iter().enumerate();
        let found = candidates.map(|(index, reference)| {
            let segments = match_fingerprints(query, reference, &config)
                .map_err(|error| anyhow!("{error:?}"))?;
            let scored = segments.iter().map(|segment| Found {
                reference: index,
                score: (1.0 - segment.score / 32.0) * segment.items_count as f64
                    / query.len().max(1) as f64,
                query_start: f64::from(segment.start1(&config)),
                query_end: f64::from(segment.end1(&config)),
                reference_start: f64::from(segment.start2(&config)),
                speed: 1.0,
            });
            Ok(scored.max_by(|a, b| a.score.total_cmp(&b.score)))
        });
        found.filter_map(Result::transpose).collect()
    };
    queries.par_iter().map(search).collect()
}

fn rusty_print(path: &Path, config: &Configuration) -> Result<Vec<u32>> {
    let bytes = decode(path, RATE, "s16le")?;
    let samples: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let mut printer = Fingerprinter::new(config);
    printer
        .start(RATE, 1)
        .map_err(|error| anyhow!("{}: {error:?}", path.display()))?;
    printer.consume(&samples);
    printer.finish();
    Ok(printer.fingerprint().to_vec())
}
