//! Every parameter of the extractor, in one place.

/// Parameters of the audio extractor. Changing any of them makes fingerprints incomparable; the
/// [`hash`](AudioConfig::hash) in every encoded fingerprint tells.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioConfig {
    /// Samples per second.
    pub sample_rate: u32,
    /// Samples in an analysis window (Hann); a power of two.
    pub window: usize,
    /// Samples from one window to the next.
    pub hop: usize,
    /// Centre of the lowest bin, Hz.
    pub lowest_hz: f64,
    /// Bins in an octave.
    pub bins_per_octave: usize,
    /// Bins of the log-frequency spectrum.
    pub bins: usize,
    /// Power added to every bin, relative to the recent mean power of a bin: hides what lies far
    /// below the music (codec holes, dither), at any volume.
    pub floor: f32,
    /// Factor a frame by which the recent mean power decays.
    pub floor_decay: f32,
    /// Mean power of a bin, full scale 1, below which a sound counts as silence.
    pub silence: f32,
    /// Frames on each side of the mean that whitens a bin.
    pub whitening: usize,
    /// Bins on each side of the mean against which a bin stands out.
    pub contrast: usize,
    /// Frames back to which an onset is compared.
    pub rise: usize,
    /// Frames on each side that are averaged before looking for partials.
    pub smoothing: usize,
    /// Half height, bins, of the neighbourhood that a query's peak dominates.
    pub dense_bins: usize,
    /// Half width, frames, of the neighbourhood that a query's peak dominates.
    pub dense_frames: usize,
    /// Half height, bins, of the neighbourhood that a reference's peak dominates.
    pub sparse_bins: usize,
    /// Half width, frames, of the neighbourhood that a reference's peak dominates.
    pub sparse_frames: usize,
    /// Least height of a peak, in octaves of power (3 dB).
    pub min_height: f32,
    /// Ticks on each side within which peaks are ranked by strength.
    pub rank_ticks: u32,
    /// Peaks of one surface that a query keeps within that span.
    pub dense_peaks: usize,
    /// Peaks of one surface that a reference keeps within that span.
    pub sparse_peaks: usize,
    /// Frames that a row of the grid averages.
    pub grid_frames: usize,
    /// Bins on each side of the mean against which the grid's values stand out.
    pub grid_contrast: usize,
    /// Triplets that a library stores for a reference.
    pub reference_reach: Reach,
    /// Triplets that a query looks up: wider in time by the tolerated change of speed, and with
    /// more targets, because foreign peaks push the right ones down.
    pub query_reach: Reach,
}

/// Which peaks after an anchor form triplets with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// Ticks to the nearest target.
    pub min_ticks: u32,
    /// Ticks to the farthest target.
    pub max_ticks: u32,
    /// Frequency steps to the farthest target, up or down.
    pub max_interval: u16,
    /// The strongest targets within reach that are paired.
    pub targets: usize,
}

impl Default for AudioConfig {
    fn default() -> AudioConfig {
        AudioConfig {
            sample_rate: 11_025,
            window: 2048,
            hop: 128,
            lowest_hz: 200.0,
            bins_per_octave: 36,
            bins: 162,
            floor: 1e-4,
            floor_decay: 0.995,
            silence: 1e-9,
            whitening: 172,
            contrast: 12,
            rise: 12,
            smoothing: 2,
            dense_bins: 6,
            dense_frames: 7,
            sparse_bins: 9,
            sparse_frames: 10,
            min_height: 1.0,
            rank_ticks: 345,
            dense_peaks: 60,
            sparse_peaks: 26,
            grid_frames: 8,
            grid_contrast: 18,
            reference_reach: Reach {
                min_ticks: 34,
                max_ticks: 345,
                max_interval: 360,
                targets: 2,
            },
            query_reach: Reach {
                min_ticks: 24,
                max_ticks: 492,
                max_interval: 364,
                targets: 6,
            },
        }
    }
}

impl AudioConfig {
    /// Hash of all parameters and of the version of the method itself.
    pub fn hash(&self) -> u64 {
        /// Raised when the method changes and no parameter tells.
        const METHOD: u32 = 3;
        let digest = blake3::hash(format!("{METHOD} {self:?}").as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_bytes()[..8]);
        u64::from_le_bytes(bytes)
    }
}
