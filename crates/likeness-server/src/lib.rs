//! The matching service: what the engine does, over gRPC, for uploads of strangers.
//!
//! [`run`] serves as the command line ([`Args`]) says. Programs that call it must first of all
//! call [`become_worker_if_asked`], since every upload is decoded by another process of the same
//! program. [`client`] is for Rust programs on the other side.

mod access;
mod admin;
mod args;
mod clerk;
pub mod client;
mod convert;
mod door;
mod engine;
mod gate;
mod handover;
mod live;
mod matching;
mod notify;
mod passing;
mod references;
mod refusal;
mod serve;
mod service;
mod settings;
mod shelf;
mod telemetry;
mod upload;
mod worker;

pub use args::Args;
pub use serve::{FindStore, ServeError, run};
pub use settings::SettingsError;
pub use worker::become_worker_if_asked;

/// The messages and services of `proto/likeness/v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::doc_lazy_continuation,
    clippy::large_enum_variant
)]
pub mod proto {
    tonic::include_proto!("likeness.v1");
    /// Describes them, for reflection.
    pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("likeness");
}
