//! What a window asks a library for: its triplets by the shelves on which copies of them are, and
//! the terms that are worth their cost.

use super::candidates::{Window, within};
use super::config::AudioMatchConfig;
use crate::budget::{affordable, cost};
use likeness_audio::probes::{Expectation, Probe, SHELVES, Shape, Tolerance, probes, shelf};
use likeness_audio::triplets::{Triplet, triplets};
use likeness_audio::{AudioConfig, Reach};
use likeness_core::audio::Surface;
use likeness_core::{AudioFingerprint, Posting};
use likeness_index::Estimate;
use std::cell::OnceCell;

/// A window's triplets by what they ask for.
pub(super) struct Wanted {
    triplets: Vec<Asking>,
    /// For each shelf the first of its probes, and the end of the last.
    starts: Vec<u32>,
    probes: Vec<Asked>,
}

/// A triplet of the query, with what each of its hits needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    pub(super) triplet: Triplet,
    /// Natural logarithm of its length in ticks.
    pub(super) log_length: f32,
    /// Natural logarithm of its reliability.
    pub(super) log_reliability: f32,
}

impl Asking {
    fn new(triplet: Triplet) -> Asking {
        Asking {
            triplet,
            log_length: f32::from(triplet.gaps[1]).ln(),
            log_reliability: triplet.reliability.ln(),
        }
    }
}

/// What one triplet asks for on one shelf.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    probe: Probe,
    /// Number of the triplet.
    triplet: u32,
}

impl Wanted {
    /// What the triplets of a window ask for.
    pub(super) fn new(
        query: &AudioFingerprint,
        window: Window,
        config: &AudioMatchConfig,
    ) -> Wanted {
        let reach = Reach {
            targets: config.targets,
            ..AudioConfig::default().query_reach
        };
        let tolerance = Tolerance {
            steps: config.interval_tolerance,
            ticks: config.gap_tolerance,
            speed: config.max_speed as f32,
            semitones: config.max_pitch as f32,
        };
        let mut all: Vec<Triplet> = Vec::new();
        let mut asked: Vec<(usize, Asked)> = Vec::new();
        for surface in Surface::ALL {
            let peaks = within(query.peaks(surface), window);
            triplets(peaks, &reach, &mut |found| {
                let triplet = all.len() as u32;
                probes(surface, &found, &tolerance, &mut |shelf, probe| {
                    asked.push((shelf, Asked { probe, triplet }));
                });
                all.push(found);
            });
        }
        Wanted::sorted(all, &asked)
    }

    /// Sorts by counting: there are more probes than shelves.
    fn sorted(triplets: Vec<Triplet>, asked: &[(usize, Asked)]) -> Wanted {
        let mut starts = vec![0u32; SHELVES + 1];
        asked.iter().for_each(|(shelf, _)| starts[shelf + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut probes = vec![Asked::default(); asked.len()];
        for &(shelf, asked) in asked {
            probes[next[shelf] as usize] = asked;
            next[shelf] += 1;
        }
        Wanted {
            triplets: triplets.into_iter().map(Asking::new).collect(),
            starts,
            probes,
        }
    }

    fn on_shelf(&self, shelf: usize) -> &[Asked] {
        &self.probes[self.starts[shelf] as usize..self.starts[shelf + 1] as usize]
    }

    /// All terms that are asked for, ascending.
    pub(super) fn terms(&self) -> Vec<u64> {
        let mut terms = Vec::new();
        // Two shelves, one of each surface, share the part of the term above the length.
        for pair in 0..SHELVES / 2 {
            let (mut leaves, mut base) = (0u64, 0);
            for shelf in [2 * pair, 2 * pair + 1] {
                for asked in self.on_shelf(shelf) {
                    let (first, last) = asked.probe.terms(shelf).into_inner();
                    base = first & !LEAVES;
                    // Every second bit: the lowest of a leaf is the surface.
                    let up_to = u64::MAX >> (LEAVES - (last & LEAVES));
                    leaves |= up_to & (0x5555_5555_5555_5555 << (first & LEAVES));
                }
            }
            while leaves != 0 {
                terms.push(base | u64::from(leaves.trailing_zeros()));
                leaves &= leaves - 1;
            }
        }
        terms
    }

    /// The triplets of which a posting may be a copy.
    pub(super) fn meeting(&self, posting: &Posting) -> impl Iterator<Item = &Asking> {
        let shape = Shape::new(posting);
        let asked = self.on_shelf(shelf(posting.term)).iter();
        asked
            .filter(move |asked| asked.probe.meets(shape))
            .map(|asked| &self.triplets[asked.triplet as usize])
    }

    /// Keeps of `terms`, which cost about so much each, those that the budget affords; see
    /// [`affordable`]. Whether these are little: [`AudioMatchConfig::little_read`].
    pub(super) fn afford(
        &self,
        terms: &mut Vec<u64>,
        estimates: &[Estimate],
        config: &AudioMatchConfig,
    ) -> bool {
        let cost =
            |(&term, estimate): (&u64, &Estimate)| cost(estimate, self.on_shelf(shelf(term)).len());
        let costs: Vec<u64> = terms.iter().zip(estimates).map(cost).collect();
        let little = config.little_read * costs.iter().sum::<u64>() as f64;
        let little = (config.posting_budget as f64) < little;
        let budget = match little {
            true => config.posting_budget_of_little,
            false => config.posting_budget,
        };
        let expected: OnceCell<Vec<Expectation>> = OnceCell::new();
        let promise = |i: usize| {
            let asking = self.triplets.iter();
            let all = || asking.map(|a| Expectation::new(&a.triplet)).collect();
            self.promise(terms[i], expected.get_or_init(all))
        };
        if let Some(kept) = affordable(&costs, promise, budget) {
            let mut kept = kept.into_iter();
            terms.retain(|_| kept.next() == Some(true));
        }
        little
    }

    /// How many triplets of a copy a term is likely to hold; `expected` says where each may be.
    fn promise(&self, term: u64, expected: &[Expectation]) -> f32 {
        let shelf = shelf(term);
        let asking = self.on_shelf(shelf).iter();
        let asking = asking.filter(|asked| asked.probe.terms(shelf).contains(&term));
        asking
            .map(|asked| expected[asked.triplet as usize].likelihood(term))
            .sum()
    }
}

/// Mask of the bits of a term below what the shelves of both surfaces share.
const LEAVES: u64 = (1 << likeness_audio::triplets::LEAF_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn triplet() -> impl Strategy<Value = Triplet> {
        let intervals = (-360..=360i16, -360..=360i16);
        (0..5000u32, 0..1296u16, intervals, 34..300u16, 8..45u16).prop_map(
            |(time, frequency, intervals, first, more)| Triplet {
                time,
                frequency,
                intervals: [intervals.0, intervals.1],
                gaps: [first, first + more],
                reliability: 1.0,
            },
        )
    }

    fn wanted(triplets: Vec<Triplet>) -> Wanted {
        let tolerance = Tolerance {
            steps: 5.0,
            ticks: 15.0,
            speed: 1.45,
            semitones: 6.6,
        };
        let mut asked = Vec::new();
        for (number, triplet) in (0..).zip(&triplets) {
            let surface = Surface::ALL[number as usize % 2];
            probes(surface, triplet, &tolerance, &mut |shelf, probe| {
                let triplet = number;
                asked.push((shelf, Asked { probe, triplet }));
            });
        }
        Wanted::sorted(triplets, &asked)
    }

    proptest! {
        #[test]
        fn terms_are_those_of_the_probes(triplets in proptest::collection::vec(triplet(), 0..40)) {
            let wanted = wanted(triplets);
            let mut expected: Vec<u64> = (0..SHELVES)
                .flat_map(|shelf| wanted.on_shelf(shelf).iter().map(move |a| (shelf, a.probe)))
                .flat_map(|(shelf, probe)| probe.terms(shelf).step_by(2))
                .collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(wanted.terms(), expected);
        }
    }

    #[test]
    fn of_two_terms_the_likelier_and_the_rarer_are_looked_up() {
        let triplet = Triplet {
            time: 0,
            frequency: 600,
            // In the middle of their cells.
            intervals: [100, -100],
            gaps: [105, 200],
            reliability: 1.0,
        };
        let wanted = wanted(vec![triplet]);
        let terms = wanted.terms();
        let own = likeness_audio::triplets::term(Surface::ALL[0], &triplet);
        let check = |postings: &dyn Fn(u64) -> u32, budget: u64, want: &[u64]| {
            let estimate = |&term: &u64| Estimate {
                postings: postings(term),
                passed: 0,
            };
            let estimates: Vec<Estimate> = terms.iter().map(estimate).collect();
            let mut kept = terms.clone();
            let config = AudioMatchConfig {
                posting_budget: budget,
                posting_budget_of_little: budget,
                ..AudioMatchConfig::default()
            };
            wanted.afford(&mut kept, &estimates, &config);
            assert_eq!(kept, want, "{budget}");
        };
        let few = Estimate {
            postings: 10,
            passed: 0,
        };
        check(&|_| 10, cost(&few, 1), &[own]);
        let rare = |term| if term == terms[0] { 10 } else { 10_000 };
        check(&rare, cost(&few, 1), &[terms[0]]);
    }
}
