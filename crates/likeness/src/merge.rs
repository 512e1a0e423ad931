//! Bringing libraries together that were built apart, on several machines for example. Nothing is
//! extracted again: fingerprints and postings are copied as they are.

use crate::library::extractors;
use crate::writer::LibraryWriter;
use likeness_core::StreamState;
use likeness_index::{Entry, LibraryError, Lost, Snapshot};
use std::collections::HashSet;
use std::path::Path;

/// What becomes of a reference of the other library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeEvent {
    /// It is in this library now.
    Added,
    /// It took the place of other content under its name.
    Replaced,
    /// Its content was there already.
    AlreadyThere,
    /// Other content has its name here; it was left out.
    Conflict,
}

/// A library whose references are copied into others. All that it says was checked: damage, or what a
/// stranger made up, must not be published anew as if it were sound.
#[derive(Debug)]
pub struct MergeSource(Snapshot);

impl MergeSource {
    /// Opens a library and checks all of it.
    ///
    /// # Errors
    /// No library, one of other extractors or a newer format, damaged or unreadable files.
    pub fn open(library: &Path) -> Result<MergeSource, LibraryError> {
        let snapshot = Snapshot::open(library, &extractors())?;
        snapshot.verify()?;
        Ok(MergeSource(snapshot))
    }

    /// Opens what is sound of a damaged library, and tells which files are not.
    ///
    /// # Errors
    /// As [`MergeSource::open`], damage only of the manifest.
    pub fn salvage(library: &Path) -> Result<(MergeSource, Vec<Lost>), LibraryError> {
        let (snapshot, lost) = Snapshot::salvage(library, &extractors())?;
        Ok((MergeSource(snapshot), lost))
    }
}

impl LibraryWriter {
    /// Copies the references of another library, in one step that happens whole or not at
    /// all. Content that is there already is left as it is, so that an interrupted merge may be
    /// tried again. Where a name stands for other content here, `replace` decides: the other
    /// library's content takes its place, or stays out. `events` is told of each reference by
    /// name, once everything is durable.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn merge(
        &mut self,
        MergeSource(other): &MergeSource,
        replace: bool,
        events: &mut dyn FnMut(&str, MergeEvent),
    ) -> Result<(), LibraryError> {
        let fates: Vec<(&Entry, MergeEvent)> = other
            .entries()
            .map(|entry| (entry, self.fate(entry, replace)))
            .collect();
        let wanted: HashSet<_> = fates
            .iter()
            .filter(|(_, fate)| matches!(fate, MergeEvent::Added | MergeEvent::Replaced))
            .map(|(entry, _)| entry.id)
            .collect();
        self.index
            .import(other, &|entry| wanted.contains(&entry.id))?;
        for (entry, fate) in fates {
            events(&entry.identifier, fate);
        }
        self.index.tidy()
    }

    fn fate(&self, theirs: &Entry, replace: bool) -> MergeEvent {
        match self.index.by_identifier(&theirs.identifier) {
            Some(own) if own.content == theirs.content && !lacks(own, theirs) => {
                MergeEvent::AlreadyThere
            }
            // The same work, of which only the sound or the picture was looked at here.
            Some(own) if own.content == theirs.content => MergeEvent::Replaced,
            Some(_) if replace => MergeEvent::Replaced,
            Some(_) => MergeEvent::Conflict,
            None if self.index.by_content(&theirs.content).is_some() => MergeEvent::AlreadyThere,
            None => MergeEvent::Added,
        }
    }
}

/// Whether a stream was skipped here that was looked at there, and none the other way round.
fn lacks(own: &Entry, theirs: &Entry) -> bool {
    let skipped = |entry: &Entry| {
        [entry.audio(), entry.video()].map(|state| matches!(state, StreamState::Skipped))
    };
    let pairs = || skipped(own).into_iter().zip(skipped(theirs));
    pairs().any(|(own, theirs)| own && !theirs) && !pairs().any(|(own, theirs)| !own && theirs)
}
