//! `likeness exclude`.

use crate::Outcome;
use crate::args::Exclude;
use crate::output::{self, Cell};
use crate::text;
use anyhow::{bail, ensure};
use likeness::core::Stretches;
use likeness::{Library, LibraryWriter};
use serde_json::json;
use std::io::Write;

/// Excludes a stretch of a reference, takes exclusions back, or lists them.
pub(crate) fn exclude(args: &Exclude, quiet: bool) -> anyhow::Result<Outcome> {
    let Some(reference) = &args.reference else {
        return list(args);
    };
    let (start, end) = (args.start.unwrap_or(0.0), args.end.unwrap_or(f64::MAX));
    ensure!(start < end, "a stretch must end after it begins");
    // Times are counted in milliseconds, and are not exact in binary.
    ensure!(
        end - start > 0.000_999,
        "a stretch lasts a millisecond at least"
    );
    let mut writer = LibraryWriter::open_at(&*args.library.place()?, false)?;
    let excluded = match args.remove {
        true => writer.include(reference, start, end)?,
        false => writer.exclude(reference, start, end)?,
    };
    let Some(excluded) = excluded else {
        bail!("{reference}: not in the library");
    };
    if !args.remove && excluded.outside(start, end).first() == Some(&(start, end)) {
        bail!("{reference}: ends before {start} s, or less than a millisecond after");
    }
    if !quiet {
        let name = text::printable(reference);
        writeln!(std::io::stdout(), "excluded of {name}: {}", told(&excluded))?;
    }
    Ok(Outcome::Done)
}

fn told(excluded: &Stretches) -> String {
    let stretches: Vec<String> = excluded
        .iter()
        .map(|(start, end)| text::stretch(start, end))
        .collect();
    match stretches.is_empty() {
        true => "nothing".to_owned(),
        false => stretches.join(", "),
    }
}

fn list(args: &Exclude) -> anyhow::Result<Outcome> {
    let library = Library::browse_at(&*args.library.place()?)?;
    let mut rows = Vec::new();
    for reference in library.references() {
        let excluded = library.excluded(reference.id);
        for (start, end) in excluded.iter().flat_map(|set| set.iter()) {
            rows.push(vec![
                Cell::same(json!(reference.identifier)),
                Cell::new(json!(start), text::time(start)),
                Cell::new(json!(end), text::time(end)),
            ]);
        }
    }
    let names = ["reference", "start", "end"];
    let format = args.output.format;
    output::records(format, std::io::stdout(), &names, rows.into_iter())?;
    Ok(Outcome::Done)
}
