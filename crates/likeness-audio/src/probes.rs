//! What a query's triplet asks a library for: the terms, and which of their postings may be the
//! same triplet of a copy.

use crate::triplets::{
    INTERVAL_CELL, LEAF_BITS, LENGTH_CELLS_PER_OCTAVE, LENGTHS, POSTING_STEPS, RATIO_CELLS, STEMS,
    Triplet, pack,
};
use likeness_core::Posting;
use likeness_core::audio::{STEPS_PER_SEMITONE, Surface};
use std::f32::consts::LN_2;
use std::ops::RangeInclusive;

/// How far a query's triplet may differ from the reference's.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerance {
    /// Steps of an interval.
    pub steps: f32,
    /// Ticks of a gap.
    pub ticks: f32,
    /// Largest speed (reference seconds per query second) and inverse of the smallest.
    pub speed: f32,
    /// Largest change of pitch, semitones, up or down.
    pub semitones: f32,
}

/// Shelves there are: terms of one shelf differ in length only.
pub const SHELVES: usize = 2 * STEMS;

/// The shelf of a term.
pub fn shelf(term: u64) -> usize {
    (term >> LEAF_BITS << 1 | term & 1) as usize & (SHELVES - 1)
}

/// The term of a shelf and of a length's cell.
fn term(shelf: usize, length: u8) -> u64 {
    (shelf as u64 >> 1) << LEAF_BITS | u64::from(length) << 1 | shelf as u64 & 1
}

/// Parts of an interval's or the ratio's cell that a posting tells apart.
const PARTS: u32 = 4;
/// Parts of a length's cell.
const LENGTH_PARTS: u8 = 8;

/// What a posting tells of its triplet, as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The parts of the cells of both intervals and of the ratio, two bits each.
    parts: u8,
    /// The length's cell and the part of it.
    length: u8,
    /// The anchor's frequency, in units of `POSTING_STEPS`.
    frequency: u8,
}

impl Shape {
    /// What `posting` tells. Any can be read.
    pub fn new(posting: &Posting) -> Shape {
        let payload = posting.payload;
        Shape {
            parts: (payload & 0x3f) as u8,
            length: ((posting.term >> 1 & 0x1f) << 3 | payload >> 6 & 7) as u8,
            frequency: (payload >> 9) as u8,
        }
    }
}

/// Which postings of a shelf may be the triplet of a copy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probe {
    /// A bit for each value of [`Shape::parts`].
    parts: u64,
    /// The shortest and the longest length.
    lengths: [u8; 2],
    /// The lowest and the highest frequency.
    frequencies: [u8; 2],
}

impl Probe {
    /// Whether a posting of the shelf may be the triplet of a copy.
    pub fn meets(&self, shape: Shape) -> bool {
        let within = |[low, high]: [u8; 2], value: u8| value.wrapping_sub(low) <= high - low;
        self.parts >> shape.parts & 1 != 0
            && within(self.lengths, shape.length)
            && within(self.frequencies, shape.frequency)
    }

    /// The terms of `shelf` that hold such postings.
    pub fn terms(&self, shelf: usize) -> RangeInclusive<u64> {
        let [first, last] = self
            .lengths
            .map(|length| term(shelf, length / LENGTH_PARTS));
        first..=last
    }
}

/// Calls `sink` with every shelf on which a reference could have stored `triplet`, each once.
pub fn probes(
    surface: Surface,
    triplet: &Triplet,
    tolerance: &Tolerance,
    sink: &mut impl FnMut(usize, Probe),
) {
    let (Some(lengths), Some(frequencies)) =
        (lengths(triplet, tolerance), frequencies(triplet, tolerance))
    else {
        return;
    };
    let at = triplet.coordinates();
    let interval = tolerance.steps / INTERVAL_CELL as f32;
    let ratio = tolerance.ticks / f32::from(triplet.gaps[1]) * RATIO_CELLS as f32;
    for (a, in_a) in cells(at[0], interval) {
        for (b, in_b) in cells(at[1], interval) {
            let intervals = spread(in_a, in_b, PARTS);
            for (c, in_c) in cells(at[2], ratio) {
                let parts = spread(intervals, in_c, PARTS * PARTS);
                if parts != 0 && (0..RATIO_CELLS).contains(&c) {
                    let probe = Probe {
                        parts,
                        lengths,
                        frequencies,
                    };
                    sink(shelf(pack(surface, [a, b, c, 0])), probe);
                }
            }
        }
    }
}

/// The cells within `reach` of `at`, each with those of its parts (a bit each) whose middle is.
fn cells(at: f32, reach: f32) -> impl Iterator<Item = (i32, u64)> {
    let parts = move |cell: i32| {
        let middle = |part: u32| cell as f32 + (part as f32 + 0.5) / PARTS as f32;
        let fits = move |part: &u32| (middle(*part) - at).abs() <= reach;
        (0..PARTS)
            .filter(fits)
            .fold(0, |bits, part| bits | 1 << part)
    };
    ((at - reach).floor() as i32..=(at + reach).floor() as i32).map(move |cell| (cell, parts(cell)))
}

/// `low`, of so many `bits`, repeated for each of the bits of `high`.
fn spread(low: u64, high: u64, bits: u32) -> u64 {
    let repeats = (0..PARTS).filter(|part| high >> part & 1 != 0);
    repeats.fold(0, |all, part| all | low << (part * bits))
}

/// The shortest and the longest length, in parts of cells, of a triplet at another speed.
fn lengths(triplet: &Triplet, tolerance: &Tolerance) -> Option<[u8; 2]> {
    let length = f32::from(triplet.gaps[1]);
    let first = LENGTHS.partition_point(|l| *l < length / tolerance.speed);
    let last = LENGTHS.partition_point(|l| *l <= length * tolerance.speed);
    let last = last.checked_sub(1).filter(|last| first <= *last)?;
    Some([first as u8, last as u8])
}

/// The lowest and the highest frequency that a posting can tell of a triplet at another pitch.
fn frequencies(triplet: &Triplet, tolerance: &Tolerance) -> Option<[u8; 2]> {
    let reach = tolerance.semitones * STEPS_PER_SEMITONE as f32;
    let unit = |steps: f32| steps / f32::from(POSTING_STEPS) - 0.5;
    let first = unit(f32::from(triplet.frequency) - reach).ceil().max(0.0);
    let last = unit(f32::from(triplet.frequency) + reach)
        .floor()
        .min(255.0);
    (first <= last).then_some([first as u8, last as u8])
}

/// Errors of what a copy keeps of a triplet: of an interval in steps, of a gap in ticks (half are
/// within 1 to 2 and within 5, a tenth beyond 5 and 15)...
const INTERVAL_ERROR: f32 = 2.0;
const GAP_ERROR: f32 = 6.0;
/// ...and of the logarithm of the length: most copies are changed little in speed.
const LENGTH_ERROR: f32 = 0.1;

/// Where the copy of a triplet is likely to be stored.
#[derive(Debug, Clone, Copy)]
pub struct Expectation {
    at: [f32; 4],
    /// One over the error of each.
    precision: [f32; 4],
    reliability: f32,
}

impl Expectation {
    /// Of the triplet of a reference that a query has as `triplet`.
    pub fn new(triplet: &Triplet) -> Expectation {
        let interval = INTERVAL_ERROR / INTERVAL_CELL as f32;
        let ratio = GAP_ERROR / f32::from(triplet.gaps[1].max(1)) * RATIO_CELLS as f32;
        let length = LENGTH_ERROR / LN_2 * LENGTH_CELLS_PER_OCTAVE;
        Expectation {
            at: triplet.coordinates(),
            precision: [interval, interval, ratio, length].map(f32::recip),
            reliability: triplet.reliability,
        }
    }

    /// How likely it is under a term, relative to a triplet of reliability 1 and the term whose cells
    /// hold it: each coordinate by its distance from the term's cell.
    pub fn likelihood(&self, term: u64) -> f32 {
        let part = |shift: u32, bits: u32| (term >> shift & ((1 << bits) - 1)) as f32;
        let cells = [part(17, 7), part(10, 7), part(6, 4), part(1, 5)];
        let mut unlikelihood = 1.0;
        for ((cell, at), precision) in cells.into_iter().zip(self.at).zip(self.precision) {
            let outside = (cell - at).max(at - cell - 1.0).max(0.0) * precision;
            unlikelihood *= 1.0 + outside * outside;
        }
        self.reliability / unlikelihood
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triplets::tests::triplet;
    use crate::triplets::{POSTING_TICKS, Stored, payload};
    use likeness_core::ReferenceId;
    use proptest::prelude::*;

    const TOLERANCE: Tolerance = Tolerance {
        steps: 4.0,
        ticks: 7.0,
        speed: 1.45,
        semitones: 6.6,
    };

    fn posting(triplet: &Triplet) -> Posting {
        Posting {
            term: crate::triplets::term(Surface::Onset, triplet),
            reference: ReferenceId(0),
            time: triplet.time / POSTING_TICKS,
            payload: payload(triplet),
        }
    }

    fn meeting(query: &Triplet, posting: &Posting) -> usize {
        let mut meeting = 0;
        probes(Surface::Onset, query, &TOLERANCE, &mut |at, probe| {
            let here = at == shelf(posting.term) && probe.terms(at).contains(&posting.term);
            meeting += usize::from(here && probe.meets(Shape::new(posting)));
        });
        meeting
    }

    /// What `meeting` should say, in real numbers.
    fn similar(query: &Triplet, posting: &Posting, tolerance: &Tolerance) -> bool {
        let stored = Stored::new(posting);
        let length = f32::from(query.gaps[1]);
        let speed = stored.length / length;
        let apart = |i: usize| (f32::from(query.intervals[i]) - stored.intervals[i]).abs();
        let late = (f32::from(query.gaps[0]) - stored.ratio * length).abs();
        let pitch = (f32::from(query.frequency) - stored.frequency) / STEPS_PER_SEMITONE as f32;
        apart(0).max(apart(1)) <= tolerance.steps
            && late <= tolerance.ticks
            && pitch.abs() <= tolerance.semitones
            && (1.0 / tolerance.speed..=tolerance.speed).contains(&speed)
    }

    fn scaled(by: f32) -> Tolerance {
        Tolerance {
            steps: TOLERANCE.steps * by,
            ticks: TOLERANCE.ticks * by,
            speed: TOLERANCE.speed.powf(by),
            semitones: TOLERANCE.semitones * by,
        }
    }

    proptest! {
        #[test]
        fn a_disguised_triplet_is_met_once(t in triplet(), speed in 0.72..1.39f32, up in -140..140i16) {
            let gaps = t.gaps.map(|g| (f32::from(g) / speed).round() as u16);
            let moved = Triplet { frequency: t.frequency.saturating_add_signed(up), gaps, ..t };
            prop_assert_eq!(meeting(&moved, &posting(&t)), 1);
        }

        #[test]
        fn what_meets_is_what_is_similar(
            t in triplet(),
            change in proptest::array::uniform6(-24..=24i16),
            speed in 0.6..1.6f32,
            up in -200..200i16,
        ) {
            let [a, b, c, d, ..] = change;
            let gaps = [c, d].map(|e| e / 2);
            let gap = |i: usize| ((f32::from(t.gaps[i]) / speed) as u16).saturating_add_signed(gaps[i]).max(1);
            let query = Triplet {
                frequency: t.frequency.saturating_add_signed(up),
                intervals: [t.intervals[0] + a / 4, t.intervals[1] + b / 4],
                gaps: [gap(0), gap(1).max(gap(0) + 8)],
                ..t
            };
            let posting = posting(&t);
            let met = meeting(&query, &posting);
            // But for rounding.
            prop_assert!(met == 1 || !similar(&query, &posting, &scaled(0.999)));
            prop_assert!(met == 0 || similar(&query, &posting, &scaled(1.001)));
        }

        #[test]
        fn the_own_term_is_the_likeliest(t in triplet(), other in triplet()) {
            let expected = Expectation::new(&t);
            prop_assert_eq!(expected.likelihood(posting(&t).term), 1.0);
            let likelihood = expected.likelihood(posting(&other).term);
            prop_assert!((0.0..=1.0).contains(&likelihood));
        }
    }
}
