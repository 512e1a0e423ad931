//! Rectangles in a picture.

use serde::{Deserialize, Serialize};

/// A rectangle `[x0, y0, x1, y1]` as fractions of the picture's width and height, origin at the
/// top left. Serialised as that array.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 4]", into = "[f64; 4]")]
pub struct Rect {
    /// Left edge.
    pub x0: f64,
    /// Top edge.
    pub y0: f64,
    /// Right edge.
    pub x1: f64,
    /// Bottom edge.
    pub y1: f64,
}

impl Rect {
    /// The whole picture.
    pub const FULL: Rect = Rect {
        x0: 0.0,
        y0: 0.0,
        x1: 1.0,
        y1: 1.0,
    };

    /// A rectangle from its edges.
    pub fn new(x0: f64, y0: f64, x1: f64, y1: f64) -> Rect {
        Rect { x0, y0, x1, y1 }
    }

    /// Width as a fraction of the picture; 0 for an empty rectangle.
    pub fn width(&self) -> f64 {
        (self.x1 - self.x0).max(0.0)
    }

    /// Height as a fraction of the picture; 0 for an empty rectangle.
    pub fn height(&self) -> f64 {
        (self.y1 - self.y0).max(0.0)
    }

    /// Share of the picture that the rectangle covers.
    pub fn area(&self) -> f64 {
        self.width() * self.height()
    }

    /// The common part; empty (zero area) when the two do not meet.
    pub fn intersection(&self, other: &Rect) -> Rect {
        Rect {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        }
    }

    /// Intersection over union, 0..=1.
    pub fn iou(&self, other: &Rect) -> f64 {
        let common = self.intersection(other).area();
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }
}

impl From<[f64; 4]> for Rect {
    fn from([x0, y0, x1, y1]: [f64; 4]) -> Rect {
        Rect { x0, y0, x1, y1 }
    }
}

impl From<Rect> for [f64; 4] {
    fn from(r: Rect) -> [f64; 4] {
        [r.x0, r.y0, r.x1, r.y1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_of_known_pairs() {
        let check = |a: [f64; 4], b: [f64; 4], want: f64| {
            assert!(
                (Rect::from(a).iou(&Rect::from(b)) - want).abs() < 1e-12,
                "{a:?} {b:?}"
            );
        };
        check([0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], 1.0);
        check([0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0], 0.0);
        check([0.0, 0.0, 1.0, 1.0], [0.25, 0.25, 0.75, 0.75], 0.25);
        check([0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], 0.0);
    }
}
