//! Keypoints of the reference found again in the query, where transform and time line say.

use super::config::VideoMatchConfig;
use super::homography::Homography;
use super::query::Query;
use super::timeline::Line;
use likeness_core::VideoFingerprint;
use likeness_core::video::{Descriptor, Keyframe, Keypoint, VideoConfig};
use likeness_video::{ANGLE_STEPS, mirrored, mirrored_angle, words};

/// How many keypoints there were to find again, and how many were.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Refound {
    /// Reference keypoints that the query should show.
    pub expected: usize,
    /// Those found there.
    pub found: usize,
    /// Those found as far from where they should be as would be wrong: chance.
    pub chance: f64,
}

/// Which keypoints are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those that the reference does not show at the same place seconds before or after.
    Moving,
}

/// A keypoint where the query should show it.
struct Projected {
    x: f64,
    y: f64,
    level: f64,
    angle: i32,
    descriptor: Descriptor,
}

/// Looks for the reference's keypoints in all query keyframes of `span`.
pub(super) fn refind(
    query: &Query,
    reference: &VideoFingerprint,
    (map, flip): (&Homography, bool),
    line: Line,
    span: (f64, f64),
    which: Which,
    config: &VideoMatchConfig,
) -> Refound {
    let mut sum = Refound::default();
    let mut wrong = 0;
    for frame in query
        .keyframes
        .iter()
        .filter(|f| f.seconds() >= span.0 && f.seconds() <= span.1)
    {
        let Some(twin) = nearest(reference, line.at(frame.seconds())) else {
            continue;
        };
        let mut keypoints: Vec<&Keypoint> = reference.keyframes[twin].keypoints.iter().collect();
        if which == Which::Moving {
            let others = elsewhen(&reference.keyframes, twin);
            keypoints.retain(|keypoint| !others.iter().any(|f| stays(keypoint, f, config)));
        }
        let expected = project(&keypoints, (reference.aspect, query.aspect), map, flip);
        let there = placed(frame, query.aspect);
        sum.expected += expected.len();
        sum.found += count(&expected, &there, [0.0, 0.0], config);
        for shift in SHIFTS {
            wrong += count(&expected, &there, shift, config);
        }
    }
    sum.chance = wrong as f64 / SHIFTS.len() as f64;
    sum
}

/// Displacements, in picture heights, at which what is found is found by chance.
const SHIFTS: [[f64; 2]; 4] = [[0.09, 0.02], [-0.08, 0.05], [0.03, -0.1], [-0.04, -0.07]];

/// The keyframe nearest to a time, unless it is too far to show the same.
fn nearest(reference: &VideoFingerprint, time: f64) -> Option<usize> {
    let frames = &reference.keyframes;
    let after = frames.partition_point(|f| f.seconds() < time);
    let far = |&i: &usize| (frames[i].seconds() - time).abs();
    let next = (after < frames.len()).then_some(after);
    let last = after.checked_sub(1);
    // A still scene has few keyframes: the last one stands for what follows.
    let nearest = next
        .into_iter()
        .chain(last)
        .min_by(|a, b| far(a).total_cmp(&far(b)))?;
    (far(&nearest) <= 2.0).then_some(nearest)
}

/// Seconds after which what moves slowly has moved, and up to which it may still be in the picture.
const ELSEWHEN: (f64, f64) = (2.0, 6.0);

/// The keyframes of some seconds before and after one. A still scene has few: those next to it count
/// however far they are.
fn elsewhen(frames: &[Keyframe], number: usize) -> Vec<&Keyframe> {
    let time = frames[number].seconds();
    let first = frames.partition_point(|f| f.seconds() < time - ELSEWHEN.1);
    let last = frames.partition_point(|f| f.seconds() <= time + ELSEWHEN.1);
    let near = first.min(number.saturating_sub(1))..last.max((number + 2).min(frames.len()));
    let far = |frame: &&Keyframe| (frame.seconds() - time).abs() >= ELSEWHEN.0;
    frames[near].iter().filter(far).collect()
}

fn project(
    keypoints: &[&Keypoint],
    (aspect, query_aspect): (f64, f64),
    map: &Homography,
    flip: bool,
) -> Vec<Projected> {
    let sizes = VideoConfig::DEFAULT.level_sizes;
    let ratio = (f64::from(sizes[0]) / f64::from(sizes[1])).ln();
    keypoints
        .iter()
        .filter_map(|keypoint| {
            let (fx, fy) = words::place(keypoint);
            let fx = if flip { 1.0 - fx } else { fx };
            let place = [f64::from(fx) * aspect, f64::from(fy)];
            let ([x, y], near) = (map.apply(place), map.near(place));
            // Levels measure by the root of the picture's area, maps by its height.
            let scale = near.determinant().abs().sqrt() * (aspect / query_aspect).sqrt();
            let down = scale.ln() / ratio;
            let turn = (near.rotation_degrees() / 360.0 * ANGLE_STEPS as f64).round() as i32;
            let inside = (0.02..0.98).contains(&(x / query_aspect)) && (0.02..0.98).contains(&y);
            let level = f64::from(keypoint.level) + down;
            let (descriptor, angle) = match flip {
                true => (
                    mirrored(keypoint.descriptor),
                    mirrored_angle(keypoint.angle),
                ),
                false => (keypoint.descriptor, keypoint.angle),
            };
            (inside && (-0.5..7.5).contains(&level)).then_some(Projected {
                x,
                y,
                level,
                angle: i32::from(angle) + turn,
                descriptor,
            })
        })
        .collect()
}

/// Part of a picture's width and height by which a keypoint that stands still seems to move.
const STILL: f32 = 0.01;

/// Whether a frame has a keypoint where another frame has it.
fn stays(keypoint: &Keypoint, frame: &Keyframe, config: &VideoMatchConfig) -> bool {
    let (x, y) = words::place(keypoint);
    let [a, b] = keypoint.descriptor;
    frame.keypoints.iter().any(|other| {
        let (u, v) = words::place(other);
        let [c, d] = other.descriptor;
        (x - u).abs() < STILL
            && (y - v).abs() < STILL
            && (a ^ c).count_ones() + (b ^ d).count_ones() <= config.descriptor_distance
    })
}

/// A query's keypoint and its place, in picture heights.
struct Placed<'a> {
    x: f64,
    y: f64,
    keypoint: &'a Keypoint,
}

/// The keypoints of a query's frame, from the top down.
fn placed(frame: &Keyframe, aspect: f64) -> Vec<Placed<'_>> {
    let place = |keypoint| {
        let (x, y) = words::place(keypoint);
        Placed {
            x: f64::from(x) * aspect,
            y: f64::from(y),
            keypoint,
        }
    };
    let mut there: Vec<Placed> = frame.keypoints.iter().map(place).collect();
    there.sort_by(|a, b| a.y.total_cmp(&b.y));
    there
}

/// How many of the expected keypoints are there, displaced by `shift`.
fn count(
    expected: &[Projected],
    there: &[Placed],
    shift: [f64; 2],
    config: &VideoMatchConfig,
) -> usize {
    let reach = config.refind_distance;
    let found = |p: &&Projected| {
        let [x, y] = [p.x + shift[0], p.y + shift[1]];
        let above = there.partition_point(|other| other.y <= y - reach);
        let near = there[above..]
            .iter()
            .take_while(|other| other.y < y + reach);
        near.filter(|other| (other.x - x).abs() < reach)
            .any(|other| same(p, other.keypoint, config))
    };
    expected.iter().filter(found).count()
}

fn same(expected: &Projected, keypoint: &Keypoint, config: &VideoMatchConfig) -> bool {
    let steps = ANGLE_STEPS as i32;
    let turn = (i32::from(keypoint.angle) - expected.angle).rem_euclid(steps);
    let [a, b] = expected.descriptor;
    let [c, d] = keypoint.descriptor;
    (f64::from(keypoint.level) - expected.level).abs() <= 1.3
        && turn.min(steps - turn) <= 6
        && (a ^ c).count_ones() + (b ^ d).count_ones() <= config.descriptor_distance
}
