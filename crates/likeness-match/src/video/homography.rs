//! Pictures seen at an angle: a map that keeps straight lines straight, not parallel ones parallel
//! (Hartley and Zisserman, Multiple View Geometry, 2nd edition, 2.3).

use super::candidates::Pair;
use super::geometry::{Affine, Fit, affine_squares, distinct, middle};

/// Cells that must support a tilt: twice the 12 pairs from which on a map may be affine.
const LEAST: usize = 24;
/// How much of an affine map's squared errors a tilt may leave.
const LEFT: f64 = 0.8;
/// By which share of its size a corner of the picture is shown smaller or larger than the middle. What is less
/// is no tilt.
const LEAST_TILT: f64 = 0.02;
/// What is more is no picture that anybody would look at, and near the horizon, where maps end.
const MOST_TILT: f64 = 0.6;
/// Rounds of choosing inliers, by how many times the reach they may be off.
const ROUNDS: [f64; 5] = [2.5, 2.5, 2.0, 1.5, 1.5];

/// A projective map from the (possibly mirrored) reference to the query, both in picture heights: an
/// affine map, divided by `1 + tilt . [x, y]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Homography {
    affine: Affine,
    tilt: [f64; 2],
}

impl From<Affine> for Homography {
    fn from(affine: Affine) -> Homography {
        let tilt = [0.0; 2];
        Homography { affine, tilt }
    }
}

impl Homography {
    /// The map that does nearly the same as `near` around the middle of a picture, `centre`, and shows what lies
    /// at `p` smaller by `1 + tilt . (p - centre)`; `None` where a corner is too far from that, or too near.
    pub(super) fn about(centre: [f64; 2], near: Affine, tilt: [f64; 2]) -> Option<Homography> {
        let most = tilt[0].abs() * centre[0] + tilt[1].abs() * centre[1];
        if most.is_nan() || most > MOST_TILT {
            return None;
        }
        let depth = 1.0 - tilt[0] * centre[0] - tilt[1] * centre[1];
        let ([g, h], [u, v]) = (tilt.map(|t| t / depth), near.apply(centre));
        let affine = Affine {
            a: near.a / depth + u * g,
            b: near.b / depth + u * h,
            c: u - (near.a * centre[0] + near.b * centre[1]) / depth,
            d: near.d / depth + v * g,
            e: near.e / depth + v * h,
            f: v - (near.d * centre[0] + near.e * centre[1]) / depth,
        };
        let tilt = [g, h];
        Some(Homography { affine, tilt })
    }

    /// By which share smaller what lies a picture height to the right of a point is shown, and what lies as far
    /// below: 0 of an affine map.
    pub(super) fn tilt(&self, p: [f64; 2]) -> [f64; 2] {
        self.tilt.map(|t| t / self.depth(p))
    }

    /// Whether it is an affine map.
    pub(super) fn is_flat(&self) -> bool {
        self.tilt == [0.0; 2]
    }

    pub(super) fn apply(&self, p: [f64; 2]) -> [f64; 2] {
        let depth = self.depth(p);
        self.affine.apply(p).map(|v| v / depth)
    }

    fn depth(&self, [x, y]: [f64; 2]) -> f64 {
        1.0 + self.tilt[0] * x + self.tilt[1] * y
    }

    /// The affine map that does nearly the same around a point.
    pub(super) fn near(&self, p: [f64; 2]) -> Affine {
        let (depth, [u, v]) = (self.depth(p), self.apply(p));
        let [g, h] = self.tilt;
        let map = &self.affine;
        let (a, b) = ((map.a - u * g) / depth, (map.b - u * h) / depth);
        let (d, e) = ((map.d - v * g) / depth, (map.e - v * h) / depth);
        let near = Affine {
            a,
            b,
            c: 0.0,
            d,
            e,
            f: 0.0,
        };
        near.with([u, v], p)
    }

    /// Where in the reference a point of the query is; `None` for a degenerate map, and beyond its horizon.
    pub(super) fn back(&self, q: [f64; 2]) -> Option<[f64; 2]> {
        // affine(p) = q (1 + tilt . p) is linear in p.
        let ([g, h], map) = (self.tilt, &self.affine);
        let point = Affine {
            a: map.a - q[0] * g,
            b: map.b - q[0] * h,
            d: map.d - q[1] * g,
            e: map.e - q[1] * h,
            ..*map
        };
        let p = point.inverse()?.apply(q);
        (self.depth(p) > 0.0).then_some(p)
    }
}

/// The tilted map that fits pairs around an affine one clearly better than any affine map does.
///
/// `reach`: distance in picture heights up to which a pair fits; `aspect`: of the reference.
pub(super) fn tilted(pairs: &[Pair], fit: &Fit, reach: f64, aspect: f64) -> Option<Fit> {
    let centre = middle(aspect);
    let mut map = fit.map;
    let fits = |map: &Homography, near: f64| -> Vec<Pair> {
        let off = |pair: &&Pair| error(pair, map) < near * reach;
        pairs.iter().filter(off).copied().collect()
    };
    for near in ROUNDS {
        let inliers = fits(&map, near);
        if distinct(inliers.iter()) < LEAST {
            return None;
        }
        map = least_tilted(&inliers, centre)?;
    }
    let corners = [[0.0, 0.0], [aspect, 0.0], [0.0, 1.0], [aspect, 1.0]];
    let shrinks = |corner| (map.depth(corner) / map.depth(centre) - 1.0).abs();
    let most = corners.map(shrinks).into_iter().fold(0.0, f64::max);
    if most < LEAST_TILT || !map.near(centre).plausible() {
        return None;
    }
    let inliers = fits(&map, ROUNDS[ROUNDS.len() - 1]);
    let flat = Homography::from(affine_squares(&inliers)?);
    let left = |map: &Homography| inliers.iter().map(|p| error(p, map).powi(2)).sum::<f64>();
    if left(&map) > LEFT * left(&flat) {
        return None;
    }
    let inliers = fits(&map, 1.0);
    let support = distinct(inliers.iter());
    (support >= LEAST).then_some(Fit {
        map,
        inliers,
        support,
    })
}

fn error(pair: &Pair, map: &Homography) -> f64 {
    let [x, y] = map.apply(pair.reference);
    (x - pair.query[0]).hypot(y - pair.query[1])
}

/// Least squares of the error times the depth (the direct linear transform, 4.1): `q + tilt . p q` is
/// an affine map of `p`, so the tilt is what takes most away from what no affine map of `p` gives of `q`.
fn least_tilted(pairs: &[Pair], centre: [f64; 2]) -> Option<Homography> {
    let n = pairs.len() as f64;
    let mean = |axis: usize| pairs.iter().map(|p| p.query[axis]).sum::<f64>() / n;
    let middle = [mean(0), mean(1)];
    let place = |pair: &Pair| [0, 1].map(|i| pair.reference[i] - centre[i]);
    let target = |pair: &Pair, times: f64| [0, 1].map(|i| (pair.query[i] - middle[i]) * times);
    // The affine map of places that is nearest to some targets, and what it leaves.
    let affine = |times: &dyn Fn(&Pair) -> f64| {
        let mut moved = pairs.to_vec();
        moved
            .iter_mut()
            .for_each(|pair| pair.query = target(pair, times(pair)));
        let map = affine_squares(&moved)?;
        let left = moved.iter().map(|pair| {
            let at = map.apply(pair.reference);
            [0, 1].map(|i| pair.query[i] - at[i])
        });
        Some((map, left.collect::<Vec<[f64; 2]>>()))
    };
    let left = affine(&|_| 1.0)?.1;
    let by = [affine(&|p| place(p)[0])?.1, affine(&|p| place(p)[1])?.1];
    let dot = |a: &[[f64; 2]], b: &[[f64; 2]]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| a[0] * b[0] + a[1] * b[1]);
        products.sum()
    };
    let (xx, xy, yy) = (
        dot(&by[0], &by[0]),
        dot(&by[0], &by[1]),
        dot(&by[1], &by[1]),
    );
    let (x, y) = (-dot(&by[0], &left), -dot(&by[1], &left));
    let determinant = xx * yy - xy * xy;
    if determinant <= 1e-6 * xx * yy {
        return None;
    }
    let tilt = [
        (x * yy - y * xy) / determinant,
        (y * xx - x * xy) / determinant,
    ];
    let depth = |pair: &Pair| 1.0 + tilt[0] * place(pair)[0] + tilt[1] * place(pair)[1];
    let map = affine(&depth)?.0;
    let [x, y] = map.apply(centre);
    let near = Affine {
        a: map.a - x * tilt[0],
        b: map.b - x * tilt[1],
        d: map.d - y * tilt[0],
        e: map.e - y * tilt[1],
        ..map
    };
    let near = near.with([middle[0] + x, middle[1] + y], centre);
    Homography::about(centre, near, tilt)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASPECT: f64 = 16.0 / 9.0;

    fn steep() -> Homography {
        Homography {
            affine: Affine {
                a: 0.8,
                b: -0.1,
                c: 0.1,
                d: 0.05,
                e: 0.9,
                f: 0.02,
            },
            tilt: [0.1, -0.07],
        }
    }

    /// Pairs all over the picture, of which every eighth is wrong and the others are up to `off` off.
    fn pairs(map: &Homography, off: f64) -> Vec<Pair> {
        let place = |i: u32, step: f64| (f64::from(i) * step).fract();
        let pair = |i: u32| {
            let from = [place(i, 0.618) * ASPECT, place(i, 0.755)];
            let mut to = map.apply(from);
            to[0] += (place(i, 0.37) - 0.5) * 2.0 * off;
            to[1] += if i.is_multiple_of(8) { 0.2 } else { 0.0 };
            Pair::new((0.0, 0.0), to, from, i)
        };
        (0..200).map(pair).collect()
    }

    #[test]
    fn a_map_and_the_way_back_cancel() {
        let map = steep();
        let p = [0.7, 0.4];
        let back = map.back(map.apply(p)).unwrap();
        assert!((back[0] - p[0]).abs() < 1e-12 && (back[1] - p[1]).abs() < 1e-12);
        // Behind who looks there is no picture.
        assert_eq!(map.back(map.apply([-20.0, 0.0])), None);
    }

    #[test]
    fn a_map_ends_before_the_horizon_on_all_sides() {
        let centre = middle(ASPECT);
        let flat = steep().near(centre);
        let check = |tilt: [f64; 2], want: bool| {
            let map = Homography::about(centre, flat, tilt);
            assert_eq!(map.is_some(), want, "{tilt:?}");
        };
        for sign in [-1.0, 1.0] {
            check([0.5 * sign, 0.0], true);
            check([0.7 * sign, 0.0], false);
            check([0.0, 1.1 * sign], true);
            check([0.0, 1.3 * sign], false);
            check([0.5 * sign, 0.5], false);
        }
        check([f64::NAN, 0.0], false);
    }

    #[test]
    fn a_tilt_without_enough_behind_it_is_none() {
        let flat: Homography = steep().near(middle(ASPECT)).into();
        let fit = || Fit {
            map: flat,
            inliers: Vec::new(),
            support: 0,
        };
        let few = pairs(&steep(), 0.0)[..20].to_vec();
        assert!(tilted(&few, &fit(), 0.02, ASPECT).is_none());
        // All at one place, or on one line, tell nothing.
        let mut line = pairs(&steep(), 0.0);
        line.iter_mut().for_each(|pair| pair.reference[1] = 0.5);
        assert!(tilted(&line, &fit(), 0.2, ASPECT).is_none());
        // Only the widest reach has enough of them.
        let mut off = pairs(&steep(), 0.0);
        for (i, pair) in off.iter_mut().enumerate() {
            let turn = (i * i) as f64 * 0.7;
            pair.query = [
                pair.query[0] + 0.026 * turn.cos(),
                pair.query[1] + 0.026 * turn.sin(),
            ];
        }
        assert!(tilted(&off, &fit(), 0.02, ASPECT).is_none());
    }

    #[test]
    fn near_a_point_it_is_affine() {
        let (map, p) = (steep(), middle(ASPECT));
        let near = map.near(p);
        let check = |dx: f64, dy: f64| {
            let q = [p[0] + dx, p[1] + dy];
            let (want, got) = (map.apply(q), near.apply(q));
            let far = (want[0] - got[0]).hypot(want[1] - got[1]);
            let again = Homography::about(p, near, map.tilt(p)).unwrap().apply(q);
            assert!((want[0] - again[0]).hypot(want[1] - again[1]) < 1e-12);
            assert!(far <= dx.hypot(dy).powi(2), "{dx} {dy}: {far}");
        };
        check(0.0, 0.0);
        check(1e-3, 0.0);
        check(0.0, 1e-3);
        check(-1e-2, 1e-2);
    }

    #[test]
    fn a_tilt_is_found_where_there_is_one() {
        let check = |truth: Homography, off: f64, want: bool| {
            let pairs = pairs(&truth, off);
            let fit = Fit {
                map: truth.near(middle(ASPECT)).into(),
                inliers: Vec::new(),
                support: 0,
            };
            let found = tilted(&pairs, &fit, 0.02, ASPECT);
            assert_eq!(found.is_some(), want, "{truth:?} {off}");
            let Some(fit) = found else { return };
            assert_eq!(fit.support, 175);
            for corner in [[0.0, 0.0], [ASPECT, 1.0]] {
                let (a, b) = (truth.apply(corner), fit.map.apply(corner));
                let far = (a[0] - b[0]).hypot(a[1] - b[1]);
                assert!(far < 1e-9 + 0.5 * off, "{off}: {far}");
            }
        };
        check(steep(), 0.0, true);
        check(steep(), 0.01, true);
        let flat = Homography {
            tilt: [0.0; 2],
            ..steep()
        };
        check(flat, 0.0, false);
        check(flat, 0.01, false);
    }
}
