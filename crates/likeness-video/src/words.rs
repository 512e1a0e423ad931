//! Terms of keypoint descriptors: locality-sensitive hashes by bit sampling (Indyk and Motwani,
//! 1998), looked up at several places (Lv et al., "Multi-probe LSH", 2007), and the packing of what
//! a posting tells about its keypoint.
//!
//! A term is two words of 16 bits, each of as many bits from the first half of the descriptor as from the
//! second, at the same places. Terms that begin with the same word lie together: a small library is
//! searched by first words alone, a large one by as many bits more as make the lists short.

use crate::descriptor::TESTS;
use likeness_core::video::{Descriptor, Keypoint, PLACE_STEPS};
use likeness_core::{Posting, PostingSpace, ReferenceId, VideoFingerprint};

/// Hash tables; each keypoint gives one posting in each.
pub const TABLES: usize = 2;
/// Descriptor bits that make a term.
pub const TERM_BITS: u32 = 2 * WORD_BITS;
/// Descriptor bits of a word: a term's first word is what is left without so many of its lowest bits.
pub const WORD_BITS: u32 = 16;
/// Descriptor bits that a posting tells besides its first word, to drop most random hits unseen.
pub const RESIDUAL_BITS: u32 = 32;
const HALF: usize = WORD_BITS as usize / 2;

/// The space in which this module's terms live.
pub const SPACE: PostingSpace = PostingSpace::VideoKeypoint;

/// One word of a descriptor: the first of table 0 and of table 1, then the second of each.
fn word([a, b]: Descriptor, number: usize) -> u64 {
    let part = |half: u32| u64::from(half >> (number * HALF)) & ((1 << HALF) - 1);
    part(b) << HALF | part(a)
}

/// The bits of a descriptor that make its term in one table.
fn term_bits(descriptor: Descriptor, table: usize) -> u64 {
    word(descriptor, table) << WORD_BITS | word(descriptor, TABLES + table)
}

/// The descriptor's term in one table.
pub fn term(descriptor: Descriptor, table: usize) -> u64 {
    (table as u64) << TERM_BITS | term_bits(descriptor, table)
}

/// The bits by which a hit is checked: none of those in the first words.
pub fn residual([a, b]: Descriptor) -> u64 {
    let part = |half: u32| u64::from(half >> (TABLES * HALF));
    part(b) << 16 | part(a)
}

/// Which bits of the descriptor are the likeliest to flip, given how far apart the two sides of each of
/// its tests were: of each word the `count` closest.
pub(crate) fn weak(margins: &[u8; TESTS], count: u32) -> Descriptor {
    let mut mask = [0; 2];
    for number in 0..2 * TABLES {
        let place = |bit: usize| (bit / HALF, number * HALF + bit % HALF);
        let mut bits: [usize; WORD_BITS as usize] = std::array::from_fn(|bit| bit);
        bits.sort_by_key(|&bit| {
            let (half, test) = place(bit);
            margins[half * (TESTS / 2) + test]
        });
        for &bit in &bits[..count as usize] {
            let (half, test) = place(bit);
            mask[half] |= 1 << test;
        }
    }
    mask
}

/// Calls `sink` with every term at which a look-up should try, without its `free` lowest bits: the
/// keypoint's own and those with up to `most` of its weak bits flipped, and with the number of those.
/// `flip`: the terms of the mirrored keypoint.
pub fn probes(
    keypoint: &Keypoint,
    flip: bool,
    (free, most): (u32, u32),
    mut sink: impl FnMut(u64, u32),
) {
    let turned = |halves: Descriptor| match flip {
        true => crate::mirrored(halves),
        false => halves,
    };
    let (descriptor, weak) = (turned(keypoint.descriptor), turned(keypoint.weak));
    for table in 0..TABLES {
        let own = term(descriptor, table) >> free;
        let mask = term_bits(weak, table) >> free;
        spell(own, mask, (0, most), &mut sink);
    }
}

/// Calls `sink` with a term and all that differ from it in some bits of `mask`, until `most` are flipped.
fn spell(term: u64, mask: u64, (flips, most): (u32, u32), sink: &mut impl FnMut(u64, u32)) {
    sink(term, flips);
    if flips == most {
        return;
    }
    let mut rest = mask;
    while rest != 0 {
        let bit = rest & rest.wrapping_neg();
        rest ^= bit;
        spell(term ^ bit, rest, (flips + 1, most), sink);
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

/// Bits of a payload below the descriptor's: level, angle, y, x from the top bit down.
const PLACE_BITS: u32 = 3 + 6 + 10 + 10;

/// The posting of a keypoint in one table. Its payload begins with those residual bits that are not in its
/// term.
pub fn posting(keypoint: &Keypoint, table: usize, reference: ReferenceId, time: u32) -> Posting {
    let payload = word(keypoint.descriptor, TABLES + 1 - table) << PLACE_BITS
        | u64::from(keypoint.level) << 26
        | u64::from(keypoint.angle) << 20
        | u64::from(keypoint.y) << 10
        | u64::from(keypoint.x);
    Posting {
        term: term(keypoint.descriptor, table),
        reference,
        time,
        payload,
    }
}

/// A posting whose payload has all residual bits, and whose term is its first word, in whichever table and by
/// however many bits of its term it was found.
pub fn complete(posting: &Posting) -> Posting {
    let own = posting.term & ((1 << WORD_BITS) - 1);
    let other = posting.payload >> PLACE_BITS;
    let (low, high) = match posting.term >> TERM_BITS {
        0 => (own, other),
        _ => (other, own),
    };
    // Words hold halves of both parts of the residual.
    let half = |word: u64, number: usize| word >> (number * HALF) & ((1 << HALF) - 1);
    let part = |number: usize| half(high, number) << HALF | half(low, number);
    let residual = part(1) << 16 | part(0);
    Posting {
        term: posting.term >> WORD_BITS,
        payload: residual << PLACE_BITS | posting.payload & ((1 << PLACE_BITS) - 1),
        ..*posting
    }
}

/// What the payload of a [`complete`] posting tells.
pub fn unpack(payload: u64) -> Hit {
    let place = |bits: u64| ((bits & 1023) as f32 + 0.5) / 1024.0;
    Hit {
        x: place(payload),
        y: place(payload >> 10),
        angle: (payload >> 20 & 63) as u8,
        level: (payload >> 26 & 7) as u8,
        residual: payload >> PLACE_BITS,
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
/// as [`posting`] has it. Unsorted.
pub fn postings(fingerprint: &VideoFingerprint, reference: ReferenceId) -> Vec<Posting> {
    let keypoints: usize = fingerprint
        .keyframes
        .iter()
        .map(|f| f.keypoints.len())
        .sum();
    let mut postings = Vec::with_capacity(keypoints * TABLES);
    for frame in &fingerprint.keyframes {
        for keypoint in &frame.keypoints {
            let time = frame.time_ms / TICK;
            postings.extend((0..TABLES).map(|table| posting(keypoint, table, reference, time)));
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
        weak: [0x0301_8100, 0x1000_0080],
        descriptor: [0x1234_5678, 0xfedc_ba98],
    };

    #[test]
    fn a_posting_tells_all_bits_but_the_other_tables_first_word() {
        for table in 0..TABLES {
            let posting = posting(&SAMPLE, table, ReferenceId(3), 9);
            let whole = complete(&posting);
            assert_eq!(whole.term, posting.term >> WORD_BITS);
            assert_eq!((whole.reference, whole.time), (ReferenceId(3), 9));
            let hit = unpack(whole.payload);
            assert!((hit.x - 0.5).abs() < 1e-3 && (hit.y - 1.0).abs() < 1e-3);
            assert_eq!((hit.level, hit.angle), (7, 63));
            assert_eq!(hit.residual, residual(SAMPLE.descriptor));
        }
    }

    #[test]
    fn terms_begin_with_the_bits_that_the_residual_lacks() {
        for bit in 0..64 {
            let mut other = SAMPLE.descriptor;
            other[bit / 32] ^= 1 << (bit % 32);
            let differ = |table: usize| term(other, table) ^ term(SAMPLE.descriptor, table);
            let first = (0..TABLES).any(|table| differ(table) >> WORD_BITS != 0);
            assert_ne!(
                first,
                residual(other) != residual(SAMPLE.descriptor),
                "{bit}"
            );
            let bits: u32 = (0..TABLES).map(|table| differ(table).count_ones()).sum();
            assert_eq!(bits, 1, "{bit}");
        }
    }

    #[test]
    fn probes_are_the_neighbours_in_the_weak_bits() {
        let choose = |of: u32, most: u32| match most {
            0 => 1,
            1 => 1 + of,
            2 => 1 + of + of * (of.max(1) - 1) / 2,
            _ => 1 << of,
        };
        for (free, most, flip) in [
            (WORD_BITS, u32::MAX, false),
            (WORD_BITS, u32::MAX, true),
            (8, 2, false),
            (0, 2, true),
            (0, 1, false),
            (4, 0, true),
        ] {
            let mut seen = Vec::new();
            probes(&SAMPLE, flip, (free, most), |term, flips| {
                seen.push((term, flips))
            });
            let [descriptor, weak] = [SAMPLE.descriptor, SAMPLE.weak].map(|halves| match flip {
                true => mirrored(halves),
                false => halves,
            });
            let mut count = 0;
            for table in 0..TABLES {
                let own = term(descriptor, table) >> free;
                let mask = term_bits(weak, table) >> free;
                count += choose(mask.count_ones(), most);
                let near = |(term, flips): &&(u64, u32)| {
                    let differ = term ^ own;
                    differ & !mask == 0 && differ.count_ones() == *flips && *flips <= most
                };
                assert_eq!(
                    seen.iter().filter(near).count() as u32,
                    choose(mask.count_ones(), most)
                );
            }
            assert_eq!(seen.len() as u32, count);
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len() as u32, count);
        }
    }

    #[test]
    fn weak_bits_are_those_with_the_least_difference() {
        let mut margins = [9; TESTS];
        margins[3] = 0;
        margins[TESTS / 2 + HALF + 1] = 0;
        let mask = weak(&margins, 1);
        assert_eq!(mask[0] & 0xff | mask[1] & 0xff, 1 << 3);
        assert_eq!(mask[1] & 0xff00, 1 << (HALF + 1));
        assert_eq!(
            mask[0].count_ones() + mask[1].count_ones(),
            2 * TABLES as u32
        );
    }
}
