//! The real server process over TCP.

// Helpers of tests are tests as well.
#![allow(clippy::unwrap_used)]

mod guard;
mod life;
mod limits;
mod live;
mod manners;
mod matching;
#[path = "../../../likeness-cli/tests/cli/media.rs"]
mod media;
mod references;
mod server;
