//! Dates, sizes and disguises, as people read them.

use likeness_core::report::{AudioState, Distortion, DistortionKind, MatchReport, VideoState};
pub(crate) use likeness_core::text::{count, printable, stretch, time};

/// "1:15": whole seconds, for what is only an estimate.
pub(crate) fn whole_time(seconds: f64) -> String {
    let text = time(seconds.round());
    text[..text.len() - 2].to_owned()
}

/// "2026-11-23": the UTC day of a time in seconds since 1970.
pub(crate) fn date(since_1970: u64) -> String {
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years that begin in March
    // have their leap day last.
    let days = since_1970 / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", 400 * era + year + next)
}

/// "1.5 MB".
pub(crate) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.5 {
            let digits = usize::from(unit != "B" && value < 99.95);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// "nothing found", or why nothing could be.
pub(crate) fn nothing(report: &MatchReport) -> String {
    let sound = match report.audio {
        Some(AudioState::Absent) => "no sound",
        Some(AudioState::Silent) => "sound silent",
        Some(AudioState::TooShort) => "sound too short",
        Some(AudioState::Undecodable) => "sound undecodable",
        Some(AudioState::Skipped) => "sound left out",
        Some(AudioState::Analysed) | None => return "nothing found".to_owned(),
    };
    let picture = match report.video {
        Some(VideoState::Absent) => "no picture",
        Some(VideoState::Blank) => "picture blank",
        Some(VideoState::TooShort) => "picture still or too short",
        Some(VideoState::Undecodable) => "picture undecodable",
        Some(VideoState::Skipped) => "picture left out",
        Some(VideoState::Analysed) | None => return "nothing found".to_owned(),
    };
    format!("nothing to find it by: {sound}, {picture}")
}

/// What was done to the reference, in words; "none" for a plain copy.
pub(crate) fn disguise(distortions: &[Distortion]) -> String {
    if distortions.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<String> = distortions.iter().map(named).collect();
    words.join("; ")
}

fn named(distortion: &Distortion) -> String {
    let kind = kind(distortion.kind).replace('_', " ");
    match &distortion.detail {
        Some(detail) => format!("{kind}: {detail}"),
        None => kind,
    }
}

/// A distortion's name in the report format.
pub(crate) fn kind(kind: DistortionKind) -> &'static str {
    match kind {
        DistortionKind::Speed => "speed",
        DistortionKind::Tempo => "tempo",
        DistortionKind::Pitch => "pitch",
        DistortionKind::Crop => "crop",
        DistortionKind::Border => "border",
        DistortionKind::PictureInPicture => "picture_in_picture",
        DistortionKind::Mirror => "mirror",
        DistortionKind::Rotation => "rotation",
        DistortionKind::Overlay => "overlay",
        DistortionKind::Excerpt => "excerpt",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    #[test]
    fn dates() {
        let check = |seconds: u64, want: &str| assert_eq!(date(seconds), want);
        check(0, "1970-01-01");
        check(951_782_399, "2000-02-28");
        check(951_782_400, "2000-02-29");
        check(951_868_800, "2000-03-01");
        check(1_795_392_000, "2026-11-23");
        check(4_107_542_400, "2100-03-01");
    }

    #[test]
    fn sizes() {
        let check = |n: u64, want: &str| assert_eq!(bytes(n), want);
        check(0, "0 B");
        check(999, "999 B");
        check(1500, "1.5 kB");
        check(123_456_789, "123 MB");
        check(999_999, "1.0 MB");
        check(5_000_000_000_000, "5.0 TB");
    }

    #[test]
    fn what_cannot_be_found_says_why() {
        let check = |audio, video, want: &str| {
            let report = MatchReport {
                audio,
                video,
                ..samples::unmatched()
            };
            assert_eq!(nothing(&report), want);
        };
        let (heard, seen) = (Some(AudioState::Analysed), Some(VideoState::Analysed));
        check(heard, Some(VideoState::Absent), "nothing found");
        check(Some(AudioState::Silent), seen, "nothing found");
        check(
            Some(AudioState::Absent),
            Some(VideoState::TooShort),
            "nothing to find it by: no sound, picture still or too short",
        );
        check(
            Some(AudioState::Silent),
            Some(VideoState::Blank),
            "nothing to find it by: sound silent, picture blank",
        );
    }

    #[test]
    fn disguises_are_joined() {
        let named = |kind, detail: Option<&str>| Distortion {
            kind,
            value: None,
            detail: detail.map(str::to_owned),
        };
        assert_eq!(disguise(&[]), "none");
        assert_eq!(
            disguise(&[
                named(DistortionKind::Mirror, None),
                named(DistortionKind::PictureInPicture, Some("half the width")),
            ]),
            "mirror; picture in picture: half the width"
        );
    }
}
