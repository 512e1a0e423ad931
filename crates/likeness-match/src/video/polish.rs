//! Moves a transform to where the films agree best: one that is known to parts of a thumbnail only, or
//! one from keypoints, which tilts a little without reason.

use super::config::VideoMatchConfig;
use super::dot::dot;
use super::film::{Film, Look, Warps};
use super::geometry::Affine;
use super::timeline::Line;
use likeness_core::VideoFingerprint;

/// Steps in picture heights (and as a ratio), coarse to fine, for transforms from thumbnails...
pub(super) const COARSE: &[f64] = &[0.04, 0.02, 0.01, 0.005];
/// ...and for transforms from keypoints.
const FINE: &[f64] = &[0.01, 0.004];
/// Turns up to which a straight picture is tried, degrees.
const TILT: f64 = 4.0;
/// How many times as much of the films a tilted picture may leave unexplained as a straight one does
/// and still not be believed.
const TILTED_SHARE: f32 = 0.85;
/// Unexplained share that is there anyhow.
const UNEXPLAINED: f32 = 0.004;
/// Most seconds that are looked at.
const SECONDS: f64 = 8.0;
/// Rounds of one step's size.
const ROUNDS: usize = 4;
/// Share of the first transform's pixels that must stay in the picture: a few agree with anything.
const MIN_PIXELS: f64 = 0.9;

/// A transform from keypoints, straightened unless the films say that it is tilted.
pub(super) fn straighten(
    map: Affine,
    look: Look,
    (line, span): (Line, (f64, f64)),
    films: (&VideoFingerprint, &VideoFingerprint),
    config: &VideoMatchConfig,
) -> Affine {
    if map.rotation_degrees().abs() > TILT {
        return map;
    }
    let middle = (span.0 + span.1) / 2.0;
    let half = ((span.1 - span.0) / 2.0).min(SECONDS / 2.0);
    let timing = (line, (middle - half, middle + half));
    let centre = [films.1.aspect / 2.0, 0.5];
    let straight = map.straight(centre);
    let (tilted, _) = polish(map, look, timing, films, &[], config);
    let (best, straight) = polish(straight, look, timing, films, FINE, config);
    let unexplained = |agreement: f32| 1.0 - agreement + UNEXPLAINED;
    match unexplained(tilted) < TILTED_SHARE * unexplained(best) {
        true => map,
        false => straight,
    }
}

/// The transform near `map` at which the films of the query seconds `span` correlate most along
/// `line`, found by moving, scaling and stretching it in turn by `steps`; and that correlation.
pub(super) fn polish(
    map: Affine,
    look: Look,
    (line, span): (Line, (f64, f64)),
    (query, reference): (&VideoFingerprint, &VideoFingerprint),
    steps: &[f64],
    config: &VideoMatchConfig,
) -> (f32, Affine) {
    let pixels = Warps::new(&map, look, reference, query).pixels.len();
    let least = (pixels as f64 * MIN_PIXELS) as usize;
    let there = (line.at(span.0) - 1.0, line.at(span.1) + 1.0);
    let agreement = |map: &Affine| {
        let warps = Warps::new(map, look, reference, query);
        if warps.pixels.len() < least {
            return f32::MIN;
        }
        let own = Film::new(&query.thumbnails, &warps.query, span, config.detrend);
        let other = Film::new(
            &reference.thumbnails,
            &warps.reference,
            there,
            config.detrend,
        );
        correlation(&own.levelled(), &other.levelled(), line)
    };
    let middle = [reference.aspect / 2.0, 0.5];
    let mut best = (agreement(&map), map);
    for &step in steps {
        for _ in 0..ROUNDS {
            let before = best.0;
            for change in CHANGES {
                for sign in [-step, step] {
                    let map = change(&best.1, sign, middle);
                    let value = agreement(&map);
                    if value > best.0 {
                        best = (value, map);
                    }
                }
            }
            if best.0 <= before {
                break;
            }
        }
    }
    best
}

/// A small change of a transform, which keeps what it does to a point in the picture's middle
/// unless it is a shift.
type Change = fn(&Affine, f64, [f64; 2]) -> Affine;

const CHANGES: [Change; 5] = [
    |map, step, _| Affine {
        c: map.c + step,
        ..*map
    },
    |map, step, _| Affine {
        f: map.f + step,
        ..*map
    },
    |map, step, middle| scaled(map, [1.0 + step, 1.0 + step], middle),
    |map, step, middle| scaled(map, [1.0 + step, 1.0], middle),
    |map, step, middle| scaled(map, [1.0, 1.0 + step], middle),
];

fn scaled(map: &Affine, [sx, sy]: [f64; 2], middle: [f64; 2]) -> Affine {
    let mut new = Affine {
        a: map.a * sx,
        d: map.d * sx,
        b: map.b * sy,
        e: map.e * sy,
        ..*map
    };
    let ([x, y], [nx, ny]) = (map.apply(middle), new.apply(middle));
    (new.c, new.f) = (new.c + x - nx, new.f + y - ny);
    new
}

fn correlation(query: &Film, reference: &Film, line: Line) -> f32 {
    let (numbers, along) = reference.along(query, line);
    let (mut qr, mut qq, mut rr) = (0f32, 0f32, 0f32);
    for (k, &i) in numbers.iter().enumerate() {
        let (q, r) = (query.picture(i), along.picture(k));
        qr += dot(q, r);
        qq += dot(q, q);
        rr += dot(r, r);
    }
    let norm = (qq * rr).sqrt();
    if norm > 0.0 { qr / norm } else { 0.0 }
}
