//! The writer's lock: an operating system's file lock, which ends with its process, however it
//! ends. The file's content only tells others who holds it.

use crate::durable::{io_error, open, open_file};
use crate::error::LibraryError;
use fs4::{FileExt, TryLockError};
use rustix::fs::OFlags;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Most bytes of a lock file that are read.
const MOST: u64 = 4096;

/// Held by the one writer of a library.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
    path: PathBuf,
    /// Locked as well, where the system can: then nobody gets in who removes the lock's file.
    _directory: Option<File>,
}

/// Who holds a library's lock, as far as the lock tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process's number, on its machine.
    pub process: u32,
    /// The machine's name.
    pub machine: Option<String>,
    /// The program's name.
    pub program: Option<String>,
    /// When it took the lock, seconds since 1970 (UTC).
    pub since: Option<u64>,
}

impl Holder {
    /// This process, now.
    pub fn own() -> Holder {
        let machine = fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(Path::file_name);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Holder {
            process: std::process::id(),
            machine: machine.map(|name| name.trim().to_owned()),
            program: program.map(|name| name.to_string_lossy().into_owned()),
            since: now.ok().map(|now| now.as_secs()),
        }
    }

    /// The lock file's lines: the process, the time, the machine and the program. Older programs
    /// wrote the first alone.
    pub fn encode(&self) -> String {
        let (machine, program) = (self.machine.as_deref(), self.program.as_deref());
        format!(
            "{}\n{}\n{}\n{}\n",
            self.process,
            self.since
                .map_or_else(String::new, |since| since.to_string()),
            machine.unwrap_or_default(),
            program.unwrap_or_default()
        )
    }

    /// Reads what [`Holder::encode`] wrote.
    pub fn decode(text: &str) -> Option<Holder> {
        let mut lines = text.lines().map(str::trim);
        let process = lines.next()?.parse().ok()?;
        let mut next = || lines.next().filter(|line| !line.is_empty());
        Some(Holder {
            process,
            since: next().and_then(|line| line.parse().ok()),
            machine: next().map(str::to_owned),
            program: next().map(str::to_owned),
        })
    }

    fn read(path: &Path) -> Option<Holder> {
        let text = read_start(&open(path).ok()?).ok()?;
        Holder::decode(&String::from_utf8_lossy(&text))
    }
}

fn read_start(file: &File) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}

/// "likeness (process 12 on studio, for 40 s)".
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.as_deref().unwrap_or("another program");
        write!(f, "{program} (process {}", self.process)?;
        if let Some(machine) = &self.machine {
            write!(f, " on {machine}")?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let held = now.zip(self.since);
        if let Some(held) = held.and_then(|(now, since)| now.as_secs().checked_sub(since)) {
            write!(f, ", for {held} s")?;
        }
        write!(f, ")")
    }
}

impl WriterLock {
    /// Takes the lock or tells who holds it.
    pub(crate) fn take(library: &Path) -> Result<WriterLock, LibraryError> {
        let path = library.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        // What a link leads to is not ours to write to.
        let mut file =
            open_file(&path, &mut options, OFlags::NOFOLLOW).map_err(|e| io_error(&path, e))?;
        let taken = || LibraryError::Locked {
            path: library.to_owned(),
            holder: Holder::read(&path),
        };
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken()),
            Err(TryLockError::Error(e)) => return Err(io_error(&path, e).into()),
        }
        let directory = File::open(library).map_err(|e| io_error(library, e))?;
        let directory = match FileExt::try_lock(&directory) {
            Ok(()) => Some(directory),
            Err(TryLockError::WouldBlock) => return Err(taken()),
            // Some network file systems lock no directories.
            Err(TryLockError::Error(_)) => None,
        };
        // This is for others' messages only: the lock holds without it, on a full disk too. What a lock
        // does not say is somebody else's, linked here.
        let said = read_start(&file).unwrap_or_default();
        if said.is_empty() || Holder::decode(&String::from_utf8_lossy(&said)).is_some() {
            let _ = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(Holder::own().encode().as_bytes()));
        }
        let lock = WriterLock {
            file,
            path,
            _directory: directory,
        };
        lock.check()?;
        Ok(lock)
    }

    /// Whether the lock still keeps others out: it does not once its file was removed, or the library
    /// lies elsewhere.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn check(&self) -> Result<(), LibraryError> {
        let identity = |file: fs::Metadata| (file.dev(), file.ino());
        let own = self.file.metadata().ok().map(identity);
        let there = fs::symlink_metadata(&self.path).ok().map(identity);
        match own.is_some() && own == there {
            true => Ok(()),
            false => Err(LibraryError::LockLost {
                path: self.path.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::pipe;

    #[test]
    fn the_second_writer_is_told_who_holds_it() {
        let library = tempfile::tempdir().unwrap();
        let first = WriterLock::take(library.path()).unwrap();
        match WriterLock::take(library.path()) {
            Err(error @ LibraryError::Locked { .. }) => {
                let told = error.to_string();
                let own = Holder::own();
                assert!(told.contains(&own.process.to_string()), "{told}");
                assert!(told.contains(&own.program.unwrap()), "{told}");
                assert!(told.contains(&own.machine.unwrap()), "{told}");
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        WriterLock::take(library.path()).unwrap();
    }

    #[test]
    fn a_lock_that_is_no_longer_there_is_noticed() {
        let check = |change: &dyn Fn(&Path), want: bool| {
            let folder = tempfile::tempdir().unwrap();
            let library = folder.path().join("library");
            fs::create_dir(&library).unwrap();
            let lock = WriterLock::take(&library).unwrap();
            change(&library);
            assert_eq!(lock.check().is_ok(), want);
        };
        let remove = |library: &Path| fs::remove_file(library.join("lock")).unwrap();
        check(&|_| {}, true);
        check(&remove, false);
        check(
            &|library| {
                remove(library);
                let other = WriterLock::take(library);
                assert!(matches!(other, Err(LibraryError::Locked { .. })));
            },
            false,
        );
        check(
            &|library| fs::rename(library, library.with_extension("moved")).unwrap(),
            false,
        );
    }

    #[test]
    fn a_link_or_a_pipe_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, lock) = (folder.path().join("victim"), folder.path().join("lock"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &lock).unwrap();
        WriterLock::take(folder.path()).unwrap_err();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::remove_file(&lock).unwrap();
        fs::hard_link(&victim, &lock).unwrap();
        WriterLock::take(folder.path()).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::remove_file(&lock).unwrap();
        pipe(&lock);
        let told = WriterLock::take(folder.path()).unwrap_err().to_string();
        assert!(told.contains("not a regular file"), "{told}");
    }

    #[test]
    fn what_a_lock_file_says_is_read_as_far_as_it_goes() {
        let own = Holder::own();
        assert_eq!(Holder::decode(&own.encode()), Some(own));
        let bare = |process| Holder {
            process,
            machine: None,
            program: None,
            since: None,
        };
        assert_eq!(Holder::decode("17"), Some(bare(17)));
        assert_eq!(Holder::decode("17\nsoon\n\n\n"), Some(bare(17)));
        for odd in ["", "me", "-1", "99999999999"] {
            assert_eq!(Holder::decode(odd), None);
        }
    }
}
