//! Where a reference's picture lies in a query's: a transform found by RANSAC (Fischler and
//! Bolles, 1981) over all keyframes of a window at once.
//!
//! Places are in picture heights, so that similarities keep circles round.

use super::candidates::Pair;
use super::config::VideoMatchConfig;
use super::homography::Homography;
use std::collections::{HashMap, HashSet};

/// An affine map from the (possibly mirrored) reference to the query:
/// `[a x + b y + c, d x + e y + f]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub a: f64,
    pub b: f64,
    pub c: f64,
    pub d: f64,
    pub e: f64,
    pub f: f64,
}

impl Affine {
    pub(super) fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [
            self.a * x + self.b * y + self.c,
            self.d * x + self.e * y + self.f,
        ]
    }

    /// The map with the same turn, scale and shear that takes `from` to `to`.
    pub(super) fn with(&self, to: [f64; 2], from: [f64; 2]) -> Affine {
        Affine {
            c: to[0] - self.a * from[0] - self.b * from[1],
            f: to[1] - self.d * from[0] - self.e * from[1],
            ..*self
        }
    }

    /// Area of the image of a unit square; negative when the map flips.
    pub(super) fn determinant(&self) -> f64 {
        self.a * self.e - self.b * self.d
    }

    /// The map back; `None` for a degenerate one.
    pub(super) fn inverse(&self) -> Option<Affine> {
        let det = self.determinant();
        if det.abs() < 1e-9 {
            return None;
        }
        let (a, b, d, e) = (self.e / det, -self.b / det, -self.d / det, self.a / det);
        let (c, f) = (-(a * self.c + b * self.f), -(d * self.c + e * self.f));
        Some(Affine { a, b, c, d, e, f })
    }

    /// The map without turn and shear that does the same to `centre`.
    pub(super) fn straight(&self, centre: [f64; 2]) -> Affine {
        let scales = Affine {
            a: self.a.hypot(self.d),
            b: 0.0,
            c: 0.0,
            d: 0.0,
            e: self.b.hypot(self.e),
            f: 0.0,
        };
        scales.with(self.apply(centre), centre)
    }

    /// Clockwise turn in degrees, as the picture is seen.
    pub(super) fn rotation_degrees(&self) -> f64 {
        (self.d - self.b).atan2(self.a + self.e).to_degrees()
    }

    /// The similarity that takes two points to two points.
    fn through(from: [[f64; 2]; 2], to: [[f64; 2]; 2]) -> Option<Affine> {
        let (rx, ry) = (from[1][0] - from[0][0], from[1][1] - from[0][1]);
        let (qx, qy) = (to[1][0] - to[0][0], to[1][1] - to[0][1]);
        let norm = rx * rx + ry * ry;
        if norm < 0.01 || qx * qx + qy * qy < 0.0016 {
            return None;
        }
        let (a, d) = ((qx * rx + qy * ry) / norm, (qy * rx - qx * ry) / norm);
        let mut map = Affine {
            a,
            b: -d,
            c: 0.0,
            d,
            e: a,
            f: 0.0,
        };
        let [x, y] = map.apply(from[0]);
        (map.c, map.f) = (to[0][0] - x, to[0][1] - y);
        Some(map)
    }

    /// The map without turn that takes two points to two points, stretched as it may be.
    fn upright(from: [[f64; 2]; 2], to: [[f64; 2]; 2]) -> Option<Affine> {
        let scale = |axis: usize| {
            let (r, q) = (from[1][axis] - from[0][axis], to[1][axis] - to[0][axis]);
            (r.abs() > 0.1 && q.abs() > 0.04).then_some(q / r)
        };
        let (a, e) = (scale(0)?, scale(1)?);
        Some(Affine {
            a,
            b: 0.0,
            c: to[0][0] - a * from[0][0],
            d: 0.0,
            e,
            f: to[0][1] - e * from[0][1],
        })
    }

    /// Whether the map is one that a disguise plausibly makes: no flip (that is asked elsewhere),
    /// scales of 1/6 to 6, stretched by less than 2.5.
    pub(super) fn plausible(&self) -> bool {
        let det = self.determinant();
        let (sx, sy) = (self.a.hypot(self.d), self.b.hypot(self.e));
        det > 0.0
            && (1.0 / 6.0..=6.0).contains(&sx)
            && (1.0 / 6.0..=6.0).contains(&sy)
            && (0.4..=2.5).contains(&(sx / sy))
            && det > 0.8 * sx * sy
    }
}

/// The middle of a picture, in its heights.
pub(super) fn middle(aspect: f64) -> [f64; 2] {
    [aspect / 2.0, 0.5]
}

/// A transform and what supports it.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    pub map: Homography,
    /// Pairs that fit the transform.
    pub inliers: Vec<Pair>,
    /// Distinct (keyframe, query cell) among them.
    pub support: usize,
}

/// The transform that most distinct cells agree on, `least` at least, refined to an affine map where enough
/// do.
///
/// `reach`: distance in picture heights up to which a pair fits a transform.
pub(super) fn fit(
    pairs: &[Pair],
    reach: f64,
    least: usize,
    config: &VideoMatchConfig,
) -> Option<Fit> {
    if pairs.len() < 2 {
        return None;
    }
    // What is found of a reference does not depend on its place in a library.
    let mut random = SEED;
    let mut pick = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let weights = weights(pairs);
    // A sample is enough to tell good maps from bad ones.
    let sample: Vec<usize> = match pairs.len() {
        n if n <= SAMPLE => (0..n).collect(),
        n => (0..SAMPLE).map(|_| pick(n)).collect(),
    };
    let mut best: Vec<(f64, Affine)> = Vec::new();
    for round in 0..config.ransac_rounds {
        let [p, q] = [0, 1].map(|_| &pairs[sample[pick(sample.len())]]);
        // Squeezed pictures are not similar to their originals; few are squeezed.
        let through = if round % 4 == 3 {
            Affine::upright
        } else {
            Affine::through
        };
        let Some(map) = through([p.reference, q.reference], [p.query, q.query]) else {
            continue;
        };
        if map.plausible() {
            let fits = |i: &&usize| error(&pairs[**i], &map) < 1.5 * reach;
            let support: f64 = sample.iter().filter(fits).map(|&i| weights[i]).sum();
            let at = best.partition_point(|(s, _)| *s >= support);
            best.insert(at, (support, map));
            best.truncate(4);
        }
    }
    best.into_iter()
        .map(|(_, map)| refine(pairs, map, reach))
        .max_by_key(|fit| fit.support)
        .filter(|fit| fit.support >= least)
}

/// Where the random numbers start.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Pairs that judge a map.
const SAMPLE: usize = 400;

/// One over the number of pairs of each pair's cell: a repeated pattern counts once.
fn weights(pairs: &[Pair]) -> Vec<f64> {
    let mut counts: HashMap<u32, u32> = HashMap::new();
    for pair in pairs {
        *counts.entry(pair.cell).or_default() += 1;
    }
    pairs
        .iter()
        .map(|pair| 1.0 / f64::from(counts[&pair.cell]))
        .collect()
}

/// Alternates between choosing inliers and least squares.
fn refine(pairs: &[Pair], mut map: Affine, reach: f64) -> Fit {
    for round in 0..5 {
        let near = reach * if round < 2 { 2.5 } else { 1.5 };
        let near = |p: &&Pair| error(p, &map) < near;
        let inliers: Vec<Pair> = pairs.iter().filter(near).copied().collect();
        match least_squares(&inliers) {
            Some(better) if better.plausible() => map = better,
            _ => break,
        }
    }
    let inliers: Vec<Pair> = pairs
        .iter()
        .filter(|p| error(p, &map) < reach)
        .copied()
        .collect();
    let support = distinct(inliers.iter());
    Fit {
        map: map.into(),
        inliers,
        support,
    }
}

fn error(pair: &Pair, map: &Affine) -> f64 {
    let [x, y] = map.apply(pair.reference);
    (x - pair.query[0]).hypot(y - pair.query[1])
}

pub(super) fn distinct<'a>(pairs: impl Iterator<Item = &'a Pair>) -> usize {
    pairs.map(|p| p.cell).collect::<HashSet<u32>>().len()
}

/// Least squares: an affine map where the pairs tell one, else a similarity from two on.
fn least_squares(pairs: &[Pair]) -> Option<Affine> {
    if pairs.len() < 2 {
        return None;
    }
    let moments = Moments::of(pairs);
    moments.affine(pairs.len()).or_else(|| moments.similarity())
}

/// Least squares: an affine map from 12 pairs on that spread in both directions.
pub(super) fn affine_squares(pairs: &[Pair]) -> Option<Affine> {
    Moments::of(pairs).affine(pairs.len())
}

/// Means of pairs and of products about them: reference `x, y`, query `u, v`.
struct Moments {
    reference: [f64; 2],
    query: [f64; 2],
    xx: f64,
    xy: f64,
    yy: f64,
    /// With `x`, with `y`.
    u: [f64; 2],
    v: [f64; 2],
}

impl Moments {
    fn of(pairs: &[Pair]) -> Moments {
        let n = pairs.len() as f64;
        let mean = |f: &dyn Fn(&Pair) -> f64| pairs.iter().map(f).sum::<f64>() / n;
        let [mx, my] = [0, 1].map(|i| mean(&|p: &Pair| p.reference[i]));
        let [mu, mv] = [0, 1].map(|i| mean(&|p: &Pair| p.query[i]));
        let centred = |f: &dyn Fn(f64, f64, f64, f64) -> f64| {
            mean(&|p: &Pair| {
                f(
                    p.reference[0] - mx,
                    p.reference[1] - my,
                    p.query[0] - mu,
                    p.query[1] - mv,
                )
            })
        };
        Moments {
            reference: [mx, my],
            query: [mu, mv],
            xx: centred(&|x, _, _, _| x * x),
            xy: centred(&|x, y, _, _| x * y),
            yy: centred(&|_, y, _, _| y * y),
            u: [centred(&|x, _, u, _| x * u), centred(&|_, y, u, _| y * u)],
            v: [centred(&|x, _, _, v| x * v), centred(&|_, y, _, v| y * v)],
        }
    }

    fn affine(&self, pairs: usize) -> Option<Affine> {
        let (xx, xy, yy) = (self.xx, self.xy, self.yy);
        let det = xx * yy - xy * xy;
        let spread = xx.min(yy) > 0.004 && det > 0.1 * xx * yy;
        if pairs < 12 || !spread {
            return None;
        }
        let solve = |[x, y]: [f64; 2]| ((x * yy - y * xy) / det, (y * xx - x * xy) / det);
        let ((a, b), (d, e)) = (solve(self.u), solve(self.v));
        Some(self.through([[a, b], [d, e]]))
    }

    fn similarity(&self) -> Option<Affine> {
        let norm = self.xx + self.yy;
        if norm < 1e-6 {
            return None;
        }
        let a = (self.u[0] + self.v[1]) / norm;
        let d = (self.v[0] - self.u[1]) / norm;
        Some(self.through([[a, -d], [d, a]]))
    }

    /// The map of these rows that takes mean to mean.
    fn through(&self, [[a, b], [d, e]]: [[f64; 2]; 2]) -> Affine {
        let rows = Affine {
            a,
            b,
            c: 0.0,
            d,
            e,
            f: 0.0,
        };
        rows.with(self.query, self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_and_its_inverse_cancel() {
        let map = Affine {
            a: 0.5,
            b: -0.1,
            c: 0.3,
            d: 0.12,
            e: 0.45,
            f: -0.2,
        };
        let [x, y] = map.inverse().unwrap().apply(map.apply([0.7, 0.4]));
        assert!((x - 0.7).abs() < 1e-12 && (y - 0.4).abs() < 1e-12);
    }

    #[test]
    fn straightening_takes_the_turn_away_and_keeps_the_middle() {
        let (sin, cos) = 2f64.to_radians().sin_cos();
        let map = Affine {
            a: 0.5 * cos,
            b: -0.6 * sin,
            c: 0.2,
            d: 0.5 * sin,
            e: 0.6 * cos,
            f: 0.1,
        };
        let straight = map.straight([0.8, 0.5]);
        let ([x, y], [u, v]) = (map.apply([0.8, 0.5]), straight.apply([0.8, 0.5]));
        assert!((x - u).abs() < 1e-12 && (y - v).abs() < 1e-12);
        assert!((straight.a - 0.5).abs() < 1e-12 && (straight.e - 0.6).abs() < 1e-12);
        assert_eq!(straight.rotation_degrees(), 0.0);
    }

    #[test]
    fn two_points_fix_a_similarity() {
        let (sin, cos) = 30f64.to_radians().sin_cos();
        let truth = Affine {
            a: 0.5 * cos,
            b: -0.5 * sin,
            c: 0.2,
            d: 0.5 * sin,
            e: 0.5 * cos,
            f: 0.1,
        };
        let from = [[0.1, 0.2], [1.1, 0.7]];
        let map = Affine::through(from, from.map(|p| truth.apply(p))).unwrap();
        assert!((map.rotation_degrees() - 30.0).abs() < 1e-9);
        assert!((map.determinant() - 0.25).abs() < 1e-12);
    }
}
