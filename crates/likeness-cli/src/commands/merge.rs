//! `likeness merge`.

use super::complain;
use crate::Outcome;
use crate::args::Merge;
use crate::text;
use likeness::{Library, LibraryWriter, MergeEvent};
use std::io::Write;

/// Copies the references of other libraries into one.
pub(crate) fn merge(args: &Merge, quiet: bool) -> anyhow::Result<Outcome> {
    // First the others: no library is made when there is nothing to put into it.
    let mut outcome = Outcome::Done;
    let mut sound = Vec::new();
    for other in &args.others {
        match Library::browse(other) {
            Ok(_) => sound.push(other),
            Err(error) => {
                complain(error);
                outcome = Outcome::Failures;
            }
        }
    }
    if sound.is_empty() {
        return Ok(outcome);
    }
    let mut writer = LibraryWriter::open_at(&*args.library.place()?, true)?;
    for other in sound {
        let (mut added, mut replaced, mut there) = (0, 0, 0);
        let merged = writer.merge(other, args.replace, &mut |identifier, event| match event {
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
        });
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
