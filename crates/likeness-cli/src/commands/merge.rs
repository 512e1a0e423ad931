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
    for other in &args.others {
        Library::browse(other)?;
    }
    let mut writer = LibraryWriter::open_or_create(&args.library.path)?;
    let mut outcome = Outcome::Done;
    for other in &args.others {
        let (mut added, mut replaced, mut there) = (0, 0, 0);
        writer.merge(other, args.replace, &mut |identifier, event| match event {
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
        })?;
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
