//! Ways to search for chroma patches of sound.

use super::Scene;
use super::measure::{Question, measure};
use super::report::Table;
use crate::corpus::Kind;
use crate::fingerprints;
use anyhow::{Context, Result, ensure};
use likeness::ExtractOptions;
use likeness_core::Density;
use likeness_core::report::Media;
use likeness_distort::Random;
use likeness_match::audio::alike::{All, NEIGHBOURS, RADIUS, graph};
use likeness_match::audio::patches::{SECONDS, Turned, of_reference};
use likeness_match::neighbours::Neighbours;
use ndarray::{Array2, Axis, concatenate};

/// Patches that are cut from one copy, at random places.
const PATCHES: usize = 20;

type Index = Box<dyn Neighbours<f32>>;

/// Compares the two ways at all sizes, ascending.
pub(super) fn compare(scene: &Scene<'_>) -> Result<Table> {
    let question = Question {
        count: NEIGHBOURS,
        radius: RADIUS,
    };
    let items = items(scene)?;
    let queries = queries(scene, scene.options.lookups)?;
    ensure!(items.nrows() > 0 && !queries.is_empty(), "no patches");
    let mut order: Vec<usize> = (0..items.nrows()).collect();
    Random::new(1, "patches").shuffle(&mut order);
    let mut rows = Vec::new();
    for &size in &scene.options.patches {
        let items = items.select(Axis(0), &order[..size.min(order.len())]);
        let exact = || -> Index { Box::new(All(items.clone())) };
        let walked = || -> Index { Box::new(graph(&items)) };
        let size = items.nrows();
        let (row, truth) = measure("exact", size, exact, &queries, question, None);
        rows.push(row);
        let (row, _) = measure("graph", size, walked, &queries, question, Some(&truth));
        rows.push(row);
    }
    Ok(Table {
        kind: "Sound",
        about: format!(
            "the {NEIGHBOURS} most alike chroma patches with a cosine of at least {:.2}; {} look-ups from \
             disguised copies, turned and stretched as is right for each.",
            1.0 - RADIUS,
            queries.len()
        ),
        rows,
    })
}

/// Patches of all works of the corpus.
fn items(scene: &Scene<'_>) -> Result<Array2<f32>> {
    let works = scene.works(Kind::Music);
    let folder = scene.folder.join("fingerprints-of-sound");
    let all = fingerprints::of_works(&works, Density::Reference, &sound(), scene.media, &folder)?;
    let sounds = all.iter().filter_map(|(_, f)| f.audio.analysed());
    let patches: Vec<Array2<f32>> = sounds
        .map(|audio| of_reference(&audio.grid).0)
        .filter(|patches| patches.nrows() > 0)
        .collect();
    let views: Vec<_> = patches.iter().map(|patches| patches.view()).collect();
    concatenate(Axis(0), &views).context("no patches")
}

/// Patches of disguised copies, undone as their truth tells.
fn queries(scene: &Scene<'_>, count: usize) -> Result<Vec<Vec<f32>>> {
    let mut all = Vec::new();
    for (query, fingerprint) in scene.copies(Media::Audio, &sound())? {
        let heard = query.truths.iter().find(|t| t.media == Media::Audio);
        let (Some(audio), Some(truth)) = (fingerprint.audio.analysed(), heard) else {
            continue;
        };
        let turned = Turned::new(&audio.grid, truth.pitch_semitones.unwrap_or(0.0));
        let mut random = Random::new(1, &query.query);
        let last = truth.query_end - SECONDS / truth.speed;
        for _ in 0..PATCHES {
            let start = random.between(truth.query_start, last.max(truth.query_start));
            all.extend(turned.patch(start, truth.speed));
        }
    }
    Random::new(1, "look-ups").shuffle(&mut all);
    all.truncate(count);
    Ok(all)
}

fn sound() -> ExtractOptions {
    ExtractOptions {
        video: false,
        ..ExtractOptions::default()
    }
}
