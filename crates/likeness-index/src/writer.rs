//! Changing a library. Every change is one new manifest, so that it happens whole or not at all.

use crate::catalogue::Entry;
use crate::durable::{self, io_error, sync_directory};
use crate::error::LibraryError;
use crate::lock::WriterLock;
use crate::manifest::{Extractors, Manifest, RunInfo, manifest_path, run_path, runs_path};
use crate::merge::{due, merge};
use crate::run::{Run, SPACES, write_new};
use crate::snapshot::Snapshot;
use crate::store::Store;
use likeness_core::{ContentHash, Fingerprint, Posting, ReferenceId, Stretches};
use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A reference to be added.
#[derive(Debug)]
pub struct NewReference {
    /// Name in the library. A live reference of that name is replaced.
    pub identifier: String,
    /// The sparse fingerprint.
    pub fingerprint: Fingerprint,
    /// Postings per space, in the order of [`likeness_core::PostingSpace::ALL`]. Their reference
    /// is set by [`IndexWriter::commit`].
    pub postings: [Vec<Posting>; SPACES],
    /// When, seconds since 1970 (UTC).
    pub added: u64,
}

/// The one writer of a library.
#[derive(Debug)]
pub struct IndexWriter {
    library: PathBuf,
    manifest: Manifest,
    runs: Vec<Run>,
    by_identifier: HashMap<String, Entry>,
    by_content: HashMap<ContentHash, String>,
    /// A publication failed, so what is on disk is unknown.
    abandoned: bool,
    lock: WriterLock,
}

impl IndexWriter {
    /// Opens a library for writing, and creates it where nothing or an empty directory is.
    ///
    /// # Errors
    /// Another writer, something else at the path, other extractors, a newer format, damage.
    pub fn open_or_create(
        library: &Path,
        extractors: &Extractors,
    ) -> Result<IndexWriter, LibraryError> {
        match Manifest::read(library) {
            Err(LibraryError::Missing { .. }) => IndexWriter::create(library, extractors),
            Err(error) => Err(error),
            Ok(_) => IndexWriter::open(library, extractors),
        }
    }

    /// Opens an existing library for writing. Removes what an interrupted writer left behind.
    ///
    /// # Errors
    /// Another writer, no library, other extractors, a newer format, damage.
    pub fn open(library: &Path, extractors: &Extractors) -> Result<IndexWriter, LibraryError> {
        // First the manifest: the lock file must not appear in what is not a library.
        Manifest::read(library)?;
        let lock = WriterLock::take(library)?;
        // Copying programs leave out a directory that is empty.
        durable::create_directory(&runs_path(library))?;
        IndexWriter::new(Snapshot::open(library, extractors)?, lock)
    }

    fn create(library: &Path, extractors: &Extractors) -> Result<IndexWriter, LibraryError> {
        let runs = runs_path(library);
        durable::create_directory(&runs)?;
        let lock = WriterLock::take(library)?;
        // Another process may have created it before this one got the lock.
        if !manifest_path(library).exists() {
            Manifest::new(*extractors).publish(library)?;
            let parent = library.canonicalize().map_err(|e| io_error(library, e))?;
            parent.parent().map_or(Ok(()), sync_directory)?;
        }
        IndexWriter::new(Snapshot::open(library, extractors)?, lock)
    }

    fn new(snapshot: Snapshot, lock: WriterLock) -> Result<IndexWriter, LibraryError> {
        let entries: Vec<Entry> = snapshot.entries().cloned().collect();
        let library = snapshot.library().to_owned();
        let (manifest, runs) = snapshot.into_parts();
        let mut writer = IndexWriter {
            library,
            manifest,
            runs,
            by_identifier: HashMap::new(),
            by_content: HashMap::new(),
            abandoned: false,
            lock,
        };
        entries.into_iter().for_each(|entry| writer.remember(entry));
        writer.remove_orphans()?;
        Ok(writer)
    }

    /// The library's directory.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Live references, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.by_identifier.values()
    }

    /// The live reference of a name.
    pub fn by_identifier(&self, identifier: &str) -> Option<&Entry> {
        self.by_identifier.get(identifier)
    }

    /// A live reference with this content.
    pub fn by_content(&self, content: &ContentHash) -> Option<&Entry> {
        self.by_identifier.get(self.by_content.get(content)?)
    }

    /// Number of live references.
    pub fn len(&self) -> usize {
        self.by_identifier.len()
    }

    /// Whether there are no live references.
    pub fn is_empty(&self) -> bool {
        self.by_identifier.is_empty()
    }

    /// Adds references, all or none; durable when it returns. A live reference of the same name
    /// is replaced in the same step; of two new ones with the same name the later one stays.
    /// Exclusions stay with the content for which they were made.
    ///
    /// # Errors
    /// Files that cannot be written; a full library.
    pub fn commit(
        &mut self,
        references: Vec<NewReference>,
    ) -> Result<Vec<ReferenceId>, LibraryError> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        let mut next = self.next()?;
        let mut replaced: Vec<u32> = Vec::new();
        let mut names: HashMap<String, u32> = HashMap::new();
        let mut postings: [Vec<Posting>; SPACES] = Default::default();
        let mut new = Vec::with_capacity(references.len());
        for reference in references {
            let id = self.number(&mut next)?;
            let known = self.by_identifier.get(&reference.identifier);
            if let Some(entry) = known
                && entry.content == reference.fingerprint.content
                && let Some(stretches) = next.exclusions.get(&entry.id.0)
            {
                let stretches = stretches.clone();
                next.exclusions.insert(id, stretches);
            }
            let before = names.insert(reference.identifier.clone(), id);
            replaced.extend(before.or(known.map(|entry| entry.id.0)));
            for (all, mut own) in postings.iter_mut().zip(reference.postings) {
                own.iter_mut()
                    .for_each(|posting| posting.reference = ReferenceId(id));
                // A long work's postings are large: those of a lone one are moved, not copied.
                match all.is_empty() {
                    true => *all = own,
                    false => all.append(&mut own),
                }
            }
            new.push(new_entry(
                id,
                reference.identifier,
                reference.added,
                reference.fingerprint,
            ));
        }
        let number = next.next_run;
        let path = run_path(&self.library, number);
        let written = write_new(&path, new, &mut postings);
        if written.is_err() {
            // Half a run takes space for nothing; where even this fails, the next writer does it.
            let _ = durable::remove(&path);
        }
        let (entries, seal) = written?;
        next.next_run += 1;
        next.runs.push(RunInfo {
            number,
            references: entries.len() as u64,
            seal,
        });
        bury(&mut next.tombstones, replaced);
        self.publish(next)?;
        let ids = entries.iter().map(|entry| entry.id).collect();
        entries.into_iter().for_each(|entry| self.remember(entry));
        Ok(ids)
    }

    /// Copies the references of another library that `wanted` picks, all or none; durable when it
    /// returns. A live reference of the same name is replaced in the same step. Nothing is
    /// extracted or decoded again. Tells how many there were.
    ///
    /// # Errors
    /// Files that cannot be read or written; a full library.
    pub fn import(
        &mut self,
        other: &Snapshot,
        wanted: &dyn Fn(&Entry) -> bool,
    ) -> Result<usize, LibraryError> {
        let mut next = self.next()?;
        let mut numbers: HashMap<ReferenceId, ReferenceId> = HashMap::new();
        let mut replaced = Vec::new();
        for entry in other.entries().filter(|entry| wanted(entry)) {
            let id = ReferenceId(self.number(&mut next)?);
            numbers.insert(entry.id, id);
            let known = self.by_identifier.get(&entry.identifier);
            replaced.extend(known.map(|known| known.id.0));
            // As when content is added again, what this library excludes of it stays excluded.
            let own = known.filter(|known| known.content == entry.content);
            let own = own.and_then(|known| next.exclusions.get(&known.id.0));
            if let Some(stretches) = own.or(other.excluded(entry.id)) {
                let stretches = stretches.clone();
                next.exclusions.insert(id.0, stretches);
            }
        }
        let number = next.next_run;
        let renumber = |id: ReferenceId| numbers.get(&id).copied();
        let Some(run) = merge(&self.library, other.runs(), number, &renumber)? else {
            return Ok(0);
        };
        next.next_run += 1;
        next.runs.push(run);
        bury(&mut next.tombstones, replaced);
        self.publish(next)?;
        let new = self.runs.last().map_or(&[][..], Run::entries).to_vec();
        let count = new.len();
        new.into_iter().for_each(|entry| self.remember(entry));
        Ok(count)
    }

    /// Takes the next reference's number.
    fn number(&self, next: &mut Manifest) -> Result<u32, LibraryError> {
        let id = next.next_reference;
        next.next_reference = id.checked_add(1).ok_or_else(|| LibraryError::Full {
            path: self.library.clone(),
        })?;
        Ok(id)
    }

    /// Removes the references of these names; durable when it returns. Tells which there were.
    /// Their space comes back with merges.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn remove(&mut self, identifiers: &[&str]) -> Result<Vec<String>, LibraryError> {
        let mut found: Vec<(String, u32)> = identifiers
            .iter()
            .filter_map(|name| self.by_identifier.get(*name))
            .map(|entry| (entry.identifier.clone(), entry.id.0))
            .collect();
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut next = self.next()?;
        bury(
            &mut next.tombstones,
            found.iter().map(|(_, id)| *id).collect(),
        );
        self.publish(next)?;
        let names: Vec<String> = found.into_iter().map(|(name, _)| name).collect();
        names.iter().for_each(|name| self.forget(name));
        Ok(names)
    }

    /// What of a reference never makes a match.
    pub fn excluded(&self, reference: ReferenceId) -> Option<&Stretches> {
        self.manifest.exclusions.get(&reference.0)
    }

    /// Sets which stretches of a live reference never make a match; durable when it returns.
    /// `false` if there is no such reference.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn exclude(
        &mut self,
        identifier: &str,
        stretches: Stretches,
    ) -> Result<bool, LibraryError> {
        let Some(entry) = self.by_identifier.get(identifier) else {
            return Ok(false);
        };
        let mut next = self.next()?;
        match stretches.is_empty() {
            true => next.exclusions.remove(&entry.id.0),
            false => next.exclusions.insert(entry.id.0, stretches),
        };
        if next != self.manifest {
            self.publish(next)?;
        }
        Ok(true)
    }

    /// Merges runs where many small ones have gathered. Cheap when nothing is due.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn tidy(&mut self) -> Result<(), LibraryError> {
        loop {
            let sizes: Vec<u64> = self.runs.iter().map(Run::file_bytes).collect();
            match due(&sizes) {
                Some(range) => self.merge(range)?,
                None => return Ok(()),
            }
        }
    }

    /// Merges everything into one run without the removed references.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn compact(&mut self) -> Result<(), LibraryError> {
        match self.runs.len() {
            0 => Ok(()),
            1 if self.manifest.tombstones.is_empty() => Ok(()),
            all => self.merge(0..all),
        }
    }

    /// Replaces neighbouring runs by one.
    fn merge(&mut self, range: Range<usize>) -> Result<(), LibraryError> {
        let mut next = self.next()?;
        let number = next.next_run;
        let old = &self.runs[range.clone()];
        let live = |id: ReferenceId| (!self.manifest.is_dead(id.0)).then_some(id);
        let merged = merge(&self.library, old, number, &live)?;
        next.next_run += 1;
        next.runs.splice(range.clone(), merged);
        let gone = |dead: &u32| {
            old.iter()
                .any(|run| run.entry(ReferenceId(*dead)).is_some())
        };
        next.tombstones.retain(|dead| !gone(dead));
        let paths: Vec<PathBuf> = old.iter().map(|run| run.path().to_owned()).collect();
        self.publish(next)?;
        // It happened. What cannot be removed is tried again by the next writer.
        paths.iter().for_each(|path| drop(durable::remove(path)));
        Ok(())
    }

    /// The state to change, for a writer that may.
    fn next(&self) -> Result<Manifest, LibraryError> {
        if self.abandoned {
            return Err(LibraryError::Abandoned {
                path: self.library.clone(),
            });
        }
        self.lock.check()?;
        let mut next = self.manifest.clone();
        // What could not be cleared away may have the number.
        while run_path(&self.library, next.next_run)
            .symlink_metadata()
            .is_ok()
        {
            next.next_run += 1;
        }
        Ok(next)
    }

    /// Makes `next` the library's state, on disk and here.
    fn publish(&mut self, mut next: Manifest) -> Result<(), LibraryError> {
        next.generation += 1;
        let dead = &next.tombstones;
        next.exclusions
            .retain(|reference, _| dead.binary_search(reference).is_err());
        self.lock.check()?;
        // Until it succeeds, what is on disk is unknown.
        self.abandoned = true;
        sync_directory(&runs_path(&self.library))?;
        self.lock.check()?;
        next.publish(&self.library)?;
        let mut open: HashMap<u64, Run> = std::mem::take(&mut self.runs)
            .into_iter()
            .map(|run| (run.info().number, run))
            .collect();
        for info in &next.runs {
            let run = match open.remove(&info.number) {
                Some(run) => run,
                None => Run::open(&self.library, info)?,
            };
            self.runs.push(run);
        }
        self.manifest = next;
        self.abandoned = false;
        Ok(())
    }

    /// Removes files that no manifest names. Runs that cannot be removed are in nobody's way.
    fn remove_orphans(&self) -> Result<(), LibraryError> {
        let runs = runs_path(&self.library);
        durable::remove(&crate::manifest::temporary_path(&self.library))?;
        for file in fs::read_dir(&runs).map_err(|e| io_error(&runs, e))? {
            let path = file.map_err(|e| io_error(&runs, e))?.path();
            if is_run(&path) && !self.runs.iter().any(|run| run.path() == path) {
                let _ = durable::remove(&path);
            }
        }
        Ok(())
    }

    fn remember(&mut self, entry: Entry) {
        self.forget(&entry.identifier.clone());
        self.by_content
            .insert(entry.content, entry.identifier.clone());
        self.by_identifier.insert(entry.identifier.clone(), entry);
    }

    fn forget(&mut self, identifier: &str) {
        if let Some(old) = self.by_identifier.remove(identifier)
            && self
                .by_content
                .get(&old.content)
                .is_some_and(|name| name == identifier)
        {
            self.by_content.remove(&old.content);
        }
    }
}

/// The entry of a new reference; the fingerprints' places are filled in by the run's writer.
fn new_entry(
    id: u32,
    identifier: String,
    added: u64,
    fingerprint: Fingerprint,
) -> (Entry, Fingerprint) {
    let entry = Entry {
        id: ReferenceId(id),
        identifier,
        content: fingerprint.content,
        duration: fingerprint.duration,
        added,
        audio: fingerprint.audio.as_ref().map(|_| Default::default()),
        video: fingerprint.video.as_ref().map(|_| Default::default()),
    };
    (entry, fingerprint)
}

/// Whether a file has the name of a run.
fn is_run(path: &Path) -> bool {
    let number = path.file_stem().map(|stem| stem.as_encoded_bytes());
    path.extension().is_some_and(|end| end == "run")
        && number.is_some_and(|n| n.len() >= 8 && n.iter().all(u8::is_ascii_digit))
}

fn bury(tombstones: &mut Vec<u32>, dead: Vec<u32>) {
    tombstones.extend(dead);
    tombstones.sort_unstable();
    tombstones.dedup();
}
