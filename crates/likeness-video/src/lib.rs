//! Luma frames to video fingerprint: frame hashes, keypoints, motion.
