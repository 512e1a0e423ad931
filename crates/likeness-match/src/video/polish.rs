//! Moves a transform that is known to parts of a thumbnail only to where the films agree best.

use super::config::VideoMatchConfig;
use super::film::{Film, Look, Warps, dot};
use super::geometry::Affine;
use super::timeline::Line;
use likeness_core::VideoFingerprint;

/// Steps in picture heights (and as a ratio), coarse to fine.
const STEPS: [f64; 4] = [0.04, 0.02, 0.01, 0.005];
/// Rounds of one step's size.
const ROUNDS: usize = 4;
/// Share of the first transform's pixels that must stay in the picture: a few agree with anything.
const MIN_PIXELS: f64 = 0.9;

/// The transform near `map` at which the films of the query seconds `span` correlate most along
/// `line`, found by moving, scaling and stretching it in turn.
pub(super) fn polish(
    map: Affine,
    look: Look,
    (line, span): (Line, (f64, f64)),
    (query, reference): (&VideoFingerprint, &VideoFingerprint),
    config: &VideoMatchConfig,
) -> Affine {
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
    for step in STEPS {
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
    best.1
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
