//! What may be overwritten: only what this program wrote before, so that a slip of the hand costs
//! nobody a work or a library.

use anyhow::{Context, bail};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of a file by which its kind is told.
const START: u64 = 512;

/// Fails where `path` is a file with something in it that `ours` does not recognise by its first
/// bytes. Pipes and devices are no files.
pub(super) fn may_overwrite(path: &Path, ours: impl Fn(&[u8]) -> bool) -> anyhow::Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(START).read_to_end(&mut start))
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    if !start.is_empty() && !ours(&start) {
        bail!(
            "{}: is there and was not written by this command: not overwritten",
            path.display()
        );
    }
    Ok(())
}
