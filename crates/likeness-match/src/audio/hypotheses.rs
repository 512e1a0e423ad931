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

/// Hits of one cell.
struct Cell {
    key: u64,
    start: usize,
    end: usize,
}

/// The cells with the most independent votes, best first.
pub(super) fn vote(hits: &[Hit], window: Window, config: &AudioMatchConfig) -> Vec<Hypothesis> {
    let mut keyed: Vec<(u64, u32)> = hits
        .iter()
        .enumerate()
        .map(|(i, hit)| (key(hit, config), i as u32))
        .collect();
    keyed.sort_unstable();
    let cells = cells(&keyed);
    let mut scored: Vec<(f64, usize)> = Vec::new();
    for (i, cell) in cells.iter().enumerate() {
        // A lone hit finds no company in its own cell; a cell beside it will speak for it.
        if cell.end - cell.start > 1 {
            let votes = votes(&cells, cell.key, &keyed, hits, window, config);
            scored.push((votes.iter().map(|&v| f64::from(v)).sum(), i));
        }
    }
    scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut chosen: Vec<(u64, Hypothesis)> = Vec::new();
    for (votes, i) in scored {
        if chosen.len() >= config.max_hypotheses {
            break;
        }
        let key = cells[i].key;
        let same = chosen.iter().filter(|(k, _)| k >> 32 == key >> 32).count();
        if same < config.max_per_reference && !chosen.iter().any(|(k, _)| adjacent(*k, key)) {
            chosen.push((key, mean(&cells, key, &keyed, hits, votes)));
        }
    }
    chosen
        .into_iter()
        .map(|(_, hypothesis)| hypothesis)
        .collect()
}

fn key(hit: &Hit, config: &AudioMatchConfig) -> u64 {
    let cell = |value: f32, size: f64, bias: i64, bits: u32| {
        ((f64::from(value) / size).floor() as i64 + bias).clamp(1, (1 << bits) - 2) as u64
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

fn votes(
    cells: &[Cell],
    key: u64,
    keyed: &[(u64, u32)],
    hits: &[Hit],
    window: Window,
    config: &AudioMatchConfig,
) -> [f32; SLOTS] {
    let slot = ((window.end - window.start) / SLOTS as f64).max(config.slot);
    let mut best = [0.0f32; SLOTS];
    for cell in neighbours(cells, key) {
        for &(_, i) in &keyed[cell.start..cell.end] {
            let hit = &hits[i as usize];
            let at = ((f64::from(hit.time) - window.start) / slot).max(0.0) as usize;
            let best = &mut best[at.min(SLOTS - 1)];
            *best = best.max(hit.weight);
        }
    }
    best
}

fn mean(cells: &[Cell], key: u64, keyed: &[(u64, u32)], hits: &[Hit], votes: f64) -> Hypothesis {
    let (mut sum, mut weight) = ([0.0; 3], 0.0);
    for cell in neighbours(cells, key) {
        for &(_, i) in &keyed[cell.start..cell.end] {
            let hit = &hits[i as usize];
            let w = f64::from(hit.weight);
            weight += w;
            sum[0] += w * f64::from(hit.log_speed);
            sum[1] += w * f64::from(hit.pitch);
            sum[2] += w * f64::from(hit.offset);
        }
    }
    let [log_speed, pitch, offset] = sum.map(|s| s / weight.max(f64::MIN_POSITIVE));
    Hypothesis {
        reference: ReferenceId((key >> 32) as u32),
        log_speed,
        pitch,
        offset,
        votes,
    }
}
