//! Writes a run from front to back.

use super::{Layout, MAGIC, SPACES};
use crate::catalogue::{self, Entry};
use crate::checksum::{CheckedWriter, Seal, Span};
use crate::postings::{PostingLayout, PostingWriter};
use crate::store::StoreError;
use likeness_core::{Fingerprint, Posting, StreamState};
use std::path::Path;

/// Writes the parts in their order: fingerprints, catalogue, each space's postings.
pub(crate) struct RunWriter {
    file: CheckedWriter,
}

impl RunWriter {
    pub(crate) fn create(path: &Path) -> Result<RunWriter, StoreError> {
        let mut file = CheckedWriter::create(path)?;
        file.write(&MAGIC)?;
        Ok(RunWriter { file })
    }

    /// Appends an encoded fingerprint.
    pub(crate) fn fingerprint(&mut self, bytes: &[u8]) -> Result<Span, StoreError> {
        self.file.write(bytes)
    }

    /// Writes the rest. `postings(space, push)` pushes a space's postings in order.
    pub(crate) fn finish(
        mut self,
        entries: &[Entry],
        mut postings: impl FnMut(
            usize,
            &mut dyn FnMut(Posting) -> Result<(), StoreError>,
        ) -> Result<(), StoreError>,
    ) -> Result<Seal, StoreError> {
        let catalogue = self.file.write(&catalogue::encode(entries))?;
        let mut spaces = [PostingLayout::default(); SPACES];
        for (index, layout) in spaces.iter_mut().enumerate() {
            let mut writer = PostingWriter::new(&mut self.file);
            postings(index, &mut |posting| writer.push(posting))?;
            *layout = writer.finish()?;
        }
        self.file.finish(&Layout { catalogue, spaces }.encode())
    }
}

/// Writes a run of new references, and tells their entries. `postings` hold each space's, in any order.
pub(crate) fn write_new(
    path: &Path,
    references: Vec<(Entry, Fingerprint)>,
    postings: &mut [Vec<Posting>; SPACES],
) -> Result<(Vec<Entry>, Seal), StoreError> {
    let mut run = RunWriter::create(path)?;
    let mut entries = Vec::with_capacity(references.len());
    // Each fingerprint goes as it is written: a long work's are large, and so is sorting its postings.
    for (mut entry, fingerprint) in references {
        if let Some(audio) = fingerprint.audio.into_analysed() {
            let span = run.fingerprint(&audio.encode())?;
            entry.audio = StreamState::Analysed(span);
        }
        if let Some(video) = fingerprint.video.into_analysed() {
            let span = run.fingerprint(&video.encode())?;
            entry.video = StreamState::Analysed(span);
        }
        entries.push(entry);
    }
    let seal = run.finish(&entries, |space, push| {
        // Stable, because it makes use of the order that each reference's postings are in.
        postings[space].sort();
        postings[space]
            .iter()
            .try_for_each(|posting| push(*posting))
    })?;
    Ok((entries, seal))
}
