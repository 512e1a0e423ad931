//! Moves a transform to where the films agree best: one that is known to parts of a thumbnail only, or
//! one from keypoints, which tilts a little without reason.

use super::config::VideoMatchConfig;
use super::dot::dot;
use super::film::{Film, Look, Warps};
use super::geometry::{Affine, middle};
use super::homography::Homography;
use super::query::Query;
use super::timeline::Line;
use likeness_core::VideoFingerprint;

/// Steps in picture heights (and as a ratio), coarse to fine, for transforms from thumbnails...
pub(super) const COARSE: &[f64] = &[0.04, 0.02, 0.01, 0.005];
/// ...and for transforms from keypoints.
const FINE: &[f64] = &[0.01, 0.004];
/// Turns up to which a straight picture is tried, degrees.
const TURN: f64 = 4.0;
/// How many times as much of the films a turned picture may leave unexplained as a straight one does
/// and still not be believed.
const TURNED_SHARE: f32 = 0.85;
/// Unexplained share that is there anyhow.
const UNEXPLAINED: f32 = 0.004;
/// Most seconds that are looked at.
const SECONDS: f64 = 8.0;
/// Rounds of one step's size.
const ROUNDS: usize = 4;
/// Share of the first transform's pixels that must stay in the picture: a few agree with anything.
const MIN_PIXELS: f64 = 0.9;

/// A transform from keypoints, straightened unless the films say that it is turned, or seen at an
/// angle, as in `tilted`.
pub(super) fn straighten(
    map: Homography,
    tilted: Option<Homography>,
    look: Look,
    (line, span): (Line, (f64, f64)),
    films: (&Query, &VideoFingerprint),
    config: &VideoMatchConfig,
) -> Homography {
    let time = (span.0 + span.1) / 2.0;
    let half = ((span.1 - span.0) / 2.0).min(SECONDS / 2.0);
    let timing = (line, (time - half, time + half));
    let unexplained = |map: &Homography| {
        let agreement = agreement(map, look, timing, films, 0, config);
        1.0 - agreement + UNEXPLAINED
    };
    let polished = |map| polish(map, look, timing, films, FINE, config).1;
    let centre = middle(films.1.aspect);
    let turned = map.near(centre);
    let mut best = map;
    if turned.rotation_degrees().abs() <= TURN {
        let straight = polished(turned.straight(centre).into());
        if unexplained(&map) >= TURNED_SHARE * unexplained(&straight) {
            best = straight;
        }
    }
    match tilted.map(polished) {
        // No more is asked for than that: keypoints speak for it already.
        Some(tilted) if unexplained(&tilted) < unexplained(&best) => tilted,
        _ => best,
    }
}

/// The transform near `map` at which the films of the query seconds `span` correlate most along
/// `line`, found by moving, scaling, stretching and, where it is seen at an angle, tilting it in turn by
/// `steps`; and that correlation.
pub(super) fn polish(
    map: Homography,
    look: Look,
    timing: (Line, (f64, f64)),
    films: (&Query, &VideoFingerprint),
    steps: &[f64],
    config: &VideoMatchConfig,
) -> (f32, Homography) {
    let (query, reference) = films;
    let pixels = Warps::new(&map, look, reference, query).pixels.len();
    let least = (pixels as f64 * MIN_PIXELS) as usize;
    let agreement = |map: &Homography| agreement(map, look, timing, films, least, config);
    climb(
        map,
        (middle(reference.aspect), changes(&map)),
        steps,
        agreement,
    )
}

/// The transform near `map` with the most `agreement`, found by some changes in turn around `middle`, by `steps`; and
/// that agreement.
pub(super) fn climb(
    map: Homography,
    (middle, changes): ([f64; 2], &[Change]),
    steps: &[f64],
    agreement: impl Fn(&Homography) -> f32,
) -> (f32, Homography) {
    let mut best = (agreement(&map), map);
    for &step in steps {
        for _ in 0..ROUNDS {
            let before = best.0;
            for change in changes {
                for sign in [-step, step] {
                    let Some(map) = change.of(&best.1, sign, middle) else {
                        continue;
                    };
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

/// What may change in a transform: of one that is seen at an angle, that as well.
pub(super) fn changes(map: &Homography) -> &'static [Change] {
    match map.is_flat() {
        true => UPRIGHT,
        false => TILTED,
    }
}

/// A small change of a transform, in steps: how far it moves the picture's middle, stretches the
/// picture around it, turns it (in radians) and tilts it.
pub(super) struct Change {
    shift: [f64; 2],
    stretch: [f64; 2],
    turn: f64,
    tilt: [f64; 2],
}

impl Change {
    const NONE: Change = Change {
        shift: [0.0; 2],
        stretch: [0.0; 2],
        turn: 0.0,
        tilt: [0.0; 2],
    };

    const fn shift(shift: [f64; 2]) -> Change {
        Change {
            shift,
            ..Change::NONE
        }
    }

    const fn stretch(stretch: [f64; 2]) -> Change {
        Change {
            stretch,
            ..Change::NONE
        }
    }

    const fn tilt(tilt: [f64; 2]) -> Change {
        Change {
            tilt,
            ..Change::NONE
        }
    }

    fn of(&self, map: &Homography, step: f64, middle: [f64; 2]) -> Option<Homography> {
        let added = |to: [f64; 2], change: [f64; 2]| [0, 1].map(|i| to[i] + step * change[i]);
        let (near, [sx, sy]) = (map.near(middle), added([1.0; 2], self.stretch));
        let (sin, cos) = (step * self.turn).sin_cos();
        let near = Affine {
            a: (cos * near.a - sin * near.d) * sx,
            b: (cos * near.b - sin * near.e) * sy,
            d: (sin * near.a + cos * near.d) * sx,
            e: (sin * near.b + cos * near.e) * sy,
            ..near
        };
        let near = near.with(added(map.apply(middle), self.shift), middle);
        Homography::about(middle, near, added(map.tilt(middle), self.tilt))
    }
}

const SHIFTS: [Change; 2] = [Change::shift([1.0, 0.0]), Change::shift([0.0, 1.0])];
const ZOOM: Change = Change::stretch([1.0, 1.0]);
const STRETCHES: [Change; 2] = [Change::stretch([1.0, 0.0]), Change::stretch([0.0, 1.0])];
const TURN_BY: Change = Change {
    turn: 1.0,
    ..Change::NONE
};
const TILTS: [Change; 2] = [Change::tilt([1.0, 0.0]), Change::tilt([0.0, 1.0])];

/// What may change in a picture that is seen from the front...
const UPRIGHT: &[Change] = &{
    let [right, down] = SHIFTS;
    let [wider, higher] = STRETCHES;
    [right, down, ZOOM, wider, higher]
};
/// ...at an angle...
const TILTED: &[Change] = &{
    let [right, down] = SHIFTS;
    let [wider, higher] = STRETCHES;
    let [aside, back] = TILTS;
    [right, down, ZOOM, wider, higher, aside, back]
};
/// ...and from one picture to the next, in one that wanders.
pub(super) const WANDERING: &[Change] = &{
    let [right, down] = SHIFTS;
    [right, down, ZOOM, TURN_BY]
};

/// How much the films of the query seconds `span` correlate along `line`; nothing where fewer than `least`
/// pixels of the reference can be seen.
fn agreement(
    map: &Homography,
    look: Look,
    (line, span): (Line, (f64, f64)),
    (query, reference): (&Query, &VideoFingerprint),
    least: usize,
    config: &VideoMatchConfig,
) -> f32 {
    let warps = Warps::new(map, look, reference, query);
    if warps.pixels.len() < least {
        return f32::MIN;
    }
    let there = (line.at(span.0) - 1.0, line.at(span.1) + 1.0);
    let own = Film::new(query.thumbnails, &warps.query, span, config.detrend);
    let other = Film::new(
        &reference.thumbnails,
        &warps.reference,
        there,
        config.detrend,
    );
    correlation(&own.levelled(), &other.levelled(), line)
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
