//! End-to-end tests: the program as a user runs it, on synthetic media.

// Helpers of tests are tests as well.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod batch;
mod copies;
mod evidence;
mod exclude;
mod faults;
mod kill;
mod library;
mod media;
mod overlaps;
mod sandbox;
mod shell;
mod spread;
