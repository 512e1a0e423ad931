//! Writes postings, which come in order, block by block.

use super::block::{BLOCK, encode};
use super::{ENTRY, PostingLayout};
use crate::checksum::{CheckedWriter, Span};
use crate::store::StoreError;
use likeness_core::Posting;
use likeness_core::wire::Writer;

/// Streams one space's postings into a run. Keeps one block and 16 bytes per finished block.
pub(crate) struct PostingWriter<'a> {
    file: &'a mut CheckedWriter,
    start: u64,
    count: u64,
    block: Vec<Posting>,
    directory: Vec<u8>,
}

impl<'a> PostingWriter<'a> {
    pub(crate) fn new(file: &'a mut CheckedWriter) -> PostingWriter<'a> {
        PostingWriter {
            start: file.position(),
            file,
            count: 0,
            block: Vec::with_capacity(BLOCK),
            directory: Vec::new(),
        }
    }

    /// Appends a posting that is not less than the one before.
    pub(crate) fn push(&mut self, posting: Posting) -> Result<(), StoreError> {
        self.block.push(posting);
        match self.block.len() {
            BLOCK => self.end_block(),
            _ => Ok(()),
        }
    }

    fn end_block(&mut self) -> Result<(), StoreError> {
        let Some(first) = self.block.first() else {
            return Ok(());
        };
        let offset = self.file.position() - self.start;
        self.directory.reserve(ENTRY);
        self.directory.extend_from_slice(&first.term.to_le_bytes());
        self.directory.extend_from_slice(&offset.to_le_bytes());
        let mut bytes = Writer::new();
        encode(&self.block, &mut bytes);
        self.file.write(&bytes.into_bytes())?;
        self.count += self.block.len() as u64;
        self.block.clear();
        Ok(())
    }

    /// Writes what is left and the directory.
    pub(crate) fn finish(mut self) -> Result<PostingLayout, StoreError> {
        self.end_block()?;
        let blocks = Span {
            start: self.start,
            len: self.file.position() - self.start,
        };
        Ok(PostingLayout {
            count: self.count,
            blocks,
            directory: self.file.write(&self.directory)?,
        })
    }
}
