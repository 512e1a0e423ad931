//! `calibrate`: how much evidence chance gives, and whether the shipped calibration says so.

mod negatives;
mod tail;

use crate::corpus::{Kind, Shared, Work};
use anyhow::Result;
use likeness::MatchOptions;
use likeness_core::report::Media;
use likeness_match::{Chance, Exposure};
use negatives::{Negatives, Trial, gather};
use std::fmt::Write;
use std::path::Path;

/// One reference in so many is kept for the smaller libraries that are looked at.
const THINNED: [u64; 3] = [1, 3, 9];

/// Compares every work, or those of some kinds, with all others; writes `out`/trials.jsonl and `out`/calibration.md.
pub(crate) fn calibrate(
    works: &[&Work],
    kinds: &[Kind],
    shared: &[Shared],
    media: &Path,
    out: &Path,
) -> Result<String> {
    std::fs::create_dir_all(out)?;
    let negatives = gather(works, kinds, shared, media, out)?;
    let report = report(&negatives)?;
    std::fs::write(out.join("calibration.md"), &report)?;
    Ok(report)
}

fn report(negatives: &Negatives) -> Result<String> {
    let options = MatchOptions::default();
    let mut text = String::from("# How much evidence chance gives\n");
    let chance = options.audio.chance;
    let Chance { level, rate, scale } = chance;
    writeln!(text, "\n## Sound\n")?;
    writeln!(
        text,
        "Shipped: level {level}, rate {rate}, scale {scale}.\n"
    )?;
    tails(&mut text, negatives, Media::Audio)?;
    checks(&mut text, negatives, Media::Audio, &chance)?;
    let limit = options.max_false_positive_probability;
    accused(&mut text, &negatives.trials, Media::Audio, &chance, limit)?;
    // Not calibrated: so little comes near that nothing can be said of its tail.
    writeln!(text, "\n## Picture\n")?;
    tails(&mut text, negatives, Media::Video)?;
    Ok(text)
}

fn tails(text: &mut String, negatives: &Negatives, media: Media) -> Result<()> {
    let Some(tail) = tail::fit(&negatives.trials, media) else {
        writeln!(text, "Nothing came near enough to fit a tail.\n")?;
        return Ok(());
    };
    writeln!(
        text,
        "Fitted here, on {} queries, {:.2} square hours, {} pairs above the level: level {:.2}, \
         rate {:.3}, scale {:.2} (shape {:.2}; 0 is exponential).\n",
        tail.queries,
        tail.exposure,
        tail.exceedances,
        tail.level,
        tail.rate,
        tail.scale,
        tail.shape
    )?;
    Ok(())
}

fn checks(text: &mut String, negatives: &Negatives, media: Media, chance: &Chance) -> Result<()> {
    writeln!(
        text,
        "| library, hours | queries | probability at most | false matches expected | counted |\n\
         |---|---|---|---|---|"
    )?;
    for count in THINNED {
        let check = tail::check(&negatives.thinned(count), media, chance);
        for (limit, expected, counted) in &check.rows {
            let (hours, queries) = (check.library_hours, check.queries);
            writeln!(
                text,
                "| {hours:.2} | {queries} | {limit} | {expected:.1} | {counted} |"
            )?;
        }
    }
    Ok(())
}

fn accused(
    text: &mut String,
    trials: &[Trial],
    media: Media,
    chance: &Chance,
    limit: f64,
) -> Result<()> {
    writeln!(text, "\nAccused at the default of {limit:e}:\n")?;
    let mut none = true;
    for trial in trials.iter().filter(|trial| trial.media == media) {
        let exposure = Exposure::new(trial.seconds, trial.hours);
        for event in &trial.events {
            let probability = chance.probability(event.evidence, exposure);
            if probability <= limit {
                none = false;
                let (start, end) = event.stretch;
                writeln!(
                    text,
                    "- `{}`, {start:.1} to {end:.1} s: `{}`, evidence {:.1}, probability \
                     {probability:.1e}",
                    trial.query, event.reference, event.evidence
                )?;
            }
        }
    }
    if none {
        writeln!(text, "nobody.")?;
    }
    Ok(())
}
