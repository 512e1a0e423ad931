//! The page that `likeness match --report` and `likeness compare --report` write.

use super::overwrite::may_overwrite;
use crate::args::{Report, Search};
use anyhow::{Context, bail};
use likeness::Library;
use likeness::core::Fingerprint;
use likeness_core::report::MatchReport;
use likeness_evidence::{About, Page, Shown, Work, gather};
use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A page in the making, and where it goes. Shared by all threads.
pub(super) struct Evidence {
    path: PathBuf,
    page: Mutex<Page>,
}

impl Evidence {
    /// A page, if one is wanted. `inputs` must not be overwritten by it.
    pub(super) fn new<'a>(
        report: &Report,
        against: String,
        search: &Search,
        inputs: impl Iterator<Item = &'a Path>,
    ) -> anyhow::Result<Option<Evidence>> {
        let Some(path) = &report.page else {
            return Ok(None);
        };
        if let Ok(there) = path.canonicalize() {
            for input in inputs.filter_map(|input| input.canonicalize().ok()) {
                if input == there {
                    bail!("{}: would be overwritten by the report", path.display());
                }
            }
        }
        may_overwrite(path, likeness_evidence::is_page)?;
        // Now, not after hours of work; and without harm to what is there.
        let file = File::options().append(true).create(true).open(path);
        file.with_context(|| format!("{}: cannot write the report", path.display()))?;
        let limit = search.max_false_positive_probability;
        Ok(Some(Evidence {
            path: path.clone(),
            page: Mutex::new(Page::new(About { against, limit })),
        }))
    }

    /// What the page shows of a report: the work that can be done side by side.
    pub(super) fn gather(
        &self,
        report: &MatchReport,
        query: Option<Fingerprint>,
        file: &Path,
        reference: &dyn Fn(&str) -> Option<Work>,
    ) -> Shown {
        let query = query.map(|fingerprint| Work::new(fingerprint, media(file)));
        let full = self.page().is_full();
        gather(report, &query.unwrap_or_default(), reference, full)
    }

    /// Takes the next report.
    pub(super) fn push(&self, report: &MatchReport, shown: Shown) {
        self.page().push(report, shown);
    }

    /// Writes the page.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let html = self.page().render();
        File::create(&self.path)
            .and_then(|mut file| file.write_all(html.as_bytes()))
            .with_context(|| format!("{}: cannot write the report", self.path.display()))
    }

    fn page(&self) -> std::sync::MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that can be looked at and listened to: any that is there, but for fingerprints.
pub(super) fn media(file: &Path) -> Option<PathBuf> {
    let mut start = [0; likeness::core::fingerprint::MAGIC.len()];
    let read =
        File::open(file).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
    let fingerprint = read.is_ok() && Fingerprint::recognise(&start);
    (file.is_file() && !fingerprint).then(|| file.to_owned())
}

/// A reference of a library, with its file if one of `directories` has it.
pub(super) fn of_library(
    library: &Library,
    directories: &[PathBuf],
    identifier: &str,
) -> Option<Work> {
    let reference = library.references().find(|r| r.identifier == identifier)?;
    let store = library.store();
    // An identifier must not lead out of the directory.
    let mut parts = Path::new(identifier).components();
    let inside = parts.all(|part| matches!(part, Component::Normal(_)));
    let mut files = directories.iter().filter(|_| inside);
    let file = files.find_map(|directory| media(&directory.join(identifier)));
    Some(Work {
        duration: reference.duration,
        audio: store.audio(reference.id).ok().flatten(),
        video: store.video(reference.id).ok().flatten(),
        file,
    })
}
