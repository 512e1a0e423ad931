//! File operations whose effect survives a crash, with errors that name the path.

use crate::store::StoreError;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
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

/// Opens a file, as `options` say. What is there and is none is an error: whoever opens a pipe waits
/// for its other end.
pub(crate) fn open_file(path: &Path, options: &mut OpenOptions, flags: OFlags) -> io::Result<File> {
    let flags = (flags | OFlags::NONBLOCK).bits().cast_signed();
    let file = options.custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("is not a regular file")),
    }
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_file(path, OpenOptions::new().read(true), OFlags::empty())
}

/// Reads a file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(io::Error::other(format!("has more than {most} bytes"))),
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

/// Makes a directory and those above it, durably.
pub(crate) fn create_directory(path: &Path) -> Result<(), StoreError> {
    let missing = path.ancestors().take_while(|above| !above.exists());
    let holders: Vec<&Path> = missing.filter_map(Path::parent).collect();
    step(|| fs::create_dir_all(path)).map_err(|e| io_error(path, e))?;
    holders.into_iter().try_for_each(sync_directory)
}

/// Removes a file if it exists. Readers that have it mapped keep it.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match step(|| fs::remove_file(path)) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io_error(path, e)),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable; of an empty path, those in the working directory.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
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
