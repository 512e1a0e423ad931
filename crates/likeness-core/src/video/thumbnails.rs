//! A film of small luma thumbnails on a fixed clock, and its compact encoding.

use super::VideoConfig;
use crate::fingerprint::Density;
use crate::wire::{Reader, WireError, Writer};

/// A film of small luma pictures, [`VideoConfig::thumbnail_rate`] a second: picture `i` is the mean
/// of what is shown from `i / rate` to `(i + 1) / rate` seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnails {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
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
        f64::from(VideoConfig::DEFAULT.thumbnail_rate)
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
            pixels: Vec::new(),
        }
    }

    /// The film at half the width and height, in fewer grey levels.
    pub fn to_reference(&self) -> Thumbnails {
        if (self.width, self.height) != Thumbnails::QUERY {
            return self.clone();
        }
        let mut film = Thumbnails::sparse();
        film.pixels.reserve(self.pixels.len() / 4);
        for picture in self.pixels.chunks_exact(self.width * self.height) {
            film.push_thinned(picture);
        }
        film
    }

    /// The grey level in which the sparse form keeps a luma.
    pub fn sparse_level(luma: u8) -> u8 {
        dequantised(u32::from(luma) >> Self::REFERENCE_SHIFT)
    }

    /// Appends a picture of a query's size to a film of the sparse form.
    pub(super) fn push_thinned(&mut self, picture: &[u8]) {
        let (width, _) = Thumbnails::QUERY;
        for rows in picture.chunks_exact(2 * width) {
            let (upper, lower) = rows.split_at(width);
            for (a, b) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
                let sum = a.iter().chain(b).map(|&v| u32::from(v)).sum::<u32>();
                let level = (sum + 2) >> (2 + Self::REFERENCE_SHIFT);
                self.pixels.push(dequantised(level));
            }
        }
    }

    /// The index of the picture of a time in seconds.
    pub fn index(&self, time: f64) -> usize {
        (time * self.rate()).max(0.0) as usize
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        let shift = self.shift();
        w.varint(self.len() as u64);
        let mut bits = BitWriter::default();
        let mut previous = vec![0u8; self.width * self.height];
        for i in 0..self.len() {
            let picture = self.picture(i);
            let residuals: Vec<u32> = picture
                .iter()
                .zip(&previous)
                .map(|(&new, &old)| zigzag(i32::from(new >> shift) - i32::from(old >> shift)))
                .collect();
            let parameter = rice_parameter(&residuals);
            bits.put(parameter, 4);
            for &residual in &residuals {
                bits.put_rice(residual, parameter);
            }
            previous.copy_from_slice(picture);
        }
        w.block(&bits.finish());
    }

    pub(super) fn decode(r: &mut Reader<'_>, density: Density) -> Result<Thumbnails, WireError> {
        let (width, height) = match density {
            Density::Query => Thumbnails::QUERY,
            Density::Reference => Thumbnails::REFERENCE,
        };
        let mut film = Thumbnails {
            width,
            height,
            pixels: Vec::new(),
        };
        let shift = film.shift();
        let count = r.varint()?;
        let bytes = r.block()?;
        let area = width * height;
        // Every pixel takes at least one bit.
        if count > (bytes.len() * 8 / area) as u64 {
            return Err(WireError::OutOfRange("thumbnail count"));
        }
        let mut bits = BitReader::new(bytes);
        let mut previous = vec![0i32; area];
        film.pixels.reserve(count as usize * area);
        for _ in 0..count {
            let parameter = bits.take(4)?;
            for old in &mut previous {
                let value = *old + unzigzag(bits.take_rice(parameter)?);
                if !(0..256 >> shift).contains(&value) {
                    return Err(WireError::OutOfRange("thumbnail pixel"));
                }
                *old = value;
                film.pixels.push(match shift {
                    0 => value as u8,
                    _ => dequantised(value as u32),
                });
            }
        }
        bits.finish()?;
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

/// The middle of the grey levels that a coarse level stands for.
fn dequantised(level: u32) -> u8 {
    ((level << Thumbnails::REFERENCE_SHIFT) + (1 << Thumbnails::REFERENCE_SHIFT) / 2) as u8
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// The Rice parameter with the shortest code for `values`.
fn rice_parameter(values: &[u32]) -> u32 {
    let cost = |k: u32| {
        values
            .iter()
            .map(|v| u64::from(v >> k) + 1 + u64::from(k))
            .sum::<u64>()
    };
    (0..8).min_by_key(|&k| cost(k)).unwrap_or(0)
}

/// Appends bits, lowest first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, bits: u32) {
        self.pending |= u64::from(value) << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Quotient in unary (ones, then a zero), remainder in `parameter` bits.
    fn put_rice(&mut self, value: u32, parameter: u32) {
        for _ in 0..value >> parameter {
            self.put(1, 1);
        }
        self.put(0, 1);
        self.put(value & ((1 << parameter) - 1), parameter);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.pending as u8);
        }
        self.bytes
    }
}

/// Takes bits, lowest first.
struct BitReader<'a> {
    bytes: &'a [u8],
    pending: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader {
            bytes,
            pending: 0,
            count: 0,
        }
    }

    fn take(&mut self, bits: u32) -> Result<u32, WireError> {
        while self.count < bits {
            let (&first, rest) = self.bytes.split_first().ok_or(WireError::Truncated)?;
            self.pending |= u64::from(first) << self.count;
            self.count += 8;
            self.bytes = rest;
        }
        let value = self.pending & ((1 << bits) - 1);
        self.pending >>= bits;
        self.count -= bits;
        Ok(value as u32)
    }

    fn take_rice(&mut self, parameter: u32) -> Result<u32, WireError> {
        let mut quotient = 0;
        while self.take(1)? == 1 {
            quotient += 1;
            if quotient > 512 {
                return Err(WireError::OutOfRange("thumbnail residual"));
            }
        }
        if parameter > 8 {
            return Err(WireError::OutOfRange("thumbnail parameter"));
        }
        Ok((quotient << parameter) | self.take(parameter)?)
    }

    /// Only padding may be left: zeros, less than a byte.
    fn finish(self) -> Result<(), WireError> {
        match self.bytes.len() {
            0 if self.pending == 0 => Ok(()),
            n => Err(WireError::TrailingBytes(n)),
        }
    }
}
