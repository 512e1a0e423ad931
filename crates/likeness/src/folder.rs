//! Folders of fingerprint files, in which a batch is spread over machines and brought together:
//! `add` takes such a folder in place of the media, under the same identifiers.

use crate::extract::{ExtractOptions, Progress};
use crate::guard::contain;
use crate::inputs::Input;
use crate::source::{FingerprintError, Source, read_fingerprint};
use likeness_core::{Density, Fingerprint, StreamState};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

/// Begins the names of files that are being written. Files of such names are passed over wherever
/// media are collected.
const UNFINISHED: &str = "._likeness-";

/// A fingerprint in a folder.
#[derive(Debug)]
pub struct Stored {
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub fingerprint: Fingerprint,
    /// Why the rest of the media file is missing, if it is.
    pub truncated: Option<String>,
    /// Whether it was there already.
    pub was_there: bool,
}

/// Why a file's fingerprint is not in a folder. Every message names a file.
#[derive(Debug, Error)]
pub enum StoreFingerprintError {
    /// It could not be fingerprinted.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// It breaks off.
    #[error("{}: {reason}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Something that is no fingerprint has its place.
    #[error("{}: is no fingerprint and is not overwritten", path.display())]
    Occupied {
        /// What is there.
        path: PathBuf,
    },
    /// The fingerprint could not be written.
    #[error("{}: {source}", path.display())]
    Unwritable {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StoreFingerprintError {
    /// A stable word for records and programs.
    pub fn code(&self) -> &'static str {
        match self {
            StoreFingerprintError::Fingerprint(error) => error.code(),
            StoreFingerprintError::Truncated { .. } => "truncated",
            StoreFingerprintError::Occupied { .. } => "occupied",
            StoreFingerprintError::Unwritable { .. } => "unwritable",
        }
    }
}

/// Makes a file's dense fingerprint. What breaks off is an error unless `allow_truncated`.
///
/// # Errors
/// The file cannot be fingerprinted, or breaks off.
pub fn fingerprint_whole(
    input: &Input,
    options: &ExtractOptions,
    allow_truncated: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Fingerprint, Option<String>), StoreFingerprintError> {
    let path = || input.path.clone();
    let extracted =
        contain(|| Source::open(&input.path)?.fingerprint(Density::Query, options, progress));
    let extracted = extracted.unwrap_or_else(|| Err(FingerprintError::Fault { path: path() }))?;
    match extracted.truncated {
        Some(reason) if !allow_truncated => Err(StoreFingerprintError::Truncated {
            path: path(),
            reason,
        }),
        truncated => Ok((extracted.fingerprint, truncated)),
    }
}

/// Writes a file's dense fingerprint into `folder`, under the file's identifier, whole or not at
/// all. One of the same content that is there already is kept, so that a batch may be taken up
/// again.
///
/// # Errors
/// The file cannot be fingerprinted or breaks off, or the fingerprint cannot be written.
pub fn store_fingerprint(
    input: &Input,
    folder: &Path,
    options: &ExtractOptions,
    allow_truncated: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Stored, StoreFingerprintError> {
    let path = place(folder, &input.identifier);
    if let Some(fingerprint) = there(&path, input, options)? {
        return Ok(Stored {
            path,
            fingerprint,
            truncated: None,
            was_there: true,
        });
    }
    let (fingerprint, truncated) = fingerprint_whole(input, options, allow_truncated, progress)?;
    let folder = path.parent().unwrap_or(folder);
    let made = fs::create_dir_all(folder);
    if let Err(source) = made.and_then(|()| write_whole(&path, &fingerprint.encode())) {
        return Err(StoreFingerprintError::Unwritable { path, source });
    }
    Ok(Stored {
        path,
        fingerprint,
        truncated,
        was_there: false,
    })
}

/// An identifier's file. Whatever it says, the file lies in the folder.
fn place(folder: &Path, identifier: &str) -> PathBuf {
    let parts = Path::new(identifier).components();
    let inside = parts.filter(|part| matches!(part, Component::Normal(_)));
    folder.join(inside.collect::<PathBuf>())
}

/// The fingerprint that is there already, if it is of this content and lacks nothing.
fn there(
    path: &Path,
    input: &Input,
    options: &ExtractOptions,
) -> Result<Option<Fingerprint>, StoreFingerprintError> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(None);
    }
    let found = match read_fingerprint(path) {
        Ok(Some(found)) => found,
        Ok(None) => {
            return Err(StoreFingerprintError::Occupied {
                path: path.to_owned(),
            });
        }
        // Damaged, or of another version of the extractors: made again.
        Err(FingerprintError::Fingerprint { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let lacks = options.audio && matches!(found.audio, StreamState::Skipped)
        || options.video && matches!(found.video, StreamState::Skipped);
    let same = found.content == Source::open(&input.path)?.content()?;
    Ok((same && !lacks && found.density == Density::Query).then_some(found))
}

/// Writes a file so that it is there whole, or as it was before. What is there and is no file, such as a
/// pipe, is written to.
///
/// # Errors
/// It cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if path.exists() && !path.is_file() {
        return fs::write(path, bytes);
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        // As any new file's: other users may gather what this one made.
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let check = |identifier: &str, want: &str| {
            assert_eq!(place(Path::new("out"), identifier), Path::new(want));
        };
        check("a/b.mp3", "out/a/b.mp3");
        check("/etc/passwd", "out/etc/passwd");
        check("../../x", "out/x");
    }
}
