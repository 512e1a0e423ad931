//! A window of query keyframes to hypotheses: which reference, how it is turned and scaled, when.
//!
//! Every hit proposes a whole transform by itself (Lowe, "Distinctive image features", 2004); hits
//! that agree coarsely are a hypothesis. What counts is distinct places, not hits: a repeated
//! pattern hits often.

use super::config::VideoMatchConfig;
use super::film::Look;
use super::nearest::Nearest;
use super::wanted::{Point, Wanted};
use likeness_core::ReferenceId;
use likeness_core::video::{Keyframe, Keypoint, VideoConfig};
use likeness_index::{Store, StoreError};
use likeness_video::{ANGLE_STEPS, words};

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

impl Pair {
    /// A pair of `cell` at (query, reference) times and places, whose level and turn are not known.
    pub(super) fn new(
        (query_time, reference_time): (f64, f64),
        query: [f64; 2],
        reference: [f64; 2],
        cell: u32,
    ) -> Pair {
        Pair {
            query_time,
            reference_time,
            query,
            reference,
            cell,
            level: 0,
            turn: 0,
        }
    }
}

/// A reference shown in one way around one time offset.
#[derive(Debug)]
pub(super) struct Hypothesis {
    pub reference: ReferenceId,
    pub look: Look,
    /// Hits that agree with the hypothesis, coarsely. Reference places still lack the reference's
    /// aspect: they are 0..=1 in both directions.
    pub pairs: Vec<Pair>,
    /// Whether places are known to parts of a thumbnail only.
    pub coarse: bool,
    /// Distinct inliers below which no transform is verified.
    pub inliers: usize,
}

/// The hypotheses that a window of keyframes gives, most votes first. `aspect`: width over height of the query's
/// picture.
pub(super) fn hypotheses(
    aspect: f64,
    window: &[Keyframe],
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Vec<Hypothesis>, StoreError> {
    let (hits, all) = look_up(aspect, window, store, config)?;
    let agreement = match all {
        true => config.agreement,
        false => config.partial_agreement,
    };
    let mut binned = crowded(bins(&hits, aspect, config), agreement.votes);
    binned.sort_unstable();
    let mut ranked: Vec<(usize, &[(Bin, u32)])> = binned
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|chunk| chunk.len() >= agreement.votes)
        .map(|chunk| (distinct(chunk, &hits), chunk))
        .filter(|(votes, _)| *votes >= agreement.votes)
        .collect();
    ranked.sort_by_key(|(votes, chunk)| (std::cmp::Reverse(*votes), chunk[0].0));
    let mut kept: Vec<Hypothesis> = Vec::new();
    let mut taken: Vec<Bin> = Vec::new();
    for (_, chunk) in ranked {
        let bin = chunk[0].0;
        let rivals = taken
            .iter()
            .filter(|other| other.reference == bin.reference)
            .count();
        if rivals >= config.hypotheses_per_reference || taken.iter().any(|b| b.overlaps(&bin)) {
            continue;
        }
        taken.push(bin);
        kept.push(Hypothesis {
            reference: bin.reference,
            look: Look {
                mirrored: bin.mirrored,
                inverted: false,
            },
            pairs: chunk.iter().map(|&(_, i)| hits[i as usize].1).collect(),
            coarse: false,
            inliers: agreement.inliers,
        });
        if kept.len() == config.hypotheses {
            break;
        }
    }
    Ok(kept)
}

type Hit = ((ReferenceId, bool), Pair);

/// The hits of a window, and whether all was looked up that it asks for.
fn look_up(
    aspect: f64,
    window: &[Keyframe],
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<(Vec<Hit>, bool), StoreError> {
    let wanted = Wanted::new(window, store, config)?;
    let points = &wanted.points;
    let mut near = Nearest::new(points.len(), config);
    wanted.meet(
        store,
        config.residual_distance,
        |point, distance, posting| {
            near.offer(point, distance, posting);
        },
    )?;
    let pairs = near.kept().map(|(number, posting)| {
        let point = &points[number as usize];
        let frame = &window[point.frame as usize];
        let keypoint = &frame.keypoints[point.keypoint as usize];
        let hit = words::unpack(posting.payload);
        let pair = pair(point, aspect, frame, keypoint, &hit, posting.time);
        ((posting.reference, point.mirrored), pair)
    });
    Ok((pairs.collect(), wanted.all))
}

/// Columns and rows of the grid on which votes of one keyframe must differ to count.
const CELLS: (f32, f32) = (24.0, 16.0);

fn pair(
    point: &Point,
    aspect: f64,
    frame: &Keyframe,
    keypoint: &Keypoint,
    hit: &words::Hit,
    time: u32,
) -> Pair {
    let (x, y) = words::place(keypoint);
    let rx = if point.mirrored { 1.0 - hit.x } else { hit.x };
    let steps = ANGLE_STEPS as u8;
    Pair {
        query_time: frame.seconds(),
        reference_time: words::seconds(time),
        query: [f64::from(x) * aspect, f64::from(y)],
        reference: [f64::from(rx), f64::from(hit.y)],
        cell: point.frame << 16 | ((y * CELLS.1) as u32) << 8 | (x * CELLS.0) as u32,
        level: keypoint.level as i8 - hit.level as i8,
        turn: (point.angle + steps - hit.angle) % steps,
    }
}

/// A cell of the space of transforms; two staggered grids, so that no cluster is cut by all borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bin {
    reference: ReferenceId,
    mirrored: bool,
    grid: u8,
    offset: i32,
    level: i8,
    turn: i8,
    x: i8,
    y: i8,
}

impl Bin {
    /// Whether the two cells are mostly the same one of different grids, or neighbours.
    fn overlaps(&self, other: &Bin) -> bool {
        let turn = (self.turn - other.turn).rem_euclid(TURNS);
        (self.reference, self.mirrored) == (other.reference, other.mirrored)
            && (self.offset - other.offset).abs() <= 1
            && (self.level - other.level).abs() <= 1
            && turn.min(TURNS - turn) <= 1
            && (self.x - other.x).abs() <= 1
            && (self.y - other.y).abs() <= 1
    }

    /// A number below `1 << SLOT_BITS` by Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
    fn slot(&self) -> usize {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let [level, turn, x, y] = [self.level, self.turn, self.x, self.y].map(|v| v as u8);
        let place = u64::from_le_bytes([level, turn, x, y, self.mirrored.into(), self.grid, 0, 0]);
        let moment = u64::from(self.reference.0) << 32 | u64::from(self.offset as u32);
        let mixed = (moment.wrapping_mul(GOLDEN) ^ place).wrapping_mul(GOLDEN);
        (mixed >> (u64::BITS - SLOT_BITS)) as usize
    }
}

/// Slots in which bins are counted, as a power of two: some times as many as a window has bins.
const SLOT_BITS: u32 = 20;

/// Angle bins of a full turn.
const TURNS: i8 = 8;

fn bins(hits: &[Hit], aspect: f64, config: &VideoMatchConfig) -> Vec<(Bin, u32)> {
    let sizes = VideoConfig::DEFAULT.level_sizes;
    let ratio = f64::from(sizes[0]) / f64::from(sizes[1]);
    let mut binned = Vec::with_capacity(2 * hits.len());
    for (number, ((reference, mirrored), pair)) in hits.iter().enumerate() {
        // Where the middle of the reference lies, as this pair alone says.
        let scale = ratio.powi(pair.level.into());
        let angle = std::f64::consts::TAU * f64::from(pair.turn) / ANGLE_STEPS as f64;
        let (sin, cos) = angle.sin_cos();
        // The reference's aspect is not known yet; the query's will do.
        let dx = (0.5 - pair.reference[0]) * aspect * scale;
        let dy = (0.5 - pair.reference[1]) * scale;
        let x = pair.query[0] + dx * cos - dy * sin;
        let y = pair.query[1] + dx * sin + dy * cos;
        let offset = pair.reference_time - pair.query_time;
        for grid in 0..2u8 {
            let shift = f64::from(grid) * 0.5;
            let cell = |value: f64, width: f64| (value / width + shift).floor().clamp(-60.0, 60.0);
            let turn = f64::from(pair.turn) * f64::from(TURNS) / ANGLE_STEPS as f64;
            binned.push((
                Bin {
                    reference: *reference,
                    mirrored: *mirrored,
                    grid,
                    offset: (offset / config.offset_bin + shift).floor() as i32,
                    level: (f64::from(pair.level) / 2.0 + shift).floor() as i8,
                    turn: (turn + shift + 0.25).floor() as i8 % TURNS,
                    x: cell(x, config.place_bin) as i8,
                    y: cell(y, config.place_bin) as i8,
                },
                number as u32,
            ));
        }
    }
    binned
}

/// Leaves out most of what lies in bins of fewer than `least` hits: bins are counted by their slots, which some share.
fn crowded(mut binned: Vec<(Bin, u32)>, least: usize) -> Vec<(Bin, u32)> {
    let mut counts = vec![0u32; 1 << SLOT_BITS];
    for (bin, _) in &binned {
        counts[bin.slot()] += 1;
    }
    binned.retain(|(bin, _)| counts[bin.slot()] as usize >= least);
    binned
}

/// Distinct places among the hits of a bin: of the query or of the reference, whichever are fewer.
fn distinct(chunk: &[(Bin, u32)], hits: &[Hit]) -> usize {
    let count = |key: &dyn Fn(&Pair) -> u32| {
        let mut keys: Vec<_> = chunk
            .iter()
            .map(|&(_, i)| key(&hits[i as usize].1))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len()
    };
    let query = count(&|pair| pair.cell);
    let reference = count(&|pair| {
        let [x, y] = pair.reference;
        let cell = (y * 16.0) as u32 * 32 + (x * 24.0) as u32;
        ((pair.reference_time * 4.0) as u32) << 10 | cell
    });
    query.min(reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::wanted::tests::random;
    use likeness_core::{Density, Fingerprint, StreamState};
    use likeness_index::MemoryStore;

    /// A frame of `count` keypoints, each in a cell of its own.
    fn frame(count: u16, number: u32) -> Keyframe {
        let mut next = random(0x9e37_79b9_7f4a_7c15 ^ u64::from(number + 1) << 40);
        let mut half = || next() as u32;
        let keypoint = |i: u16| Keypoint {
            x: 50 + i % 20 * 45,
            y: 100 + i / 20 * 150,
            level: 2,
            angle: 5,
            weak: [0; 2],
            descriptor: [half(), half()],
        };
        Keyframe {
            slot: number,
            time_ms: 1000 * number,
            sparse: count,
            keypoints: (0..count).map(keypoint).collect(),
        }
    }

    fn library(frames: &[Keyframe]) -> MemoryStore {
        let mut store = MemoryStore::default();
        for frame in frames {
            let nothing = Fingerprint {
                content: [0; 32],
                duration: 0.0,
                density: Density::Reference,
                audio: StreamState::Absent,
                video: StreamState::Absent,
            };
            let tables = |point| {
                (0..words::TABLES).map(move |table| words::posting(point, table, ReferenceId(0), 0))
            };
            let postings = frame.keypoints.iter().flat_map(tables).collect();
            store.add(nothing, [Vec::new(), postings, Vec::new()]);
        }
        store
    }

    #[test]
    fn fewer_votes_are_asked_for_where_not_all_is_looked_up() {
        let check = |shared: u16, budget: u64, want: usize| {
            // A patch that everybody has is dear to look up.
            let common = frame(1, 1);
            let mut frames = vec![common.clone(); 200];
            frames.push(frame(shared, 0));
            let store = library(&frames);
            let mut query = frame(shared, 0);
            query.keypoints.extend(common.keypoints);
            let config = VideoMatchConfig {
                exhaustive_budget: budget,
                posting_budget: budget,
                ..VideoMatchConfig::default()
            };
            let found = hypotheses(1.5, &[query], &store, &config).expect("in memory");
            assert_eq!(found.len(), want, "{shared} of {budget}");
        };
        let VideoMatchConfig {
            agreement,
            partial_agreement,
            ..
        } = VideoMatchConfig::default();
        let (many, few) = (agreement.votes as u16, partial_agreement.votes as u16);
        check(many, u64::MAX, 1);
        check(many - 1, u64::MAX, 0);
        check(few, 1200, 1);
        check(few - 1, 1200, 0);
    }
}
