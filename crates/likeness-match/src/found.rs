//! What matching returns.

use likeness_core::ReferenceId;
use likeness_core::report::{Media, Segment};

/// One reference found in a query through one medium.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The reference.
    pub reference: ReferenceId,
    /// Through which medium.
    pub media: Media,
    /// Evidence against chance, 0..=1, see [`Chance::score`](crate::Chance::score).
    pub score: f64,
    /// The probability that a query without a copy gives a score this high or higher.
    pub false_positive_probability: f64,
    /// The stretches, in order of query time; at least one.
    pub segments: Vec<Segment>,
    /// What the query's picture shows besides the reference; `None` for sound.
    pub picture: Option<PictureContext>,
}

/// What a query's picture shows besides the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureContext {
    /// What lies outside of the segments' `query_rect`.
    pub surroundings: Surroundings,
    /// Share of the reference's visible part, 0..=1, over which something else is drawn.
    pub covered: f64,
}

/// What lies around the reference in a query's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surroundings {
    /// Nothing: the reference fills the picture.
    None,
    /// Something that stands still: bars, a frame, a pattern, a photo.
    Static,
    /// Something that moves: another video, a blurred copy.
    Moving,
}
