//! The manifest of works: where each file comes from, and which part it plays.

use anyhow::{Context, Result};
use likeness_distort::Random;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Share of a kind's files that the test split aims at.
const TEST_SHARE: f64 = 0.6;
/// Share of a split's music and videos that are references; the others are negatives.
const REFERENCE_SHARE: f64 = 0.57;

/// One file of the corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) kind: Kind,
    pub(crate) package: String,
    pub(crate) version: String,
    /// The client that fetches the package, and the suite for `apt`.
    pub(crate) registry: String,
    /// End of the file's path inside the package.
    pub(crate) file: String,
    pub(crate) class: String,
    /// Works of one group are one work: never counted against each other.
    pub(crate) same_work_group: String,
    pub(crate) licence: String,
    pub(crate) duration_s: Option<f64>,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) bytes: u64,
    /// Of the file itself, not of the package.
    pub(crate) sha256: String,
    pub(crate) split: Split,
    pub(crate) role: Role,
    /// Where a work of one's own lies; `None` for one of the corpus.
    #[serde(skip)]
    pub(crate) own: Option<PathBuf>,
}

/// What a file is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Video,
    Music,
    Photos,
    Speech,
    /// Other people's copies of works of the corpus.
    Variants,
}

/// Which half of the corpus a package belongs to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Split {
    /// Tune here.
    Dev,
    /// Report here.
    Test,
    /// Not yet assigned.
    #[serde(rename = "-")]
    #[value(skip)]
    None,
}

/// The part a file plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// In the library.
    Reference,
    /// Never in the library: nothing may be found in it.
    Negative,
    /// Mixed into queries.
    Background,
    /// A copy made by other people: a ready-made positive.
    Variant,
    /// Not yet assigned.
    #[serde(rename = "-")]
    None,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Video => "video",
            Kind::Music => "music",
            Kind::Photos => "photos",
            Kind::Speech => "speech",
            Kind::Variants => "variants",
        }
    }
}

impl Work {
    /// The name in a library: kind, package and path.
    pub(crate) fn identifier(&self) -> String {
        format!("{}/{}/{}", self.kind.name(), self.package, self.file)
    }

    /// Where it lies; works of the corpus under `corpus`.
    pub(crate) fn path(&self, corpus: &Path) -> PathBuf {
        match &self.own {
            Some(path) => path.clone(),
            None => corpus.join(self.identifier()),
        }
    }

    /// Whether both are the same work.
    pub(crate) fn same_work(&self, other: &Work) -> bool {
        self.sha256 == other.sha256
            || (!self.same_work_group.is_empty() && self.same_work_group == other.same_work_group)
    }
}

/// Reads a manifest.
pub(crate) fn load(manifest: &Path) -> Result<Vec<Work>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .from_path(manifest)
        .with_context(|| format!("reading {}", manifest.display()))?;
    let works: Result<Vec<Work>, _> = reader.deserialize().collect();
    works.with_context(|| format!("reading {}", manifest.display()))
}

/// Two works that share material, found out after the splits were fixed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Shared {
    one: String,
    other: String,
}

impl Shared {
    /// Whether these are the two.
    pub(crate) fn ties(&self, a: &Work, b: &Work) -> bool {
        let (a, b) = (a.identifier(), b.identifier());
        (self.one == a && self.other == b) || (self.one == b && self.other == a)
    }
}

/// Reads `shared.tsv` beside a manifest; none when there is no such file.
pub(crate) fn load_shared(manifest: &Path) -> Result<Vec<Shared>> {
    let path = manifest.with_file_name("shared.tsv");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let what = || format!("reading {}", path.display());
    let mut builder = csv::ReaderBuilder::new();
    let mut reader = builder
        .delimiter(b'\t')
        .quoting(false)
        .from_path(&path)
        .with_context(what)?;
    let shared: Result<Vec<Shared>, _> = reader.deserialize().collect();
    shared.with_context(what)
}

/// Writes a manifest.
pub(crate) fn save(manifest: &Path, works: &[Work]) -> Result<()> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b'\t')
        .quote_style(csv::QuoteStyle::Never)
        .from_path(manifest)
        .with_context(|| format!("writing {}", manifest.display()))?;
    for work in works {
        writer.serialize(work)?;
    }
    writer.flush()?;
    Ok(())
}

/// Assigns splits and roles, the same for the same manifest.
///
/// A *unit* is a set of packages tied together by works that they share. Units are taken in an order
/// drawn by lot from their names; each goes to the split, then to the role, that is furthest below
/// its share of the files of the unit's rarest kind (videos, then music). So no package and no work
/// is in two splits or in two roles.
pub(crate) fn assign(works: &mut [Work]) {
    let mut placed: BTreeMap<(Split, Kind), f64> = BTreeMap::new();
    let mut references: BTreeMap<(Split, Kind), f64> = BTreeMap::new();
    for unit in units(works) {
        let members: Vec<usize> = (0..works.len())
            .filter(|index| unit.contains(&works[*index].package))
            .collect();
        let mut counts: BTreeMap<Kind, f64> = BTreeMap::new();
        for member in &members {
            *counts.entry(works[*member].kind).or_default() += 1.0;
        }
        let Some(rarest) = counts.keys().next().copied() else {
            continue;
        };
        let held = |split| placed.get(&(split, rarest)).copied().unwrap_or(0.0);
        let test = held(Split::Test) / TEST_SHARE <= held(Split::Dev) / (1.0 - TEST_SHARE);
        let split = if test { Split::Test } else { Split::Dev };
        for (kind, count) in counts {
            let before = placed.get(&(split, kind)).copied().unwrap_or(0.0);
            let kept = references.get(&(split, kind)).copied().unwrap_or(0.0);
            let reference = kept <= REFERENCE_SHARE * before;
            *placed.entry((split, kind)).or_default() += count;
            if reference {
                *references.entry((split, kind)).or_default() += count;
            }
            let role = match (kind, reference) {
                (Kind::Photos | Kind::Speech, _) => Role::Background,
                (Kind::Variants, _) => Role::Variant,
                (_, true) => Role::Reference,
                (_, false) => Role::Negative,
            };
            for member in &members {
                if works[*member].kind == kind {
                    works[*member].split = split;
                    works[*member].role = role;
                }
            }
        }
    }
}

/// Packages tied together by shared works, in an order drawn by lot.
fn units(works: &[Work]) -> Vec<BTreeSet<String>> {
    let mut units: Vec<BTreeSet<String>> = Vec::new();
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for work in works {
        let group = match work.same_work_group.as_str() {
            "" => format!("package {}", work.package),
            group => group.to_owned(),
        };
        groups
            .entry(group)
            .or_default()
            .insert(work.package.clone());
    }
    for packages in groups.into_values() {
        let (tied, mut others): (Vec<_>, Vec<_>) = units
            .into_iter()
            .partition(|unit| !unit.is_disjoint(&packages));
        others.push(tied.into_iter().flatten().chain(packages).collect());
        units = others;
    }
    units.sort_by_key(|unit| {
        let name = unit.first().map_or("", String::as_str);
        Random::new(0, name).next_u64()
    });
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Vec<Work> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/corpus.tsv");
        load(&path).expect("the committed manifest")
    }

    #[test]
    fn the_committed_splits_follow_the_rule() {
        let committed = manifest();
        let mut assigned = committed.clone();
        assign(&mut assigned);
        assert_eq!(assigned, committed, "run `likeness-bench assign`");
    }

    #[test]
    fn no_package_and_no_work_is_in_two_splits_or_roles() {
        let works = manifest();
        let mut packages = BTreeMap::new();
        let mut groups = BTreeMap::new();
        for work in &works {
            let key = (work.package.clone(), work.kind.name());
            let part = *packages.entry(key).or_insert((work.split, work.role));
            assert_eq!(part, (work.split, work.role), "{}", work.identifier());
            if !work.same_work_group.is_empty() {
                let split = *groups.entry(&work.same_work_group).or_insert(work.split);
                assert_eq!(split, work.split, "{}", work.same_work_group);
            }
        }
    }

    #[test]
    fn works_that_share_material_are_in_the_manifest_and_in_one_split() {
        let works = manifest();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/corpus.tsv");
        let find = |name: &str| {
            works
                .iter()
                .find(|w| w.identifier() == name)
                .expect("listed")
        };
        for pair in load_shared(&path).expect("the committed list") {
            let (one, other) = (find(&pair.one), find(&pair.other));
            assert!(pair.ties(one, other) && pair.ties(other, one));
            // Found after the splits were used: moving a package would change all that was reported.
            let across = pair.other.ends_with("/journeys_end_faststart.ogg");
            let together = (one.split, one.role) == (other.split, other.role);
            assert!(together != across, "{pair:?}");
        }
    }

    #[test]
    fn every_part_is_large_enough() {
        let works = manifest();
        let check = |split, kind, role, least: usize| {
            let has = |w: &&Work| w.split == split && w.kind == kind && w.role == role;
            let count = works.iter().filter(has).count();
            assert!(count >= least, "{split:?} {kind:?} {role:?}: {count}");
        };
        check(Split::Test, Kind::Music, Role::Reference, 120);
        check(Split::Test, Kind::Music, Role::Negative, 100);
        check(Split::Test, Kind::Video, Role::Reference, 25);
        check(Split::Test, Kind::Video, Role::Negative, 15);
        check(Split::Dev, Kind::Music, Role::Reference, 80);
        check(Split::Dev, Kind::Music, Role::Negative, 50);
        check(Split::Dev, Kind::Video, Role::Reference, 15);
        check(Split::Dev, Kind::Video, Role::Negative, 8);
        for split in [Split::Dev, Split::Test] {
            check(split, Kind::Photos, Role::Background, 5);
            check(split, Kind::Speech, Role::Background, 5);
        }
    }
}
