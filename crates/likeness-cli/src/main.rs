//! The command-line program of likeness: results on standard output, progress and logs on
//! standard error, exit statuses as grep's.

mod args;
mod commands;
mod output;
mod progress;
mod text;

use args::{Cli, Command, Verbosity};
use clap::Parser;
use std::io::ErrorKind;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// How a command that could be carried out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Something matched, or the work is done.
    Done,
    /// Nothing matched.
    NothingFound,
    /// Some of the work failed, and the user was told.
    Failures,
}

fn main() -> ExitCode {
    // Uploads to the service are decoded by other processes of this program.
    if let Some(status) = likeness_server::become_worker_if_asked() {
        return status;
    }
    let cli = Cli::parse();
    // The service has a log of its own.
    if !matches!(cli.command, Command::Serve(_)) {
        log_to_stderr(cli.verbosity);
    }
    match commands::run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NothingFound) => ExitCode::from(1),
        Ok(Outcome::Failures) => ExitCode::from(2),
        // Whoever read the results has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("likeness: {}", text::printable(&told(&error)));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes, but for those that it tells itself.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match (told.is_empty(), told.contains(&cause)) {
            (true, _) => cause,
            (_, true) => told,
            _ => format!("{told}: {cause}"),
        }
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
    })
}

fn log_to_stderr(verbosity: Verbosity) {
    let level = match (verbosity.quiet, verbosity.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_env("LIKENESS_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},symphonia=error")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| progress::LogWriter)
        .without_time()
        .with_target(false)
        .init();
}
