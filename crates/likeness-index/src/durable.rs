//! File operations whose effect survives a crash, with errors that name the path.

use crate::store::StoreError;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

pub(crate) fn io_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn damaged(path: &Path, reason: impl ToString) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// A new file; what an interrupted writer may have left under the name is replaced.
pub(crate) fn create(path: &Path) -> Result<File, StoreError> {
    remove(path)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|e| io_error(path, e))
}

/// Removes a file if it exists. Readers that have it mapped keep it.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io_error(path, e)),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|e| io_error(path, e))
}

/// Writes `bytes` to `path` so that after a crash either the old or the new content is there.
pub(crate) fn replace(path: &Path, temporary: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = create(temporary)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| io_error(temporary, e))?;
    fs::rename(temporary, path).map_err(|e| io_error(path, e))?;
    match path.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}
