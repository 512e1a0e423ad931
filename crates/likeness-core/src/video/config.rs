//! Every parameter of the video extractor.

/// Parameters of the video extractor. Two fingerprints are comparable only when they were made with
/// equal ones: the encoding carries [`VideoConfig::hash`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoConfig {
    /// Analysed frames a second of a query.
    pub keyframe_rate: u32,
    /// The sparse form keeps one analysed frame of this many.
    pub sparse_slots: u32,
    /// The sparse form skips frames that look like the last one for up to this many slots.
    pub still_slots: u32,
    /// Mean difference in luma (0..=255) of the most changed part of the picture up to which it
    /// counts as unchanged.
    pub still_difference: f32,
    /// Of the frames of a slot the one is analysed in which least has moved for so many seconds: a copy that is
    /// cut at another moment has the same ones analysed, as a rule, and they are not blurred by motion.
    pub stillness: f64,
    /// Thumbnails a second of the sparse form.
    pub thumbnail_rate: u32,
    /// Thumbnails of a query for each one of the sparse form, so that means over any stretch of time can be made
    /// of them.
    pub fine_thumbnails: u32,
    /// Level of the pyramid that a plate shows; a coarser one where the picture is too small for it.
    pub plate_level: usize,
    /// Slots of a query from one plate to the next.
    pub plate_slots: u32,
    /// Geometric mean of a level's width and height in pixels, finest level first.
    pub level_sizes: [u32; LEVELS],
    /// The first levels, for queries only: they make small pictures in pictures large enough.
    pub query_levels: usize,
    /// Keypoints of each level in the sparse form.
    pub sparse_quota: [u32; LEVELS],
    /// Keypoints of each level in a query.
    pub query_quota: [u32; LEVELS],
    /// A level may be at most this many times larger than the picture.
    pub max_enlargement: f64,
    /// Columns and rows of the grid over which the keypoints of a level are spread.
    pub grid: (usize, usize),
    /// Smallest corner response: the smaller eigenvalue of the mean outer product of the luma
    /// gradient over 5x5 pixels, in squared grey levels per two pixels.
    pub min_corner: f32,
    /// Of each 16 bits that make a word of a term, how many a look-up tries both ways.
    pub weak_bits: u32,
    /// Pictures whose luma spreads less than this (standard deviation) are blank.
    pub blank_deviation: f32,
    /// Seconds below which a stream is too short to match.
    pub min_duration: f64,
}

/// Number of levels of the pyramid.
pub const LEVELS: usize = 8;

impl VideoConfig {
    /// The configuration that this version of likeness extracts with.
    pub const DEFAULT: VideoConfig = VideoConfig {
        keyframe_rate: 2,
        sparse_slots: 2,
        still_slots: 8,
        still_difference: 1.5,
        stillness: 0.12,
        thumbnail_rate: 5,
        fine_thumbnails: 2,
        plate_level: 3,
        plate_slots: 12,
        level_sizes: [608, 468, 360, 277, 213, 164, 126, 97],
        query_levels: 2,
        sparse_quota: [0, 0, 30, 26, 22, 18, 14, 10],
        query_quota: [150, 130, 110, 85, 70, 55, 42, 32],
        max_enlargement: 1.5,
        grid: (6, 4),
        min_corner: 16.0,
        weak_bits: 5,
        blank_deviation: 2.0,
        min_duration: 2.0,
    };

    /// Hash of all parameters and of the extractor's revision.
    pub fn hash(&self) -> u64 {
        const REVISION: u32 = 6;
        let hash = blake3::hash(format!("{REVISION} {self:?}").as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    /// Width and height in pixels of a level for a picture that is shown `aspect` times as wide as
    /// high. Pictures beyond 1:4 and 4:1 are squeezed into these.
    pub fn level_size(&self, level: usize, aspect: f64) -> (usize, usize) {
        let root = aspect.clamp(0.25, 4.0).sqrt();
        let size = f64::from(self.level_sizes[level]);
        let side = |length: f64| length.round() as usize;
        (side(size * root), side(size / root))
    }
}

impl Default for VideoConfig {
    fn default() -> VideoConfig {
        VideoConfig::DEFAULT
    }
}
