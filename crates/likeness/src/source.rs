//! A file to fingerprint: media, or a fingerprint that was made elsewhere.

use crate::extract::{self, ExtractOptions, Extracted, Progress};
use likeness_core::{ContentHash, Density, Fingerprint, StreamState, WireError};
use likeness_media::{Limits, MediaError, MediaInfo};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Largest fingerprint file that is read, bytes: far more than a day of the densest kind.
const MAX_FINGERPRINT_BYTES: u64 = 1 << 30;

/// Why a file has no fingerprint. Every message names the file.
#[derive(Debug, Error)]
pub enum FingerprintError {
    /// The file cannot be read or decoded.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A fingerprint file that is damaged, or was made by other versions of the extractors.
    #[error("{}: {source}", path.display())]
    Fingerprint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WireError,
    },
    /// A fingerprint file too large to be one.
    #[error("{}: larger than any fingerprint", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file brought out a fault of this program.
    #[error("{}: brings out a fault in likeness, please report it", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
    },
    /// A fingerprint that was thinned out for a library and cannot be looked up.
    #[error("{}: a library's sparse fingerprint cannot be looked up", path.display())]
    Sparse {
        /// The file.
        path: PathBuf,
    },
}

impl FingerprintError {
    /// A stable word for reports and programs.
    pub fn code(&self) -> &'static str {
        match self {
            FingerprintError::Media(error) => error.code(),
            FingerprintError::Fingerprint { source, .. } => match source {
                WireError::NewerVersion { .. } => "newer_version",
                WireError::OtherExtractor(_) => "other_extractor",
                _ => "damaged",
            },
            FingerprintError::TooLarge { .. } => "limit",
            FingerprintError::Fault { .. } => "internal",
            FingerprintError::Sparse { .. } => "sparse_fingerprint",
        }
    }
}

/// A file that was recognised as something to fingerprint.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    kind: Kind,
    /// Once it is known: reading a film twice takes its time.
    content: Option<ContentHash>,
}

#[derive(Debug)]
enum Kind {
    Media(MediaInfo),
    Fingerprint(Box<Fingerprint>),
}

impl Source {
    /// Looks at a file.
    ///
    /// # Errors
    /// No such file, no media in it, a damaged fingerprint file.
    pub fn open(path: &Path) -> Result<Source, FingerprintError> {
        Source::open_within(path, &Limits::default())
    }

    /// As [`Source::open`], by other limits than the usual ones.
    ///
    /// # Errors
    /// As of [`Source::open`].
    pub fn open_within(path: &Path, limits: &Limits) -> Result<Source, FingerprintError> {
        let kind = match read_fingerprint(path)? {
            Some(fingerprint) => Kind::Fingerprint(Box::new(fingerprint)),
            None => Kind::Media(likeness_media::probe_within(path, limits)?),
        };
        Ok(Source {
            path: path.to_owned(),
            kind,
            content: None,
        })
    }

    /// Seconds of media, if the file tells.
    pub fn duration(&self) -> Option<f64> {
        match &self.kind {
            Kind::Media(info) => info.duration,
            Kind::Fingerprint(fingerprint) => Some(fingerprint.duration),
        }
    }

    /// Whether it is a picture without time.
    pub fn is_still(&self) -> bool {
        matches!(&self.kind, Kind::Media(info) if info.still_image && info.audio.is_none())
    }

    /// Hash of the media file's bytes; a fingerprint file remembers it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn content(&mut self) -> Result<ContentHash, FingerprintError> {
        let content = match (&self.kind, self.content) {
            (_, Some(known)) => known,
            (Kind::Media(_), None) => hash_file(&self.path)?,
            (Kind::Fingerprint(fingerprint), None) => fingerprint.content,
        };
        self.content = Some(content);
        Ok(content)
    }

    /// Makes the fingerprint.
    ///
    /// # Errors
    /// Nothing could be decoded, or a sparse fingerprint is asked to be dense.
    pub fn fingerprint(
        mut self,
        density: Density,
        options: &ExtractOptions,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Extracted, FingerprintError> {
        let content = self.content()?;
        match self.kind {
            Kind::Fingerprint(fingerprint) => ready(*fingerprint, &self.path, density, options),
            Kind::Media(info) => {
                extract::media(&self.path, content, &info, density, options, progress)
            }
        }
    }
}

/// A fingerprint that was made elsewhere, as this call wants it.
fn ready(
    mut fingerprint: Fingerprint,
    path: &Path,
    density: Density,
    options: &ExtractOptions,
) -> Result<Extracted, FingerprintError> {
    match density {
        Density::Reference => fingerprint = fingerprint.to_reference(),
        Density::Query if fingerprint.density == Density::Query => {}
        Density::Query => {
            let path = path.to_owned();
            return Err(FingerprintError::Sparse { path });
        }
    }
    if !options.audio {
        fingerprint.audio = StreamState::Skipped;
    }
    if !options.video {
        fingerprint.video = StreamState::Skipped;
    }
    Ok(Extracted {
        fingerprint,
        truncated: None,
    })
}

/// The fingerprint in a file, if it is a fingerprint file.
pub(crate) fn read_fingerprint(path: &Path) -> Result<Option<Fingerprint>, FingerprintError> {
    // A directory or device must not be opened for reading; the decoder names such things.
    if !path.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(|e| unreadable(path, e))?;
    let mut bytes = Vec::new();
    let start = likeness_core::fingerprint::MAGIC.len() as u64;
    let mut read = |limit| {
        (&mut file)
            .take(limit)
            .read_to_end(&mut bytes)
            .map(|_| (bytes.len() as u64, Fingerprint::recognise(&bytes)))
            .map_err(|e| unreadable(path, e))
    };
    if !read(start)?.1 {
        return Ok(None);
    }
    if read(MAX_FINGERPRINT_BYTES)?.0 > MAX_FINGERPRINT_BYTES {
        let path = path.to_owned();
        return Err(FingerprintError::TooLarge { path });
    }
    match Fingerprint::decode(&bytes) {
        Ok(fingerprint) => Ok(Some(fingerprint)),
        Err(source) => Err(FingerprintError::Fingerprint {
            path: path.to_owned(),
            source,
        }),
    }
}

/// BLAKE3 of a file's bytes. Not by a memory map: someone may truncate the file meanwhile.
pub(crate) fn hash_file(path: &Path) -> Result<ContentHash, FingerprintError> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    hasher
        .update_reader(file)
        .map_err(|e| unreadable(path, e))?;
    Ok(hasher.finalize().into())
}

fn unreadable(path: &Path, source: std::io::Error) -> MediaError {
    MediaError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
