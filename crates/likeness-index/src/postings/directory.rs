//! The blocks' first terms: where a term's postings begin, and about how many there are.

use super::ENTRY;
use super::block::BLOCK;
use crate::store::Estimate;

/// A block and the terms it may hold, without their free bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct TermSpan {
    number: usize,
    pub(super) first: u64,
    /// The first term of the next block.
    pub(super) end: u64,
    /// Postings of each term, were all between equally common.
    share: u32,
}

/// The blocks' first terms, ascending, and offsets. Terms are taken without their `free` lowest bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory<'a> {
    pub(super) entries: &'a [[u8; ENTRY]],
    pub(super) free: u32,
}

impl Directory<'_> {
    /// Adds what looking up each of `terms` will cost, about, from the directory alone. `terms` ascend
    /// and are distinct.
    pub(super) fn estimate(&self, terms: &[u64], estimates: &mut [Estimate]) {
        let directory = self;
        if directory.len() == 0 {
            return;
        }
        let (mut start, mut number) = (0, 0);
        while start < terms.len() {
            number = directory.first_block_with(terms[start], number);
            let span = directory.span(number);
            // The terms that share the block, and the cost of unpacking it.
            let sharing = terms[start..].iter().take_while(|&&term| term <= span.end);
            let sharing = match number + 1 < directory.len() {
                true => sharing.count().max(1),
                false => terms.len() - start,
            };
            // Not all numbers between the block's ends need be terms: where few are asked for, half of
            // its postings are taken for theirs.
            let share = span.share.max((BLOCK / (2 * sharing)) as u32);
            let passed = (BLOCK.saturating_sub(share as usize * sharing) / sharing) as u32;
            let those = start..start + sharing;
            for (&term, estimate) in terms[those.clone()].iter().zip(&mut estimates[those]) {
                let postings = match span.first <= term {
                    true => share + directory.whole_blocks(&span, term),
                    false => 0,
                };
                estimate.postings = estimate.postings.saturating_add(postings);
                estimate.passed = estimate.passed.saturating_add(passed);
            }
            start += sharing;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn first_term(&self, number: usize) -> u64 {
        self.whole_first(number) >> self.free
    }

    /// A block's first term with all of its bits.
    pub(super) fn whole_first(&self, number: usize) -> u64 {
        self.number(number, 0)
    }

    /// The last of the terms that begin as `term` does.
    pub(super) fn whole(&self, term: u64) -> u64 {
        term << self.free | ((1 << self.free) - 1)
    }

    pub(super) fn offset(&self, number: usize) -> u64 {
        self.number(number, 1)
    }

    pub(super) fn span(&self, number: usize) -> TermSpan {
        let first = self.first_term(number);
        let end = match number + 1 < self.len() {
            true => self.first_term(number + 1),
            false => u64::MAX,
        };
        let terms = end.saturating_sub(first).clamp(1, BLOCK as u64) as u32;
        TermSpan {
            number,
            first,
            end,
            share: BLOCK as u32 / terms,
        }
    }

    /// Postings of the blocks after `span` that hold nothing but `term`.
    fn whole_blocks(&self, span: &TermSpan, term: u64) -> u32 {
        if term != span.end {
            return 0;
        }
        let later = span.number + 2..self.len();
        let whole = later.take_while(|number| self.first_term(*number) == term);
        (whole.count() * BLOCK) as u32
    }

    fn number(&self, entry: usize, which: usize) -> u64 {
        let (numbers, _) = self.entries[entry].as_chunks();
        u64::from_le_bytes(numbers[which])
    }

    /// The last block at or after `from` that starts below `term`: the first that can hold it.
    /// Gallops: the next term is likely near the last one.
    pub(super) fn first_block_with(&self, term: u64, from: usize) -> usize {
        let (mut low, mut step) = (from, 1);
        while low + step < self.len() && self.first_term(low + step) < term {
            low += step;
            step *= 2;
        }
        let near = &self.entries[low.min(self.len())..self.len().min(low + step)];
        let below = |i: usize| self.first_term(low + i) < term;
        let (mut first, mut last) = (0, near.len());
        while first < last {
            let middle = first.midpoint(last);
            match below(middle) {
                true => first = middle + 1,
                false => last = middle,
            }
        }
        (low + first).saturating_sub(1).max(from)
    }
}

/// What looking terms up would cost in a library that is one run, known from how many postings each term
/// has: elsewhere the same terms are then found worth their cost, and matching gives the same answers.
#[derive(Debug, Clone, Default)]
pub struct TermDirectory {
    entries: Vec<[u8; ENTRY]>,
}

impl TermDirectory {
    /// Of terms, ascending, and the number of each one's postings.
    pub fn new(counts: impl Iterator<Item = (u64, u64)>) -> TermDirectory {
        let mut directory = TermDirectory::default();
        let (mut before, mut next) = (0, 0);
        for (term, count) in counts {
            let after = before + count;
            while next < after {
                let mut entry = [0; ENTRY];
                entry[..8].copy_from_slice(&term.to_le_bytes());
                directory.entries.push(entry);
                next += BLOCK as u64;
            }
            before = after;
        }
        directory
    }

    /// As [`crate::Store::estimates`].
    pub fn estimates(&self, free: u32, terms: &[u64]) -> Vec<Estimate> {
        let mut estimates = vec![Estimate::default(); terms.len()];
        let entries = &self.entries;
        Directory { entries, free }.estimate(terms, &mut estimates);
        estimates
    }
}
