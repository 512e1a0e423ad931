//! A query as it is compared with references.

use likeness_core::VideoFingerprint;
use likeness_core::video::{Keyframe, Plate, Thumbnails};

/// What a query's fingerprint holds, and its film on a reference's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    /// Seconds.
    pub duration: f64,
    /// Width by height of its picture.
    pub aspect: f64,
    pub keyframes: &'a [Keyframe],
    /// Its film on a reference's clock.
    pub thumbnails: &'a Thumbnails,
    /// Its film on its own clock.
    pub fine: &'a Thumbnails,
    pub plates: &'a [Plate],
}

impl<'a> Query<'a> {
    /// `slowed` are the fingerprint's thumbnails on a reference's clock.
    pub(super) fn new(fingerprint: &'a VideoFingerprint, slowed: &'a Thumbnails) -> Query<'a> {
        Query {
            duration: fingerprint.duration,
            aspect: fingerprint.aspect,
            keyframes: &fingerprint.keyframes,
            thumbnails: slowed,
            fine: &fingerprint.thumbnails,
            plates: &fingerprint.plates,
        }
    }
}
