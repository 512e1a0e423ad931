//! Every parameter of audio matching, in one place.

use crate::chance::Chance;

/// By what hypotheses are found. Whatever finds them, they are verified alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// Triplets of peaks, looked up exactly.
    pub landmarks: bool,
    /// Chroma patches, by nearest neighbours: slower, and an index in memory.
    pub chroma: bool,
}

/// Parameters of [`match_audio`](super::match_audio). Times in seconds unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioMatchConfig {
    /// By what hypotheses are found.
    pub channels: Channels,
    /// Longest stretch of a query that is looked up at once; longer queries are cut into such
    /// windows, each overlapping the next by half.
    pub window: f64,
    /// Largest speed, and inverse of the smallest.
    pub max_speed: f64,
    /// Largest change of pitch, semitones, up or down.
    pub max_pitch: f64,
    /// Targets of a query's anchor: of those within the extractor's reach the strongest.
    pub targets: usize,
    /// Frequency steps (1/24 semitone) by which an interval may differ.
    pub interval_tolerance: f32,
    /// Ticks (2.9 ms) by which a gap may differ.
    pub gap_tolerance: f32,
    /// Postings above which a term says too little to be used, at least; and...
    pub stop_postings: usize,
    /// ...as a multiple of the mean number of postings of the query's terms that occur at all.
    pub stop_ratio: f64,
    /// What looking one window up may cost, in meetings of a triplet with a posting, about a
    /// nanosecond each: with more, only the terms are looked up that promise the most for what they
    /// cost. A library that is small enough for all of them is searched exhaustively.
    pub posting_budget: u64,
    /// Share of what a window asks for below which so little would be read that a copy has hardly more
    /// votes than chance gives somewhere...
    pub little_read: f64,
    /// ...so that a look-up may cost more...
    pub posting_budget_of_little: u64,
    /// ...and more transforms are verified.
    pub max_hypotheses_of_little: usize,
    /// Independent votes are counted once in this many seconds of the query.
    pub slot: f64,
    /// Size of a voting cell in the logarithm of speed.
    pub speed_cell: f64,
    /// Size of a voting cell in semitones.
    pub pitch_cell: f64,
    /// Size of a voting cell in seconds of the reference.
    pub offset_cell: f64,
    /// Voting cells of one window whose hits are brought into line.
    pub max_cells: usize,
    /// Hits that are sorted into cells, about, but where little was read: those with the most company.
    pub max_crowd: usize,
    /// Of these, transforms by landmarks that are verified.
    pub max_hypotheses: usize,
    /// Transforms by chroma that are verified.
    pub max_chroma_hypotheses: usize,
    /// Voting cells of one reference and window that are verified.
    pub max_per_reference: usize,
    /// Distance at which a peak counts as found again.
    pub peak_seconds: f64,
    /// Distance in semitones at which a peak counts as found again.
    pub peak_semitones: f64,
    /// Evidence, natural log of a likelihood ratio, from which something was surely heard, so that what it
    /// leaves of its windows is looked into by itself...
    pub sure: f64,
    /// ...where it leaves so many seconds.
    pub min_rest: f64,
    /// Evidence, natural log of a likelihood ratio, from which a window is grown to a segment.
    pub seed: f64,
    /// Seconds by which a segment is extended at each end before it is fitted again.
    pub growth: f64,
    /// Resolution of a segment's ends.
    pub end_resolution: f64,
    /// Evidence against the reference that a segment may bridge.
    pub gap_evidence: f64,
    /// Shortest segment.
    pub min_segment: f64,
    /// By how much smaller the probability of chance must be where another reference explains the
    /// stretch better, at another speed or pitch.
    pub explained_limit: f64,
    /// The evidence, natural log of a likelihood ratio, that chance gives.
    pub chance: Chance,
    /// Hours of sound that a smaller library counts for. Works of one composer or one style, which
    /// come nearer than works drawn by lot, meet more often in a small library than in a large one.
    pub least_hours: f64,
}

impl Default for AudioMatchConfig {
    fn default() -> AudioMatchConfig {
        AudioMatchConfig {
            channels: Channels {
                landmarks: true,
                chroma: false,
            },
            window: 16.0,
            max_speed: 1.45,
            max_pitch: 6.6,
            targets: 5,
            interval_tolerance: 5.0,
            gap_tolerance: 15.0,
            stop_postings: 400,
            stop_ratio: 8.0,
            posting_budget: 8_000_000,
            little_read: 0.1,
            posting_budget_of_little: 9_000_000,
            max_hypotheses_of_little: 96,
            slot: 0.5,
            speed_cell: 0.04,
            pitch_cell: 0.5,
            offset_cell: 0.5,
            max_cells: 192,
            max_crowd: 65_536,
            max_hypotheses: 32,
            max_chroma_hypotheses: 24,
            max_per_reference: 4,
            peak_seconds: 0.025,
            peak_semitones: 0.2,
            sure: 60.0,
            min_rest: 2.5,
            seed: 15.0,
            growth: 10.0,
            end_resolution: 0.25,
            gap_evidence: 30.0,
            min_segment: 2.0,
            explained_limit: 1e-3,
            // `likeness-bench calibrate --split dev` (BENCHMARKS.md, "Is the probability true?"): 7634
            // windows in 299 square hours, 30 pairs of works above 4, by 4.4 on average. The scale is
            // a cautious one, as works by one composer come nearer: with 6 as many false matches are
            // expected down to a probability of 1e-4 as with 5. The edge is from before, when more came
            // near enough to tell it.
            chance: Chance {
                level: 5.0,
                rate: 0.1,
                scale: 6.0,
                edge: 8.0,
            },
            least_hours: 3.0,
        }
    }
}
