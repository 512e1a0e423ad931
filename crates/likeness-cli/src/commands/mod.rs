//! What the commands do.

mod add;
mod evidence;
mod exclude;
mod fingerprint;
mod library;
mod matching;
mod merge;
mod overlaps;
mod overwrite;
mod place;
mod plan;
mod shell;

use crate::Outcome;
use crate::args::{Analysis, Cli, Command};
use crate::progress::beside_bars;
use crate::text;
use likeness::ExtractOptions;
use std::fmt::Display;
use std::num::NonZero;

/// Carries a command out. An error is one that stopped it; others have been told.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let quiet = cli.verbosity.quiet;
    match cli.command {
        Command::Add(args) => add::add(&args, quiet),
        Command::Match(args) => matching::match_files(&args, quiet),
        Command::Compare(args) => matching::compare(&args, quiet),
        Command::Fingerprint(args) => fingerprint::fingerprint(&args, quiet),
        Command::List(args) => library::list(&args),
        Command::Remove(args) => library::remove(&args, quiet),
        Command::Overlaps(args) => overlaps::overlaps(&args, quiet),
        Command::Exclude(args) => exclude::exclude(&args, quiet),
        Command::Info(args) => library::info(&args),
        Command::Verify(args) => library::verify(&args, quiet),
        Command::Compact(args) => library::compact(&args, quiet),
        Command::Merge(args) => merge::merge(&args, quiet),
        Command::Serve(args) => {
            likeness_server::run(&args, &|address| place::store(address, false))?;
            Ok(Outcome::Done)
        }
        Command::Store(args) => place::prepare(&args, quiet),
        Command::Plan(args) => plan::plan(&args),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { directory } => shell::man(directory.as_deref()),
    }
}

/// Tells of an error that stops nothing.
fn complain(error: impl Display) {
    let message = error.to_string();
    beside_bars(|| eprintln!("likeness: {}", text::printable(&message)));
}

impl Analysis {
    /// Files worked on at a time, and threads: what the user asked for, or one per processor.
    fn jobs(&self) -> usize {
        match self.jobs {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            jobs => jobs,
        }
    }

    /// Options for a batch of `files`: where there are fewer than threads, decoders share them.
    fn extract(&self, files: usize) -> ExtractOptions {
        ExtractOptions {
            audio: !self.no_audio,
            video: !self.no_video,
            decoder_threads: (self.jobs() / files.max(1)).max(1),
            ..ExtractOptions::default()
        }
    }

    /// Sets the number of threads that everything shares.
    fn share_threads(&self) -> anyhow::Result<()> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.jobs());
        Ok(pool.build_global()?)
    }
}
