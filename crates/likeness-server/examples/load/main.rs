//! What the service costs and how fast it is, measured on real media:
//!
//! ```sh
//! cargo build --release -p likeness-server
//! cargo run --release -p likeness-server --example load -- --media DIR queries
//! cargo run --release -p likeness-server --example load -- --media DIR fingerprints
//! cargo run --release -p likeness-server --example load -- --media DIR live
//! ```
//!
//! References are taken from the directory, queries are cut from them with FFmpeg. The server is a
//! process of its own with default settings, reached over the loopback interface.

// Nobody catches errors of a measurement.
#![allow(clippy::unwrap_used)]

mod fingerprints;
mod live;
mod process;
mod queries;
mod stage;

use clap::{Parser, Subcommand};
use stage::Stage;
use std::path::PathBuf;

/// Measures the service.
#[derive(Debug, Parser)]
struct Args {
    /// Where media lie; searched recursively.
    #[arg(long, default_value = "datasets/media")]
    media: PathBuf,
    /// How many files of sound are references.
    #[arg(long, default_value_t = 40)]
    songs: usize,
    /// How many films are references.
    #[arg(long, default_value_t = 9)]
    films: usize,
    /// The program that serves; by default the one beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Clients that send queries of 15 s one after another: time and processor time per query, the
    /// latter beside what the bare engine takes for the same files.
    Queries {
        /// How many clients.
        #[arg(long, default_value_t = 32)]
        clients: usize,
        /// How long, seconds, for sound and for films each.
        #[arg(long, default_value_t = 180)]
        seconds: u64,
    },
    /// Fingerprints, one after another: the server's memory as their number grows.
    Fingerprints {
        /// How many.
        #[arg(long, default_value_t = 20_000)]
        count: usize,
    },
    /// Copies in streams that come as fast as they play: when they are told of.
    Live {
        /// How many streams of sound.
        #[arg(long, default_value_t = 8)]
        songs: usize,
        /// How many of film.
        #[arg(long, default_value_t = 8)]
        films: usize,
        /// How many of film at a time.
        #[arg(long, default_value_t = 2)]
        side_by_side: usize,
    },
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let stage = Stage::set(&args.media, args.songs, args.films, args.program);
    println!(
        "{} references of sound, {} films, {} processors",
        stage.songs.len(),
        stage.films.len(),
        std::thread::available_parallelism().unwrap()
    );
    match args.measurement {
        Measurement::Queries { clients, seconds } => {
            let kinds = [("sound", &stage.songs), ("film", &stage.films)];
            for (name, works) in kinds.into_iter().filter(|(_, works)| !works.is_empty()) {
                queries::measure(&stage, name, works, clients, seconds).await;
            }
        }
        Measurement::Fingerprints { count } => fingerprints::measure(&stage, count).await,
        Measurement::Live {
            songs,
            films,
            side_by_side,
        } => {
            live::measure(&stage, "sound", &stage.songs, (songs, songs)).await;
            live::measure(&stage, "film", &stage.films, (films, side_by_side)).await;
        }
    }
}
