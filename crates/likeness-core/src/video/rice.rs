//! Pictures as bits: each value as its difference from the one before it, Rice coded (Rice and Plaunt 1971,
//! "Adaptive variable-length coding", IEEE Transactions on Communication Technology 19).

use crate::wire::WireError;

/// Encodes pictures of one size without the lowest `shift` bits of each pixel: per picture the parameter that
/// makes it shortest, then each pixel less the same of the picture before, the first's less 0.
pub(super) fn encode<'a>(pictures: impl Iterator<Item = &'a [u8]>, shift: u32) -> Vec<u8> {
    let mut bits = BitWriter::default();
    let mut previous: Option<&[u8]> = None;
    for picture in pictures {
        let level = |&value: &u8| i32::from(value >> shift);
        let before = |i: usize| previous.map_or(0, |picture| level(&picture[i]));
        let values = picture.iter().enumerate();
        let residuals: Vec<u32> = values.map(|(i, v)| zigzag(level(v) - before(i))).collect();
        let parameter = rice_parameter(&residuals);
        bits.put(parameter, 4);
        for &residual in &residuals {
            bits.put_rice(residual, parameter);
        }
        previous = Some(picture);
    }
    bits.finish()
}

/// Decodes `count` pictures of `area` pixels each; of dropped bits, the middle of what they may have been.
pub(super) fn decode(
    bytes: &[u8],
    (count, area): (u64, usize),
    shift: u32,
) -> Result<Vec<u8>, WireError> {
    // Every pixel takes at least one bit.
    if count > (bytes.len() * 8 / area.max(1)) as u64 {
        return Err(WireError::OutOfRange("picture count"));
    }
    let mut bits = BitReader::new(bytes);
    let mut previous = vec![0i32; area];
    let mut pixels = Vec::with_capacity(count as usize * area);
    for _ in 0..count {
        let parameter = bits.take(4)?;
        for old in &mut previous {
            let value = *old + unzigzag(bits.take_rice(parameter)?);
            if !(0..256 >> shift).contains(&value) {
                return Err(WireError::OutOfRange("pixel"));
            }
            *old = value;
            pixels.push(restored(value as u32, shift));
        }
    }
    bits.finish()?;
    Ok(pixels)
}

/// The middle of the grey levels that `level` stands for once `shift` bits are dropped.
pub(super) fn restored(level: u32, shift: u32) -> u8 {
    ((level << shift) + (1 << shift) / 2) as u8
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

    /// Reads ahead as many whole bytes as there is room for.
    fn fill(&mut self) {
        while self.count < u64::BITS - 8 {
            let Some((&first, rest)) = self.bytes.split_first() else {
                return;
            };
            self.pending |= u64::from(first) << self.count;
            self.count += 8;
            self.bytes = rest;
        }
    }

    /// Leaves out bits that were read ahead, fewer than 64.
    fn skip(&mut self, bits: u32) {
        self.pending >>= bits;
        self.count -= bits;
    }

    fn take(&mut self, bits: u32) -> Result<u32, WireError> {
        if self.count < bits {
            self.fill();
        }
        if self.count < bits {
            return Err(WireError::Truncated);
        }
        let value = self.pending & ((1 << bits) - 1);
        self.skip(bits);
        Ok(value as u32)
    }

    /// Takes ones up to a zero, and that: how many ones.
    fn take_unary(&mut self) -> Result<u32, WireError> {
        let mut all = 0;
        loop {
            let ones = self.pending.trailing_ones().min(self.count);
            all += ones;
            if all > 512 {
                return Err(WireError::OutOfRange("pixel residual"));
            }
            if ones < self.count {
                self.skip(ones + 1);
                return Ok(all);
            }
            self.skip(ones);
            self.fill();
            if self.count == 0 {
                return Err(WireError::Truncated);
            }
        }
    }

    fn take_rice(&mut self, parameter: u32) -> Result<u32, WireError> {
        let quotient = self.take_unary()?;
        if parameter > 8 {
            return Err(WireError::OutOfRange("Rice parameter"));
        }
        Ok((quotient << parameter) | self.take(parameter)?)
    }

    /// Only padding may be left: zeros, less than a byte.
    fn finish(self) -> Result<(), WireError> {
        match self.bytes.len() + self.count as usize / 8 {
            0 if self.pending == 0 => Ok(()),
            n => Err(WireError::TrailingBytes(n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_back() {
        let check = |name: &str, area: usize, grey: &dyn Fn(usize) -> u8| {
            let pixels: Vec<u8> = (0..5 * area).map(grey).collect();
            for shift in [0, 3] {
                let bytes = encode(pixels.chunks_exact(area), shift);
                let want: Vec<u8> = pixels
                    .iter()
                    .map(|&grey| restored(u32::from(grey) >> shift, shift))
                    .collect();
                let size = (5, area);
                assert_eq!(decode(&bytes, size, shift), Ok(want), "{name}");
                let short = &bytes[..bytes.len() - 1];
                assert!(decode(short, size, shift).is_err(), "{name}, cut off");
                let long = [&bytes[..], &[0]].concat();
                assert!(decode(&long, size, shift).is_err(), "{name}, with more");
            }
        };
        check("one grey", 64, &|_| 77);
        check("a slope", 64, &|i| (i % 64) as u8);
        check("noise", 61, &|i| (i * i % 251) as u8);
        // Small differences choose a code in which the one great one is long.
        check("a spark", 500, &|i| if i == 1200 { 255 } else { 0 });
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let check = |bytes: &[u8], want: WireError| {
            assert_eq!(decode(bytes, (1, 64), 0), Err(want), "{bytes:?}");
        };
        check(&[], WireError::OutOfRange("picture count"));
        check(&[0x10; 9], WireError::OutOfRange("pixel"));
        check(&[0x0f; 9], WireError::OutOfRange("Rice parameter"));
        check(&[0xff; 90], WireError::OutOfRange("pixel residual"));
        check(&[7, 0, 0, 0, 0, 0, 0, 0, 0], WireError::Truncated);
    }
}
