//! A library against a plain map, and everything that may lie at its path instead of it.

// Helpers outside of test functions fail by panicking, too.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use likeness_core::{Posting, PostingSpace, Stretches};
use likeness_index::{IndexWriter, LibraryError, MemoryStore, Snapshot, Store, StoreError, verify};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, u32)>),
    Remove(Vec<u8>),
    Tidy,
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec((0u8..20, 0u32..100_000), 1..4).prop_map(Step::Commit),
        2 => proptest::collection::vec(0u8..20, 1..4).prop_map(Step::Remove),
        2 => Just(Step::Tidy),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn name(number: u8) -> String {
    format!("dir/{number}")
}

fn apply(step: &Step, writer: &mut IndexWriter, model: &mut BTreeMap<String, u32>) {
    match step {
        Step::Commit(references) => {
            let new = references
                .iter()
                .map(|&(n, seed)| reference(&name(n), seed));
            writer.commit(new.collect()).unwrap();
            model.extend(references.iter().map(|&(n, seed)| (name(n), seed)));
        }
        Step::Remove(numbers) => {
            let names: Vec<String> = numbers.iter().map(|n| name(*n)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let removed = writer.remove(&names).unwrap();
            assert!(removed.iter().all(|name| model.remove(name).is_some()));
            assert!(names.iter().all(|name| !model.contains_key(*name)));
        }
        Step::Tidy => writer.tidy().unwrap(),
        Step::Compact => writer.compact().unwrap(),
        Step::Reopen => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_library_is_a_map(steps in proptest::collection::vec(step(), 1..25)) {
        let root = tempfile::tempdir().unwrap();
        let library = root.path().join("library");
        let mut model = BTreeMap::new();
        let mut writer = IndexWriter::open_or_create(&library, &EXTRACTORS).unwrap();
        for step in &steps {
            if matches!(step, Step::Reopen) {
                drop(writer);
                writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
            }
            apply(step, &mut writer, &mut model);
            assert_holds(&library, &model);
            for (name, seed) in &model {
                prop_assert_eq!(writer.by_identifier(name).unwrap().content, content(*seed));
                prop_assert!(writer.by_content(&content(*seed)).is_some());
            }
            prop_assert_eq!(writer.len(), model.len());
        }
        prop_assert!(verify(&library).unwrap().iter().all(|check| check.error.is_none()));
        // Nothing is left that no manifest names.
        let files = fs::read_dir(library.join("runs")).unwrap().count();
        prop_assert_eq!(files + 1, verify(&library).unwrap().len());
    }
}

/// A library of three references in two runs, one of them dead.
fn small_library(library: &Path) -> BTreeMap<String, u32> {
    let mut writer = IndexWriter::open_or_create(library, &EXTRACTORS).unwrap();
    writer
        .commit(vec![reference("a", 1), reference("b", 2)])
        .unwrap();
    writer.commit(vec![reference("a", 3)]).unwrap();
    BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 2)])
}

fn files(library: &Path) -> Vec<PathBuf> {
    verify(library)
        .unwrap()
        .into_iter()
        .map(|check| check.path)
        .collect()
}

#[test]
fn every_flipped_byte_is_found_and_its_file_named() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let model = small_library(&library);
    for path in files(&library) {
        let good = fs::read(&path).unwrap();
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1 << (position % 8);
            fs::write(&path, bad).unwrap();
            let open = || -> Result<(), LibraryError> {
                Ok(Snapshot::open(&library, &EXTRACTORS)?.check_all()?)
            };
            let error = open().unwrap_err().to_string();
            assert!(
                error.contains(path.to_str().unwrap()),
                "{position}: {error}"
            );
            match verify(&library) {
                Err(error) => assert!(error.to_string().contains("manifest"), "{error}"),
                Ok(checks) => {
                    let bad: Vec<_> = checks.iter().filter(|c| c.error.is_some()).collect();
                    assert_eq!(bad.len(), 1);
                    assert_eq!(bad[0].path, path);
                }
            }
        }
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            fs::write(&path, &good[..length]).unwrap();
            assert!(Snapshot::open(&library, &EXTRACTORS).is_err());
        }
        fs::write(&path, good).unwrap();
    }
    assert_holds(&library, &model);
}

#[test]
fn what_is_no_library_is_named() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::write(at("file"), b"text").unwrap();
    fs::create_dir(at("photos")).unwrap();
    fs::write(at("photos/1.jpg"), b"jpg").unwrap();
    fs::create_dir(at("empty")).unwrap();
    small_library(&at("newer"));
    let mut manifest = fs::read(at("newer/manifest")).unwrap();
    let newer = likeness_index::FORMAT_VERSION + 1;
    manifest[8..12].copy_from_slice(&newer.to_le_bytes());
    fs::write(at("newer/manifest"), manifest).unwrap();
    small_library(&at("foreign"));
    let other = likeness_index::Extractors {
        audio: 9,
        ..EXTRACTORS
    };

    let read = |name: &str| Snapshot::open(&at(name), &EXTRACTORS).unwrap_err();
    assert!(matches!(read("missing"), LibraryError::Missing { .. }));
    assert!(matches!(read("file"), LibraryError::NotADirectory { .. }));
    assert!(matches!(read("photos"), LibraryError::NotALibrary { .. }));
    assert!(matches!(read("empty"), LibraryError::Missing { .. }));
    assert!(matches!(
        read("newer"),
        LibraryError::NewerVersion { found, .. } if found == newer
    ));
    let error = Snapshot::open(&at("foreign"), &other).unwrap_err();
    assert!(matches!(
        error,
        LibraryError::OtherExtractor { media: "audio", .. }
    ));

    let write = |name: &str| IndexWriter::open_or_create(&at(name), &EXTRACTORS);
    assert!(matches!(
        write("file"),
        Err(LibraryError::NotADirectory { .. })
    ));
    assert!(matches!(
        write("photos"),
        Err(LibraryError::NotALibrary { .. })
    ));
    assert!(matches!(
        write("newer"),
        Err(LibraryError::NewerVersion { .. })
    ));
    assert!(write("empty").is_ok() && write("missing/deep").is_ok());
    assert_eq!(
        fs::read_dir(at("photos")).unwrap().count(),
        1,
        "nothing was left there"
    );
    let error = IndexWriter::open_or_create(&at("foreign"), &other).unwrap_err();
    assert!(matches!(error, LibraryError::OtherExtractor { .. }));
    let error = IndexWriter::open(&at("nowhere"), &EXTRACTORS).unwrap_err();
    assert!(matches!(error, LibraryError::Missing { .. }));
}

#[test]
fn a_missing_run_is_named() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    small_library(&library);
    let run = library.join("runs/00000001.run");
    fs::remove_file(&run).unwrap();
    match Snapshot::open(&library, &EXTRACTORS) {
        Err(LibraryError::Store(StoreError::Io { path, .. })) => assert_eq!(path, run),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let model = small_library(&library);
    let writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
    let error = IndexWriter::open_or_create(&library, &EXTRACTORS).unwrap_err();
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    assert_holds(&library, &model);
    drop(writer);
    IndexWriter::open(&library, &EXTRACTORS).unwrap();
}

#[test]
fn a_snapshot_outlives_the_files_it_reads() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let before = small_library(&library);
    let snapshot = Snapshot::open(&library, &EXTRACTORS).unwrap();
    let mut writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
    writer.commit(vec![reference("c", 4)]).unwrap();
    writer.remove(&["a"]).unwrap();
    writer.compact().unwrap();
    assert_snapshot_holds(&snapshot, &before);
    assert_eq!(files(&library).len(), 2);
    assert_holds(
        &library,
        &BTreeMap::from([("b".to_owned(), 2), ("c".to_owned(), 4)]),
    );
    writer.remove(&["b", "c", "unknown"]).unwrap();
    writer.compact().unwrap();
    assert_eq!(files(&library).len(), 1);
    assert_holds(&library, &BTreeMap::new());
}

#[test]
fn readers_see_whole_states_while_a_writer_commits() {
    const COMMITS: u32 = 1000;
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let mut writer = IndexWriter::open_or_create(&library, &EXTRACTORS).unwrap();
    std::thread::scope(|scope| {
        let commits = scope.spawn(|| {
            for n in 0..COMMITS {
                // One name is always there, always with its newest content and one neighbour's.
                writer
                    .commit(vec![reference("left", n), reference("right", n)])
                    .unwrap();
                writer.tidy().unwrap();
            }
        });
        let mut states = 0;
        while !commits.is_finished() {
            let snapshot = Snapshot::open(&library, &EXTRACTORS).unwrap();
            let mut newest = snapshot.entries().map(|entry| entry.added as u32);
            if let Some(n) = newest.next() {
                let pair = BTreeMap::from([("left".to_owned(), n), ("right".to_owned(), n)]);
                assert_snapshot_holds(&snapshot, &pair);
                states += 1;
            }
        }
        assert!(states > 10, "{states}");
    });
}

#[test]
fn a_library_and_a_store_in_memory_agree() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let mut writer = IndexWriter::open_or_create(&library, &EXTRACTORS).unwrap();
    let mut memory = MemoryStore::default();
    for seed in 0..20 {
        writer
            .commit(vec![reference(&seed.to_string(), seed)])
            .unwrap();
        memory.add(fingerprint(seed), [postings(seed), Vec::new(), Vec::new()]);
    }
    let disk = Snapshot::open(&library, &EXTRACTORS).unwrap();
    assert_eq!(disk.references(), memory.references());
    for (free, terms) in [
        (0, vec![]),
        (0, vec![0, 7, 8, 49, 1000]),
        (0, (0..TERMS).collect()),
        (3, vec![0, 1, 5, 1000]),
    ] {
        let look_up = |store: &dyn Store| {
            let mut found: Vec<Vec<Posting>> = vec![Vec::new(); terms.len()];
            let space = PostingSpace::AudioLandmark;
            store
                .postings(space, free, &terms, &mut |i, p| found[i].push(p))
                .unwrap();
            // Of several terms, those of one run come after those of the one before.
            if free > 0 {
                found.iter_mut().for_each(|found| found.sort());
            }
            found
        };
        // Per whole term, even the order is the same.
        assert_eq!(look_up(&disk), look_up(&memory));
    }
}

fn stretches(start: f64, end: f64) -> Stretches {
    let mut stretches = Stretches::default();
    stretches.insert(start, end);
    stretches
}

#[test]
fn exclusions_last_as_long_as_their_content() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let model = small_library(&library);
    let excluded = |name: &str| {
        let snapshot = Snapshot::open(&library, &EXTRACTORS).unwrap();
        let entry = snapshot.entries().find(|e| e.identifier == name).unwrap();
        snapshot.excluded(entry.id).cloned()
    };
    let open = || IndexWriter::open(&library, &EXTRACTORS).unwrap();
    let mut writer = open();
    assert!(!writer.exclude("unknown", stretches(1.0, 2.0)).unwrap());
    assert!(writer.exclude("a", stretches(1.0, 2.0)).unwrap());
    assert!(writer.exclude("b", stretches(0.0, 0.5)).unwrap());
    assert_eq!(excluded("a"), Some(stretches(1.0, 2.0)));
    drop(writer);
    assert_holds(&library, &model);

    // Merging keeps them, and so does adding the same content again.
    let mut writer = open();
    writer.compact().unwrap();
    assert_eq!(excluded("a"), Some(stretches(1.0, 2.0)));
    writer.commit(vec![reference("a", 3)]).unwrap();
    assert_eq!(excluded("a"), Some(stretches(1.0, 2.0)));
    // Other content under the name, a removal, and taking them back end them.
    writer.commit(vec![reference("a", 9)]).unwrap();
    assert_eq!(excluded("a"), None);
    writer.remove(&["b"]).unwrap();
    writer.commit(vec![reference("b", 2)]).unwrap();
    assert_eq!(excluded("b"), None);
    writer.exclude("b", stretches(0.0, 0.5)).unwrap();
    writer.exclude("b", Stretches::default()).unwrap();
    assert_eq!(excluded("b"), None);
    assert!(verify(&library).unwrap().iter().all(|c| c.error.is_none()));
}

#[test]
fn runs_without_a_manifest_are_never_written_over() {
    let check = |runs: &[&str], want: bool| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        fs::create_dir_all(library.join("runs")).unwrap();
        for run in runs {
            fs::write(library.join("runs").join(run), "precious").unwrap();
        }
        let opened = IndexWriter::open_or_create(&library, &EXTRACTORS);
        match want {
            true => assert!(opened.is_ok(), "{runs:?}"),
            false => assert!(
                matches!(opened, Err(LibraryError::NotALibrary { .. })),
                "{runs:?}"
            ),
        }
        for run in runs {
            let kept = fs::read(library.join("runs").join(run)).unwrap();
            assert_eq!(kept, b"precious", "{run}");
        }
    };
    check(&[], true);
    check(&["00000000.run"], false);
    check(&["experiment.run"], false);
}
