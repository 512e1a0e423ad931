//! Why a file cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file, or a stream of it, cannot be decoded. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// There is no such file.
    #[error("{}: no such file", .path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file may not be read, or reading it failed.
    #[error("{}: cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A directory, socket, pipe or device.
    #[error("{}: is {kind}, not a file", .path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// The file has no bytes.
    #[error("{}: the file is empty", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// No known media format.
    #[error("{}: not audio, video or a picture: {reason}", .path.display())]
    NotMedia {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// A known format whose header or index is missing or broken, so that nothing can be decoded.
    #[error("{}: damaged or incomplete {format} file: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The format that its first bytes announce.
        format: &'static str,
        /// What the demuxer says.
        reason: String,
    },
    /// Sound was asked for and there is none.
    #[error("{}: has no audio stream", .path.display())]
    NoAudio {
        /// The file.
        path: PathBuf,
    },
    /// Pictures were asked for and there are none (cover art does not count).
    #[error("{}: has no video stream", .path.display())]
    NoVideo {
        /// The file.
        path: PathBuf,
    },
    /// A stream is declared and holds nothing.
    #[error("{}: the {stream} stream has zero length", .path.display())]
    ZeroLength {
        /// The file.
        path: PathBuf,
        /// `"audio"` or `"video"`.
        stream: &'static str,
    },
    /// The file exceeds one of the [`Limits`](crate::Limits).
    #[error("{}: over the limit: {what}", .path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// What is too large, and how large it may be.
        what: String,
    },
    /// Decoding took longer than [`Limits::timeout`](crate::Limits::timeout).
    #[error("{}: decoding took longer than {seconds} s", .path.display())]
    Timeout {
        /// The file.
        path: PathBuf,
        /// The limit.
        seconds: f64,
    },
    /// The stream holds data of which nothing could be decoded.
    #[error("{}: the {stream} stream cannot be decoded: {reason}", .path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// `"audio"`, `"video"` or `"picture"`.
        stream: &'static str,
        /// What the decoder says.
        reason: String,
    },
}

impl MediaError {
    /// A stable word for reports and programs.
    pub fn code(&self) -> &'static str {
        match self {
            MediaError::NotFound { .. } => "not_found",
            MediaError::Unreadable { .. } => "unreadable",
            MediaError::NotAFile { .. } => "not_a_file",
            MediaError::Empty { .. } => "empty",
            MediaError::NotMedia { .. } => "not_media",
            MediaError::Damaged { .. } => "damaged",
            MediaError::NoAudio { .. } => "no_audio",
            MediaError::NoVideo { .. } => "no_video",
            MediaError::ZeroLength { .. } => "zero_length",
            MediaError::Limit { .. } => "limit",
            MediaError::Timeout { .. } => "timeout",
            MediaError::Undecodable { .. } => "undecodable",
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> MediaError {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => MediaError::NotFound { path },
            _ => MediaError::Unreadable { path, source },
        }
    }

    pub(crate) fn limit(path: &Path, what: impl Into<String>) -> MediaError {
        MediaError::Limit {
            path: path.to_path_buf(),
            what: what.into(),
        }
    }

    pub(crate) fn undecodable(
        path: &Path,
        stream: &'static str,
        reason: impl ToString,
    ) -> MediaError {
        MediaError::Undecodable {
            path: path.to_path_buf(),
            stream,
            reason: reason.to_string(),
        }
    }
}
