//! Another time of the same film: one face before one wall, one set, one game's display. What a work gives against all
//! others says nothing of that.

use super::negatives::VIDEO_FLOOR;
use super::sources::{DISGUISED, Source};
use crate::corpus::{Kind, Split, Work};
use crate::make::progress;
use crate::windows;
use anyhow::{Context, Result};
use likeness::{AddOptions, Input, Library, LibraryWriter, MatchOptions};
use likeness_core::{Fingerprint, StreamState};
use likeness_distort::Random;
use likeness_match::{Exposure, video};
use rayon::prelude::*;
use std::fmt::Write;
use std::path::Path;

/// Share of a work, of which the first three minutes count, that is the reference, from its beginning on...
const REFERENCE: f64 = 0.4;
/// ...and from which on queries are cut.
const QUERY: f64 = 0.5;
/// Probabilities at which those accused are counted.
const LIMITS: [f64; 6] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/// What windows of one source gave against the beginning of their work.
struct Asked {
    source: String,
    /// Of each window the lowest probability, and where that was: in the source and in the reference.
    windows: Vec<Option<Best>>,
}

/// What comes nearest to a match.
struct Best {
    probability: f64,
    /// Seconds of the source, and of the reference.
    stretches: [(f64, f64); 2],
}

/// Asks the first part of every film of a split for windows of its second part, plain and disguised; writes
/// `out`/another-time.md. What a film repeats is found rightly: each work that is named is to be looked at.
pub(crate) fn another_time(
    works: &[&Work],
    split: Split,
    count: usize,
    media: &Path,
    out: &Path,
) -> Result<String> {
    std::fs::create_dir_all(out)?;
    let films: Vec<&Work> = works
        .iter()
        .filter(|work| work.kind == Kind::Video)
        .copied()
        .collect();
    let mut sources = Source::all(&films, split, 1);
    sources.retain(|source| source.work().is_some());
    let bar = progress(sources.len() as u64, "comparing");
    let asked = sources.par_iter().map(|source| {
        let asked = ask(source, count.div_ceil(sources.len()), media, out);
        bar.inc();
        asked
    });
    let asked: Vec<Option<Asked>> = asked.collect::<Result<_>>()?;
    bar.finish();
    let asked: Vec<Asked> = asked.into_iter().flatten().collect();
    let report = report(&asked)?;
    std::fs::write(out.join("another-time.md"), &report)?;
    Ok(report)
}

/// `None` of what cannot be read, or is too short for two parts.
fn ask(source: &Source<'_>, count: usize, media: &Path, out: &Path) -> Result<Option<Asked>> {
    let Some(work) = source.work() else {
        return Ok(None);
    };
    let Some(fingerprint) = source.fingerprint(media, out)? else {
        return Ok(None);
    };
    let Some(plain) = Source::Plain(work).fingerprint(media, out)? else {
        return Ok(None);
    };
    let (Some(query), Some(first)) = (fingerprint.video.analysed(), beginning(&plain)) else {
        return Ok(None);
    };
    let folder = tempfile::tempdir_in(out)?;
    let library = library(&first, folder.path())?;
    let from = (query.duration.min(DISGUISED) * QUERY).ceil();
    let mut random = Random::new(1, &source.name());
    let drawn = windows::draw(query.duration - from, count, &mut random);
    let best = |(start, end): (f64, f64)| {
        let window = (from + start, from + end);
        let seen = video::examine(
            &windows::picture(query, window),
            library.store(),
            VIDEO_FLOOR,
            &MatchOptions::default().video,
        )?;
        Ok(nearest(&seen, window, first.duration))
    };
    Ok(Some(Asked {
        source: source.name(),
        windows: drawn.into_iter().map(best).collect::<Result<_>>()?,
    }))
}

/// The beginning of a work, without sound.
fn beginning(of: &Fingerprint) -> Option<Fingerprint> {
    let picture = of.video.analysed()?;
    let end = (picture.duration.min(DISGUISED) * REFERENCE).floor();
    Some(Fingerprint {
        duration: end,
        audio: StreamState::Absent,
        video: StreamState::Analysed(windows::picture(picture, (0.0, end))),
        ..of.clone()
    })
}

fn library(first: &Fingerprint, folder: &Path) -> Result<Library> {
    let path = folder.join("beginning");
    std::fs::write(&path, first.to_reference().encode())
        .with_context(|| format!("writing {}", path.display()))?;
    let input = Input {
        path,
        identifier: "beginning".to_owned(),
        named: true,
    };
    let directory = folder.join("library");
    let options = AddOptions::default();
    LibraryWriter::open_or_create(&directory)?.add(&[input], &options, &|_| {})?;
    Ok(Library::open(&directory)?)
}

/// What comes nearest to a match of a window, against a reference of so many seconds.
fn nearest(seen: &[video::Seen], window: (f64, f64), seconds: f64) -> Option<Best> {
    let best = seen
        .iter()
        .max_by(|a, b| a.evidence.total_cmp(&b.evidence))?;
    let chance = MatchOptions::default().video.chance;
    let exposure = Exposure::new(window.1 - window.0, seconds / 3600.0);
    let segment = &best.segment;
    Some(Best {
        probability: chance.probability(best.evidence, exposure),
        stretches: [
            (window.0 + segment.query_start, window.0 + segment.query_end),
            (segment.reference_start, segment.reference_end),
        ],
    })
}

/// The report in Markdown.
fn report(asked: &[Asked]) -> Result<String> {
    let mut text = String::from("# Another time of the same film\n");
    let windows = || asked.iter().flat_map(|asked| &asked.windows);
    writeln!(
        text,
        "\n{} windows of {} sources, each against the beginning of its own work.\n\n\
         | probability at most | accused | of sources |\n|---|---|---|",
        windows().count(),
        asked.len()
    )?;
    for limit in LIMITS {
        let within = |best: &&Best| best.probability <= limit;
        let accused = windows().flatten().filter(within).count();
        let any = |asked: &&Asked| asked.windows.iter().flatten().any(|best| within(&best));
        let sources = asked.iter().filter(any).count();
        writeln!(text, "| {limit:e} | {accused} | {sources} |")?;
    }
    writeln!(
        text,
        "\nOf each source the surest, up to 0.001; what a film repeats is found rightly:\n"
    )?;
    for asked in asked {
        let best = asked.windows.iter().flatten();
        let best = best.min_by(|a, b| a.probability.total_cmp(&b.probability));
        if let Some(best) = best.filter(|best| best.probability <= 1e-3) {
            let [(start, end), (from, to)] = best.stretches;
            writeln!(
                text,
                "- `{}`, {start:.1} to {end:.1} s: its {from:.1} to {to:.1} s, probability {:.1e}",
                asked.source, best.probability
            )?;
        }
    }
    Ok(text)
}
