//! `likeness merge`.

use super::complain;
use crate::Outcome;
use crate::args::Merge;
use crate::text;
use likeness::{LibraryError, LibraryWriter, MergeEvent, MergeSource};
use std::io::Write;
use std::path::Path;

/// Copies the references of other libraries into one.
pub(crate) fn merge(args: &Merge, quiet: bool) -> anyhow::Result<Outcome> {
    // First the others: no library is made when there is nothing to put into it.
    let mut outcome = Outcome::Done;
    let mut sources = Vec::new();
    for other in &args.others {
        match open(other, args.salvage, &mut outcome) {
            Ok(source) => sources.push((other, source)),
            Err(error) => {
                complain(error);
                outcome = Outcome::Failures;
            }
        }
    }
    if sources.is_empty() {
        return Ok(outcome);
    }
    let mut writer = LibraryWriter::open_at(&*args.library.place()?, true)?;
    for (other, source) in sources {
        let (mut added, mut replaced, mut there) = (0, 0, 0);
        let merged = writer.merge(
            &source,
            args.replace,
            &mut |identifier, event| match event {
                MergeEvent::Added => added += 1,
                MergeEvent::Replaced => replaced += 1,
                MergeEvent::AlreadyThere => there += 1,
                MergeEvent::Conflict => {
                    let other = other.display();
                    complain(format!(
                        "{other}: {identifier} is other content in the library; left out"
                    ));
                    outcome = Outcome::Failures;
                }
            },
        );
        if let Err(error) = merged {
            complain(error);
            outcome = Outcome::Failures;
        }
        if !quiet {
            let name = other.display().to_string();
            writeln!(
                std::io::stdout(),
                "{}: {added} added, {replaced} replaced, {there} in the library already",
                text::printable(&name)
            )?;
        }
    }
    Ok(outcome)
}

/// A library to copy from; with `salvage` what is sound of it.
fn open(other: &Path, salvage: bool, outcome: &mut Outcome) -> Result<MergeSource, LibraryError> {
    if !salvage {
        return MergeSource::open(other);
    }
    let (source, lost) = MergeSource::salvage(other)?;
    for file in lost {
        let references = text::count(file.references as usize, "reference", "references");
        complain(format!("{}; {references} in it left out", file.error));
        *outcome = Outcome::Failures;
    }
    Ok(source)
}
