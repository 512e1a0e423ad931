//! Rivals for pictures: PDQ and vPDQ through their Python bindings, and FFmpeg's MPEG-7 signature.

use crate::alignment::{self, Strings, distance};
use crate::bench::{Bench, Found};
use crate::sound::{fingerprints, output};
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Frames a second that are hashed, of queries and references alike: with one a second, as vPDQ does
/// by default, query and reference are up to half a second apart.
const RATE: f64 = 5.0;
/// vPDQ's documented tolerances: bits that may differ, and the least quality of a frame.
const TOLERANCE: u32 = 31;
const QUALITY: u32 = 50;
/// Elements of a frame's fine signature, each 0, 1 or 2.
const ELEMENTS: usize = 380;

/// A hashed frame, as `hash.py` prints it.
#[derive(Debug, Clone, Deserialize)]
struct Frame {
    /// Seconds.
    time: f64,
    quality: u32,
    /// 64 hexadecimal digits; more than one where the frame is also hashed mirrored.
    hashes: Vec<String>,
}

/// Runs `hash.py` in the virtual environment beside it.
fn hashed(method: &str, path: &Path) -> Result<Vec<Frame>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python(folder));
    command.arg(folder.join("hash.py"));
    command.args([method, &RATE.to_string()]).arg(path);
    let output = output(&mut command, path)?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("{}", path.display()))
}

/// The interpreter that `tools/rivals` sets up.
fn python(folder: &Path) -> PathBuf {
    let told = std::env::var_os("RIVALS_PYTHON").map(PathBuf::from);
    told.unwrap_or_else(|| folder.join("../../target/rivals/venv/bin/python"))
}

/// Version of a Python package.
pub(crate) fn python_version(package: &str) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code =
        format!("import importlib.metadata as m; print('{package}', m.version('{package}'))");
    let mut command = Command::new(python(folder));
    let output = output(command.args(["-c", &code]), Path::new("python"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn bits(hash: &str) -> Result<[u64; 4]> {
    ensure!(hash.len() == 64 && hash.is_ascii(), "no PDQ hash: {hash:?}");
    let mut words = [0; 4];
    for (word, digits) in words.iter_mut().zip(hash.as_bytes().chunks(16)) {
        let digits = std::str::from_utf8(digits)?;
        *word =
            u64::from_str_radix(digits, 16).with_context(|| format!("no PDQ hash: {hash:?}"))?;
    }
    Ok(words)
}

/// One string a frame, for each form in which frames are hashed.
fn forms(frames: &[Frame]) -> Result<Vec<Strings<4>>> {
    let count = frames
        .iter()
        .map(|frame| frame.hashes.len())
        .min()
        .unwrap_or(0);
    let form = |form: usize| {
        frames
            .iter()
            .map(|frame| bits(&frame.hashes[form]))
            .collect()
    };
    (0..count).map(form).collect()
}

/// PDQ of every frame, queries also mirrored (the library computes all eight turns from one
/// transform); every alignment tried, scored by the share of equal bits.
pub(crate) fn pdq(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    let references = fingerprints(&bench.reference_paths(), |path| {
        let mut forms = forms(&hashed("pdqhash", path)?)?;
        Ok(if forms.is_empty() {
            Vec::new()
        } else {
            forms.swap_remove(0)
        })
    })?;
    let queries = fingerprints(&bench.query_paths(), |path| {
        forms(&hashed("pdqhash", path)?)
    })?;
    Ok(alignment::search(&queries, &references, 256, 1.0 / RATE))
}

/// vPDQ's own way: the share of the query's frames of good quality that have a frame of the reference
/// within the tolerance, whatever the order. A tenth of a frame goes by how near they are, so that equal
/// shares are ranked.
pub(crate) fn vpdq(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    type Timed = Vec<(f64, [u64; 4])>;
    let print = |path: &Path| -> Result<Timed> {
        let frames = hashed("vpdq", path)?;
        let good = frames.iter().filter(|frame| frame.quality >= QUALITY);
        good.map(|frame| Ok((frame.time, bits(&frame.hashes[0])?)))
            .collect()
    };
    let references = fingerprints(&bench.reference_paths(), print)?;
    let queries = fingerprints(&bench.query_paths(), print)?;
    let one = |query: &Timed| {
        let candidates = references.iter().enumerate();
        candidates
            .filter_map(|(index, reference)| by_frames(index, query, reference))
            .collect()
    };
    Ok(queries.par_iter().map(one).collect())
}

fn by_frames(
    index: usize,
    query: &[(f64, [u64; 4])],
    reference: &[(f64, [u64; 4])],
) -> Option<Found> {
    let nearest: Vec<(u32, f64, f64)> = query
        .iter()
        .filter_map(|(time, hash)| {
            let near = reference
                .iter()
                .map(|(at, other)| (distance(hash, other), *time, *at));
            near.min_by_key(|(bits, ..)| *bits)
        })
        .collect();
    let within = nearest.iter().filter(|(bits, ..)| *bits <= TOLERANCE);
    let share = within.clone().count() as f64 / query.len().max(1) as f64;
    let (least, time, at) = nearest.iter().min_by_key(|(bits, ..)| *bits).copied()?;
    let nearness = 1.0 - f64::from(least) / 256.0;
    let (first, last) = within.fold((time, time), |(first, last), (_, time, _)| {
        (time.min(first), time.max(last))
    });
    Some(Found {
        reference: index,
        score: (share + 0.1 * nearness / query.len() as f64).min(1.0),
        query_start: first,
        query_end: last + 1.0 / RATE,
        reference_start: at - (time - first),
        speed: 1.0,
    })
}

/// FFmpeg's `signature` filter (MPEG-7 part 3): the fine signature of every frame. The filter compares
/// only files that it decodes in one call, so the signatures are written out and every alignment is
/// tried here, by the standard's own distance (L1) as a share of the largest possible.
pub(crate) fn signature(bench: &Bench) -> Result<Vec<Vec<Found>>> {
    let references = fingerprints(&bench.reference_paths(), signed)?;
    let queries = fingerprints(&bench.query_paths(), |path| Ok(vec![signed(path)?]))?;
    let most = 2 * ELEMENTS as u32;
    Ok(alignment::search(&queries, &references, most, 1.0 / RATE))
}

fn signed(path: &Path) -> Result<Strings<12>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("signature.xml");
    let filter = format!(
        "fps={RATE},signature=format=xml:filename={}",
        file.display()
    );
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-threads", "1", "-i"]);
    command
        .arg(path)
        .args(["-map", "0:v:0", "-vf", &filter, "-f", "null", "-"]);
    output(&mut command, path)?;
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("the signature of {}", path.display()))?;
    let inner = |line: &str| {
        let line = line.trim().strip_prefix("<FrameSignature>")?;
        Some(line.strip_suffix("</FrameSignature>")?.to_owned())
    };
    let frames = text.lines().filter_map(inner);
    frames.map(|frame| thermometer(&frame)).collect()
}

/// Ternary digits as two bits each (0, 1 and 2 set as many), so that the bits that differ add up to L1.
fn thermometer(digits: &str) -> Result<[u64; 12]> {
    let mut words = [0_u64; 12];
    let mut count = 0;
    for digit in digits.split_whitespace() {
        let set = match digit {
            "0" => 0b00,
            "1" => 0b01,
            "2" => 0b11,
            other => anyhow::bail!("no ternary digit: {other:?}"),
        };
        ensure!(count < ELEMENTS, "more than {ELEMENTS} digits");
        words[2 * count / 64] |= set << (2 * count % 64);
        count += 1;
    }
    ensure!(count == ELEMENTS, "{count} digits, not {ELEMENTS}");
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_bits_of_ternary_digits_add_up_to_l1() {
        let digits = |of: &dyn Fn(usize) -> usize| {
            let digits: Vec<String> = (0..ELEMENTS).map(|i| of(i).to_string()).collect();
            thermometer(&digits.join(" ")).expect("digits")
        };
        let (a, b) = (digits(&|i| i % 3), digits(&|i| (i / 7) % 3));
        let l1: usize = (0..ELEMENTS).map(|i| (i % 3).abs_diff((i / 7) % 3)).sum();
        assert_eq!(distance(&a, &b) as usize, l1);
        assert!(thermometer("0 1 2").is_err());
        assert!(thermometer(&"3 ".repeat(ELEMENTS)).is_err());
    }

    #[test]
    fn hashes_are_read_and_odd_ones_refused() {
        let read = bits(&format!("{:064x}", 5)).expect("a hash");
        assert_eq!(read, [0, 0, 0, 5]);
        for odd in ["", "5", &"g".repeat(64)] {
            assert!(bits(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_share_of_frames_within_the_tolerance_is_the_score() {
        let frame = |time: f64, word: u64| (time, [word, 0, 0, 0]);
        let reference = [frame(7.0, 0), frame(7.2, u64::MAX)];
        let query = [frame(0.0, 1), frame(0.2, u64::MAX << 32)];
        let found = by_frames(0, &query, &reference).expect("frames");
        assert!((0.5..0.6).contains(&found.score), "{found:?}");
        assert!((found.reference_start - 7.0).abs() < 1e-9);
        assert_eq!(by_frames(0, &query, &[]), None);
    }
}
