//! Runs other fingerprinting programs on the queries and references of a benchmark run and writes
//! what they find in the project's report format, for `likeness-bench score`.

mod alignment;
mod audiofp;
mod bench;
mod chromaprint;
mod pictures;
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
    /// Measures what decoding the references costs FFmpeg's program, doing nothing with them.
    Decode,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rival {
    /// Chromaprint's command-line tool; every alignment tried.
    Fpcalc,
    /// The port to Rust with its own matcher.
    RustyChromaprint,
    /// Landmark pairs of the crate audiofp.
    AudiofpWang,
    /// Its tempo-invariant triplets.
    AudiofpPanako,
    /// Its signs of band energies.
    AudiofpHaitsma,
    /// PDQ of every frame; every alignment tried.
    Pdqhash,
    /// vPDQ, matched as it documents.
    Vpdq,
    /// FFmpeg's MPEG-7 video signature; every alignment tried.
    FfmpegSignature,
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
            Rival::AudiofpWang => audiofp::wang(bench),
            Rival::AudiofpPanako => audiofp::panako(bench),
            Rival::AudiofpHaitsma => audiofp::haitsma(bench),
            Rival::Pdqhash => pictures::pdq(bench),
            Rival::Vpdq => pictures::vpdq(bench),
            Rival::FfmpegSignature => pictures::signature(bench),
        }
    }

    fn media(self) -> Media {
        match self {
            Rival::Pdqhash | Rival::Vpdq | Rival::FfmpegSignature => Media::Video,
            _ => Media::Audio,
        }
    }

    fn version(self) -> Result<String> {
        match self {
            Rival::Fpcalc => sound::first_line("fpcalc", "-version"),
            Rival::RustyChromaprint => Ok("rusty-chromaprint 0.3.0, preset_test2".to_owned()),
            Rival::AudiofpWang | Rival::AudiofpPanako | Rival::AudiofpHaitsma => {
                Ok("audiofp 0.4.5".to_owned())
            }
            Rival::Pdqhash => pictures::python_version("pdqhash"),
            Rival::Vpdq => pictures::python_version("vpdq"),
            Rival::FfmpegSignature => sound::first_line("ffmpeg", "-version"),
        }
    }
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let load = |media| Bench::load(&cli.run, &cli.media, media);
    let rivals = match &cli.command {
        Command::Run { rivals } => rivals.clone(),
        Command::Decode => {
            for (media, what) in [(Media::Audio, "sound"), (Media::Video, "films")] {
                let paths = load(media)?.reference_paths();
                let cpu = sound::decoding(&paths)?;
                println!(
                    "ffmpeg -f null\t{what}: {} files\t{cpu:.1} s CPU",
                    paths.len()
                );
            }
            return Ok(());
        }
    };
    for rival in rivals {
        eprintln!("{}", rival.name());
        let bench = load(rival.media())?;
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
