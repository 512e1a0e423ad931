//! Reading a library: one state of it, which later changes do not touch.

use crate::catalogue::Entry;
use crate::durable::damaged;
use crate::error::LibraryError;
use crate::manifest::{Extractors, Manifest, RunInfo, manifest_path, run_path};
use crate::run::Run;
use crate::store::{Estimate, Store, StoreError};
use likeness_core::report::Media;
use likeness_core::{
    AudioFingerprint, Posting, PostingSpace, ReferenceId, Stretches, VideoFingerprint,
};
use rayon::prelude::*;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a reader starts over when merges remove files under it.
const ATTEMPTS: usize = 100;
const VANISHING: &str = "its files keep vanishing";

/// One state of a library. Its files stay readable while it lives, even if a merge unlinks them.
#[derive(Debug)]
pub struct Snapshot {
    library: PathBuf,
    manifest: Manifest,
    runs: Vec<Run>,
    /// Hours of live references: of sound, of picture.
    hours: [f64; 2],
}

impl Snapshot {
    /// Opens the library's present state. Catalogues are checked now, the rest when it is used.
    ///
    /// # Errors
    /// No library, one of a newer format or of other extractors, damaged or unreadable files.
    pub fn open(library: &Path, extractors: &Extractors) -> Result<Snapshot, LibraryError> {
        let manifest = Manifest::read(library)?;
        manifest.expect(library, extractors)?;
        Snapshot::of(library, manifest)
    }

    /// As [`Snapshot::open`] of every byte, without the runs that are damaged: what is left of a library
    /// that cannot be opened. Tells what is left out.
    ///
    /// # Errors
    /// As [`Snapshot::open`], damage only of the manifest.
    pub fn salvage(
        library: &Path,
        extractors: &Extractors,
    ) -> Result<(Snapshot, Vec<Lost>), LibraryError> {
        for _ in 0..ATTEMPTS {
            let mut manifest = Manifest::read(library)?;
            manifest.expect(library, extractors)?;
            let (mut runs, mut lost) = (Vec::new(), Vec::new());
            for info in &manifest.runs {
                let run = Run::open(library, info);
                match run.and_then(|run| run.verify().map(|()| run)) {
                    Ok(run) => runs.push(run),
                    Err(error) => lost.push(Lost {
                        references: info.references,
                        error,
                    }),
                }
            }
            let gone = lost.iter().any(|lost| is_missing(&lost.error));
            if gone && Manifest::read(library)?.generation != manifest.generation {
                continue;
            }
            manifest.runs = runs.iter().map(|run| *run.info()).collect();
            check_consistent(library, &manifest, &runs)?;
            return Ok((Snapshot::new(library, manifest, runs), lost));
        }
        Err(damaged(&manifest_path(library), VANISHING).into())
    }

    fn new(library: &Path, manifest: Manifest, runs: Vec<Run>) -> Snapshot {
        let mut snapshot = Snapshot {
            library: library.to_owned(),
            manifest,
            runs,
            hours: [0.0; 2],
        };
        snapshot.hours = snapshot.count_hours();
        snapshot
    }

    /// Opens the runs that a manifest names, or that its successor names once they are gone.
    fn of(library: &Path, mut manifest: Manifest) -> Result<Snapshot, LibraryError> {
        for _ in 0..ATTEMPTS {
            match open_runs(library, &manifest) {
                Ok(runs) => return Ok(Snapshot::new(library, manifest, runs)),
                Err(error) if is_missing(&error) => {
                    let now = Manifest::read(library)?;
                    if now.generation == manifest.generation {
                        return Err(error.into());
                    }
                    manifest = now;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(damaged(&manifest_path(library), VANISHING).into())
    }

    /// The library's directory.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Version of the format in which the library is written.
    pub fn format_version(&self) -> u32 {
        self.manifest.version()
    }

    /// Counts the library's states; larger is later.
    pub fn generation(&self) -> u64 {
        self.manifest.generation
    }

    /// Live references, ascending by id.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let all = self.runs.iter().flat_map(|run| run.entries());
        all.filter(|entry| !self.manifest.is_dead(entry.id.0))
    }

    /// A live reference.
    pub fn entry(&self, reference: ReferenceId) -> Option<&Entry> {
        self.find(reference).map(|(_, entry)| entry)
    }

    fn count_hours(&self) -> [f64; 2] {
        let mut seconds = [0.0; 2];
        for entry in self.entries() {
            let there = [
                entry.audio().analysed().is_some(),
                entry.video().analysed().is_some(),
            ];
            for (sum, there) in seconds.iter_mut().zip(there) {
                *sum += if there { entry.duration } else { 0.0 };
            }
        }
        seconds.map(|seconds| seconds / 3600.0)
    }

    /// Bytes of all files of this state.
    pub fn file_bytes(&self) -> u64 {
        self.runs.iter().map(Run::file_bytes).sum()
    }

    /// Number of run files.
    pub fn run_count(&self) -> usize {
        self.runs.len()
    }

    /// References that were removed and still take space.
    pub fn dead_count(&self) -> usize {
        self.manifest.tombstones.len()
    }

    /// Postings of a space, those of dead references too.
    pub fn posting_count(&self, space: PostingSpace) -> u64 {
        self.runs.iter().map(|r| r.postings(space).count()).sum()
    }

    /// Checks every byte now instead of when it is used.
    ///
    /// # Errors
    /// The first file that is damaged.
    pub fn check_all(&self) -> Result<(), StoreError> {
        self.runs.par_iter().try_for_each(Run::check_all)
    }

    /// Checks every byte, and that what they say is consistent. Takes time: everything is decoded.
    ///
    /// # Errors
    /// The first file that is damaged.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.runs.par_iter().try_for_each(Run::verify)
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(crate) fn into_parts(self) -> (Manifest, Vec<Run>) {
        (self.manifest, self.runs)
    }

    fn find(&self, reference: ReferenceId) -> Option<(&Run, &Entry)> {
        if self.manifest.is_dead(reference.0) {
            return None;
        }
        let last_of = |run: &Run| run.entries().last().map(|entry| entry.id);
        let at = self
            .runs
            .partition_point(|run| last_of(run) < Some(reference));
        let run = self.runs.get(at)?;
        Some((run, run.entry(reference)?))
    }
}

impl Store for Snapshot {
    fn postings(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        // Runs are in order of reference, and each in order of (reference, time).
        for run in &self.runs {
            run.postings(space).lookup(free, terms, &mut |i, posting| {
                if !self.manifest.is_dead(posting.reference.0) {
                    sink(i, posting);
                }
            })?;
        }
        Ok(())
    }

    fn estimates(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
    ) -> Result<Vec<Estimate>, StoreError> {
        let mut estimates = vec![Estimate::default(); terms.len()];
        for run in &self.runs {
            run.postings(space).estimate(free, terms, &mut estimates)?;
        }
        Ok(estimates)
    }

    fn audio(&self, reference: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError> {
        match self.find(reference) {
            Some((run, entry)) => Ok(run.audio(entry)?.map(Arc::new)),
            None => Ok(None),
        }
    }

    fn video(&self, reference: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError> {
        match self.find(reference) {
            Some((run, entry)) => Ok(run.video(entry)?.map(Arc::new)),
            None => Ok(None),
        }
    }

    fn hours(&self, media: Media) -> f64 {
        let [audio, video] = self.hours;
        match media {
            Media::Audio => audio,
            Media::Video => video,
        }
    }

    fn excluded(&self, reference: ReferenceId) -> Option<&Stretches> {
        self.manifest.exclusions.get(&reference.0)
    }

    fn references(&self) -> Vec<ReferenceId> {
        self.entries().map(|entry| entry.id).collect()
    }
}

fn open_runs(library: &Path, manifest: &Manifest) -> Result<Vec<Run>, StoreError> {
    let open = manifest.runs.iter().map(|info| Run::open(library, info));
    let runs: Vec<Run> = open.collect::<Result<_, _>>()?;
    check_consistent(library, manifest, &runs)?;
    Ok(runs)
}

/// That a manifest and its runs do not contradict each other.
fn check_consistent(library: &Path, manifest: &Manifest, runs: &[Run]) -> Result<(), StoreError> {
    let ids = || runs.iter().flat_map(|run| run.entries()).map(|e| e.id.0);
    let wrong = |reason| Err(damaged(&manifest_path(library), reason));
    if !ids().is_sorted_by(|a, b| a < b) {
        return wrong("its runs are out of order");
    }
    // A writer would give a number anew, and write over what has it.
    if ids().any(|id| id >= manifest.next_reference) {
        return wrong("its next reference's number is taken");
    }
    let used = |run: &RunInfo| run.number >= manifest.next_run;
    if manifest.next_run == u64::MAX || manifest.runs.iter().any(used) {
        return wrong("its next run's number is taken");
    }
    let entries = runs.iter().flat_map(|run| run.entries());
    let mut live = entries.filter(|entry| !manifest.is_dead(entry.id.0));
    let mut names = HashSet::new();
    if !live.all(|entry| names.insert(entry.identifier.as_str())) {
        return wrong("two of its references have one name");
    }
    Ok(())
}

fn is_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

/// A damaged file that was left out of a library.
#[derive(Debug)]
pub struct Lost {
    /// References in it, removed ones too.
    pub references: u64,
    /// What is wrong with it.
    pub error: StoreError,
}

/// What checking one file of a library found.
#[derive(Debug)]
pub struct FileCheck {
    /// The file.
    pub path: PathBuf,
    /// Its size as recorded, bytes.
    pub bytes: u64,
    /// What is wrong with it, if anything.
    pub error: Option<StoreError>,
}

/// Checks every byte of every file of a library and that what they say is consistent. Goes on
/// after a damaged file.
///
/// # Errors
/// No library, or a manifest that cannot be read: then nothing can be said of the other files.
pub fn verify(library: &Path) -> Result<Vec<FileCheck>, LibraryError> {
    let mut manifest = Manifest::read(library)?;
    loop {
        let checks = check_files(library, &manifest);
        let now = Manifest::read(library)?;
        let vanished = checks
            .iter()
            .filter_map(|c| c.error.as_ref())
            .any(is_missing);
        if !vanished || now.generation == manifest.generation {
            return Ok(checks);
        }
        manifest = now;
    }
}

fn check_files(library: &Path, manifest: &Manifest) -> Vec<FileCheck> {
    let path = manifest_path(library);
    let mut checks = vec![FileCheck {
        bytes: path.metadata().map_or(0, |m| m.len()),
        path,
        error: None,
    }];
    checks.extend(manifest.runs.iter().map(|info| FileCheck {
        path: run_path(library, info.number),
        bytes: info.seal.file_bytes().unwrap_or(u64::MAX),
        error: Run::open(library, info).and_then(|run| run.verify()).err(),
    }));
    if checks.iter().all(|check| check.error.is_none()) {
        checks[0].error = open_runs(library, manifest).err();
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IndexWriter;
    use crate::common::{EXTRACTORS, reference};

    #[test]
    fn a_manifest_that_contradicts_itself_is_damage() {
        let check = |reason: Option<&str>, change: &dyn Fn(&mut Manifest)| {
            let folder = tempfile::tempdir().unwrap();
            let library = folder.path();
            let mut writer = IndexWriter::open_or_create(library, &EXTRACTORS).unwrap();
            for (seed, name) in [(0, "0"), (1, "1"), (2, "0")] {
                writer.commit(vec![reference(name, seed)]).unwrap();
            }
            drop(writer);
            let mut manifest = Manifest::read(library).unwrap();
            change(&mut manifest);
            manifest.publish(library).unwrap();
            let told = |error: &dyn std::fmt::Display| {
                let reason = reason.expect("nothing is wrong");
                assert!(error.to_string().ends_with(reason), "{error}");
            };
            match Snapshot::open(library, &EXTRACTORS) {
                Ok(_) => assert_eq!(reason, None),
                Err(error) => told(&error),
            }
            match verify(library).unwrap().remove(0).error {
                None => assert_eq!(reason, None),
                Some(error) => told(&error),
            }
        };
        check(None, &|_| {});
        let reference = Some("its next reference's number is taken");
        check(reference, &|manifest| manifest.next_reference = 1);
        let run = Some("its next run's number is taken");
        check(run, &|manifest| manifest.next_run = 1);
        check(run, &|manifest| manifest.next_run = u64::MAX);
        let name = Some("two of its references have one name");
        check(name, &|manifest| manifest.tombstones.clear());
    }
}
