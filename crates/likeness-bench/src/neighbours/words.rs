//! What production does, asked the same question: postings under a few words of each descriptor, on
//! disk, of which those that differ too much in the other bits are dropped.

use super::bits::{Best, pack};
use super::measure::Question;
use anyhow::{Context, Result};
use likeness_core::video::Keypoint;
use likeness_core::{Density, Fingerprint, Posting, PostingSpace, ReferenceId, StreamState};
use likeness_index::{Extractors, IndexWriter, NewReference, SPACES, Snapshot, Store};
use likeness_match::neighbours::Neighbour;
use likeness_match::video::{VideoMatchConfig, scan};
use likeness_video::words;
use tempfile::TempDir;

/// A library of nothing but keypoints, each at a time of its own: its number.
pub(super) struct Words {
    store: Snapshot,
    codes: Vec<u64>,
    config: VideoMatchConfig,
    /// Removes the library at the end.
    _folder: TempDir,
}

impl Words {
    pub(super) fn build(items: &[Keypoint]) -> Result<Words> {
        let folder = tempfile::tempdir().context("no room for a library")?;
        let library = folder.path().join("library");
        let extractors = Extractors { audio: 0, video: 0 };
        let mut writer = IndexWriter::open_or_create(&library, &extractors)?;
        writer.commit(vec![reference(items)])?;
        drop(writer);
        Ok(Words {
            store: Snapshot::open(&library, &extractors)?,
            codes: items.iter().map(|item| pack(item.descriptor)).collect(),
            config: VideoMatchConfig::default(),
            _folder: folder,
        })
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.store.file_bytes()
    }

    /// The neighbours of each of some keypoints, which are looked up at once as a window's are. Ranked by
    /// all bits, which postings do not have: so that what counts is what is found.
    pub(super) fn nearest(
        &self,
        points: &[Keypoint],
        question: Question,
    ) -> Result<Vec<Vec<Neighbour>>> {
        let lists = Lists::new(points, self.config.probes_per_term);
        let mut found: Vec<Vec<u32>> = vec![Vec::new(); points.len()];
        let most = self.config.residual_distance;
        self.store.postings(
            words::SPACE,
            words::WORD_BITS,
            &lists.terms,
            &mut |i, posting| {
                let posting = words::complete(&posting);
                let residual = words::unpack(posting.payload).residual as u32;
                let list = &lists.entries[lists.starts[i]..lists.starts[i + 1]];
                scan::near(list, residual, most, |point, _| {
                    found[point as usize].push(posting.time);
                });
            },
        )?;
        let ranked = |(point, mut items): (&Keypoint, Vec<u32>)| {
            items.sort_unstable();
            items.dedup();
            let own = pack(point.descriptor);
            let mut best = Best::new(question.count, question.radius);
            for item in items {
                best.offer(item, (self.codes[item as usize] ^ own).count_ones());
            }
            best.finish(question.count)
        };
        Ok(points.iter().zip(found).map(ranked).collect())
    }
}

/// A reference that has the items' postings and no fingerprint.
fn reference(items: &[Keypoint]) -> NewReference {
    let posting = |(number, item): (usize, &Keypoint)| {
        let item = *item;
        (0..words::TABLES)
            .map(move |table| words::posting(&item, table, ReferenceId(0), number as u32))
    };
    let mut postings: [Vec<Posting>; SPACES] = Default::default();
    for (space, all) in PostingSpace::ALL.into_iter().zip(&mut postings) {
        if space == words::SPACE {
            *all = items.iter().enumerate().flat_map(posting).collect();
        }
    }
    NewReference {
        identifier: "keypoints".to_owned(),
        fingerprint: Fingerprint {
            content: [0; 32],
            duration: 0.0,
            density: Density::Reference,
            audio: StreamState::Absent,
            video: StreamState::Absent,
        },
        postings,
        added: 0,
    }
}

/// Terms are looked up by their first words, with any of the weak bits flipped.
const ALL: (u32, u32) = (words::WORD_BITS, u32::MAX);

/// The probes of each term, terms ascending.
struct Lists {
    terms: Vec<u64>,
    /// Where each term's entries start, and where the last one's end.
    starts: Vec<usize>,
    entries: Vec<scan::Entry>,
}

impl Lists {
    /// Of more than `most` probes of a term, an even sample is kept.
    fn new(points: &[Keypoint], most: usize) -> Lists {
        let mut probes = Vec::new();
        for (number, point) in points.iter().enumerate() {
            let entry = (words::residual(point.descriptor) as u32, number as u32);
            words::probes(point, false, ALL, |term, _| {
                probes.push((term, number, entry))
            });
        }
        probes.sort_unstable();
        let (mut terms, mut starts, mut entries) = (Vec::new(), vec![0], Vec::new());
        for same in probes.chunk_by(|a, b| a.0 == b.0) {
            let sample = same.iter().step_by(same.len().div_ceil(most));
            entries.extend(sample.map(|(_, _, entry)| *entry));
            terms.push(same[0].0);
            starts.push(entries.len());
        }
        Lists {
            terms,
            starts,
            entries,
        }
    }
}
