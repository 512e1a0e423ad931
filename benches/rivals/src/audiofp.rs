//! The crate `audiofp`: landmark pairs (Wang), tempo-invariant triplets (Panako) and band signs
//! (Haitsma and Kalker), each with the crate's own matcher against every reference by itself.
//!
//! Its gates on votes, score and prominence are opened, so that the benchmark sets the threshold on the
//! score as for the others; Panako's range of tempos is widened to the benchmark's, and Haitsma's table
//! is also asked for words with one bit changed, as its documentation advises for noisy queries (trying
//! every alignment, which it offers too, takes hours here).

use crate::bench::{Bench, Found};
use crate::sound::{decode, fingerprints};
use anyhow::{Context, Result};
use audiofp::classical::{
    Haitsma, HaitsmaConfig, HaitsmaFingerprint, Panako, PanakoConfig, PanakoFingerprint, Wang,
    WangConfig, WangFingerprint,
};
use audiofp::matching::{
    HaitsmaMatchConfig, HaitsmaMatcher, MatchResult, Matcher, PanakoMatchConfig, PanakoMatcher,
    PanakoRefIndex, WangMatchConfig, WangMatcher, WangRefIndex,
};
use audiofp::{Fingerprinter, SampleRate};
use rayon::prelude::*;
use std::path::Path;

/// Scores at or below this are no candidates: nothing was aligned.
const NOTHING: f32 = 0.0;

pub(crate) fn wang(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    let print = |path: &Path| -> Result<Heard<WangFingerprint>> {
        let config = WangConfig {
            max_input_samples: None,
            max_hashes: None,
            ..WangConfig::default()
        };
        extract(&mut Wang::new(config), path)
    };
    let config = WangMatchConfig {
        min_votes: 0,
        min_score: 0.0,
        min_prominence: 0.0,
        ..WangMatchConfig::default()
    };
    let references = fingerprints(&bench.reference_paths(), |path| {
        Ok(WangRefIndex::build(&print(path)?.print, &config))
    })?;
    let queries = fingerprints(&bench.query_paths(), print)?;
    let matcher = WangMatcher::new(config);
    Ok(search(&queries, &references, |query, reference| {
        matcher.match_one_prebuilt(query, reference)
    }))
}

pub(crate) fn panako(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    let print = |path: &Path| -> Result<Heard<PanakoFingerprint>> {
        let config = PanakoConfig {
            max_input_samples: None,
            max_hashes: None,
            ..PanakoConfig::default()
        };
        extract(&mut Panako::new(config), path)
    };
    let config = PanakoMatchConfig {
        scale_min: 0.7,
        scale_max: 1.43,
        // As fine as by default.
        scale_bins: 40,
        min_votes: 0,
        min_score: 0.0,
        min_prominence: 0.0,
        ..PanakoMatchConfig::default()
    };
    let references = fingerprints(&bench.reference_paths(), |path| {
        Ok(PanakoRefIndex::build(&print(path)?.print, &config))
    })?;
    let queries = fingerprints(&bench.query_paths(), print)?;
    let matcher = PanakoMatcher::new(config);
    Ok(search(&queries, &references, |query, reference| {
        matcher.match_one_prebuilt(query, reference)
    }))
}

pub(crate) fn haitsma(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    let print = |path: &Path| -> Result<Heard<HaitsmaFingerprint>> {
        let config = HaitsmaConfig {
            max_input_samples: None,
            ..HaitsmaConfig::default()
        };
        extract(&mut Haitsma::new(config), path)
    };
    let references = fingerprints(&bench.reference_paths(), |path| {
        Ok(Some(print(path)?.print))
    })?;
    let queries = fingerprints(&bench.query_paths(), print)?;
    let matcher = HaitsmaMatcher::new(HaitsmaMatchConfig {
        max_ber: 1.0,
        probe_bit_flips: 1,
        ..HaitsmaMatchConfig::default()
    });
    Ok(search(&queries, &references, |query, reference| {
        matcher.match_one(query, reference)
    }))
}

/// A whole file's fingerprint. What is shorter than the method needs is filled up with silence.
fn extract<F: Fingerprinter>(printer: &mut F, path: &Path) -> Result<Heard<F::Output>> {
    let rate: SampleRate = printer.required_sample_rate();
    let bytes = decode(path, rate.hz(), "f32le")?;
    let mut samples: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let seconds = samples.len() as f64 / f64::from(rate.hz());
    samples.resize(samples.len().max(printer.min_samples()), 0.0);
    let print = printer
        .extract(&samples, rate)
        .with_context(|| format!("{}", path.display()))?;
    Ok(Heard { print, seconds })
}

/// A fingerprint and the length of what it was made from.
struct Heard<P> {
    print: P,
    seconds: f64,
}

/// Every query against every reference that has anything to match.
fn search<Q: Sync, R: Sync>(
    queries: &[Heard<Q>],
    references: &[Option<R>],
    compare: impl Fn(&Q, &R) -> MatchResult + Sync,
) -> Vec<Vec<Found>> {
    let one = |query: &Heard<Q>| {
        let candidates = references.iter().enumerate();
        candidates
            .filter_map(|(index, reference)| {
                let result = compare(&query.print, reference.as_ref()?);
                // The matchers tell where the query begins in the reference and at which pace.
                (result.score > NOTHING).then(|| Found {
                    reference: index,
                    score: f64::from(result.score),
                    query_start: 0.0,
                    query_end: query.seconds,
                    reference_start: result.offset.ms as f64 / 1000.0,
                    speed: 1.0 / f64::from(result.time_scale),
                })
            })
            .collect()
    };
    queries.par_iter().map(one).collect()
}
