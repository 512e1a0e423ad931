//! The command line, as the user types it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

const EXIT_STATUS: &str = "\
Exit status: 0 something matched, or the command did its work; 1 nothing matched; 2 an error \
(a batch reports every bad file, finishes the others and then ends in 2).";

const EXAMPLES: &str = "\
Examples:
  likeness add ~/references            fingerprint everything below a directory
  likeness match ~/uploads             which uploads are copies of what, how disguised, and where
  likeness match --format jsonl *.mp4  the same for programs, one line per query
  likeness compare upload.mp4 film.mkv two files, no library";

/// Finds copies of sound and video, however disguised.
#[derive(Debug, Parser)]
#[command(name = "likeness", version, after_help = EXAMPLES, after_long_help = help_end())]
#[command(propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    #[command(subcommand)]
    pub(crate) command: Command,
}

fn help_end() -> String {
    format!("{EXAMPLES}\n\n{EXIT_STATUS}")
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Verbosity {
    /// Print results and errors only: no progress, no summaries.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more of what is done; twice for details of the engine.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fingerprint files and directories into the library.
    ///
    /// Directories are searched recursively, and symbolic links to files are followed. A
    /// reference is known by its path relative to the directory named, or by its file name.
    /// Content that is there already is not added again.
    Add(Add),
    /// Find what files show of the library's references.
    Match(Match),
    /// Find what one file shows of another, without a library.
    Compare(Compare),
    /// Write a portable fingerprint, to be used wherever media files are.
    Fingerprint(Fingerprint),
    /// List the library's references.
    List(List),
    /// Remove references from the library.
    Remove(Remove),
    /// Show what the library holds.
    Info(Info),
    /// Check every file of the library.
    Verify(Verify),
    /// Give the space of removed references back.
    Compact(Compact),
    /// Serve matching and references over gRPC, until SIGTERM.
    ///
    /// $LIKENESS_LOG sets the level of its log; the other options for that do not apply.
    Serve(likeness_server::Args),
    /// Print a shell's completion script.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, or write all pages into a directory.
    Man {
        /// Where to write the pages.
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct LibraryPath {
    /// The library's directory.
    #[arg(
        short = 'l',
        long = "library",
        value_name = "DIR",
        env = "LIKENESS_LIBRARY",
        hide_env_values = true,
        default_value = "./likeness-library"
    )]
    pub(crate) path: PathBuf,
}

/// More threads than this only wait for each other.
const MOST_JOBS: usize = 512;

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs) if jobs <= MOST_JOBS => Ok(jobs),
        _ => Err(format!("not a number from 0 to {MOST_JOBS}")),
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Analysis {
    /// Do not look at the sound.
    #[arg(long, conflicts_with = "no_video")]
    pub(crate) no_audio: bool,
    /// Do not look at the picture.
    #[arg(long)]
    pub(crate) no_video: bool,
    /// How many files to work on at a time, and threads to use; 0 means one per processor.
    #[arg(short, long, value_name = "N", default_value_t = 0, value_parser = jobs)]
    pub(crate) jobs: usize,
}

/// By what copies of sound are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Channel {
    /// Triplets of spectral peaks.
    Landmarks,
    /// Pitch classes over some seconds, by nearest neighbours; slower.
    Chroma,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// By what copies of sound are looked for; several separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Channel::Landmarks])]
    pub(crate) channels: Vec<Channel>,
    /// Matches of sound that chance gives with a larger probability, for the library's size and
    /// the query's length, are not reported.
    #[arg(long, value_name = "P", default_value_t = 1e-6, value_parser = probability)]
    pub(crate) max_false_positive_probability: f64,
}

/// A number between 0 and 1, both excluded.
fn probability(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match value > 0.0 && value < 1.0 {
        true => Ok(value),
        false => Err("must lie between 0 and 1".to_owned()),
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// How to write the results.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Media files, fingerprint files and directories of them.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) library: LibraryPath,
    #[command(flatten)]
    pub(crate) analysis: Analysis,
    /// Add what could be read of files that break off or are damaged.
    #[arg(long)]
    pub(crate) allow_truncated: bool,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Match {
    /// Media files, fingerprint files and directories of them.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) library: LibraryPath,
    #[command(flatten)]
    pub(crate) search: Search,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) analysis: Analysis,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Compare {
    /// What may be a copy.
    pub(crate) query: PathBuf,
    /// What it may be a copy of.
    pub(crate) reference: PathBuf,
    #[command(flatten)]
    pub(crate) search: Search,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) analysis: Analysis,
}

#[derive(Debug, Args)]
pub(crate) struct Fingerprint {
    /// The media file.
    pub(crate) file: PathBuf,
    /// The fingerprint file to write.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) analysis: Analysis,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) library: LibraryPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Identifiers, as `likeness list` shows them.
    #[arg(required = true, value_name = "IDENTIFIER")]
    pub(crate) identifiers: Vec<String>,
    #[command(flatten)]
    pub(crate) library: LibraryPath,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) library: LibraryPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) library: LibraryPath,
}

#[derive(Debug, Args)]
pub(crate) struct Compact {
    #[command(flatten)]
    pub(crate) library: LibraryPath,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn probabilities_lie_between_nothing_and_certainty() {
        let check = |text: &str, want: Option<f64>| assert_eq!(probability(text).ok(), want);
        check("1e-6", Some(1e-6));
        check("0.5", Some(0.5));
        for text in ["0", "1", "-1", "2", "NaN", "inf", "little", ""] {
            check(text, None);
        }
    }
}
