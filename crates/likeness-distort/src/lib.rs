//! Seeded synthetic distortions of audio and video with known ground truth.
//!
//! A [`Recipe`] is a sequence of steps with strengths, written in TOML. [`render`] cuts an excerpt
//! out of a source, applies the steps in order, encodes the result and returns the [`Truth`]: which
//! stretch of the query shows which stretch of the source, how fast, at which pitch, in which
//! rectangles. The truth is computed from the recipe alone; the tests of this crate check it against
//! markers found in the samples and pixels of the rendered files.
//!
//! Same inputs, recipe and seed give the same file on the same version of FFmpeg.

mod audio;
mod encode;
mod error;
mod graph;
mod image_source;
mod mix;
mod random;
mod recipe;
mod render;
mod truth;
mod video;

pub use error::DistortError;
pub use graph::ffmpeg_version;
pub use image_source::{Generated, render_generated};
pub use random::Random;
pub use recipe::{AudioCodec, AudioStep, Background, Encoding, Recipe, Side, VideoStep};
pub use render::{Job, Materials, render};
pub use truth::{Placement, Truth};
