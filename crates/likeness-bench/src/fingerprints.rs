//! Fingerprints of works of the corpus, each made once.

use crate::corpus::Work;
use crate::make::progress;
use anyhow::{Context, Result};
use likeness::{ExtractOptions, fingerprint_file};
use likeness_core::{Density, Fingerprint};
use rayon::prelude::*;
use std::fs;
use std::path::Path;

/// The works' fingerprints, kept in files of `folder` for the next run. One folder is for one choice
/// of `options`.
pub(crate) fn of_works<'w>(
    works: &[&'w Work],
    density: Density,
    options: &ExtractOptions,
    media: &Path,
    folder: &Path,
) -> Result<Vec<(&'w Work, Fingerprint)>> {
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let bar = progress(works.len() as u64, "fingerprinting");
    let all = works.par_iter().map(|work| {
        let kept = folder.join(format!("{}-{density:?}", work.sha256));
        let source = match kept.is_file() {
            true => kept.clone(),
            false => work.path(media),
        };
        let fingerprint = fingerprint_file(&source, density, options, &|_| {})?.fingerprint;
        if source != kept {
            fs::write(&kept, fingerprint.encode())
                .with_context(|| format!("writing {}", kept.display()))?;
        }
        bar.inc();
        Ok((*work, fingerprint))
    });
    let all = all.collect::<Result<_>>();
    bar.finish();
    all
}
