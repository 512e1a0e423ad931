//! Which part of the reference can be seen, where it lies, what is drawn over it and around it.

use super::film::{Film, Warps};
use super::geometry::middle;
use super::homography::Homography;
use super::overlay;
use super::query::Query;
use super::substance::Likeness;
use super::timeline::Line;
use crate::found::{PictureContext, Surroundings};
use likeness_core::video::Thumbnails;
use likeness_core::{Rect, VideoFingerprint};

/// Correlation below which a pixel that changes shows something else.
const FOREIGN: f64 = 0.25;
/// Share of an edge row that must show the reference for the row to belong to it.
const EDGE_SHARE: f64 = 0.35;
/// Share of an edge row that must show something else for the row to go. Where hardly anything
/// moves, a few pixels always flicker.
const FOREIGN_SHARE: f64 = 0.33;
/// Variance in time below which a pixel of the reference says nothing: some times what its few grey
/// levels alone make.
const QUIET: f64 = 6.0;
/// Pixels of a neighbourhood (itself and the eight around it) that must show something else for a
/// pixel to count as covered: what covers a picture is wider than one pixel.
const COVERED_NEIGHBOURS: usize = 3;
/// Parts of a picture by which its edge may lie beyond the query's and there is still no room for a
/// border.
const NO_ROOM: f64 = 0.03;
/// Share of a copy that fills the query below which what is left of it beside something that hides an edge is all that
/// there is of it, as in a split screen.
const HIDDEN: f64 = 0.7;
/// Pixels on either side of an edge over which its place is measured.
const EDGE_REACH: usize = 2;
/// Share of the mean motion that a row must have to tell where an edge is.
const EDGE_ENERGY: f64 = 0.2;
/// Pixels, of the coarser film, within which a measured edge is the picture's own.
const EDGE_ERROR: f64 = 0.6;
/// Pixels within which a measured edge is where the query's own edge cuts.
const CUT_ERROR: f64 = 0.75;
/// Mean change of a query pixel from picture to picture above which its surroundings move.
const MOVING: f64 = 2.0;

/// The measured picture of a match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture {
    /// Visible part of the reference (not mirrored coordinates).
    pub reference: Rect,
    /// Where it lies in the query.
    pub query: Rect,
    pub context: PictureContext,
}

/// How much each pixel of the (possibly mirrored) reference's thumbnail moves, and how much of that
/// the query does as well: products summed over time.
struct Motion {
    own: Vec<f64>,
    common: Vec<f64>,
}

/// What is known of each pixel of the (possibly mirrored) reference's thumbnail: `Some(true)` it
/// shows the reference, `Some(false)` something else, `None` nothing, because nothing changes there.
fn evidence(
    (query, reference): (&Film, &Film),
    pixels: &[usize],
    area: usize,
    line: Line,
    span: (f64, f64),
) -> (Vec<Option<bool>>, Motion) {
    let size = query.size;
    let (mut qq, mut rr, mut qr) = (vec![0f64; size], vec![0f64; size], vec![0f64; size]);
    let (numbers, reference) = reference.along(query, line);
    let inside = |i: usize| (span.0..=span.1).contains(&query.time(i));
    let mut steps = 0;
    for (k, &i) in numbers.iter().enumerate().filter(|(_, i)| inside(**i)) {
        steps += 1;
        let pictures = query.picture(i).iter().zip(reference.picture(k));
        for (p, (&q, &r)) in pictures.enumerate() {
            let (q, r) = (f64::from(q), f64::from(r));
            qq[p] += q * q;
            rr[p] += r * r;
            qr[p] += q * r;
        }
    }
    let mean = rr.iter().sum::<f64>() / size as f64;
    let floor = (0.1 * mean).max(QUIET * steps as f64);
    let mut evidence = vec![Some(false); area];
    let mut motion = Motion {
        own: vec![0.0; area],
        common: vec![0.0; area],
    };
    for (p, &pixel) in pixels.iter().enumerate() {
        let quiet = rr[p] < floor;
        evidence[pixel] = (!quiet).then(|| qr[p] > FOREIGN * (qq[p] * rr[p]).sqrt());
        (motion.own[pixel], motion.common[pixel]) = (rr[p], qr[p]);
    }
    (evidence, motion)
}

/// Of the `pixels` of the reference's thumbnail, of some width and height, that move, the share that the query shows.
pub(super) fn moving(
    films: (&Film, &Film),
    pixels: &[usize],
    (width, height): (usize, usize),
    (line, span): (Line, (f64, f64)),
) -> f64 {
    let (evidence, _) = evidence(films, pixels, width * height, line, span);
    let told: Vec<bool> = pixels.iter().filter_map(|&p| evidence[p]).collect();
    told.iter().filter(|own| **own).count() as f64 / told.len().max(1) as f64
}

/// What the pixels of the (possibly mirrored) reference's thumbnail tell.
struct Told {
    /// See [`evidence`].
    evidence: Vec<Option<bool>>,
    motion: Motion,
    /// On which of the warps' pixels something stands.
    standing: Vec<bool>,
}

/// Measures the picture of a match from the films (query, reference) through `warps`.
pub(super) fn measure(
    films: (&Film, &Film),
    warps: &Warps,
    placed: (&Homography, bool),
    timing: (Line, (f64, f64)),
    reference: &VideoFingerprint,
    query: &Query,
) -> Picture {
    let told = told(films, warps, timing, reference, query);
    picture(told, warps, placed, timing.1, reference, query)
}

/// Measures the picture of a match in which nothing moves, from what is known of each of the warps'
/// pixels.
pub(super) fn measure_still(
    pixels: &[Likeness],
    warps: &Warps,
    placed: (&Homography, bool),
    timing: (Line, (f64, f64)),
    reference: &VideoFingerprint,
    query: &Query,
) -> Picture {
    let area = reference.thumbnails.width * reference.thumbnails.height;
    let mut evidence = vec![Some(false); area];
    for (&pixel, known) in warps.pixels.iter().zip(pixels) {
        evidence[pixel] = (known.shown > 0.5).then_some(known.alike);
    }
    let motion = Motion {
        own: vec![0.0; area],
        common: vec![0.0; area],
    };
    let told = Told::new(evidence, motion, warps, timing, reference, query);
    picture(told, warps, placed, timing.1, reference, query)
}

fn picture(
    told: Told,
    warps: &Warps,
    (map, mirrored): (&Homography, bool),
    span: (f64, f64),
    reference: &VideoFingerprint,
    query: &Query,
) -> Picture {
    let thumbs = &reference.thumbnails;
    let Told {
        evidence,
        motion,
        standing,
    } = told;
    let limit = limit(map, reference.aspect, query.aspect);
    let room = [limit.x0, limit.y0, 1.0 - limit.x1, 1.0 - limit.y1];
    let fills = room.iter().all(|&room| room >= -NO_ROOM);
    let whole = cells(limit.intersection(&Rect::FULL), thumbs.width, thumbs.height);
    let cells = trim(&evidence, thumbs.width, thumbs.height);
    let (cells, seen) = if !fills || area(cells) < HIDDEN * area(whole) {
        let seen = motion.edges(cells, thumbs, map, (reference.aspect, query));
        (cells, sharpen(seen, limit, thumbs))
    } else {
        // The copy fills the query: what hides an edge of it is no border but lies on top.
        (whole, limit.intersection(&Rect::FULL))
    };
    let query_rect = image(seen, map, reference.aspect, query.aspect).intersection(&Rect::FULL);
    let covers = covers(&evidence, warps, &standing, thumbs.width);
    let covered = covered(
        &covers,
        thumbs.width,
        inner(cells, thumbs.width, thumbs.height),
    );
    let surroundings = surroundings(query.thumbnails, query_rect, span);
    let reference_rect = if mirrored {
        Rect::new(1.0 - seen.x1, seen.y0, 1.0 - seen.x0, seen.y1)
    } else {
        seen
    };
    Picture {
        reference: reference_rect,
        query: query_rect,
        context: PictureContext {
            surroundings,
            covered,
        },
    }
}

impl Told {
    /// Where nothing changes, what stands there tells.
    fn new(
        mut evidence: Vec<Option<bool>>,
        motion: Motion,
        warps: &Warps,
        timing: (Line, (f64, f64)),
        reference: &VideoFingerprint,
        query: &Query,
    ) -> Told {
        let standing = overlay::standing(warps, timing, query.thumbnails, &reference.thumbnails);
        for (&pixel, _) in warps.pixels.iter().zip(&standing).filter(|(_, on)| **on) {
            evidence[pixel].get_or_insert(false);
        }
        Told {
            evidence,
            motion,
            standing,
        }
    }
}

fn told(
    films: (&Film, &Film),
    warps: &Warps,
    timing: (Line, (f64, f64)),
    reference: &VideoFingerprint,
    query: &Query,
) -> Told {
    let area = reference.thumbnails.width * reference.thumbnails.height;
    let (line, span) = timing;
    let (evidence, motion) = evidence(films, &warps.pixels, area, line, span);
    Told::new(evidence, motion, warps, timing, reference, query)
}

/// For each pixel of the (possibly mirrored) reference's thumbnail that the query has room for,
/// whether something covers it.
pub(super) fn cover(
    films: (&Film, &Film),
    warps: &Warps,
    timing: (Line, (f64, f64)),
    reference: &VideoFingerprint,
    query: &Query,
) -> Vec<Option<bool>> {
    let told = told(films, warps, timing, reference, query);
    let width = reference.thumbnails.width;
    covers(&told.evidence, warps, &told.standing, width)
}

/// Pixels inside some bounds.
fn area([x0, y0, x1, y1]: [usize; 4]) -> f64 {
    (x1.saturating_sub(x0) * y1.saturating_sub(y0)) as f64
}

/// The pixels that a rectangle touches, as bounds `[x0, y0, x1, y1]`.
fn cells(rect: Rect, width: usize, height: usize) -> [usize; 4] {
    let (w, h) = (width as f64, height as f64);
    [
        (rect.x0 * w) as usize,
        (rect.y0 * h) as usize,
        ((rect.x1 * w).ceil() as usize).min(width),
        ((rect.y1 * h).ceil() as usize).min(height),
    ]
}

/// Bounds `[x0, y0, x1, y1]` in pixels of the part whose edges show the reference.
pub(super) fn trim(evidence: &[Option<bool>], width: usize, height: usize) -> [usize; 4] {
    let mut bounds = [0, 0, width, height];
    // An edge goes when most of what changes on it is foreign.
    let foreign = |pixels: &mut dyn Iterator<Item = usize>| {
        let (mut ours, mut others, mut all) = (0usize, 0usize, 0usize);
        for p in pixels {
            all += 1;
            match evidence[p] {
                Some(true) => ours += 1,
                Some(false) => others += 1,
                None => {}
            }
        }
        others as f64 > FOREIGN_SHARE * all as f64
            && (ours as f64) < EDGE_SHARE * (ours + others) as f64
    };
    loop {
        let [x0, y0, x1, y1] = bounds;
        if x1 - x0 <= 2 || y1 - y0 <= 2 {
            return bounds;
        }
        let before = bounds;
        if foreign(&mut (x0..x1).map(|x| y0 * width + x)) {
            bounds[1] += 1;
        }
        if foreign(&mut (x0..x1).map(|x| (y1 - 1) * width + x)) {
            bounds[3] -= 1;
        }
        if foreign(&mut (y0..y1).map(|y| y * width + x0)) {
            bounds[0] += 1;
        }
        if foreign(&mut (y0..y1).map(|y| y * width + x1 - 1)) {
            bounds[2] -= 1;
        }
        if bounds == before {
            return bounds;
        }
    }
}

impl Motion {
    /// Where the edges lie that `cells` bound to whole pixels, as fractions: a row of pixels through
    /// which an edge runs moves with the reference by the part of it that is inside.
    fn edges(
        &self,
        cells: [usize; 4],
        thumbs: &Thumbnails,
        map: &Homography,
        (aspect, query): (f64, &Query),
    ) -> Rect {
        let (w, h) = (thumbs.width, thumbs.height);
        let [x0, y0, x1, y1] = cells;
        let inside: Vec<usize> = (y0..y1)
            .flat_map(|y| (x0..x1).map(move |x| y * w + x))
            .collect();
        let column = |x: usize| -> Vec<usize> { (y0..y1).map(|y| y * w + x).collect() };
        let row = |y: usize| -> Vec<usize> { (x0..x1).map(|x| y * w + x).collect() };
        let whole = self.gain(&inside);
        let part = |pixels: &[usize], inside: bool| {
            let (gain, energy) = self.gain(pixels);
            match energy > EDGE_ENERGY * whole.1 && whole.0 > 0.0 {
                true => (gain / whole.0).clamp(0.0, 1.0),
                false => f64::from(u8::from(inside)),
            }
        };
        let low = |edge: usize, end: usize, line: &dyn Fn(usize) -> Vec<usize>| {
            let inner = (edge + EDGE_REACH).min(end);
            let outer = edge.saturating_sub(EDGE_REACH)..inner;
            // Of a row that tells nothing, what lies around it may have shone into the outermost.
            let own = |i: usize| i >= edge || edge <= 1;
            inner as f64 - outer.map(|i| part(&line(i), own(i))).sum::<f64>()
        };
        let high =
            |edge: usize, start: usize, length: usize, line: &dyn Fn(usize) -> Vec<usize>| {
                let inner = edge.saturating_sub(EDGE_REACH).max(start);
                let outer = inner..(edge + EDGE_REACH).min(length);
                let own = |i: usize| i < edge || edge + 1 >= length;
                inner as f64 + outer.map(|i| part(&line(i), own(i))).sum::<f64>()
            };
        let map = map.near(middle(aspect));
        let (sx, sy) = (
            map.a.hypot(map.d) * aspect / query.aspect,
            map.b.hypot(map.e),
        );
        let (qw, qh) = (
            query.thumbnails.width as f64,
            query.thumbnails.height as f64,
        );
        let own = |edge: f64, length: usize, pixel: f64| {
            let error = EDGE_ERROR * pixel.max(1.0 / length as f64);
            let edge = edge / length as f64;
            match edge {
                edge if edge < error => 0.0,
                edge if edge > 1.0 - error => 1.0,
                edge => edge,
            }
        };
        let (px, py) = (1.0 / (qw * sx.max(1e-3)), 1.0 / (qh * sy.max(1e-3)));
        Rect::new(
            own(low(x0, x1, &column), w, px),
            own(low(y0, y1, &row), h, py),
            own(high(x1, x0, w, &column), w, px),
            own(high(y1, y0, h, &row), h, py),
        )
    }

    /// How much of the reference's motion the query does at some pixels, and the mean of the former.
    fn gain(&self, pixels: &[usize]) -> (f64, f64) {
        let sum = |values: &[f64]| pixels.iter().map(|&p| values[p]).sum::<f64>();
        let own = sum(&self.own);
        let gain = if own > 0.0 {
            sum(&self.common) / own
        } else {
            0.0
        };
        (gain, own / pixels.len().max(1) as f64)
    }
}

/// The query's own picture as the reference's fractions; beyond 0..=1 where there is room around the
/// copy.
pub(super) fn limit(map: &Homography, aspect: f64, query_aspect: f64) -> Rect {
    let corners = [
        [0.0, 0.0],
        [query_aspect, 0.0],
        [0.0, 1.0],
        [query_aspect, 1.0],
    ]
    .map(|p| map.back(p));
    match corners {
        [Some(a), Some(b), Some(c), Some(d)] => bounds([a, b, c, d].map(|[x, y]| [x / aspect, y])),
        _ => Rect::FULL,
    }
}

/// An edge that the query's own edge cuts is placed exactly there.
fn sharpen(rect: Rect, limit: Rect, thumbs: &Thumbnails) -> Rect {
    let (w, h) = (thumbs.width as f64, thumbs.height as f64);
    let snap = |edge: f64, limit: f64, step: f64| {
        if limit > 0.0 && limit < 1.0 && (edge - limit).abs() < CUT_ERROR * step {
            limit
        } else {
            edge
        }
    };
    Rect::new(
        snap(rect.x0, limit.x0, 1.0 / w),
        snap(rect.y0, limit.y0, 1.0 / h),
        snap(rect.x1, limit.x1, 1.0 / w),
        snap(rect.y1, limit.y1, 1.0 / h),
    )
}

fn bounds(points: [[f64; 2]; 4]) -> Rect {
    let fold = |axis: usize, f: fn(f64, f64) -> f64| {
        points.iter().map(|p| p[axis]).fold(points[0][axis], f)
    };
    Rect::new(
        fold(0, f64::min),
        fold(1, f64::min),
        fold(0, f64::max),
        fold(1, f64::max),
    )
}

/// The query rectangle around a reference rectangle.
fn image(rect: Rect, map: &Homography, aspect: f64, query_aspect: f64) -> Rect {
    let corners = [
        [rect.x0, rect.y0],
        [rect.x1, rect.y0],
        [rect.x0, rect.y1],
        [rect.x1, rect.y1],
    ];
    bounds(
        corners
            .map(|[x, y]| map.apply([x * aspect, y]))
            .map(|[x, y]| [x / query_aspect, y]),
    )
}

/// The bounds without the pixels on those edges that are not the picture's own: what lies around
/// shines into these.
fn inner([x0, y0, x1, y1]: [usize; 4], width: usize, height: usize) -> [usize; 4] {
    let (x0, y0) = (x0 + usize::from(x0 > 0), y0 + usize::from(y0 > 0));
    let (x1, y1) = (x1 - usize::from(x1 < width), y1 - usize::from(y1 < height));
    [x0, y0, x1.max(x0), y1.max(y0)]
}

/// For each pixel of the reference that the query has room for, whether something covers it:
/// something stands on it, or it shows something else together with its neighbours.
fn covers(
    evidence: &[Option<bool>],
    warps: &Warps,
    standing: &[bool],
    width: usize,
) -> Vec<Option<bool>> {
    let height = evidence.len() / width;
    let together = |pixel: usize| {
        let (x, y) = (pixel % width, pixel / width);
        let columns = |y| (x.max(1) - 1..(x + 2).min(width)).map(move |x| (x, y));
        let near = (y.max(1) - 1..(y + 2).min(height)).flat_map(columns);
        near.filter(|(x, y)| evidence[y * width + x] == Some(false))
            .count()
    };
    let mut covers = vec![None; evidence.len()];
    for (&pixel, &on) in warps.pixels.iter().zip(standing) {
        let foreign = evidence[pixel] == Some(false) && together(pixel) >= COVERED_NEIGHBOURS;
        covers[pixel] = Some(on || foreign);
    }
    covers
}

/// Share of covered pixels inside the bounds.
fn covered(covers: &[Option<bool>], width: usize, [x0, y0, x1, y1]: [usize; 4]) -> f64 {
    let inside = (y0..y1).flat_map(|y| (x0..x1).map(move |x| y * width + x));
    let known: Vec<bool> = inside.filter_map(|pixel| covers[pixel]).collect();
    let count = known.iter().filter(|on| **on).count();
    count as f64 / known.len().max(1) as f64
}

fn surroundings(thumbs: &Thumbnails, rect: Rect, span: (f64, f64)) -> Surroundings {
    if rect.area() > 0.94 {
        return Surroundings::None;
    }
    let rate = thumbs.rate();
    let first = (span.0 * rate).max(0.0) as usize;
    let last = ((span.1 * rate) as usize).min(thumbs.len().saturating_sub(1));
    let outside = |i: usize| {
        let x = ((i % thumbs.width) as f64 + 0.5) / thumbs.width as f64;
        let y = ((i / thumbs.width) as f64 + 0.5) / thumbs.height as f64;
        let margin = 1.5 / thumbs.height as f64;
        x < rect.x0 - margin || x > rect.x1 + margin || y < rect.y0 - margin || y > rect.y1 + margin
    };
    let pixels: Vec<usize> = (0..thumbs.width * thumbs.height)
        .filter(|&i| outside(i))
        .collect();
    let mut change = 0u64;
    for t in first..last {
        let (now, next) = (thumbs.picture(t), thumbs.picture(t + 1));
        change += pixels
            .iter()
            .map(|&p| u64::from(now[p].abs_diff(next[p])))
            .sum::<u64>();
    }
    let count = pixels.len() * last.saturating_sub(first);
    if count > 0 && change as f64 / count as f64 > MOVING {
        Surroundings::Moving
    } else {
        Surroundings::Static
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::geometry::Affine;

    #[test]
    fn edges_are_found_between_pixels() {
        let thumbs = Thumbnails::sparse();
        let (w, h) = (thumbs.width, thumbs.height);
        let film = Thumbnails::new();
        let query = Query {
            duration: 10.0,
            aspect: 16.0 / 9.0,
            keyframes: &[],
            thumbnails: &film,
            fine: &film,
            plates: &[],
        };
        let half = Homography::from(Affine {
            a: 0.5,
            b: 0.0,
            c: 0.2,
            d: 0.0,
            e: 0.5,
            f: 0.2,
        });
        let check = |want: [f64; 4], cells: [usize; 4]| {
            let part = |i: usize, n: usize, low: f64, high: f64| {
                let (from, to) = (i as f64, i as f64 + 1.0);
                (to.min(high * n as f64) - from.max(low * n as f64)).clamp(0.0, 1.0)
            };
            let common = (0..w * h)
                .map(|p| part(p % w, w, want[0], want[2]) * part(p / w, h, want[1], want[3]) * 9.0)
                .collect();
            let motion = Motion {
                own: vec![10.0; w * h],
                common,
            };
            let found = motion.edges(cells, &thumbs, &half, (query.aspect, &query));
            assert!(found.iou(&want.into()) > 0.985, "{want:?}: {found:?}");
        };
        check([0.0, 0.0, 1.0, 1.0], [0, 0, w, h]);
        check([0.1, 0.0, 1.0, 0.9], [3, 0, w, 16]);
        check([0.1, 0.1, 0.95, 0.8], [4, 2, 30, 15]);
    }
}
