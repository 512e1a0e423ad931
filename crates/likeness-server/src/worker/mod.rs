//! Decoding in a process of its own: strangers' files meet FFmpeg only there.
//!
//! The service runs its own program once more, as a fork server ([`forkserver`]): a process of one
//! thread that has everything loaded and never reads an upload. For each file it forks a worker,
//! which costs a few milliseconds where starting a program that links FFmpeg takes fifty. A worker has
//! the upload as standard input; it gives up what it does not need ([`confine`]), makes the
//! fingerprint, writes an [`Answer`] and the fingerprint to standard output, and ends. One worker
//! serves one file, so that nothing of one upload can reach another. A live stream has a worker for as
//! long as it lasts ([`follower`]), which reads a pipe and writes a fingerprint after every hop.

mod child;
mod confine;
mod follower;
mod forkserver;
mod parent;

pub use child::become_worker_if_asked;
pub(crate) use follower::{Feed, Looks};
pub(crate) use parent::{Decoded, Failure, Workers};

use likeness::core::Density;
use serde::{Deserialize, Serialize};

/// The argument that makes a program a fork server; its standard input is the socket that tasks
/// come in by.
const FORK_SERVER: &str = "--fork-decode-workers";

/// Longest task, bytes.
const MAX_TASK: usize = 16 << 10;

/// What a worker is to do, and what it may cost. Comes to the fork server with four files: what
/// the worker reads and writes, and the service's line to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// A program to run in place of decoding, if it is not empty.
    pub(crate) command: Vec<String>,
    /// Dense, for a query; else sparse, for a reference.
    pub(crate) dense: bool,
    pub(crate) audio: bool,
    pub(crate) video: bool,
    /// Bytes of address space.
    pub(crate) memory: u64,
    /// Seconds of processor time.
    pub(crate) cpu_s: u64,
    /// Seconds on the clock.
    pub(crate) wall_s: f64,
    /// Longest stream, seconds.
    pub(crate) media_s: f64,
    /// Largest picture.
    pub(crate) pixels: u64,
    /// Most frames of a film.
    pub(crate) frames: u64,
    /// Fail where the kernel cannot confine.
    pub(crate) require_sandbox: bool,
    /// What comes is no file but a stream, to be looked at again and again.
    pub(crate) live: Option<LiveTask>,
}

/// How a stream is looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct LiveTask {
    /// Seconds that a look covers.
    pub(crate) window_s: f64,
    /// Seconds from one look to the next.
    pub(crate) hop_s: f64,
}

impl Task {
    fn density(&self) -> Density {
        match self.dense {
            true => Density::Query,
            false => Density::Reference,
        }
    }
}

/// A line of a worker's output. After `Done` follows the fingerprint's encoding and nothing else;
/// after `Look` so many bytes of one, and another line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done { truncated: Option<String> },
    Failed { code: String, message: String },
    Look { start: f64, bytes: u64 },
    Ended,
}
