//! PCM to audio fingerprint.
//!
//! Samples become a log-frequency spectrogram ([`spectrum`]), the spectrogram two surfaces that
//! bring out what survives filters, codecs and noise ([`surfaces`]), the surfaces peaks
//! ([`peaks`]), and peaks triplets whose shape does not change with speed or pitch
//! ([`triplets`]), which a library is asked for with some tolerance ([`probes`]). A coarse spectrum ([`grid`]) is kept for the final comparison.

pub mod config;
mod extractor;
mod grid;
mod peaks;
pub mod probes;
mod spectrum;
mod surfaces;
pub mod triplets;

pub use config::{AudioConfig, Reach};
pub use extractor::AudioExtractor;
pub use triplets::postings;
