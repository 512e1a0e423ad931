//! Evidence where there is nothing to find: every work, and windows of it, plain and disguised,
//! against a library without it.

use super::Size;
use super::record::Record;
use super::sources::Source;
use crate::corpus::{Kind, Role, Shared, Split, Work};
use crate::make::progress;
use crate::windows;
use anyhow::{Context, Result};
use likeness::{AddOptions, Input, Library, LibraryWriter, MatchOptions};
use likeness_core::report::Media;
use likeness_core::{AudioFingerprint, ReferenceId, VideoFingerprint};
use likeness_distort::Random;
use likeness_match::audio::Evidence;
use likeness_match::{Chance, audio, video};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Evidence below which chance is not looked at, natural logs of likelihood ratios: far below what
/// matching asks for, so that the tail has something to be fitted to.
const AUDIO_FLOOR: f64 = 4.0;
pub(super) const VIDEO_FLOOR: f64 = -16.0;

/// The evidence from which one medium is looked at.
pub(super) fn floor(media: Media) -> f64 {
    match media {
        Media::Audio => AUDIO_FLOOR,
        Media::Video => VIDEO_FLOOR,
    }
}

/// What one query gave against all others, through one medium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// The work, and its disguise.
    pub(crate) query: String,
    /// Seconds of the work that are the query; `None` for all of it.
    pub(crate) window: Option<(f64, f64)>,
    pub(crate) media: Media,
    /// Seconds of the query.
    pub(crate) seconds: f64,
    /// Hours of references it was compared with.
    pub(crate) hours: f64,
    /// The stretches that came nearest to a match, the reference and the evidence of each.
    pub(crate) events: Vec<Event>,
    /// The same for works of its own package or synthetic kind, which often share material: to be looked at,
    /// not to be counted as chance.
    pub(crate) kin: Vec<Event>,
}

/// Evidence for what is not there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) reference: String,
    pub(crate) evidence: f64,
    /// Seconds in the query: start and end.
    pub(crate) stretch: (f64, f64),
    /// What speaks for it, in words.
    pub(crate) cause: String,
}

/// What all queries gave, and how long each reference is.
#[derive(Debug)]
pub(crate) struct Negatives {
    pub(crate) trials: Vec<Trial>,
    /// Seconds of each reference.
    pub(crate) lengths: BTreeMap<String, f64>,
    /// Sources that were asked, and all that there are.
    pub(crate) asked: (usize, usize),
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

/// What every query needs.
struct Bench<'a> {
    library: &'a Library,
    /// Identifiers of all references.
    names: HashMap<ReferenceId, String>,
    /// Those that are works of the corpus.
    works: HashMap<ReferenceId, &'a Work>,
    shared: &'a [Shared],
    /// Windows of each source, of sound and of picture.
    windows: [usize; 2],
}

/// Compares all `works`, or those of some kinds, with all others; writes `out`/trials.jsonl.
pub(crate) fn gather(
    works: &[&Work],
    split: Split,
    kinds: &[Kind],
    shared: &[Shared],
    size: Size,
    media: &Path,
    out: &Path,
) -> Result<Negatives> {
    let references: Vec<&Work> = works
        .iter()
        .filter(|w| matches!(w.role, Role::Reference | Role::Negative))
        .copied()
        .collect();
    let library = library(&references, split, media, out)?;
    let queries: Vec<&Work> = works
        .iter()
        .filter(|w| w.kind != Kind::Photos && w.kind != Kind::Variants)
        .filter(|w| kinds.is_empty() || kinds.contains(&w.kind))
        .copied()
        .collect();
    let sources = Source::all(&queries, split, size.disguises);
    let pictures = sources.iter().filter(|source| source.is_picture()).count();
    let share = |queries: usize, sources: usize| queries.div_ceil(sources.max(1));
    let bench = Bench {
        library: &library,
        names: library
            .references()
            .map(|reference| (reference.id, reference.identifier))
            .collect(),
        works: library
            .references()
            .filter_map(|reference| {
                let work = references
                    .iter()
                    .find(|w| w.identifier() == reference.identifier)?;
                Some((reference.id, *work))
            })
            .collect(),
        shared,
        windows: [
            share(size.audio, sources.len() - pictures),
            share(size.video, pictures),
        ],
    };
    let record = Record::open(out, &settings(size), size.resume)?;
    let bar = progress(sources.len() as u64, "comparing");
    let end = size
        .minutes
        .map(|m| Instant::now() + Duration::from_secs(60 * m));
    let asked: Vec<Option<Vec<Trial>>> = sources
        .par_iter()
        .map(|source| {
            let name = source.name();
            let trials = match record.known(&name) {
                Some(trials) => trials.to_vec(),
                None if end.is_some_and(|end| Instant::now() > end) => return Ok(None),
                None => record.keep(name, bench.trials(source, media, out)?)?,
            };
            bar.inc();
            Ok(Some(trials))
        })
        .collect::<Result<_>>()?;
    bar.finish();
    let lengths = library
        .references()
        .map(|reference| (reference.identifier, reference.duration));
    Ok(Negatives {
        asked: (asked.iter().flatten().count(), sources.len()),
        trials: asked.into_iter().flatten().flatten().collect(),
        lengths: lengths.collect(),
    })
}

/// What trials depend on: not on what chance was found to give, nor on how cautiously that is used, so
/// that they can be judged anew by another calibration.
fn settings(size: Size) -> String {
    let unknown = Chance {
        level: 0.0,
        rate: 0.0,
        scale: 0.0,
        edge: 0.0,
    };
    let MatchOptions {
        mut audio,
        mut video,
        ..
    } = MatchOptions::default();
    (audio.chance, video.chance) = (unknown, unknown);
    audio.least_hours = 0.0;
    format!(
        "{:#?}\n{:#?}\n{:#?}\n",
        (size.audio > 0).then_some(audio),
        (size.video > 0).then_some(video),
        (size.audio, size.video, size.disguises)
    )
}

/// All works, and the first versions of every synthetic kind: the others of a kind are the hardest
/// queries that there are.
fn library(references: &[&Work], split: Split, media: &Path, out: &Path) -> Result<Library> {
    let input = |path: PathBuf, identifier: String| Input {
        path,
        identifier,
        named: true,
    };
    let mut inputs: Vec<Input> = references
        .iter()
        .map(|work| input(work.path(media), work.identifier()))
        .collect();
    let folder = tempfile::tempdir_in(out)?;
    for source in Source::firsts(split) {
        let name = source.name();
        if let Some(fingerprint) = source.fingerprint(media, out)? {
            let path = folder.path().join(&name);
            std::fs::write(&path, fingerprint.to_reference().encode())
                .with_context(|| format!("writing {}", path.display()))?;
            inputs.push(input(path, name));
        }
    }
    let directory = out.join("library");
    let options = AddOptions {
        allow_truncated: true,
        ..AddOptions::default()
    };
    LibraryWriter::open_or_create(&directory)?.add(&inputs, &options, &|_| {})?;
    Ok(Library::open(&directory)?)
}

/// How a reference counts for a query.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Relation {
    /// Whatever is found is chance.
    Foreign,
    /// Of the same package, or of the same synthetic kind: tracks of one album share loops, films of one
    /// manual share windows, title cards their card.
    Kin,
    /// The same work, or known to share material.
    Same,
}

impl Bench<'_> {
    fn relation(&self, id: ReferenceId, source: &Source<'_>) -> Relation {
        if self.names.get(&id) == Some(&source.name()) {
            return Relation::Same;
        }
        let (Some(work), Some(query)) = (self.works.get(&id), source.work()) else {
            return match self.names.get(&id) {
                Some(name) if source.is_kind_of(name) => Relation::Kin,
                _ => Relation::Foreign,
            };
        };
        if work.same_work(query) || self.shared.iter().any(|pair| pair.ties(work, query)) {
            return Relation::Same;
        }
        match work.package == query.package {
            true => Relation::Kin,
            false => Relation::Foreign,
        }
    }

    /// What a source gives through each medium.
    fn trials(&self, source: &Source<'_>, media: &Path, out: &Path) -> Result<Vec<Trial>> {
        let Some(fingerprint) = source.fingerprint(media, out)? else {
            return Ok(Vec::new());
        };
        let seconds = fingerprint.duration;
        let sound = fingerprint.audio.analysed().map(|f| (f, f.duration));
        let picture = fingerprint.video.analysed().map(|f| (f, f.duration));
        let mut trials =
            self.windowed(source, Media::Audio, sound, seconds, windows::sound, heard)?;
        let seen = self.windowed(
            source,
            Media::Video,
            picture,
            seconds,
            windows::picture,
            seen,
        )?;
        trials.extend(seen);
        Ok(trials)
    }

    /// The whole of a source, and windows of it, through one medium. Disguised and synthetic ones in
    /// windows only, so that the whole ones are works as they are.
    fn windowed<F>(
        &self,
        source: &Source<'_>,
        media: Media,
        fingerprint: Option<(&F, f64)>,
        seconds: f64,
        cut: fn(&F, (f64, f64)) -> F,
        look_up: fn(&F, &Library) -> Result<Found>,
    ) -> Result<Vec<Trial>> {
        let own_medium = source.is_picture() == (media == Media::Video);
        if fingerprint.is_none() && !own_medium {
            return Ok(Vec::new());
        }
        let seconds = fingerprint.map_or(seconds, |(_, seconds)| seconds);
        let mut random = Random::new(1, &format!("{media:?}/{}", source.name()));
        let windows = windows::draw(seconds, self.windows[media as usize], &mut random);
        let whole = matches!(source, Source::Plain(_)).then_some(None);
        let queries = whole.into_iter().chain(windows.into_iter().map(Some));
        let trial = |window: Option<(f64, f64)>| {
            let found = match (fingerprint, window) {
                // Silence and black accuse nobody, and count as queries.
                (None, _) => Vec::new(),
                (Some((all, _)), None) => look_up(all, self.library)?,
                (Some((all, _)), Some(window)) => look_up(&cut(all, window), self.library)?,
            };
            let seconds = window.map_or(seconds, |(start, end)| end - start);
            Ok(self.trial(source, window, media, seconds, found))
        };
        queries.map(trial).collect()
    }

    fn trial(
        &self,
        source: &Source<'_>,
        window: Option<(f64, f64)>,
        media: Media,
        seconds: f64,
        found: Found,
    ) -> Trial {
        let mut trial = Trial {
            query: source.name(),
            window,
            media,
            seconds,
            hours: self.hours(source, media),
            events: Vec::new(),
            kin: Vec::new(),
        };
        for (id, mut event) in found {
            event.reference = self.names.get(&id).cloned().unwrap_or_default();
            match self.relation(id, source) {
                Relation::Foreign => trial.events.push(event),
                Relation::Kin => trial.kin.push(event),
                Relation::Same => {}
            }
        }
        trial
    }

    /// Hours of references with this medium in which whatever is found is chance.
    fn hours(&self, source: &Source<'_>, media: Media) -> f64 {
        let lasting = self.library.references().filter(|reference| {
            let there = match media {
                Media::Audio => reference.has_audio(),
                Media::Video => reference.has_video(),
            };
            there && self.relation(reference.id, source) == Relation::Foreign
        });
        lasting.map(|reference| reference.duration).sum::<f64>() / 3600.0
    }
}

/// What one look-up found, the events' references yet without names.
type Found = Vec<(ReferenceId, Event)>;

fn heard(sound: &AudioFingerprint, library: &Library) -> Result<Found> {
    let config = audio::AudioMatchConfig {
        seed: AUDIO_FLOOR,
        ..MatchOptions::default().audio
    };
    let found = audio::examine(sound, library.store(), None, &config)?;
    let events = found.into_iter().flat_map(|(id, segments)| {
        segments.into_iter().map(move |s| {
            let event = Event {
                reference: String::new(),
                evidence: s.evidence.total,
                stretch: (s.window.start, s.window.end),
                cause: format!(
                    "{}, speed {:.3}, pitch {:+.2}",
                    told(&s.evidence),
                    s.transform.speed,
                    s.transform.pitch
                ),
            };
            (id, event)
        })
    });
    Ok(events.collect())
}

/// Which part of the evidence weighs most.
fn told(evidence: &Evidence) -> String {
    let [onsets, partials] = evidence.peaks.map(|p| p.log_ratio());
    let spectra = evidence.spectrum.log_ratio();
    let what = match (onsets, partials, spectra) {
        (o, p, s) if o >= p && o >= s => "strokes coincide",
        (_, p, s) if p >= s => "held notes coincide",
        _ => "spectra agree",
    };
    format!("{what} (onsets {onsets:.0}, partials {partials:.0}, spectra {spectra:.0})")
}

fn seen(picture: &VideoFingerprint, library: &Library) -> Result<Found> {
    let few = video::Agreement {
        votes: 2,
        inliers: 3,
    };
    let config = video::VideoMatchConfig {
        agreement: few,
        partial_agreement: few,
        motion_sureness: 2.0,
        ..MatchOptions::default().video
    };
    let found = video::examine(picture, library.store(), VIDEO_FLOOR, &config)?;
    let events = found.into_iter().map(|seen| {
        let s = &seen.segment;
        let area = s.query_rect.map_or(0.0, |rect| rect.area());
        let event = Event {
            reference: String::new(),
            evidence: seen.evidence,
            stretch: (s.query_start, s.query_end),
            cause: format!(
                "changes agree {:.2} ({:.1} times chance, {:.0} moments), {} keypoints again ({:.0} by \
                 chance), speed {:.2}, turned by {:.0} degrees, on {:.0} % of the picture",
                seen.change,
                seen.change.atanh() / seen.chance,
                seen.moments,
                seen.keypoints.0,
                seen.keypoints.1,
                s.speed,
                s.rotation_degrees.unwrap_or(0.0),
                area * 100.0
            ),
        };
        (seen.reference, event)
    });
    Ok(events.collect())
}
