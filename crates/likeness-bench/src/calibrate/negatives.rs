//! Evidence where there is nothing to find: every work against a library without it.

use crate::corpus::{Kind, Role, Shared, Work};
use crate::make::progress;
use crate::truth::Lines;
use anyhow::Result;
use likeness::{
    AddOptions, ExtractOptions, Input, Library, LibraryWriter, MatchOptions, fingerprint_file,
};
use likeness_core::report::Media;
use likeness_core::{Density, Fingerprint, ReferenceId};
use likeness_distort::Random;
use likeness_match::{audio, video};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Mutex;

/// Evidence below which chance is not looked at, natural logs of likelihood ratios: far below what
/// matching asks for, so that the tail has something to be fitted to.
const AUDIO_FLOOR: f64 = 4.0;
const VIDEO_FLOOR: f64 = -8.0;

/// What one work gave against all others, through one medium.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) query: String,
    pub(crate) media: Media,
    /// Seconds of the query.
    pub(crate) seconds: f64,
    /// Hours of references it was compared with.
    pub(crate) hours: f64,
    /// The stretches that came nearest to a match, the reference and the evidence of each.
    pub(crate) events: Vec<Event>,
}

/// Evidence for what is not there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) reference: String,
    pub(crate) evidence: f64,
    /// Seconds in the query: start and end.
    pub(crate) stretch: (f64, f64),
}

/// What all queries gave, and how long each reference is.
#[derive(Debug)]
pub(crate) struct Negatives {
    pub(crate) trials: Vec<Trial>,
    /// Seconds of each reference.
    pub(crate) lengths: BTreeMap<String, f64>,
}

impl Negatives {
    /// The trials as a library of one reference in `count`, drawn by lot, would have given them.
    pub(crate) fn thinned(&self, count: u64) -> Vec<Trial> {
        let kept = |name: &str| Random::new(1, name).next_u64().is_multiple_of(count);
        let all: f64 = self.lengths.values().sum();
        let left: f64 = self
            .lengths
            .iter()
            .filter(|(name, _)| kept(name))
            .map(|(_, seconds)| seconds)
            .sum();
        let thin = |trial: &Trial| Trial {
            hours: trial.hours * left / all,
            events: trial
                .events
                .iter()
                .filter(|event| kept(&event.reference))
                .cloned()
                .collect(),
            ..trial.clone()
        };
        self.trials.iter().map(thin).collect()
    }
}

/// Compares all `works`, or those of some kinds, with all others; writes `out`/trials.jsonl.
pub(crate) fn gather(
    works: &[&Work],
    kinds: &[Kind],
    shared: &[Shared],
    media: &Path,
    out: &Path,
) -> Result<Negatives> {
    let references: Vec<&Work> = works
        .iter()
        .filter(|w| matches!(w.role, Role::Reference | Role::Negative))
        .copied()
        .collect();
    let library = library(&references, media, out)?;
    let queries: Vec<&Work> = works
        .iter()
        .filter(|w| w.kind != Kind::Photos && w.kind != Kind::Variants)
        .filter(|w| kinds.is_empty() || kinds.contains(&w.kind))
        .copied()
        .collect();
    let bar = progress(queries.len() as u64, "comparing");
    let lines = Mutex::new(Lines::create(&out.join("trials.jsonl"))?);
    let ids: HashMap<ReferenceId, &Work> = library
        .references()
        .filter_map(|reference| {
            let work = references
                .iter()
                .find(|w| w.identifier() == reference.identifier)?;
            Some((reference.id, *work))
        })
        .collect();
    let trials: Vec<Vec<Trial>> = queries
        .par_iter()
        .map(|query| {
            let trials = trials(query, &library, &ids, shared, media)?;
            let mut lines = lines.lock().unwrap_or_else(|poison| poison.into_inner());
            trials.iter().try_for_each(|trial| lines.write(trial))?;
            bar.inc();
            Ok(trials)
        })
        .collect::<Result<_>>()?;
    bar.finish();
    Ok(Negatives {
        trials: trials.into_iter().flatten().collect(),
        lengths: library
            .references()
            .map(|reference| (reference.identifier, reference.duration))
            .collect(),
    })
}

fn library(references: &[&Work], media: &Path, out: &Path) -> Result<Library> {
    let inputs: Vec<Input> = references
        .iter()
        .map(|work| Input {
            path: work.path(media),
            identifier: work.identifier(),
            named: true,
        })
        .collect();
    let directory = out.join("library");
    let options = AddOptions {
        allow_truncated: true,
        ..AddOptions::default()
    };
    LibraryWriter::open_or_create(&directory)?.add(&inputs, &options, &|_| {})?;
    Ok(Library::open(&directory)?)
}

fn trials(
    query: &Work,
    library: &Library,
    ids: &HashMap<ReferenceId, &Work>,
    shared: &[Shared],
    media: &Path,
) -> Result<Vec<Trial>> {
    let path = query.path(media);
    let extracted = fingerprint_file(&path, Density::Query, &ExtractOptions::default(), &|_| {});
    let Ok(extracted) = extracted else {
        // Fixtures of broken media are part of the corpus.
        return Ok(Vec::new());
    };
    let foreign = |id: &ReferenceId| {
        let work = ids.get(id)?;
        let same = work.same_work(query) || shared.iter().any(|pair| pair.ties(work, query));
        // Tracks of one album share loops, films of one manual share windows: matches, not chance.
        (!same && work.package != query.package).then(|| work.identifier())
    };
    let hours = |media: Media| -> f64 {
        let lasting = library.references().filter(|reference| {
            let there = match media {
                Media::Audio => reference.has_audio(),
                Media::Video => reference.has_video(),
            };
            there && foreign(&reference.id).is_some()
        });
        lasting.map(|reference| reference.duration).sum::<f64>() / 3600.0
    };
    let mut trials = Vec::new();
    for (medium, seconds, events) in evidence(&extracted.fingerprint, library)? {
        trials.push(Trial {
            query: query.identifier(),
            media: medium,
            seconds,
            hours: hours(medium),
            events: events
                .into_iter()
                .filter_map(|(id, evidence, stretch)| {
                    Some(Event {
                        reference: foreign(&id)?,
                        evidence,
                        stretch,
                    })
                })
                .collect(),
        });
    }
    Ok(trials)
}

type Found = (ReferenceId, f64, (f64, f64));

fn evidence(fingerprint: &Fingerprint, library: &Library) -> Result<Vec<(Media, f64, Vec<Found>)>> {
    let options = MatchOptions::default();
    let mut all = Vec::new();
    if let Some(sound) = fingerprint.audio.analysed() {
        let config = audio::AudioMatchConfig {
            seed: AUDIO_FLOOR,
            ..options.audio
        };
        let found = audio::examine(sound, library.store(), None, &config)?;
        let events = found.into_iter().flat_map(|(id, segments)| {
            segments
                .into_iter()
                .map(move |s| (id, s.evidence.total, (s.window.start, s.window.end)))
        });
        all.push((Media::Audio, sound.duration, events.collect()));
    }
    if let Some(picture) = fingerprint.video.analysed() {
        let config = video::VideoMatchConfig {
            threshold: VIDEO_FLOOR,
            ..options.video
        };
        let found = video::examine(picture, library.store(), &config)?;
        let events = found
            .into_iter()
            .map(|(id, evidence, s)| (id, evidence, (s.query_start, s.query_end)));
        all.push((Media::Video, picture.duration, events.collect()));
    }
    Ok(all)
}
