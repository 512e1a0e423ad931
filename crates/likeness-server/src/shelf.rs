//! The libraries that the service has, by name.

use crate::clerk::Clerk;
use crate::refusal;
use likeness::{Library, LibraryError, LibraryWriter, Place, Stamp};
use std::collections::BTreeMap;
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
    place: Arc<dyn Place>,
    current: Mutex<(Option<Stamp>, Arc<Library>)>,
    pub(crate) clerk: Clerk,
}

impl Shelf {
    /// Opens and checks the libraries; creates those that are missing.
    pub(crate) fn open(
        places: &BTreeMap<String, Arc<dyn Place>>,
        queue: usize,
        retry: Duration,
    ) -> Result<Shelf, LibraryError> {
        let mut libraries = BTreeMap::new();
        for (name, place) in places {
            let held = Held::open(name, place.clone(), queue, retry)?;
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
        place: Arc<dyn Place>,
        queue: usize,
        retry: Duration,
    ) -> Result<Held, LibraryError> {
        let stamp = place.stamp();
        let library = match Library::open_at(&*place) {
            Err(LibraryError::Missing { .. }) => {
                // The lock of a writer that creates it meanwhile is no reason to fail.
                match LibraryWriter::open_at(&*place, true) {
                    Ok(_) | Err(LibraryError::Locked { .. }) => Library::open_at(&*place)?,
                    Err(error) => return Err(error),
                }
            }
            other => other?,
        };
        Ok(Held {
            name: name.to_owned(),
            clerk: Clerk::new(place.clone(), queue, retry),
            place,
            current: Mutex::new((stamp, Arc::new(library))),
        })
    }

    /// The newest state, whoever made it. Blocks for as long as opening takes, when it is new.
    pub(crate) fn newest(&self) -> Result<Arc<Library>, LibraryError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.place.stamp();
        if stamp.is_none() || current.0 != stamp {
            let library = Library::browse_at(&*self.place)?;
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
    use std::path::Path;

    fn at(directory: &Path) -> Arc<dyn Place> {
        Arc::new(likeness::Directory(directory.to_owned()))
    }

    #[test]
    fn names_lead_to_libraries() {
        let root = tempfile::tempdir().unwrap();
        let shelf = |names: &[&str]| {
            let places = names
                .iter()
                .map(|n| (n.to_string(), at(&root.path().join(n))));
            Shelf::open(&places.collect(), 1, Duration::ZERO).unwrap()
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
        let places = BTreeMap::from([("d".to_owned(), at(root.path()))]);
        assert!(Shelf::open(&places, 1, Duration::ZERO).is_err());
    }
}
