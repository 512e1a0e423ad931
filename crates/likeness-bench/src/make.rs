//! `make`: a suite becomes queries and their truth.

use crate::cast::Cast;
use crate::corpus::{Kind, Work};
use crate::fetch::sha256;
use crate::made::Made;
use crate::suite::{Row, Suite};
use crate::truth::{Query, load, save};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use likeness_distort::{
    DistortError, Generated, Job, Materials, Random, Recipe, render, render_generated,
};
use rayon::prelude::*;
use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

/// Tries with other works before a row is given up: some are silent or hold no stereo.
const TRIES: usize = 8;
/// Excerpts begin within this many seconds: a source is decoded from its beginning.
const LATEST_START: f64 = 400.0;

/// The row of copies that other people made.
const VARIANTS: &str = "copies by other people";

/// A query to be made.
enum Plan<'a> {
    /// A disguised copy; the works to try in order.
    Copy {
        row: &'a Row,
        sources: Vec<&'a Work>,
    },
    /// A copy that somebody else made, whole and as it is.
    Variant(&'a Work),
    /// Somebody else's work as it is.
    Unrelated(&'a Work),
    /// A drawn picture.
    Drawn(Generated),
}

/// The queries that were made in `out` before. Which works share material may have been learnt since,
/// so that is told anew.
pub(crate) fn kept(cast: &Cast<'_>, out: &Path) -> Result<Vec<Query>> {
    let path = out.join("truth.jsonl");
    let mut queries: Vec<Query> = load(&path)?;
    for query in &mut queries {
        let source = query.source.as_ref();
        let source = source.and_then(|s| cast.works().find(|work| work.identifier() == *s));
        if let Some(source) = source {
            query.same_work = cast.same_work(source);
        }
    }
    save(&path, &queries)?;
    Ok(queries)
}

/// Makes all queries of `suite` under `out`/queries and writes `out`/truth.jsonl, and last of all
/// `out`/made.json, what they were made from.
pub(crate) fn make(suite: &Suite, cast: &Cast<'_>, media: &Path, out: &Path) -> Result<Vec<Query>> {
    let folder = out.join("queries");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let plans = plan(suite, cast, media);
    let bar = progress(plans.len() as u64, "making queries");
    let made: Vec<Result<Option<Query>>> = plans
        .par_iter()
        .map(|(name, plan)| {
            let query = one(suite, cast, media, &folder, name, plan).and_then(|made| {
                let sealed = |mut query: Query| {
                    query.sha256 = sha256(&folder.join(&query.query))?;
                    Ok(query)
                };
                made.map(sealed).transpose()
            });
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
    Made::of(suite, cast).save(out)?;
    Ok(queries)
}

/// Writes `out`/references.txt, for programs other than this one.
fn list_references(cast: &Cast<'_>, out: &Path) -> Result<()> {
    let identifiers = cast.references.iter().map(|work| work.identifier() + "\n");
    let path = out.join("references.txt");
    fs::write(&path, identifiers.collect::<String>())
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
    let mut walked = 0;
    for row in &suite.rows {
        let kind = row.kind();
        let seconds = row.seconds.unwrap_or(suite.seconds);
        let both = row.audio.is_some() && row.video.is_some();
        let pool: Vec<&Work> = cast
            .references
            .iter()
            .filter(|work| work.kind == kind && work.bytes <= suite.max_source_bytes)
            .filter(|work| !both || has_sound(&work.path(media)))
            .copied()
            .collect();
        if pool.is_empty() {
            eprintln!("{}: left out: no reference of this kind", row.name);
        }
        let queries = suite.queries(row);
        for query in 0..queries.min(pool.len() * 4) {
            // Rows walk on through the works, so that a suite touches as many as it can.
            let first = walked + query;
            let mut sources: Vec<&Work> = (0..pool.len())
                .map(|step| pool[(first + step * queries) % pool.len()])
                .collect();
            // Long enough ones first; a stable sort keeps the walk.
            sources.sort_by_key(|work| work.duration_s.unwrap_or(0.0) < seconds * 0.6);
            sources.truncate(TRIES);
            plans.push((
                format!("{}-{query:02}", slug(&row.name)),
                Plan::Copy { row, sources },
            ));
        }
        walked += queries;
    }
    for (index, work) in cast.variants.iter().enumerate() {
        plans.push((format!("variant-{index:02}"), Plan::Variant(work)));
    }
    for (index, work) in cast.negatives.iter().enumerate() {
        let name = format!("unrelated-{}-{index:03}", work.kind.name());
        plans.push((name, Plan::Unrelated(work)));
    }
    let mut random = Random::new(suite.seed, "drawn");
    for index in 0..suite.negatives.generated {
        let mut photo = || cast.photos[random.index(cast.photos.len())].path(media);
        let drawn = match index % 8 {
            0 | 1 if !cast.photos.is_empty() => {
                Generated::Slideshow([(); 5].map(|()| photo()).into())
            }
            2 => Generated::Noise,
            3 => Generated::Black,
            4 => Generated::TestCard,
            5 => Generated::Pattern,
            // One photo that stands still.
            6 if !cast.photos.is_empty() => Generated::Slideshow(vec![photo(); 5]),
            _ => Generated::Bars,
        };
        plans.push((format!("drawn-{index:02}"), Plan::Drawn(drawn)));
    }
    plans
}

/// Whether a video has sound, for rows that disguise both; the manifest does not tell.
fn has_sound(path: &Path) -> bool {
    likeness_media::probe(path).is_ok_and(|info| info.audio.is_some())
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
            let mut unreadable = None;
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
                    Err(error @ DistortError::NoMaterial(_)) => {
                        // A small folder of one's own may hold nothing to mix in.
                        eprintln!("{name}: left out: {error}");
                        return Ok(None);
                    }
                    // What FFmpeg cannot read of one work, it may read of the next.
                    Err(error @ DistortError::Ffmpeg { .. }) => unreadable = Some(error),
                    Err(error) => return Err(error.into()),
                }
            }
            if let Some(error) = unreadable {
                return Err(error.into());
            }
            eprintln!("{name}: none of {} works will do", sources.len());
            Ok(None)
        }
        Plan::Variant(work) => {
            let path = work.path(media);
            let extension = path.extension().unwrap_or_default();
            let file = folder.join(name).with_extension(extension);
            fs::copy(&path, &file).with_context(|| format!("copying {}", path.display()))?;
            let mut query = Query::new(&file, VARIANTS, Some(work), Vec::new());
            query.same_work = cast.same_work(work);
            query.variant = true;
            Ok(Some(query))
        }
        Plan::Unrelated(work) => {
            let recipe = Recipe {
                audio: (work.kind != Kind::Video).then(Vec::new),
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
