//! `calibrate`: how much evidence chance gives, and whether the shipped calibration says so.

mod another;
mod hard;
mod negatives;
mod record;
mod report;
mod songs;
mod sources;
mod tail;

pub(crate) use another::another_time;

use crate::corpus::{Kind, Shared, Split, Work};
use anyhow::Result;
use clap::Args;
use negatives::gather;
use std::path::Path;

/// How much is compared.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Size {
    /// Windows of 5 to 60 s of sound, besides the whole works, shared out among all sources.
    #[arg(long = "audio-queries", default_value_t = 30_000)]
    pub(crate) audio: usize,
    /// Windows of 5 to 60 s of picture.
    #[arg(long = "video-queries", default_value_t = 5_000)]
    pub(crate) video: usize,
    /// Disguised versions of each work that windows are cut from, too.
    #[arg(long, default_value_t = 1)]
    pub(crate) disguises: u64,
    /// Begin with no other source after so many minutes, and report on those that were asked: they
    /// are in an order drawn by lot.
    #[arg(long)]
    pub(crate) minutes: Option<u64>,
    /// Go on with the run of the same settings that `out` holds.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Compares every work of a split, or those of some kinds, with all others; writes `out`/trials.jsonl and
/// `out`/calibration.md.
pub(crate) fn calibrate(
    works: &[&Work],
    split: Split,
    kinds: &[Kind],
    shared: &[Shared],
    size: Size,
    media: &Path,
    out: &Path,
) -> Result<String> {
    std::fs::create_dir_all(out)?;
    let negatives = gather(works, split, kinds, shared, size, media, out)?;
    let report = report::report(&negatives)?;
    std::fs::write(out.join("calibration.md"), &report)?;
    Ok(report)
}
