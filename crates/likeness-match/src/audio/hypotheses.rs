//! Hits to hypotheses: cells of (reference, pitch, speed, offset) that hits from many moments of
//! the query agree on.

use super::candidates::{Hit, Window};
use super::config::AudioMatchConfig;
use likeness_core::ReferenceId;

/// Slots of a window that votes are counted in.
const SLOTS: usize = 64;
const SPEED_BIAS: i64 = 32;
const PITCH_BIAS: i64 = 32;
const OFFSET_BIAS: i64 = 4096;

/// A transform worth verifying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hypothesis {
    /// The reference.
    pub reference: ReferenceId,
    /// Logarithm of the speed.
    pub log_speed: f64,
    /// Semitones.
    pub pitch: f64,
    /// Reference time at the window's centre.
    pub offset: f64,
    /// Sum of the best vote of every slot.
    pub votes: f64,
}

/// What a hit says for a cell, beside the hits of its neighbourhood: each is counted for many cells.
#[derive(Debug, Clone, Copy)]
struct Ballot {
    weight: f32,
    /// Of the window's [`SLOTS`].
    slot: u8,
}

impl Ballot {
    fn of(hit: &Hit, slots: &Slots) -> Ballot {
        Ballot {
            weight: hit.weight,
            slot: slots.at(hit.time),
        }
    }
}

/// How a window is divided into [`SLOTS`].
struct Slots {
    start: f32,
    per_second: f32,
}

impl Slots {
    fn of(window: Window, config: &AudioMatchConfig) -> Slots {
        let length = ((window.end - window.start) / SLOTS as f64).max(config.slot);
        Slots {
            start: window.start as f32,
            per_second: (1.0 / length) as f32,
        }
    }

    fn at(&self, time: f32) -> u8 {
        let slot = ((time - self.start) * self.per_second).max(0.0);
        slot.min(SLOTS as f32 - 1.0) as u8
    }
}

/// Hits of one cell.
struct Cell {
    key: u64,
    start: usize,
    end: usize,
}

/// The transforms with the most independent votes, best first: hits gather in cells, and those of
/// the fullest cells are brought into line.
///
/// `company` is what hits must have to be looked at. There are `most` transforms at most.
pub(super) fn vote(
    hits: &[Hit],
    company: Company,
    most: usize,
    window: Window,
    config: &AudioMatchConfig,
) -> Vec<Hypothesis> {
    let slots = Slots::of(window, config);
    let hits = crowded(hits, company, &slots, config);
    let mut keyed: Vec<(u64, u32)> = hits
        .iter()
        .enumerate()
        .map(|(i, hit)| (key(hit, config), i as u32))
        .collect();
    keyed.sort_unstable();
    let cells = cells(&keyed);
    let ballots: Vec<Ballot> = keyed
        .iter()
        .map(|&(_, i)| Ballot::of(hits[i as usize], &slots))
        .collect();
    let mut scored = score(&cells, &ballots, company.least());
    scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut chosen: Vec<u64> = Vec::new();
    for (_, key) in scored {
        if chosen.len() >= config.max_cells {
            break;
        }
        let same = chosen.iter().filter(|k| **k >> 32 == key >> 32).count();
        if same < config.max_per_reference && !chosen.iter().any(|k| adjacent(*k, key)) {
            chosen.push(key);
        }
    }
    let line = |key: u64| {
        let near = neighbours(&cells, key).flat_map(|cell| &keyed[cell.start..cell.end]);
        align(
            near.map(|&(_, i)| hits[i as usize]).collect(),
            window.centre(),
            &slots,
        )
    };
    let mut lines: Vec<Hypothesis> = chosen.into_iter().filter_map(line).collect();
    lines.sort_by(|a, b| b.votes.total_cmp(&a.votes));
    lines.truncate(most);
    lines
}

/// The votes for each cell from it and its neighbours, and its key; cells of fewer than `least` hits are
/// left out.
fn score(cells: &[Cell], ballots: &[Ballot], least: u8) -> Vec<(f32, u64)> {
    let mut scored = Vec::new();
    // As keys ascend, so do the beginnings of their neighbours' lines.
    let mut firsts = [0usize; 9];
    for cell in cells {
        let mut near: [&[Ballot]; 9] = [&[]; 9];
        for ((low, high), (first, near)) in lines(cell.key).zip(firsts.iter_mut().zip(&mut near)) {
            while cells.get(*first).is_some_and(|c| c.key < low) {
                *first += 1;
            }
            let line = cells[*first..].iter().take_while(|c| c.key <= high);
            if let Some(last) = line.last() {
                *near = &ballots[cells[*first].start..last.end];
            }
        }
        if near.iter().map(|line| line.len()).sum::<usize>() >= usize::from(least) {
            scored.push((votes(near.into_iter().flatten()), cell.key));
        }
    }
    scored
}

/// Sizes of the coarse cells that tell crowds from strays, in voting cells: pitch, speed, offset.
const CROWD: [f64; 3] = [2.0, 5.0, 4.0];
/// What a hit must have nearby to be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Company {
    /// Hits at so many moments of the query, its own included. Hits of one moment share peaks: they come
    /// together, and go astray together.
    Moments(u8),
    /// So many hits, itself included.
    Hits(u8),
}

/// What it must have as a rule.
pub(super) const COMPANY: Company = Company::Moments(2);
/// Where little was read a copy may have no more; but so many places there are then that strays hardly meet.
pub(super) const COMPANY_OF_LITTLE: Company = Company::Hits(2);

impl Company {
    fn least(self) -> u8 {
        match self {
            Company::Moments(least) | Company::Hits(least) => least,
        }
    }
}

/// Most of the company that is counted.
const CROWD_BITS: u8 = u16::BITS as u8;

/// The hits that have company nearby, by a rough count in two grids, one shifted against the other by half
/// a cell: most hits are strays, and sorting them costs more than all that follows. Where that leaves more
/// than [`AudioMatchConfig::max_crowd`] with company at several moments, those with the most.
fn crowded<'a>(
    hits: &'a [Hit],
    company: Company,
    slots: &Slots,
    config: &AudioMatchConfig,
) -> Vec<&'a Hit> {
    let bits = (hits.len() * 4).max(256).next_power_of_two().ilog2();
    let sizes = [config.pitch_cell, config.speed_cell, config.offset_cell];
    let [pitch, speed, offset] = [0, 1, 2].map(|i| (1.0 / (sizes[i] * CROWD[i])) as f32);
    // The bias keeps every coordinate that matters positive.
    let place = |hit: &Hit, shift: f32| {
        let cell = |value: f32| u64::from((value + shift + 64.0) as u32);
        let turn = cell(hit.pitch * pitch) << 8 ^ cell(hit.log_speed * speed);
        let cell = u64::from(hit.reference.0) << 36 ^ cell(hit.offset * offset) << 16 ^ turn;
        // A product spreads what differs over the upper bits (Fibonacci hashing).
        (cell.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as u32
    };
    // A bit for each: moments that share one are rather too few than too many.
    let joined = |crowd: u16, hit: &Hit| match company {
        Company::Moments(_) => crowd | 1 << (slots.at(hit.time) % CROWD_BITS),
        Company::Hits(_) => crowd << 1 | 1,
    };
    let mut dense = vec![0u8; hits.len()];
    // One grid after the other: each by itself is small enough to stay near the processor.
    for shift in [0.0, 0.5] {
        let places: Vec<u32> = hits.iter().map(|hit| place(hit, shift)).collect();
        let mut crowds = vec![0u16; 1 << bits];
        for (&place, hit) in places.iter().zip(hits) {
            let crowd = &mut crowds[place as usize];
            *crowd = joined(*crowd, hit);
        }
        for (dense, &place) in dense.iter_mut().zip(&places) {
            *dense = (*dense).max(crowds[place as usize].count_ones() as u8);
        }
    }
    let least = match company {
        Company::Moments(least) => least_company(&dense, least, config.max_crowd),
        Company::Hits(least) => least,
    };
    let kept = hits.iter().zip(dense).filter(|(_, dense)| *dense >= least);
    kept.map(|(hit, _)| hit).collect()
}

/// The company, at least `least`, that no more than `most` of the hits have; or the most that is counted.
fn least_company(dense: &[u8], least: u8, most: usize) -> u8 {
    let mut with = [0usize; CROWD_BITS as usize + 1];
    dense.iter().for_each(|&d| with[usize::from(d)] += 1);
    let mut left: usize = with[usize::from(least)..].iter().sum();
    let mut least = least;
    while left > most && least < CROWD_BITS {
        left -= with[usize::from(least)];
        least += 1;
    }
    least
}

/// Speeds that are tried around a cell's mean, and their distance, as logarithms.
const SPEEDS: i32 = 5;
const SPEED_STEP: f64 = 0.015;
/// Seconds and semitones within which hits of one transform lie.
const LINE_SECONDS: f64 = 0.25;
const LINE_SEMITONES: f32 = 0.35;
/// Hits of a cell that are looked at.
const LINE_HITS: usize = 64;

/// The line in time on which the most of some hits lie. One hit's speed is rough, and so is its
/// offset, which is that speed extrapolated; many hits agree on one of each.
fn align(mut hits: Vec<&Hit>, centre: f64, slots: &Slots) -> Option<Hypothesis> {
    if hits.len() > LINE_HITS {
        hits.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        hits.truncate(LINE_HITS);
    }
    let total: f64 = hits.iter().map(|h| f64::from(h.weight)).sum();
    let weighted = hits.iter().map(|h| f64::from(h.weight * h.log_speed));
    let middle = weighted.sum::<f64>() / total.max(f64::MIN_POSITIVE);
    let mut best: Option<Hypothesis> = None;
    let mut placed: Vec<(f64, &Hit, Ballot)> = Vec::with_capacity(hits.len());
    for trial in -SPEEDS..=SPEEDS {
        let log_speed = middle + f64::from(trial) * SPEED_STEP;
        placed.clear();
        placed.extend(hits.iter().map(|h| {
            let ahead = centre - f64::from(h.time);
            let turn = log_speed.exp() - f64::from(h.log_speed).exp();
            let offset = f64::from(h.offset) + ahead * turn;
            (offset, *h, Ballot::of(h, slots))
        }));
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (i, &(first, seed, _)) in placed.iter().enumerate() {
            let members = placed[i..]
                .iter()
                .take_while(|(offset, ..)| offset - first <= LINE_SECONDS)
                .filter(|(_, hit, _)| (hit.pitch - seed.pitch).abs() <= LINE_SEMITONES);
            let votes = f64::from(votes(members.clone().map(|(.., ballot)| ballot)));
            if best.is_none_or(|b| votes > b.votes) {
                let (mut weight, mut pitch, mut offset) = (0.0, 0.0, 0.0);
                for (at, hit, _) in members {
                    let w = f64::from(hit.weight);
                    weight += w;
                    pitch += w * f64::from(hit.pitch);
                    offset += w * at;
                }
                best = Some(Hypothesis {
                    reference: seed.reference,
                    log_speed,
                    pitch: pitch / weight,
                    offset: offset / weight,
                    votes,
                });
            }
        }
    }
    best
}

fn key(hit: &Hit, config: &AudioMatchConfig) -> u64 {
    let cell = |value: f32, size: f64, bias: i64, bits: u32| {
        let cell = (f64::from(value) / size + bias as f64) as i64;
        cell.clamp(1, (1 << bits) - 2) as u64
    };
    u64::from(hit.reference.0) << 32
        | cell(hit.pitch, config.pitch_cell, PITCH_BIAS, 6) << 26
        | cell(hit.log_speed, config.speed_cell, SPEED_BIAS, 6) << 20
        | cell(hit.offset, config.offset_cell, OFFSET_BIAS, 20)
}

fn cells(keyed: &[(u64, u32)]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for (i, &(key, _)) in keyed.iter().enumerate() {
        match cells.last_mut() {
            Some(cell) if cell.key == key => cell.end = i + 1,
            _ => cells.push(Cell {
                key,
                start: i,
                end: i + 1,
            }),
        }
    }
    cells
}

/// The keys' nine lines of three cells around `key`: (lowest, highest).
fn lines(key: u64) -> impl Iterator<Item = (u64, u64)> {
    (-1i64..=1).flat_map(move |pitch| {
        (-1i64..=1).map(move |speed| {
            let middle = key.wrapping_add_signed((pitch << 26) + (speed << 20));
            (middle - 1, middle + 1)
        })
    })
}

fn neighbours(cells: &[Cell], key: u64) -> impl Iterator<Item = &Cell> {
    lines(key).flat_map(move |(low, high)| {
        let start = cells.partition_point(|c| c.key < low);
        cells[start..].iter().take_while(move |c| c.key <= high)
    })
}

fn adjacent(a: u64, b: u64) -> bool {
    lines(a).any(|(low, high)| (low..=high).contains(&b))
}

/// Sum of the best vote of every slot.
fn votes<'a>(ballots: impl Iterator<Item = &'a Ballot>) -> f32 {
    let mut best = [0.0f32; SLOTS];
    for ballot in ballots {
        let best = &mut best[usize::from(ballot.slot)];
        *best = best.max(ballot.weight);
    }
    best.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hit whose own speed is off by `error`, and with it its offset.
    fn hit(reference: u32, time: f64, transform: (f64, f64, f64), error: f64) -> Hit {
        let (speed, pitch, offset) = transform;
        let there = offset + (time - 8.0) * speed;
        let own = speed * (1.0 + error);
        let offset = there + (8.0 - time) * own;
        Hit::alike(ReferenceId(reference), time, own, pitch, offset, 0.9)
    }

    #[test]
    fn hits_with_rough_speeds_agree_on_one_line() {
        let check = |speed: f64, pitch: f64, offset: f64, hits: u32| {
            let transform = (speed, pitch, offset);
            let error = |i: u32| f64::from(i * 7 % 5) * 0.016 - 0.032;
            let time = |i: u32| 1.0 + f64::from(i) * 14.0 / f64::from(hits);
            let mut all: Vec<Hit> = (0..hits)
                .map(|i| hit(3, time(i), transform, error(i)))
                .collect();
            // Strays all over another reference and this one.
            all.extend((0..400u32).map(|i| {
                let spread = |k: u32, range: f64| f64::from(i * k % 997) / 997.0 * range;
                let stray = (
                    0.75 + spread(31, 0.6),
                    spread(57, 12.0) - 6.0,
                    spread(101, 300.0),
                );
                hit(i % 2 * 3, spread(211, 16.0), stray, 0.0)
            }));
            let window = Window {
                start: 0.0,
                end: 16.0,
            };
            let found = vote(&all, COMPANY, 32, window, &AudioMatchConfig::default())[0];
            let context = format!("{transform:?}: {found:?}");
            assert_eq!(found.reference, ReferenceId(3), "{context}");
            assert!((found.log_speed - speed.ln()).abs() < 0.03, "{context}");
            assert!((found.pitch - pitch).abs() < 0.1, "{context}");
            assert!((found.offset - offset).abs() < 0.2, "{context}");
        };
        check(1.0, 0.0, 60.0, 8);
        check(0.8, -5.0, 33.3, 8);
        check(1.3, 4.1, 100.2, 12);
        check(1.05, 1.0, 5.0, 40);
    }

    #[test]
    fn the_densest_crowds_are_left() {
        let check = |dense: &[u8], least: u8, most: usize, want: u8| {
            assert_eq!(least_company(dense, least, most), want, "{dense:?} {most}");
        };
        check(&[0, 1, 2, 3, 3, 5], 2, 4, 2);
        check(&[0, 1, 2, 3, 3, 5], 2, 3, 3);
        check(&[0, 1, 2, 3, 3, 5], 2, 2, 4);
        check(&[0, 1, 2, 3, 3, 5], 4, 9, 4);
        check(&[16, 16], 2, 1, 16);
        check(&[], 3, 0, 3);
    }

    #[test]
    fn hits_of_one_moment_are_no_company() {
        let slots = Slots {
            start: 0.0,
            per_second: 2.0,
        };
        let check = |times: &[f64], company: Company, want: usize| {
            let there = |&time: &f64| hit(1, time, (1.0, 0.0, 50.0), 0.0);
            let hits: Vec<Hit> = times.iter().map(there).collect();
            let kept = crowded(&hits, company, &slots, &AudioMatchConfig::default());
            assert_eq!(kept.len(), want, "{times:?} {company:?}");
        };
        check(&[1.0, 2.0, 4.0], COMPANY, 3);
        check(&[1.0, 1.1, 4.0], COMPANY, 3);
        check(&[1.0, 1.1, 4.0], Company::Moments(3), 0);
        check(&[1.0, 1.1], COMPANY, 0);
        check(&[1.0, 1.1], COMPANY_OF_LITTLE, 2);
        check(&[1.0], COMPANY_OF_LITTLE, 0);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        let window = Window {
            start: 0.0,
            end: 16.0,
        };
        assert_eq!(
            vote(
                &[],
                COMPANY_OF_LITTLE,
                32,
                window,
                &AudioMatchConfig::default()
            ),
            []
        );
    }
}
