//! One block: up to 256 postings as four columns.
//!
//! References, times and payloads are stored as distances from the column's least value, all of
//! one width (frame of reference); terms as steps from the posting before, starting at the first
//! term, which the directory holds, in Rice codes or all of one width, whichever is shorter.

use super::bits::{RiceReader, column_bytes, get, pack, pack_rice, rice_bits, width};
use likeness_core::wire::{Reader, WireError, Writer};
use likeness_core::{Posting, ReferenceId};

/// Most postings in a block.
pub(super) const BLOCK: usize = 256;

/// Added to the parameter where a block's terms are in Rice codes.
const RICE: u32 = 128;
/// Rice parameters that are tried: larger steps have their full width.
const PARAMETERS: u32 = 48;

/// Appends a block of 1..=[`BLOCK`] postings in order.
pub(super) fn encode(postings: &[Posting], out: &mut Writer) {
    out.u8((postings.len() - 1) as u8);
    let before = postings[..1].iter().chain(postings);
    let steps = postings.iter().zip(before).map(|(p, b)| p.term - b.term);
    let steps: Vec<u64> = steps.collect();
    let step_width = width(steps.iter().copied().max().unwrap_or(0));
    let (bits, parameter) = shortest_rice(&steps);
    let packed = (steps.len() * step_width as usize) as u128;
    let rice = (bits < packed).then_some(parameter);
    out.u8(rice.map_or(step_width, |k| RICE + k) as u8);
    let columns = [
        Frame::of(postings, |p| u64::from(p.reference.0)),
        Frame::of(postings, |p| u64::from(p.time)),
        Frame::of(postings, |p| p.payload),
    ];
    for frame in &columns {
        out.varint(frame.base);
        out.u8(frame.width as u8);
    }
    let [reference, time, payload] = columns;
    let values = postings.iter();
    pack(
        values
            .clone()
            .map(|p| u64::from(p.reference.0) - reference.base),
        reference.width,
        out,
    );
    pack(
        values.clone().map(|p| u64::from(p.time) - time.base),
        time.width,
        out,
    );
    pack(values.map(|p| p.payload - payload.base), payload.width, out);
    match rice {
        Some(parameter) => pack_rice(&steps, parameter, out),
        None => pack(steps.into_iter(), step_width, out),
    }
}

/// The least bits of Rice codes, and the smallest parameter that gives them. From one parameter to
/// the next a value costs one bit more and saves half its quotient, rounded up, which shrinks; so
/// there is one valley, and it is near the mean.
fn shortest_rice(steps: &[u64]) -> (u128, u32) {
    let mean = steps
        .iter()
        .map(|s| s / steps.len().max(1) as u64)
        .sum::<u64>();
    let cost = |k: u32| (rice_bits(steps, k), k);
    let mut best = cost(width(mean).min(PARAMETERS - 1));
    while best.1 > 0 && cost(best.1 - 1) < best {
        best = cost(best.1 - 1);
    }
    while best.1 + 1 < PARAMETERS && cost(best.1 + 1) < best {
        best = cost(best.1 + 1);
    }
    best
}

/// Least value and width of a column.
#[derive(Debug, Clone, Copy)]
struct Frame {
    base: u64,
    width: u32,
}

impl Frame {
    fn of(postings: &[Posting], value: impl Fn(&Posting) -> u64) -> Frame {
        let range = postings.iter().map(&value);
        let (low, high) = range.fold((u64::MAX, 0), |(l, h), v| (l.min(v), h.max(v)));
        Frame {
            base: low,
            width: width(high - low),
        }
    }
}

/// A column of a block that is being read.
#[derive(Debug, Clone, Copy)]
struct Column<'a> {
    base: u64,
    width: u32,
    packed: &'a [u8],
}

impl Column<'_> {
    fn get(&self, index: usize) -> Result<u64, WireError> {
        self.base
            .checked_add(get(self.packed, self.width, index))
            .ok_or(WireError::OutOfRange("posting"))
    }

    fn get_u32(&self, index: usize) -> Result<u32, WireError> {
        u32::try_from(self.get(index)?).map_err(|_| WireError::OutOfRange("posting"))
    }
}

/// The terms of a block that is being read, unpacked. One serves for block after block.
#[derive(Debug)]
pub(super) struct Terms {
    held: [u64; BLOCK],
    count: usize,
}

impl Terms {
    pub(super) fn new() -> Terms {
        Terms {
            held: [0; BLOCK],
            count: 0,
        }
    }

    /// The terms, ascending.
    pub(super) fn as_slice(&self) -> &[u64] {
        &self.held[..self.count]
    }

    /// Calls `sink(i, row)` for every row whose term without its `free` lowest bits is `terms[i]`, `i` not
    /// below `from`. `terms` ascend and are distinct. Returns the first of them that a later block may hold.
    pub(super) fn merge<E>(
        &self,
        free: u32,
        terms: &[u64],
        from: usize,
        sink: &mut impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<usize, E> {
        /// Rows that are passed by one by one before halving is quicker.
        const FEW: usize = 8;
        let (mut i, mut row) = (from, 0);
        let held = self.as_slice();
        while let (Some(&wanted), Some(&term)) = (terms.get(i), held.get(row)) {
            let term = term >> free;
            let below = |term: &u64| *term >> free < wanted;
            if term < wanted && held.get(row + FEW).is_some_and(below) {
                row += held[row..].partition_point(below);
                continue;
            }
            if term == wanted {
                sink(i, row)?;
            }
            // Without branches, which could not be foreseen.
            row += usize::from(term <= wanted);
            i += usize::from(term > wanted);
        }
        Ok(i)
    }
}

/// The columns of a block that are read on demand.
#[derive(Debug)]
pub(super) struct Block<'a> {
    reference: Column<'a>,
    time: Column<'a>,
    payload: Column<'a>,
}

impl<'a> Block<'a> {
    /// Reads a block that fills `bytes` exactly, and its terms, of which those beyond `last` may be
    /// left out.
    pub(super) fn parse(
        first_term: u64,
        bytes: &'a [u8],
        last: u64,
        terms: &mut Terms,
    ) -> Result<Block<'a>, WireError> {
        terms.count = 0;
        let mut r = Reader::new(bytes);
        let count = usize::from(r.u8()?) + 1;
        let coding = u32::from(r.u8()?);
        let mut column =
            || -> Result<(u64, u32), WireError> { Ok((r.varint()?, read_width(&mut r)?)) };
        let frames = [column()?, column()?, column()?];
        let mut column = |(base, width): (u64, u32)| -> Result<Column<'a>, WireError> {
            Ok(Column {
                base,
                width,
                packed: r.bytes(column_bytes(count, width))?,
            })
        };
        let block = Block {
            reference: column(frames[0])?,
            time: column(frames[1])?,
            payload: column(frames[2])?,
        };
        let steps = r.bytes(r.remaining())?;
        terms.count = read_steps(coding, steps, first_term, last, &mut terms.held[..count])?;
        Ok(block)
    }

    /// The posting of `term` in row `index`, which must be one of the block's.
    pub(super) fn posting(&self, term: u64, index: usize) -> Result<Posting, WireError> {
        Ok(Posting {
            term,
            reference: ReferenceId(self.reference.get_u32(index)?),
            time: self.time.get_u32(index)?,
            payload: self.payload.get(index)?,
        })
    }
}

/// Sums up the steps, which fill `bytes` exactly, as far as the terms do not go beyond `last`, about.
/// Returns the number of terms.
fn read_steps(
    coding: u32,
    bytes: &[u8],
    first: u64,
    last: u64,
    terms: &mut [u64],
) -> Result<usize, WireError> {
    let out_of_range = || WireError::OutOfRange("term");
    if coding == RICE {
        read_unary(bytes, first, terms).ok_or_else(out_of_range)?;
        return Ok(terms.len());
    }
    let mut term = first;
    let mut take = |slot: &mut u64, step: Option<u64>| {
        term = step
            .and_then(|s| term.checked_add(s))
            .ok_or_else(out_of_range)?;
        *slot = term;
        Ok::<bool, WireError>(term > last)
    };
    if (RICE..RICE + PARAMETERS).contains(&coding) {
        let mut reader = RiceReader::new(bytes, coding - RICE);
        for (row, slot) in terms.iter_mut().enumerate() {
            if take(slot, reader.next())? {
                return Ok(row);
            }
        }
        return match reader.is_at_end() {
            true => Ok(terms.len()),
            false => Err(out_of_range()),
        };
    }
    if coding > u64::BITS || bytes.len() != column_bytes(terms.len(), coding) {
        return Err(WireError::OutOfRange("column width"));
    }
    for (row, slot) in terms.iter_mut().enumerate() {
        take(slot, Some(get(bytes, coding, row)))?;
    }
    Ok(terms.len())
}

/// [`read_steps`] of the Rice codes with the parameter 0, which steps have where a term has many
/// postings: a one for each step up, a zero for each posting. Run by run, not posting by posting.
/// `None` where they do not fill `bytes`.
fn read_unary(bytes: &[u8], first: u64, terms: &mut [u64]) -> Option<()> {
    let (mut term, mut row) = (first, 0);
    for (number, chunk) in bytes.chunks(8).enumerate() {
        let mut padded = [0; 8];
        padded[..chunk.len()].copy_from_slice(chunk);
        let (mut word, mut left) = (u64::from_le_bytes(padded), 8 * chunk.len());
        while left > 0 {
            let ones = (word.trailing_ones() as usize).min(left);
            term = term.checked_add(ones as u64)?;
            word = word.checked_shr(ones as u32).unwrap_or(0);
            left -= ones;
            let zeros = (word.trailing_zeros() as usize).min(left);
            let end = terms.len().min(row + zeros);
            terms[row..end].fill(term);
            if end == terms.len() {
                // What is left over is padding, less than a byte.
                let used = 64 * number + 8 * chunk.len() - left + (end - row);
                return (used.div_ceil(8) == bytes.len()).then_some(());
            }
            row = end;
            word = word.checked_shr(zeros as u32).unwrap_or(0);
            left -= zeros;
        }
    }
    None
}

fn read_width(r: &mut Reader<'_>) -> Result<u32, WireError> {
    match r.u8()? {
        width @ 0..=64 => Ok(width.into()),
        _ => Err(WireError::OutOfRange("column width")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(first_term: u64, bytes: &[u8]) -> Result<Vec<Posting>, WireError> {
        let mut terms = Terms::new();
        let block = Block::parse(first_term, bytes, u64::MAX, &mut terms)?;
        let rows = terms.as_slice().iter().enumerate();
        rows.map(|(row, &term)| block.posting(term, row)).collect()
    }

    proptest! {
        #[test]
        fn the_shortest_rice_codes_are_found(
            raw in proptest::collection::vec(any::<u64>(), 1..=BLOCK),
            shift in 0u32..64,
            spread in 0u32..20,
        ) {
            let shifts = (0..).map(|i| (shift + i * spread) % 64);
            let steps: Vec<u64> = raw.iter().zip(shifts).map(|(v, s)| v >> s).collect();
            let all = (0..PARAMETERS).map(|k| (rice_bits(&steps, k), k)).min();
            prop_assert_eq!(Some(shortest_rice(&steps)), all);
        }

        #[test]
        fn blocks_round_trip(
            raw in proptest::collection::vec((any::<u64>(), any::<u32>(), any::<u32>(), any::<u64>()), 1..=BLOCK),
            shift in 0u32..64,
        ) {
            let mut postings: Vec<Posting> = raw
                .into_iter()
                .map(|(term, reference, time, payload)| Posting {
                    term: term >> shift,
                    reference: ReferenceId(reference),
                    time,
                    payload: payload >> shift,
                })
                .collect();
            postings.sort_unstable();
            let mut w = Writer::new();
            encode(&postings, &mut w);
            prop_assert_eq!(read(postings[0].term, &w.into_bytes()), Ok(postings));
        }

        #[test]
        fn unary_steps_are_rice_codes(
            steps in proptest::collection::vec(prop_oneof![4 => Just(0u64), 1 => 0..3u64, 1 => 0..200u64], 1..=BLOCK),
            first in any::<u64>(),
            more in 0usize..3,
        ) {
            let mut w = Writer::new();
            pack_rice(&steps, 0, &mut w);
            let mut bytes = w.into_bytes();
            bytes.resize(bytes.len() + more, 0);
            let mut reader = RiceReader::new(&bytes, 0);
            let mut term = Some(first);
            let mut sum = |_| {
                term = term.and_then(|term| term.checked_add(reader.next()?));
                term
            };
            let expected: Option<Vec<u64>> = (0..steps.len()).map(&mut sum).collect();
            let expected = expected.filter(|_| reader.is_at_end());
            let mut terms = vec![0; steps.len()];
            let found = read_unary(&bytes, first, &mut terms);
            prop_assert_eq!(found.map(|()| terms), expected);
        }

        #[test]
        fn a_merge_finds_what_a_filter_finds(
            raw in proptest::collection::vec(0..60u64, 1..=BLOCK),
            wanted in proptest::collection::btree_set(0..70u64, 0..40),
            free in 0u32..4,
        ) {
            let mut raw = raw;
            raw.sort_unstable();
            let postings: Vec<Posting> = raw
                .iter()
                .map(|&term| Posting { term, reference: ReferenceId(0), time: 0, payload: 0 })
                .collect();
            let mut w = Writer::new();
            encode(&postings, &mut w);
            let bytes = w.into_bytes();
            let mut wanted: Vec<u64> = wanted.into_iter().map(|term| term >> free).collect();
            wanted.dedup();
            let last = wanted.last().map_or(0, |term| ((term + 1) << free) - 1);
            let mut terms = Terms::new();
            Block::parse(raw[0], &bytes, last, &mut terms).expect("a block");
            let mut found = Vec::new();
            let next = terms.merge(free, &wanted, 0, &mut |i, row| {
                found.push((wanted[i], row));
                Ok::<(), ()>(())
            });
            let rows = raw.iter().map(|term| term >> free).zip(0..);
            let rows = rows.filter(|(term, _)| wanted.contains(term));
            prop_assert_eq!(found, rows.collect::<Vec<_>>());
            let passed = wanted.partition_point(|term| *term < raw[raw.len() - 1] >> free);
            prop_assert!(next.is_ok_and(|next| next <= passed));
        }

        #[test]
        fn garbage_never_panics(term in any::<u64>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(term, &bytes);
        }
    }
}
