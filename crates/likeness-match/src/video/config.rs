//! Every parameter of video matching.

/// Parameters of video matching; the default is what is measured and shipped.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoMatchConfig {
    /// Keyframes of a query that vote together, from its start on.
    pub window: usize,
    /// Differing residual bits up to which a hit counts, of `words::RESIDUAL_BITS`.
    pub residual_distance: u32,
    /// Hits of a keypoint that vote: the nearest ones.
    pub hits_per_keypoint: u16,
    /// Hypotheses per window that are fitted.
    pub hypotheses: usize,
    /// Hypotheses per window and reference that are fitted.
    pub hypotheses_per_reference: usize,
    /// Distinct (keyframe, cell) votes below which a hypothesis is not fitted.
    pub min_votes: usize,
    /// Width of a vote's time-offset bin, seconds.
    pub offset_bin: f64,
    /// Width of a vote's bins of place, picture heights.
    pub place_bin: f64,
    /// Random pairs tried per hypothesis.
    pub ransac_rounds: usize,
    /// Distance in picture heights up to which a keypoint fits a transform.
    pub inlier_distance: f64,
    /// Distinct (keyframe, cell) inliers below which a transform is not verified.
    pub min_inliers: usize,
    /// Range of speeds.
    pub speed: (f64, f64),
    /// Half width of the moving mean that thumbnails lose before they are compared, seconds.
    pub detrend: f64,
    /// Seconds of moving content that a match needs.
    pub min_seconds: f64,
    /// Correlation at which the score is one half for `reference_inliers` inliers.
    pub middle_correlation: f64,
    /// Log-odds per unit of correlation.
    pub correlation_slope: f64,
    /// Inliers that neither help nor hurt.
    pub reference_inliers: f64,
    /// Log-odds per factor e of inliers.
    pub inlier_slope: f64,
}

impl Default for VideoMatchConfig {
    fn default() -> Self {
        VideoMatchConfig {
            window: 30,
            residual_distance: 8,
            hits_per_keypoint: 12,
            hypotheses: 24,
            hypotheses_per_reference: 4,
            min_votes: 6,
            offset_bin: 8.0,
            place_bin: 0.4,
            ransac_rounds: 400,
            inlier_distance: 0.02,
            min_inliers: 8,
            speed: (0.5, 2.0),
            detrend: 3.0,
            min_seconds: 3.0,
            middle_correlation: 0.45,
            correlation_slope: 20.0,
            reference_inliers: 30.0,
            inlier_slope: 1.0,
        }
    }
}
