//! Every parameter of video matching.

use crate::chance::Chance;
use likeness_video::words;

/// Parameters of video matching; the default is what is measured and shipped.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoMatchConfig {
    /// Keyframes of a query that vote together, from its start on.
    pub window: usize,
    /// Differing residual bits up to which a hit counts, of `words::RESIDUAL_BITS`.
    pub residual_distance: u32,
    /// Probes of one term that are tried.
    pub probes_per_term: usize,
    /// What looking one window up may cost, in meetings of a probe with a posting, about a nanosecond
    /// each, for a library to be searched exhaustively...
    pub exhaustive_budget: u64,
    /// ...and what it may cost in a larger one, where only the terms are looked up that promise the most for
    /// what they cost.
    pub posting_budget: u64,
    /// There terms are longer than first words: all but so many of their lowest bits count...
    pub free_bits: u32,
    /// ...with at most so many of a keypoint's weak bits flipped...
    pub flips: u32,
    /// ...and so many probes of one term are tried.
    pub probes_per_long_term: usize,
    /// Hits of a keypoint that vote: the nearest ones.
    pub hits_per_keypoint: u16,
    /// Hypotheses per window that are fitted.
    pub hypotheses: usize,
    /// Hypotheses per window and reference that are fitted.
    pub hypotheses_per_reference: usize,
    /// How many must agree on a hypothesis where a library is small enough to be searched exhaustively...
    pub agreement: Agreement,
    /// ...and where it is not: a copy has few hits, but so has chance.
    pub partial_agreement: Agreement,
    /// Distinct inliers of a transform from which on it is asked whether the picture wanders.
    pub steady_support: usize,
    /// Width of a vote's time-offset bin, seconds.
    pub offset_bin: f64,
    /// Width of a vote's bins of place, picture heights.
    pub place_bin: f64,
    /// Random pairs tried per hypothesis.
    pub ransac_rounds: usize,
    /// Distance in picture heights up to which a keypoint fits a transform.
    pub inlier_distance: f64,
    /// Range of speeds.
    pub speed: (f64, f64),
    /// Half width of the moving mean that thumbnails lose before they are compared, seconds.
    pub detrend: f64,
    /// Seconds of moving content that a match needs.
    pub min_seconds: f64,
    /// Distance in picture heights within which a keypoint is found again.
    pub refind_distance: f64,
    /// Differing descriptor bits up to which a keypoint is found again.
    pub descriptor_distance: u32,
    /// Seconds before and after a window in which a segment is looked for at once.
    pub reach: f64,
    /// Range of speeds in which motion curves are compared.
    pub motion_speed: (f64, f64),
    /// How surely motion curves must agree (`atanh(correlation) * sqrt(values)`) for a reference to
    /// be looked at without keypoints.
    pub motion_sureness: f32,
    /// References that are looked at for their motion, per window.
    pub motion_hypotheses: usize,
    /// References of which a window's motion is compared value by value: those that agree most coarsely.
    pub motion_candidates: usize,
    /// Hours of pictures in a library whose motion is compared with that of every part of a query's
    /// picture. In a larger one fewer parts are, the whole first, as the cost grows with both; from
    /// eight times as many hours on none is, and pictures without keypoints are not found.
    pub motion_hours: f64,
    /// As `inlier_distance`, of pairs of thumbnail parts.
    pub coarse_inlier_distance: f64,
    /// How the evidence adds up.
    pub evidence: Evidence,
    /// What evidence chance gives.
    pub chance: Chance,
    /// Hours of pictures in a library from which on more of them add nothing to chance: no window has
    /// more than `hypotheses` verified, and of the worst kind of material, credits that scroll, so many
    /// hours are needed to have them all of that kind.
    pub exhausted_hours: f64,
}

impl Default for VideoMatchConfig {
    fn default() -> Self {
        VideoMatchConfig {
            window: 30,
            residual_distance: 8,
            probes_per_term: 96,
            exhaustive_budget: 100_000_000,
            posting_budget: 30_000_000,
            free_bits: words::SPACE.fine_bits(),
            flips: 2,
            probes_per_long_term: 16,
            hits_per_keypoint: 12,
            hypotheses: 24,
            hypotheses_per_reference: 4,
            agreement: Agreement {
                votes: 6,
                inliers: 8,
            },
            partial_agreement: Agreement {
                votes: 3,
                inliers: 3,
            },
            steady_support: 20,
            offset_bin: 8.0,
            place_bin: 0.4,
            ransac_rounds: 400,
            inlier_distance: 0.02,
            speed: (0.5, 2.0),
            detrend: 3.0,
            min_seconds: 3.0,
            refind_distance: 0.02,
            descriptor_distance: 17,
            reach: 20.0,
            motion_speed: (0.7, 1.43),
            motion_sureness: 4.0,
            motion_hypotheses: 8,
            motion_candidates: 64,
            motion_hours: 250.0,
            coarse_inlier_distance: 0.05,
            evidence: Evidence::default(),
            // `likeness-bench calibrate --split dev`: 1326 windows of films and drawn pictures, 4.8 square hours,
            // none above the level, so that hardly more than 0.6 an hour are likely; with a margin. How far beyond it
            // others reach they do not tell: far enough for one set at another time, which agrees more than any other
            // film, not to be a match.
            chance: Chance {
                level: -16.0,
                rate: 1.0,
                scale: 1.9,
                edge: 0.0,
            },
            exhausted_hours: 80.0,
        }
    }
}

/// Distinct (keyframe, cell) places at which keypoints of a query must say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// Coarsely, for a transform to be fitted.
    pub votes: usize,
    /// On a transform, for it to be verified.
    pub inliers: usize,
}

/// How film and keypoints add up to log-odds of a copy; set with a margin over what unrelated
/// pictures reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Log-odds without any evidence.
    pub prior: f64,
    /// Log-odds for each unit of sureness: `atanh(correlation of changes)` over the root mean square of
    /// what the same pictures correlate out of step.
    pub sureness: f64,
    /// Sureness beyond which more says no more.
    pub max_sureness: f64,
    /// Log-odds for each factor e of keypoints found again over those found by chance.
    pub keypoints: f64,
    /// Factors e of keypoints beyond which more say no more: a shared background has as many.
    pub max_keypoints: f64,
    /// A match proposed by motion alone was chosen by how the films go in step, so that out of step is
    /// no measure of chance. It must satisfy these besides: its log-odds without evidence...
    pub smooth_prior: f64,
    /// ...and those for each unit of `atanh(correlation of changes) * sqrt(moments)`...
    pub smooth_film: f64,
    /// ...of which more than so many moments are not more independent.
    pub max_moments: f64,
    /// Log-odds against a film that only moves alike, by the keypoints that move: without evidence...
    pub moving_prior: f64,
    /// ...for each unit of Fisher's z by which the films correlate better than a decoy does...
    pub moving_film: f64,
    /// ...and for each factor e of moving keypoints found again over those found by chance.
    pub moving_keypoints: f64,
    /// Moving keypoints to find again from which their absence says something.
    pub min_moving: usize,
    /// Log-odds that films lose against such a one where moving keypoints could have spoken...
    pub moving_doubt: f64,
    /// ...and for each factor e by which those found are fewer than e times chance.
    pub moving_missing: f64,
    /// Log-odds for each standard error by which the films correlate better than a decoy does...
    pub clear: f64,
    /// ...beyond what chance gives...
    pub usually_clear: f64,
    /// ...of which more than so many say no more.
    pub max_clear: f64,
    /// Log-odds that a film loses for agreeing with another moment of the reference as it does with this one, more than
    /// that moment does with this one...
    pub elsewhere: f64,
    /// ...by this share of it.
    pub usually_elsewhere: f64,
    /// Log-odds that a copy loses that is turned by a right angle or two...
    pub quarter_turn: f64,
    /// ...for each 20 degrees beyond 20 by which it is askew...
    pub askew: f64,
    /// ...for each factor e of speed...
    pub odd_speed: f64,
    /// ...beyond this, faster or slower...
    pub usual_speed: f64,
    /// ...and for each factor e by which it takes less of the picture...
    pub small: f64,
    /// ...than this share...
    pub usual_area: f64,
    /// ...for each factor e by which it lasts less long than query and reference would let it...
    pub brief: f64,
    /// ...or than so many seconds...
    pub lasting: f64,
    /// ...and if it must be laid on the reference picture by picture.
    pub wandering: f64,
    /// Log-odds below the threshold from which a match gets a second look, after its
    /// transform was moved to where the films agree best.
    pub doubt: f64,
    /// Correlation that a match needs whatever else speaks for it.
    pub min_correlation: f64,
    /// Moments that a match needs whatever else speaks for it.
    pub min_moments: f64,
    /// Things that must happen for a match whatever else speaks for it.
    pub min_events: f64,
    /// Share of the reference's picture that shows something which the query shows as well: a match
    /// needs it whatever else speaks for it.
    pub min_alike: f64,
    /// Share of the picture below which what changes is a small thing in it, which says nothing by being clear
    /// of decoys...
    pub little_motion: f64,
    /// ...so that of what the reference shows, the query must show this share...
    pub usually_alike: f64,
    /// ...or the match loses log-odds in proportion to what is missing.
    pub unlike: f64,
    /// Of what the reference shows the query must show this share...
    pub least_shared: f64,
    /// ...or of it this share at least...
    pub least_shown: f64,
    /// ...and of it and of what moves in the reference this share on average...
    pub least_common: f64,
    /// ...but where sides of it are hidden, the rest is asked alone, if that is this share of it.
    pub least_left: f64,
    /// In this share of the picture one straight line must lead from the reference's grey levels, on average over time,
    /// to the query's...
    pub least_ground: f64,
    /// ...unless the query shows this share of what the reference shows.
    pub surely_shared: f64,
    /// A copy of a reference that stands still shows this share of it at least...
    pub still_visible: f64,
    /// ...on this share of its own picture...
    pub still_area: f64,
    /// ...of which this share stands still as well...
    pub still_share: f64,
    /// ...and no side of it is cut off by more than this part of it with as much room beyond the other.
    pub still_pushed: f64,
    /// Such a copy shows the same in this share of the places at which it or the reference shows something...
    pub still_same: f64,
    /// ...and this share in every part of the picture in which much is shown...
    pub still_worst: f64,
    /// ...of so many places in all.
    pub still_places: usize,
    /// Log-odds that a picture which stands still is a copy, without any evidence...
    pub still_prior: f64,
    /// ...for each factor e of keypoints found again, in one keyframe, over those found by chance...
    pub still_keypoints: f64,
    /// ...and for showing the same in all detail.
    pub still_detail: f64,
}

impl Default for Evidence {
    fn default() -> Self {
        Evidence {
            prior: -15.0,
            sureness: 1.5,
            max_sureness: 40.0,
            keypoints: 1.5,
            max_keypoints: 2.5,
            smooth_prior: -12.5,
            smooth_film: 2.5,
            max_moments: 40.0,
            moving_prior: -14.4,
            moving_film: 6.0,
            moving_keypoints: 6.0,
            min_moving: 60,
            moving_doubt: 4.0,
            moving_missing: 6.0,
            clear: 2.0,
            usually_clear: 1.2,
            max_clear: 4.0,
            elsewhere: 50.0,
            usually_elsewhere: 0.33,
            quarter_turn: 3.0,
            askew: 6.0,
            odd_speed: 12.0,
            usual_speed: 1.35,
            small: 1.5,
            usual_area: 0.1,
            brief: 1.0,
            lasting: 60.0,
            wandering: 2.0,
            doubt: 12.0,
            min_correlation: 0.3,
            min_moments: 6.0,
            min_events: 4.5,
            min_alike: 0.13,
            little_motion: 1.0 / 16.0,
            usually_alike: 0.78,
            unlike: 100.0,
            least_shared: 0.55,
            least_shown: 0.45,
            least_common: 0.625,
            least_left: 0.4,
            least_ground: 0.5,
            surely_shared: 0.85,
            still_visible: 0.35,
            still_area: 0.1,
            still_share: 0.75,
            still_pushed: 0.07,
            still_same: 0.985,
            still_worst: 0.6,
            still_places: 1000,
            still_prior: -20.0,
            still_keypoints: 10.5,
            still_detail: 10.0,
        }
    }
}
