//! Runs other fingerprinting programs on the queries and references of a benchmark run and writes
//! what they find in the project's report format, for `likeness-bench score`.

mod bench;
mod chromaprint;
mod sound;

use anyhow::Result;
use bench::{Bench, Found};
use clap::{Parser, Subcommand, ValueEnum};
use likeness_core::report::Media;
use std::path::PathBuf;
use std::time::Instant;

/// Runs other fingerprinting programs on a benchmark's queries.
#[derive(Debug, Parser)]
struct Cli {
    /// The folder of the benchmark run: queries/, truth.jsonl and references.txt.
    run: PathBuf,
    /// Where the references' files are.
    #[arg(long, default_value = "datasets/media")]
    media: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs rivals and writes RUN/rivals/NAME.jsonl for each.
    Run {
        /// The rivals to run.
        #[arg(required = true)]
        rivals: Vec<Rival>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rival {
    /// Chromaprint's command-line tool; every alignment tried.
    Fpcalc,
    /// The port to Rust with its own matcher.
    RustyChromaprint,
}

impl Rival {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn find(self, bench: &Bench) -> Result<Vec<Vec<Found>>> {
        match self {
            Rival::Fpcalc => chromaprint::fpcalc(bench),
            Rival::RustyChromaprint => chromaprint::rusty(bench),
        }
    }

    fn version(self) -> Result<String> {
        match self {
            Rival::Fpcalc => sound::first_line("fpcalc", "-version"),
            Rival::RustyChromaprint => Ok("rusty-chromaprint 0.3.0, preset_test2".to_owned()),
        }
    }
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let Command::Run { rivals } = cli.command;
    let bench = Bench::load(&cli.run, &cli.media, Media::Audio)?;
    for rival in rivals {
        let start = Instant::now();
        let found = rival.find(&bench)?;
        let threshold = bench.write(&rival.name(), &found)?;
        println!(
            "{}\t{}\tthreshold {threshold:.4}\t{:.0} s",
            rival.name(),
            rival.version()?,
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
