//! Ways to search for keypoints of pictures.

use super::Scene;
use super::bits::{Differing, pack};
use super::exact::Exact;
use super::measure::{self, Question, Row, ask, measure, recall};
use super::multi_index::MultiIndex;
use super::report::Table;
use super::words::Words;
use crate::corpus::Kind;
use crate::costs::thread_seconds;
use crate::fingerprints;
use anyhow::{Result, ensure};
use likeness::ExtractOptions;
use likeness_core::Density;
use likeness_core::report::Media;
use likeness_core::video::Keypoint;
use likeness_distort::Random;
use likeness_match::neighbours::{Graph, GraphConfig, Neighbour, Neighbours};
use likeness_match::video::VideoMatchConfig;

/// Keypoints that a window of a query asks about at once, at most.
const WINDOW: usize = 20_000;

const GRAPH: GraphConfig = GraphConfig {
    links: 16,
    build_effort: 64,
    search_effort: 64,
};

type Index = Box<dyn Neighbours<u64>>;

/// What every way is asked.
struct Asked<'a> {
    /// Keypoints of disguised copies that are looked up one by one: the first of a window's.
    alone: &'a [Keypoint],
    window: &'a [Keypoint],
    question: Question,
}

/// Compares the ways at all sizes, ascending.
pub(super) fn compare(scene: &Scene<'_>) -> Result<Table> {
    let options = scene.options;
    let config = VideoMatchConfig::default();
    let (items, sparse) = items(scene)?;
    let window = window(scene)?;
    ensure!(!items.is_empty() && !window.is_empty(), "no keypoints");
    let asked = Asked {
        alone: &window[..window.len().min(options.lookups)],
        window: &window,
        question: Question {
            count: config.hits_per_keypoint.into(),
            radius: config.descriptor_distance as f32,
        },
    };
    let about = format!(
        "the {} nearest keypoints within {} bits; {} look-ups from disguised copies. References hold \
         {sparse} keypoints, the {} beyond these are of their denser fingerprints.",
        asked.question.count,
        asked.question.radius,
        asked.alone.len(),
        items.len() - sparse
    );
    let mut rows = Vec::new();
    for &size in &options.keypoints {
        let items = &items[..size.min(items.len())];
        rows.extend(one_size(items, &asked, options.graph_most)?);
    }
    Ok(Table {
        kind: "Pictures",
        about,
        rows,
    })
}

/// All ways at one size.
fn one_size(items: &[Keypoint], asked: &Asked<'_>, graph_most: usize) -> Result<Vec<Row>> {
    let code = |point: &Keypoint| pack(point.descriptor);
    let codes: Vec<u64> = items.iter().map(code).collect();
    let queries: Vec<Vec<u64>> = asked.alone.iter().map(|q| vec![code(q)]).collect();
    let mut rows = Vec::new();
    let mut row = |way, build: &(dyn Fn() -> Index + Sync), truth: Option<&[Vec<Neighbour>]>| {
        let (row, found) = measure(way, codes.len(), build, &queries, asked.question, truth);
        rows.push(row);
        found
    };
    let truth = row("exact", &|| Box::new(Exact::new(codes.clone())), None);
    let right = Some(&truth[..]);
    let scalar = || -> Index { Box::new(Exact::scalar(codes.clone())) };
    row("exact, without SIMD", &scalar, right);
    let tables = || -> Index { Box::new(MultiIndex::new(codes.clone())) };
    row("multi-index hashing", &tables, right);
    if codes.len() <= graph_most {
        let graph = || -> Index {
            let words = codes.iter().map(std::slice::from_ref);
            Box::new(Graph::build(words, Differing, GRAPH))
        };
        row("graph", &graph, right);
    }
    rows.extend(words(items, asked, &truth)?);
    Ok(rows)
}

/// The rows of what production does: one keypoint at a time, and all of a window at once.
fn words(items: &[Keypoint], asked: &Asked<'_>, truth: &[Vec<Neighbour>]) -> Result<[Row; 2]> {
    let built = measure::twice(|| Words::build(items));
    eprintln!("words: {} in {:.1} s", items.len(), built.seconds);
    let [one, other] = built.twins;
    let (one, other) = (one?, other?);
    let question = asked.question;
    let single = |query: &Keypoint| {
        let found = one.nearest(std::slice::from_ref(query), question);
        found.ok().and_then(|mut all| all.pop()).unwrap_or_default()
    };
    let (found, latency) = ask(asked.alone, single);
    let start = thread_seconds();
    let together = one.nearest(asked.window, question)?;
    let mean = (thread_seconds() - start) / asked.window.len() as f64;
    let repeats = other.nearest(asked.window, question)? == together;
    let row = |way, found: &[Vec<Neighbour>], latency| Row {
        items: items.len(),
        way,
        recall: recall(truth, found),
        latency,
        memory: one.bytes(),
        build: built.seconds,
        repeats,
    };
    Ok([
        row("words, on disk", &found, latency),
        row("words, a window at once", &together, [mean; 2]),
    ])
}

/// Keypoints of all works of the corpus, in no order, and how many of the first are those that a library
/// holds. The others are further ones of the same keyframes.
fn items(scene: &Scene<'_>) -> Result<(Vec<Keypoint>, usize)> {
    let works = scene.works(Kind::Video);
    let folder = scene.folder.join("fingerprints-of-pictures");
    let all = fingerprints::of_works(&works, Density::Query, &pictures(), scene.media, &folder)?;
    let (mut held, mut denser) = (Vec::new(), Vec::new());
    for (_, fingerprint) in &all {
        let Some(video) = fingerprint.video.analysed() else {
            continue;
        };
        for frame in &video.to_reference().keyframes {
            held.extend_from_slice(&frame.keypoints);
        }
        for frame in &video.keyframes {
            denser.extend_from_slice(&frame.keypoints[usize::from(frame.sparse)..]);
        }
    }
    let mut random = Random::new(1, "keypoints");
    random.shuffle(&mut held);
    random.shuffle(&mut denser);
    let sparse = held.len();
    held.extend(denser);
    Ok((held, sparse))
}

/// As many keypoints as a window has, of disguised copies.
fn window(scene: &Scene<'_>) -> Result<Vec<Keypoint>> {
    let mut all = Vec::new();
    for (_, fingerprint) in scene.copies(Media::Video, &pictures())? {
        if let Some(video) = fingerprint.video.analysed() {
            all.extend(video.keyframes.iter().flat_map(|f| &f.keypoints).copied());
        }
    }
    Random::new(1, "look-ups").shuffle(&mut all);
    all.truncate(WINDOW);
    Ok(all)
}

fn pictures() -> ExtractOptions {
    ExtractOptions {
        audio: false,
        ..ExtractOptions::default()
    }
}
