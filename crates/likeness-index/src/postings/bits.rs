//! Columns of integers of equal width, packed without gaps, least significant bit first.

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
    let (mut buffer, mut filled) = (0u128, 0);
    for value in values {
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
    let bit = index * width as usize;
    let tail = &column[bit / 8..];
    // Nine bytes can hold 64 bits at any phase.
    let word = match tail.first_chunk::<16>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => {
            let mut chunk = [0; 16];
            chunk[..tail.len()].copy_from_slice(tail);
            u128::from_le_bytes(chunk)
        }
    };
    let mask = match width {
        64 => u64::MAX,
        _ => (1 << width) - 1,
    };
    (word >> (bit % 8)) as u64 & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
