//! Turning pictures upright.

use ffmpeg_next::Stream;
use ffmpeg_next::codec::packet::side_data;

/// One of the eight ways to lay a picture: swap its axes first, then mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Orientation {
    /// Rows become columns.
    pub(crate) transpose: bool,
    /// Left becomes right, after the transposition.
    pub(crate) flip_x: bool,
    /// Top becomes bottom, after the transposition.
    pub(crate) flip_y: bool,
}

impl Orientation {
    /// From the display matrix of a stream, upright if it has none.
    pub(crate) fn of_stream(stream: &Stream<'_>) -> Orientation {
        stream
            .side_data()
            .find(|s| s.kind() == side_data::Type::DisplayMatrix)
            .and_then(|s| Orientation::from_display_matrix(s.data()))
            .unwrap_or_default()
    }

    /// From FFmpeg's display matrix: nine native-endian i32, of which the first two columns of
    /// the first two rows map stored to shown coordinates, (x', y') = (a x + c y, b x + d y).
    /// Angles between the quarter turns go to the nearest.
    pub(crate) fn from_display_matrix(bytes: &[u8]) -> Option<Orientation> {
        let entry = |i: usize| {
            let bytes = bytes.get(4 * i..4 * i + 4)?;
            Some(i64::from(i32::from_ne_bytes(bytes.try_into().ok()?)))
        };
        let (a, b, c, d) = (entry(0)?, entry(1)?, entry(3)?, entry(4)?);
        if a == 0 && b == 0 && c == 0 && d == 0 {
            return None;
        }
        let transpose = b.abs() + c.abs() > a.abs() + d.abs();
        let (x, y) = if transpose { (c, b) } else { (a, d) };
        Some(Orientation {
            transpose,
            flip_x: x < 0,
            flip_y: y < 0,
        })
    }

    /// Whether nothing has to be done.
    pub(crate) fn is_upright(self) -> bool {
        self == Orientation::default()
    }

    /// Writes the upright picture, tightly packed, to `out` and returns its width and height.
    /// `data` has `height` rows of `width` pixels, `stride` bytes apart.
    pub(crate) fn apply(
        self,
        data: &[u8],
        width: usize,
        height: usize,
        stride: usize,
        out: &mut Vec<u8>,
    ) -> (usize, usize) {
        let (w, h) = match self.transpose {
            true => (height, width),
            false => (width, height),
        };
        out.resize(w * h, 0);
        // Tiles keep both the rows read and the rows written in the cache.
        const TILE: usize = 32;
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                for y in top..height.min(top + TILE) {
                    let row = &data[y * stride..y * stride + width];
                    for (x, &pixel) in row.iter().enumerate().take(left + TILE).skip(left) {
                        let (u, v) = if self.transpose { (y, x) } else { (x, y) };
                        let u = if self.flip_x { w - 1 - u } else { u };
                        let v = if self.flip_y { h - 1 - v } else { v };
                        out[v * w + u] = pixel;
                    }
                }
            }
        }
        (w, h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Vec<u8> {
        let entries = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30];
        entries.iter().flat_map(|e| e.to_ne_bytes()).collect()
    }

    /// `shown` is what the 3 x 2 picture "abc/def" looks like under the matrix.
    fn check(m: (i32, i32, i32, i32), size: (usize, usize), shown: &str) {
        let orientation = Orientation::from_display_matrix(&matrix(m.0, m.1, m.2, m.3));
        let mut out = Vec::new();
        let got = orientation
            .unwrap_or_default()
            .apply(b"abc_def_", 3, 2, 4, &mut out);
        assert_eq!((got, out.as_slice()), (size, shown.as_bytes()), "{m:?}");
    }

    #[test]
    fn all_eight() {
        check((1, 0, 0, 1), (3, 2), "abcdef");
        check((-1, 0, 0, 1), (3, 2), "cbafed");
        check((1, 0, 0, -1), (3, 2), "defabc");
        check((-1, 0, 0, -1), (3, 2), "fedcba");
        // Clockwise quarter turn, as a phone held upright writes it.
        check((0, 1, -1, 0), (2, 3), "daebfc");
        check((0, -1, 1, 0), (2, 3), "cfbead");
        check((0, 1, 1, 0), (2, 3), "adbecf");
        check((0, -1, -1, 0), (2, 3), "fcebda");
    }

    #[test]
    fn senseless_matrices_mean_upright() {
        assert_eq!(Orientation::from_display_matrix(&matrix(0, 0, 0, 0)), None);
        assert_eq!(Orientation::from_display_matrix(&[1, 2, 3]), None);
    }
}
