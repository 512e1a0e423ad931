//! `neighbours`: which search serves which kind of item? Exact and approximate ones stand behind one
//! trait and are asked about the same items of real fingerprints, on behalf of real disguised copies.

mod bits;
mod exact;
mod measure;
mod multi_index;
mod pictures;
mod report;
mod sounds;
#[cfg(test)]
mod tests;
mod words;

use crate::corpus::{Kind, Role, Work};
use crate::make::progress;
use crate::truth::Query;
use anyhow::Result;
use likeness::{ExtractOptions, fingerprint_file};
use likeness_core::report::Media;
use likeness_core::{Density, Fingerprint};
use likeness_distort::Random;
use rayon::prelude::*;
use std::path::Path;

/// How far it goes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Keypoints of pictures to search, ascending.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    keypoints: Vec<usize>,
    /// Most keypoints that a graph is made of, which takes long.
    #[arg(long, default_value_t = 1_000_000)]
    graph_most: usize,
    /// Patches of sound to search, ascending.
    #[arg(long, value_delimiter = ',', default_values_t = [2_000, 10_000, 50_000])]
    patches: Vec<usize>,
    /// Disguised copies of each kind that look-ups are drawn from.
    #[arg(long, default_value_t = 60)]
    copies: usize,
    /// Look-ups of each kind.
    #[arg(long, default_value_t = 1000)]
    lookups: usize,
}

/// Everything that a run needs.
pub(crate) struct Scene<'a> {
    pub(crate) works: &'a [Work],
    pub(crate) queries: &'a [Query],
    pub(crate) media: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) options: &'a Options,
}

/// Compares the ways for both kinds; writes neighbours.json and neighbours.md.
pub(crate) fn compare(scene: &Scene<'_>) -> Result<String> {
    let pictures = pictures::compare(scene)?;
    // Before the other kind: it takes its time.
    report::write(std::slice::from_ref(&pictures), scene.folder)?;
    let sounds = sounds::compare(scene)?;
    report::write(&[pictures, sounds], scene.folder)
}

impl Scene<'_> {
    /// Works of a kind that are there, whatever their part in the suite.
    fn works(&self, kind: Kind) -> Vec<&Work> {
        let fits = |work: &&Work| {
            work.kind == kind
                && matches!(work.role, Role::Reference | Role::Negative)
                && work.path(self.media).is_file()
        };
        self.works.iter().filter(fits).collect()
    }

    /// Disguised copies of a medium, drawn by lot, with their dense fingerprints.
    fn copies(&self, media: Media, options: &ExtractOptions) -> Result<Vec<(&Query, Fingerprint)>> {
        let shows = |query: &&Query| query.truths.iter().any(|truth| truth.media == media);
        let mut copies: Vec<&Query> = self.queries.iter().filter(shows).collect();
        Random::new(1, "copies").shuffle(&mut copies);
        copies.truncate(self.options.copies);
        let folder = self.folder.join("queries");
        let bar = progress(copies.len() as u64, "reading queries");
        let read = copies.into_par_iter().map(|query| {
            let path = folder.join(&query.query);
            let extracted = fingerprint_file(&path, Density::Query, options, &|_| {})?;
            bar.inc();
            Ok((query, extracted.fingerprint))
        });
        let read = read.collect::<Result<_>>();
        bar.finish();
        read
    }
}
