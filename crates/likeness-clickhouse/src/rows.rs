//! Postings as ClickHouse's RowBinary: numbers little-endian, one after the other, without any mark. The
//! encoding of strings is that of [`likeness_core::Writer::block`].

use crate::snapshot::number;
use likeness_core::{Posting, PostingSpace, ReferenceId};

/// Bytes of a posting in an answer: term, reference, time, payload.
const POSTING: usize = 8 + 4 + 4 + 8;

/// Appends a row of the table `posting`: also the term without its fine bits, by which the table is sorted.
pub(crate) fn put_posting(space: PostingSpace, posting: &Posting, out: &mut Vec<u8>) {
    out.push(number(space));
    out.extend_from_slice(&(posting.term >> space.fine_bits()).to_le_bytes());
    out.extend_from_slice(&posting.term.to_le_bytes());
    out.extend_from_slice(&posting.reference.0.to_le_bytes());
    out.extend_from_slice(&posting.time.to_le_bytes());
    out.extend_from_slice(&posting.payload.to_le_bytes());
}

/// Reads an answer of (term, reference, time, payload); `None` if it breaks off.
pub(crate) fn postings(bytes: &[u8]) -> Option<impl Iterator<Item = Posting> + '_> {
    let (rows, rest) = bytes.as_chunks::<POSTING>();
    rest.is_empty().then(|| rows.iter().map(posting))
}

fn posting(row: &[u8; POSTING]) -> Posting {
    let u32_at = |i: usize| u32::from_le_bytes([row[i], row[i + 1], row[i + 2], row[i + 3]]);
    let u64_at = |i: usize| u64::from(u32_at(i)) | u64::from(u32_at(i + 4)) << 32;
    Posting {
        term: u64_at(0),
        reference: ReferenceId(u32_at(8)),
        time: u32_at(12),
        payload: u64_at(16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let sample = |n: u64| Posting {
            term: u64::MAX / 3 + n,
            reference: ReferenceId(7 << n),
            time: 1 << 31,
            payload: 1 << 40 | n,
        };
        let sent = [sample(0), sample(3)];
        let mut rows = Vec::new();
        sent.iter()
            .for_each(|posting| put_posting(PostingSpace::VideoKeypoint, posting, &mut rows));
        // An answer does not tell the space and the prefix again.
        let answer: Vec<u8> = rows
            .chunks(POSTING + 9)
            .flat_map(|row| row[9..].to_vec())
            .collect();
        let read = postings(&answer).expect("whole rows");
        assert_eq!(read.collect::<Vec<_>>(), sent);
        assert!(postings(&answer[1..]).is_none());
    }
}
