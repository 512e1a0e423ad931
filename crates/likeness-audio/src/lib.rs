//! PCM to audio fingerprint: constant-Q spectrum, landmarks, chroma.
