//! Where negative queries come from: works, works in disguise, and synthetic ones.

use super::hard;
use crate::corpus::{Kind, Split, Work};
use anyhow::Result;
use likeness::{ExtractOptions, fingerprint_file};
use likeness_core::{Density, Fingerprint};
use likeness_distort::{
    AudioCodec, AudioStep, Background, Encoding, Job, Materials, Random, Recipe, VideoStep, render,
};
use std::path::Path;

/// Seconds of a work that are disguised.
pub(super) const DISGUISED: f64 = 180.0;

/// One source of queries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// A work as it is.
    Plain(&'a Work),
    /// A work, disguised: the number of the disguise.
    Disguised(&'a Work, u64),
    /// A synthetic kind and its version.
    Hard(&'static str, u64),
}

impl<'a> Source<'a> {
    /// All sources, in an order drawn by lot: the works, each in so many disguises, and the synthetic
    /// ones.
    pub(super) fn all(works: &[&'a Work], split: Split, disguises: u64) -> Vec<Source<'a>> {
        let plain = works.iter().map(|work| Source::Plain(work));
        let disguised = works
            .iter()
            .flat_map(|work| (0..disguises).map(|number| Source::Disguised(work, number)));
        let kinds = hard::SOUNDS.into_iter().chain(hard::PICTURES);
        let hard =
            kinds.flat_map(|kind| hard::versions(kind, split).map(move |v| Source::Hard(kind, v)));
        let mut all: Vec<Source> = plain.chain(disguised).chain(hard).collect();
        all.sort_by_cached_key(|source| Random::new(2, &source.name()).next_u64());
        all
    }

    /// The first versions of every synthetic kind, which are references.
    pub(super) fn firsts(split: Split) -> impl Iterator<Item = Source<'static>> {
        let kinds = hard::SOUNDS.into_iter().chain(hard::PICTURES);
        kinds.flat_map(move |kind| {
            let versions = hard::versions(kind, split).take(hard::references(kind));
            versions.map(move |version| Source::Hard(kind, version))
        })
    }

    /// The work behind it, if there is one.
    pub(super) fn work(&self) -> Option<&'a Work> {
        match self {
            Source::Plain(work) | Source::Disguised(work, _) => Some(work),
            Source::Hard(..) => None,
        }
    }

    /// Whether it has picture, as far as its kind tells.
    pub(super) fn is_picture(&self) -> bool {
        match self {
            Source::Hard(kind, _) => hard::PICTURES.contains(kind),
            _ => self.work().is_some_and(|work| work.kind == Kind::Video),
        }
    }

    /// Its name in reports.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Plain(work) => work.identifier(),
            Source::Disguised(work, number) => {
                format!("{} ({})", work.identifier(), disguise(work, *number).0)
            }
            Source::Hard(kind, version) => format!("synthetic {kind} {version}"),
        }
    }

    /// Whether a name is that of another version of its synthetic kind.
    pub(super) fn is_kind_of(&self, name: &str) -> bool {
        match self {
            Source::Hard(kind, _) => name.starts_with(&format!("synthetic {kind} ")),
            _ => false,
        }
    }

    /// Its dense fingerprint; `None` of what cannot be read or disguised, such as silence.
    pub(super) fn fingerprint(&self, media: &Path, folder: &Path) -> Result<Option<Fingerprint>> {
        let read = |path: &Path| {
            let options = ExtractOptions::default();
            let extracted = fingerprint_file(path, Density::Query, &options, &|_| {});
            // Fixtures of broken media are part of the corpus.
            extracted.ok().map(|extracted| extracted.fingerprint)
        };
        match *self {
            Source::Hard(kind, version) => Ok(Some(hard::fingerprint(kind, version))),
            Source::Plain(work) => Ok(read(&work.path(media))),
            Source::Disguised(work, number) => {
                let (name, recipe) = disguise(work, number);
                let recipe = Recipe {
                    video: recipe.video.filter(|_| work.kind == Kind::Video),
                    // Not all films have sound; what is left of them is picture.
                    audio: recipe.audio.filter(|_| work.kind != Kind::Video),
                    ..recipe
                };
                let path = work.path(media);
                let random = Random::new(number, &work.identifier());
                let folder = tempfile::tempdir_in(folder)?;
                let job = Job {
                    source: &path,
                    start: 0.0,
                    seconds: work.duration_s.unwrap_or(DISGUISED).min(DISGUISED),
                    recipe: &recipe,
                    materials: &Materials::default(),
                    random,
                };
                match render(&job, folder.path(), "query") {
                    Ok((file, _)) => Ok(read(&file)),
                    Err(error) => {
                        eprintln!("{} ({name}): {error}", work.identifier());
                        Ok(None)
                    }
                }
            }
        }
    }
}

/// A disguise of a work, drawn by lot: its name and recipe.
fn disguise(work: &Work, number: u64) -> (&'static str, Recipe) {
    let encode = |codec, kbps, crf, height| Encoding {
        codec,
        kbps,
        crf,
        height,
    };
    let lossless = encode(AudioCodec::Flac, 192, 18, None);
    let all = [
        (
            "6 % faster, mirrored",
            vec![AudioStep::Speed { factor: 1.06 }],
            vec![VideoStep::Speed { factor: 1.06 }, VideoStep::Mirror],
            lossless.clone(),
        ),
        (
            "12 % slower, half size in black",
            vec![AudioStep::Speed { factor: 0.88 }],
            vec![VideoStep::Inset {
                size: 0.5,
                background: Background::Black,
                x: Some(0.5),
                y: Some(0.5),
            }],
            lossless.clone(),
        ),
        (
            "noise, caption",
            vec![AudioStep::Noise { snr_db: 6.0 }],
            vec![VideoStep::Noise { strength: 30 }, VideoStep::Caption],
            lossless.clone(),
        ),
        (
            "low bit rate",
            vec![],
            vec![],
            encode(AudioCodec::Opus, 24, 36, Some(240)),
        ),
        (
            "band, cropped and dark",
            vec![AudioStep::Band {
                low_hz: 300.0,
                high_hz: 3000.0,
            }],
            vec![
                VideoStep::Crop {
                    left: 0.1,
                    top: 0.2,
                    right: 0.0,
                    bottom: 0.0,
                },
                VideoStep::Colour {
                    gamma: 0.7,
                    saturation: 1.0,
                    hue: 0.0,
                    brightness: 0.7,
                },
            ],
            lossless,
        ),
    ];
    let lot = Random::new(number, &work.identifier()).index(all.len());
    let (name, audio, video, encode) = all[lot].clone();
    let recipe = Recipe {
        audio: Some(audio),
        video: Some(video),
        encode,
    };
    (name, recipe)
}
