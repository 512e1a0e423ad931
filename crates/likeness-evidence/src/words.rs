//! What a match means, in words.

use crate::Work;
use crate::sounds::SoundView;
use likeness_core::report::{Distortion, DistortionKind, Match, Media, Segment};
use likeness_core::text::time;
use likeness_core::{Rect, VideoFingerprint};

/// A size or place this close to a named one is called by its name.
const CLOSE: f64 = 0.025;
/// Mean luma up to which a border is called black.
const BLACK: f64 = 26.0;

/// What was done to the reference: "plays 5.0 % faster, pitch follows".
pub(crate) fn disguise(found: &Match, query: &Work) -> String {
    let named = |distortion: &Distortion| match distortion.kind {
        DistortionKind::Border | DistortionKind::PictureInPicture => {
            placed(found, distortion.kind, query.video.as_deref())
        }
        kind => match &distortion.detail {
            Some(detail) => detail.clone(),
            None => format!("{kind:?}").to_lowercase(),
        },
    };
    let words: Vec<String> = found.distortions.iter().map(named).collect();
    match words.is_empty() {
        true => "none that was measured: a plain copy".to_owned(),
        false => words.join("; "),
    }
}

/// "picture at half size, centred, in a black border".
fn placed(found: &Match, kind: DistortionKind, film: Option<&VideoFingerprint>) -> String {
    let longest = longest(found);
    let Some(rect) = longest.and_then(|segment| segment.query_rect) else {
        return "picture in a border".to_owned();
    };
    let around = match (kind, film.zip(longest)) {
        (DistortionKind::PictureInPicture, _) => "over a moving picture",
        (_, Some((film, segment))) if luma_around(film, rect, segment) <= BLACK => {
            "in a black border"
        }
        _ => "in a still border",
    };
    format!("picture at {}, {}, {around}", size(rect), place(rect))
}

fn longest(found: &Match) -> Option<&Segment> {
    let length = |s: &Segment| s.query_end - s.query_start;
    found
        .segments
        .iter()
        .max_by(|a, b| length(a).total_cmp(&length(b)))
}

fn size(rect: Rect) -> String {
    let (width, height) = (rect.width(), rect.height());
    let near = |share: f64| (width - share).abs() <= CLOSE && (height - share).abs() <= CLOSE;
    let named = [
        (0.5, "half size"),
        (1.0 / 3.0, "a third of its size"),
        (0.25, "a quarter of its size"),
    ];
    if let Some((_, name)) = named.into_iter().find(|(share, _)| near(*share)) {
        return name.to_owned();
    }
    let percent = |share: f64| (share * 100.0).round();
    match (width - height).abs() <= CLOSE {
        true => format!("{} % of its size", percent((width + height) / 2.0)),
        false => format!(
            "{} % of the width and {} % of the height",
            percent(width),
            percent(height)
        ),
    }
}

fn place(rect: Rect) -> &'static str {
    let side = |low: f64, high: f64| match (low + high) / 2.0 - 0.5 {
        off if off < -CLOSE => 0,
        off if off > CLOSE => 2,
        _ => 1,
    };
    let names = [
        ["at the top left", "at the top", "at the top right"],
        ["on the left", "centred", "on the right"],
        ["at the bottom left", "at the bottom", "at the bottom right"],
    ];
    names[side(rect.y0, rect.y1)][side(rect.x0, rect.x1)]
}

/// Mean luma of what a query shows around a rectangle, half way through a segment.
fn luma_around(film: &VideoFingerprint, rect: Rect, segment: &Segment) -> f64 {
    let thumbnails = &film.thumbnails;
    let Some(last) = thumbnails.len().checked_sub(1) else {
        return f64::MAX;
    };
    let middle = (segment.query_start + segment.query_end) / 2.0;
    let picture = thumbnails.picture(thumbnails.index(middle).min(last));
    let (width, height) = (thumbnails.width, thumbnails.height);
    let outside = |i: usize| {
        let x = ((i % width) as f64 + 0.5) / width as f64;
        let y = ((i / width) as f64 + 0.5) / height as f64;
        let slack = 1.5 / height as f64;
        x < rect.x0 - slack || x > rect.x1 + slack || y < rect.y0 - slack || y > rect.y1 + slack
    };
    let pixels = picture.iter().enumerate().filter(|(i, _)| outside(*i));
    let (count, sum) = pixels.fold((0u32, 0.0), |(n, sum), (_, &v)| (n + 1, sum + f64::from(v)));
    match count {
        0 => f64::MAX,
        n => sum / f64::from(n),
    }
}

/// "0:15.0 to 0:30.0".
pub(crate) fn stretch(start: f64, end: f64) -> String {
    format!("{} to {}", time(start), time(end))
}

/// "about 1 in 3 million".
pub(crate) fn odds(probability: f64) -> String {
    const NAMES: [(f64, &str); 5] = [
        (1e15, " quadrillion"),
        (1e12, " trillion"),
        (1e9, " billion"),
        (1e6, " million"),
        (1e3, " thousand"),
    ];
    let n = 1.0 / probability.clamp(1e-15, 1.0);
    if n >= 0.999e15 {
        return "less than 1 in a quadrillion".to_owned();
    }
    let (unit, name) = NAMES
        .into_iter()
        .find(|(unit, _)| n >= 0.9995 * unit)
        .unwrap_or((1.0, ""));
    match n / unit {
        n if n < 10.0 && (n - n.round()).abs() > 0.05 => format!("about 1 in {n:.1}{name}"),
        n => format!("about 1 in {n:.0}{name}"),
    }
}

/// How likely the match is to be chance.
pub(crate) fn probability(found: &Match) -> String {
    match found.false_positive_probability {
        Some(p) => format!(
            "A query of this length that holds nothing of this library would give a match as strong \
             by chance in {} cases (probability {p:.1e}). This says nothing of who owns what both \
             works share.",
            odds(p)
        ),
        None => format!(
            "No probability is claimed. The evidence scores {:.2}.",
            found.score
        ),
    }
}

/// What would have to be true for the match to be wrong.
pub(crate) fn doubts(found: &Match, sound: Option<&SoundView>) -> Vec<(&'static str, String)> {
    let seconds: f64 = found
        .segments
        .iter()
        .map(|s| s.query_end - s.query_start)
        .sum();
    let chance = match (found.media, sound, longest(found)) {
        (Media::Audio, Some(view), Some(segment)) => by_ear(view, segment),
        (Media::Audio, ..) => format!(
            "For {seconds:.0} seconds, notes and strokes of one work would have to fall on those of \
             the other, at one speed and one pitch, without one being a copy of the other."
        ),
        (Media::Video, _, Some(segment)) if segment.still == Some(true) => {
            "The reference is one still picture, and the query shows it throughout. Another picture with \
             corners of the same look in the same places, all over it, would have to be shown. Pictures that differ in small \
             print only are not told apart, and when and how fast the picture is shown proves nothing."
                .to_owned()
        }
        (Media::Video, ..) => format!(
            "For {seconds:.0} seconds, what moves in the outlined part of the query would have to \
             move in the same places and at the same moments as in the reference, and corners of both \
             pictures would have to agree, without one being a copy of the other."
        ),
    };
    vec![
        ("Chance", chance),
        (
            "Shared material",
            "Both works would have to use something that neither owns alone: a loop, a sample, \
             library music, a broadcast jingle, stock film. The command likeness overlaps tells which \
             references share content, and likeness exclude keeps such a stretch from making matches."
                .to_owned(),
        ),
        (
            "The name",
            "The file in the library would have to be something else than its name says, or whoever \
             uploaded the query would have to be allowed to. No fingerprint can tell."
                .to_owned(),
        ),
    ]
}

fn by_ear(view: &SoundView, segment: &Segment) -> String {
    let peaks = &view.evidence.peaks;
    let expected: usize = peaks.iter().map(|p| p.expected).sum();
    let found: usize = peaks.iter().map(|p| p.found).sum();
    let elsewhere = peaks
        .iter()
        .map(|p| p.by_time.max(p.by_pitch) * p.expected as f64)
        .sum::<f64>();
    let percent = |n: f64| n * 100.0 / expected.max(1) as f64;
    format!(
        "Of {expected} landmarks that the reference has in the longest stretch of {:.0} seconds, \
         {found} ({:.0} %) are in the query, each within 25 milliseconds and a fifth of a semitone of \
         where one speed ({:.3}) and one pitch ({:+.2} semitones) put it. At wrong moments and pitches \
         of the same two works at most {:.0} % are. All of these would have to coincide by accident.",
        segment.query_end - segment.query_start,
        percent(found as f64),
        segment.speed,
        segment.pitch_semitones.unwrap_or(0.0),
        percent(elsewhere),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_read_aloud() {
        let check = |p: f64, want: &str| assert_eq!(odds(p), want, "{p}");
        check(0.5, "about 1 in 2");
        check(0.001, "about 1 in 1 thousand");
        check(1e-6, "about 1 in 1 million");
        check(4e-7, "about 1 in 2.5 million");
        check(3e-14, "about 1 in 33 trillion");
        check(1e-15, "less than 1 in a quadrillion");
        check(0.0, "less than 1 in a quadrillion");
    }

    #[test]
    fn rectangles_have_names() {
        let check = |rect: [f64; 4], want: &str| {
            let rect = Rect::from(rect);
            assert_eq!(format!("{}, {}", size(rect), place(rect)), want);
        };
        check([0.25, 0.25, 0.75, 0.75], "half size, centred");
        check([0.3, 0.3, 0.7, 0.7], "40 % of its size, centred");
        check([0.0, 0.0, 0.5, 0.49], "half size, at the top left");
        check(
            [0.0, 0.3, 1.0, 0.7],
            "100 % of the width and 40 % of the height, centred",
        );
        check(
            [0.6, 0.2, 0.935, 0.54],
            "a third of its size, at the top right",
        );
    }
}
