//! Columns of integers, packed without gaps, least significant bit first: of equal width, or as
//! Rice codes.

use likeness_core::wire::Writer;

/// Bits that `value` needs, 0..=64.
pub(super) fn width(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Bytes of a column of `count` values.
pub(super) fn column_bytes(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Appends a column; every value must fit `width`.
pub(super) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Writer) {
    pack_fields(values.map(|value| (value, width)), out);
}

/// Appends values, each in so many bits.
fn pack_fields(fields: impl Iterator<Item = (u64, u32)>, out: &mut Writer) {
    let (mut buffer, mut filled) = (0u128, 0);
    for (value, width) in fields {
        buffer |= u128::from(value) << filled;
        filled += width;
        while filled >= 8 {
            out.u8(buffer as u8);
            buffer >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.u8(buffer as u8);
    }
}

/// Value `index` of a column; the column must be long enough.
pub(super) fn get(column: &[u8], width: u32, index: usize) -> u64 {
    word(column, index * width as usize) & mask(width)
}

/// The 64 bits from `bit` on; zeros follow the end.
fn word(bytes: &[u8], bit: usize) -> u64 {
    let tail = bytes.get(bit / 8..).unwrap_or_default();
    // Nine bytes can hold 64 bits at any phase.
    let word = match tail.first_chunk::<16>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => {
            let mut chunk = [0; 16];
            chunk[..tail.len()].copy_from_slice(tail);
            u128::from_le_bytes(chunk)
        }
    };
    (word >> (bit % 8)) as u64
}

fn mask(width: u32) -> u64 {
    match width {
        64 => u64::MAX,
        _ => (1 << width) - 1,
    }
}

/// Bits of `values` as Rice codes: the quotient by `2^parameter` in ones and a zero, then the
/// remainder in `parameter` bits.
pub(super) fn rice_bits(values: &[u64], parameter: u32) -> u128 {
    let bits = |v: &u64| u128::from(v >> parameter) + 1 + u128::from(parameter);
    values.iter().map(bits).sum()
}

/// Appends Rice codes; `parameter` is below 64.
pub(super) fn pack_rice(values: &[u64], parameter: u32, out: &mut Writer) {
    let ones = |count: u64| (0..count).map(|_| (1, 1));
    let fields = values.iter().flat_map(|&v| {
        let end = [(0, 1), (v & mask(parameter), parameter)];
        ones(v >> parameter).chain(end)
    });
    pack_fields(fields, out);
}

/// Takes Rice codes.
#[derive(Debug)]
pub(super) struct RiceReader<'a> {
    bytes: &'a [u8],
    parameter: u32,
    /// Bits that were loaded and not taken yet, the next the lowest...
    word: u64,
    /// ...their number...
    left: u32,
    /// ...and the byte after them.
    next: usize,
}

impl<'a> RiceReader<'a> {
    /// Reads from the start of `bytes`; `parameter` is below 64.
    pub(super) fn new(bytes: &'a [u8], parameter: u32) -> RiceReader<'a> {
        RiceReader {
            bytes,
            parameter,
            word: 0,
            left: 0,
            next: 0,
        }
    }

    /// The next value; `None` past the end.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<u64> {
        self.load();
        let ones = self.word.trailing_ones();
        let length = ones + 1 + self.parameter;
        if length > self.left {
            return self.next_any();
        }
        let remainder = self.word >> ones >> 1 & mask(self.parameter);
        self.word >>= length;
        self.left -= length;
        // Below 2^63: the code's length bounds both parts.
        Some(u64::from(ones) << self.parameter | remainder)
    }

    /// Loads whole bytes, so that at least 32 bits are there, but near the end.
    #[inline(always)]
    fn load(&mut self) {
        const MANY: u32 = 32;
        if self.left >= MANY {
            return;
        }
        let rest = self.bytes.get(self.next..).and_then(<[u8]>::first_chunk);
        if let Some(chunk) = rest {
            self.word |= u64::from_le_bytes(*chunk) << self.left;
            let whole = (63 - self.left) / 8;
            self.next += whole as usize;
            self.left += 8 * whole;
            // Only bits that count.
            self.word &= mask(self.left);
        }
    }

    /// The next value, however long its code is and however near the end.
    #[cold]
    fn next_any(&mut self) -> Option<u64> {
        let mut bit = self.bit();
        let mut quotient = 0u64;
        loop {
            let ones = word(self.bytes, bit).trailing_ones();
            quotient += u64::from(ones);
            bit += ones as usize;
            if ones < 64 {
                break;
            }
        }
        bit += 1;
        let remainder = word(self.bytes, bit) & mask(self.parameter);
        bit += self.parameter as usize;
        // From there on.
        self.next = bit / 8;
        (self.word, self.left) = (0, 0);
        if let Some(byte) = self.bytes.get(self.next) {
            self.word = u64::from(byte >> (bit % 8));
            self.left = 8 - (bit % 8) as u32;
            self.next += 1;
        }
        let high = quotient.checked_mul(1 << self.parameter)?;
        (bit <= self.bytes.len() * 8).then_some(high | remainder)
    }

    /// Bits that were taken.
    fn bit(&self) -> usize {
        self.next * 8 - self.left as usize
    }

    /// Whether only padding is left: less than a byte.
    pub(super) fn is_at_end(&self) -> bool {
        self.bit().div_ceil(8) == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rice_codes_round_trip(
            values in proptest::collection::vec(prop_oneof![9 => 0..5000u64, 1 => 0..200_000u64], 0..300),
            parameter in 0u32..60,
        ) {
            let mut w = Writer::new();
            pack_rice(&values, parameter, &mut w);
            let bytes = w.into_bytes();
            prop_assert_eq!(bytes.len() as u128, rice_bits(&values, parameter).div_ceil(8));
            let mut reader = RiceReader::new(&bytes, parameter);
            for &value in &values {
                prop_assert_eq!(reader.next(), Some(value));
            }
            prop_assert!(reader.is_at_end());
            // Padding is less than a byte.
            prop_assert!(parameter < 8 || reader.next().is_none());
        }

        #[test]
        fn columns_round_trip(bits in 0u32..=64, raw in proptest::collection::vec(any::<u64>(), 0..300)) {
            let values: Vec<u64> = raw
                .iter()
                .map(|v| if bits == 0 { 0 } else { v >> (64 - bits) })
                .collect();
            let mut w = Writer::new();
            pack(values.iter().copied(), bits, &mut w);
            let bytes = w.into_bytes();
            prop_assert_eq!(bytes.len(), column_bytes(values.len(), bits));
            for (i, value) in values.iter().enumerate() {
                prop_assert_eq!(get(&bytes, bits, i), *value);
                prop_assert!(width(*value) <= bits);
            }
        }
    }
}
