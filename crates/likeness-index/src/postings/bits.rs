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
    bit: usize,
    parameter: u32,
}

impl<'a> RiceReader<'a> {
    /// Reads from the start of `bytes`; `parameter` is below 64.
    pub(super) fn new(bytes: &'a [u8], parameter: u32) -> RiceReader<'a> {
        RiceReader {
            bytes,
            bit: 0,
            parameter,
        }
    }

    /// The next value; `None` past the end.
    pub(super) fn next(&mut self) -> Option<u64> {
        self.next_short().or_else(|| self.next_any())
    }

    /// The next value if its code is short and not near the end, which nearly all are: one load.
    fn next_short(&mut self) -> Option<u64> {
        // Of the 64 bits loaded, up to 7 lie before the code.
        const SURE: u32 = 57;
        let bytes = self.bytes.get(self.bit / 8..)?.first_chunk::<8>()?;
        let word = u64::from_le_bytes(*bytes) >> (self.bit % 8);
        let ones = word.trailing_ones();
        let length = ones + 1 + self.parameter;
        if length > SURE {
            return None;
        }
        self.bit += length as usize;
        let remainder = word >> (ones + 1) & mask(self.parameter);
        // Below 2^57: the code's length bounds both parts.
        Some(u64::from(ones) << self.parameter | remainder)
    }

    /// The next value, whatever its code.
    fn next_any(&mut self) -> Option<u64> {
        let mut quotient = 0u64;
        loop {
            let ones = word(self.bytes, self.bit).trailing_ones();
            quotient += u64::from(ones);
            self.bit += ones as usize;
            if ones < 64 {
                break;
            }
        }
        self.bit += 1;
        let remainder = word(self.bytes, self.bit) & mask(self.parameter);
        self.bit += self.parameter as usize;
        let high = quotient.checked_mul(1 << self.parameter)?;
        (self.bit <= self.bytes.len() * 8).then_some(high | remainder)
    }

    /// Whether only padding is left: less than a byte.
    pub(super) fn is_at_end(&self) -> bool {
        self.bit.div_ceil(8) == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rice_codes_round_trip(
            values in proptest::collection::vec(0..5000u64, 0..300),
            parameter in 0u32..20,
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
