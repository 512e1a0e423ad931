//! `make`: a suite becomes queries and their truth.

use crate::corpus::{Kind, Role, Shared, Split, Work};
use crate::suite::{Amount, Row, Suite};
use crate::truth::{Query, save};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use likeness_distort::{
    DistortError, Generated, Job, Materials, Random, Recipe, render, render_generated,
};
use rayon::prelude::*;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Tries with other works before a row is given up: some are silent or hold no stereo.
const TRIES: usize = 8;
/// The shortest work that is used, seconds.
const SHORTEST: f64 = 8.0;
/// Excerpts begin within this many seconds: a source is decoded from its beginning.
const LATEST_START: f64 = 400.0;

/// The works a suite uses.
pub(crate) struct Cast<'a> {
    pub(crate) references: Vec<&'a Work>,
    negatives: Vec<&'a Work>,
    voices: Vec<&'a Work>,
    photos: Vec<&'a Work>,
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
        let cast = Cast {
            references: take(Role::Reference, &suite.references),
            negatives: take(Role::Negative, &suite.negatives),
            voices: background(Kind::Speech),
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

    /// The references that may rightly be found in a query that shows `source`.
    fn same_work(&self, source: &Work) -> Vec<String> {
        let ties = |work: &Work| self.shared.iter().any(|pair| pair.ties(work, source));
        let same = |work: &&&Work| work.same_work(source) || ties(work);
        self.references
            .iter()
            .filter(same)
            .map(|work| work.identifier())
            .collect()
    }

    fn materials(&self, media: &Path, random: &mut Random) -> OwnedMaterials {
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

struct OwnedMaterials {
    voice: Option<PathBuf>,
    music: Option<PathBuf>,
    photo: Option<PathBuf>,
    video: Option<PathBuf>,
}

impl OwnedMaterials {
    fn borrow(&self) -> Materials<'_> {
        Materials {
            voice: self.voice.as_deref(),
            music: self.music.as_deref(),
            photo: self.photo.as_deref(),
            video: self.video.as_deref(),
        }
    }
}

/// A query to be made.
enum Plan<'a> {
    /// A disguised copy; the works to try in order.
    Copy {
        row: &'a Row,
        sources: Vec<&'a Work>,
    },
    /// Somebody else's work as it is.
    Unrelated(&'a Work),
    /// A drawn picture.
    Drawn(Generated),
}

/// Makes all queries of `suite` under `out`/queries and writes `out`/truth.jsonl.
pub(crate) fn make(suite: &Suite, cast: &Cast<'_>, media: &Path, out: &Path) -> Result<Vec<Query>> {
    let folder = out.join("queries");
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let plans = plan(suite, cast, media);
    let bar = progress(plans.len() as u64, "making queries");
    let made: Vec<Result<Option<Query>>> = plans
        .par_iter()
        .map(|(name, plan)| {
            let query = one(suite, cast, media, &folder, name, plan);
            bar.inc();
            query.with_context(|| format!("query {name}"))
        })
        .collect();
    bar.finish();
    // The others' work is kept, whatever became of one.
    let mut queries = Vec::new();
    let mut failed = Vec::new();
    for query in made {
        match query {
            Ok(query) => queries.extend(query),
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    save(&out.join("truth.jsonl"), &queries)?;
    list_references(cast, out)?;
    ensure!(
        failed.is_empty(),
        "{} queries failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    Ok(queries)
}

/// Writes `out`/references.txt, for programs other than this one.
fn list_references(cast: &Cast<'_>, out: &Path) -> Result<()> {
    let identifiers = cast.references.iter().map(|work| work.identifier() + "\n");
    let path = out.join("references.txt");
    std::fs::write(&path, identifiers.collect::<String>())
        .with_context(|| format!("writing {}", path.display()))
}

/// A progress bar on standard error; where that is no terminal, a line now and then.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    plain: bool,
    start: Instant,
}

pub(crate) fn progress(length: u64, what: &'static str) -> Progress {
    let plain = !std::io::stderr().is_terminal();
    let bar = ProgressBar::new(length).with_message(what);
    let style = ProgressStyle::with_template("{msg:18} {wide_bar} {pos}/{len} {eta} left");
    let bar = match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    Progress {
        bar,
        what,
        plain,
        start: Instant::now(),
    }
}

impl Progress {
    /// One more is done.
    pub(crate) fn inc(&self) {
        self.bar.inc(1);
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if self.plain && (done % 10 == 0 || done == all) {
            let seconds = self.start.elapsed().as_secs();
            eprintln!("{}: {done} of {all} after {seconds} s", self.what);
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish();
    }
}

fn plan<'a>(suite: &'a Suite, cast: &Cast<'a>, media: &Path) -> Vec<(String, Plan<'a>)> {
    let mut plans = Vec::new();
    for (index, row) in suite.rows.iter().enumerate() {
        let kind = if row.video.is_some() {
            Kind::Video
        } else {
            Kind::Music
        };
        let seconds = row.seconds.unwrap_or(suite.seconds);
        let pool: Vec<&Work> = cast
            .references
            .iter()
            .filter(|w| w.kind == kind)
            .copied()
            .collect();
        for query in 0..suite.queries.min(pool.len() * 4) {
            // Rows walk on through the works, so that a suite touches as many as it can.
            let first = index * suite.queries + query;
            let mut sources: Vec<&Work> = (0..pool.len())
                .map(|step| pool[(first + step * suite.queries) % pool.len()])
                .collect();
            // Long enough ones first; a stable sort keeps the walk.
            sources.sort_by_key(|work| work.duration_s.unwrap_or(0.0) < seconds * 0.6);
            sources.truncate(TRIES);
            plans.push((
                format!("{}-{query:02}", slug(&row.name)),
                Plan::Copy { row, sources },
            ));
        }
    }
    for (index, work) in cast.negatives.iter().enumerate() {
        let name = format!("unrelated-{}-{index:03}", work.kind.name());
        plans.push((name, Plan::Unrelated(work)));
    }
    let mut random = Random::new(suite.seed, "drawn");
    for index in 0..suite.negatives.generated {
        let drawn = match index % 6 {
            0 | 1 if !cast.photos.is_empty() => {
                let photo = |_| cast.photos[random.index(cast.photos.len())].path(media);
                Generated::Slideshow((0..5).map(photo).collect())
            }
            2 => Generated::Noise,
            3 => Generated::Black,
            4 => Generated::TestCard,
            5 => Generated::Pattern,
            _ => Generated::Bars,
        };
        plans.push((format!("drawn-{index:02}"), Plan::Drawn(drawn)));
    }
    plans
}

/// "audio: speed +5 %" -> "audio-speed-plus-5".
fn slug(name: &str) -> String {
    let spelt = name.replace('+', " plus ").replace(" -", " minus ");
    let words = spelt.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_lowercase()
}

fn one(
    suite: &Suite,
    cast: &Cast<'_>,
    media: &Path,
    folder: &Path,
    name: &str,
    plan: &Plan<'_>,
) -> Result<Option<Query>> {
    let mut random = Random::new(suite.seed, name);
    match plan {
        Plan::Copy { row, sources } => {
            let seconds = row.seconds.unwrap_or(suite.seconds);
            for source in sources {
                let owned = cast.materials(media, &mut random);
                let materials = owned.borrow();
                let recipe = row.recipe();
                let cut = excerpt(source, seconds, recipe.speed(), &mut random);
                let path = source.path(media);
                let job = job(&path, cut, &recipe, &materials, &random);
                match render(&job, folder, name) {
                    Ok((file, truths)) => {
                        let mut query = Query::new(&file, &row.name, Some(source), truths);
                        query.family = row.family.clone();
                        query.strength = row.strength;
                        query.bar = row.bar;
                        query.same_work = cast.same_work(source);
                        return Ok(Some(query));
                    }
                    Err(DistortError::Empty { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            eprintln!("{name}: none of {} works will do", sources.len());
            Ok(None)
        }
        Plan::Unrelated(work) => {
            let recipe = Recipe {
                audio: (work.kind == Kind::Music).then(Vec::new),
                video: (work.kind == Kind::Video).then(Vec::new),
                ..Recipe::default()
            };
            let cut = excerpt(work, suite.seconds, 1.0, &mut random);
            let materials = Materials::default();
            let path = work.path(media);
            match render(&job(&path, cut, &recipe, &materials, &random), folder, name) {
                Ok((file, _)) => {
                    let row = format!("unrelated {}", work.kind.name());
                    let mut query = Query::new(&file, &row, Some(work), Vec::new());
                    query.same_work = cast.same_work(work);
                    Ok(Some(query))
                }
                Err(DistortError::Empty { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
        Plan::Drawn(what) => {
            let file = render_generated(what, suite.seconds, folder, name, &mut random)?;
            Ok(Some(Query::new(&file, "unrelated drawn", None, Vec::new())))
        }
    }
}

/// Start and length of the copied stretch, by lot; shorter works give what they have.
fn excerpt(source: &Work, seconds: f64, speed: f64, random: &mut Random) -> (f64, f64) {
    // The manifest's durations are rounded, and the last frame has a length of its own.
    let usable = source.duration_s.unwrap_or(0.0) - 0.2;
    let seconds = seconds.min(usable / speed);
    let latest = (usable - seconds * speed).clamp(0.0, LATEST_START);
    // Milliseconds are enough, and read well in the truth.
    let start = (random.between(0.0, latest) * 1000.0).floor() / 1000.0;
    (start, seconds)
}

fn job<'a>(
    source: &'a Path,
    (start, seconds): (f64, f64),
    recipe: &'a Recipe,
    materials: &'a Materials<'a>,
    random: &Random,
) -> Job<'a> {
    Job {
        source,
        start,
        seconds,
        recipe,
        materials,
        random: random.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_tell_plus_from_minus() {
        assert_eq!(slug("audio: speed +5 %"), "audio-speed-plus-5");
        assert_eq!(slug("audio: speed -5 %"), "audio-speed-minus-5");
        assert_eq!(slug("video: crf 33, 360 high"), "video-crf-33-360-high");
    }
}
