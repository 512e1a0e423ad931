//! A window of query keyframes to hypotheses: which reference, how it is turned and scaled, when.

use super::config::VideoMatchConfig;
use likeness_core::video::Keyframe;
use likeness_core::{ReferenceId, VideoFingerprint};
use likeness_index::{Store, StoreError};
use likeness_video::{ANGLE_STEPS, mirrored, mirrored_angle, words};
use std::collections::{HashMap, HashSet};

/// Columns and rows of the grid on which votes of one keyframe must differ to count.
const CELLS: (f32, f32) = (16.0, 9.0);
/// Angle bins of a full turn.
const ANGLE_BINS: i32 = 16;

/// A query keypoint that looks like a reference keypoint. Places are in picture heights; those of
/// a mirrored hit are where the mirrored reference has the point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// Query time, seconds.
    pub query_time: f64,
    /// Reference time, seconds.
    pub reference_time: f64,
    /// Place in the query.
    pub query: [f64; 2],
    /// Place in the reference.
    pub reference: [f64; 2],
    /// Query keyframe and cell: what makes inliers distinct.
    pub cell: u32,
    /// Level of the query's keypoint minus that of the reference's.
    level: i8,
    /// Turn from the reference's patch to the query's, in angle steps.
    turn: u8,
}

/// A reference shown in one way around one time offset.
#[derive(Debug)]
pub(super) struct Hypothesis {
    pub reference: ReferenceId,
    pub mirrored: bool,
    /// Distinct votes.
    pub votes: usize,
    /// Hits that agree with the hypothesis, coarsely. Reference places still lack the reference's
    /// aspect: they are 0..=1 in both directions.
    pub pairs: Vec<Pair>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Bin {
    level: i8,
    turn: i8,
    offset: i32,
}

/// The hypotheses that a window of keyframes gives, most votes first.
pub(super) fn hypotheses(
    query: &VideoFingerprint,
    window: &[Keyframe],
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Vec<Hypothesis>, StoreError> {
    let hits = look_up(query, window, store, config)?;
    let mut found: Vec<Hypothesis> = hits
        .into_iter()
        .flat_map(|((reference, mirrored), pairs)| peaks(reference, mirrored, pairs, config))
        .collect();
    found.sort_by_key(|h| (std::cmp::Reverse(h.votes), h.reference, h.mirrored));
    found.truncate(config.hypotheses);
    Ok(found)
}

type Hits = HashMap<(ReferenceId, bool), Vec<Pair>>;

/// A term of the query and the keypoint that has it.
struct Probe {
    term: u64,
    frame: u32,
    keypoint: u32,
    mirrored: bool,
}

fn look_up(
    query: &VideoFingerprint,
    window: &[Keyframe],
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Hits, StoreError> {
    let probes = probes(window);
    let mut terms: Vec<u64> = probes.iter().map(|p| p.term).collect();
    terms.dedup();
    let mut hits = Hits::new();
    let mut first = 0;
    let mut current = usize::MAX;
    let mut range = 0..0;
    store.postings(words::SPACE, &terms, &mut |i, posting| {
        if i != current {
            if current != usize::MAX && i < current {
                first = 0;
            }
            current = i;
            let start = first + probes[first..].partition_point(|p| p.term < terms[i]);
            let end = start + probes[start..].partition_point(|p| p.term == terms[i]);
            first = end;
            range = start..end;
        }
        let hit = words::unpack(posting.payload);
        for probe in &probes[range.clone()] {
            let keypoint = &window[probe.frame as usize].keypoints[probe.keypoint as usize];
            let flip = probe.mirrored;
            let (descriptor, angle) = if flip {
                (
                    mirrored(keypoint.descriptor),
                    mirrored_angle(keypoint.angle),
                )
            } else {
                (keypoint.descriptor, keypoint.angle)
            };
            let differing = (words::residual(&descriptor) ^ hit.residual).count_ones();
            if differing > config.residual_distance {
                continue;
            }
            let x = f32::from(keypoint.x) / 65535.0;
            let y = f32::from(keypoint.y) / 65535.0;
            let cell = (y * CELLS.1) as u32 * 32 + (x * CELLS.0) as u32;
            hits.entry((posting.reference, flip))
                .or_default()
                .push(Pair {
                    query_time: f64::from(window[probe.frame as usize].time_ms) / 1000.0,
                    reference_time: f64::from(posting.time) / 1000.0,
                    query: [f64::from(x) * query.aspect, f64::from(y)],
                    reference: [
                        f64::from(if flip { 1.0 - hit.x } else { hit.x }),
                        f64::from(hit.y),
                    ],
                    cell: probe.frame << 16 | cell,
                    level: keypoint.level as i8 - hit.level as i8,
                    turn: (angle + ANGLE_STEPS as u8 - hit.angle) % ANGLE_STEPS as u8,
                });
        }
    })?;
    Ok(hits)
}

/// Terms of all keypoints of the window and of their mirror twins, ascending.
fn probes(window: &[Keyframe]) -> Vec<Probe> {
    let mut probes = Vec::new();
    for (frame, keyframe) in window.iter().enumerate() {
        for (number, keypoint) in keyframe.keypoints.iter().enumerate() {
            for flip in [false, true] {
                let descriptor = if flip {
                    mirrored(keypoint.descriptor)
                } else {
                    keypoint.descriptor
                };
                probes.extend((0..words::TABLES).map(|table| Probe {
                    term: words::term(&descriptor, table),
                    frame: frame as u32,
                    keypoint: number as u32,
                    mirrored: flip,
                }));
            }
        }
    }
    probes.sort_unstable_by_key(|p| p.term);
    probes
}

/// The strongest vote bins of one reference, with the pairs in and around each.
fn peaks(
    reference: ReferenceId,
    mirrored: bool,
    pairs: Vec<Pair>,
    config: &VideoMatchConfig,
) -> Vec<Hypothesis> {
    if pairs.len() < config.min_votes {
        return Vec::new();
    }
    let mut votes: HashMap<Bin, HashSet<u32>> = HashMap::new();
    for pair in &pairs {
        for bin in bins(pair, config) {
            votes.entry(bin).or_default().insert(pair.cell);
        }
    }
    let mut ranked: Vec<(Bin, usize)> = votes
        .into_iter()
        .map(|(bin, cells)| (bin, cells.len()))
        .filter(|&(_, votes)| votes >= config.min_votes)
        .collect();
    ranked.sort_by_key(|&(bin, votes)| (std::cmp::Reverse(votes), bin.offset, bin.level, bin.turn));
    let mut kept: Vec<(Bin, usize)> = Vec::new();
    for (bin, votes) in ranked {
        if kept.len() == 6 {
            break;
        }
        if kept.iter().all(|(other, _)| !near(bin, *other)) {
            kept.push((bin, votes));
        }
    }
    kept.into_iter()
        .map(|(bin, votes)| Hypothesis {
            reference,
            mirrored,
            votes,
            pairs: pairs
                .iter()
                .filter(|pair| bins(pair, config).iter().any(|&b| near(b, bin)))
                .copied()
                .collect(),
        })
        .collect()
}

/// The four bins nearest to a pair: two of the turn, two of the time offset.
fn bins(pair: &Pair, config: &VideoMatchConfig) -> [Bin; 4] {
    let turn = f64::from(pair.turn) * f64::from(ANGLE_BINS) / ANGLE_STEPS as f64;
    let offset = (pair.reference_time - pair.query_time) / config.offset_bin;
    let neighbours = |value: f64| [value.floor() as i32, value.floor() as i32 + 1];
    let [t0, t1] = neighbours(turn).map(|t| (t % ANGLE_BINS) as i8);
    let [o0, o1] = neighbours(offset);
    [(t0, o0), (t0, o1), (t1, o0), (t1, o1)].map(|(turn, offset)| Bin {
        level: pair.level,
        turn,
        offset,
    })
}

fn near(a: Bin, b: Bin) -> bool {
    let turn = i32::from(a.turn - b.turn).rem_euclid(ANGLE_BINS);
    (a.level - b.level).abs() <= 1
        && turn.min(ANGLE_BINS - turn) <= 1
        && (a.offset - b.offset).abs() <= 1
}
