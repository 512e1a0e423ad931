//! The libraries that the service has, by name.

use crate::clerk::Clerk;
use crate::refusal;
use likeness::{Library, LibraryError, LibraryWriter};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tonic::{Code, Status};

/// All libraries.
pub(crate) struct Shelf {
    libraries: BTreeMap<String, Arc<Held>>,
    default: String,
}

/// One library: its newest state for readers, its clerk for changes.
pub(crate) struct Held {
    pub(crate) name: String,
    directory: PathBuf,
    current: Mutex<(Option<Stamp>, Arc<Library>)>,
    pub(crate) clerk: Clerk,
}

/// Tells one state of a library from another, without reading it: every change is a new manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

impl Stamp {
    fn of(library: &Path) -> Option<Stamp> {
        let manifest = std::fs::metadata(library.join("manifest")).ok()?;
        Some(Stamp {
            inode: manifest.ino(),
            modified: (manifest.mtime(), manifest.mtime_nsec()),
            size: manifest.len(),
        })
    }
}

impl Shelf {
    /// Opens and checks the libraries; creates those that are missing.
    pub(crate) fn open(
        directories: &BTreeMap<String, PathBuf>,
        queue: usize,
        retry: Duration,
    ) -> Result<Shelf, LibraryError> {
        let mut libraries = BTreeMap::new();
        for (name, directory) in directories {
            let held = Held::open(name, directory, queue, retry)?;
            libraries.insert(name.clone(), Arc::new(held));
        }
        let first = libraries.keys().next().cloned().unwrap_or_default();
        let default = match libraries.contains_key("default") {
            true => "default".to_owned(),
            false => first,
        };
        Ok(Shelf { libraries, default })
    }

    /// The library of a name; the default one for an empty name.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Held>, Status> {
        let wanted = match name {
            "" => &self.default,
            name => name,
        };
        self.libraries.get(wanted).cloned().ok_or_else(|| {
            let message = format!("there is no library {wanted:?}");
            refusal::refuse(Code::NotFound, "no_library", message)
        })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.libraries.keys()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Held>> {
        self.libraries.values()
    }
}

impl Held {
    fn open(
        name: &str,
        directory: &Path,
        queue: usize,
        retry: Duration,
    ) -> Result<Held, LibraryError> {
        let stamp = Stamp::of(directory);
        let library = match Library::open(directory) {
            Err(LibraryError::Missing { .. }) => {
                // The lock of a writer that creates it meanwhile is no reason to fail.
                match LibraryWriter::open_or_create(directory) {
                    Ok(_) | Err(LibraryError::Locked { .. }) => Library::open(directory)?,
                    Err(error) => return Err(error),
                }
            }
            other => other?,
        };
        Ok(Held {
            name: name.to_owned(),
            directory: directory.to_owned(),
            current: Mutex::new((stamp, Arc::new(library))),
            clerk: Clerk::new(directory.to_owned(), queue, retry),
        })
    }

    /// The newest state, whoever made it. Blocks for as long as opening takes, when it is new.
    pub(crate) fn newest(&self) -> Result<Arc<Library>, LibraryError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.directory);
        if stamp.is_none() || current.0 != stamp {
            let library = Library::browse(&self.directory)?;
            *current = (stamp, Arc::new(library));
        }
        Ok(current.1.clone())
    }

    /// Does work with the newest state, away from the threads that serve the network.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Library) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let held = self.clone();
        let worked = tokio::task::spawn_blocking(move || Ok(work(&*held.newest()?)));
        match worked.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(refusal::library(&error, Duration::from_secs(1))),
            Err(panic) => Err(refusal::internal(panic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_libraries() {
        let root = tempfile::tempdir().unwrap();
        let shelf = |names: &[&str]| {
            let directories = names.iter().map(|n| (n.to_string(), root.path().join(n)));
            Shelf::open(&directories.collect(), 1, Duration::ZERO).unwrap()
        };
        let check = |names: &[&str], asked: &str, want: Option<&str>| {
            let held = shelf(names).get(asked);
            assert_eq!(held.ok().map(|h| h.name.clone()).as_deref(), want);
        };
        check(&["b", "a"], "", Some("a"));
        check(&["a", "default"], "", Some("default"));
        check(&["b", "a"], "b", Some("b"));
        check(&["b", "a"], "c", None);
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("diary.txt"), b"x").unwrap();
        let directories = BTreeMap::from([("d".to_owned(), root.path().to_owned())]);
        assert!(Shelf::open(&directories, 1, Duration::ZERO).is_err());
    }
}
