//! A run: an immutable file with some references' fingerprints, catalogue entries and postings.
//!
//! The fingerprints come first, then the catalogue, then each space's posting blocks and their
//! directory; the tail's directory says where each lies.

mod reader;
mod writer;

pub(crate) use reader::Run;
pub(crate) use writer::{RunWriter, write_new};

use crate::checksum::Span;
use crate::postings::PostingLayout;
use likeness_core::PostingSpace;
use likeness_core::wire::{Reader, WireError, Writer};

/// First bytes of a run.
const MAGIC: [u8; 8] = *b"LIKERUN\n";

/// Number of posting spaces.
pub const SPACES: usize = PostingSpace::ALL.len();

/// Where the parts of a run lie; the directory of its tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    catalogue: Span,
    /// In the order of [`PostingSpace::ALL`].
    spaces: [PostingLayout; SPACES],
}

impl Layout {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.catalogue.encode(&mut w);
        w.varint(SPACES as u64);
        for space in &self.spaces {
            space.encode(&mut w);
        }
        w.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Layout, WireError> {
        let mut r = Reader::new(bytes);
        let catalogue = Span::decode(&mut r)?;
        if r.varint()? != SPACES as u64 {
            return Err(WireError::OutOfRange("number of posting spaces"));
        }
        let mut spaces = [PostingLayout::default(); SPACES];
        for space in &mut spaces {
            *space = PostingLayout::decode(&mut r)?;
        }
        r.finish()?;
        Ok(Layout { catalogue, spaces })
    }
}

/// Reads a directory and writes it again.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_layout(bytes: &[u8]) {
    if let Ok(layout) = Layout::decode(bytes) {
        assert_eq!(Layout::decode(&layout.encode()), Ok(layout));
    }
}

/// A space's place in [`PostingSpace::ALL`].
pub(crate) fn space_index(space: PostingSpace) -> usize {
    match space {
        PostingSpace::AudioLandmark => 0,
        PostingSpace::VideoKeypoint => 1,
        PostingSpace::VideoMotion => 2,
    }
}
