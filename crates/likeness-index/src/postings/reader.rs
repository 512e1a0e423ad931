//! Looks terms up, and walks all postings in order.

use super::block::Block;
use super::{ENTRY, PostingLayout};
use crate::checksum::{CheckedFile, Span};
use crate::store::StoreError;
use likeness_core::Posting;

/// One space's postings in one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PostingSection<'a> {
    file: &'a CheckedFile,
    layout: PostingLayout,
}

impl<'a> PostingSection<'a> {
    pub(crate) fn new(file: &'a CheckedFile, layout: PostingLayout) -> PostingSection<'a> {
        PostingSection { file, layout }
    }

    /// Calls `sink(i, posting)` for every posting of `terms[i]`. `terms` ascend and are distinct.
    pub(crate) fn lookup(
        &self,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        let mut from = 0;
        let mut open: Option<(u64, Block<'a>)> = None;
        for (i, &term) in terms.iter().enumerate() {
            from = self.first_block_with(term, from)?;
            for number in from..self.blocks() {
                if self.first_term(number)? > term {
                    break;
                }
                if open.as_ref().is_none_or(|(n, _)| *n != number) {
                    open = Some((number, self.block(number)?));
                }
                let Some((_, block)) = &open else { break };
                let found = block.terms();
                let start = found.partition_point(|&t| t < term);
                let end = start + found[start..].partition_point(|&t| t == term);
                for row in start..end {
                    sink(i, block.posting(row).map_err(|e| self.file.damaged(e))?);
                }
            }
        }
        Ok(())
    }

    /// All postings, in order.
    pub(crate) fn cursor(&self) -> PostingCursor<'a> {
        PostingCursor {
            section: *self,
            next_block: 0,
            block: None,
            row: 0,
        }
    }

    /// Number of postings.
    pub(crate) fn count(&self) -> u64 {
        self.layout.count
    }

    fn blocks(&self) -> u64 {
        self.layout.directory.len / ENTRY as u64
    }

    /// The last block at or after `from` that starts below `term`: the first that can hold it.
    fn first_block_with(&self, term: u64, from: u64) -> Result<u64, StoreError> {
        let (mut low, mut high) = (from, self.blocks());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.first_term(middle)? < term {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low.saturating_sub(1).max(from))
    }

    fn entry(&self, number: u64) -> Result<[u64; 2], StoreError> {
        let bytes = self.file.bytes(Span {
            start: self.layout.directory.start + number * ENTRY as u64,
            len: ENTRY as u64,
        })?;
        let read = |at: usize| bytes[at..].first_chunk().copied().map(u64::from_le_bytes);
        match (read(0), read(8)) {
            (Some(term), Some(offset)) => Ok([term, offset]),
            _ => Err(self.file.damaged("posting directory")),
        }
    }

    fn first_term(&self, number: u64) -> Result<u64, StoreError> {
        Ok(self.entry(number)?[0])
    }

    fn block(&self, number: u64) -> Result<Block<'a>, StoreError> {
        let [first_term, start] = self.entry(number)?;
        let end = match number + 1 < self.blocks() {
            true => self.entry(number + 1)?[1],
            false => self.layout.blocks.len,
        };
        if start > end || end > self.layout.blocks.len {
            return Err(self.file.damaged("posting directory out of order"));
        }
        let bytes = self.file.bytes(Span {
            start: self.layout.blocks.start + start,
            len: end - start,
        })?;
        Block::parse(first_term, bytes).map_err(|e| self.file.damaged(e))
    }
}

/// Walks a section's postings in order.
pub(crate) struct PostingCursor<'a> {
    section: PostingSection<'a>,
    next_block: u64,
    block: Option<Block<'a>>,
    row: usize,
}

impl PostingCursor<'_> {
    /// The next posting, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Posting>, StoreError> {
        loop {
            if let Some(block) = &self.block
                && self.row < block.terms().len()
            {
                let posting = block.posting(self.row);
                self.row += 1;
                return posting.map(Some).map_err(|e| self.section.file.damaged(e));
            }
            if self.next_block == self.section.blocks() {
                return Ok(None);
            }
            self.block = Some(self.section.block(self.next_block)?);
            self.next_block += 1;
            self.row = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::CheckedWriter;
    use crate::postings::PostingWriter;
    use likeness_core::ReferenceId;
    use proptest::prelude::*;

    /// Few distinct terms, so that lists are empty, short, or longer than a block.
    fn postings() -> impl Strategy<Value = Vec<Posting>> {
        let posting = (0u64..40, 0u32..5, any::<u16>(), any::<u16>());
        proptest::collection::vec(posting, 0..3000).prop_map(|raw| {
            let mut postings: Vec<Posting> = raw
                .into_iter()
                .map(|(term, reference, time, payload)| Posting {
                    term: if term < 20 { 7 } else { term * term },
                    reference: ReferenceId(reference),
                    time: time.into(),
                    payload: payload.into(),
                })
                .collect();
            postings.sort_unstable();
            postings
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn lookup_finds_what_a_filter_finds(
            postings in postings(),
            terms in proptest::collection::btree_set(0u64..1700, 0..60),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("postings");
            let mut file = CheckedWriter::create(&path).unwrap();
            file.write(b"something before").unwrap();
            let mut writer = PostingWriter::new(&mut file);
            for posting in &postings {
                writer.push(*posting).unwrap();
            }
            let layout = writer.finish().unwrap();
            let seal = file.finish(b"").unwrap();
            let file = CheckedFile::open(&path, &seal).unwrap();
            let section = PostingSection::new(&file, layout);
            prop_assert_eq!(section.count(), postings.len() as u64);

            let terms: Vec<u64> = terms.into_iter().chain([1 << 40]).collect();
            let mut found = Vec::new();
            section.lookup(&terms, &mut |i, p| found.push((i, p))).unwrap();
            let mut expected = Vec::new();
            for (i, term) in terms.iter().enumerate() {
                expected.extend(postings.iter().filter(|p| p.term == *term).map(|p| (i, *p)));
            }
            prop_assert_eq!(found, expected);

            let mut walked = Vec::new();
            let mut cursor = section.cursor();
            while let Some(posting) = cursor.next().unwrap() {
                walked.push(posting);
            }
            prop_assert_eq!(walked, postings);
        }
    }
}
