//! When the reference plays in the query: a line, first from keypoints, then from thumbnails.

use super::candidates::Pair;
use super::config::VideoMatchConfig;
use super::film::Film;
use std::collections::{HashMap, HashSet};

/// Reference time = `start + speed * query time`, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub start: f64,
    pub speed: f64,
}

impl Line {
    /// The reference time that plays at a query time.
    pub(super) fn at(&self, query_time: f64) -> f64 {
        self.start + self.speed * query_time
    }
}

/// Lines on which most distinct inliers lie, a few alternatives, best first: a Hough transform
/// over speed and offset. Offsets count at the window's middle, where speed does not move them.
pub(super) fn lines(inliers: &[Pair], config: &VideoMatchConfig) -> Vec<Line> {
    const OFFSET_STEP: f64 = 0.5;
    let n = inliers.len().max(1) as f64;
    let middle = inliers.iter().map(|p| p.query_time).sum::<f64>() / n;
    let (low, high) = config.speed;
    let steps = 60;
    let mut found: Vec<(usize, f64, Line)> = Vec::new();
    for step in 0..=steps {
        let speed = low * (high / low).powf(f64::from(step) / f64::from(steps));
        let mut bins: HashMap<i64, HashSet<u32>> = HashMap::new();
        for pair in inliers {
            let offset = pair.reference_time - speed * (pair.query_time - middle);
            let bin = (offset / OFFSET_STEP).floor() as i64;
            for bin in [bin, bin + 1] {
                bins.entry(bin).or_default().insert(pair.cell);
            }
        }
        for (bin, cells) in bins {
            let offset = bin as f64 * OFFSET_STEP;
            let line = Line {
                start: offset - speed * middle,
                speed,
            };
            found.push((cells.len(), offset, line));
        }
    }
    // Between equals, the speed nearest to 1: of a still scene any speed is as good.
    found.sort_by(|a, b| {
        let plain = |l: &Line| l.speed.ln().abs();
        b.0.cmp(&a.0)
            .then(plain(&a.2).total_cmp(&plain(&b.2)))
            .then(a.1.total_cmp(&b.1))
    });
    let mut kept: Vec<(f64, Line)> = Vec::new();
    for (_, offset, line) in found {
        let same = |(o, l): &(f64, Line)| {
            (o - offset).abs() < 2.0 && (l.speed / line.speed - 1.0).abs() < 0.1
        };
        if kept.len() < 4 && !kept.iter().any(same) {
            kept.push((offset, line));
        }
        if kept.len() == 4 {
            break;
        }
    }
    kept.into_iter().map(|(_, line)| line).collect()
}

/// Correlation of the two films along a line, over the pixels of `mask` and query times in `span`;
/// and the seconds that were compared.
pub(super) fn correlation(
    query: &Film,
    reference: &Film,
    mask: &[u32],
    line: Line,
    span: (f64, f64),
) -> (f64, f64) {
    let mut sums = Sums::default();
    for (i, j) in steps(query, reference, line, span) {
        sums.add(query.picture(i), reference.picture(j), mask);
    }
    (sums.correlation(), sums.pictures as f64 / query.rate)
}

/// Pairs of picture numbers (query, reference) along a line inside both films.
pub(super) fn steps(
    query: &Film,
    reference: &Film,
    line: Line,
    span: (f64, f64),
) -> impl Iterator<Item = (usize, usize)> {
    let (query_rate, reference_rate, length) = (query.rate, reference.rate, reference.len());
    let first = (span.0 * query_rate).ceil().max(0.0) as usize;
    let last = ((span.1 * query_rate).floor().max(-1.0) + 1.0) as usize;
    (first..last.min(query.len())).filter_map(move |i| {
        let j = (line.at(i as f64 / query_rate) * reference_rate).round();
        (j >= 0.0 && j < length as f64).then_some((i, j as usize))
    })
}

/// Sums for a correlation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub qq: f64,
    pub rr: f64,
    pub qr: f64,
    pub pictures: usize,
}

impl Sums {
    /// Adds one pair of pictures.
    pub(super) fn add(&mut self, query: &[f32], reference: &[f32], mask: &[u32]) {
        let (mut qq, mut rr, mut qr) = (0f32, 0f32, 0f32);
        for &pixel in mask {
            let (q, r) = (query[pixel as usize], reference[pixel as usize]);
            qq += q * q;
            rr += r * r;
            qr += q * r;
        }
        self.qq += f64::from(qq);
        self.rr += f64::from(rr);
        self.qr += f64::from(qr);
        self.pictures += 1;
    }

    /// The correlation, -1..=1; 0 where either side stands still.
    pub(super) fn correlation(&self) -> f64 {
        let norm = (self.qq * self.rr).sqrt();
        if norm > 0.0 { self.qr / norm } else { 0.0 }
    }
}

/// Moves a line to where the films correlate best: offsets to `reach` seconds either way, speeds
/// to `spread` either way, then finer.
pub(super) fn refine(
    query: &Film,
    reference: &Film,
    mask: &[u32],
    line: Line,
    span: (f64, f64),
) -> (Line, f64) {
    let middle = (span.0 + span.1) / 2.0;
    let at = |offset: f64, speed: f64| Line {
        start: line.at(middle) + offset - speed * middle,
        speed,
    };
    let mut best = (f64::MIN, 0.0, line.speed);
    let search = |best: &mut (f64, f64, f64), reach: f64, spread: f64, n: i32, m: i32| {
        let (_, offset, speed) = *best;
        for a in -n..=n {
            for b in -m..=m {
                let o = offset + reach * f64::from(a) / f64::from(n);
                let s = speed * (1.0 + spread * f64::from(b) / f64::from(m.max(1)));
                let (c, _) = correlation(query, reference, mask, at(o, s), span);
                if c > best.0 + 1e-9 {
                    *best = (c, o, s);
                }
            }
        }
    };
    search(&mut best, 1.6, 0.06, 8, 6);
    search(&mut best, 0.2, 0.01, 2, 5);
    search(&mut best, 0.1, 0.002, 2, 3);
    (at(best.1, best.2), best.0)
}
