//! A window's triplets to hits: places in references that hold a triplet of the same shape.

use super::config::AudioMatchConfig;
use likeness_audio::triplets::{
    LEAF_BITS, STEMS, Stored, Tolerance, Triplet, probes, stem, triplets,
};
use likeness_audio::{AudioConfig, Reach};
use likeness_core::audio::{Peak, STEPS_PER_SEMITONE, Surface, TICKS_PER_SECOND};
use likeness_core::{AudioFingerprint, PostingSpace, ReferenceId};
use likeness_index::{Store, StoreError};
use std::f64::consts::LN_2;

/// A stretch of the query, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Start.
    pub start: f64,
    /// End.
    pub end: f64,
}

impl Window {
    /// The middle.
    pub fn centre(&self) -> f64 {
        (self.start + self.end) / 2.0
    }
}

/// One triplet of the query met one of a reference: by itself a guess at the whole transform.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) reference: ReferenceId,
    /// When in the query.
    pub(super) time: f32,
    /// Logarithm of the speed.
    pub(super) log_speed: f32,
    /// Semitones.
    pub(super) pitch: f32,
    /// Reference time at the window's centre.
    pub(super) offset: f32,
    /// How rare the term is and how well the shapes fit, natural log.
    pub(super) weight: f32,
    term: u32,
}

impl Hit {
    /// What a chroma patch proposes that lies at `time` seconds of the query; `likeness` below 1.
    pub(super) fn alike(
        reference: ReferenceId,
        time: f64,
        speed: f64,
        pitch: f64,
        offset: f64,
        likeness: f32,
    ) -> Hit {
        Hit {
            reference,
            time: time as f32,
            log_speed: speed.ln() as f32,
            pitch: pitch as f32,
            offset: offset as f32,
            // As the verification weighs a correlation.
            weight: -(1.0 - likeness * likeness).max(0.01).ln(),
            term: 0,
        }
    }
}

/// Looks the window's triplets up.
pub(super) fn look_up(
    query: &AudioFingerprint,
    window: Window,
    store: &dyn Store,
    config: &AudioMatchConfig,
) -> Result<Vec<Hit>, StoreError> {
    let probes = Probes::new(query, window, config);
    let terms = affordable(&probes, store, config.posting_budget)?;
    let mut counts = vec![0u32; terms.len()];
    let mut hits: Vec<Hit> = Vec::new();
    store.postings(PostingSpace::AudioLandmark, &terms, &mut |term, posting| {
        counts[term] += 1;
        let stored = Stored::new(&posting);
        for triplet in probes.asking(posting.term) {
            if let Some(hit) = meet(triplet, &stored, posting.reference, term, window, config) {
                hits.push(hit);
            }
        }
    })?;
    weigh(&mut hits, &counts, config);
    Ok(hits)
}

/// The terms to look up, ascending: those with the fewest postings, as far as the budget goes. A
/// triplet is as likely to be the reference's under a rare term as under a common one, which
/// costs more and brings more chance meetings with it. All terms where the library is small.
fn affordable(probes: &Probes, store: &dyn Store, budget: u64) -> Result<Vec<u64>, StoreError> {
    let mut terms = probes.terms();
    let estimates = store.posting_estimates(PostingSpace::AudioLandmark, &terms)?;
    // By quarters of a power of two, to sort by counting.
    let price = |estimate: u32| (f64::from(estimate).ln_1p() / LN_2 * 4.0) as usize;
    let mut costs = [0u64; 4 * 33];
    for (&term, &estimate) in terms.iter().zip(&estimates) {
        let asking = probes.on_shelf(shelf(term)).len() as u64;
        costs[price(estimate)] += u64::from(estimate) * asking;
    }
    let mut spent = 0;
    let dear = costs.iter().position(|cost| {
        spent += cost;
        spent > budget
    });
    if let Some(dear) = dear {
        let mut estimates = estimates.into_iter();
        terms.retain(|_| {
            estimates
                .next()
                .is_some_and(|estimate| price(estimate) < dear)
        });
    }
    Ok(terms)
}

/// A window's triplets by the terms that they ask for.
struct Probes {
    triplets: Vec<Triplet>,
    /// For each stem and surface the first of its probes.
    starts: Vec<u32>,
    /// Numbers of triplets, and the leaves of the shortest and the longest length they ask for.
    probes: Vec<(u32, [u8; 2])>,
}

/// Mask of the bits of a term below its stem.
const LEAVES: u64 = (1 << LEAF_BITS) - 1;

/// Number of a term's stem and surface together.
fn shelf(term: u64) -> usize {
    stem(term) << 1 | (term & 1) as usize
}

impl Probes {
    fn new(query: &AudioFingerprint, window: Window, config: &AudioMatchConfig) -> Probes {
        let reach = Reach {
            targets: config.targets,
            ..AudioConfig::default().query_reach
        };
        let tolerance = Tolerance {
            steps: config.interval_tolerance,
            ticks: config.gap_tolerance,
            speed: config.max_speed as f32,
        };
        let mut all: Vec<Triplet> = Vec::new();
        let mut asked: Vec<(u32, u32, [u8; 2])> = Vec::new();
        for surface in Surface::ALL {
            let peaks = within(query.peaks(surface), window);
            triplets(peaks, &reach, &mut |triplet| {
                let number = all.len() as u32;
                probes(surface, &triplet, &tolerance, &mut |terms| {
                    let leaves = [*terms.start(), *terms.end()].map(|t| (t & LEAVES) as u8);
                    asked.push((shelf(*terms.start()) as u32, number, leaves));
                });
                all.push(triplet);
            });
        }
        // Sorted by counting: there are more probes than shelves.
        let mut starts = vec![0u32; 2 * STEMS + 1];
        asked
            .iter()
            .for_each(|probe| starts[probe.0 as usize + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut sorted = vec![(0, [0; 2]); asked.len()];
        for (shelf, number, leaves) in asked {
            let at = &mut next[shelf as usize];
            sorted[*at as usize] = (number, leaves);
            *at += 1;
        }
        Probes {
            triplets: all,
            starts,
            probes: sorted,
        }
    }

    fn on_shelf(&self, shelf: usize) -> &[(u32, [u8; 2])] {
        &self.probes[self.starts[shelf] as usize..self.starts[shelf + 1] as usize]
    }

    /// All terms that are asked for, ascending.
    fn terms(&self) -> Vec<u64> {
        let mut terms = Vec::new();
        for stem in 0..STEMS {
            let mut leaves = 0u64;
            for surface in 0..2 {
                for (_, [first, last]) in self.on_shelf(stem << 1 | surface) {
                    // Every second bit: the lowest of a leaf is the surface.
                    let up_to = u64::MAX >> (63 - last);
                    leaves |= up_to & (0x5555_5555_5555_5555 << first);
                }
            }
            while leaves != 0 {
                terms.push((stem as u64) << LEAF_BITS | u64::from(leaves.trailing_zeros()));
                leaves &= leaves - 1;
            }
        }
        terms
    }

    /// The triplets that ask for a term.
    fn asking(&self, term: u64) -> impl Iterator<Item = &Triplet> {
        let leaf = (term & LEAVES) as u8;
        let probes = self.on_shelf(shelf(term)).iter();
        probes
            .filter(move |(_, [first, last])| (*first..=*last).contains(&leaf))
            .map(|(number, _)| &self.triplets[*number as usize])
    }
}

/// The peaks inside a window.
pub(super) fn within(peaks: &[Peak], window: Window) -> &[Peak] {
    let at = |seconds: f64| {
        let tick = (seconds.max(0.0) * TICKS_PER_SECOND) as u32;
        peaks.partition_point(|p| p.time < tick)
    };
    let start = at(window.start);
    &peaks[start..at(window.end).max(start)]
}

/// Errors of a true hit, roughly: of an interval in steps, of a gap in ticks.
const INTERVAL_ERROR: f32 = 2.5;
const GAP_ERROR: f32 = 6.0;

/// The transform that two triplets of nearly the same shape propose.
fn meet(
    triplet: &Triplet,
    stored: &Stored,
    reference: ReferenceId,
    term: usize,
    window: Window,
    config: &AudioMatchConfig,
) -> Option<Hit> {
    let apart = |i: usize| (f32::from(triplet.intervals[i]) - stored.intervals[i]).abs();
    if apart(0) > config.interval_tolerance || apart(1) > config.interval_tolerance {
        return None;
    }
    let length = f32::from(triplet.gaps[1]);
    let late = (f32::from(triplet.gaps[0]) - stored.ratio * length).abs();
    let pitch = (f32::from(triplet.frequency) - stored.frequency) / STEPS_PER_SEMITONE as f32;
    if late > config.gap_tolerance || pitch.abs() > config.max_pitch as f32 {
        return None;
    }
    let speed = f64::from(stored.length / length);
    if speed > config.max_speed || speed * config.max_speed < 1.0 {
        return None;
    }
    let time = f64::from(triplet.time) / TICKS_PER_SECOND;
    let there = f64::from(stored.time) / TICKS_PER_SECOND;
    let misfit = (apart(0) + apart(1)) / INTERVAL_ERROR + late / GAP_ERROR;
    Some(Hit {
        reference,
        time: time as f32,
        log_speed: speed.ln() as f32,
        pitch,
        offset: (there + (window.centre() - time) * speed) as f32,
        weight: FIT * (1.0 - misfit / 2.0),
        term: term as u32,
    })
}

/// What an exact fit adds to a hit's weight; a poor one takes away.
const FIT: f32 = 1.5;
/// The least weight.
const LEAST: f32 = 0.3;

/// Weighs each hit by its term's rarity and its fit, and drops those of terms that occur
/// everywhere.
fn weigh(hits: &mut Vec<Hit>, counts: &[u32], config: &AudioMatchConfig) {
    let occurring = counts.iter().filter(|&&c| c > 0).count().max(1);
    let total: f64 = counts.iter().map(|&c| f64::from(c)).sum();
    let mean = total / occurring as f64;
    let cap = (mean * config.stop_ratio).max(config.stop_postings as f64);
    let rarity: Vec<f32> = counts
        .iter()
        .map(|&count| (1.0 + cap / f64::from(count.max(1))).ln() as f32)
        .collect();
    hits.retain_mut(|hit| {
        hit.weight = (hit.weight + rarity[hit.term as usize]).max(LEAST);
        f64::from(counts[hit.term as usize]) <= cap
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_core::{Density, Fingerprint, Posting, StreamState};
    use likeness_index::MemoryStore;

    /// A store in which term `t << LEAF_BITS` has `lengths[t]` postings.
    fn store(lengths: &[u32]) -> MemoryStore {
        let posting = |(stem, time): (usize, u32)| Posting {
            term: (stem as u64) << LEAF_BITS,
            reference: ReferenceId(0),
            time,
            payload: 0,
        };
        let all = lengths.iter().enumerate();
        let all = all.flat_map(|(stem, &length)| (0..length).map(move |time| (stem, time)));
        let fingerprint = Fingerprint {
            content: [0; 32],
            duration: 1.0,
            density: Density::Reference,
            audio: StreamState::Absent,
            video: StreamState::Absent,
        };
        let mut store = MemoryStore::default();
        store.add(fingerprint, [all.map(posting).collect(), vec![], vec![]]);
        store
    }

    /// For each of the first stems so many probes for its first leaf.
    fn probes(asking: &[u32]) -> Probes {
        let mut starts = vec![0; 2 * STEMS + 1];
        for (shelf, start) in starts.iter_mut().enumerate().skip(1) {
            *start = asking.iter().take(shelf.div_ceil(2)).sum();
        }
        Probes {
            triplets: Vec::new(),
            probes: vec![(0, [0, 0]); asking.iter().sum::<u32>() as usize],
            starts,
        }
    }

    #[test]
    fn the_cheapest_terms_are_looked_up() {
        let store = store(&[1000, 10, 3, 0, 100]);
        let probes = probes(&[1, 2, 1, 1, 1]);
        let check = |budget: u64, want: &[u64]| {
            let terms = affordable(&probes, &store, budget).expect("a store in memory");
            let stems: Vec<u64> = terms.iter().map(|term| term >> LEAF_BITS).collect();
            assert_eq!(stems, want, "{budget}");
        };
        check(0, &[3]);
        check(22, &[2, 3]);
        // A term that two ask for costs twice.
        check(23, &[1, 2, 3]);
        check(1122, &[1, 2, 3, 4]);
        check(1123, &[0, 1, 2, 3, 4]);
    }
}
