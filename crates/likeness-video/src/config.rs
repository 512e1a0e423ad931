//! Every parameter of the video extractor.

/// Parameters of the extractor. Two fingerprints can be compared only if all of them agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoConfig {
    /// Keyframes a second in a dense fingerprint; a sparse one keeps every other.
    pub keyframe_rate: f64,
    /// Longer side of the working picture, pixels. Smaller sources are not enlarged.
    pub working_size: usize,
    /// Levels of the pyramid.
    pub levels: usize,
    /// Ratio between the sizes of neighbouring levels.
    pub level_step: f32,
    /// Side of the squares among which each level shares out its corners, pixels of the level.
    pub cell: usize,
    /// Corners of a cell in a dense fingerprint.
    pub corners_per_cell: usize,
    /// Corners of a cell in a sparse fingerprint.
    pub sparse_corners_per_cell: usize,
    /// Least response of a corner (smaller eigenvalue of the mean structure tensor).
    pub corner_threshold: f32,
    /// Thumbnails a second.
    pub thumbnail_rate: u8,
    /// Pictures whose luma spreads less than this (standard deviation) are blank.
    pub blank_deviation: f32,
    /// Seconds below which a stream is too short to match.
    pub min_duration: f64,
}

impl VideoConfig {
    /// The configuration that this version of likeness extracts with.
    pub const DEFAULT: VideoConfig = VideoConfig {
        keyframe_rate: 2.0,
        working_size: 480,
        levels: 6,
        level_step: 1.3,
        cell: 40,
        corners_per_cell: 5,
        sparse_corners_per_cell: 2,
        corner_threshold: 25.0,
        thumbnail_rate: 5,
        blank_deviation: 2.0,
        min_duration: 2.0,
    };

    /// Short hash of all parameters and of the extractor's revision.
    pub fn hash(&self) -> u32 {
        const REVISION: u32 = 1;
        let hash = blake3::hash(format!("{REVISION} {self:?}").as_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl Default for VideoConfig {
    fn default() -> Self {
        VideoConfig::DEFAULT
    }
}
