//! Made-up references whose every detail follows from their number.

// Each test program uses a part of this; a failure here is a failed test.
#![allow(dead_code, clippy::unwrap_used)]

use likeness_core::audio::{AudioFingerprint, Grid, Peak};
use likeness_core::{
    ContentHash, Density, Fingerprint, Posting, PostingSpace, ReferenceId, StreamState,
};
use likeness_index::{Extractors, NewReference, Snapshot, Store};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) const EXTRACTORS: Extractors = Extractors { audio: 1, video: 2 };

/// Terms of made-up postings lie below this.
pub(crate) const TERMS: u64 = 50;

pub(crate) fn content(seed: u32) -> ContentHash {
    *blake3::hash(&seed.to_le_bytes()).as_bytes()
}

pub(crate) fn fingerprint(seed: u32) -> Fingerprint {
    let peaks = |count: u32| {
        let peak = |i| Peak {
            time: i * 7 + seed,
            frequency: (seed.wrapping_mul(31) + i) as u16 % 1000,
            strength: 3,
            sparse: true,
        };
        (0..count).map(peak).collect()
    };
    Fingerprint {
        content: content(seed),
        duration: f64::from(seed),
        density: Density::Reference,
        audio: StreamState::Analysed(AudioFingerprint {
            duration: f64::from(seed),
            density: Density::Reference,
            onsets: peaks(300),
            partials: peaks(seed % 5),
            grid: Grid::new(54, 64, Density::Reference, []),
        }),
        video: StreamState::Absent,
    }
}

pub(crate) fn postings(seed: u32) -> Vec<Posting> {
    let posting = |i: u32| Posting {
        term: u64::from(seed.wrapping_mul(17) ^ i) % TERMS,
        reference: ReferenceId(0),
        time: i,
        payload: u64::from(seed),
    };
    (0..400).map(posting).collect()
}

pub(crate) fn reference(identifier: &str, seed: u32) -> NewReference {
    NewReference {
        identifier: identifier.to_owned(),
        fingerprint: fingerprint(seed),
        postings: [postings(seed), Vec::new(), Vec::new()],
        added: u64::from(seed),
    }
}

/// Makes a named pipe.
pub(crate) fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
}

/// Asserts that a library holds exactly what a map from identifiers to seeds says.
pub(crate) fn assert_holds(library: &Path, model: &BTreeMap<String, u32>) {
    let snapshot = Snapshot::open(library, &EXTRACTORS).unwrap();
    snapshot.check_all().unwrap();
    assert_snapshot_holds(&snapshot, model);
}

pub(crate) fn assert_snapshot_holds(snapshot: &Snapshot, model: &BTreeMap<String, u32>) {
    let mut seen = BTreeMap::new();
    let mut seeds = BTreeMap::new();
    for entry in snapshot.entries() {
        let seed = entry.added as u32;
        assert_eq!(seen.insert(entry.identifier.clone(), seed), None);
        seeds.insert(entry.id, seed);
        assert_eq!(entry.content, content(seed));
        let audio = snapshot.audio(entry.id).unwrap();
        assert_eq!(audio.as_deref(), fingerprint(seed).audio.analysed());
        assert_eq!(snapshot.video(entry.id).unwrap(), None);
    }
    assert_eq!(&seen, model);
    let terms: Vec<u64> = (0..TERMS).collect();
    let mut found: Vec<Posting> = Vec::new();
    let mut take = |i: usize, p: Posting| {
        assert_eq!(terms[i], p.term);
        found.push(p);
    };
    let space = PostingSpace::AudioLandmark;
    snapshot.postings(space, 0, &terms, &mut take).unwrap();
    found.sort_unstable();
    let own = |(&id, &seed): (&ReferenceId, &u32)| {
        let postings = postings(seed).into_iter();
        postings.map(move |p| Posting { reference: id, ..p })
    };
    let mut want: Vec<Posting> = seeds.iter().flat_map(own).collect();
    want.sort_unstable();
    assert!(
        found == want,
        "{} postings, not {}",
        found.len(),
        want.len()
    );
}
