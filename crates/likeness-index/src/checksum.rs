//! Files in which every byte is checked before it is used.
//!
//! Data are followed by a tail: a directory (opaque here) and one BLAKE3 checksum per chunk of
//! the data. The [`Seal`], kept in the manifest, holds the tail's own checksum. So a reader can
//! touch a few chunks of a large file and still trust what it reads.

use crate::durable::{self, NewFile, damaged, io_error};
use crate::store::StoreError;
use likeness_core::wire::{Reader, WireError, Writer};
use memmap2::{Mmap, UncheckedAdvice};
use rayon::prelude::*;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of data that one checksum covers.
pub(crate) const CHUNK: usize = 64 * 1024;
const HASH: usize = 32;

/// What the manifest knows of a file: enough to check all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Bytes of data.
    pub(crate) data: u64,
    /// Bytes of the tail, directly after the data and up to the end of the file.
    pub(crate) tail: u64,
    /// BLAKE3 of the tail.
    pub(crate) hash: [u8; HASH],
}

impl Seal {
    /// Size of the file, if it can be expressed.
    pub(crate) fn file_bytes(&self) -> Option<u64> {
        self.data.checked_add(self.tail)
    }
}

/// A range of bytes in a file's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl Span {
    pub(crate) fn encode(&self, w: &mut Writer) {
        w.varint(self.start);
        w.varint(self.len);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Span, WireError> {
        let (start, len) = (r.varint()?, r.varint()?);
        start
            .checked_add(len)
            .ok_or(WireError::OutOfRange("section"))?;
        Ok(Span { start, len })
    }
}

/// Writes a checked file from front to back.
pub(crate) struct CheckedWriter {
    path: PathBuf,
    file: BufWriter<NewFile>,
    position: u64,
    hasher: blake3::Hasher,
    checksums: Vec<[u8; HASH]>,
}

impl CheckedWriter {
    pub(crate) fn create(path: &Path) -> Result<CheckedWriter, StoreError> {
        Ok(CheckedWriter {
            path: path.to_owned(),
            file: BufWriter::with_capacity(CHUNK, NewFile::create(path)?),
            position: 0,
            hasher: blake3::Hasher::new(),
            checksums: Vec::new(),
        })
    }

    /// Bytes written so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<Span, StoreError> {
        let start = self.position;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = CHUNK - (self.position % CHUNK as u64) as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.hasher.update(now);
            self.position += now.len() as u64;
            if now.len() == room {
                self.end_chunk();
            }
            rest = later;
        }
        self.file
            .write_all(bytes)
            .map_err(|e| io_error(&self.path, e))?;
        Ok(Span {
            start,
            len: bytes.len() as u64,
        })
    }

    fn end_chunk(&mut self) {
        self.checksums.push(self.hasher.finalize().into());
        self.hasher.reset();
    }

    /// Appends the tail and makes the file durable.
    pub(crate) fn finish(mut self, directory: &[u8]) -> Result<Seal, StoreError> {
        if !self.position.is_multiple_of(CHUNK as u64) {
            self.end_chunk();
        }
        let mut tail = Writer::new();
        tail.block(directory);
        for checksum in &self.checksums {
            tail.bytes(checksum);
        }
        let tail = tail.into_bytes();
        self.file
            .write_all(&tail)
            .and_then(|()| self.file.flush())
            .and_then(|()| self.file.get_ref().sync())
            .map_err(|e| io_error(&self.path, e))?;
        Ok(Seal {
            data: self.position,
            tail: tail.len() as u64,
            hash: blake3::hash(&tail).into(),
        })
    }
}

/// A checked file, mapped into memory. Chunks are checked when they are first touched.
#[derive(Debug)]
pub(crate) struct CheckedFile {
    path: PathBuf,
    map: Mmap,
    data: usize,
    directory: Range<usize>,
    checksums: Range<usize>,
    /// One bit per chunk: its checksum was compared.
    checked: Box<[AtomicU64]>,
}

impl CheckedFile {
    /// Maps the file and checks its length and tail.
    pub(crate) fn open(path: &Path, seal: &Seal) -> Result<CheckedFile, StoreError> {
        let file = durable::open(path).map_err(|e| io_error(path, e))?;
        let length = file.metadata().map_err(|e| io_error(path, e))?.len();
        if seal.file_bytes() != Some(length) {
            return Err(damaged(
                path,
                format!("it has {length} bytes, not as many as written"),
            ));
        }
        // SAFETY: published files are never written to or truncated, only unlinked, which leaves
        // the mapping intact; every byte is checked before it is interpreted, as plain integers.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| io_error(path, e))?;
        let data = usize::try_from(seal.data).map_err(|_| damaged(path, "it is too large"))?;
        let tail = map
            .get(data..)
            .ok_or_else(|| damaged(path, "it is too short"))?;
        if blake3::hash(tail) != seal.hash {
            return Err(damaged(path, "the checksum of its tail does not match"));
        }
        let (directory, checksums) =
            split_tail(tail, data).map_err(|e| damaged(path, format!("tail: {e}")))?;
        let end = map.len();
        let chunks = data.div_ceil(CHUNK);
        Ok(CheckedFile {
            path: path.to_owned(),
            data,
            directory: end - checksums - directory..end - checksums,
            checksums: end - checksums..end,
            checked: (0..chunks.div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect(),
            map,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the whole file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// The writer's directory.
    pub(crate) fn directory(&self) -> &[u8] {
        &self.map[self.directory.clone()]
    }

    /// Checked bytes of the data.
    pub(crate) fn bytes(&self, span: Span) -> Result<&[u8], StoreError> {
        let range = self.range(span)?;
        if !range.is_empty() {
            for chunk in range.start / CHUNK..=(range.end - 1) / CHUNK {
                self.check(chunk)?;
            }
        }
        Ok(&self.map[range])
    }

    /// Says that these bytes have been read: the whole chunks that hold them no longer count as this
    /// process's memory. When they are read again, they come from what the system keeps of the file, or
    /// from the file.
    pub(crate) fn release(&self, span: Span) {
        let Ok(range) = self.range(span) else { return };
        let start = range.start / CHUNK * CHUNK;
        let end = range.end.next_multiple_of(CHUNK).min(self.data);
        // SAFETY: the mapping is shared and of a file that is never written to, so that pages which are
        // given up come back with the same bytes; whoever reads them meanwhile waits for that.
        // Where it is refused, memory is all that it costs.
        let _ = unsafe {
            self.map
                .unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start)
        };
    }

    /// Checks everything, on all threads of the current pool.
    pub(crate) fn check_all(&self) -> Result<(), StoreError> {
        (0..self.data.div_ceil(CHUNK))
            .into_par_iter()
            .try_for_each(|chunk| self.check(chunk))
    }

    pub(crate) fn damaged(&self, reason: impl ToString) -> StoreError {
        damaged(&self.path, reason)
    }

    fn range(&self, span: Span) -> Result<Range<usize>, StoreError> {
        let end = span.start.checked_add(span.len);
        match end {
            Some(end) if end <= self.data as u64 => Ok(span.start as usize..end as usize),
            _ => Err(self.damaged("a section lies outside of the file")),
        }
    }

    fn check(&self, chunk: usize) -> Result<(), StoreError> {
        let (word, bit) = (&self.checked[chunk / 64], 1u64 << (chunk % 64));
        // Relaxed is enough: the bytes themselves never change, so at worst a chunk is hashed twice.
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        let start = chunk * CHUNK;
        let bytes = &self.map[start..(start + CHUNK).min(self.data)];
        let at = self.checksums.start + chunk * HASH;
        if blake3::hash(bytes).as_bytes()[..] != self.map[at..at + HASH] {
            return Err(self.damaged(format!(
                "the checksum of bytes {start}..{} does not match",
                start + bytes.len()
            )));
        }
        word.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }
}

/// Lengths of the directory and of the checksums, which end the tail.
fn split_tail(tail: &[u8], data: usize) -> Result<(usize, usize), WireError> {
    let mut r = Reader::new(tail);
    let directory = r.block()?.len();
    let checksums = data.div_ceil(CHUNK) * HASH;
    match r.remaining() == checksums {
        true => Ok((directory, checksums)),
        false => Err(WireError::OutOfRange("number of checksums")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(length: usize) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let data: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
        let mut writer = CheckedWriter::create(&path).unwrap();
        for piece in data.chunks(1000) {
            writer.write(piece).unwrap();
        }
        let seal = writer.finish(b"directory").unwrap();
        let file = CheckedFile::open(&path, &seal).unwrap();
        assert_eq!(file.directory(), b"directory");
        let all = Span {
            start: 0,
            len: length as u64,
        };
        assert_eq!(file.bytes(all).unwrap(), data);
        file.release(all);
        assert_eq!(file.bytes(all).unwrap(), data);
        file.check_all().unwrap();
        let beyond = Span {
            start: 1,
            len: length as u64,
        };
        assert!(file.bytes(beyond).is_err());
    }

    #[test]
    fn what_was_written_is_read() {
        for length in [0, 1, 999, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            check(length);
        }
    }

    #[test]
    fn only_the_damaged_chunk_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut writer = CheckedWriter::create(&path).unwrap();
        writer.write(&vec![1; 3 * CHUNK]).unwrap();
        let seal = writer.finish(b"").unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[CHUNK + 5] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let file = CheckedFile::open(&path, &seal).unwrap();
        let chunk = |n: usize| Span {
            start: (n * CHUNK) as u64,
            len: CHUNK as u64,
        };
        assert!(file.bytes(chunk(0)).is_ok());
        assert!(file.bytes(chunk(1)).is_err());
        assert!(file.bytes(chunk(2)).is_ok());
        assert!(file.check_all().is_err());
    }
}
