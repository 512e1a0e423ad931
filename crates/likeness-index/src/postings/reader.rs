//! Looks terms up, and walks all postings in order.

use super::PostingLayout;
use super::block::{Block, Terms};
use super::directory::Directory;
use crate::checksum::{CheckedFile, Span};
use crate::store::{Estimate, StoreError};
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

    /// Calls `sink(i, posting)` for every posting whose term without its `free` lowest bits is
    /// `terms[i]`. `terms` ascend and are distinct.
    pub(crate) fn lookup(
        &self,
        free: u32,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        let directory = self.directory(free)?;
        let mut held = Terms::new();
        let (mut next, mut number) = (0, 0);
        while next < terms.len() && number < directory.len() {
            number = directory.first_block_with(terms[next], number);
            let span = directory.span(number);
            // Of the terms before it there is no posting.
            next += terms[next..].partition_point(|&term| term < span.first);
            let inside = terms[next..].iter().take_while(|&&term| term <= span.end);
            if let Some(&last) = inside.last() {
                let block = self.block(&directory, number, last, &mut held)?;
                next = held.merge(free, terms, next, &mut |i, row| {
                    let posting = block.posting(held.as_slice()[row], row);
                    sink(i, posting.map_err(|e| self.file.damaged(e))?);
                    Ok(())
                })?;
            }
            number += 1;
        }
        Ok(())
    }

    /// Adds what looking up each of `terms` will cost, about, from the directory alone. `terms`, which
    /// lack their `free` lowest bits, ascend and are distinct.
    pub(crate) fn estimate(
        &self,
        free: u32,
        terms: &[u64],
        estimates: &mut [Estimate],
    ) -> Result<(), StoreError> {
        self.directory(free)?.estimate(terms, estimates);
        Ok(())
    }

    /// All postings, in order.
    pub(crate) fn cursor(&self) -> PostingCursor<'a> {
        PostingCursor {
            section: *self,
            directory: None,
            next_block: 0,
            block: None,
            terms: Terms::new(),
            row: 0,
        }
    }

    /// Number of postings.
    pub(crate) fn count(&self) -> u64 {
        self.layout.count
    }

    fn directory(&self, free: u32) -> Result<Directory<'a>, StoreError> {
        let (entries, _) = self.file.bytes(self.layout.directory)?.as_chunks();
        Ok(Directory { entries, free })
    }

    /// Reads a block and, into `terms`, those of its terms that without their free bits are not beyond
    /// `last`.
    fn block(
        &self,
        directory: &Directory<'a>,
        number: usize,
        last: u64,
        terms: &mut Terms,
    ) -> Result<Block<'a>, StoreError> {
        let start = directory.offset(number);
        let end = match number + 1 < directory.len() {
            true => directory.offset(number + 1),
            false => self.layout.blocks.len,
        };
        if start > end || end > self.layout.blocks.len {
            return Err(self.file.damaged("posting directory out of order"));
        }
        let bytes = self.file.bytes(Span {
            start: self.layout.blocks.start + start,
            len: end - start,
        })?;
        let last = directory.whole(last);
        let block = Block::parse(directory.whole_first(number), bytes, last, terms);
        block.map_err(|e| self.file.damaged(e))
    }
}

/// Walks a section's postings in order.
pub(crate) struct PostingCursor<'a> {
    section: PostingSection<'a>,
    directory: Option<Directory<'a>>,
    next_block: usize,
    block: Option<Block<'a>>,
    terms: Terms,
    row: usize,
}

impl PostingCursor<'_> {
    /// The next posting, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Posting>, StoreError> {
        loop {
            if let Some(block) = &self.block
                && let Some(&term) = self.terms.as_slice().get(self.row)
            {
                let posting = block.posting(term, self.row);
                self.row += 1;
                return posting.map(Some).map_err(|e| self.section.file.damaged(e));
            }
            let directory = match self.directory {
                Some(directory) => directory,
                None => *self.directory.insert(self.section.directory(0)?),
            };
            if self.next_block == directory.len() {
                return Ok(None);
            }
            let (number, all) = (self.next_block, u64::MAX);
            let first = directory.whole_first(number);
            // The terms of the block before are still there.
            if self
                .terms
                .as_slice()
                .last()
                .is_some_and(|last| first < *last)
            {
                return Err(self.section.file.damaged("terms out of order"));
            }
            self.block = Some(
                self.section
                    .block(&directory, number, all, &mut self.terms)?,
            );
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
    use crate::postings::block::BLOCK;
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
            free in 0u32..6,
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

            let mut terms: Vec<u64> = terms.into_iter().chain([1 << 40]).map(|t| t >> free).collect();
            terms.dedup();
            let of = |term: u64| postings.iter().filter(move |p| p.term >> free == term);
            let mut found = Vec::new();
            section.lookup(free, &terms, &mut |i, p| found.push((i, p))).unwrap();
            let mut expected = Vec::new();
            for (i, term) in terms.iter().enumerate() {
                expected.extend(of(*term).map(|p| (i, *p)));
            }
            prop_assert_eq!(found, expected);

            // Never nothing where there is something, and right to two blocks.
            let mut estimates = vec![Estimate::default(); terms.len()];
            section.estimate(free, &terms, &mut estimates).unwrap();
            for (i, term) in terms.iter().enumerate() {
                let held = of(*term).count();
                let postings = estimates[i].postings as usize;
                prop_assert!(held == 0 || postings > 0);
                prop_assert!(held.abs_diff(postings) <= 2 * BLOCK);
            }

            // Counts alone tell the same, also those of terms without the bits that are free.
            for fine in [0, free] {
                let mut counts = std::collections::BTreeMap::new();
                postings.iter().for_each(|p| *counts.entry(p.term >> fine << fine).or_insert(0u64) += 1);
                let counted = crate::postings::TermDirectory::new(counts.into_iter());
                prop_assert_eq!(&counted.estimates(free, &terms), &estimates);
            }

            let mut walked = Vec::new();
            let mut cursor = section.cursor();
            while let Some(posting) = cursor.next().unwrap() {
                walked.push(posting);
            }
            prop_assert_eq!(walked, postings);
        }
    }

    #[test]
    fn terms_out_of_order_are_damage() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("postings");
        let mut file = CheckedWriter::create(&path).unwrap();
        let mut writer = PostingWriter::new(&mut file);
        for i in 0..2 * BLOCK {
            let posting = Posting {
                term: if i < BLOCK { 9 } else { 5 },
                reference: ReferenceId(0),
                time: i as u32,
                payload: 0,
            };
            writer.push(posting).unwrap();
        }
        let layout = writer.finish().unwrap();
        let seal = file.finish(b"").unwrap();
        let file = CheckedFile::open(&path, &seal).unwrap();
        let mut cursor = PostingSection::new(&file, layout).cursor();
        for _ in 0..BLOCK {
            assert_eq!(cursor.next().unwrap().map(|p| p.term), Some(9));
        }
        let error = cursor.next().unwrap_err().to_string();
        assert!(error.ends_with("damaged: terms out of order"), "{error}");
    }
}
