//! The coarse spectrum of a fingerprint, as it lies in memory and in files.

use super::BINS;
use crate::fingerprint::Density;
use crate::wire::{Reader, WireError, Writer};
use std::ops::Range;

/// Rows and bins of a dense grid that one value of a sparse grid sums up.
const POOL_ROWS: usize = 2;
const POOL_BINS: usize = 3;
/// Lower bounds of the sparse levels 1, 2 and 3, on the sum of the pooled dense values.
const POOL_LEVELS: [i32; 3] = [-5, 1, 9];
/// Ticks from one row to the next, at most.
const MAX_STEP: u32 = 4096;

/// Log spectrum relative to its neighbourhood in frequency, row by row: values of -8..=7 in the dense
/// grid of a query, 0..=3 in the sparse one of a reference.
///
/// They stay packed, four or two bits each: a long reference waits in memory until it is stored, and
/// of a stored one a few seconds are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Values in a row; bin `i` of a row spans `BINS / bins` spectral bins.
    pub bins: u16,
    /// Ticks from one row to the next; row `i` covers ticks `i * step..(i + 1) * step`.
    pub step: u32,
    density: Density,
    /// Number of values: a whole number of rows.
    count: usize,
    /// Above the least, in the fewest whole bits, the lowest bits first; what is left of the last
    /// byte is 0.
    packed: Vec<u8>,
}

impl Grid {
    /// A grid of these values, row by row.
    pub fn new(
        bins: u16,
        step: u32,
        density: Density,
        values: impl IntoIterator<Item = i8>,
    ) -> Grid {
        let mut grid = Grid {
            bins,
            step,
            density,
            count: 0,
            packed: Vec::new(),
        };
        grid.extend(values);
        grid
    }

    /// A grid of the same shape without rows.
    pub fn emptied(&self) -> Grid {
        Grid::new(self.bins, self.step, self.density, [])
    }

    /// Appends values, which must make up whole rows in the end; each becomes the nearest there is.
    pub fn extend(&mut self, values: impl IntoIterator<Item = i8>) {
        let (bits, lowest) = (self.bits(), self.lowest());
        let highest = lowest + ((1i8 << bits) - 1);
        let per_byte = 8 / bits;
        for value in values {
            let code = (value.clamp(lowest, highest) - lowest) as u8;
            match self.count % per_byte {
                0 => self.packed.push(code),
                place => {
                    if let Some(last) = self.packed.last_mut() {
                        *last |= code << (place * bits);
                    }
                }
            }
            self.count += 1;
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.count / usize::from(self.bins.max(1))
    }

    /// The values of row `i`, which must be one of [`Grid::rows`].
    pub fn row(&self, i: usize) -> impl ExactSizeIterator<Item = i8> + '_ {
        self.of_rows(i..i + 1)
    }

    /// The values of some rows, row by row.
    pub fn of_rows(&self, rows: Range<usize>) -> impl ExactSizeIterator<Item = i8> + '_ {
        let bins = usize::from(self.bins);
        (rows.start * bins..rows.end * bins).map(|i| self.at(i))
    }

    /// The value of a row's bin.
    pub fn value(&self, row: usize, bin: usize) -> i8 {
        self.at(row * usize::from(self.bins) + bin)
    }

    fn at(&self, i: usize) -> i8 {
        let bits = self.bits();
        let per_byte = 8 / bits;
        let code = self.packed[i / per_byte] >> (i % per_byte * bits) & ((1 << bits) - 1);
        code as i8 + self.lowest()
    }

    fn bits(&self) -> usize {
        match self.density {
            Density::Reference => 2,
            Density::Query => 4,
        }
    }

    fn lowest(&self) -> i8 {
        match self.density {
            Density::Reference => 0,
            Density::Query => -8,
        }
    }

    /// The coarser grid that a library stores: a row for two of this one, the last of an odd number
    /// dropped.
    pub fn pooled(&self) -> Grid {
        let bins = usize::from(self.bins);
        let step = self.step * POOL_ROWS as u32;
        let mut pooled = Grid::new((bins / POOL_BINS) as u16, step, Density::Reference, []);
        for pair in 0..self.rows() / POOL_ROWS {
            let first = pair * POOL_ROWS;
            let rows: Vec<i8> = self.of_rows(first..first + POOL_ROWS).collect();
            let (first, second) = rows.split_at(bins);
            let blocks = first
                .chunks_exact(POOL_BINS)
                .zip(second.chunks_exact(POOL_BINS));
            pooled.extend(blocks.map(|(a, b)| {
                let sum: i32 = a.iter().chain(b).map(|&v| i32::from(v)).sum();
                POOL_LEVELS.iter().filter(|&&bound| sum >= bound).count() as i8
            }));
        }
        pooled
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        w.varint(u64::from(self.bins));
        w.varint(u64::from(self.step));
        w.varint(self.rows() as u64);
        w.bytes(&self.packed);
    }

    pub(super) fn decode(r: &mut Reader<'_>, density: Density) -> Result<Grid, WireError> {
        let (bins, step, rows) = (r.varint()?, r.varint()?, r.varint()?);
        let bins = u16::try_from(bins).ok().filter(|b| (1..=BINS).contains(b));
        let bins = bins.ok_or(WireError::OutOfRange("grid bins"))?;
        let step = u32::try_from(step).ok();
        let step = step.filter(|s| (1..=MAX_STEP).contains(s));
        let mut grid = Grid::new(
            bins,
            step.ok_or(WireError::OutOfRange("grid step"))?,
            density,
            [],
        );
        let per_byte = 8 / grid.bits();
        let room = (r.remaining() * per_byte) as u64 / u64::from(bins);
        if rows > room {
            return Err(WireError::OutOfRange("grid rows"));
        }
        grid.count = rows as usize * usize::from(bins);
        grid.packed = r.bytes(grid.count.div_ceil(per_byte))?.to_vec();
        let spare = (grid.packed.len() * per_byte - grid.count) * grid.bits();
        if let Some(last) = grid.packed.last_mut() {
            *last &= u8::MAX >> spare;
        }
        Ok(grid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_come_back(
            rows in 0..20usize,
            bins in 1..9u16,
            query: bool,
            raw in proptest::collection::vec(any::<i8>(), 160),
        ) {
            let (density, levels) = match query {
                true => (Density::Query, -8..=7),
                false => (Density::Reference, 0..=3i8),
            };
            let values = &raw[..rows * usize::from(bins)];
            let (first, rest) = values.split_at(values.len() / 3);
            let mut grid = Grid::new(bins, 32, density, first.iter().copied());
            grid.extend(rest.iter().copied());
            let want: Vec<i8> = values
                .iter()
                .map(|v| *v.clamp(levels.start(), levels.end()))
                .collect();
            prop_assert_eq!(grid.rows(), rows);
            prop_assert_eq!(grid.of_rows(0..rows).collect::<Vec<_>>(), want.clone());
            for (i, row) in want.chunks(usize::from(bins)).enumerate() {
                prop_assert_eq!(grid.row(i).collect::<Vec<_>>(), row);
                prop_assert_eq!(grid.value(i, 0), row[0]);
            }
        }
    }
}
