//! Decoding real files, made by FFmpeg's command-line program while the tests run.

#![allow(clippy::unwrap_used)]

mod audio;
mod bad_input;
mod formats;
mod support;
mod video;
