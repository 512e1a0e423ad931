//! The likeness engine: one facade over decoding, fingerprints, library and matching.
