//! Thumbnails as a film that can be compared: a stretch of the reference's, and of the query's
//! warped into the reference's picture, each without its slowly moving mean.
//!
//! What is left after the mean is taken away is motion and change; backgrounds, captions, logos and
//! frames that stand still vanish. So does a change of brightness of the whole picture.

use super::geometry::middle;
use super::homography::Homography;
use super::query::Query;
use super::timeline::Line;
use likeness_core::VideoFingerprint;
use likeness_core::video::Thumbnails;
use std::ops::Range;

/// A film of small pictures as floats, all of one size.
#[derive(Debug, Clone)]
pub(super) struct Film {
    /// Pictures a second.
    pub rate: f64,
    /// When the first picture begins on the film's own clock, in pictures.
    pub first: f64,
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

    /// Time in the middle of picture `i`, seconds.
    pub(super) fn time(&self, i: usize) -> f64 {
        (self.first + i as f64 + 0.5) / self.rate
    }

    /// The picture nearest to a time.
    pub(super) fn index(&self, time: f64) -> Option<usize> {
        let i = (time * self.rate - self.first).floor();
        (i >= 0.0 && i < self.len() as f64).then_some(i as usize)
    }

    /// The thumbnails of a stretch of seconds through `warp`, without their mean over
    /// `half_width` seconds to either side.
    pub(super) fn new(thumbs: &Thumbnails, warp: &Warp, span: (f64, f64), half_width: f64) -> Film {
        let mut film = Film::raw(thumbs, warp, span);
        film.detrend(half_width);
        film
    }

    /// The thumbnails of a stretch of seconds through `warp`.
    pub(super) fn raw(thumbs: &Thumbnails, warp: &Warp, span: (f64, f64)) -> Film {
        let rate = thumbs.rate();
        let clamp = |t: f64| ((t * rate).max(0.0) as usize).min(thumbs.len());
        let (first, last) = (clamp(span.0), clamp(span.1 + 1.0 / rate));
        let size = warp.taps.len();
        let mut values = vec![0.0; size * last.saturating_sub(first)];
        for (i, out) in (first..last).zip(values.chunks_exact_mut(size.max(1))) {
            let picture = thumbs.picture(i);
            for (value, tap) in out.iter_mut().zip(&warp.taps) {
                *value = warp.read(tap, picture, thumbs.width);
            }
        }
        Film {
            rate,
            first: first as f64,
            size: size.max(1),
            values,
        }
    }

    /// The film without each picture's own mean: blind to what changes the whole picture at once.
    pub(super) fn levelled(&self) -> Film {
        let mut film = self.clone();
        for picture in film.values.chunks_exact_mut(self.size) {
            let mean = picture.iter().sum::<f32>() / self.size as f32;
            picture.iter_mut().for_each(|value| *value -= mean);
        }
        film
    }

    /// What this film shows at each of the times that `line` gives to the pictures of `query`,
    /// between its own pictures interpolated; and the numbers of those query pictures that fall
    /// inside this film.
    pub(super) fn along(&self, query: &Film, line: Line) -> (Vec<usize>, Film) {
        let (mut numbers, mut values) = (Vec::new(), Vec::new());
        for i in 0..query.len() {
            let place = snapped(line.at(query.time(i)) * self.rate - 0.5 - self.first);
            if place < 0.0 || place + 1.0 >= self.len() as f64 {
                continue;
            }
            let (j, part) = (place as usize, place.fract() as f32);
            let pictures = self.picture(j).iter().zip(self.picture(j + 1));
            values.extend(pictures.map(|(a, b)| a + (b - a) * part));
            numbers.push(i);
        }
        let film = Film {
            values,
            first: 0.0,
            ..*self
        };
        (numbers, film)
    }

    /// This film of a query with its pictures where `line` puts those of `reference`: each the mean of what is
    /// shown as long as the reference's is. To compare a film with another's interpolated pictures costs
    /// what moves fast: they are blurred twice.
    pub(super) fn in_step(&self, reference: &Film, line: Line) -> Film {
        // Places of the reference's pictures in this film.
        let begin = |j: usize| {
            let time = (reference.first + j as f64) / reference.rate;
            snapped(line.back(time) * self.rate - self.first)
        };
        let inside = |j: &usize| begin(*j) >= 0.0 && begin(j + 1) <= self.len() as f64;
        let met = (0..reference.len()).filter(inside);
        let (first, count) = (met.clone().next().unwrap_or(0), met.count());
        let mut values = vec![0.0; count * self.size];
        for (j, out) in (first..).zip(values.chunks_exact_mut(self.size)) {
            self.mean(begin(j), begin(j + 1), out);
        }
        let rate = reference.rate * line.speed;
        Film {
            rate,
            first: line.back((reference.first + first as f64) / reference.rate) * rate,
            size: self.size,
            values,
        }
    }

    /// Writes the mean of what is shown between two places, which are inside the film, to `out`.
    fn mean(&self, from: f64, to: f64, out: &mut [f32]) {
        for i in from as usize..(to.ceil() as usize).min(self.len()) {
            let shared = to.min(i as f64 + 1.0) - from.max(i as f64);
            add(out, self.picture(i), (shared / (to - from)) as f32);
        }
    }

    fn detrend(&mut self, half_width: f64) {
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
            let picture = &mut self.values[i * size..][..size];
            for (value, sum) in picture.iter_mut().zip(&sum) {
                *value -= sum * scale;
            }
        }
    }
}

/// A place without the error of its computation.
fn snapped(place: f64) -> f64 {
    let whole = place.round();
    if (place - whole).abs() < 1e-6 {
        whole
    } else {
        place
    }
}

fn add(sum: &mut [f32], picture: &[f32], weight: f32) {
    for (sum, value) in sum.iter_mut().zip(picture) {
        *sum += weight * value;
    }
}

/// Where to read the pixels of a film.
#[derive(Debug)]
pub(super) struct Warp {
    taps: Vec<Tap>,
    /// Whether white is to be read as black.
    inverted: bool,
}

/// How a query shows a reference, besides where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Flipped left to right.
    pub mirrored: bool,
    /// In the colours' negatives.
    pub inverted: bool,
}

impl Warp {
    fn read(&self, tap: &Tap, picture: &[u8], width: usize) -> f32 {
        let value = tap.read(picture, width);
        if self.inverted { 255.0 - value } else { value }
    }

    /// By how many grey levels what is at every tap changes over all pictures of `thumbs`.
    pub(super) fn ranges(&self, thumbs: &Thumbnails) -> Vec<f32> {
        let mut bounds = vec![(f32::MAX, f32::MIN); self.taps.len()];
        for i in 0..thumbs.len() {
            let picture = thumbs.picture(i);
            for ((low, high), tap) in bounds.iter_mut().zip(&self.taps) {
                let value = tap.read(picture, thumbs.width);
                (*low, *high) = (low.min(value), high.max(value));
            }
        }
        bounds.iter().map(|(low, high)| high - low).collect()
    }

    /// The mean of some pictures of `thumbs`, which must exist, at every tap.
    pub(super) fn mean(&self, thumbs: &Thumbnails, pictures: Range<usize>) -> Vec<f32> {
        let mut sums = vec![0.0; self.taps.len()];
        let pictures = pictures.start..pictures.end.min(thumbs.len());
        let count = pictures.len().max(1) as f32;
        for i in pictures {
            let picture = thumbs.picture(i);
            for (sum, tap) in sums.iter_mut().zip(&self.taps) {
                *sum += self.read(tap, picture, thumbs.width);
            }
        }
        sums.iter_mut().for_each(|sum| *sum /= count);
        sums
    }

    /// Every pixel where it is.
    pub(super) fn identity(width: usize, height: usize) -> Warp {
        let middle = |i: usize, n: usize| (i as f64 + 0.5) / n as f64;
        let taps = (0..width * height).filter_map(|i| {
            tap(
                middle(i % width, width),
                middle(i / width, height),
                width,
                height,
            )
        });
        Warp {
            taps: taps.collect(),
            inverted: false,
        }
    }
}

/// The four pixels around a place, and their weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap {
    at: usize,
    right: f32,
    down: f32,
}

impl Tap {
    pub(super) fn read(&self, picture: &[u8], width: usize) -> f32 {
        let value = |offset: usize| f32::from(picture[self.at + offset]);
        let top = value(0) + (value(1) - value(0)) * self.right;
        let bottom = value(width) + (value(width + 1) - value(width)) * self.right;
        top + (bottom - top) * self.down
    }
}

/// Which thumbnail pixels of the reference the query shows, and where to read them on either side.
#[derive(Debug)]
pub(super) struct Warps {
    /// Their numbers in the (possibly mirrored) reference's thumbnail.
    pub pixels: Vec<usize>,
    pub reference: Warp,
    pub query: Warp,
}

impl Warps {
    /// The warps of `map`, which takes places of the (possibly mirrored) reference to places of the
    /// query, both in picture heights.
    pub(super) fn new(
        map: &Homography,
        look: Look,
        reference: &VideoFingerprint,
        query: &Query,
    ) -> Warps {
        let (rt, qt) = (&reference.thumbnails, query.thumbnails);
        let mut warps = Warps {
            pixels: Vec::new(),
            reference: Warp {
                taps: Vec::new(),
                inverted: false,
            },
            query: Warp {
                taps: Vec::new(),
                inverted: look.inverted,
            },
        };
        for row in 0..rt.height {
            for column in 0..rt.width {
                let mx = (column as f64 + 0.5) / rt.width as f64;
                let fx = if look.mirrored { 1.0 - mx } else { mx };
                let fy = (row as f64 + 0.5) / rt.height as f64;
                let [qx, qy] = map.apply([mx * reference.aspect, fy]);
                let from = tap(fx, fy, rt.width, rt.height);
                let to = tap(qx / query.aspect, qy, qt.width, qt.height);
                if let (Some(from), Some(to)) = (from, to) {
                    warps.pixels.push(row * rt.width + column);
                    warps.reference.taps.push(from);
                    warps.query.taps.push(to);
                }
            }
        }
        warps
    }

    /// Share of the query's picture that the reference takes under `map`.
    pub(super) fn area(
        &self,
        map: &Homography,
        reference: &VideoFingerprint,
        query: &Query,
    ) -> f64 {
        let film = &reference.thumbnails;
        let visible = self.pixels.len() as f64 / (film.width * film.height) as f64;
        let map = map.near(middle(reference.aspect));
        visible * reference.aspect * map.determinant().abs() / query.aspect
    }
}

/// The tap at a place, as shares of a picture's width and height; `None` outside.
pub(super) fn tap(x: f64, y: f64, width: usize, height: usize) -> Option<Tap> {
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
