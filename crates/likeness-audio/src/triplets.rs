//! Peak triplets: an anchor and two later peaks. Their shape - two intervals in log frequency and
//! the ratio of two gaps in time - changes neither with speed nor with pitch, and is the term
//! that is looked up; their position, height and length say by how much both changed.
//!
//! After Sonnleitner & Widmer, "Quad-based audio fingerprinting robust to time and frequency
//! scaling" (2014), and Six & Leman, "Panako" (2014), without an absolute band in the term.

use crate::config::{AudioConfig, Reach};
use likeness_core::audio::{Peak, STEPS_PER_BIN, Surface};
use likeness_core::{AudioFingerprint, Posting, ReferenceId};
use std::borrow::Cow;
use std::f32::consts::LN_2;
use std::sync::LazyLock;

/// Cells of the ratio of the two gaps.
pub(crate) const RATIO_CELLS: i32 = 12;
/// Cells of the length: two to the octave.
pub(crate) const LENGTH_CELLS_PER_OCTAVE: f32 = 2.0;
/// Frequency steps in a cell of an interval.
pub(crate) const INTERVAL_CELL: i32 = STEPS_PER_BIN as i32;
/// Added to a cell so that it is not negative.
const INTERVAL_BIAS: i32 = 64;

/// A triplet of peaks of one surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triplet {
    /// The anchor's time, ticks.
    pub time: u32,
    /// The anchor's frequency, steps.
    pub frequency: u16,
    /// Steps from the anchor up to the first and the second target.
    pub intervals: [i16; 2],
    /// Ticks from the anchor to the first and the second target, ascending.
    pub gaps: [u16; 2],
    /// How likely a reference that sounds like this has the triplet too, relative to the likeliest.
    pub reliability: f32,
}

impl Triplet {
    /// Coordinates of the shape in units of their cells: both intervals, the ratio of the gaps,
    /// the length.
    pub(crate) fn coordinates(&self) -> [f32; 4] {
        let interval = |i: i16| f32::from(i) / INTERVAL_CELL as f32 + INTERVAL_BIAS as f32;
        let ratio = f32::from(self.gaps[0]) / f32::from(self.gaps[1]) * RATIO_CELLS as f32;
        [
            interval(self.intervals[0]),
            interval(self.intervals[1]),
            ratio,
            length_cells(self.gaps[1]),
        ]
    }
}

fn length_cells(ticks: u16) -> f32 {
    f32::from(ticks.max(1)).log2() * LENGTH_CELLS_PER_OCTAVE
}

pub(crate) fn pack(surface: Surface, cells: [i32; 4]) -> u64 {
    let part = |cell: i32, bits: u32| cell.clamp(0, (1 << bits) - 1) as u64;
    let surface = match surface {
        Surface::Onset => 0,
        Surface::Partial => 1,
    };
    ((part(cells[0], 7) << 7 | part(cells[1], 7)) << 4 | part(cells[2], 4)) << 6
        | part(cells[3], 5) << 1
        | surface
}

/// The term of a reference's triplet.
pub fn term(surface: Surface, triplet: &Triplet) -> u64 {
    pack(surface, triplet.coordinates().map(|c| c.floor() as i32))
}

/// Bits of a term below its stem, which is what terms share that differ in length and surface
/// only: the length, and the surface in the lowest.
pub const LEAF_BITS: u32 = 6;
/// Stems there are.
pub const STEMS: usize = 1 << 18;

/// Ticks in a unit of a posting's time.
pub const POSTING_TICKS: u32 = 16;
/// Frequency steps in a unit of a posting's frequency.
pub(crate) const POSTING_STEPS: u16 = 8;

/// What a posting carries besides its time, in as few bits as the first guess at a transform
/// needs (what is exact comes from the fingerprint): the anchor's frequency (8 bits); and the
/// places inside their cells of the intervals (2 + 2 bits), the ratio (2 bits) and the length
/// (3 bits).
pub fn payload(triplet: &Triplet) -> u64 {
    let at = triplet.coordinates();
    let place = |i: usize, parts: f32| ((at[i] - at[i].floor()) * parts).min(parts - 1.0) as u64;
    place(0, 4.0)
        | place(1, 4.0) << 2
        | place(2, 4.0) << 4
        | place(3, 8.0) << 6
        | u64::from(triplet.frequency / POSTING_STEPS) << 9
}

/// What a posting says about the reference's triplet, each value in the middle of its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stored {
    /// The anchor's frequency, steps.
    pub frequency: f32,
    /// Ticks from the anchor to the second target.
    pub length: f32,
    /// Its natural logarithm.
    pub log_length: f32,
    /// Steps from the anchor up to both targets.
    pub intervals: [f32; 2],
    /// First gap over second gap.
    pub ratio: f32,
    /// The anchor's time, ticks.
    pub time: u32,
}

/// Lengths in ticks by their cell (5 bits) and the place inside it (3 bits), ascending.
pub(crate) static LENGTHS: LazyLock<[f32; 256]> =
    LazyLock::new(|| std::array::from_fn(|i| octaves(i).exp2()));

/// Octaves above one tick of a length in [`LENGTHS`].
fn octaves(length: usize) -> f32 {
    (length as f32 + 0.5) / 8.0 / LENGTH_CELLS_PER_OCTAVE
}

impl Stored {
    /// Reads a posting. Anything can come from a file: the values are bounded, not checked.
    pub fn new(posting: &Posting) -> Stored {
        let (term, payload) = (posting.term, posting.payload);
        let at = |cell: u64, bits: u32, place: u64, parts: u64| {
            let cell = (cell & ((1 << bits) - 1)) as f32;
            cell + ((place % parts) as f32 + 0.5) / parts as f32
        };
        let interval = |cell: f32| (cell - INTERVAL_BIAS as f32) * INTERVAL_CELL as f32;
        let frequency = (payload >> 9 & 0xff) as f32 + 0.5;
        let length = ((term >> 1 & 0x1f) << 3 | payload >> 6 & 7) as usize;
        Stored {
            frequency: frequency * f32::from(POSTING_STEPS),
            length: LENGTHS[length],
            log_length: octaves(length) * LN_2,
            intervals: [
                interval(at(term >> 17, 7, payload, 4)),
                interval(at(term >> 10, 7, payload >> 2, 4)),
            ],
            ratio: at(term >> 6, 4, payload >> 4, 4) / RATIO_CELLS as f32,
            time: posting.time.saturating_mul(POSTING_TICKS),
        }
    }
}

/// Calls `sink` with every triplet of `peaks` (ordered by time) within `reach`.
pub fn triplets(peaks: &[Peak], reach: &Reach, sink: &mut impl FnMut(Triplet)) {
    let mut targets: Vec<Peak> = Vec::new();
    let mut kept = Kept::default();
    for (i, anchor) in peaks.iter().enumerate() {
        targets.clear();
        let later = peaks[i + 1..].iter();
        let near = later.take_while(|p| p.time - anchor.time <= reach.max_ticks);
        targets.extend(near.filter(|p| {
            p.time - anchor.time >= reach.min_ticks
                && p.frequency.abs_diff(anchor.frequency) <= reach.max_interval
        }));
        if targets.len() > reach.targets {
            targets.sort_unstable_by_key(by_strength);
            targets.truncate(reach.targets);
        }
        kept.hold(anchor, &targets);
        targets.sort_unstable();
        for (j, first) in targets.iter().enumerate() {
            for second in &targets[j + 1..] {
                if let Some(triplet) = form(anchor, first, second, &kept) {
                    sink(triplet);
                }
            }
        }
    }
}

fn form(anchor: &Peak, first: &Peak, second: &Peak, kept: &Kept) -> Option<Triplet> {
    let gap = |p: &Peak| u16::try_from(p.time - anchor.time).ok();
    let interval = |p: &Peak| p.frequency as i16 - anchor.frequency as i16;
    let gaps = [gap(first)?, gap(second)?];
    // Targets that nearly coincide swap places at the least jitter.
    (gaps[1] - gaps[0] >= 8).then(|| Triplet {
        time: anchor.time,
        frequency: anchor.frequency,
        intervals: [interval(first), interval(second)],
        gaps,
        reliability: kept.reliability(first, second),
    })
}

/// What of an anchor and its targets a reference would keep: the sparse peaks, and of these targets
/// the strongest.
#[derive(Default)]
struct Kept {
    anchor: bool,
    /// The sparse targets, strongest first.
    targets: Vec<Peak>,
}

impl Kept {
    fn hold(&mut self, anchor: &Peak, targets: &[Peak]) {
        self.anchor = anchor.sparse;
        self.targets.clear();
        self.targets.extend(targets.iter().filter(|p| p.sparse));
        self.targets.sort_unstable_by_key(by_strength);
    }

    /// See [`Triplet::reliability`]. Counted on 108 disguised copies of 12 works of the benchmark's
    /// `dev`: of a query's triplets of sparse peaks 16 % are the reference's where the targets are the
    /// two strongest, 4.5 % where the weaker is the third, 2.0 and 0.9 % beyond; a tenth where the
    /// anchor is not sparse, a twentieth where one target is not.
    fn reliability(&self, first: &Peak, second: &Peak) -> f32 {
        let rank = |p: &Peak| self.targets.iter().position(|target| target == p);
        let targets = match (rank(first), rank(second)) {
            (Some(a), Some(b)) => (a.max(b) as f32).powi(-2),
            (None, None) => 0.01,
            _ => 0.05,
        };
        targets * if self.anchor { 1.0 } else { 0.1 }
    }
}

/// Strongest first; of equals the nearer, so that both sides choose alike.
fn by_strength(peak: &Peak) -> (u8, u32, u16) {
    (u8::MAX - peak.strength, peak.time, peak.frequency)
}

/// What a library stores for a reference, in the [`likeness_core::PostingSpace::AudioLandmark`]
/// space. Dense peaks of a dense fingerprint are left out. A posting's time is the anchor's, in
/// units of [`POSTING_TICKS`].
pub fn postings(fingerprint: &AudioFingerprint, reference: ReferenceId) -> Vec<Posting> {
    let reach = AudioConfig::default().reference_reach;
    let mut postings = Vec::new();
    for surface in Surface::ALL {
        let peaks = fingerprint.peaks(surface);
        // Those of a long reference are not held twice.
        let sparse: Cow<'_, [Peak]> = match peaks.iter().all(|p| p.sparse) {
            true => peaks.into(),
            false => peaks.iter().copied().filter(|p| p.sparse).collect(),
        };
        triplets(&sparse, &reach, &mut |triplet| {
            postings.push(Posting {
                term: term(surface, &triplet),
                reference,
                time: triplet.time / POSTING_TICKS,
                payload: payload(&triplet),
            });
        });
    }
    postings.sort_unstable();
    postings
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn triplet() -> impl Strategy<Value = Triplet> {
        let intervals = (-360..=360i16, -360..=360i16);
        (0..2_000_000u32, 0..1296u16, intervals, 34..300u16, 8..45u16).prop_map(
            |(time, frequency, intervals, first, more)| Triplet {
                time,
                frequency,
                intervals: [intervals.0, intervals.1],
                gaps: [first, first + more],
                reliability: 1.0,
            },
        )
    }

    fn stored(triplet: &Triplet) -> (u64, Stored) {
        let posting = Posting {
            term: term(Surface::Partial, triplet),
            reference: ReferenceId(0),
            time: triplet.time / POSTING_TICKS,
            payload: payload(triplet),
        };
        (posting.term, Stored::new(&posting))
    }

    proptest! {
        #[test]
        fn a_posting_says_what_was_stored(t in triplet()) {
            let (_, s) = stored(&t);
            prop_assert!((s.frequency - f32::from(t.frequency)).abs() <= 4.0);
            prop_assert!((s.length / f32::from(t.gaps[1])).ln().abs() < 0.023);
            prop_assert!((s.intervals[0] - f32::from(t.intervals[0])).abs() <= 1.0);
            prop_assert!((s.intervals[1] - f32::from(t.intervals[1])).abs() <= 1.0);
            let ratio = f32::from(t.gaps[0]) / f32::from(t.gaps[1]);
            prop_assert!((s.ratio - ratio).abs() < 0.011);
            prop_assert!(s.time.abs_diff(t.time) < POSTING_TICKS);
        }

        #[test]
        fn any_posting_can_be_read(term: u64, payload: u64, time: u32) {
            let s = Stored::new(&Posting { term, reference: ReferenceId(1), time, payload });
            prop_assert!(s.length.is_finite() && s.length >= 1.0);
        }
    }
}
