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
    /// Evidence against chance, 0..=1, monotone in the log-likelihood ratio; accepted from 0.5.
    pub score: f64,
    /// The chance of a score this high without a copy, where it is calibrated.
    pub false_positive_probability: Option<f64>,
    /// The stretches, in order of query time; at least one.
    pub segments: Vec<Segment>,
}
