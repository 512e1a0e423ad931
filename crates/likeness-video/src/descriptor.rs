//! 64-bit steered binary descriptors.
//!
//! Each bit compares two smoothed pixels of the patch, turned by the patch's own angle (Rublee et
//! al., "ORB", 2011). Comparisons make it blind to brightness and contrast. The second half of the
//! tests is the first half reflected in the patch's axis; so the descriptor of the mirrored
//! picture is this one with its halves swapped, and a mirrored copy needs no second extraction.

use crate::luma::Luma;
use likeness_core::video::{ANGLE_STEPS, Descriptor};
use std::sync::LazyLock;

/// Pixels that a descriptor looks at around its corner, in every direction.
pub(crate) const PATCH_RADIUS: usize = 15;
const CENTROID_RADIUS: i32 = 13;
pub(crate) const TESTS: usize = 64;
const REACH: f64 = 14.0;

type Pattern = [[i8; 4]; TESTS];

/// The pattern for every angle.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let base = base_pattern();
    (0..ANGLE_STEPS)
        .map(|step| turn_pattern(&base, step))
        .collect()
});

/// Angle step (0..ANGLE_STEPS) of the patch's intensity centroid as seen from its centre.
pub(crate) fn orientation(luma: &Luma, x: usize, y: usize) -> u8 {
    let (mut mx, mut my) = (0i32, 0i32);
    for dy in -CENTROID_RADIUS..=CENTROID_RADIUS {
        let half = ((CENTROID_RADIUS * CENTROID_RADIUS - dy * dy) as f32).sqrt() as i32;
        let row = (y as i32 + dy) as usize * luma.width;
        let from = row + (x as i32 - half) as usize;
        let mut sum = 0;
        for (dx, &value) in (-half..).zip(&luma.data[from..=from + 2 * half as usize]) {
            mx += dx * i32::from(value);
            sum += i32::from(value);
        }
        my += dy * sum;
    }
    let turns = (my as f32).atan2(mx as f32) / std::f32::consts::TAU;
    ((turns * ANGLE_STEPS as f32).round() as i32).rem_euclid(ANGLE_STEPS as i32) as u8
}

/// The descriptor of the patch around a corner whose angle step is `angle`, and how far apart the
/// two sides of each test were. `smooth` is the smoothed level; the corner lies at least
/// [`PATCH_RADIUS`] from its border.
pub(crate) fn describe(smooth: &Luma, x: usize, y: usize, angle: u8) -> (Descriptor, [u8; TESTS]) {
    let pattern = &PATTERNS[usize::from(angle)];
    let width = smooth.width as i32;
    let centre = y as i32 * width + x as i32;
    let mut bits = [0u32; 2];
    let mut margins = [0; TESTS];
    for (i, (&[ax, ay, bx, by], margin)) in pattern.iter().zip(&mut margins).enumerate() {
        let a = smooth.data[(centre + i32::from(ay) * width + i32::from(ax)) as usize];
        let b = smooth.data[(centre + i32::from(by) * width + i32::from(bx)) as usize];
        bits[i / 32] |= u32::from(a < b) << (i % 32);
        *margin = a.abs_diff(b);
    }
    (bits, margins)
}

/// The descriptor that the mirrored picture has at the mirrored place.
pub fn mirrored([a, b]: Descriptor) -> Descriptor {
    [b, a]
}

/// The angle step that a corner has in the mirrored picture.
pub fn mirrored_angle(angle: u8) -> u8 {
    ((ANGLE_STEPS + ANGLE_STEPS / 2 - usize::from(angle)) % ANGLE_STEPS) as u8
}

/// Test points from a fixed pseudo-random sequence, denser near the centre, within `REACH` of it
/// and at least 4 pixels apart; then the same reflected in the axis of angle 0.
fn base_pattern() -> Vec<[f64; 4]> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut point = || {
        let radius = REACH * uniform().powf(0.7);
        let (sin, cos) = (std::f64::consts::TAU * uniform()).sin_cos();
        (radius * cos, radius * sin)
    };
    let mut tests = Vec::with_capacity(TESTS);
    while tests.len() < TESTS / 2 {
        let ((ax, ay), (bx, by)) = (point(), point());
        if (ax - bx).hypot(ay - by) >= 4.0 {
            tests.push([ax, ay, bx, by]);
        }
    }
    tests.extend_from_within(..);
    for [_, ay, _, by] in &mut tests[TESTS / 2..] {
        (*ay, *by) = (-*ay, -*by);
    }
    tests
}

fn turn_pattern(base: &[[f64; 4]], step: usize) -> Pattern {
    let (sin, cos) = (std::f64::consts::TAU * step as f64 / ANGLE_STEPS as f64).sin_cos();
    let turn = |x: f64, y: f64| {
        (
            (x * cos - y * sin).round() as i8,
            (x * sin + y * cos).round() as i8,
        )
    };
    let mut pattern = [[0; 4]; TESTS];
    for (out, &[ax, ay, bx, by]) in pattern.iter_mut().zip(base) {
        let ((ax, ay), (bx, by)) = (turn(ax, ay), turn(bx, by));
        *out = [ax, ay, bx, by];
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn textured(width: usize, height: usize) -> Luma {
        let mut luma = Luma::new(width, height);
        let mut state = 1u32;
        for value in &mut luma.data {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value = (state >> 24) as u8;
        }
        luma
    }

    #[test]
    fn the_mirror_twin_is_the_mirrored_pictures_descriptor() {
        let plain = textured(64, 64);
        let mut flipped = plain.clone();
        for row in flipped.data.chunks_exact_mut(64) {
            row.reverse();
        }
        for (x, y) in [(20, 20), (31, 40), (44, 17)] {
            let angle = orientation(&plain, x, y);
            let there = orientation(&flipped, 63 - x, y);
            assert_eq!(mirrored_angle(angle), there);
            assert_eq!(
                mirrored(describe(&plain, x, y, angle).0),
                describe(&flipped, 63 - x, y, there).0
            );
        }
    }

    #[test]
    fn brightness_and_contrast_change_nothing() {
        let plain = textured(40, 40);
        let mut dimmed = plain.clone();
        dimmed.data.iter_mut().for_each(|v| *v = *v / 2 * 2);
        let mut brighter = dimmed.clone();
        brighter.data.iter_mut().for_each(|v| *v = *v / 2 + 60);
        assert_eq!(
            describe(&dimmed, 20, 20, 5).0,
            describe(&brighter, 20, 20, 5).0
        );
    }
}
