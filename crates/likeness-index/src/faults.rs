//! Faults for tests: makes the n-th step that changes the disk fail, as a full or broken disk
//! would.

use std::cell::Cell;
use std::io;

thread_local! {
    /// Steps until one fails; none does when it is `None`.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs `work` with its `n`-th step failing, counted from 0. Whether it came so far.
pub(crate) fn with_fault_at<T>(n: u64, work: impl FnOnce() -> T) -> (T, bool) {
    LEFT.set(Some(n));
    let result = work();
    let fired = LEFT.replace(None).is_none();
    (result, fired)
}

/// Every step asks whether it fails.
pub(crate) fn step() -> io::Result<()> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => {
            LEFT.set(None);
            Err(io::ErrorKind::StorageFull.into())
        }
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}

mod tests {
    use super::with_fault_at;
    use crate::common::{EXTRACTORS, assert_holds, reference};
    use crate::{IndexWriter, LibraryError, Snapshot, verify};
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    type Model = BTreeMap<String, u32>;

    /// A library of several runs, some of whose references are dead.
    fn base(library: &Path) -> Model {
        let mut writer = IndexWriter::open_or_create(library, &EXTRACTORS).unwrap();
        let mut model = Model::new();
        for seed in 0..9 {
            let name = format!("{}", seed % 7);
            writer.commit(vec![reference(&name, seed)]).unwrap();
            model.insert(name, seed);
        }
        model
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to.join("runs")).unwrap();
        for name in ["manifest", "lock"] {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
        for run in fs::read_dir(from.join("runs")).unwrap() {
            let run = run.unwrap();
            fs::copy(run.path(), to.join("runs").join(run.file_name())).unwrap();
        }
    }

    fn holds(library: &Path, model: &Model) -> bool {
        let snapshot = Snapshot::open(library, &EXTRACTORS).unwrap();
        let entries = snapshot.entries();
        let found: Model = entries
            .map(|e| (e.identifier.clone(), e.added as u32))
            .collect();
        found == *model
    }

    /// Makes every step of `change` fail in turn. What is on disk must then be the state before
    /// or the state after, sound and ready for the next writer; and the error must name a file.
    fn check(
        change: &dyn Fn(&mut IndexWriter) -> Result<(), LibraryError>,
        after: &dyn Fn(&mut Model),
    ) {
        let root = tempfile::tempdir().unwrap();
        let start = root.path().join("start");
        let before = base(&start);
        let mut then = before.clone();
        after(&mut then);
        for n in 0.. {
            let library = root.path().join(n.to_string());
            copy(&start, &library);
            let mut writer = IndexWriter::open(&library, &EXTRACTORS).unwrap();
            let (result, fired) = with_fault_at(n, || change(&mut writer));
            if !fired {
                result.unwrap();
                assert_holds(&library, &then);
                assert!(n > 2, "{n} steps");
                return;
            }
            let done = holds(&library, &then);
            let runs = || fs::read_dir(library.join("runs")).unwrap().count();
            let files = || verify(&library).unwrap().len();
            match result {
                Err(error) => assert!(
                    error.to_string().contains(library.to_str().unwrap()),
                    "step {n}: {error}"
                ),
                // The one failure that may be passed over: an old run stayed, after all was done.
                Ok(()) => assert!(done && runs() + 1 > files(), "step {n}"),
            }
            assert_holds(&library, if done { &then } else { &before });
            assert!(
                verify(&library)
                    .unwrap()
                    .iter()
                    .all(|check| check.error.is_none())
            );
            // The same writer either goes on or says that it cannot.
            match change(&mut writer) {
                Ok(()) => assert_holds(&library, &then),
                Err(error) => assert!(matches!(error, LibraryError::Abandoned { .. }), "{error}"),
            }
            drop(writer);
            change(&mut IndexWriter::open(&library, &EXTRACTORS).unwrap()).unwrap();
            assert_holds(&library, &then);
            assert_eq!(runs() + 1, files(), "nothing is left behind");
            fs::remove_dir_all(&library).unwrap();
        }
    }

    #[test]
    fn adding_survives_every_fault() {
        let new = || vec![reference("new", 50), reference("3", 51)];
        check(&|writer| writer.commit(new()).map(drop), &|model| {
            model.insert("new".to_owned(), 50);
            model.insert("3".to_owned(), 51);
        });
    }

    #[test]
    fn removing_survives_every_fault() {
        check(&|writer| writer.remove(&["2", "5"]).map(drop), &|model| {
            model.remove("2");
            model.remove("5");
        });
    }

    #[test]
    fn merging_runs_survives_every_fault() {
        check(&|writer| writer.tidy(), &|_| {});
        check(&|writer| writer.compact(), &|_| {});
    }

    #[test]
    fn importing_survives_every_fault() {
        let root = tempfile::tempdir().unwrap();
        let other = root.path().join("other");
        let mut writer = IndexWriter::open_or_create(&other, &EXTRACTORS).unwrap();
        writer
            .commit(vec![reference("x", 70), reference("4", 71)])
            .unwrap();
        writer.commit(vec![reference("y", 72)]).unwrap();
        let other = Snapshot::open(&other, &EXTRACTORS).unwrap();
        let wanted = |entry: &crate::Entry| entry.identifier != "y";
        check(
            &|writer| writer.import(&other, &wanted).map(drop),
            &|model| {
                model.insert("x".to_owned(), 70);
                model.insert("4".to_owned(), 71);
            },
        );
    }

    #[test]
    fn creating_survives_every_fault() {
        let root = tempfile::tempdir().unwrap();
        for n in 0.. {
            let library = root.path().join(n.to_string());
            let create = || IndexWriter::open_or_create(&library, &EXTRACTORS).map(drop);
            let (result, fired) = with_fault_at(n, create);
            if !fired {
                result.unwrap();
                break;
            }
            // The name of the library itself is made durable in the directory above it.
            let error = result.unwrap_err().to_string();
            assert!(
                error.contains(root.path().to_str().unwrap()),
                "step {n}: {error}"
            );
            // Another attempt finds nothing in its way.
            create().unwrap();
            assert_holds(&library, &Model::new());
        }
    }
}
