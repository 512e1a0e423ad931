//! Decodes media files to mono PCM and luma frames with timestamps.
