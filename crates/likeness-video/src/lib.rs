//! Luma frames to video fingerprint: keyframes with keypoints, thumbnails on a fixed grid of time.
//!
//! Keypoints find where and how a reference is shown (any crop, scale, turn or flip); thumbnails
//! prove it and fix the time.

mod config;
mod corners;
mod descriptor;
mod extractor;
mod keypoints;
pub mod luma;
mod pyramid;
pub mod words;

pub use config::VideoConfig;
pub use descriptor::{ANGLE_STEPS, Descriptor, mirrored, mirrored_angle};
pub use extractor::VideoExtractor;
pub use words::postings;
