//! Why a library could not be opened or changed.

use crate::lock::Holder;
use crate::store::StoreError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a library could not be opened or changed. Every message names the path.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// Nothing lies at the path, or an empty directory, or what a writer that was killed left
    /// before its first state.
    #[error("{}: there is no library here", path.display())]
    Missing {
        /// The library.
        path: PathBuf,
    },
    /// The path is a file.
    #[error("{}: a library is a directory, and this is a file", path.display())]
    NotADirectory {
        /// The library.
        path: PathBuf,
    },
    /// A directory with something else in it.
    #[error("{}: this directory is not a likeness library (it has no manifest)", path.display())]
    NotALibrary {
        /// The library.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error(
        "{}: library format {found} is newer than this program reads ({supported}); \
         use a newer likeness",
        path.display()
    )]
    NewerVersion {
        /// The manifest.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version that this program reads.
        supported: u32,
    },
    /// Its fingerprints were made with other settings and cannot be compared with this program's.
    #[error(
        "{}: made by another {media} extractor; build the library again from the media",
        path.display()
    )]
    OtherExtractor {
        /// The library.
        path: PathBuf,
        /// `audio` or `video`.
        media: &'static str,
    },
    /// Another writer holds the library.
    #[error("{}: {} is writing to this library; try again when it is done", path.display(), holder_name(holder.as_ref()))]
    Locked {
        /// The library.
        path: PathBuf,
        /// Who holds the lock, where it is known.
        holder: Option<Holder>,
    },
    /// The lock's file was removed or replaced, or the library moved, while this writer held it:
    /// another may be writing. Nothing more is written.
    #[error(
        "{}: the lock was removed, or the library moved, while it was written to; open it again",
        path.display()
    )]
    LockLost {
        /// The lock.
        path: PathBuf,
    },
    /// No more references can be numbered.
    #[error("{}: the library is full", path.display())]
    Full {
        /// The library.
        path: PathBuf,
    },
    /// What a directory can do and this place cannot.
    #[error("{}: cannot {what} here; only a library in a directory can", path.display())]
    Unsupported {
        /// The place.
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
    },
    /// An earlier commit failed half way, so that this writer no longer knows what is on disk.
    #[error("{}: an earlier write failed; open the library again", path.display())]
    Abandoned {
        /// The library.
        path: PathBuf,
    },
    /// A file could not be read or written, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn holder_name(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => holder.to_string(),
        None => "another process".to_owned(),
    }
}
