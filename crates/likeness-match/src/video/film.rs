//! Thumbnails as a film that can be compared: the reference's, and the query's warped into the
//! reference's picture, each without its slowly moving mean.
//!
//! What is left after the mean is taken away is motion and change; backgrounds, captions, logos and
//! frames that stand still vanish.

use super::geometry::Affine;
use likeness_core::VideoFingerprint;
use likeness_core::video::Thumbnails;

/// A film of small pictures as floats, all of one size.
#[derive(Debug, Clone)]
pub(super) struct Film {
    /// Pictures a second.
    pub rate: f64,
    /// Pixels of a picture.
    pub size: usize,
    /// Picture after picture.
    pub values: Vec<f32>,
}

impl Film {
    /// Number of pictures.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.size
    }

    /// Picture `i`.
    pub(super) fn picture(&self, i: usize) -> &[f32] {
        &self.values[i * self.size..(i + 1) * self.size]
    }

    /// A reference's thumbnails, mirrored if asked.
    pub(super) fn of_reference(thumbs: &Thumbnails, mirrored: bool) -> Film {
        let mut values: Vec<f32> = thumbs.pixels.iter().map(|&v| f32::from(v)).collect();
        if mirrored {
            values
                .chunks_exact_mut(thumbs.width)
                .for_each(<[f32]>::reverse);
        }
        Film {
            rate: thumbs.rate(),
            size: thumbs.width * thumbs.height,
            values,
        }
    }

    /// The query's thumbnails warped into the reference's picture. Pixels that the query does not
    /// show are absent from `visible` and zero in the film.
    pub(super) fn of_query(query: &VideoFingerprint, warp: &Warp) -> Film {
        let thumbs = &query.thumbnails;
        let size = warp.taps.len();
        let mut values = vec![0.0; size * thumbs.len()];
        for (i, out) in values.chunks_exact_mut(size).enumerate() {
            let picture = thumbs.picture(i);
            for (value, tap) in out.iter_mut().zip(&warp.taps) {
                if let Some(tap) = tap {
                    *value = tap.read(picture, thumbs.width);
                }
            }
        }
        Film {
            rate: thumbs.rate(),
            size,
            values,
        }
    }

    /// Takes from every pixel its mean over `half_width` seconds to either side.
    pub(super) fn detrend(&mut self, half_width: f64) {
        let reach = (half_width * self.rate).round() as usize;
        let (n, size) = (self.len(), self.size);
        let source = self.values.clone();
        let mut sum = vec![0.0f32; size];
        let (mut from, mut to) = (0, 0);
        for i in 0..n {
            while to < (i + reach + 1).min(n) {
                add(&mut sum, &source[to * size..][..size], 1.0);
                to += 1;
            }
            while from < i.saturating_sub(reach) {
                add(&mut sum, &source[from * size..][..size], -1.0);
                from += 1;
            }
            let scale = 1.0 / (to - from) as f32;
            for (value, sum) in self.values[i * size..][..size].iter_mut().zip(&sum) {
                *value -= sum * scale;
            }
        }
    }
}

fn add(sum: &mut [f32], picture: &[f32], sign: f32) {
    for (sum, value) in sum.iter_mut().zip(picture) {
        *sum += sign * value;
    }
}

/// For every thumbnail pixel of the reference, where the query shows it.
#[derive(Debug)]
pub(super) struct Warp {
    taps: Vec<Option<Tap>>,
}

/// The four query pixels around a place, and their weights.
#[derive(Debug, Clone, Copy)]
struct Tap {
    at: usize,
    right: f32,
    down: f32,
}

impl Tap {
    fn read(&self, picture: &[u8], width: usize) -> f32 {
        let value = |offset: usize| f32::from(picture[self.at + offset]);
        let top = value(0) + (value(1) - value(0)) * self.right;
        let bottom = value(width) + (value(width + 1) - value(width)) * self.right;
        top + (bottom - top) * self.down
    }
}

impl Warp {
    /// The warp of `map`, which takes places of the (possibly mirrored) reference to places of the
    /// query, both in picture heights.
    pub(super) fn new(
        map: &Affine,
        reference: &VideoFingerprint,
        query: &VideoFingerprint,
    ) -> Warp {
        let (rt, qt) = (&reference.thumbnails, &query.thumbnails);
        let mut taps = Vec::with_capacity(rt.width * rt.height);
        for row in 0..rt.height {
            for column in 0..rt.width {
                let x = (column as f64 + 0.5) / rt.width as f64 * reference.aspect;
                let y = (row as f64 + 0.5) / rt.height as f64;
                let [qx, qy] = map.apply([x, y]);
                taps.push(tap(qx / query.aspect, qy, qt.width, qt.height));
            }
        }
        Warp { taps }
    }

    /// Which reference pixels the query shows.
    pub(super) fn visible(&self) -> Vec<bool> {
        self.taps.iter().map(Option::is_some).collect()
    }
}

fn tap(x: f64, y: f64, width: usize, height: usize) -> Option<Tap> {
    if !(0.0..1.0).contains(&x) || !(0.0..1.0).contains(&y) {
        return None;
    }
    let place = |v: f64, n: usize| (v * n as f64 - 0.5).clamp(0.0, n as f64 - 1.001);
    let (px, py) = (place(x, width), place(y, height));
    Some(Tap {
        at: py as usize * width + px as usize,
        right: px.fract() as f32,
        down: py.fract() as f32,
    })
}
