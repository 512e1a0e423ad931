//! Times, sizes and names, as people read them.

use likeness_core::report::{Distortion, DistortionKind};
use std::borrow::Cow;

/// "1:15.4", "1:02:03.4": seconds rounded to tenths.
pub(crate) fn time(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    let seconds = format!("{:02}.{}", tenths / 10, tenths % 10);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}:{seconds}"),
        (hours, minutes) => format!("{hours}:{minutes:02}:{seconds}"),
    }
}

/// "1:15": whole seconds, for what is only an estimate.
pub(crate) fn whole_time(seconds: f64) -> String {
    let text = time(seconds.round());
    text[..text.len() - 2].to_owned()
}

/// "0:15.0 - 0:30.0".
pub(crate) fn stretch(start: f64, end: f64) -> String {
    format!("{} - {}", time(start), time(end))
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

/// `name` with control characters, and those that turn the direction of writing, spelt out: whoever
/// names a file must not command the terminal, nor make one line look like two.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    let dangerous =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !name.contains(dangerous) {
        return Cow::Borrowed(name);
    }
    let mut text = String::new();
    for c in name.chars() {
        match dangerous(c) {
            true => text.extend(c.escape_default()),
            false => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// "1 match", "3 matches", "1 file", "0 files".
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
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

    #[test]
    fn names_do_not_command_the_terminal() {
        let check = |name: &str, want: &str| assert_eq!(printable(name), want);
        check("Füße – 足.mp3", "Füße – 足.mp3");
        check("a\u{1b}[31mb\u{7}", "a\\u{1b}[31mb\\u{7}");
        check("two\nlines\u{9b}", "two\\nlines\\u{9b}");
        check("gpj.\u{202e}3pm", "gpj.\\u{202e}3pm");
    }

    #[test]
    fn times_are_rounded_before_they_are_split() {
        let check = |seconds: f64, want: &str| assert_eq!(time(seconds), want);
        check(0.0, "0:00.0");
        check(-0.04, "0:00.0");
        check(59.96, "1:00.0");
        check(75.43, "1:15.4");
        check(3599.99, "1:00:00.0");
        check(3723.4, "1:02:03.4");
    }

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
