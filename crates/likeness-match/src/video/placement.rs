//! Where a reported segment puts the reference's picture, for people who want to see it.

use super::config::VideoMatchConfig;
use super::film::{Film, Look, Warps};
use super::geometry::Affine;
use super::query::Query;
use super::rectangles;
use super::timeline::Line;
use likeness_core::VideoFingerprint;
use likeness_core::report::Segment;

/// Degrees below which a picture counts as upright, so that its two scales may differ: what is within
/// the measurement's error.
const UPRIGHT: f64 = 1.0;

/// How a query shows a reference's picture. Points are `[x, y]`, fractions of the pictures.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    /// From the (possibly mirrored) reference to the query, both in picture heights.
    pub(super) map: Affine,
    back: Affine,
    pub(super) mirrored: bool,
    reference_aspect: f64,
    query_aspect: f64,
}

impl Placement {
    /// The placement that a segment of picture tells, up to what its rectangles round away; `None`
    /// without any. Aspects are width over height of the pictures as they are shown.
    pub fn new(segment: &Segment, reference_aspect: f64, query_aspect: f64) -> Option<Placement> {
        let (mut from, to) = (segment.reference_rect?, segment.query_rect?);
        let mirrored = segment.mirrored == Some(true);
        if mirrored {
            (from.x0, from.x1) = (1.0 - from.x1, 1.0 - from.x0);
        }
        let angle = segment.rotation_degrees.unwrap_or(0.0);
        let (sine, cosine) = match angle.abs() < UPRIGHT {
            true => (0.0, 1.0),
            false => angle.to_radians().sin_cos(),
        };
        let size = (from.width() * reference_aspect, from.height());
        let seen = (to.width() * query_aspect, to.height());
        let scale = match angle.abs() < UPRIGHT {
            true => (seen.0 / size.0, seen.1 / size.1),
            // The rectangle around a turned one has this many times the sum of its sides.
            false => {
                let scale = (seen.0 + seen.1) / ((size.0 + size.1) * (sine.abs() + cosine.abs()));
                (scale, scale)
            }
        };
        let middle = |x0: f64, x1: f64| (x0 + x1) / 2.0;
        let (x, y) = (
            middle(from.x0, from.x1) * reference_aspect,
            middle(from.y0, from.y1),
        );
        let (a, b) = (scale.0 * cosine, -scale.1 * sine);
        let (d, e) = (scale.0 * sine, scale.1 * cosine);
        let map = Affine {
            a,
            b,
            c: middle(to.x0, to.x1) * query_aspect - a * x - b * y,
            d,
            e,
            f: middle(to.y0, to.y1) - d * x - e * y,
        };
        Some(Placement {
            map,
            back: map.inverse()?,
            mirrored,
            reference_aspect,
            query_aspect,
        })
    }

    /// Where the query shows a point of the reference's picture.
    pub fn to_query(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let x = if self.mirrored { 1.0 - x } else { x };
        let [x, y] = self.map.apply([x * self.reference_aspect, y]);
        [x / self.query_aspect, y]
    }

    /// The point of the reference's picture that the query shows at a place.
    pub fn to_reference(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [x, y] = self.back.apply([x * self.query_aspect, y]);
        let x = x / self.reference_aspect;
        [if self.mirrored { 1.0 - x } else { x }, y]
    }
}

/// Which pixels of the reference's thumbnails something else covers in the query, row by row:
/// `None` where the query has no room for them.
pub fn covered(
    query: &VideoFingerprint,
    reference: &VideoFingerprint,
    segment: &Segment,
    config: &VideoMatchConfig,
) -> Option<Vec<Option<bool>>> {
    let placement = Placement::new(segment, reference.aspect, query.aspect)?;
    let look = Look {
        mirrored: placement.mirrored,
        inverted: false,
    };
    let slowed = query.thumbnails.slowed();
    let query = &Query::new(query, &slowed);
    let warps = Warps::new(&placement.map.into(), look, reference, query);
    let span = (segment.query_start, segment.query_end);
    let line = Line {
        start: segment.reference_start - segment.query_start * segment.speed,
        speed: segment.speed,
    };
    let there = (line.at(span.0) - 1.0, line.at(span.1) + 1.0);
    let half = config.detrend;
    let films = (
        Film::new(query.thumbnails, &warps.query, span, half),
        Film::new(&reference.thumbnails, &warps.reference, there, half),
    );
    let films = (&films.0, &films.1);
    let mut cells = rectangles::cover(films, &warps, (line, span), reference, query);
    if placement.mirrored {
        let width = reference.thumbnails.width;
        cells.chunks_mut(width).for_each(<[_]>::reverse);
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_core::Rect;

    fn segment(reference: [f64; 4], query: [f64; 4], mirrored: bool, angle: f64) -> Segment {
        Segment {
            query_start: 0.0,
            query_end: 10.0,
            reference_start: 0.0,
            reference_end: 10.0,
            speed: 1.0,
            score: 1.0,
            pitch_semitones: None,
            mirrored: Some(mirrored),
            rotation_degrees: Some(angle),
            reference_rect: Some(Rect::from(reference)),
            query_rect: Some(Rect::from(query)),
            still: None,
        }
    }

    #[test]
    fn rectangles_tell_where_points_lie() {
        let check = |segment: &Segment, point: [f64; 2], want: [f64; 2]| {
            let placement = Placement::new(segment, 16.0 / 9.0, 4.0 / 3.0).unwrap();
            let got = placement.to_query(point);
            let back = placement.to_reference(got);
            let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]) < 1e-9;
            assert!(near(got, want), "{point:?}: {got:?}");
            assert!(near(back, point), "{point:?}: {back:?}");
        };
        let full = [0.0, 0.0, 1.0, 1.0];
        let half = [0.25, 0.25, 0.75, 0.75];
        check(&segment(full, half, false, 0.0), [0.0, 0.0], [0.25, 0.25]);
        check(&segment(full, half, true, 0.0), [0.0, 0.0], [0.75, 0.25]);
        let cut = [0.2, 0.0, 1.0, 1.0];
        check(&segment(cut, full, false, 0.0), [0.2, 0.5], [0.0, 0.5]);
        check(&segment(cut, full, true, 0.0), [0.2, 0.5], [1.0, 0.5]);
        // Turned pictures keep their shape.
        let wide = [0.0, 0.125, 1.0, 0.875];
        check(&segment(full, wide, false, 180.0), [0.0, 0.0], [1.0, 0.875]);
    }
}
