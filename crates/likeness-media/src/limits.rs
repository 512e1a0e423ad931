//! What a hostile file may cost, and how decoding is done.

use crate::MediaError;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bounds on what one file may cost. Exceeding one is an error, never a panic or a full disk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Longest stream, seconds. Default: 24 hours.
    pub max_duration_s: f64,
    /// Pixels of the largest picture. Default: 8192 x 8192.
    pub max_pixels: u64,
    /// Most frames of a film. Default: 24 hours of 240 a second.
    pub max_frames: u64,
    /// Longest hole in the time stamps that is believed, seconds: sound is filled with silence,
    /// pictures stand still. A longer one is taken for a broken clock and closed. Default: 600.
    pub max_gap_s: f64,
    /// Longest time that decoding one stream may take, the sink's own time not counted.
    /// Default: 6 hours.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_duration_s: 24.0 * 3600.0,
            max_pixels: 8192 * 8192,
            max_frames: 24 * 3600 * 240,
            max_gap_s: 600.0,
            timeout: Duration::from_secs(6 * 3600),
        }
    }
}

impl Limits {
    pub(crate) fn check_pixels(
        &self,
        path: &Path,
        width: u64,
        height: u64,
    ) -> Result<(), MediaError> {
        if width.saturating_mul(height) <= self.max_pixels {
            return Ok(());
        }
        let allowed = self.max_pixels;
        let what =
            format!("a picture of {width} x {height} pixels, where {allowed} pixels are allowed");
        Err(MediaError::limit(path, what))
    }

    pub(crate) fn check_frames(&self, path: &Path, frames: u64) -> Result<(), MediaError> {
        if frames <= self.max_frames {
            return Ok(());
        }
        let what = format!("more than the {} frames that are allowed", self.max_frames);
        Err(MediaError::limit(path, what))
    }

    pub(crate) fn check_duration(&self, path: &Path, seconds: f64) -> Result<(), MediaError> {
        if seconds <= self.max_duration_s {
            return Ok(());
        }
        let allowed = self.max_duration_s;
        let what = format!("{seconds:.0} s long, where {allowed:.0} s are allowed");
        Err(MediaError::limit(path, what))
    }
}

/// Which decoder reads the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// Symphonia for WAV, FLAC and MP3, FFmpeg for all else.
    #[default]
    Auto,
    /// FFmpeg.
    Ffmpeg,
    /// Symphonia; a file that it does not read is an error.
    Symphonia,
}

/// What a video decoder may leave undone, to be faster than a player is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shortcut {
    /// Every frame, as it is meant to be shown.
    #[default]
    None,
    /// Frames that no other frame refers to are not smoothed (H.264, HEVC, VP8: no loop filter);
    /// nothing that follows from them differs.
    RoughLeaves,
    /// No frame is smoothed; errors add up from one key frame to the next.
    Rough,
    /// Frames that no other frame refers to are left out.
    FewerFrames,
    /// Frames that no other frame refers to are left out, the others are not smoothed.
    FewerRough,
}

impl Shortcut {
    /// The names and values of FFmpeg's options.
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Shortcut::None => &[],
            Shortcut::RoughLeaves => &[("skip_loop_filter", "noref")],
            Shortcut::Rough => &[("skip_loop_filter", "all")],
            Shortcut::FewerFrames => &[("skip_frame", "noref")],
            Shortcut::FewerRough => &[("skip_frame", "noref"), ("skip_loop_filter", "all")],
        }
    }
}

/// How a file is decoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecodeOptions {
    /// What the file may cost.
    pub limits: Limits,
    /// Which decoder reads the sound.
    pub backend: Backend,
    /// Threads of the video decoder; 0 takes one for each core. The frames do not depend on it.
    /// Default: 1, since files are decoded side by side.
    pub threads: usize,
    /// What the video decoder may leave undone.
    pub shortcut: Shortcut,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        DecodeOptions {
            limits: Limits::default(),
            backend: Backend::Auto,
            threads: 1,
            shortcut: Shortcut::None,
        }
    }
}

impl From<Limits> for DecodeOptions {
    fn from(limits: Limits) -> Self {
        DecodeOptions {
            limits,
            ..DecodeOptions::default()
        }
    }
}

/// Time that decoding has taken, the sink's time left out. Shared with FFmpeg's interrupt call.
pub(crate) struct Watch {
    started: Instant,
    limit: Duration,
    in_sink: AtomicU64,
}

impl Watch {
    pub(crate) fn new(limit: Duration) -> Watch {
        Watch {
            started: Instant::now(),
            limit,
            in_sink: AtomicU64::new(0),
        }
    }

    pub(crate) fn expired(&self) -> bool {
        let in_sink = Duration::from_nanos(self.in_sink.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(in_sink) > self.limit
    }

    pub(crate) fn check(&self, path: &Path) -> Result<(), MediaError> {
        match self.expired() {
            true => Err(self.error(path)),
            false => Ok(()),
        }
    }

    pub(crate) fn error(&self, path: &Path) -> MediaError {
        MediaError::Timeout {
            path: path.to_path_buf(),
            seconds: self.limit.as_secs_f64(),
        }
    }

    /// Runs the sink and leaves its time out.
    pub(crate) fn pause<T>(&self, sink: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = sink();
        self.in_sink
            .fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        result
    }
}
