//! Seeded synthetic distortions of audio and video with known ground truth.
