//! Types, units and fingerprint encodings shared by every crate of likeness.
//! No IO, no threads, no FFmpeg.
//!
//! Conventions, everywhere: time in seconds as `f64`; *speed* is reference seconds per query
//! second (1.05: the query plays 5 % faster), so reference time =
//! `reference_start + (query time - query_start) * speed`; *pitch* in semitones, positive when
//! the query sounds higher; rectangles are fractions of the picture with the origin at the top
//! left.

pub mod audio;
pub mod fingerprint;
pub mod frame;
pub mod geometry;
pub mod pcm;
pub mod posting;
pub mod report;
pub mod stretches;
pub mod text;
pub mod video;
pub mod wire;

pub use audio::AudioFingerprint;
pub use fingerprint::{ContentHash, Density, Fingerprint, MAX_SECONDS, StreamState};
pub use frame::LumaFrame;
pub use geometry::Rect;
pub use pcm::PcmBlock;
pub use posting::{Posting, PostingSpace, ReferenceId};
pub use stretches::Stretches;
pub use video::VideoFingerprint;
pub use wire::{Reader, WireError, Writer};
