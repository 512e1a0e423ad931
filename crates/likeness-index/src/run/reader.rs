//! Reads a run.

use super::{Layout, MAGIC, space_index};
use crate::catalogue::{self, Entry};
use crate::checksum::{CheckedFile, Span};
use crate::manifest::{RunInfo, run_path};
use crate::postings::PostingSection;
use crate::store::StoreError;
use likeness_core::{AudioFingerprint, PostingSpace, ReferenceId, VideoFingerprint};
use std::path::Path;

/// An open run. Its catalogue is in memory, the rest is read on demand.
#[derive(Debug)]
pub(crate) struct Run {
    info: RunInfo,
    file: CheckedFile,
    layout: Layout,
    entries: Vec<Entry>,
}

impl Run {
    /// Opens a run and reads its catalogue.
    pub(crate) fn open(library: &Path, info: &RunInfo) -> Result<Run, StoreError> {
        let file = CheckedFile::open(&run_path(library, info.number), &info.seal)?;
        let start = Span {
            start: 0,
            len: MAGIC.len() as u64,
        };
        if file.bytes(start)? != MAGIC {
            return Err(file.damaged("it does not start as a run does"));
        }
        let layout = Layout::decode(file.directory()).map_err(|e| file.damaged(e))?;
        let entries =
            catalogue::decode(file.bytes(layout.catalogue)?).map_err(|e| file.damaged(e))?;
        if entries.len() as u64 != info.references {
            return Err(file.damaged("number of references differs from the manifest's"));
        }
        Ok(Run {
            info: *info,
            file,
            layout,
            entries,
        })
    }

    pub(crate) fn info(&self) -> &RunInfo {
        &self.info
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Size of the file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    /// Checks every byte.
    pub(crate) fn check_all(&self) -> Result<(), StoreError> {
        self.file.check_all()
    }

    /// All entries, dead ones too, ascending by id.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a reference, if it is in this run.
    pub(crate) fn entry(&self, reference: ReferenceId) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&reference, |e| e.id);
        at.ok().map(|i| &self.entries[i])
    }

    /// A space's postings, dead ones too.
    pub(crate) fn postings(&self, space: PostingSpace) -> PostingSection<'_> {
        PostingSection::new(&self.file, self.layout.spaces[space_index(space)])
    }

    /// An encoded fingerprint.
    pub(crate) fn fingerprint(&self, span: Span) -> Result<&[u8], StoreError> {
        self.file.bytes(span)
    }

    /// The sound of a reference of this run.
    pub(crate) fn audio(&self, entry: &Entry) -> Result<Option<AudioFingerprint>, StoreError> {
        let Some(span) = entry.audio.analysed() else {
            return Ok(None);
        };
        let decoded = AudioFingerprint::decode(self.fingerprint(*span)?);
        self.file.release(*span);
        decoded.map(Some).map_err(|e| self.file.damaged(e))
    }

    /// The picture of a reference of this run.
    pub(crate) fn video(&self, entry: &Entry) -> Result<Option<VideoFingerprint>, StoreError> {
        let Some(span) = entry.video.analysed() else {
            return Ok(None);
        };
        let decoded = VideoFingerprint::decode(self.fingerprint(*span)?);
        self.file.release(*span);
        decoded.map(Some).map_err(|e| self.file.damaged(e))
    }

    /// Checks every byte, and that what they say is consistent.
    pub(crate) fn verify(&self) -> Result<(), StoreError> {
        self.check_all()?;
        for entry in &self.entries {
            self.audio(entry)?;
            self.video(entry)?;
        }
        for space in PostingSpace::ALL {
            self.verify_postings(space)?;
        }
        Ok(())
    }

    fn verify_postings(&self, space: PostingSpace) -> Result<(), StoreError> {
        let section = self.postings(space);
        let mut cursor = section.cursor();
        let (mut count, mut before) = (0, None);
        while let Some(posting) = cursor.next()? {
            if before > Some(posting) || self.entry(posting.reference).is_none() {
                return Err(self
                    .file
                    .damaged("postings out of order or of no reference"));
            }
            before = Some(posting);
            count += 1;
        }
        match count == section.count() {
            true => Ok(()),
            false => Err(self.file.damaged("postings are missing")),
        }
    }
}
