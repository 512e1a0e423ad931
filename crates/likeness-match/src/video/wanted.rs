//! What a window of query keyframes asks a library for: terms of its keypoints, all of them where that
//! costs little, and otherwise those that promise the most for what they cost.

use super::config::VideoMatchConfig;
use super::scan;
use crate::budget::{affordable, cost};
use likeness_core::Posting;
use likeness_core::video::Keyframe;
use likeness_index::{Estimate, Store, StoreError};
use likeness_video::{mirrored, mirrored_angle, words};
use std::ops::Range;

/// A keypoint of the window, or its mirror twin.
pub(super) struct Point {
    /// Number of the keyframe in the window.
    pub frame: u32,
    /// Number of the keypoint in the keyframe.
    pub keypoint: u32,
    pub mirrored: bool,
    pub angle: u8,
    residual: u32,
    /// Whether a reference that shows the same would keep it.
    sparse: bool,
}

/// Terms to look up, and the points that ask for each.
pub(super) struct Wanted {
    pub points: Vec<Point>,
    /// Whether nothing is left out: terms are first words, and worth their cost.
    pub all: bool,
    /// The lowest bits of terms that do not matter: the more, the more postings a term has.
    free: u32,
    /// Ascending.
    terms: Vec<u64>,
    /// The entries of each term.
    ranges: Vec<Range<usize>>,
    /// How many keypoints of a copy each term is likely to hold, relative to other terms.
    promises: Vec<f32>,
    entries: Vec<scan::Entry>,
}

impl Wanted {
    /// What a window asks a store for.
    pub(super) fn new(
        window: &[Keyframe],
        store: &dyn Store,
        config: &VideoMatchConfig,
    ) -> Result<Wanted, StoreError> {
        let points = points(window);
        let short = (words::WORD_BITS, u32::MAX);
        let mut wanted = Wanted::of(points, window, short, config.probes_per_term);
        if wanted.affords(store, config.exhaustive_budget)? {
            wanted.all = true;
            return Ok(wanted);
        }
        let long = (config.free_bits, config.flips);
        let mut wanted = Wanted::of(wanted.points, window, long, config.probes_per_long_term);
        wanted.affords(store, config.posting_budget)?;
        Ok(wanted)
    }

    /// Calls `sink` with every point that a posting resembles: all but so many residual bits are the same.
    pub(super) fn meet(
        &self,
        store: &dyn Store,
        distance: u32,
        mut sink: impl FnMut(u32, u32, &Posting),
    ) -> Result<(), StoreError> {
        store.postings(words::SPACE, self.free, &self.terms, &mut |i, posting| {
            let posting = words::complete(&posting);
            let residual = words::unpack(posting.payload).residual as u32;
            let asking = &self.entries[self.ranges[i].clone()];
            scan::near(asking, residual, distance, |point, distance| {
                sink(point, distance, &posting);
            });
        })
    }

    /// The terms of points, spelled as [`words::probes`] does, and of each term the points, `most` at most.
    fn of(points: Vec<Point>, window: &[Keyframe], spelling: (u32, u32), most: usize) -> Wanted {
        let mut probes: Vec<Probe> = Vec::new();
        for (number, point) in (0..).zip(&points) {
            let keypoint = &window[point.frame as usize].keypoints[point.keypoint as usize];
            words::probes(keypoint, point.mirrored, spelling, |term, flips| {
                probes.push(Probe {
                    term,
                    point: number,
                    flips: flips as u8,
                });
            });
        }
        let free = spelling.0;
        let probes = sorted(probes, words::WORD_BITS - free);
        let mut wanted = Wanted {
            points,
            all: false,
            free,
            terms: Vec::new(),
            ranges: Vec::new(),
            promises: Vec::new(),
            entries: Vec::with_capacity(probes.len()),
        };
        for same in probes.chunk_by(|a, b| a.term == b.term) {
            wanted.push(same, most);
        }
        wanted
    }

    /// Adds the probes of one term. Of more than `most`, an even sample is kept: patches that common hardly
    /// tell anything.
    fn push(&mut self, same: &[Probe], most: usize) {
        let start = self.entries.len();
        let sample = same.iter().step_by(same.len().div_ceil(most));
        let mut promise = 0.0;
        for probe in sample {
            let point = &self.points[probe.point as usize];
            self.entries.push((point.residual, probe.point));
            let strong = if point.sparse { STRONG } else { 1.0 };
            promise += strong * FLIPPED.powi(probe.flips.into());
        }
        self.terms.push(same[0].term);
        self.ranges.push(start..self.entries.len());
        self.promises.push(promise);
    }

    /// Whether all terms are worth their cost; otherwise keeps those that the budget affords.
    fn affords(&mut self, store: &dyn Store, budget: u64) -> Result<bool, StoreError> {
        let estimates = store.estimates(words::SPACE, self.free, &self.terms)?;
        let price = |(estimate, range): (&Estimate, &Range<usize>)| cost(estimate, range.len());
        let costs: Vec<u64> = estimates.iter().zip(&self.ranges).map(price).collect();
        let Some(kept) = affordable(&costs, |i| self.promises[i], budget) else {
            return Ok(true);
        };
        let mut keep = kept.iter();
        self.terms.retain(|_| keep.next().is_some_and(|kept| *kept));
        let mut keep = kept.iter();
        self.ranges
            .retain(|_| keep.next().is_some_and(|kept| *kept));
        Ok(false)
    }
}

/// The keypoints of the window and their mirror twins.
fn points(window: &[Keyframe]) -> Vec<Point> {
    let mut points = Vec::new();
    for (frame, keyframe) in (0..).zip(window) {
        for (number, keypoint) in (0..).zip(&keyframe.keypoints) {
            let own = Point {
                frame,
                keypoint: number,
                mirrored: false,
                sparse: number < u32::from(keyframe.sparse),
                angle: keypoint.angle,
                residual: words::residual(keypoint.descriptor) as u32,
            };
            let twin = Point {
                mirrored: true,
                angle: mirrored_angle(keypoint.angle),
                residual: words::residual(mirrored(keypoint.descriptor)) as u32,
                ..own
            };
            points.extend([own, twin]);
        }
    }
    points
}

/// A term that is tried for a point.
#[derive(Clone, Copy)]
struct Probe {
    term: u64,
    point: u32,
    /// Bits in which the term differs from the point's own.
    flips: u8,
}

/// How likely it is that a copy's keypoint has one weak bit flipped, relative to not.
const FLIPPED: f32 = 0.35;
/// How much likelier it is that a reference has a keypoint of the query's sparse form than another: of the
/// keypoints of copies 43 in a hundred are found again, of the others 22 (docs/experiments-video.md).
const STRONG: f32 = 2.0;

/// Sorts probes by term and then point, in which order those of each term are given. By counting first words,
/// which lie above `below` bits: probes are many and these are few.
fn sorted(probes: Vec<Probe>, below: u32) -> Vec<Probe> {
    let size = words::TABLES << words::WORD_BITS;
    let word = |probe: &Probe| (probe.term >> below) as usize;
    let mut next = vec![0; size + 1];
    for probe in &probes {
        next[word(probe) + 1] += 1;
    }
    for i in 0..size {
        next[i + 1] += next[i];
    }
    let none = Probe {
        term: 0,
        point: 0,
        flips: 0,
    };
    let mut sorted = vec![none; probes.len()];
    for probe in &probes {
        let place: &mut usize = &mut next[word(probe)];
        sorted[*place] = *probe;
        *place += 1;
    }
    if below > 0 {
        let mut start = 0;
        for &end in &next[..size] {
            sorted[start..end].sort_unstable_by_key(|probe| (probe.term, probe.point));
            start = end;
        }
    }
    sorted
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use likeness_core::video::{Descriptor, Keypoint};
    use likeness_core::{Density, Fingerprint, ReferenceId, StreamState};
    use likeness_index::MemoryStore;
    use std::collections::BTreeSet;

    /// Pseudo-random numbers (Marsaglia, "Xorshift RNGs", 2003).
    pub(in crate::video) fn random(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    fn keypoint(descriptor: Descriptor, weak: Descriptor) -> Keypoint {
        Keypoint {
            x: 100,
            y: 200,
            level: 3,
            angle: 7,
            weak,
            descriptor,
        }
    }

    /// Patches of which every query keypoint is one, with some of the bits flipped that are weak and a few
    /// that are not.
    fn scene(count: usize) -> (MemoryStore, Vec<Keypoint>, Keyframe) {
        let mut next = random(7);
        let mut half = || next() as u32;
        let stored: Vec<Keypoint> = (0..count)
            .map(|_| keypoint([half(), half()], [0; 2]))
            .collect();
        let query = |(i, point): (usize, &Keypoint)| {
            let weak = [half() & half(), half() & half()];
            let few = |bits: u32| bits & bits.wrapping_neg();
            let mut flipped = [few(weak[0]), 0];
            if i.is_multiple_of(3) {
                flipped[1] = few(half());
            }
            let [a, b] = point.descriptor;
            keypoint([a ^ flipped[0], b ^ flipped[1]], weak)
        };
        let keypoints: Vec<Keypoint> = stored.iter().enumerate().map(query).collect();
        let mut store = MemoryStore::default();
        let nothing = Fingerprint {
            content: [0; 32],
            duration: 0.0,
            density: Density::Reference,
            audio: StreamState::Absent,
            video: StreamState::Absent,
        };
        let postings = (0..).zip(&stored).flat_map(|(time, point)| {
            (0..words::TABLES).map(move |table| words::posting(point, table, ReferenceId(0), time))
        });
        store.add(nothing, [Vec::new(), postings.collect(), Vec::new()]);
        let frame = Keyframe {
            slot: 0,
            time_ms: 0,
            sparse: (count / 2) as u16,
            keypoints,
        };
        (store, stored, frame)
    }

    /// (keypoint of the query, whether mirrored, keypoint that is stored), with a budget.
    fn found(
        store: &MemoryStore,
        frame: &Keyframe,
        config: &VideoMatchConfig,
    ) -> BTreeSet<(u32, bool, u32)> {
        let wanted = Wanted::new(std::slice::from_ref(frame), store, config).expect("in memory");
        let mut met = BTreeSet::new();
        let mut take = |point: u32, _: u32, posting: &Posting| {
            let point = &wanted.points[point as usize];
            met.insert((point.keypoint, point.mirrored, posting.time));
        };
        let all = wanted.meet(store, config.residual_distance, &mut take);
        all.expect("in memory");
        met
    }

    /// What comparing all with all finds: first words that differ in weak bits only, and few other bits.
    fn expected(
        stored: &[Keypoint],
        frame: &Keyframe,
        config: &VideoMatchConfig,
    ) -> BTreeSet<(u32, bool, u32)> {
        let mut expected = BTreeSet::new();
        for (number, point) in (0..).zip(&frame.keypoints) {
            for flip in [false, true] {
                let turned = |halves: Descriptor| if flip { mirrored(halves) } else { halves };
                let (own, weak) = (turned(point.descriptor), turned(point.weak));
                for (time, other) in (0..).zip(stored) {
                    let far = words::residual(own) ^ words::residual(other.descriptor);
                    let first = (0..words::TABLES).any(|table| {
                        let word = |d: Descriptor| words::term(d, table) >> words::WORD_BITS;
                        let mask = word(weak) & ((1 << words::WORD_BITS) - 1);
                        (word(own) ^ word(other.descriptor)) & !mask == 0
                    });
                    if first && far.count_ones() <= config.residual_distance {
                        expected.insert((number, flip, time));
                    }
                }
            }
        }
        expected
    }

    #[test]
    fn a_small_library_is_searched_as_by_comparing_all_and_a_large_one_for_some_of_it() {
        let (store, stored, frame) = scene(300);
        let config = VideoMatchConfig {
            probes_per_term: usize::MAX,
            probes_per_long_term: usize::MAX,
            ..VideoMatchConfig::default()
        };
        let all = expected(&stored, &frame, &config);
        assert!(all.len() >= 250, "{}", all.len());
        assert_eq!(found(&store, &frame, &config), all);
        let mut before = all.len();
        for (budget, least) in [(1_000_000, 200), (20_000, 20), (0, 0)] {
            let config = VideoMatchConfig {
                exhaustive_budget: budget,
                posting_budget: budget,
                ..config.clone()
            };
            let some = found(&store, &frame, &config);
            assert!(some.is_subset(&all), "{budget}");
            assert!(
                (least..=before).contains(&some.len()),
                "{budget}: {}",
                some.len()
            );
            before = some.len();
        }
    }
}
