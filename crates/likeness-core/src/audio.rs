//! The audio fingerprint and its encoding.

use crate::wire::WireError;

/// Fingerprint of one sound track.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioFingerprint {
    /// Seconds of sound that were analysed.
    pub duration: f64,
}

impl AudioFingerprint {
    /// The sparse form that a library stores.
    pub fn to_reference(&self) -> AudioFingerprint {
        self.clone()
    }

    /// Bytes for a fingerprint file.
    pub fn encode(&self) -> Vec<u8> {
        self.duration.to_le_bytes().to_vec()
    }

    /// Reads what [`AudioFingerprint::encode`] wrote.
    pub fn decode(_bytes: &[u8]) -> Result<AudioFingerprint, WireError> {
        Err(WireError::Truncated)
    }
}
