//! `calibrate`: how often chance gives how much evidence.

mod negatives;

pub(crate) use negatives::gather;
