//! `likeness list`, `remove`, `info`, `verify` and `compact`.

use super::complain;
use crate::Outcome;
use crate::args::{Compact, Info, List, Remove, Verify};
use crate::output::{self, Cell};
use crate::text;
use likeness::core::StreamState;
use likeness::{Library, LibraryWriter, ReferenceInfo, Stats};
use serde_json::json;
use std::io::Write;

/// Lists the references.
pub(crate) fn list(args: &List) -> anyhow::Result<Outcome> {
    let library = Library::browse_at(&*args.library.place()?)?;
    output::records(
        args.output.format,
        std::io::stdout(),
        &[
            "identifier",
            "duration",
            "audio",
            "video",
            "bytes",
            "added",
            "content",
        ],
        library
            .references()
            .map(|reference| reference_cells(&reference)),
    )?;
    Ok(Outcome::Done)
}

fn reference_cells(reference: &ReferenceInfo) -> Vec<Cell> {
    let content = text::hex(&reference.content);
    let (audio, video) = (
        state(&reference.audio, "silent"),
        state(&reference.video, "blank"),
    );
    let bytes = reference.bytes();
    vec![
        Cell::same(json!(reference.identifier)),
        Cell::new(json!(reference.duration), text::time(reference.duration)),
        Cell::new(json!(audio), audio.replace('_', " ")),
        Cell::new(json!(video), video.replace('_', " ")),
        Cell::new(json!(bytes), text::bytes(bytes)),
        Cell::new(json!(reference.added), text::date(reference.added)),
        Cell::new(json!(content), content[..12].to_owned()),
    ]
}

/// A stream's state, in the report format's words.
pub(super) fn state<F>(state: &StreamState<F>, empty: &'static str) -> &'static str {
    match state {
        StreamState::Analysed(_) => "analysed",
        StreamState::Absent => "absent",
        StreamState::Empty => empty,
        StreamState::TooShort => "too_short",
        StreamState::Undecodable => "undecodable",
        StreamState::Skipped => "skipped",
    }
}

/// Shows what a library holds.
pub(crate) fn info(args: &Info) -> anyhow::Result<Outcome> {
    let stats = Library::browse_at(&*args.library.place()?)?.stats();
    output::record(args.output.format, std::io::stdout(), &stats_cells(&stats))?;
    Ok(Outcome::Done)
}

fn stats_cells(stats: &Stats) -> Vec<(&'static str, Cell)> {
    let number = |n: u64| Cell::same(json!(n));
    let seconds = |s: f64| Cell::new(json!(s), text::time(s));
    let size = |n: u64| Cell::new(json!(n), text::bytes(n));
    vec![
        ("references", number(stats.references as u64)),
        ("removed", number(stats.removed as u64)),
        ("duration", seconds(stats.duration)),
        ("audio_duration", seconds(stats.audio_duration)),
        ("video_duration", seconds(stats.video_duration)),
        ("audio_postings", number(stats.audio_postings)),
        ("video_postings", number(stats.video_postings)),
        ("fingerprint_bytes", size(stats.fingerprint_bytes)),
        ("file_bytes", size(stats.file_bytes)),
        ("files", number(stats.files as u64)),
        ("generation", number(stats.generation)),
        ("format_version", number(u64::from(stats.format_version))),
    ]
}

/// Removes references.
pub(crate) fn remove(args: &Remove, quiet: bool) -> anyhow::Result<Outcome> {
    let mut writer = LibraryWriter::open_at(&*args.library.place()?, false)?;
    let identifiers: Vec<&str> = args.identifiers.iter().map(String::as_str).collect();
    let removed = writer.remove(&identifiers)?;
    let mut outcome = Outcome::Done;
    for identifier in &args.identifiers {
        if !removed.contains(identifier) {
            complain(format!("{identifier}: not in the library"));
            outcome = Outcome::Failures;
        } else if !quiet {
            writeln!(std::io::stdout(), "removed {}", text::printable(identifier))?;
        }
    }
    Ok(outcome)
}

/// Checks every file of a library.
pub(crate) fn verify(args: &Verify, quiet: bool) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Done;
    for check in args.library.place()?.verify()? {
        let state = match &check.error {
            None => "ok",
            Some(error) => {
                complain(error);
                outcome = Outcome::Failures;
                "bad"
            }
        };
        if !quiet {
            let (path, size) = (check.path.display(), text::bytes(check.bytes));
            writeln!(std::io::stdout(), "{state:3} {path} ({size})")?;
        }
    }
    Ok(outcome)
}

/// Gives the space of removed references back.
pub(crate) fn compact(args: &Compact, quiet: bool) -> anyhow::Result<Outcome> {
    let place = args.library.place()?;
    let size = || Library::browse_at(&*place).map(|library| library.stats().file_bytes);
    let before = size()?;
    LibraryWriter::open_at(&*place, false)?.compact()?;
    if !quiet {
        let (before, after) = (text::bytes(before), text::bytes(size()?));
        writeln!(std::io::stdout(), "{before} before, {after} after")?;
    }
    Ok(Outcome::Done)
}
