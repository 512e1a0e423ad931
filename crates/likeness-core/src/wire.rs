//! Bounded reading and writing of bytes from outside. Little endian; variable-length integers are
//! LEB128. A [`Reader`] never panics and never allocates more than the bytes it was given justify.

use thiserror::Error;

/// Why bytes could not be read as what they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes end before the value does.
    #[error("the data end early")]
    Truncated,
    /// A value lies outside of what the format allows.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// Bytes follow where the format ends.
    #[error("{0} bytes follow the end of the data")]
    TrailingBytes(usize),
    /// The bytes do not start with the format's mark.
    #[error("not a likeness fingerprint")]
    NotAFingerprint,
    /// The bytes were written by a newer version of the format.
    #[error("format version {found} is newer than this program reads ({supported})")]
    NewerVersion {
        /// Version found in the bytes.
        found: u32,
        /// Newest version that this program reads.
        supported: u32,
    },
    /// The bytes were made with other extractor settings and cannot be compared.
    #[error("made by another {0} extractor; fingerprint the media again")]
    OtherExtractor(&'static str),
    /// The checksum does not fit the bytes.
    #[error("the checksum does not match: the data are damaged")]
    Checksum,
}

/// Appends values to a byte vector.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// The bytes written so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Number of bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Raw bytes, without a length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Eight bytes, IEEE 754.
    pub fn f64(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Variable-length unsigned integer, 1-10 bytes.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// Variable-length signed integer (zigzag).
    pub fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// A length as varint, then the bytes.
    pub fn block(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes(bytes);
    }
}

/// Takes values from a byte slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// Number of bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Fails unless everything was read.
    pub fn finish(self) -> Result<(), WireError> {
        match self.bytes.len() {
            0 => Ok(()),
            n => Err(WireError::TrailingBytes(n)),
        }
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (head, tail) = self.bytes.split_at_checked(n).ok_or(WireError::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, tail) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or(WireError::Truncated)?;
        self.bytes = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Eight bytes, IEEE 754; only finite values are accepted.
    pub fn f64(&mut self, what: &'static str) -> Result<f64, WireError> {
        let value = f64::from_le_bytes(self.array()?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(WireError::OutOfRange(what))
        }
    }

    /// Variable-length unsigned integer.
    pub fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(WireError::OutOfRange("variable-length integer"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::OutOfRange("variable-length integer"))
    }

    /// Variable-length signed integer (zigzag).
    pub fn signed(&mut self) -> Result<i64, WireError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A count of items that take at least `min_bytes` each: never more than the rest can hold, so
    /// that a hostile count cannot ask for memory.
    pub fn count(&mut self, min_bytes: usize, what: &'static str) -> Result<usize, WireError> {
        let count = self.varint()?;
        if count > (self.remaining() / min_bytes.max(1)) as u64 {
            return Err(WireError::OutOfRange(what));
        }
        Ok(count as usize)
    }

    /// A block written by [`Writer::block`].
    pub fn block(&mut self) -> Result<&'a [u8], WireError> {
        let n = self.count(1, "block length")?;
        self.bytes(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_round_trip(a in any::<u64>(), b in any::<i64>(), c in any::<u32>()) {
            let mut w = Writer::new();
            w.varint(a);
            w.signed(b);
            w.u32(c);
            w.block(&[1, 2, 3]);
            let bytes = w.into_bytes();
            let mut r = Reader::new(&bytes);
            prop_assert_eq!(r.varint(), Ok(a));
            prop_assert_eq!(r.signed(), Ok(b));
            prop_assert_eq!(r.u32(), Ok(c));
            prop_assert_eq!(r.block(), Ok(&[1u8, 2, 3][..]));
            prop_assert_eq!(r.finish(), Ok(()));
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut r = Reader::new(&bytes);
            let _ = (r.varint(), r.signed(), r.block().map(<[u8]>::len), r.f64("x"));
        }
    }

    #[test]
    fn a_hostile_count_is_refused() {
        let mut w = Writer::new();
        w.varint(u64::MAX);
        let bytes = w.into_bytes();
        assert_eq!(
            Reader::new(&bytes).count(4, "peaks"),
            Err(WireError::OutOfRange("peaks"))
        );
    }
}
