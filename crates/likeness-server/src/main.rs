//! The matching service as a program of its own; `likeness serve` is the same.

use clap::Parser;
use likeness_server::{Args, become_worker_if_asked, run};
use std::process::ExitCode;

/// Serves matching and references over gRPC.
#[derive(Debug, Parser)]
#[command(name = "likeness-server", version)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    if let Some(status) = become_worker_if_asked() {
        return status;
    }
    match run(&Cli::parse().args, &|_| None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("likeness-server: {error}");
            ExitCode::from(2)
        }
    }
}
