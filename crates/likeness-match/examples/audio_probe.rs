//! Measures audio matching on raw PCM, without decoders: every line says what the true transform
//! was, and the probe counts how often it is found above every false one.
//!
//! `audio_probe REFS QUERIES [ROW...]`: REFS holds lines `number<tab>file`, QUERIES lines
//! `row<tab>file<tab>reference or -1<tab>speed<tab>pitch<tab>reference time<tab>query time`; files
//! are mono `f32` at the extractor's rate.

use likeness_audio::{AudioExtractor, postings};
use likeness_core::{
    AudioFingerprint, Density, PcmBlock, Posting, PostingSpace, ReferenceId, StreamState,
    VideoFingerprint,
};
use likeness_index::{Store, StoreError};
use likeness_match::audio::{Audible, AudioMatchConfig, examine};
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// All references in memory.
#[derive(Default)]
struct Shelf {
    references: Vec<Arc<AudioFingerprint>>,
    postings: HashMap<u64, Vec<Posting>>,
}

impl Store for Shelf {
    fn postings(
        &self,
        _: PostingSpace,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        for (i, term) in terms.iter().enumerate() {
            for posting in self.postings.get(term).into_iter().flatten() {
                sink(i, *posting);
            }
        }
        Ok(())
    }

    fn audio(&self, reference: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError> {
        Ok(self.references.get(reference.0 as usize).cloned())
    }

    fn video(&self, _: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError> {
        Ok(None)
    }

    fn references(&self) -> Vec<ReferenceId> {
        (0..self.references.len() as u32).map(ReferenceId).collect()
    }
}

fn extract(path: &str, density: Density) -> Option<AudioFingerprint> {
    let bytes = std::fs::read(path).ok()?;
    let samples: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let mut extractor = AudioExtractor::new(density);
    extractor.push(PcmBlock::mono(&samples));
    match extractor.finish() {
        StreamState::Analysed(fingerprint) => Some(fingerprint),
        _ => None,
    }
}

struct Query<'a> {
    row: &'a str,
    file: &'a str,
    reference: Option<u32>,
    speed: f64,
    pitch: f64,
    there: f64,
    here: f64,
}

impl Query<'_> {
    fn parse(line: &str) -> Option<Query<'_>> {
        let f: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| f.get(i)?.parse::<f64>().ok();
        Some(Query {
            row: f.first()?,
            file: f.get(1)?,
            reference: u32::try_from(f.get(2)?.parse::<i64>().ok()?).ok(),
            speed: number(3)?,
            pitch: number(4)?,
            there: number(5)?,
            here: number(6)?,
        })
    }

    /// Errors of speed (relative), pitch (semitones) and offset (seconds).
    fn errors(&self, v: &Audible) -> [f64; 3] {
        let middle = (v.window.start + v.window.end) / 2.0;
        let expected = self.there + (middle - self.here) * self.speed;
        [
            (v.transform.speed / self.speed - 1.0).abs(),
            (v.transform.pitch - self.pitch).abs(),
            (v.transform.to_reference(middle) - expected).abs(),
        ]
    }
}

#[derive(Default)]
struct Row {
    queries: usize,
    /// Per query: score of the best hypothesis of the right reference, and its errors.
    right: Vec<(f64, [f64; 3])>,
    /// Per query: highest score of a wrong reference.
    wrong: Vec<f64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let read = |i: usize| std::fs::read_to_string(&arguments[i]).expect("a list");
    let (references, queries) = (read(1), read(2));
    let rows = &arguments[3..];
    let config = AudioMatchConfig::default();
    let start = Instant::now();
    let (mut shelf, mut seconds, mut bytes, mut count) = (Shelf::default(), 0.0, 0, 0);
    let mut peaks = [0; 2];
    for line in references.lines() {
        let file = line.split('\t').nth(1).expect("a file");
        let Some(fingerprint) = extract(file, Density::Reference) else {
            continue;
        };
        seconds += fingerprint.duration;
        bytes += fingerprint.encode().len();
        peaks[0] += fingerprint.onsets.len();
        peaks[1] += fingerprint.partials.len();
        let id = ReferenceId(shelf.references.len() as u32);
        for posting in postings(&fingerprint, id) {
            count += 1;
            shelf
                .postings
                .entry(posting.term)
                .or_default()
                .push(posting);
        }
        shelf.references.push(Arc::new(fingerprint));
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "{} references, {seconds:.0} s, {:.0}x real time, {:.3} MB/h, {:.1} + {:.1} peaks/s, {:.1} postings/s, {} terms",
        shelf.references.len(),
        seconds / took,
        bytes as f64 / seconds * 3600.0 / 1e6,
        peaks[0] as f64 / seconds,
        peaks[1] as f64 / seconds,
        count as f64 / seconds,
        shelf.postings.len()
    );
    let mut table: BTreeMap<&str, Row> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    let mut top_false: Vec<(f64, String)> = Vec::new();
    let mut time = 0.0;
    let mut looked_up = 0;
    for query in queries.lines().filter_map(Query::parse) {
        if !rows.is_empty() && query.row != "neg" && !rows.iter().any(|r| r == query.row) {
            continue;
        }
        let Some(fingerprint) = extract(query.file, Density::Query) else {
            continue;
        };
        let start = Instant::now();
        let all = examine(&fingerprint, &shelf, None, &config).expect("memory does not fail");
        time += start.elapsed().as_secs_f64();
        looked_up += 1;
        if !table.contains_key(query.row) {
            order.push(query.row);
        }
        let row = table.entry(query.row).or_default();
        row.queries += 1;
        let best: BTreeMap<u32, &Audible> = all.iter().map(|(r, s)| (r.0, &s[0])).collect();
        for (&reference, v) in &best {
            if Some(reference) == query.reference {
                row.right.push((v.evidence.total, query.errors(v)));
            }
        }
        let wrong = best.iter().filter(|(r, _)| Some(**r) != query.reference);
        let top = wrong.max_by(|a, b| a.1.evidence.total.total_cmp(&b.1.evidence.total));
        if std::env::var("DETAIL").is_ok() {
            let right = query.reference.and_then(|r| best.get(&r));
            println!(
                "{}\t{:?}\tT {:.1?}",
                query.file,
                query.reference,
                right.map(|v| (v.evidence, query.errors(v)))
            );
        }
        if let Some((reference, v)) = top {
            row.wrong.push(v.evidence.total);
            let [a, b] = v.evidence.peaks;
            let s = v.evidence.spectrum;
            top_false.push((
                v.evidence.total,
                format!(
                    "{} -> {reference}: {:.3} {:+.2} at {:.1}; {}/{} {:.2} {:.2}, {}/{} {:.2} {:.2}, {:.2} {:.2} {:.2}",
                    query.file, v.transform.speed, v.transform.pitch, v.transform.to_reference(0.0),
                    a.found, a.expected, a.by_time, a.by_pitch, b.found, b.expected, b.by_time, b.by_pitch,
                    s.correlation, s.decoy_mean, s.decoy_top
                ),
            ));
        }
    }
    println!("{:.1} ms a query", time / f64::from(looked_up.max(1)) * 1e3);
    let highest = |row: &str| {
        table
            .get(row)
            .map_or(0.0, |r| r.wrong.iter().copied().fold(0.0, f64::max))
    };
    let negative = highest("neg");
    println!(
        "highest negative {negative:.1}; threshold {:.1}",
        config.threshold
    );
    for name in order {
        let row = &table[name];
        let mut scores: Vec<f64> = row.right.iter().map(|r| r.0).collect();
        scores.resize(row.queries, 0.0);
        scores.sort_unstable_by(f64::total_cmp);
        let above = |t: f64| scores.iter().filter(|&&s| s >= t).count();
        let median = |i: usize| {
            let mut errors: Vec<f64> = row
                .right
                .iter()
                .filter(|r| r.0 >= config.threshold)
                .map(|r| r.1[i])
                .collect();
            errors.sort_unstable_by(f64::total_cmp);
            errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN)
        };
        println!(
            "{name:22} n {:3}  accepted {:3}  above negatives {:3}  lowest {:?}  errors {:.4} {:.3} {:.3}  top wrong {:.0}",
            row.queries,
            above(config.threshold),
            above(negative),
            scores
                .iter()
                .take(4)
                .map(|s| s.round() as i64)
                .collect::<Vec<_>>(),
            median(0),
            median(1),
            median(2),
            highest(name),
        );
    }
    top_false.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    for (score, line) in top_false.iter().take(12) {
        println!("{score:.1} {line}");
    }
}
