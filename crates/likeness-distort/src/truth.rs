//! Ground truth: where the source shows in the query.

use likeness_core::Rect;
use likeness_core::report::{DistortionKind, Media};
use serde::{Deserialize, Serialize};

/// What one medium of a query shows of its source.
///
/// Source time = `reference_start + (query time - query_start) * speed`; times in seconds, pitch in
/// semitones (positive: the query sounds higher), rectangles as fractions of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Sound or picture.
    pub media: Media,
    /// Where the copy begins in the query.
    pub query_start: f64,
    /// Where it ends.
    pub query_end: f64,
    /// The source's time at `query_start`.
    pub reference_start: f64,
    /// Reference seconds per query second.
    pub speed: f64,
    /// Sound: how far the query lies above the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pitch_semitones: Option<f64>,
    /// Picture: where it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// The names that a perfect report gives to what was done.
    #[serde(default)]
    pub kinds: Vec<DistortionKind>,
    /// Further names that are no mistake: a rotation also cuts corners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lenient: Vec<DistortionKind>,
}

impl Truth {
    /// The source's time at which the copy ends.
    pub fn reference_end(&self) -> f64 {
        self.reference_start + (self.query_end - self.query_start) * self.speed
    }

    /// What plays before the copy is played at `factor` times its pace; the copy's own pace is in its
    /// length already.
    pub(crate) fn come_sooner(&mut self, factor: f64) {
        let earlier = self.query_start - self.query_start / factor;
        self.query_start -= earlier;
        self.query_end -= earlier;
    }

    /// The source's time shown at `query_time`.
    pub fn reference_time(&self, query_time: f64) -> f64 {
        self.reference_start + (query_time - self.query_start) * self.speed
    }
}

/// Where the source's picture lies in the query's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// Flipped left to right.
    pub mirrored: bool,
    /// Clockwise.
    pub rotation_degrees: f64,
    /// The part of the source's picture that can be seen.
    pub reference_rect: Rect,
    /// Where that part lies; more than one when the query shows it several times.
    pub query_rects: Vec<Rect>,
    /// Whether the rectangles describe the picture: false after a rotation or a perspective.
    pub rectangular: bool,
}

/// An axis-aligned map from the source's picture to the query's, both in fractions, built up step by
/// step.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    scale: [f64; 2],
    shift: [f64; 2],
    /// The copy's visible part, in the query.
    visible: Rect,
    /// Further copies of `visible`.
    copies: Vec<Rect>,
    rotation: f64,
    rectangular: bool,
}

impl Mapping {
    pub(crate) fn identity() -> Mapping {
        Mapping {
            scale: [1.0; 2],
            shift: [0.0; 2],
            visible: Rect::FULL,
            copies: Vec::new(),
            rotation: 0.0,
            rectangular: true,
        }
    }

    /// Only `kept` of the picture remains and fills it.
    pub(crate) fn crop(&mut self, kept: Rect) {
        self.visible = self.visible.intersection(&kept);
        for copy in &mut self.copies {
            *copy = copy.intersection(&kept);
        }
        self.copies.retain(has_area);
        self.stretch([
            [kept.x0, kept.width().recip()],
            [kept.y0, kept.height().recip()],
        ]);
    }

    /// The whole picture goes into the rectangle `place` of a new one.
    pub(crate) fn inset(&mut self, place: Rect) {
        self.stretch([
            [-place.x0 / place.width(), place.width()],
            [-place.y0 / place.height(), place.height()],
        ]);
    }

    /// The picture is shown once in each of `places`, all of one size.
    pub(crate) fn tile(&mut self, places: &[Rect]) {
        let Some((first, others)) = places.split_first() else {
            return;
        };
        self.inset(*first);
        self.copies = others
            .iter()
            .map(|other| {
                let (dx, dy) = (other.x0 - first.x0, other.y0 - first.y0);
                let v = self.visible;
                Rect::new(v.x0 + dx, v.y0 + dy, v.x1 + dx, v.y1 + dy)
            })
            .collect();
    }

    /// Flipped left to right.
    pub(crate) fn mirror(&mut self) {
        self.scale[0] = -self.scale[0];
        self.shift[0] = 1.0 - self.shift[0];
        for rect in std::iter::once(&mut self.visible).chain(&mut self.copies) {
            (rect.x0, rect.x1) = (1.0 - rect.x1, 1.0 - rect.x0);
        }
        self.rotation = -self.rotation;
    }

    /// Turned clockwise; from here on the rectangles are no longer meaningful.
    pub(crate) fn rotate(&mut self, degrees: f64) {
        self.rotation += degrees;
        self.rectangular = false;
    }

    /// Bent by a map that is no similarity.
    pub(crate) fn bend(&mut self) {
        self.rectangular = false;
    }

    /// Applies `q -> (q - offset) * factor` on both axes, `[offset, factor]` each.
    fn stretch(&mut self, axes: [[f64; 2]; 2]) {
        for (axis, [offset, factor]) in axes.into_iter().enumerate() {
            self.scale[axis] *= factor;
            self.shift[axis] = (self.shift[axis] - offset) * factor;
        }
        let [[ox, fx], [oy, fy]] = axes;
        for rect in std::iter::once(&mut self.visible).chain(&mut self.copies) {
            *rect = Rect::new(
                (rect.x0 - ox) * fx,
                (rect.y0 - oy) * fy,
                (rect.x1 - ox) * fx,
                (rect.y1 - oy) * fy,
            );
        }
    }

    /// Where what can be seen lies; `None` where the copy, or the first of several, was cut away.
    pub(crate) fn placement(&self) -> Option<Placement> {
        if !has_area(&self.visible) {
            return None;
        }
        let back = |axis: usize, value: f64| (value - self.shift[axis]) / self.scale[axis];
        let (xa, xb) = (back(0, self.visible.x0), back(0, self.visible.x1));
        Some(Placement {
            mirrored: self.scale[0] < 0.0,
            rotation_degrees: self.rotation,
            reference_rect: Rect::new(
                xa.min(xb),
                back(1, self.visible.y0),
                xa.max(xb),
                back(1, self.visible.y1),
            ),
            query_rects: std::iter::once(self.visible)
                .chain(self.copies.iter().copied())
                .collect(),
            rectangular: self.rectangular,
        })
    }
}

fn has_area(rect: &Rect) -> bool {
    rect.width() > 1e-6 && rect.height() > 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: impl Fn(&mut Mapping), reference: [f64; 4], query: [f64; 4]) {
        let mut mapping = Mapping::identity();
        steps(&mut mapping);
        let placement = mapping.placement().unwrap();
        let close = |a: Rect, b: [f64; 4]| {
            let a: [f64; 4] = a.into();
            a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-9)
        };
        assert!(
            close(placement.reference_rect, reference),
            "{placement:?} is not {reference:?}"
        );
        assert!(
            close(placement.query_rects[0], query),
            "{placement:?} is not {query:?}"
        );
    }

    #[test]
    fn steps_compose() {
        let full = [0.0, 0.0, 1.0, 1.0];
        check(|_| {}, full, full);
        check(
            |m| m.crop(Rect::new(0.0, 0.2, 1.0, 1.0)),
            [0.0, 0.2, 1.0, 1.0],
            full,
        );
        check(
            |m| m.inset(Rect::new(0.25, 0.25, 0.75, 0.75)),
            full,
            [0.25, 0.25, 0.75, 0.75],
        );
        // What is cut on the right after a mirror is the source's left.
        check(
            |m| {
                m.mirror();
                m.crop(Rect::new(0.0, 0.0, 0.9, 1.0));
            },
            [0.1, 0.0, 1.0, 1.0],
            full,
        );
        // A border cropped away again.
        check(
            |m| {
                m.inset(Rect::new(0.25, 0.25, 0.75, 0.75));
                m.crop(Rect::new(0.25, 0.25, 0.75, 0.75));
            },
            full,
            full,
        );
        // A cropped picture in a corner.
        check(
            |m| {
                m.crop(Rect::new(0.5, 0.0, 1.0, 1.0));
                m.inset(Rect::new(0.0, 0.0, 0.5, 0.5));
            },
            [0.5, 0.0, 1.0, 1.0],
            [0.0, 0.0, 0.5, 0.5],
        );
    }

    #[test]
    fn tiles_are_all_told() {
        let mut mapping = Mapping::identity();
        mapping.tile(&[Rect::new(0.0, 0.0, 0.5, 0.5), Rect::new(0.5, 0.5, 1.0, 1.0)]);
        mapping.mirror();
        let placement = mapping.placement().unwrap();
        assert!(placement.mirrored);
        assert_eq!(placement.query_rects[0], Rect::new(0.5, 0.0, 1.0, 0.5));
        assert_eq!(placement.query_rects[1], Rect::new(0.0, 0.5, 0.5, 1.0));
    }

    #[test]
    fn a_mirror_turns_the_rotation_round() {
        let mut mapping = Mapping::identity();
        mapping.rotate(5.0);
        mapping.mirror();
        assert_eq!(mapping.placement().unwrap().rotation_degrees, -5.0);
        assert!(!mapping.placement().unwrap().rectangular);
    }

    #[test]
    fn what_is_cut_away_is_nowhere() {
        let mut mapping = Mapping::identity();
        mapping.inset(Rect::new(0.5, 0.5, 1.0, 1.0));
        mapping.crop(Rect::new(0.0, 0.0, 0.4, 1.0));
        assert_eq!(mapping.placement(), None);
        // Of four copies two are left.
        let mut mapping = Mapping::identity();
        let corner = |x: f64, y: f64| Rect::new(x, y, x + 0.5, y + 0.5);
        mapping.tile(&[
            corner(0.0, 0.0),
            corner(0.5, 0.0),
            corner(0.0, 0.5),
            corner(0.5, 0.5),
        ]);
        mapping.crop(Rect::new(0.0, 0.0, 0.5, 1.0));
        let seen = mapping.placement().unwrap().query_rects;
        let want = [Rect::new(0.0, 0.0, 1.0, 0.5), Rect::new(0.0, 0.5, 1.0, 1.0)];
        assert_eq!(seen, want);
    }
}
