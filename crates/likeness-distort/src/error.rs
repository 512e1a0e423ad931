//! What can go wrong while a query is made.

use std::path::PathBuf;
use thiserror::Error;

/// A query that could not be made.
#[derive(Debug, Error)]
pub enum DistortError {
    /// FFmpeg refused a step; `what` names the filter graph or the stage.
    #[error("{what}: {source}")]
    Ffmpeg {
        /// The stage that failed.
        what: String,
        /// FFmpeg's reason.
        source: ffmpeg_next::Error,
    },
    /// This FFmpeg was built without something that the recipe needs.
    #[error("this FFmpeg has no {0}")]
    Missing(String),
    /// The source holds no sound or picture where the excerpt should be.
    #[error("{}: nothing between {start:.2} s and {end:.2} s", path.display())]
    Empty {
        /// The source.
        path: PathBuf,
        /// Start of the excerpt, seconds.
        start: f64,
        /// End of the excerpt, seconds.
        end: f64,
    },
    /// A step mixes in material that the caller did not give.
    #[error("the recipe needs {0}, and none was given")]
    NoMaterial(&'static str),
    /// Steps that leave nothing of the source's picture.
    #[error("the recipe cuts the copy out of the picture")]
    CutAway,
    /// A step's number is outside its range.
    #[error("{step}: {value} is not within {range}")]
    OutOfRange {
        /// The step.
        step: &'static str,
        /// What the recipe says.
        value: f64,
        /// What is possible.
        range: &'static str,
    },
    /// A picture for a background could not be written.
    #[error("{}: {source}", path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// The image library's reason.
        source: image::ImageError,
    },
}

/// Adds the stage to an FFmpeg error.
pub(crate) trait Stage<T> {
    fn stage(self, what: impl Into<String>) -> Result<T, DistortError>;
}

impl<T> Stage<T> for Result<T, ffmpeg_next::Error> {
    fn stage(self, what: impl Into<String>) -> Result<T, DistortError> {
        self.map_err(|source| DistortError::Ffmpeg {
            what: what.into(),
            source,
        })
    }
}
