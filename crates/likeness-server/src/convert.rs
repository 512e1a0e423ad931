//! Between the engine's types and the messages. Every field is named on both sides, so that a new
//! one does not compile until it is told here.

use crate::proto;
use likeness::ReferenceInfo;
use likeness::core::report::{
    AudioState, Distortion, DistortionKind, Match, MatchReport, Media, REPORT_VERSION, ReportError,
    Segment, Status, VideoState,
};
use likeness::core::{Rect, StreamState};

/// Pairs of an engine's value and a message's, both ways.
macro_rules! pairs {
    ($to:ident, $from:ident, $engine:ident, $message:ty, $($ours:ident = $theirs:ident),+) => {
        fn $to(value: $engine) -> $message {
            match value { $($engine::$ours => <$message>::$theirs),+ }
        }
        fn $from(value: $message) -> Option<$engine> {
            match value {
                $(<$message>::$theirs => Some($engine::$ours),)+
                _ => None,
            }
        }
    };
}

pairs!(
    audio_out,
    audio_in,
    AudioState,
    proto::StreamState,
    Analysed = Analysed,
    Absent = Absent,
    Silent = Empty,
    TooShort = TooShort,
    Undecodable = Undecodable,
    Skipped = Skipped
);
pairs!(
    video_out,
    video_in,
    VideoState,
    proto::StreamState,
    Analysed = Analysed,
    Absent = Absent,
    Blank = Empty,
    TooShort = TooShort,
    Undecodable = Undecodable,
    Skipped = Skipped
);
pairs!(
    media_out,
    media_in,
    Media,
    proto::Media,
    Audio = Audio,
    Video = Video
);
pairs!(
    kind_out,
    kind_in,
    DistortionKind,
    proto::DistortionKind,
    Speed = Speed,
    Tempo = Tempo,
    Pitch = Pitch,
    Crop = Crop,
    Border = Border,
    PictureInPicture = PictureInPicture,
    Mirror = Mirror,
    Rotation = Rotation,
    Overlay = Overlay,
    Excerpt = Excerpt
);

impl From<MatchReport> for proto::MatchReport {
    fn from(report: MatchReport) -> proto::MatchReport {
        let MatchReport {
            version,
            query,
            status: _,
            error,
            duration,
            audio,
            video,
            matches,
        } = report;
        let unknown = proto::StreamState::Unspecified;
        proto::MatchReport {
            version,
            query,
            error: error.map(|ReportError { code, message }| proto::ReportError { code, message }),
            duration,
            audio: audio.map_or(unknown, audio_out).into(),
            video: video.map_or(unknown, video_out).into(),
            matches: matches.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Match> for proto::Match {
    fn from(found: Match) -> proto::Match {
        let Match {
            reference,
            media,
            score,
            false_positive_probability,
            query_coverage,
            reference_coverage,
            segments,
            distortions,
        } = found;
        proto::Match {
            reference,
            media: media_out(media).into(),
            score,
            false_positive_probability,
            query_coverage,
            reference_coverage,
            segments: segments.into_iter().map(Into::into).collect(),
            distortions: distortions.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Segment> for proto::Segment {
    fn from(segment: Segment) -> proto::Segment {
        let Segment {
            query_start,
            query_end,
            reference_start,
            reference_end,
            speed,
            score,
            pitch_semitones,
            mirrored,
            rotation_degrees,
            reference_rect,
            query_rect,
            still,
        } = segment;
        proto::Segment {
            query_start,
            query_end,
            reference_start,
            reference_end,
            speed,
            score,
            pitch_semitones,
            mirrored,
            rotation_degrees,
            reference_rect: reference_rect.map(rect_out),
            query_rect: query_rect.map(rect_out),
            still,
        }
    }
}

impl From<Distortion> for proto::Distortion {
    fn from(
        Distortion {
            kind,
            value,
            detail,
        }: Distortion,
    ) -> proto::Distortion {
        let kind = kind_out(kind).into();
        proto::Distortion {
            kind,
            value,
            detail,
        }
    }
}

impl From<proto::MatchReport> for MatchReport {
    fn from(report: proto::MatchReport) -> MatchReport {
        MatchReport {
            version: REPORT_VERSION,
            status: match report.error {
                Some(_) => Status::Error,
                None => Status::Ok,
            },
            audio: audio_in(report.audio()),
            video: video_in(report.video()),
            query: report.query,
            error: report
                .error
                .map(|proto::ReportError { code, message }| ReportError { code, message }),
            duration: report.duration,
            matches: report.matches.into_iter().filter_map(match_in).collect(),
        }
    }
}

/// `None` for a medium that this program does not know.
pub(crate) fn match_in(found: proto::Match) -> Option<Match> {
    Some(Match {
        media: media_in(found.media())?,
        reference: found.reference,
        score: found.score,
        false_positive_probability: found.false_positive_probability,
        query_coverage: found.query_coverage,
        reference_coverage: found.reference_coverage,
        segments: found.segments.into_iter().map(segment_in).collect(),
        distortions: found
            .distortions
            .into_iter()
            .filter_map(|distortion| {
                Some(Distortion {
                    kind: kind_in(distortion.kind())?,
                    value: distortion.value,
                    detail: distortion.detail,
                })
            })
            .collect(),
    })
}

fn segment_in(segment: proto::Segment) -> Segment {
    Segment {
        query_start: segment.query_start,
        query_end: segment.query_end,
        reference_start: segment.reference_start,
        reference_end: segment.reference_end,
        speed: segment.speed,
        score: segment.score,
        pitch_semitones: segment.pitch_semitones,
        mirrored: segment.mirrored,
        rotation_degrees: segment.rotation_degrees,
        reference_rect: segment.reference_rect.map(rect_in),
        query_rect: segment.query_rect.map(rect_in),
        still: segment.still,
    }
}

fn rect_out(Rect { x0, y0, x1, y1 }: Rect) -> proto::Rect {
    proto::Rect { x0, y0, x1, y1 }
}

fn rect_in(proto::Rect { x0, y0, x1, y1 }: proto::Rect) -> Rect {
    Rect { x0, y0, x1, y1 }
}

impl From<ReferenceInfo> for proto::Reference {
    fn from(info: ReferenceInfo) -> proto::Reference {
        proto::Reference {
            id: info.id.0,
            fingerprint_bytes: info.bytes(),
            identifier: info.identifier,
            content_hash: info.content.to_vec().into(),
            duration: info.duration,
            audio: state_out(&info.audio).into(),
            video: state_out(&info.video).into(),
            added: Some(prost_types::Timestamp {
                seconds: i64::try_from(info.added).unwrap_or(i64::MAX),
                nanos: 0,
            }),
        }
    }
}

fn state_out<F>(state: &StreamState<F>) -> proto::StreamState {
    match state {
        StreamState::Analysed(_) => proto::StreamState::Analysed,
        StreamState::Absent => proto::StreamState::Absent,
        StreamState::Empty => proto::StreamState::Empty,
        StreamState::TooShort => proto::StreamState::TooShort,
        StreamState::Undecodable => proto::StreamState::Undecodable,
        StreamState::Skipped => proto::StreamState::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    /// A report in which every field has a value of its own, so that a mix-up shows.
    fn full() -> MatchReport {
        let kinds = "speed tempo pitch crop border picture_in_picture mirror rotation overlay \
                     excerpt";
        let distortions: Vec<String> = kinds
            .split_whitespace()
            .map(|kind| format!(r#"{{"kind":"{kind}","value":0.9,"detail":"x"}}"#))
            .collect();
        let report = format!(
            r#"{{"version":1,"query":"q","status":"error",
                "error":{{"code":"truncated","message":"m"}},"duration":1.5,
                "audio":"silent","video":"too_short","matches":[{{
                "reference":"r","media":"video","score":0.1,"false_positive_probability":0.2,
                "query_coverage":0.3,"reference_coverage":0.4,"segments":[{{"query_start":1.0,
                "query_end":2.0,"reference_start":3.0,"reference_end":4.0,"speed":1.05,
                "score":0.5,"pitch_semitones":0.84,"mirrored":true,"rotation_degrees":6.0,
                "reference_rect":[0.1,0.2,0.3,0.4],"query_rect":[0.5,0.6,0.7,0.8]}}],
                "distortions":[{}]}}]}}"#,
            distortions.join(",")
        );
        serde_json::from_str(&report).unwrap()
    }

    #[test]
    fn everything_comes_back() {
        let check = |report: MatchReport| {
            let bytes = proto::MatchReport::from(report.clone()).encode_to_vec();
            let message = proto::MatchReport::decode(bytes.as_slice()).unwrap();
            assert_eq!(MatchReport::from(message), report);
        };
        check(full());
        for (audio, video) in [("analysed", "blank"), ("absent", "undecodable")] {
            let text = format!(
                r#"{{"version":1,"query":"","status":"ok","duration":0.0,
                    "audio":"{audio}","video":"{video}","matches":[]}}"#
            );
            check(serde_json::from_str(&text).unwrap());
        }
    }
}
