//! Fingerprints on disk: postings, Hamming search, HNSW patches, catalogue. Knows nothing of media.

pub mod store;

pub use store::{Store, StoreError};
