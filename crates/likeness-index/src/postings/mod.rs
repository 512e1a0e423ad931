//! Postings on disk: sorted by (term, reference, time), in blocks of bit-packed columns, with a
//! directory of the blocks' first terms for binary search.

mod bits;
mod block;
mod directory;
mod reader;
mod writer;

pub use directory::TermDirectory;
pub(crate) use reader::{PostingCursor, PostingSection};
pub(crate) use writer::PostingWriter;

use crate::checksum::Span;
use likeness_core::wire::{Reader, WireError, Writer};

/// Bytes of a directory entry: first term, then offset of the block in the blocks' span.
const ENTRY: usize = 16;

/// Reads all of a block.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_block(first_term: u64, bytes: &[u8]) {
    let mut terms = block::Terms::new();
    if let Ok(block) = block::Block::parse(first_term, bytes, u64::MAX, &mut terms) {
        for (row, &term) in terms.as_slice().iter().enumerate() {
            // A posting out of range is an error, too.
            let _ = block.posting(term, row);
        }
    }
}

/// Where one space's postings lie in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PostingLayout {
    /// Number of postings.
    pub(crate) count: u64,
    /// The blocks, one after the other.
    pub(crate) blocks: Span,
    /// One entry per block.
    pub(crate) directory: Span,
}

impl PostingLayout {
    pub(crate) fn encode(&self, w: &mut Writer) {
        w.varint(self.count);
        self.blocks.encode(w);
        self.directory.encode(w);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<PostingLayout, WireError> {
        let layout = PostingLayout {
            count: r.varint()?,
            blocks: Span::decode(r)?,
            directory: Span::decode(r)?,
        };
        match layout.directory.len.is_multiple_of(ENTRY as u64) {
            true => Ok(layout),
            false => Err(WireError::OutOfRange("posting directory")),
        }
    }
}
