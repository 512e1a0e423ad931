//! Completion scripts and manual pages, generated from the command line's definition.

use crate::Outcome;
use crate::args::Cli;
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;
use std::path::Path;

/// Prints `shell`'s completion script.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "likeness", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}

/// Prints the main manual page, or writes the pages of all commands into `directory`.
pub(crate) fn man(directory: Option<&Path>) -> anyhow::Result<Outcome> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        std::io::stdout().write_all(&page)?;
        return Ok(Outcome::Done);
    };
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .with_context(|| format!("{}: cannot write manual pages", directory.display()))?;
    Ok(Outcome::Done)
}
