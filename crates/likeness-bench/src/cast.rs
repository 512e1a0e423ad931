//! Which works play which part in a suite.

use crate::corpus::{Kind, Role, Shared, Split, Work};
use crate::suite::{Amount, Suite};
use anyhow::{Result, ensure};
use likeness_distort::{Materials, Random};
use std::path::{Path, PathBuf};

/// The shortest work that is used, seconds.
const SHORTEST: f64 = 8.0;

/// The works a suite uses.
pub(crate) struct Cast<'a> {
    pub(crate) references: Vec<&'a Work>,
    pub(crate) negatives: Vec<&'a Work>,
    voices: Vec<&'a Work>,
    pub(crate) photos: Vec<&'a Work>,
    /// Copies that other people made of the references.
    pub(crate) variants: Vec<&'a Work>,
    /// Pairs of works that share material.
    shared: Vec<Shared>,
}

impl<'a> Cast<'a> {
    /// Draws the works: those on disk, of `split` or of all, up to the suite's amounts.
    pub(crate) fn draw(
        works: &'a [Work],
        shared: Vec<Shared>,
        suite: &Suite,
        split: Option<Split>,
        media: &Path,
    ) -> Result<Cast<'a>> {
        let mut present: Vec<&Work> = works
            .iter()
            .filter(|work| split.is_none_or(|split| work.split == split))
            .filter(|work| suite.uses(&work.package))
            .filter(|work| work.path(media).is_file())
            .collect();
        Random::new(suite.seed, "cast").shuffle(&mut present);
        let take = |role: Role, amount: &Amount| {
            let mut taken = Vec::new();
            for (kind, most) in [(Kind::Music, amount.music), (Kind::Video, amount.video)] {
                let fits = |work: &&&Work| {
                    work.kind == kind
                        && work.role == role
                        && work.bytes <= amount.max_bytes
                        && (SHORTEST..=amount.max_seconds).contains(&work.duration_s.unwrap_or(0.0))
                };
                taken.extend(present.iter().filter(fits).take(most).copied());
            }
            taken
        };
        let background = |kind: Kind| {
            let fits = |work: &&&Work| work.kind == kind && work.role == Role::Background;
            present.iter().filter(fits).copied().collect::<Vec<_>>()
        };
        let mut references = take(Role::Reference, &suite.references);
        let mut negatives = take(Role::Negative, &suite.negatives);
        let long = |work: &&&Work| work.duration_s.is_some_and(|seconds| seconds >= SHORTEST);
        let speech = background(Kind::Speech);
        let mut spoken = speech.iter().filter(long).copied();
        references.extend(spoken.by_ref().take(suite.references.speech));
        negatives.extend(spoken.take(suite.negatives.speech));
        let unknown = |work: &&Work| !references.iter().any(|known| known.same_work(work));
        let voices = speech.into_iter().filter(unknown).collect();
        let copied = |work: &&&Work| {
            let same =
                |reference: &&Work| reference.same_work(work) && reference.sha256 != work.sha256;
            work.role == Role::Variant && references.iter().any(same)
        };
        let cast = Cast {
            variants: present.iter().filter(copied).copied().collect(),
            references,
            negatives,
            voices,
            photos: background(Kind::Photos),
            shared,
        };
        ensure!(
            !cast.references.is_empty(),
            "no reference of the corpus is under {}: run `likeness-bench fetch`",
            media.display()
        );
        Ok(cast)
    }

    /// All works, part by part.
    pub(crate) fn works(&self) -> impl Iterator<Item = &'a Work> + '_ {
        let parts = [
            &self.references,
            &self.negatives,
            &self.voices,
            &self.photos,
            &self.variants,
        ];
        parts.into_iter().flatten().copied()
    }

    /// The references that may rightly be found in a query that shows `source`.
    pub(crate) fn same_work(&self, source: &Work) -> Vec<String> {
        self.references
            .iter()
            .filter(|work| self.same(work, source))
            .map(|work| work.identifier())
            .collect()
    }

    /// Whether the cast has the work, or one that shares material with it, as a reference or as
    /// something unrelated.
    pub(crate) fn has(&self, work: &Work) -> bool {
        let mut all = self.references.iter().chain(&self.negatives);
        all.any(|known| self.same(known, work))
    }

    fn same(&self, one: &Work, other: &Work) -> bool {
        one.same_work(other) || self.shared.iter().any(|pair| pair.ties(one, other))
    }

    pub(crate) fn materials(&self, media: &Path, random: &mut Random) -> OwnedMaterials {
        let mut pick = |from: &[&Work]| {
            let chosen = from.get(random.index(from.len()))?;
            Some(chosen.path(media))
        };
        let of = |kind: Kind| -> Vec<&Work> {
            self.negatives
                .iter()
                .filter(|w| w.kind == kind)
                .copied()
                .collect()
        };
        let (music, video) = (of(Kind::Music), of(Kind::Video));
        OwnedMaterials {
            voice: pick(&self.voices),
            music: pick(&music),
            photo: pick(&self.photos),
            video: pick(&video),
        }
    }
}

pub(crate) struct OwnedMaterials {
    voice: Option<PathBuf>,
    music: Option<PathBuf>,
    photo: Option<PathBuf>,
    video: Option<PathBuf>,
}

impl OwnedMaterials {
    pub(crate) fn borrow(&self) -> Materials<'_> {
        Materials {
            voice: self.voice.as_deref(),
            music: self.music.as_deref(),
            photo: self.photo.as_deref(),
            video: self.video.as_deref(),
        }
    }
}
