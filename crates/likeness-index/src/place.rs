//! Where references are kept, and what readers and the writer of such a place can do: a directory, or a
//! store that other engines run.

use crate::catalogue::Entry;
use crate::error::LibraryError;
use crate::manifest::Extractors;
use crate::snapshot::{self, FileCheck, Snapshot};
use crate::store::Store;
use crate::writer::{IndexWriter, NewReference};
use likeness_core::{ContentHash, PostingSpace, ReferenceId, Stretches};
use std::fmt::{Debug, Display, Formatter};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A library up to this many bytes is checked whole when it is opened: it takes a fraction of a
/// second. In a larger one every byte is checked when it is first used.
const CHECKED_WHOLE: u64 = 1 << 30;

/// What postings cannot tell: one state of a collection of references and what is known of each.
pub trait Collection: Store + Send + Debug {
    /// Live references, ascending by id.
    fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_>;

    /// A live reference.
    fn entry(&self, reference: ReferenceId) -> Option<&Entry>;

    /// What the collection takes.
    fn extent(&self) -> Extent;

    /// How often so far an answer was given without a part of the collection that did not answer. Never,
    /// unless whoever opened it allowed that.
    fn lapses(&self) -> u64 {
        0
    }
}

/// What a collection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Removed references that still take space.
    pub removed: usize,
    /// Postings by space, in the order of [`PostingSpace::ALL`], those of removed references too.
    pub postings: [u64; PostingSpace::ALL.len()],
    /// Bytes on disk; of a store that keeps copies, those of one copy.
    pub bytes: u64,
    /// Files, or what a store calls so.
    pub files: usize,
    /// Counts the collection's states; larger is later.
    pub generation: u64,
    /// Version of the format in which it is written.
    pub format_version: u32,
}

/// The one writer of a collection.
pub trait Editor: Send + Debug {
    /// Its place, for messages.
    fn place(&self) -> &Path;

    /// Live references, in no order.
    fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_>;

    /// The live reference of a name.
    fn by_identifier(&self, identifier: &str) -> Option<&Entry>;

    /// A live reference with this content.
    fn by_content(&self, content: &ContentHash) -> Option<&Entry>;

    /// As [`IndexWriter::commit`].
    ///
    /// # Errors
    /// It cannot be written.
    fn commit(&mut self, references: Vec<NewReference>) -> Result<Vec<ReferenceId>, LibraryError>;

    /// As [`IndexWriter::remove`].
    ///
    /// # Errors
    /// It cannot be written.
    fn remove(&mut self, identifiers: &[&str]) -> Result<Vec<String>, LibraryError>;

    /// As [`IndexWriter::tidy`].
    ///
    /// # Errors
    /// It cannot be read or written.
    fn tidy(&mut self) -> Result<(), LibraryError>;

    /// As [`IndexWriter::compact`].
    ///
    /// # Errors
    /// It cannot be read or written.
    fn compact(&mut self) -> Result<(), LibraryError>;

    /// As [`IndexWriter::import`].
    ///
    /// # Errors
    /// It cannot be read or written, or takes nothing over.
    fn import(
        &mut self,
        other: &Snapshot,
        wanted: &dyn Fn(&Entry) -> bool,
    ) -> Result<usize, LibraryError>;

    /// What of a reference never makes a match.
    fn excluded(&self, reference: ReferenceId) -> Option<&Stretches>;

    /// As [`IndexWriter::exclude`].
    ///
    /// # Errors
    /// It cannot be written, or keeps no exclusions.
    fn exclude(&mut self, identifier: &str, stretches: Stretches) -> Result<bool, LibraryError>;
}

/// Tells one state of a place from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub [u64; 4]);

/// Where a collection is kept.
pub trait Place: Send + Sync + Debug + Display {
    /// Opens the present state for matching: what can be checked in a moment is.
    ///
    /// # Errors
    /// Nothing there, a newer format, other extractors, damage.
    fn open(&self, extractors: &Extractors) -> Result<Box<dyn Collection>, LibraryError>;

    /// Opens the present state to look at what it holds: only what is used is checked.
    ///
    /// # Errors
    /// As of [`Place::open`], damage only where it is met.
    fn browse(&self, extractors: &Extractors) -> Result<Box<dyn Collection>, LibraryError>;

    /// Becomes the one writer; with `create`, of an empty collection where there is nothing yet.
    ///
    /// # Errors
    /// Another writer, nothing there, something else there, a newer format, other extractors, damage.
    fn write(&self, extractors: &Extractors, create: bool)
    -> Result<Box<dyn Editor>, LibraryError>;

    /// Which state it is in; `None` where that cannot be told.
    fn stamp(&self) -> Option<Stamp>;

    /// Checks everything and goes on after the first damage.
    ///
    /// # Errors
    /// Nothing there, or so damaged that nothing can be said of the rest.
    fn verify(&self) -> Result<Vec<FileCheck>, LibraryError>;
}

/// A directory as a place.
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

impl Display for Directory {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

impl Place for Directory {
    fn open(&self, extractors: &Extractors) -> Result<Box<dyn Collection>, LibraryError> {
        let snapshot = Snapshot::open(&self.0, extractors)?;
        if snapshot.file_bytes() <= CHECKED_WHOLE {
            snapshot.check_all()?;
        }
        Ok(Box::new(snapshot))
    }

    fn browse(&self, extractors: &Extractors) -> Result<Box<dyn Collection>, LibraryError> {
        Ok(Box::new(Snapshot::open(&self.0, extractors)?))
    }

    fn write(
        &self,
        extractors: &Extractors,
        create: bool,
    ) -> Result<Box<dyn Editor>, LibraryError> {
        let writer = match create {
            true => IndexWriter::open_or_create(&self.0, extractors)?,
            false => IndexWriter::open(&self.0, extractors)?,
        };
        Ok(Box::new(writer))
    }

    fn stamp(&self) -> Option<Stamp> {
        // Every change is a new manifest.
        let manifest = std::fs::metadata(self.0.join("manifest")).ok()?;
        let modified = [manifest.mtime(), manifest.mtime_nsec()].map(i64::cast_unsigned);
        Some(Stamp([
            manifest.ino(),
            modified[0],
            modified[1],
            manifest.len(),
        ]))
    }

    fn verify(&self) -> Result<Vec<FileCheck>, LibraryError> {
        snapshot::verify(&self.0)
    }
}

impl Collection for Snapshot {
    fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        Box::new(Snapshot::entries(self))
    }

    fn entry(&self, reference: ReferenceId) -> Option<&Entry> {
        Snapshot::entry(self, reference)
    }

    fn extent(&self) -> Extent {
        Extent {
            removed: self.dead_count(),
            postings: PostingSpace::ALL.map(|space| self.posting_count(space)),
            bytes: self.file_bytes(),
            files: self.run_count(),
            generation: self.generation(),
            format_version: self.format_version(),
        }
    }
}

impl Editor for IndexWriter {
    fn place(&self) -> &Path {
        self.library()
    }

    fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        Box::new(IndexWriter::entries(self))
    }

    fn by_identifier(&self, identifier: &str) -> Option<&Entry> {
        IndexWriter::by_identifier(self, identifier)
    }

    fn by_content(&self, content: &ContentHash) -> Option<&Entry> {
        IndexWriter::by_content(self, content)
    }

    fn commit(&mut self, references: Vec<NewReference>) -> Result<Vec<ReferenceId>, LibraryError> {
        IndexWriter::commit(self, references)
    }

    fn remove(&mut self, identifiers: &[&str]) -> Result<Vec<String>, LibraryError> {
        IndexWriter::remove(self, identifiers)
    }

    fn tidy(&mut self) -> Result<(), LibraryError> {
        IndexWriter::tidy(self)
    }

    fn compact(&mut self) -> Result<(), LibraryError> {
        IndexWriter::compact(self)
    }

    fn import(
        &mut self,
        other: &Snapshot,
        wanted: &dyn Fn(&Entry) -> bool,
    ) -> Result<usize, LibraryError> {
        IndexWriter::import(self, other, wanted)
    }

    fn excluded(&self, reference: ReferenceId) -> Option<&Stretches> {
        IndexWriter::excluded(self, reference)
    }

    fn exclude(&mut self, identifier: &str, stretches: Stretches) -> Result<bool, LibraryError> {
        IndexWriter::exclude(self, identifier, stretches)
    }
}
