//! One picture in detail: what tells pictures that stand still apart.

use super::{LEVELS, VideoConfig, rice};
use crate::wire::{Reader, WireError, Writer};

/// A picture as a level of the pyramid shows it. Of a query every few seconds
/// ([`VideoConfig::plate_slots`]), of a reference the first and only if it stands still throughout: films
/// are compared by what moves, and where nothing does, words and faces are smaller than thumbnails show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plate {
    /// Number of the analysis slot in which it was shown.
    pub slot: u32,
    /// Level of the pyramid, see [`VideoConfig::level_size`].
    pub level: u8,
    /// Luma (0..=255), row by row.
    pub pixels: Vec<u8>,
}

impl Plate {
    /// Bits that are dropped from each pixel.
    const SHIFT: u32 = 2;

    /// The picture `pixels` of a level in an analysis slot, in as many grey levels as plates have.
    pub fn new(slot: u32, level: u8, pixels: &[u8]) -> Plate {
        let coarse = |&luma: &u8| rice::restored(u32::from(luma) >> Plate::SHIFT, Plate::SHIFT);
        Plate {
            slot,
            level,
            pixels: pixels.iter().map(coarse).collect(),
        }
    }

    /// Columns and rows of a plate of a film that is shown with `aspect`.
    pub fn size(&self, aspect: f64) -> (usize, usize) {
        VideoConfig::DEFAULT.level_size(usize::from(self.level), aspect)
    }

    /// Each row as its difference from the one above.
    pub(super) fn encode(&self, w: &mut Writer, aspect: f64) {
        w.varint(self.slot.into());
        w.u8(self.level);
        let (width, _) = self.size(aspect);
        w.block(&rice::encode(self.pixels.chunks_exact(width), Plate::SHIFT));
    }

    pub(super) fn decode(r: &mut Reader<'_>, aspect: f64) -> Result<Plate, WireError> {
        let slot = u32::try_from(r.varint()?).map_err(|_| WireError::OutOfRange("plate slot"))?;
        let level = r.u8()?;
        if usize::from(level) >= LEVELS {
            return Err(WireError::OutOfRange("plate level"));
        }
        let (width, height) = VideoConfig::DEFAULT.level_size(level.into(), aspect);
        let pixels = rice::decode(r.block()?, (height as u64, width), Plate::SHIFT)?;
        Ok(Plate {
            slot,
            level,
            pixels,
        })
    }
}
