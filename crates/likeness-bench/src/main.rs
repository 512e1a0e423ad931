//! The benchmark harness: corpus, distortions, matching, metrics, report.

mod corpus;
mod make;
mod suite;
mod truth;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use corpus::Split;
use make::Cast;
use std::path::PathBuf;
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

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Make(setting) => {
            rayon::ThreadPoolBuilder::new()
                .num_threads(setting.jobs)
                .build_global()?;
            let suite = Suite::load(&setting.suite)?;
            let works = corpus::load(&setting.manifest)?;
            let cast = Cast::draw(&works, &suite, setting.split, &setting.media)?;
            let queries = make::make(&suite, &cast, &setting.media, &setting.folder(&suite))?;
            eprintln!(
                "{} queries in {}",
                queries.len(),
                setting.folder(&suite).display()
            );
        }
        Command::Assign { manifest } => {
            let mut works = corpus::load(&manifest)?;
            corpus::assign(&mut works);
            corpus::save(&manifest, &works)?;
        }
    }
    Ok(())
}
