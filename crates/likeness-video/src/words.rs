//! Terms of keypoint descriptors: locality-sensitive hashes by bit sampling (Indyk and Motwani,
//! 1998), looked up at several places (Lv et al., "Multi-probe LSH", 2007), and the packing of what
//! a posting tells about its keypoint.
//!
//! A term takes as many bits from the first half of the descriptor as from the second, at the same
//! places: mirroring, which swaps the halves, swaps the halves of the term.

use crate::descriptor::TESTS;
use likeness_core::video::{Descriptor, Keypoint, PLACE_STEPS};
use likeness_core::{Posting, PostingSpace, ReferenceId, VideoFingerprint};

/// Hash tables; each keypoint gives one posting in each.
pub const TABLES: usize = 2;
/// Descriptor bits that make a term.
pub const TERM_BITS: usize = 16;
/// Descriptor bits that a posting carries besides, to drop most random hits unseen.
pub const RESIDUAL_BITS: u32 = 32;
const HALF: usize = TERM_BITS / 2;

/// The space in which this module's terms live.
pub const SPACE: PostingSpace = PostingSpace::VideoKeypoint;

/// The descriptor's term in one table.
pub fn term([a, b]: Descriptor, table: usize) -> u64 {
    let part = |word: u32| u64::from(word >> (table * HALF)) & ((1 << HALF) - 1);
    (table as u64) << TERM_BITS | part(b) << HALF | part(a)
}

/// The bits that a posting carries to check a hit: none of those in the terms.
pub fn residual([a, b]: Descriptor) -> u64 {
    let part = |word: u32| u64::from(word >> (TABLES * HALF));
    part(b) << 16 | part(a)
}

/// Which bits of the terms are the likeliest to flip, given how far apart the two sides of each of
/// the descriptor's tests were: for each table, in turn, the `count` closest.
pub(crate) fn weak(margins: &[u8; TESTS], count: u32) -> u32 {
    let mut mask = 0;
    for table in 0..TABLES {
        let test = |bit: usize| bit / HALF * (TESTS / 2) + table * HALF + bit % HALF;
        let mut bits: [usize; TERM_BITS] = std::array::from_fn(|bit| bit);
        bits.sort_by_key(|&bit| margins[test(bit)]);
        for bit in &bits[..count as usize] {
            mask |= 1 << (table * TERM_BITS + bit);
        }
    }
    mask
}

/// The weak bits of the mirrored keypoint.
fn mirrored_weak(weak: u32) -> u32 {
    (weak & 0xff00_ff00) >> 8 | (weak & 0x00ff_00ff) << 8
}

/// Calls `sink` with every term at which a look-up should try: the keypoint's own and those with
/// any of its weak bits flipped, and with the number of those. `flip`: the terms of the mirrored
/// keypoint.
pub fn probes(keypoint: &Keypoint, flip: bool, mut sink: impl FnMut(u64, u32)) {
    let (descriptor, weak) = match flip {
        true => (
            crate::mirrored(keypoint.descriptor),
            mirrored_weak(keypoint.weak),
        ),
        false => (keypoint.descriptor, keypoint.weak),
    };
    for table in 0..TABLES {
        let own = term(descriptor, table);
        let mask = u64::from(weak >> (table * TERM_BITS)) & ((1 << TERM_BITS) - 1);
        let mut subset = mask;
        loop {
            sink(own ^ subset, subset.count_ones());
            if subset == 0 {
                break;
            }
            subset = (subset - 1) & mask;
        }
    }
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
    /// Angle step.
    pub angle: u8,
    /// Residual descriptor bits.
    pub residual: u64,
}

/// Packs a keypoint into a posting's payload: residual, level, angle, y, x from the top bit down.
pub fn pack(keypoint: &Keypoint) -> u64 {
    residual(keypoint.descriptor) << 29
        | u64::from(keypoint.level) << 26
        | u64::from(keypoint.angle) << 20
        | u64::from(keypoint.y) << 10
        | u64::from(keypoint.x)
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

/// Where a keypoint lies, 0..=1 over the picture's width and height.
pub fn place(keypoint: &Keypoint) -> (f32, f32) {
    let fraction = |steps: u16| (f32::from(steps) + 0.5) / f32::from(PLACE_STEPS);
    (fraction(keypoint.x), fraction(keypoint.y))
}

/// Milliseconds of a posting's unit of time: votes need no better, and small numbers take few bits.
const TICK: u32 = 250;

/// The middle of a posting's time, seconds.
pub fn seconds(time: u32) -> f64 {
    (f64::from(time) + 0.5) * f64::from(TICK) / 1000.0
}

/// The postings of a sparse fingerprint: time is the keyframe's in [`seconds`]' unit, payload is
/// [`pack`]ed. Unsorted.
pub fn postings(fingerprint: &VideoFingerprint, reference: ReferenceId) -> Vec<Posting> {
    let keypoints: usize = fingerprint
        .keyframes
        .iter()
        .map(|f| f.keypoints.len())
        .sum();
    let mut postings = Vec::with_capacity(keypoints * TABLES);
    for frame in &fingerprint.keyframes {
        for keypoint in &frame.keypoints {
            let payload = pack(keypoint);
            postings.extend((0..TABLES).map(|table| Posting {
                term: term(keypoint.descriptor, table),
                reference,
                time: frame.time_ms / TICK,
                payload,
            }));
        }
    }
    postings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirrored;

    const SAMPLE: Keypoint = Keypoint {
        x: 512,
        y: 1023,
        level: 7,
        angle: 63,
        weak: 0x0301_8100,
        descriptor: [0x1234_5678, 0xfedc_ba98],
    };

    #[test]
    fn payloads_round_trip() {
        let hit = unpack(pack(&SAMPLE));
        assert!((hit.x - 0.5).abs() < 1e-3 && (hit.y - 1.0).abs() < 1e-3);
        assert_eq!((hit.level, hit.angle), (7, 63));
        assert_eq!(hit.residual, residual(SAMPLE.descriptor));
    }

    #[test]
    fn probes_are_the_neighbours_in_the_weak_bits() {
        for flip in [false, true] {
            let mut seen = Vec::new();
            probes(&SAMPLE, flip, |term, flips| seen.push((term, flips)));
            let sizes = (SAMPLE.weak & 0xffff).count_ones();
            let other = (SAMPLE.weak >> 16).count_ones();
            assert_eq!(seen.len(), (1 << sizes) + (1 << other));
            let own = if flip {
                mirrored(SAMPLE.descriptor)
            } else {
                SAMPLE.descriptor
            };
            assert!((0..TABLES).all(|t| seen.contains(&(term(own, t), 0))));
            let mirror = Keypoint {
                descriptor: mirrored(SAMPLE.descriptor),
                weak: mirrored_weak(SAMPLE.weak),
                ..SAMPLE
            };
            let mut twin = Vec::new();
            probes(&mirror, !flip, |term, flips| twin.push((term, flips)));
            assert_eq!(seen, twin);
        }
    }

    #[test]
    fn weak_bits_are_those_with_the_least_difference() {
        let mut margins = [9; TESTS];
        margins[3] = 0;
        margins[TESTS / 2 + HALF + 1] = 0;
        let mask = weak(&margins, 1);
        assert_eq!(mask & 0xffff, 1 << 3);
        assert_eq!(mask >> 16, 1 << (HALF + 1));
    }
}
