//! Merging runs: fewer files to look into, and dead references leave.

use crate::checksum::{Seal, Span};
use crate::durable;
use crate::manifest::{RunInfo, run_path};
use crate::postings::PostingCursor;
use crate::run::{Run, RunWriter};
use crate::store::StoreError;
use likeness_core::{Posting, PostingSpace, ReferenceId, StreamState};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::path::Path;

/// Runs of one tier that are merged, and the ratio of the sizes of neighbouring tiers: each byte
/// is rewritten once per tier, and a library has fewer than this many runs per tier.
const FANOUT: u64 = 8;
/// Largest run of the lowest tier, bytes.
const LOWEST_TIER: u64 = 1 << 20;

/// The runs to merge next, if any: the longest tail of the list in which no run is above a tier,
/// once [`FANOUT`] of them are in that tier. Only neighbours merge, so that runs stay in order of
/// reference.
pub(crate) fn due(sizes: &[u64]) -> Option<Range<usize>> {
    let highest = sizes.iter().map(|s| tier(*s)).max()?;
    (0..=highest).find_map(|limit| {
        let tiers = || sizes.iter().rev().map(|s| tier(*s));
        let tail = || tiers().take_while(|t| *t <= limit);
        let full = tail().filter(|t| *t == limit).count() as u64 >= FANOUT;
        full.then(|| sizes.len() - tail().count()..sizes.len())
    })
}

fn tier(bytes: u64) -> u32 {
    (bytes / LOWEST_TIER)
        .checked_ilog(FANOUT)
        .map_or(0, |t| t + 1)
}

/// Writes references of runs, which are in order of reference, into run `number`; `None` if there
/// are none. `renumber` says which stay and under which numbers, in the same order.
/// Memory: the catalogue, and a block per run and space.
pub(crate) fn merge(
    library: &Path,
    runs: &[Run],
    number: u64,
    renumber: &dyn Fn(ReferenceId) -> Option<ReferenceId>,
) -> Result<Option<RunInfo>, StoreError> {
    let kept = |run: &Run| run.entries().iter().any(|e| renumber(e.id).is_some());
    if !runs.iter().any(kept) {
        return Ok(None);
    }
    let path = run_path(library, number);
    let written = write(&path, runs, renumber);
    if written.is_err() {
        // Half a run takes space for nothing; where even this fails, the next writer does it.
        let _ = durable::remove(&path);
    }
    let (references, seal) = written?;
    Ok(Some(RunInfo {
        number,
        references,
        seal,
    }))
}

fn write(
    path: &Path,
    runs: &[Run],
    renumber: &dyn Fn(ReferenceId) -> Option<ReferenceId>,
) -> Result<(u64, Seal), StoreError> {
    let mut writer = RunWriter::create(path)?;
    let mut entries = Vec::new();
    for run in runs {
        for entry in run.entries() {
            let Some(id) = renumber(entry.id) else {
                continue;
            };
            let mut entry = entry.clone();
            entry.id = id;
            entry.audio = copy(run, entry.audio, &mut writer)?;
            entry.video = copy(run, entry.video, &mut writer)?;
            entries.push(entry);
        }
    }
    let seal = writer.finish(&entries, |space, push| {
        let sections = runs
            .iter()
            .map(|run| run.postings(PostingSpace::ALL[space]));
        let mut merged = Merged::new(sections.map(|s| s.cursor()).collect())?;
        while let Some(posting) = merged.next()? {
            if let Some(reference) = renumber(posting.reference) {
                push(Posting {
                    reference,
                    ..posting
                })?;
            }
        }
        Ok(())
    })?;
    Ok((entries.len() as u64, seal))
}

fn copy(
    run: &Run,
    state: StreamState<Span>,
    writer: &mut RunWriter,
) -> Result<StreamState<Span>, StoreError> {
    match state {
        StreamState::Analysed(span) => Ok(StreamState::Analysed(
            writer.fingerprint(run.fingerprint(span)?)?,
        )),
        other => Ok(other),
    }
}

/// Several cursors as one, in order.
struct Merged<'a> {
    cursors: Vec<PostingCursor<'a>>,
    heads: BinaryHeap<Reverse<(Posting, usize)>>,
}

impl<'a> Merged<'a> {
    fn new(mut cursors: Vec<PostingCursor<'a>>) -> Result<Merged<'a>, StoreError> {
        let mut heads = BinaryHeap::with_capacity(cursors.len());
        for (i, cursor) in cursors.iter_mut().enumerate() {
            heads.extend(cursor.next()?.map(|posting| Reverse((posting, i))));
        }
        Ok(Merged { cursors, heads })
    }

    fn next(&mut self) -> Result<Option<Posting>, StoreError> {
        let Some(Reverse((posting, i))) = self.heads.pop() else {
            return Ok(None);
        };
        let next = self.cursors[i].next()?;
        self.heads.extend(next.map(|posting| Reverse((posting, i))));
        Ok(Some(posting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due() {
        let check = |sizes: &[u64], want: Option<Range<usize>>| {
            assert_eq!(due(sizes), want, "{sizes:?}");
        };
        let (small, large) = (1000, 3 << 20);
        check(&[], None);
        check(&[small; 7], None);
        check(&[small; 8], Some(0..8));
        check(&[large, small, small], None);
        check(
            &[
                large, small, small, small, small, small, small, small, small,
            ],
            Some(1..9),
        );
        check(&[large; 8], Some(0..8));
        let mut mixed = vec![1 << 40, large, small];
        mixed.extend([large; 6]);
        mixed.push(small);
        check(&mixed, None);
        mixed.push(large);
        check(&mixed, Some(1..11));
    }

    #[test]
    fn the_number_of_runs_stays_logarithmic() {
        let mut sizes = Vec::new();
        let mut rewritten = 0;
        for _ in 0..10_000u64 {
            sizes.push(300_000);
            while let Some(range) = due(&sizes) {
                let merged = sizes[range.clone()].iter().sum();
                rewritten += merged;
                sizes.splice(range, [merged]);
            }
            assert!(sizes.len() <= 40, "{}", sizes.len());
        }
        assert!(rewritten < 6 * 10_000 * 300_000, "{rewritten}");
    }
}
