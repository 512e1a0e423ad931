//! The benchmark harness: corpus, distortions, matching, metrics, report.

mod corpus;
mod make;
mod report;
mod run;
mod score;
mod stats;
mod suite;
mod truth;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use corpus::{Split, Work};
use make::Cast;
use report::Results;
use std::path::{Path, PathBuf};
use suite::Suite;

/// Measures likeness on real media under synthetic disguises.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a suite's queries and their truth.
    Make(Setting),
    /// Adds a suite's references, matches its queries (made first when they are not there), scores
    /// and reports.
    Run {
        #[command(flatten)]
        setting: Setting,
        /// Keep the library of an earlier run, when references and extractors are the same.
        #[arg(long)]
        reuse: bool,
        /// Only rows whose name contains this; may be repeated.
        #[arg(long)]
        only: Vec<String>,
    },
    /// Scores a report (JSON Lines in the project's format, anybody's) against a truth.
    Score {
        /// The truth that `make` wrote.
        truth: PathBuf,
        /// The report.
        report: PathBuf,
    },
    /// Writes report.md, report.csv and report.html again from a run's results.json.
    Report {
        /// The folder of the run.
        folder: PathBuf,
    },
    /// Assigns splits and roles in the manifest.
    Assign {
        /// The manifest to rewrite.
        #[arg(long, default_value = "datasets/corpus.tsv")]
        manifest: PathBuf,
    },
}

/// What a suite is made from.
#[derive(Debug, Clone, Args)]
struct Setting {
    /// A built-in suite's name, or a TOML file.
    #[arg(long, default_value = "main")]
    suite: String,
    /// Works of this split only.
    #[arg(long)]
    split: Option<Split>,
    /// The manifest of works.
    #[arg(long, default_value = "datasets/corpus.tsv")]
    manifest: PathBuf,
    /// Where their files are.
    #[arg(long, default_value = "datasets/media")]
    media: PathBuf,
    /// Where results go.
    #[arg(long, default_value = "bench-out")]
    out: PathBuf,
    /// Files worked on at a time.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
}

impl Setting {
    /// The suite's own folder.
    fn folder(&self, suite: &Suite) -> PathBuf {
        match self.split {
            None => self.out.join(&suite.name),
            Some(split) => self
                .out
                .join(format!("{}-{split:?}", suite.name).to_lowercase()),
        }
    }
}

impl Setting {
    /// The suite, its works and its folder.
    fn prepare(&self) -> Result<(Suite, Vec<Work>, PathBuf)> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.jobs)
            .build_global()?;
        let suite = Suite::load(&self.suite)?;
        let works = corpus::load(&self.manifest)?;
        let folder = self.folder(&suite);
        Ok((suite, works, folder))
    }

    fn make(&self) -> Result<()> {
        let (suite, works, folder) = self.prepare()?;
        let cast = Cast::draw(&works, &suite, self.split, &self.media)?;
        let queries = make::make(&suite, &cast, &self.media, &folder)?;
        eprintln!("{} queries in {}", queries.len(), folder.display());
        Ok(())
    }

    fn run(&self, reuse: bool, only: &[String]) -> Result<Results> {
        let (suite, works, folder) = self.prepare()?;
        let cast = Cast::draw(&works, &suite, self.split, &self.media)?;
        let truth = folder.join("truth.jsonl");
        let mut queries = if truth.is_file() {
            truth::load(&truth)?
        } else {
            make::make(&suite, &cast, &self.media, &folder)?
        };
        let wanted = |row: &str| only.is_empty() || only.iter().any(|part| row.contains(part));
        queries.retain(|query| wanted(&query.row));
        let options = run::Options {
            jobs: self.jobs,
            reuse,
        };
        let (reports, costs) =
            run::run(&cast.references, &queries, &self.media, &folder, &options)?;
        let results = Results {
            suite,
            split: self.split.map_or("all".to_owned(), |split| {
                format!("{split:?}").to_lowercase()
            }),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: report::machine(),
            costs: Some(costs),
            scores: score::score(&queries, &reports),
        };
        report::write(&results, &folder)?;
        Ok(results)
    }
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Make(setting) => setting.make()?,
        Command::Run {
            setting,
            reuse,
            only,
        } => {
            print!("{}", report::markdown(&setting.run(reuse, &only)?));
        }
        Command::Score { truth, report } => {
            let scores = score::score(&truth::load(&truth)?, &truth::load(&report)?);
            println!("{}", serde_json::to_string_pretty(&scores)?);
        }
        Command::Report { folder } => {
            report::write(&read_results(&folder)?, &folder)?;
        }
        Command::Assign { manifest } => {
            let mut works = corpus::load(&manifest)?;
            corpus::assign(&mut works);
            corpus::save(&manifest, &works)?;
        }
    }
    Ok(())
}

fn read_results(folder: &Path) -> Result<Results> {
    let path = folder.join("results.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}
