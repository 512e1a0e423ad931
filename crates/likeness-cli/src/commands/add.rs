//! `likeness add`.

use super::complain;
use crate::Outcome;
use crate::args::Add;
use crate::progress::{Progress, beside_bars};
use crate::text;
use anyhow::Context;
use likeness::{AddEvent, AddOptions, AddSummary, Input, LibraryWriter, collect_inputs};
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Adds files to a library, and reports each on standard output once it is durable there.
pub(crate) fn add(args: &Add, quiet: bool) -> anyhow::Result<Outcome> {
    let collected = collect_inputs(&args.paths);
    collected.errors.iter().for_each(complain);
    let mut inputs = collected.inputs;
    if inputs.is_empty() {
        return Ok(Outcome::Failures);
    }
    if let Some(shard) = &args.shard {
        inputs.retain(|input| shard.holds(&input.identifier));
    }
    args.analysis.share_threads()?;
    let mut writer = LibraryWriter::open_at(&*args.library.place()?, true)?;
    let options = AddOptions {
        jobs: args.analysis.jobs(),
        extract: args.analysis.extract(inputs.len()),
        allow_truncated: args.allow_truncated,
    };
    let progress = Progress::new(inputs.iter().map(|input| input.path.as_path()), quiet);
    let untold = OnceLock::new();
    let summary = writer.add(&inputs, &options, &|event| {
        if let Err(error) = show(&event, &inputs, &progress) {
            let _ = untold.set(error);
        }
    })?;
    progress.close(&sum_up(&summary));
    if let Some(error) = untold.into_inner() {
        return Err(error).context("not everything that was added could be told");
    }
    match summary.failed == 0 && collected.errors.is_empty() {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::Failures),
    }
}

fn show(event: &AddEvent<'_>, inputs: &[Input], progress: &Progress) -> io::Result<()> {
    match *event {
        AddEvent::Started { input, duration } => progress.advance(input, 0.0, duration),
        AddEvent::Progress { input, seconds } => progress.advance(input, seconds, None),
        AddEvent::Added {
            input, replaced, ..
        } => {
            let verb = if replaced { "replaced" } else { "added" };
            progress.finish(input, verb);
            return tell(verb, &inputs[input].identifier);
        }
        AddEvent::AlreadyThere { input, identifier } => {
            progress.finish(input, &format!("in the library already, as {identifier}"));
        }
        AddEvent::Skipped { input, reason } => {
            progress.finish(input, &format!("left out: {reason}"));
        }
        AddEvent::Failed { input, error } => {
            complain(error);
            progress.finish(input, "failed");
        }
    }
    Ok(())
}

/// One line on standard output. Nobody reading it is no error.
fn tell(verb: &str, identifier: &str) -> io::Result<()> {
    let told = beside_bars(|| {
        let mut out = io::stdout().lock();
        writeln!(out, "{verb} {}", text::printable(identifier)).and_then(|()| out.flush())
    });
    match told {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

fn sum_up(summary: &AddSummary) -> String {
    let mut parts = vec![format!("{} added", summary.added)];
    let others = [
        (summary.replaced, "of them replaced"),
        (summary.already_there, "in the library already"),
        (summary.skipped, "left out"),
        (summary.failed, "failed"),
    ];
    for (count, words) in others {
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    if summary.duration > 0.0 {
        parts.push(format!("{} of references", text::time(summary.duration)));
    }
    parts.join(", ")
}
