//! What stands still on top of a copy: boxes, captions, logos, lines.
//!
//! Means over time of the query and of the reference are compared. Brightness, contrast and gamma
//! are learned from the picture itself, as the curve that takes the reference's grey to the
//! query's in most places; what is far off that curve is something else.

use super::film::{Warp, Warps};
use super::timeline::Line;
use likeness_core::video::Thumbnails;

/// Bins of the reference's grey in which the query's is learned.
const BINS: usize = 8;
/// Pixels that a bin must have to say anything.
const MIN_PIXELS: usize = 6;
/// Grey levels beyond what the neighbourhood explains from which a pixel shows something else.
const TOLERANCE: f32 = 14.0;

/// For each of the warps' pixels, whether something stands on it over the query seconds `span`.
pub(super) fn standing(
    warps: &Warps,
    (line, span): (Line, (f64, f64)),
    query: &Thumbnails,
    reference: &Thumbnails,
) -> Vec<bool> {
    let there = (line.at(span.0), line.at(span.1));
    let own = mean(&warps.query, query, span);
    let other = mean(&warps.reference, reference, there);
    let curve = Curve::learn(&other, &own);
    let expected: Vec<f32> = other.iter().map(|&grey| curve.at(grey)).collect();
    let (width, height) = (reference.width, reference.height);
    let mut grid = vec![None; width * height];
    for (&pixel, &value) in warps.pixels.iter().zip(&expected) {
        grid[pixel] = Some(value);
    }
    let far = |(&pixel, &value): (&usize, &f32)| {
        // Edges are never where they should be to the pixel.
        let (x, y) = (pixel % width, pixel / width);
        let rows = y.max(1) - 1..(y + 2).min(height);
        let near = rows.flat_map(|y| (x.max(1) - 1..(x + 2).min(width)).map(move |x| (x, y)));
        let near = near.filter_map(|(x, y)| grid[y * width + x]);
        let (low, high) = near.fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(v), h.max(v)));
        value < low - TOLERANCE || value > high + TOLERANCE
    };
    warps.pixels.iter().zip(&own).map(far).collect()
}

fn mean(warp: &Warp, film: &Thumbnails, span: (f64, f64)) -> Vec<f32> {
    let index = |t: f64| ((t.max(0.0) * film.rate()) as usize).min(film.len());
    warp.mean(film, index(span.0)..index(span.1).max(index(span.0) + 1))
}

/// Grey to grey: medians of bins, straight between them.
struct Curve {
    points: Vec<(f32, f32)>,
}

impl Curve {
    fn learn(from: &[f32], to: &[f32]) -> Curve {
        let mut bins: Vec<Vec<(f32, f32)>> = vec![Vec::new(); BINS];
        for (&x, &y) in from.iter().zip(to) {
            bins[((x / 256.0 * BINS as f32) as usize).min(BINS - 1)].push((x, y));
        }
        let median = |bin: &[(f32, f32)], axis: fn(&(f32, f32)) -> f32| {
            let mut values: Vec<f32> = bin.iter().map(axis).collect();
            values.sort_by(f32::total_cmp);
            values[values.len() / 2]
        };
        let points = bins.iter().filter(|bin| bin.len() >= MIN_PIXELS);
        Curve {
            points: points
                .map(|bin| (median(bin, |p| p.0), median(bin, |p| p.1)))
                .collect(),
        }
    }

    /// The identity where nothing was learned; beyond the outermost points straight on.
    fn at(&self, x: f32) -> f32 {
        match &self.points[..] {
            [] => x,
            [(x0, y0)] => y0 + x - x0,
            points => {
                let after = points.partition_point(|p| p.0 < x);
                let after = after.clamp(1, points.len() - 1);
                let ((x0, y0), (x1, y1)) = (points[after - 1], points[after]);
                y0 + (y1 - y0) * (x - x0) / (x1 - x0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_follow_most_pixels() {
        let from: Vec<f32> = (0..240).map(|i| i as f32).collect();
        let check = |name: &str, change: &dyn Fn(f32) -> f32| {
            let mut to: Vec<f32> = from.iter().map(|&x| change(x)).collect();
            // A box over some of them.
            to.iter_mut().skip(3).step_by(5).for_each(|y| *y = 0.0);
            let curve = Curve::learn(&from, &to);
            for &x in &from {
                let off = (curve.at(x) - change(x)).abs();
                assert!(off < 12.0, "{name}: {x} is {off} off");
            }
        };
        check("same", &|x| x);
        check("darker", &|x| 0.6 * x + 10.0);
        check("gamma", &|x| 255.0 * (x / 255.0).powf(1.6));
        check("inverted", &|x| 255.0 - x);
        assert_eq!(Curve::learn(&[], &[]).at(17.0), 17.0);
    }
}
