//! Libraries that others put their hands into: pipes, links, files too large, locks that go, damage.

#![allow(clippy::unwrap_used)]

mod common;

use common::{EXTRACTORS, assert_holds, assert_snapshot_holds, pipe, reference};
use likeness_index::{IndexWriter, LibraryError, Snapshot, verify};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A library with a run for each of "a", "b" and "c".
fn library() -> (TempDir, PathBuf, BTreeMap<String, u32>) {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let mut writer = IndexWriter::open_or_create(&library, &EXTRACTORS).unwrap();
    let mut model = BTreeMap::new();
    for (seed, name) in ["a", "b", "c"].into_iter().enumerate() {
        writer.commit(vec![reference(name, seed as u32)]).unwrap();
        model.insert(name.to_owned(), seed as u32);
    }
    (root, library, model)
}

#[test]
fn what_stands_in_a_files_place_is_named_and_nobody_waits_for_it() {
    let check = |name: &str, put: &dyn Fn(&Path), reason: &str| {
        let (_root, library, _) = library();
        let path = library.join(name);
        fs::remove_file(&path).unwrap();
        put(&path);
        let error = Snapshot::open(&library, &EXTRACTORS).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(path.to_str().unwrap()), "{told}");
        assert!(told.contains(reason), "{told}");
    };
    check("manifest", &pipe, "regular file");
    check("runs/00000001.run", &pipe, "regular file");
    let directory = |path: &Path| fs::create_dir(path).unwrap();
    check("manifest", &directory, "regular file");
    let huge = |path: &Path| File::create(path).unwrap().set_len(1 << 40).unwrap();
    check("manifest", &huge, "has more than");
}

#[test]
fn a_link_that_leads_nowhere_is_no_place_for_a_library() {
    let root = tempfile::tempdir().unwrap();
    let link = root.path().join("link");
    std::os::unix::fs::symlink(root.path().join("gone"), &link).unwrap();
    let error = IndexWriter::open_or_create(&link, &EXTRACTORS).unwrap_err();
    assert!(error.to_string().contains("leads nowhere"), "{error}");
}

#[test]
fn what_cannot_be_cleared_away_stops_no_writer() {
    let (_root, library, mut model) = library();
    // Directories are not unlinked. One has the next run's number.
    for name in ["00000003.run", "99999999.run"] {
        fs::create_dir(library.join("runs").join(name)).unwrap();
    }
    fs::write(library.join("runs/training.run"), "not ours").unwrap();
    let mut writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
    writer.commit(vec![reference("d", 9)]).unwrap();
    model.insert("d".to_owned(), 9);
    writer.compact().unwrap();
    assert_holds(&library, &model);
    assert!(library.join("runs/training.run").exists());
}

#[test]
fn a_library_whose_empty_directory_was_not_copied_is_written_to() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    drop(IndexWriter::open_or_create(&library, &EXTRACTORS).unwrap());
    fs::remove_dir(library.join("runs")).unwrap();
    let mut writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
    writer.commit(vec![reference("a", 1)]).unwrap();
    assert_holds(&library, &BTreeMap::from([("a".to_owned(), 1)]));
}

/// The writer must change nothing once `change` is done, whatever it is told to do.
fn check_lost(change: &dyn Fn(&Path)) {
    let (_root, library, model) = library();
    let mut writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
    change(&library);
    let lost = |result: Result<(), LibraryError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, LibraryError::LockLost { .. }), "{error}");
    };
    lost(writer.commit(vec![reference("d", 9)]).map(drop));
    lost(writer.remove(&["a"]).map(drop));
    lost(writer.compact());
    let kept = match library.exists() {
        true => library,
        false => library.with_extension("moved"),
    };
    assert_holds(&kept, &model);
}

#[test]
fn a_writer_whose_lock_is_gone_stops() {
    check_lost(&|library| fs::remove_file(library.join("lock")).unwrap());
    check_lost(&|library| fs::rename(library, library.with_extension("moved")).unwrap());
}

#[test]
fn what_is_sound_of_a_damaged_library_can_be_had() {
    let (root, library, mut model) = library();
    let run = library.join("runs/00000001.run");
    let mut bytes = fs::read(&run).unwrap();
    bytes[100] ^= 1;
    fs::write(&run, bytes).unwrap();
    let damage = verify(&library).unwrap();
    assert_eq!(damage.iter().filter(|c| c.error.is_some()).count(), 1);

    let (sound, lost) = Snapshot::salvage(&library, &EXTRACTORS).unwrap();
    assert_eq!((lost.len(), lost[0].references), (1, 1));
    let told = lost[0].error.to_string();
    assert!(told.contains(run.to_str().unwrap()), "{told}");
    model.remove("b");
    assert_snapshot_holds(&sound, &model);

    let new = root.path().join("new");
    let mut writer = IndexWriter::open_or_create(&new, &EXTRACTORS).unwrap();
    assert_eq!(writer.import(&sound, &|_| true).unwrap(), 2);
    assert_holds(&new, &model);
}
