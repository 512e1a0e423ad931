//! Libraries as earlier programs wrote them, one of each version of the format since the first
//! release, in `tests/golden`. They are opened and changed like any other, for ever.
//!
//! A new version gets one more: `cargo test -p likeness-index --test golden -- --ignored`.

// Helpers outside of test functions fail by panicking, too.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use likeness_core::{Posting, PostingSpace, Stretches};
use likeness_index::{FORMAT_VERSION, IndexWriter, Snapshot, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The first version that a program after the first release may meet.
const FIRST: u32 = 3;

fn golden(version: u32) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    golden.join(format!("v{version}"))
}

/// From which version on a stretch of `d` is excluded.
const WITH_EXCLUSIONS: u32 = 4;

/// Two runs, one of them merged, with a removed, a replaced and a partly excluded reference.
fn write(library: &Path) {
    let mut writer = IndexWriter::open_or_create(library, &EXTRACTORS).unwrap();
    writer
        .commit(vec![reference("a", 1), reference("dir/ü", 2)])
        .unwrap();
    writer.commit(vec![reference("a", 3)]).unwrap();
    writer.compact().unwrap();
    writer
        .commit(vec![reference("c", 4), reference("d", 5)])
        .unwrap();
    writer.remove(&["c"]).unwrap();
    assert!(writer.exclude("d", excluded()).unwrap());
}

fn excluded() -> Stretches {
    let mut stretches = Stretches::default();
    stretches.insert(1.5, 4.25);
    stretches.insert(10.0, 12.0);
    stretches
}

fn model() -> BTreeMap<String, u32> {
    let pairs = [("a", 3), ("dir/ü", 2), ("d", 5)];
    pairs.map(|(name, seed)| (name.to_owned(), seed)).into()
}

/// Catalogue and postings; what the extractors' bytes mean changes with the extractors.
fn assert_reads(library: &Path, model: &BTreeMap<String, u32>) {
    let snapshot = Snapshot::open(library, &EXTRACTORS).unwrap();
    snapshot.check_all().unwrap();
    let entries = snapshot.entries();
    let found: BTreeMap<String, u32> = entries
        .map(|e| (e.identifier.clone(), e.added as u32))
        .collect();
    assert_eq!(&found, model);
    for entry in snapshot.entries() {
        assert_eq!(entry.content, content(entry.added as u32));
        assert!(entry.audio().analysed().is_some_and(|bytes| *bytes > 500));
    }
    let terms: Vec<u64> = (0..TERMS).collect();
    let mut found: Vec<Posting> = Vec::new();
    let mut take = |_: usize, posting: Posting| found.push(posting);
    snapshot
        .postings(PostingSpace::AudioLandmark, 0, &terms, &mut take)
        .unwrap();
    found.sort_unstable();
    let mut want: Vec<Posting> = Vec::new();
    for entry in snapshot.entries() {
        let reference = entry.id;
        let own = postings(entry.added as u32).into_iter();
        want.extend(own.map(|posting| Posting {
            reference,
            ..posting
        }));
    }
    want.sort_unstable();
    assert!(found == want);
}

#[test]
fn every_version_can_be_read_and_changed() {
    for version in FIRST..=FORMAT_VERSION {
        assert_reads(&golden(version), &model());
        let snapshot = Snapshot::open(&golden(version), &EXTRACTORS).unwrap();
        let d = snapshot.entries().find(|e| e.identifier == "d").unwrap();
        assert_eq!(snapshot.format_version(), version);
        let want = (version >= WITH_EXCLUSIONS).then(excluded);
        assert_eq!(snapshot.excluded(d.id), want.as_ref());
        let root = tempfile::tempdir().unwrap();
        let library = root.path().join("library");
        fs::create_dir_all(library.join("runs")).unwrap();
        for file in ["manifest", "runs/00000002.run", "runs/00000003.run"] {
            fs::copy(golden(version).join(file), library.join(file)).unwrap();
        }
        let mut writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
        writer.commit(vec![reference("new", 6)]).unwrap();
        writer.remove(&["d"]).unwrap();
        let mut changed = model();
        changed.insert("new".to_owned(), 6);
        changed.remove("d");
        assert_reads(&library, &changed);
        writer.compact().unwrap();
        assert_reads(&library, &changed);
    }
}

#[test]
#[ignore = "makes the golden library of a new version"]
fn make() {
    let library = golden(FORMAT_VERSION);
    assert!(
        !library.exists(),
        "{} is never made again",
        library.display()
    );
    write(&library);
    fs::remove_file(library.join("lock")).unwrap();
}
