//! File operations whose effect survives a crash, with errors that name the path.

use crate::store::StoreError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
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

/// A step that changes the disk, which tests may let fail.
fn step<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    crate::faults::step()?;
    work()
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct NewFile(File);

impl NewFile {
    /// A new file; what an interrupted writer may have left under the name is replaced.
    pub(crate) fn create(path: &Path) -> Result<NewFile, StoreError> {
        remove(path)?;
        let open = || OpenOptions::new().write(true).create_new(true).open(path);
        step(open).map(NewFile).map_err(|e| io_error(path, e))
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        step(|| self.0.sync_all())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        step(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a directory and those above it.
pub(crate) fn create_directory(path: &Path) -> Result<(), StoreError> {
    step(|| fs::create_dir_all(path)).map_err(|e| io_error(path, e))
}

/// Removes a file if it exists. Readers that have it mapped keep it.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match step(|| fs::remove_file(path)) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io_error(path, e)),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let sync = || File::open(path).and_then(|directory| directory.sync_all());
    step(sync).map_err(|e| io_error(path, e))
}

/// Writes `bytes` to `path` so that after a crash either the old or the new content is there.
pub(crate) fn replace(path: &Path, temporary: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = NewFile::create(temporary)?;
    file.write_all(bytes)
        .and_then(|()| file.sync())
        .map_err(|e| io_error(temporary, e))?;
    step(|| fs::rename(temporary, path)).map_err(|e| io_error(path, e))?;
    match path.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}
