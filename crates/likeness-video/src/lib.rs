//! Luma frames to video fingerprint: keyframes with keypoints, thumbnails on a fixed grid of time.
//!
//! Keypoints find where and how a reference is shown (any crop, scale, turn or flip); thumbnails
//! prove it and fix the time.

mod corners;
mod descriptor;
mod extractor;
#[doc(hidden)]
pub mod kernels;
mod keypoints;
pub mod luma;
pub mod motion;
mod pyramid;
mod resample;
mod stillest;
pub mod words;

pub use descriptor::{mirrored, mirrored_angle};
pub use extractor::VideoExtractor;
pub use likeness_core::video::{ANGLE_STEPS, Descriptor, VideoConfig};
pub use motion::MotionCurve;
pub use words::postings;
