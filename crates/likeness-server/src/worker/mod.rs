//! Decoding in a process of its own: strangers' files meet FFmpeg only there.
//!
//! The service runs its own program again, with the upload as standard input and a [`Task`] as
//! the only argument. The worker gives up what it does not need ([`confine`]), makes the
//! fingerprint and writes an [`Answer`] and the fingerprint to standard output. One worker serves
//! one file, so that nothing of one upload can reach another.

mod child;
mod confine;
mod parent;

pub use child::become_worker_if_asked;
pub(crate) use parent::{Decoded, Failure, decode};

use likeness::core::Density;
use serde::{Deserialize, Serialize};

/// The argument that makes a program a worker.
const WORKER: &str = "--decode-worker";

/// What a worker is to do, and what it may cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
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
    /// Fail where the kernel cannot confine.
    pub(crate) require_sandbox: bool,
}

impl Task {
    fn density(&self) -> Density {
        match self.dense {
            true => Density::Query,
            false => Density::Reference,
        }
    }
}

/// The first line of a worker's output; after `Done` follows the fingerprint's encoding.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done { truncated: Option<String> },
    Failed { code: String, message: String },
}
