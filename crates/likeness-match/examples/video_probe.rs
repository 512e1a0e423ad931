//! Measures video matching on media files: which disguises of which references are found, above
//! every false match, and what it costs.
//!
//! `video_probe REFS POSITIVES NEGATIVES`: REFS holds lines `name<tab>file`; POSITIVES is a directory
//! of files named `row~name.ext`, which show reference `name`; NEGATIVES one of files that show none.

use anyhow::{Context, Result};
use likeness_core::{
    AudioFingerprint, Density, Posting, PostingSpace, ReferenceId, StreamState, VideoFingerprint,
};
use likeness_index::{Store, StoreError};
use likeness_match::Found;
use likeness_match::video::{VideoMatchConfig, match_video};
use likeness_media::{Limits, decode_video};
use likeness_video::{VideoExtractor, postings};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

#[derive(Default)]
struct Shelf {
    names: Vec<String>,
    references: Vec<Arc<VideoFingerprint>>,
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

    fn audio(&self, _: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError> {
        Ok(None)
    }

    fn video(&self, reference: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError> {
        Ok(self.references.get(reference.0 as usize).cloned())
    }

    fn references(&self) -> Vec<ReferenceId> {
        (0..self.references.len() as u32).map(ReferenceId).collect()
    }
}

fn extract(path: &Path, density: Density) -> Result<StreamState<VideoFingerprint>> {
    let mut extractor = VideoExtractor::new(density);
    decode_video(path, &Limits::default(), &mut |frame| {
        extractor.push(frame);
        ControlFlow::Continue(())
    })
    .with_context(|| path.display().to_string())?;
    Ok(extractor.finish())
}

/// The fingerprint of a file, kept beside others in `cache` under the extractor's hash.
fn cached(path: &Path, density: Density, cache: &Path) -> Option<VideoFingerprint> {
    let hash = likeness_video::VideoConfig::DEFAULT.hash();
    let name = path.display().to_string().replace('/', "_");
    let kept = cache.join(format!("{hash:x}{density:?}{name}"));
    if let Some(found) = std::fs::read(&kept)
        .ok()
        .and_then(|b| VideoFingerprint::decode(&b).ok())
    {
        return Some(found);
    }
    match extract(path, density) {
        Ok(StreamState::Analysed(fingerprint)) => {
            let _ = std::fs::write(&kept, fingerprint.encode());
            Some(fingerprint)
        }
        Ok(state) => {
            eprintln!("{}: {state:?}", path.display());
            None
        }
        Err(error) => {
            eprintln!("{error:#}");
            None
        }
    }
}

fn shelf(list: &Path, cache: &Path) -> Result<Shelf> {
    let mut shelf = Shelf::default();
    let (mut bytes, mut points, mut hours) = (0, 0, 0.0);
    for line in std::fs::read_to_string(list)?.lines() {
        let (name, file) = line.split_once('\t').context("name<tab>file")?;
        let Some(fingerprint) = cached(Path::new(file), Density::Reference, cache) else {
            continue;
        };
        let id = ReferenceId(shelf.references.len() as u32);
        for posting in postings(&fingerprint, id) {
            shelf
                .postings
                .entry(posting.term)
                .or_default()
                .push(posting);
            points += 1;
        }
        bytes += fingerprint.encode().len();
        hours += fingerprint.duration / 3600.0;
        shelf.names.push(name.to_owned());
        shelf.references.push(Arc::new(fingerprint));
    }
    println!(
        "{} references, {hours:.2} h, {:.2} MB/h, {:.0} postings/h",
        shelf.names.len(),
        bytes as f64 / hours / 1e6,
        f64::from(points) / hours
    );
    Ok(shelf)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e != "txt"))
        .collect();
    files.sort();
    Ok(files)
}

fn describe(found: &Found, name: &str) -> String {
    let s = &found.segments[0];
    let rect = |r: Option<likeness_core::Rect>| {
        r.map_or_else(String::new, |r| {
            format!("[{:.2} {:.2} {:.2} {:.2}]", r.x0, r.y0, r.x1, r.y1)
        })
    };
    format!(
        "{name} {:.3} q {:.1}-{:.1} r {:.1} x{:.3} {}{:.1} q{} r{} n{}",
        found.score,
        s.query_start,
        s.query_end,
        s.reference_start,
        s.speed,
        if s.mirrored == Some(true) { "M" } else { "" },
        s.rotation_degrees.unwrap_or(0.0),
        rect(s.query_rect),
        rect(s.reference_rect),
        found.segments.len()
    )
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let [list, positives, negatives, cache] = &arguments[..] else {
        anyhow::bail!("video_probe REFS POSITIVES NEGATIVES CACHE");
    };
    let only = std::env::var("ROWS").unwrap_or_default();
    let shelf = shelf(list, cache)?;
    let config = VideoMatchConfig::default();
    let mut rows: BTreeMap<String, (u32, u32, Vec<String>)> = BTreeMap::new();
    let (mut matching, mut count) = (0.0, 0);
    for file in files(positives)? {
        let stem = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some((row, name)) = stem.split_once('~') else {
            continue;
        };
        if !only.is_empty() && !only.split(' ').any(|r| r == row) {
            continue;
        }
        let Some(query) = cached(&file, Density::Query, cache) else {
            continue;
        };
        let start = Instant::now();
        let found = match_video(&query, &shelf, &config)?;
        matching += start.elapsed().as_secs_f64();
        count += 1;
        let entry = rows.entry(row.to_owned()).or_default();
        entry.1 += 1;
        let hit = found
            .iter()
            .find(|f| shelf.names[f.reference.0 as usize] == name);
        entry.0 += u32::from(hit.is_some());
        match hit {
            Some(hit) if std::env::var("VERBOSE").is_ok() => {
                println!("{row}: {}", describe(hit, name))
            }
            Some(_) => {}
            None => entry.2.push(name.to_owned()),
        }
        for wrong in &found {
            let other = &shelf.names[wrong.reference.0 as usize];
            if other.split('_').next() != name.split('_').next() {
                println!("FALSE {stem}: {}", describe(wrong, other));
            }
        }
    }
    for (row, (hits, all, missed)) in &rows {
        println!("{row:10} {hits:3}/{all:3} missed {}", missed.join(" "));
    }
    let mut wrong = 0;
    let files = files(negatives)?;
    for file in &files {
        let Some(query) = cached(file, Density::Query, cache) else {
            continue;
        };
        let start = Instant::now();
        for found in match_video(&query, &shelf, &config)? {
            wrong += 1;
            let name = &shelf.names[found.reference.0 as usize];
            println!("FALSE {}: {}", file.display(), describe(&found, name));
        }
        matching += start.elapsed().as_secs_f64();
        count += 1;
    }
    println!(
        "{wrong} false of {} negatives; {:.3} s a query",
        files.len(),
        matching / f64::from(count.max(1))
    );
    Ok(())
}
