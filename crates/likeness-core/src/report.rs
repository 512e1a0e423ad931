//! The match report, version 1: one per query. Serialises to the JSON contract that other
//! programs read (`contract/match-report.schema.json`).

use crate::geometry::Rect;
use serde::{Deserialize, Serialize};

/// Version of the report format that this crate writes.
pub const REPORT_VERSION: u32 = 1;

/// What one query matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchReport {
    /// Always [`REPORT_VERSION`].
    pub version: u32,
    /// The query's path as the user gave it, or as found under the directory given.
    pub query: String,
    /// Whether the query could be analysed.
    pub status: Status,
    /// Why not, when `status` is [`Status::Error`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<ReportError>,
    /// Seconds of the query's longest analysed stream.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration: Option<f64>,
    /// What became of the sound.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audio: Option<AudioState>,
    /// What became of the picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub video: Option<VideoState>,
    /// Accepted matches, best first; a reference at most once per medium.
    pub matches: Vec<Match>,
}

impl MatchReport {
    /// The report of a query that could not be analysed. `code` is a stable short word
    /// (`unreadable`, `no_media`...), `message` a sentence for people.
    pub fn failed(query: impl Into<String>, code: &str, message: impl Into<String>) -> MatchReport {
        MatchReport {
            version: REPORT_VERSION,
            query: query.into(),
            status: Status::Error,
            error: Some(ReportError {
                code: code.to_owned(),
                message: message.into(),
            }),
            duration: None,
            audio: None,
            video: None,
            matches: Vec::new(),
        }
    }
}

/// Outcome of a query's analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Analysed; `matches` may be empty.
    Ok,
    /// Not analysed; see `error`.
    Error,
}

/// Why a query failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportError {
    /// Stable short word for programs.
    pub code: String,
    /// A sentence for people; names the file and the reason.
    pub message: String,
}

/// What became of a query's sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioState {
    /// Fingerprinted and matched.
    Analysed,
    /// The file has no sound.
    Absent,
    /// Nothing but silence.
    Silent,
    /// Too short to match.
    TooShort,
    /// The stream could not be decoded.
    Undecodable,
    /// The user asked not to look at it.
    Skipped,
}

/// What became of a query's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoState {
    /// Fingerprinted and matched.
    Analysed,
    /// The file has no moving picture.
    Absent,
    /// Nothing but flat colour.
    Blank,
    /// Too short to match.
    TooShort,
    /// The stream could not be decoded.
    Undecodable,
    /// The user asked not to look at it.
    Skipped,
}

/// Sound or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// One reference found in the query through one medium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// The reference's identifier.
    pub reference: String,
    /// Through which medium it was found.
    pub media: Media,
    /// 0..=1, rises with the evidence; comparable between queries and between the two media.
    pub score: f64,
    /// The chance that a query which holds nothing of this library gets a match scored this high
    /// or higher, for the library's size and the query's length.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub false_positive_probability: Option<f64>,
    /// Share of the query that the segments cover, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub query_coverage: Option<f64>,
    /// Share of the reference that the segments cover, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference_coverage: Option<f64>,
    /// The stretches, in order of query time; at least one.
    pub segments: Vec<Segment>,
    /// Named differences between query and reference, derived from the segments.
    #[serde(default)]
    pub distortions: Vec<Distortion>,
}

/// A stretch of the query that shows the reference: reference time =
/// `reference_start + (query time - query_start) * speed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Start in the query, seconds.
    pub query_start: f64,
    /// End in the query, seconds.
    pub query_end: f64,
    /// Start in the reference, seconds.
    pub reference_start: f64,
    /// End in the reference, seconds.
    pub reference_end: f64,
    /// How fast the query plays the reference: 1.05 is 5 % faster.
    pub speed: f64,
    /// 0..=1, the evidence for this stretch.
    pub score: f64,
    /// Audio: how far the query's pitch lies above the reference's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pitch_semitones: Option<f64>,
    /// Video: flipped left to right.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mirrored: Option<bool>,
    /// Video: clockwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rotation_degrees: Option<f64>,
    /// Video: the part of the reference's picture that can be seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference_rect: Option<Rect>,
    /// Video: where that part lies in the query's picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub query_rect: Option<Rect>,
    /// Video: `true` where reference and query are one still picture: when it is shown, and how fast,
    /// cannot be told. The times are those of all of the query, and of as much of the reference or of
    /// all of that; the speed is 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub still: Option<bool>,
}

/// A named difference between query and reference, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distortion {
    /// What was done.
    pub kind: DistortionKind,
    /// How much, in the kind's unit (speed and tempo: ratio; pitch: semitones; rotation: degrees;
    /// crop, border, picture_in_picture, overlay: share of the area).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<f64>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// Kinds of disguise that the engine names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistortionKind {
    /// Played faster or slower, pitch follows (audio), or frames faster or slower (video).
    Speed,
    /// Faster or slower with the pitch kept, or changed independently.
    Tempo,
    /// Pitch shifted.
    Pitch,
    /// Part of the picture cut away.
    Crop,
    /// The picture lies in a static frame.
    Border,
    /// The picture lies inside a larger, moving picture.
    PictureInPicture,
    /// Flipped left to right.
    Mirror,
    /// Turned.
    Rotation,
    /// Something is drawn over the picture.
    Overlay,
    /// The query holds more than the reference: a stretch of it is the copy.
    Excerpt,
}
