//! Terms of keypoint descriptors: locality-sensitive hashes by bit sampling (Indyk and Motwani,
//! 1998), and the packing of what a posting tells about its keypoint.

use likeness_core::video::Keypoint;
use likeness_core::{Posting, PostingSpace, ReferenceId, VideoFingerprint};
use std::sync::LazyLock;

/// Hash tables; each keypoint gives one posting in each.
pub const TABLES: usize = 4;
/// Descriptor bits that make a term.
pub const TERM_BITS: usize = 16;
/// Descriptor bits that a posting carries besides, to drop most random hits unseen.
pub const RESIDUAL_BITS: u32 = 35;

/// The space in which this module's terms live.
pub const SPACE: PostingSpace = PostingSpace::VideoKeypoint;

/// Descriptor bits in a fixed random order: first those of the tables, then the residual ones.
static ORDER: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let mut order: [u8; 256] = std::array::from_fn(|i| i as u8);
    let mut state = 0x2545_f491_4f6c_dd1du64;
    for i in (1..256).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(i, (state % (i as u64 + 1)) as usize);
    }
    order
});

fn gather(descriptor: &[u64; 4], bits: &[u8]) -> u64 {
    bits.iter().fold(0, |word, &bit| {
        let bit = usize::from(bit);
        word << 1 | (descriptor[bit / 64] >> (bit % 64) & 1)
    })
}

/// The descriptor's term in one table.
pub fn term(descriptor: &[u64; 4], table: usize) -> u64 {
    let bits = &ORDER[table * TERM_BITS..(table + 1) * TERM_BITS];
    (table as u64) << TERM_BITS | gather(descriptor, bits)
}

/// The bits that a posting carries to check a hit.
pub fn residual(descriptor: &[u64; 4]) -> u64 {
    let from = TABLES * TERM_BITS;
    gather(descriptor, &ORDER[from..from + RESIDUAL_BITS as usize])
}

/// What a posting tells about its keypoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Horizontal place, 0..=1 over the picture's width.
    pub x: f32,
    /// Vertical place, 0..=1 over the picture's height.
    pub y: f32,
    /// Level of the pyramid.
    pub level: u8,
    /// Angle step, 0..64.
    pub angle: u8,
    /// Residual descriptor bits.
    pub residual: u64,
}

/// Packs a keypoint into a posting's payload: residual, level, angle, y, x from the top bit down.
pub fn pack(keypoint: &Keypoint) -> u64 {
    residual(&keypoint.descriptor) << 29
        | u64::from(keypoint.level) << 26
        | u64::from(keypoint.angle) << 20
        | u64::from(keypoint.y >> 6) << 10
        | u64::from(keypoint.x >> 6)
}

/// Reads what [`pack`] wrote.
pub fn unpack(payload: u64) -> Hit {
    let place = |bits: u64| ((bits & 1023) as f32 + 0.5) / 1024.0;
    Hit {
        x: place(payload),
        y: place(payload >> 10),
        angle: (payload >> 20 & 63) as u8,
        level: (payload >> 26 & 7) as u8,
        residual: payload >> 29,
    }
}

/// The postings of a sparse fingerprint: time is the keyframe's time in milliseconds, payload is
/// [`pack`]ed. Unsorted.
pub fn postings(fingerprint: &VideoFingerprint, reference: ReferenceId) -> Vec<Posting> {
    let mut postings = Vec::new();
    for frame in &fingerprint.keyframes {
        for keypoint in &frame.keypoints {
            let payload = pack(keypoint);
            postings.extend((0..TABLES).map(|table| Posting {
                term: term(&keypoint.descriptor, table),
                reference,
                time: frame.time_ms,
                payload,
            }));
        }
    }
    postings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_round_trip() {
        let keypoint = Keypoint {
            x: 32768,
            y: 65535,
            level: 5,
            angle: 63,
            sparse: true,
            descriptor: [u64::MAX, 0, 0x1234_5678_9abc_def0, 42],
        };
        let hit = unpack(pack(&keypoint));
        assert!((hit.x - 0.5).abs() < 1e-3 && (hit.y - 1.0).abs() < 1e-3);
        assert_eq!((hit.level, hit.angle), (5, 63));
        assert_eq!(hit.residual, residual(&keypoint.descriptor));
    }

    #[test]
    fn near_descriptors_share_a_term_more_often_than_far_ones() {
        let base = [
            0x0123_4567_89ab_cdef,
            0xfedc_ba98_7654_3210,
            0x0f1e_2d3c_4b5a_6978,
            7,
        ];
        let mut near = base;
        near[0] ^= 0b1011;
        let shared = |a, b| (0..TABLES).filter(|&t| term(a, t) == term(b, t)).count();
        assert!(shared(&base, &near) >= 1);
        assert_eq!(shared(&base, &base.map(|w: u64| !w)), 0);
    }
}
