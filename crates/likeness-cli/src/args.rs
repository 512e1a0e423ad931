//! The command line, as the user types it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use likeness::Shard;
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
    /// Write portable fingerprints, to be used wherever media files are.
    ///
    /// One file's with -o. Many files' with --out, each under its file's identifier, so that `add`
    /// takes the directory in place of the media: whole or not at all, and those that are there
    /// already are kept. --shard and --stdin spread the work over machines.
    Fingerprint(Fingerprint),
    /// List the library's references.
    List(List),
    /// Remove references from the library.
    Remove(Remove),
    /// List references that share content: loops, remasters, stock film, library music.
    ///
    /// What the library keeps of each is looked up among all others. Times are as if the first
    /// were an upload.
    Overlaps(Overlaps),
    /// Keep stretches of references from making matches: shared loops, library music, title cards.
    ///
    /// What is excluded of a reference is not looked at when files are matched: alone it makes no
    /// match, and of one that reaches beyond it only the rest is reported and counts.
    Exclude(Exclude),
    /// Show what the library holds.
    Info(Info),
    /// Check every file of the library.
    Verify(Verify),
    /// Give the space of removed references back.
    Compact(Compact),
    /// Set up a store that other engines run.
    #[command(subcommand)]
    Store(Store),
    /// Tell what a catalogue would need: cores, memory, disk, shards and money, from measured costs.
    Plan(Plan),
    /// Copy the references of other libraries into the library.
    ///
    /// Each library is copied whole or not at all. Content that is there already is left as it is.
    /// A name that stands for other content is an error, and that reference stays out, unless
    /// --replace is given.
    Merge(Merge),
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
    /// The library's directory, or its store: clickhouse://HOST:PORT/DATABASE.
    #[arg(
        short = 'l',
        long = "library",
        visible_alias = "store",
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
    /// Matches that chance gives with a larger probability, for the library's size and the query's
    /// length, are not reported.
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

/// A page for people.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Also write an HTML page that shows and plays what speaks for each match.
    ///
    /// One file that needs no network and no script. The media files are read once more for it.
    #[arg(long = "report", value_name = "FILE.html")]
    pub(crate) page: Option<PathBuf>,
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
    /// Only part I (from 0) of N: which part a file is in follows from its identifier alone.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Match {
    /// Media files, fingerprint files and directories of them.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// When a part of a store does not answer, search the rest: such reports are errors of the code
    /// "partial". Otherwise they hold no matches.
    #[arg(long)]
    pub(crate) allow_partial: bool,
    #[command(flatten)]
    pub(crate) library: LibraryPath,
    #[command(flatten)]
    pub(crate) search: Search,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) report: Report,
    /// Where the references' media files lie, for the report: the directory that was added.
    #[arg(long, value_name = "DIR", requires = "page")]
    pub(crate) references: Vec<PathBuf>,
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
    pub(crate) report: Report,
    #[command(flatten)]
    pub(crate) analysis: Analysis,
}

/// How what was fingerprinted is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Told {
    /// A line for each file that was written.
    Text,
    /// One JSON object a line for each file, errors too; with the fingerprint itself in base64
    /// where there is no --out.
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct Fingerprint {
    /// Media files and directories of them.
    #[arg(required_unless_present = "stdin", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take paths from standard input, one a line, as they come. A bad file is a record like all
    /// others: the exit status tells only of what stopped the whole.
    #[arg(long, conflicts_with = "paths")]
    pub(crate) stdin: bool,
    /// The fingerprint file to write, of the one media file.
    #[arg(short, long, value_name = "OUT", conflicts_with_all = ["out", "stdin", "shard"])]
    pub(crate) output: Option<PathBuf>,
    /// The directory to write fingerprint files into.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Only part I (from 0) of N: which part a file is in follows from its identifier alone.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// How to tell what was done.
    #[arg(short, long, value_enum, default_value_t = Told::Text, conflicts_with = "output")]
    pub(crate) format: Told,
    /// Take what could be read of files that break off or are damaged.
    #[arg(long, conflicts_with = "output")]
    pub(crate) allow_truncated: bool,
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
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Overlaps {
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
pub(crate) struct Exclude {
    /// The reference, as `likeness list` shows it.
    #[arg(value_name = "REFERENCE", required_unless_present = "list")]
    pub(crate) reference: Option<String>,
    /// Where the stretch begins: seconds, or minutes and seconds as in 1:15.5.
    #[arg(value_parser = time, required_unless_present_any = ["list", "remove"])]
    pub(crate) start: Option<f64>,
    /// Where it ends.
    #[arg(value_parser = time, required_unless_present_any = ["list", "remove"], requires = "start")]
    pub(crate) end: Option<f64>,
    /// Take the exclusion of the stretch back; without a stretch, all of the reference's.
    #[arg(long, conflicts_with = "list")]
    pub(crate) remove: bool,
    /// List what is excluded.
    #[arg(long, conflicts_with = "reference")]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) library: LibraryPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Seconds from "75.5", "1:15.5" or "1:02:03".
fn time(text: &str) -> Result<f64, String> {
    let mut parts = text.split(':').enumerate();
    let seconds = parts.try_fold(0.0, |seconds, (number, part)| {
        let value: f64 = part.parse().ok()?;
        let below = if number == 0 { 1e9 } else { 60.0 };
        (0.0..below)
            .contains(&value)
            .then_some(seconds * 60.0 + value)
    });
    seconds
        .filter(|_| text.split(':').count() <= 3)
        .ok_or_else(|| "not a time such as 75.5 or 1:15.5".to_owned())
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

/// A catalogue and its traffic.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Hours of sound in the catalogue, that of its films included.
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(crate) audio_hours: f64,
    /// Hours of moving picture in the catalogue.
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(crate) video_hours: f64,
    /// Uploads to be matched on an average day.
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(crate) uploads_per_day: f64,
    /// How long an average upload is.
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(crate) seconds_per_upload: f64,
    /// Share of the uploads that have a picture.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 1.0)]
    pub(crate) uploads_with_picture: f64,
    /// Days in which the whole catalogue shall be fingerprinted.
    #[arg(long, value_name = "N", value_parser = days, default_value_t = 30.0)]
    pub(crate) ingest_days: f64,
    /// The busiest moment's uploads, as a multiple of the average.
    #[arg(long, value_name = "N", value_parser = amount, default_value_t = 3.0)]
    pub(crate) peak: f64,
    /// Copies of everything on disk and in memory.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) replicas: u32,
    /// Share of what a small library finds that every shard shall find: the larger, the smaller shards.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.9)]
    pub(crate) found: f64,
    /// Prices, for money: currency, core_month, memory_gib_month, disk_gb_month.
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) prices: Option<PathBuf>,
    /// Other measured constants than those that come with the program.
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) constants: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A finite number that is not negative.
fn amount(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match (0.0..=1e12).contains(&value) {
        true => Ok(value),
        false => Err("must lie between 0 and 1e12".to_owned()),
    }
}

/// A length of time in which something can be done.
fn days(text: &str) -> Result<f64, String> {
    amount(text).and_then(|value| match value > 0.0 {
        true => Ok(value),
        false => Err("must lie above 0".to_owned()),
    })
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    amount(text).and_then(|value| match value <= 1.0 {
        true => Ok(value),
        false => Err("must lie between 0 and 1".to_owned()),
    })
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Make the tables, or bring those of an older program up to date. May be repeated.
    Init {
        #[command(flatten)]
        library: LibraryPath,
        /// The cluster, as the servers' settings call it, over which the tables are spread; without it
        /// they are made on the one server.
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The other libraries' directories.
    #[arg(required = true, value_name = "LIBRARY")]
    pub(crate) others: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) library: LibraryPath,
    /// Where a name stands for other content, take the other library's.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Take what is sound of damaged libraries; tells which files are not.
    #[arg(long)]
    pub(crate) salvage: bool,
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
    fn times_are_seconds_or_minutes_and_seconds() {
        let check = |text: &str, want: Option<f64>| assert_eq!(time(text).ok(), want, "{text}");
        check("0", Some(0.0));
        check("75.5", Some(75.5));
        check("1:15.5", Some(75.5));
        check("90:00", Some(5400.0));
        check("1:02:03", Some(3723.0));
        for text in [
            "", "x", "-1", "1:-2", "1:75", "1:60:00", "1:2:3:4", "NaN", "inf", "1:x",
        ] {
            check(text, None);
        }
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
