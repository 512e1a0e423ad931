//! `likeness plan`.

use crate::Outcome;
use crate::args::{Format, Plan as Args};
use crate::output::{self, Cell};
use anyhow::{Context, anyhow};
use likeness::plan::{Constants, Demand, Plan, Prices};
use serde_json::json;
use std::path::Path;

/// Reckons what a catalogue and its traffic need.
pub(crate) fn plan(args: &Args) -> anyhow::Result<Outcome> {
    let constants = match &args.constants {
        Some(path) => {
            Constants::parse(&read(path)?).map_err(|what| anyhow!("{}: {what}", path.display()))?
        }
        None => Constants::own().map_err(|what| anyhow!(what))?,
    };
    let prices: Option<Prices> = match &args.prices {
        Some(path) => Some(
            Prices::parse(&read(path)?).map_err(|what| anyhow!("{}: {what}", path.display()))?,
        ),
        None => None,
    };
    let demand = Demand {
        audio_hours: args.audio_hours,
        video_hours: args.video_hours,
        uploads_per_day: args.uploads_per_day,
        seconds_per_upload: args.seconds_per_upload,
        with_picture: args.uploads_with_picture,
        ingest_days: args.ingest_days,
        peak: args.peak,
        replicas: args.replicas,
        found: args.found,
    };
    let plan = Plan::new(&demand, &constants, prices.as_ref());
    let rows = plan.lines.iter().map(|line| {
        vec![
            Cell::new(json!(line.what), line.what.replace('_', " ")),
            Cell::new(json!(line.amount), figure(line.amount)),
            Cell::same(json!(line.unit)),
            Cell::same(json!(line.formula)),
        ]
    });
    let names = ["what", "amount", "unit", "formula"];
    output::records(args.output.format, std::io::stdout(), &names, rows)?;
    if args.output.format == Format::Table {
        println!(
            "Costs measured {} on {} ({}).",
            constants.date, constants.machine, constants.command
        );
        println!("What was measured, and where a plan would break: docs/scale.md.");
    }
    Ok(Outcome::Done)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// A number for people: no more digits than it has.
fn figure(amount: f64) -> String {
    match amount.abs() {
        n if n >= 1e15 => format!("{amount:.3e}"),
        n if n >= 100.0 => format!("{amount:.0}"),
        n if n >= 1.0 => format!("{amount:.1}"),
        _ => format!("{amount:.3}"),
    }
}
