//! The writer's lock: an operating system's file lock, which ends with its process, however it
//! ends. The file's content only tells others who holds it.

use crate::durable::io_error;
use crate::error::LibraryError;
use fs4::{FileExt, TryLockError};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::path::Path;

/// Held by the one writer of a library.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock or tells who holds it.
    pub(crate) fn take(library: &Path) -> Result<WriterLock, LibraryError> {
        let path = library.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| io_error(&path, e))?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LibraryError::Locked {
                    path: library.to_owned(),
                    holder: holder(&path),
                });
            }
            Err(TryLockError::Error(e)) => return Err(io_error(&path, e).into()),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(|e| io_error(&path, e))?;
        Ok(WriterLock { _file: file })
    }
}

fn holder(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_holds_it() {
        let library = tempfile::tempdir().unwrap();
        let first = WriterLock::take(library.path()).unwrap();
        match WriterLock::take(library.path()) {
            Err(LibraryError::Locked { holder, .. }) => {
                assert_eq!(holder, Some(std::process::id()));
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        WriterLock::take(library.path()).unwrap();
    }
}
