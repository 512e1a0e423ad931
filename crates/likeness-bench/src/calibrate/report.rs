//! What the negatives say, as tables.

use super::negatives::{Event, Negatives, Trial};
use super::tail;
use anyhow::Result;
use likeness::MatchOptions;
use likeness_core::report::Media;
use likeness_match::{Chance, Exposure};
use std::collections::BTreeMap;
use std::fmt::Write;

/// One reference in so many is kept for the smaller libraries that are looked at.
const THINNED: [u64; 3] = [1, 3, 9];

/// The report in Markdown.
pub(super) fn report(negatives: &Negatives) -> Result<String> {
    let options = MatchOptions::default();
    let mut text = String::from("# How much evidence chance gives\n");
    let (asked, all) = negatives.asked;
    writeln!(
        text,
        "\nSources of queries that were asked: {asked} of {all}."
    )?;
    let media = [
        ("Sound", Media::Audio, options.audio.chance),
        ("Picture", Media::Video, options.video.chance),
    ];
    for (name, media, chance) in media {
        let Chance {
            level,
            rate,
            scale,
            edge,
        } = chance;
        writeln!(
            text,
            "\n## {name}\n\nShipped: level {level}, rate {rate}, scale {scale}, edge {edge}.\n"
        )?;
        fitted(&mut text, negatives, media)?;
        let all = THINNED.map(|count| of_medium(&negatives.thinned(count), media));
        let limit = options.max_false_positive_probability;
        medium(&mut text, &all, &chance, limit)?;
    }
    Ok(text)
}

fn of_medium(trials: &[Trial], media: Media) -> Vec<Trial> {
    trials
        .iter()
        .filter(|t| t.media == media)
        .cloned()
        .collect()
}

/// The work behind a query, whatever its disguise.
fn work_of(trial: &Trial) -> &str {
    trial.query.split(" (").next().unwrap_or_default()
}

fn is_whole(trial: &Trial) -> bool {
    trial.window.is_none()
}

/// The tail of whole works as they are: windows of one work would count what comes near in it again
/// and again.
fn fitted(text: &mut String, negatives: &Negatives, media: Media) -> Result<()> {
    let whole: Vec<Trial> = negatives
        .trials
        .iter()
        .filter(|t| is_whole(t))
        .cloned()
        .collect();
    let Some(tail) = tail::fit(&whole, media) else {
        writeln!(text, "Nothing came near enough to fit a tail.\n")?;
        return Ok(());
    };
    writeln!(
        text,
        "Fitted here, on {} whole works, {:.2} square hours, {} pairs above the level: level {:.2}, \
         rate {:.3}, scale {:.2} (shape {:.2}; 0 is exponential), edge {:.1}.\n",
        tail.queries,
        tail.exposure,
        tail.exceedances,
        tail.level,
        tail.rate,
        tail.scale,
        tail.shape,
        tail.edge
    )?;
    Ok(())
}

/// The checks of one medium's trials, against libraries of three sizes.
fn medium(text: &mut String, sizes: &[Vec<Trial>; 3], chance: &Chance, limit: f64) -> Result<()> {
    let Some(media) = sizes[0].first().map(|trial| trial.media) else {
        writeln!(text, "No queries.")?;
        return Ok(());
    };
    kinds(text, &sizes[0])?;
    writeln!(
        text,
        "| queries | library, hours | probability at most | false matches expected | counted | of pairs |\n\
         |---|---|---|---|---|---|"
    )?;
    for trials in sizes {
        for (name, whole) in [("whole works", true), ("windows", false)] {
            let own = trials.iter().filter(|t| is_whole(t) == whole);
            let own: Vec<Trial> = own.cloned().collect();
            let check = tail::check(&own, media, chance);
            for (limit, expected, counted) in &check.rows {
                let (hours, queries) = (check.library_hours, check.queries);
                let pairs = pairs(&own, chance, *limit);
                writeln!(
                    text,
                    "| {queries} {name} | {hours:.2} | {limit} | {expected:.2} | {counted} | {pairs} |"
                )?;
            }
        }
    }
    writeln!(
        text,
        "\nThe probability that a share of the windows stays below; true ones stay below their share, \
         cautious ones below more:\n\n| share | probability |\n|---|---|"
    )?;
    let windows: Vec<Trial> = sizes[0].iter().filter(|t| !is_whole(t)).cloned().collect();
    for (share, found) in tail::quantiles(&windows, media, chance) {
        writeln!(text, "| {share} | {found:.2e} |")?;
    }
    by_kind(text, &windows, media, chance)?;
    accused(text, &sizes[0], chance, limit)
}

/// What a query is: the kind of its work, and whether it is disguised.
fn kind_of(trial: &Trial) -> String {
    if trial.query.starts_with("synthetic ") {
        return "synthetic".to_owned();
    }
    let kind = trial.query.split('/').next().unwrap_or_default();
    let disguised = if trial.query.ends_with(')') {
        ", disguised"
    } else {
        ""
    };
    format!("{kind}{disguised}")
}

/// How many queries of each kind there were.
fn kinds(text: &mut String, trials: &[Trial]) -> Result<()> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for trial in trials {
        *counts.entry(kind_of(trial)).or_default() += 1;
    }
    let told: Vec<String> = counts
        .iter()
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    writeln!(text, "Queries: {}.\n", told.join(", "))?;
    Ok(())
}

/// Expected and counted false matches of the windows of each kind: what is true of all together need not
/// be of each.
fn by_kind(text: &mut String, windows: &[Trial], media: Media, chance: &Chance) -> Result<()> {
    let mut kinds: BTreeMap<String, Vec<Trial>> = BTreeMap::new();
    for trial in windows {
        kinds.entry(kind_of(trial)).or_default().push(trial.clone());
    }
    writeln!(
        text,
        "\nWindows against the whole library, by kind: false matches expected and counted.\n"
    )?;
    for (number, (kind, trials)) in kinds.iter().enumerate() {
        let check = tail::check(trials, media, chance);
        if number == 0 {
            let limits = check.rows.iter().map(|(limit, ..)| format!(" {limit} |"));
            writeln!(text, "| windows |{}", limits.collect::<String>())?;
            writeln!(text, "|---|{}", "---|".repeat(check.rows.len()))?;
        }
        let cells = check.rows.iter();
        let cells = cells.map(|(_, expected, counted)| format!(" {expected:.1}: {counted} |"));
        let cells: String = cells.collect();
        writeln!(text, "| {} {kind} |{cells}", trials.len())?;
    }
    Ok(())
}

/// Distinct pairs of works behind the false matches: windows of one work repeat what is in it.
fn pairs(trials: &[Trial], chance: &Chance, limit: f64) -> usize {
    let mut pairs: Vec<(&str, &str)> = trials
        .iter()
        .filter(|trial| tail::is_false(trial, chance, limit))
        .filter_map(|trial| {
            let best = trial
                .events
                .iter()
                .max_by(|a, b| a.evidence.total_cmp(&b.evidence))?;
            Some((work_of(trial), best.reference.as_str()))
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.len()
}

/// Everybody accused at the default, with what speaks for it; works of one package apart.
fn accused(text: &mut String, trials: &[Trial], chance: &Chance, limit: f64) -> Result<()> {
    writeln!(text, "\nAccused at the default of {limit:e}:\n")?;
    told(text, trials, |trial| &trial.events, chance, limit)?;
    writeln!(
        text,
        "\nOf one package or one synthetic kind, which often share material, at the same limit; not counted \
         above, each to be looked at:\n"
    )?;
    told(text, trials, |trial| &trial.kin, chance, limit)
}

fn told(
    text: &mut String,
    trials: &[Trial],
    events: impl Fn(&Trial) -> &Vec<Event>,
    chance: &Chance,
    limit: f64,
) -> Result<()> {
    // Of each pair the surest, and how many queries bring it up.
    let mut pairs: BTreeMap<(&str, &str), (usize, f64, &Trial, &Event)> = BTreeMap::new();
    for trial in trials {
        let exposure = Exposure::new(trial.seconds, trial.hours);
        for event in events(trial) {
            let probability = chance.probability(event.evidence, exposure);
            if probability > limit {
                continue;
            }
            let new = (0, probability, trial, event);
            let pair = (work_of(trial), event.reference.as_str());
            let known = pairs.entry(pair).or_insert(new);
            known.0 += 1;
            if probability < known.1 {
                *known = (known.0, probability, trial, event);
            }
        }
    }
    if pairs.is_empty() {
        writeln!(text, "nobody.")?;
    }
    for ((_, reference), (count, probability, trial, event)) in pairs {
        let (start, end) = event.stretch;
        let from = trial.window.map_or(0.0, |window| window.0);
        writeln!(
            text,
            "- `{}`, {:.1} to {:.1} s: `{reference}`, {count} times, at most evidence {:.1}, \
             probability {probability:.1e}: {}",
            trial.query,
            from + start,
            from + end,
            event.evidence,
            event.cause
        )?;
    }
    Ok(())
}
