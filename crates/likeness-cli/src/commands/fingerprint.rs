//! `likeness fingerprint`.

use super::complain;
use crate::Outcome;
use crate::args::Fingerprint;
use crate::progress::Progress;
use crate::text;
use anyhow::{Context, bail};
use likeness::core::Density;
use likeness::fingerprint_file;

/// Writes a dense fingerprint, which serves as a query and as a reference.
pub(crate) fn fingerprint(args: &Fingerprint, quiet: bool) -> anyhow::Result<Outcome> {
    if let (Ok(file), Ok(output)) = (args.file.canonicalize(), args.output.canonicalize())
        && file == output
    {
        bail!(
            "{}: would be overwritten by its own fingerprint",
            args.file.display()
        );
    }
    args.analysis.share_threads()?;
    let progress = Progress::new(std::iter::once(args.file.as_path()), quiet);
    let extract = args.analysis.extract(1);
    let extracted = fingerprint_file(&args.file, Density::Query, &extract, &|at| {
        progress.advance(0, at.seconds, at.duration);
    })?;
    let bytes = extracted.fingerprint.encode();
    std::fs::write(&args.output, &bytes)
        .with_context(|| format!("{}: cannot write", args.output.display()))?;
    progress.finish(0, &text::bytes(bytes.len() as u64));
    progress.close(&format!("{} written", args.output.display()));
    match extracted.truncated {
        None => Ok(Outcome::Done),
        Some(reason) => {
            complain(format!("{}: {reason}", args.file.display()));
            Ok(Outcome::Failures)
        }
    }
}
