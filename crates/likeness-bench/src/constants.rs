//! `constants`: what the planner reckons with, taken from runs that were made.

use crate::corpus::Kind;
use crate::costs::Costs;
use crate::report::Results;
use crate::scale::Point;
use anyhow::{Context, Result, anyhow, ensure};
use likeness::plan::{Constants, Medium, Size};
use std::path::{Path, PathBuf};

/// Of which runs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The folder of a `run`, with references and queries of both kinds: costs of decoding and adding.
    #[arg(long)]
    run: PathBuf,
    /// The folder of a `scale` of sound: costs of looking up, by size.
    #[arg(long)]
    sounds: PathBuf,
    /// The folder of a `scale` of pictures.
    #[arg(long)]
    pictures: PathBuf,
    /// When the runs were made.
    #[arg(long)]
    date: String,
    /// The file to write.
    #[arg(long, default_value = "crates/likeness/src/plan/constants.toml")]
    out: PathBuf,
}

/// Writes the constants.
pub(crate) fn constants(options: &Options, machine: &str) -> Result<()> {
    let results: Results = read(&options.run.join("results.json"))?;
    let costs = results.costs.as_ref();
    let costs =
        costs.with_context(|| format!("{}: it measured no costs", options.run.display()))?;
    let seconds = results.suite.seconds;
    let constants = Constants {
        date: options.date.clone(),
        machine: machine.to_owned(),
        command: "likeness-bench constants".to_owned(),
        audio: medium(
            costs,
            &[Kind::Music, Kind::Speech],
            "sound",
            seconds,
            &options.sounds,
        )?,
        video: medium(costs, &[Kind::Video], "picture", seconds, &options.pictures)?,
    };
    let text = constants.write().map_err(|what| anyhow!(what))?;
    // What cannot be read again is not written.
    Constants::parse(&text).map_err(|what| anyhow!(what))?;
    let head = "# What `likeness plan` reckons with. Written by `likeness-bench constants`; not to be edited.\n";
    std::fs::write(&options.out, format!("{head}{text}"))
        .with_context(|| format!("writing {}", options.out.display()))
}

fn medium(costs: &Costs, kinds: &[Kind], what: &str, seconds: f64, scale: &Path) -> Result<Medium> {
    let added = costs
        .adding
        .iter()
        .filter(|cost| kinds.contains(&cost.kind));
    let sums = added.fold((0.0, 0.0), |(cpu, hours), cost| {
        (cpu + cost.cpu, hours + cost.seconds / 3600.0)
    });
    ensure!(sums.1 > 0.0, "the run added no {what}");
    let matched = costs.matching.iter().find(|cost| cost.what == what);
    let matched = matched.with_context(|| format!("the run matched no {what}"))?;
    let points: Vec<Point> = read(&scale.join("scale.json"))?;
    Ok(Medium {
        ingest_cpu_s_per_hour: rounded(sums.0 / sums.1),
        extract_cpu_s_per_s: rounded(matched.extract_cpu / seconds),
        lookup_s: seconds,
        sizes: points.iter().map(size).collect(),
    })
}

fn size(point: &Point) -> Size {
    let (found, all) = point
        .rows
        .values()
        .fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    Size {
        hours: rounded(point.hours),
        postings: point.postings as f64,
        bytes: point.bytes as f64,
        resident: point.resident as f64,
        lookup_cpu_s: rounded(point.cpu[0]),
        found: rounded(found as f64 / f64::from(all.max(1) as u32)),
    }
}

/// Four digits: no measurement has more.
fn rounded(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_kept() {
        for (number, want) in [(0.0, 0.0), (123_456.0, 123_500.0), (0.012_345_6, 0.012_35)] {
            assert_eq!(rounded(number), want);
        }
    }
}
