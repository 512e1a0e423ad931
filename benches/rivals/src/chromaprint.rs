//! Chromaprint: one 32-bit word every eighth of a second.

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
/// Alignments that cover less of the query are not tried.
const SHORTEST_SHARE: f64 = 0.5;

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
        Ok(printed.fingerprint)
    };
    let references = fingerprints(&bench.reference_paths(), print)?;
    let queries = fingerprints(&bench.query_paths(), print)?;
    let search = |query: &Vec<u32>| {
        let candidates = references.iter().enumerate();
        candidates
            .filter_map(|(index, reference)| aligned(index, query, reference))
            .collect()
    };
    Ok(queries.par_iter().map(search).collect())
}

/// The best alignment of a query with a reference.
fn aligned(index: usize, query: &[u32], reference: &[u32]) -> Option<Found> {
    let least = ((query.len() as f64 * SHORTEST_SHARE).ceil() as usize).max(1);
    let (first, last) = (
        least as isize - query.len() as isize,
        reference.len() as isize - least as isize,
    );
    let equal = |shift: isize| {
        let begin = (-shift).max(0) as usize;
        let skip = shift.max(0) as usize;
        let pairs = query[begin..].iter().zip(&reference[skip..]);
        let (mut bits, mut words) = (0, 0);
        for (a, b) in pairs {
            bits += (a ^ b).count_zeros();
            words += 1;
        }
        (f64::from(bits) / f64::from(32 * words), begin, skip, words)
    };
    let best = (first..=last)
        .map(equal)
        .filter(|&(.., words)| words as usize >= least)
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let (score, begin, skip, words) = best;
    Some(Found {
        reference: index,
        score,
        query_start: begin as f64 * STEP,
        query_end: (begin as f64 + f64::from(words)) * STEP,
        reference_start: skip as f64 * STEP,
        speed: 1.0,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_alignment_is_found_wherever_it_lies() {
        let reference: Vec<u32> = (1..200_u32)
            .map(|i| i.wrapping_mul(2_654_435_761))
            .collect();
        for start in [0, 17, 150] {
            let found = aligned(3, &reference[start..start + 40], &reference);
            let found = found.expect("longer than half the query");
            assert_eq!((found.reference, found.score), (3, 1.0));
            assert!((found.reference_start - start as f64 * STEP).abs() < 1e-9);
        }
    }

    #[test]
    fn a_query_may_begin_before_the_reference() {
        let reference: Vec<u32> = (1..60_u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
        let query = [&[7, 8, 9][..], &reference[..20]].concat();
        let found = aligned(0, &query, &reference).expect("overlaps");
        assert_eq!(found.score, 1.0);
        assert!((found.query_start - 3.0 * STEP).abs() < 1e-9);
    }

    #[test]
    fn a_reference_that_is_too_short_is_no_candidate() {
        assert_eq!(aligned(0, &[1, 2, 3, 4], &[1]), None);
    }
}
