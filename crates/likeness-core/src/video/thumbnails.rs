//! A film of small luma thumbnails on a fixed clock, and its compact encoding.

use super::{VideoConfig, rice};
use crate::fingerprint::Density;
use crate::wire::{Reader, WireError, Writer};

const CONFIG: VideoConfig = VideoConfig::DEFAULT;

/// A film of small luma pictures: picture `i` is the mean of what is shown from `i / rate` to `(i + 1) / rate`
/// seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnails {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pictures a second: [`VideoConfig::thumbnail_rate`], in a query [`VideoConfig::fine_thumbnails`] times as many.
    pub rate: u32,
    /// Luma (0..=255), `width * height` bytes a picture.
    pub pixels: Vec<u8>,
}

impl Thumbnails {
    /// Columns and rows of a query's thumbnails.
    pub const QUERY: (usize, usize) = (64, 36);
    /// Columns and rows of the sparse form's thumbnails.
    pub const REFERENCE: (usize, usize) = (32, 18);
    /// Grey levels by which pixels of a picture that stands still change at most.
    pub const STILL: u8 = 8;
    /// Bits that the sparse form drops from each pixel.
    const REFERENCE_SHIFT: u32 = 2;

    /// No pictures yet, in a query's size.
    pub fn new() -> Thumbnails {
        let (width, height) = Thumbnails::QUERY;
        Thumbnails {
            width,
            height,
            rate: CONFIG.thumbnail_rate * CONFIG.fine_thumbnails,
            pixels: Vec::new(),
        }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.pixels.len() / (self.width * self.height)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The pixels of picture `index`, which must exist, row by row.
    pub fn picture(&self, index: usize) -> &[u8] {
        let n = self.width * self.height;
        &self.pixels[index * n..(index + 1) * n]
    }

    /// Pictures a second.
    pub fn rate(&self) -> f64 {
        f64::from(self.rate)
    }

    /// Appends a black picture, to be drawn on.
    pub fn push_black(&mut self) -> &mut [u8] {
        let from = self.pixels.len();
        self.pixels.resize(from + self.width * self.height, 0);
        &mut self.pixels[from..]
    }

    /// Repeats the last picture (black, if there is none) until there are `count`.
    pub fn repeat_last_until(&mut self, count: usize) {
        while self.len() < count {
            let n = self.width * self.height;
            match self.pixels.len().checked_sub(n) {
                Some(from) => self.pixels.extend_from_within(from..),
                None => self.pixels.resize(n, 0),
            }
        }
    }

    /// Whether one picture is shown throughout: no pixel changes by more than an encoder changes a picture that
    /// stands still, [`Thumbnails::STILL`].
    pub fn stand_still(&self) -> bool {
        if self.is_empty() {
            return false;
        }
        let (mut low, mut high) = (self.picture(0).to_vec(), self.picture(0).to_vec());
        (1..self.len()).all(|i| {
            let bounds = low.iter_mut().zip(&mut high);
            bounds.zip(self.picture(i)).all(|((low, high), &value)| {
                (*low, *high) = (value.min(*low), value.max(*high));
                *high - *low <= Thumbnails::STILL
            })
        })
    }

    /// Drops the first `count` pictures.
    pub fn drop_first(&mut self, count: usize) {
        self.pixels.drain(..count * self.width * self.height);
    }

    /// The film of a part of the picture: first column and row, number of columns and rows, all of
    /// which must exist.
    pub fn part(&self, x: usize, y: usize, width: usize, height: usize) -> Thumbnails {
        let rows = self.pixels.chunks_exact(self.width).enumerate();
        let rows = rows.filter(|(row, _)| (y..y + height).contains(&(row % self.height)));
        Thumbnails {
            width,
            height,
            rate: self.rate,
            pixels: rows
                .flat_map(|(_, row)| &row[x..x + width])
                .copied()
                .collect(),
        }
    }

    /// No pictures yet, in the sparse form's size.
    pub fn sparse() -> Thumbnails {
        let (width, height) = Thumbnails::REFERENCE;
        Thumbnails {
            width,
            height,
            rate: CONFIG.thumbnail_rate,
            pixels: Vec::new(),
        }
    }

    /// The film at half the width and height, in fewer grey levels, with the sparse form's pictures a second.
    pub fn to_reference(&self) -> Thumbnails {
        if (self.width, self.height) != Thumbnails::QUERY {
            return self.clone();
        }
        let mut film = Thumbnails::sparse();
        self.chunks()
            .for_each(|pictures| film.push_thinned(pictures));
        film
    }

    /// The film in its own size with the sparse form's pictures a second.
    pub fn slowed(&self) -> Thumbnails {
        let area = self.width * self.height;
        let mut film = Thumbnails {
            rate: CONFIG.thumbnail_rate,
            pixels: Vec::with_capacity(self.pixels.len()),
            ..*self
        };
        for pictures in self.chunks() {
            let count = (pictures.len() / area) as u32;
            let mean = |i: usize| {
                let sum: u32 = pictures[i..]
                    .iter()
                    .step_by(area)
                    .map(|&v| u32::from(v))
                    .sum();
                ((sum + count / 2) / count) as u8
            };
            film.pixels.extend((0..area).map(mean));
        }
        film
    }

    /// The pictures of each step of the sparse form's clock.
    fn chunks(&self) -> std::slice::Chunks<'_, u8> {
        let together = (self.rate / CONFIG.thumbnail_rate).max(1) as usize;
        self.pixels.chunks(together * self.width * self.height)
    }

    /// The grey level in which the sparse form keeps a luma.
    pub fn sparse_level(luma: u8) -> u8 {
        rice::restored(
            u32::from(luma) >> Self::REFERENCE_SHIFT,
            Self::REFERENCE_SHIFT,
        )
    }

    /// Appends the mean of pictures of a query's size, one or more, to a film of the sparse form.
    pub(super) fn push_thinned(&mut self, pictures: &[u8]) {
        let ((width, height), (columns, rows)) = (Thumbnails::QUERY, Thumbnails::REFERENCE);
        let mut sums = [0u32; Thumbnails::REFERENCE.0 * Thumbnails::REFERENCE.1];
        for (i, row) in pictures.chunks_exact(width).enumerate() {
            let out = &mut sums[i % height * rows / height * columns..][..columns];
            for (sum, pair) in out.iter_mut().zip(row.chunks_exact(width / columns)) {
                *sum += pair.iter().map(|&v| u32::from(v)).sum::<u32>();
            }
        }
        let count = (pictures.len() / sums.len()) as u32;
        let level = |sum: &u32| (sum + count / 2) / (count << Self::REFERENCE_SHIFT);
        let pixels = sums.iter().map(level);
        self.pixels
            .extend(pixels.map(|level| rice::restored(level, Self::REFERENCE_SHIFT)));
    }

    /// The index of the picture of a time in seconds.
    pub fn index(&self, time: f64) -> usize {
        (time * self.rate()).max(0.0) as usize
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        let area = self.width * self.height;
        w.varint(self.len() as u64);
        w.block(&rice::encode(self.pixels.chunks_exact(area), self.shift()));
    }

    pub(super) fn decode(r: &mut Reader<'_>, density: Density) -> Result<Thumbnails, WireError> {
        let mut film = match density {
            Density::Query => Thumbnails::new(),
            Density::Reference => Thumbnails::sparse(),
        };
        let count = r.varint()?;
        let area = film.width * film.height;
        film.pixels = rice::decode(r.block()?, (count, area), film.shift())?;
        Ok(film)
    }

    fn shift(&self) -> u32 {
        match (self.width, self.height) == Thumbnails::REFERENCE {
            true => Self::REFERENCE_SHIFT,
            false => 0,
        }
    }
}

impl Default for Thumbnails {
    fn default() -> Thumbnails {
        Thumbnails::new()
    }
}
