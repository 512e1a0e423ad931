//! The real server process over TCP.

// Helpers of tests are tests as well.
#![allow(clippy::unwrap_used)]

mod deploy;
mod guard;
mod hostile;
mod life;
mod limits;
mod live;
mod manners;
mod matching;
#[path = "../../../likeness-cli/tests/cli/media.rs"]
mod media;
#[allow(dead_code)]
#[path = "../../examples/load/process.rs"]
mod process;
mod references;
mod server;
