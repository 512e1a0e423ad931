//! The video fingerprint: keypoints of analysed frames and a film of small thumbnails.
//!
//! Keypoints propose where a query shows a reference; the thumbnails prove or refute it. Everything
//! else (motion, cuts, bars, frame hashes) is computed from the thumbnails where it is needed.

mod config;
mod encoding;
mod plate;
mod rice;
mod thinning;
mod thumbnails;

pub use config::{LEVELS, VideoConfig};
pub use plate::Plate;
pub use thinning::Thinning;
pub use thumbnails::Thumbnails;

use crate::fingerprint::Density;
use crate::wire::WireError;

/// Binary descriptor of the patch around a keypoint; mirroring swaps its halves.
pub type Descriptor = [u32; 2];

/// Places are stored in this many steps of the picture's width and height.
pub const PLACE_STEPS: u16 = 1024;
/// Directions are stored in this many steps of a full turn.
pub const ANGLE_STEPS: usize = 64;

/// A corner of one frame and what surrounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keypoint {
    /// Distance from the left edge, in 1/1024 of the picture's width.
    pub x: u16,
    /// Distance from the top edge, in 1/1024 of the picture's height.
    pub y: u16,
    /// Level of the pyramid on which it was found, see [`VideoConfig::level_size`].
    pub level: u8,
    /// Direction of the patch in steps of 1/64 of a turn, clockwise from "to the right".
    pub angle: u8,
    /// Which bits of the descriptor are the likeliest to flip: what a look-up tries both ways. Zero in
    /// the sparse form.
    pub weak: Descriptor,
    /// The patch.
    pub descriptor: Descriptor,
}

/// One analysed frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyframe {
    /// Number of the analysis slot ([`VideoConfig::keyframe_rate`] a second) in which it lies.
    pub slot: u32,
    /// Time of the frame in milliseconds.
    pub time_ms: u32,
    /// How many of the first `keypoints` belong to the sparse form.
    pub sparse: u16,
    /// The keypoints: those of the sparse form first, then the ones that only queries need.
    pub keypoints: Vec<Keypoint>,
}

/// Fingerprint of one moving picture.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFingerprint {
    /// Seconds of picture that were analysed.
    pub duration: f64,
    /// Width over height of the picture as it is shown.
    pub aspect: f64,
    /// How densely it was sampled.
    pub density: Density,
    /// The analysed frames, in order of time.
    pub keyframes: Vec<Keyframe>,
    /// The whole film, very small.
    pub thumbnails: Thumbnails,
    /// Single pictures in detail, in order of time; of a sparse fingerprint at most one.
    pub plates: Vec<Plate>,
}

impl VideoFingerprint {
    /// Whether no keypoint has more weak bits than an extractor tells: a look-up spells a term in as many ways
    /// as they have subsets, and a stranger can write anything.
    ///
    /// # Errors
    /// A keypoint with more.
    pub fn check(&self) -> Result<(), WireError> {
        let most = VideoConfig::DEFAULT.weak_bits;
        let mut keypoints = self.keyframes.iter().flat_map(|frame| &frame.keypoints);
        let bounded = |point: &Keypoint| {
            let [a, b] = point.weak.map(u32::to_le_bytes);
            let words = a.iter().zip(b);
            words
                .map(|(a, b)| a.count_ones() + b.count_ones())
                .all(|weak| weak <= most)
        };
        match keypoints.all(bounded) {
            true => Ok(()),
            false => Err(WireError::OutOfRange("weak bits")),
        }
    }

    /// What is shown from `start` whole seconds on, with times from there: for `start` within a dense
    /// film what a film of that part would give.
    pub fn since(&self, start: u32) -> VideoFingerprint {
        let config = VideoConfig::DEFAULT;
        let first = start.saturating_mul(config.keyframe_rate);
        let later = self.keyframes.iter().filter(|frame| frame.slot >= first);
        let moved = |frame: &Keyframe| Keyframe {
            slot: frame.slot - first,
            time_ms: frame.time_ms.saturating_sub(start.saturating_mul(1000)),
            ..frame.clone()
        };
        let plates = self.plates.iter().filter(|plate| plate.slot >= first);
        let plates = plates.map(|plate| Plate {
            slot: plate.slot - first,
            ..plate.clone()
        });
        let mut thumbnails = self.thumbnails.clone();
        let gone = self
            .thumbnails
            .index(f64::from(start))
            .min(thumbnails.len());
        thumbnails.drop_first(gone);
        VideoFingerprint {
            duration: (self.duration - f64::from(start)).max(0.0),
            keyframes: later.map(moved).collect(),
            thumbnails,
            plates: plates.collect(),
            ..*self
        }
    }

    /// The sparse form that a library stores. A no-op on a fingerprint that is sparse already.
    pub fn to_reference(&self) -> VideoFingerprint {
        if self.density == Density::Reference {
            return self.clone();
        }
        let mut thinning = Thinning::default();
        for frame in &self.keyframes {
            let index = self.thumbnails.index(frame.seconds());
            let picture = (index < self.thumbnails.len()).then(|| self.thumbnails.picture(index));
            thinning.push_keyframe(frame, picture);
        }
        let (pictures, area) = (
            &self.thumbnails.pixels,
            self.thumbnails.width * self.thumbnails.height,
        );
        pictures
            .chunks_exact(area)
            .for_each(|picture| thinning.push_picture(picture));
        self.plates
            .iter()
            .take(1)
            .cloned()
            .for_each(|plate| thinning.push_plate(plate));
        let (keyframes, thumbnails, plates) = thinning.finish();
        VideoFingerprint {
            duration: self.duration,
            aspect: self.aspect,
            density: Density::Reference,
            keyframes,
            thumbnails,
            plates,
        }
    }

    /// Bytes for a fingerprint file.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Reads what [`VideoFingerprint::encode`] wrote.
    ///
    /// # Errors
    /// Anything that is not exactly such a sequence of bytes, made with this version's
    /// [`VideoConfig`].
    pub fn decode(bytes: &[u8]) -> Result<VideoFingerprint, WireError> {
        encoding::decode(bytes)
    }
}

impl Keyframe {
    /// Time of the frame in seconds.
    pub fn seconds(&self) -> f64 {
        f64::from(self.time_ms) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_bits_are_weak_than_extractors_tell() {
        let check = |weak: Descriptor, fine: bool| {
            let keypoint = Keypoint {
                x: 0,
                y: 0,
                level: 0,
                angle: 0,
                weak,
                descriptor: [0; 2],
            };
            let keyframe = Keyframe {
                slot: 0,
                time_ms: 0,
                sparse: 1,
                keypoints: vec![keypoint],
            };
            let film = VideoFingerprint {
                duration: 1.0,
                aspect: 1.0,
                density: Density::Query,
                keyframes: vec![keyframe],
                thumbnails: Thumbnails {
                    width: 1,
                    height: 1,
                    rate: 10,
                    pixels: Vec::new(),
                },
                plates: Vec::new(),
            };
            assert_eq!(film.check().is_ok(), fine, "{weak:x?}");
        };
        check([0; 2], true);
        check([0x0707_0707, 0x0303_0303], true);
        check([0x0707_0707, 0x0703_0303], false);
        check([u32::MAX; 2], false);
    }
}
