//! `scale`: how opening, memory, latency, recall and false matches change as a library grows.
//!
//! The library holds real works and, in ever larger number, simulated ones made of the fingerprints
//! of the other split. What is looked for are disguised copies of the real works, and stretches of
//! works that are not in it.

mod measure;
mod pictures;
mod report;
mod simulate;
mod sounds;

use crate::cast::Cast;
use crate::corpus::{Kind, Role, Work};
use crate::costs::cpu_seconds;
use crate::fingerprints;
use crate::make::progress;
use crate::truth::Query;
use anyhow::{Context, Result, bail, ensure};
use likeness::{Directory, LibraryWriter, Place, fingerprint_file};
use likeness_clickhouse::ClickHouse;
use likeness_core::{AudioFingerprint, Density, Fingerprint, VideoFingerprint};
use likeness_distort::Random;
pub(crate) use measure::Point;
use measure::{Ingest, Probe};
use rayon::prelude::*;
use simulate::{LENGTH, Simulator, Stream};
use std::fs;
use std::path::Path;
use std::time::Instant;

/// What is looked up lasts so long.
const SECONDS: f64 = 15.0;
/// Works in one commit at most: about 30 hours.
const GROUP: u64 = 512;

/// How far it goes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// What the library holds and what is looked up: music or video.
    #[arg(long, default_value = "music")]
    kind: Kind,
    /// Hours in the library, ascending.
    #[arg(long, value_delimiter = ',', default_values_t = [10.0, 100.0, 1000.0])]
    hours: Vec<f64>,
    /// Stretches of works that are not in the library.
    #[arg(long, default_value_t = 1000)]
    unrelated: usize,
    /// Postings that a look-up may read, each size with all of these; the matcher's own by default.
    #[arg(long, value_delimiter = ',')]
    budget: Vec<u64>,
    /// Simulated works are made of so many real ones at most.
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    donors: usize,
    /// Keep a library of an earlier run that is as large as the last size, and only look things up.
    #[arg(long)]
    reuse: bool,
    /// Put the same into this store as well, and compare what it answers: clickhouse://HOST:PORT/DATABASE,
    /// empty and made ready by `likeness store init`.
    #[arg(long)]
    store: Option<String>,
    /// Merge the library's files into one before each size is measured, as `likeness compact` does.
    #[arg(long)]
    compact: bool,
}

/// Everything that a run needs.
pub(crate) struct Scene<'a> {
    pub(crate) cast: &'a Cast<'a>,
    /// Works whose fingerprints become simulated ones.
    pub(crate) donors: &'a [&'a Work],
    pub(crate) queries: &'a [Query],
    pub(crate) media: &'a Path,
    pub(crate) folder: &'a Path,
}

impl Options {
    /// The suite whose copies are looked for, and the kind of work that they show.
    pub(crate) fn suite(&self) -> Result<(&'static str, Kind)> {
        match self.kind {
            Kind::Music => Ok(("scale", Kind::Music)),
            Kind::Video => Ok(("scale-video", Kind::Video)),
            other => bail!("libraries of {} are not simulated", other.name()),
        }
    }
}

/// Grows a library from size to size and measures each; writes scale.json and scale.md.
pub(crate) fn scale(scene: &Scene<'_>, options: &Options) -> Result<String> {
    match options.kind {
        Kind::Video => scale_of::<VideoFingerprint>(scene, options),
        _ => scale_of::<AudioFingerprint>(scene, options),
    }
}

fn scale_of<S: Stream>(scene: &Scene<'_>, options: &Options) -> Result<String> {
    ensure!(!options.hours.is_empty(), "no size is asked for");
    let probes = probes::<S>(scene, options.unrelated)?;
    // What is looked up must not be in a simulated work: the other split may hold it under another name.
    let strange = scene.donors.iter().filter(|work| !scene.cast.has(work));
    let donors: Vec<&Work> = strange.copied().take(options.donors).collect();
    let donors = scene.fingerprints::<S>(&donors, Density::Reference)?;
    let streams = donors.into_iter().filter_map(|(_, donor)| S::of(donor));
    let simulator = Simulator::new(streams.collect());
    ensure!(simulator.donors() > 0, "no donor is long enough");
    let library = scene.folder.join("library");
    let store = options.store.as_deref().map(ClickHouse::at).transpose()?;
    let mut places: Vec<Box<dyn Place>> = vec![Box::new(Directory(library.clone()))];
    places.extend(store.map(|store| Box::new(store) as Box<dyn Place>));
    let mut points = Vec::new();
    if options.reuse && library.exists() {
        points.extend(measure_all(&places, &probes, options, None)?);
        return report::write(&points, scene.folder);
    }
    if library.exists() {
        // Made only by this program.
        fs::remove_dir_all(&library).with_context(|| format!("removing {}", library.display()))?;
    }
    plant::<S>(scene, &places)?;
    let mut next = 0;
    for &hours in &options.hours {
        let ingest = grow(&places, hours, &simulator, &mut next, options.compact)?;
        points.extend(measure_all(&places, &probes, options, Some(ingest))?);
        // After each size: the larger ones take their time.
        report::write(&points, scene.folder)?;
    }
    report::write(&points, scene.folder)
}

/// One size with every budget.
fn measure_all(
    places: &[Box<dyn Place>],
    probes: &[Probe],
    options: &Options,
    ingest: Option<Ingest>,
) -> Result<Vec<Point>> {
    let budgets: Vec<Option<u64>> = match options.budget.is_empty() {
        true => vec![None],
        false => options.budget.iter().copied().map(Some).collect(),
    };
    budgets
        .into_iter()
        .map(|budget| measure::measure(places, options.kind, probes, ingest.clone(), budget))
        .collect()
}

/// Adds the real works that queries show.
fn plant<S: Stream>(scene: &Scene<'_>, places: &[Box<dyn Place>]) -> Result<()> {
    let shown = |work: &&&Work| {
        let identifier = work.identifier();
        let mut right = scene.queries.iter().flat_map(|query| &query.same_work);
        right.any(|right| *right == identifier)
    };
    let works: Vec<&Work> = scene
        .cast
        .references
        .iter()
        .filter(shown)
        .copied()
        .collect();
    let works = scene.fingerprints::<S>(&works, Density::Reference)?;
    let named = works
        .into_iter()
        .map(|(work, fingerprint)| (work.identifier(), fingerprint));
    let named: Vec<(String, Fingerprint)> = named.collect();
    for place in places {
        LibraryWriter::open_at(&**place, true)?.add_fingerprints(named.clone())?;
    }
    Ok(())
}

/// Adds simulated works until the library holds `hours`.
fn grow<S: Stream>(
    places: &[Box<dyn Place>],
    hours: f64,
    simulator: &Simulator<S>,
    next: &mut u64,
    compact: bool,
) -> Result<Ingest> {
    let writers = places
        .iter()
        .map(|place| LibraryWriter::open_at(&**place, false));
    let mut writers: Vec<LibraryWriter> = writers.collect::<Result<_, _>>()?;
    let mut held = measure::hours(&likeness::Library::browse_at(&*places[0])?.stats(), S::KIND);
    let mut ingest = Ingest::default();
    let (start, first) = (held, cpu_seconds());
    while held < hours {
        let most = ((hours - held) * 3600.0 / LENGTH.0).ceil() as u64;
        let group: Vec<Fingerprint> = (*next..*next + most.min(GROUP))
            .into_par_iter()
            .map(|number| simulator.work(number))
            .collect();
        let mut named = Vec::new();
        for fingerprint in group {
            if held < hours {
                held += fingerprint.duration / 3600.0;
                named.push((format!("simulated/{next}"), fingerprint));
                *next += 1;
            }
        }
        ingest.works += named.len();
        for (place, writer) in writers.iter_mut().enumerate() {
            let (before, start, named) = (cpu_seconds(), Instant::now(), named.clone());
            writer.add_fingerprints(named)?;
            ingest.wall[place] += start.elapsed().as_secs_f64();
            ingest.cpu += match place {
                0 => cpu_seconds() - before,
                _ => 0.0,
            };
        }
        let simulating = (cpu_seconds() - first - ingest.cpu) / (held - start);
        eprintln!("{held:.0} hours; {simulating:.2} CPU s to simulate one");
    }
    if compact {
        writers[0].compact()?;
    }
    Ok(ingest)
}

/// Copies of works that are in the library, and cuts of works that are not.
fn probes<S: Stream>(scene: &Scene<'_>, unrelated: usize) -> Result<Vec<Probe>> {
    let folder = scene.folder.join("queries");
    let bar = progress(scene.queries.len() as u64, "reading queries");
    let mut probes = Vec::new();
    for made in scene.queries {
        let path = folder.join(&made.query);
        let extracted = fingerprint_file(&path, Density::Query, &S::extracted(), &|_| {})?;
        bar.inc();
        // Copies by other people are whole works: no query of this length.
        let stream = S::of(extracted.fingerprint);
        if let Some(stream) = stream.filter(|stream| stream.seconds() < SECONDS + 1.0) {
            probes.push(Probe {
                name: made.query.clone(),
                row: made.row.clone(),
                right: made.same_work.clone(),
                copy: !made.truths.is_empty(),
                fingerprint: stream.alone(),
            });
        }
    }
    bar.finish();
    probes.extend(cuts::<S>(scene, unrelated)?);
    // In no order, so that what is measured first (and pays for cold files) is a fair sample.
    Random::new(1, "probes").shuffle(&mut probes);
    Ok(probes)
}

/// Stretches, each from another place, spread over all works that are in no library. Where these are too
/// short for so many side by side, they overlap, down to a second from one to the next.
fn cuts<S: Stream>(scene: &Scene<'_>, count: usize) -> Result<Vec<Probe>> {
    let works = scene.fingerprints::<S>(&scene.cast.negatives, Density::Query)?;
    let streams = works
        .into_iter()
        .filter_map(|(work, fingerprint)| Some((work, S::of(fingerprint)?)));
    let streams: Vec<(&Work, S)> = streams.collect();
    let total: f64 = streams.iter().map(|(_, stream)| stream.seconds()).sum();
    let step = (total / count as f64).clamp(1.0, SECONDS);
    let mut all = Vec::new();
    for (work, stream) in &streams {
        let starts = (0..).map(|place| f64::from(place) * step);
        let whole = starts.take_while(|start| start + SECONDS <= stream.seconds());
        all.extend(whole.map(|start| (*work, stream, start)));
    }
    Random::new(1, "cuts").shuffle(&mut all);
    let probe = |(work, stream, start): (&Work, &S, f64)| Probe {
        name: format!("{} at {start}", work.identifier()),
        row: "unrelated".to_owned(),
        right: scene.cast.same_work(work),
        copy: false,
        fingerprint: stream.window((start, start + SECONDS)).alone(),
    };
    Ok(all.into_iter().take(count).map(probe).collect())
}

impl Scene<'_> {
    /// The streams of the works of their kind, kept for the next run.
    fn fingerprints<'w, S: Stream>(
        &self,
        works: &[&'w Work],
        density: Density,
    ) -> Result<Vec<(&'w Work, Fingerprint)>> {
        let works: Vec<&Work> = works
            .iter()
            .filter(|w| w.kind == S::KIND)
            .copied()
            .collect();
        let folder = self.folder.join("fingerprints");
        fingerprints::of_works(&works, density, &S::extracted(), self.media, &folder)
    }
}

/// Works of the other split that are there.
pub(crate) fn donors<'a>(
    works: &'a [Work],
    kind: Kind,
    split: crate::corpus::Split,
    media: &Path,
) -> Vec<&'a Work> {
    let fits = |work: &&Work| {
        work.kind == kind
            && work.split != split
            && matches!(work.role, Role::Reference | Role::Negative)
            && work.path(media).is_file()
    };
    works.iter().filter(fits).collect()
}
