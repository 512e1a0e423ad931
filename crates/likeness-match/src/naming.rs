//! Names of disguises, derived from the measured transforms.

use crate::found::{Found, PictureContext, Surroundings};
use likeness_core::Rect;
use likeness_core::report::{Distortion, DistortionKind, Media, Segment};
use likeness_core::video::Thumbnails;
use std::f64::consts::FRAC_PI_4;

/// Speed changes below this ratio are within the measurement's error.
const SPEED_TOLERANCE_AUDIO: f64 = 0.004;
/// The same for video, whose clock is a coarser one.
const SPEED_TOLERANCE_VIDEO: f64 = 0.012;
/// Pitch differences below this many semitones are within the measurement's error.
const PITCH_TOLERANCE: f64 = 0.12;
/// Rotations below this many degrees are within the measurement's error.
const ROTATION_TOLERANCE: f64 = 1.5;
/// An edge of a rectangle this close to the picture's edge lies on it.
const EDGE_TOLERANCE: f64 = 0.025;
/// An edge inside the query's picture is measured from thumbnails, to this many of their pixels.
const EDGE_PIXELS: f64 = 0.75;
/// How much of a turned picture's edge leaves the frame, in sines of the angle.
const TURNED_EDGE: f64 = 0.4;
/// A query with less than this share of foreign material is not called an excerpt...
const EXCERPT_SHARE: f64 = 0.15;
/// ...nor one with fewer seconds of it.
const EXCERPT_SECONDS: f64 = 3.0;
/// Less than this share of a copy covered is not called an overlay. Of a small copy more is asked for: this share
/// divided by its side (the root of its area in the query). Its outermost pixels show what lies around it, and the
/// smaller it is, the more of its pixels are outermost. So a caption on a copy of half the size must cover 8 % of it.
const OVERLAY_SHARE: f64 = 0.04;

/// Names what was done to the reference to make the query, strongest evidence first.
///
/// `query_duration` is in seconds. Values are in the units that [`Distortion`] documents; `detail` is
/// for people.
pub fn distortions(found: &Found, query_duration: f64) -> Vec<Distortion> {
    let Some(longest) = found
        .segments
        .iter()
        .max_by(|a, b| length(a).total_cmp(&length(b)))
    else {
        return Vec::new();
    };
    let mut names = match found.media {
        Media::Audio => sound(longest),
        Media::Video => picture(longest, found.picture),
    };
    names.extend(excerpt(found, query_duration));
    names
}

fn length(segment: &Segment) -> f64 {
    segment.query_end - segment.query_start
}

fn named(kind: DistortionKind, value: f64, detail: String) -> Distortion {
    Distortion {
        kind,
        value: Some(value),
        detail: Some(detail),
    }
}

/// "plays 5.0 % faster".
fn pace(speed: f64) -> String {
    let word = if speed > 1.0 { "faster" } else { "slower" };
    format!("plays {:.1} % {word}", (speed - 1.0).abs() * 100.0)
}

/// "sounds 2.0 semitones higher".
fn shift(pitch: f64) -> String {
    let word = if pitch > 0.0 { "higher" } else { "lower" };
    format!("sounds {:.2} semitones {word}", pitch.abs())
}

fn sound(segment: &Segment) -> Vec<Distortion> {
    let speed = segment.speed;
    let pitch = segment.pitch_semitones.unwrap_or(0.0);
    let following = 12.0 * speed.log2();
    let paced = (speed - 1.0).abs() > SPEED_TOLERANCE_AUDIO;
    let follows = (pitch - following).abs();
    match (paced, pitch.abs() > PITCH_TOLERANCE) {
        (true, _) if follows <= PITCH_TOLERANCE && follows < pitch.abs() => {
            let detail = format!("{}, pitch follows", pace(speed));
            vec![named(DistortionKind::Speed, speed, detail)]
        }
        (true, false) => {
            vec![named(
                DistortionKind::Tempo,
                speed,
                format!("{}, pitch kept", pace(speed)),
            )]
        }
        (true, true) => vec![
            named(DistortionKind::Tempo, speed, pace(speed)),
            named(DistortionKind::Pitch, pitch, shift(pitch)),
        ],
        (false, true) => {
            vec![named(
                DistortionKind::Pitch,
                pitch,
                format!("{}, pace kept", shift(pitch)),
            )]
        }
        (false, false) => Vec::new(),
    }
}

fn picture(segment: &Segment, context: Option<PictureContext>) -> Vec<Distortion> {
    let mut names = Vec::new();
    if (segment.speed - 1.0).abs() > SPEED_TOLERANCE_VIDEO {
        names.push(named(
            DistortionKind::Speed,
            segment.speed,
            pace(segment.speed),
        ));
    }
    if segment.mirrored == Some(true) {
        let detail = Some("flipped left to right".to_owned());
        names.push(Distortion {
            kind: DistortionKind::Mirror,
            value: None,
            detail,
        });
    }
    if let Some(angle) = segment
        .rotation_degrees
        .filter(|a| a.abs() > ROTATION_TOLERANCE)
    {
        let way = if angle > 0.0 {
            "clockwise"
        } else {
            "counter-clockwise"
        };
        let detail = format!("turned {:.1} degrees {way}", angle.abs());
        names.push(named(DistortionKind::Rotation, angle, detail));
    }
    let turn = segment.rotation_degrees.unwrap_or(0.0).to_radians();
    let rects = segment.reference_rect.zip(segment.query_rect);
    let mirrored = segment.mirrored == Some(true);
    names.extend(rects.and_then(|rects| crop(rects, mirrored, turn)));
    names.extend(
        segment
            .query_rect
            .and_then(|rect| surroundings(rect, context)),
    );
    let side = segment.query_rect.map_or(1.0, |rect| rect.area().sqrt());
    let covered = context.map(|context| context.covered);
    if let Some(covered) = covered.filter(|covered| covered * side > OVERLAY_SHARE) {
        let detail = format!("{:.0} % of the picture covered", covered * 100.0);
        names.push(named(DistortionKind::Overlay, covered, detail));
    }
    names
}

/// How much lies beyond each edge of `rect`: `[left, top, right, bottom]`.
fn margins(rect: Rect) -> [f64; 4] {
    [rect.x0, rect.y0, 1.0 - rect.x1, 1.0 - rect.y1]
}

/// How well the margins of the reference's part `rect` are known that is shown, not mirrored, at a place of the
/// query: exactly where the query's own edge cuts, which of one that is `turned` is not asked.
fn tolerances(rect: Rect, place: Rect, turned: bool) -> [f64; 4] {
    let thumbs = Thumbnails::sparse();
    let pixel = |pixels: usize, shown: f64, size: f64| {
        let of_query = shown / size.max(1e-3);
        of_query.max(1.0) / pixels as f64
    };
    let x = pixel(thumbs.width, rect.width(), place.width());
    let y = pixel(thumbs.height, rect.height(), place.height());
    let room = margins(place);
    [0, 1, 2, 3].map(|i| match room[i] > EDGE_TOLERANCE {
        _ if turned => EDGE_TOLERANCE.max(EDGE_PIXELS * x.max(y)),
        true => EDGE_TOLERANCE.max(EDGE_PIXELS * [x, y][i % 2]),
        false => EDGE_TOLERANCE,
    })
}

/// What is not shown of the reference, of which `rect` is at `place`, turned by `turn` radians: more than turning
/// alone cuts off at each edge.
fn crop((rect, place): (Rect, Rect), mirrored: bool, turn: f64) -> Option<Distortion> {
    let lost = TURNED_EDGE * turn.sin().abs();
    let mut tolerances = tolerances(rect, place, turn.abs() > FRAC_PI_4);
    if mirrored {
        tolerances.swap(0, 2);
    }
    let margins = margins(rect).into_iter().zip(tolerances);
    let cut: Vec<String> = margins
        .zip(["left", "top", "right", "bottom"])
        .filter(|((margin, tolerance), _)| *margin > tolerance + lost)
        .map(|((margin, _), side)| format!("{side} {:.0} %", margin * 100.0))
        .collect();
    if cut.is_empty() {
        return None;
    }
    let detail = format!("cut off: {}", cut.join(", "));
    Some(named(DistortionKind::Crop, 1.0 - rect.area(), detail))
}

fn surroundings(rect: Rect, context: Option<PictureContext>) -> Option<Distortion> {
    if margins(rect).iter().all(|&margin| margin <= EDGE_TOLERANCE) {
        return None;
    }
    let size = format!(
        "picture at {:.0} % of the width and {:.0} % of the height",
        rect.width() * 100.0,
        rect.height() * 100.0
    );
    let surroundings = context.map_or(Surroundings::Static, |c| c.surroundings);
    Some(match surroundings {
        Surroundings::Moving => named(
            DistortionKind::PictureInPicture,
            rect.area(),
            format!("{size}, over a moving picture"),
        ),
        _ => named(
            DistortionKind::Border,
            rect.area(),
            format!("{size}, in a still border"),
        ),
    })
}

fn excerpt(found: &Found, query_duration: f64) -> Option<Distortion> {
    let covered = coverage(found.segments.iter().map(|s| (s.query_start, s.query_end)));
    let foreign = query_duration - covered;
    if foreign < EXCERPT_SECONDS || foreign < EXCERPT_SHARE * query_duration {
        return None;
    }
    let detail = format!("{covered:.1} s of it inside {query_duration:.1} s");
    Some(named(DistortionKind::Excerpt, covered, detail))
}

/// Seconds that the union of `spans` (start, end) covers.
pub fn coverage(spans: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut spans: Vec<(f64, f64)> = spans.collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut end = f64::NEG_INFINITY;
    let mut covered = 0.0;
    for (from, to) in spans {
        covered += (to - from.max(end)).max(0.0);
        end = end.max(to);
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_core::ReferenceId;

    fn found(media: Media, segment: Segment, picture: Option<PictureContext>) -> Found {
        Found {
            reference: ReferenceId(0),
            media,
            score: 0.9,
            false_positive_probability: 1e-9,
            segments: vec![segment],
            picture,
        }
    }

    fn segment(speed: f64) -> Segment {
        Segment {
            query_start: 0.0,
            query_end: 15.0,
            reference_start: 30.0,
            reference_end: 30.0 + 15.0 * speed,
            speed,
            score: 0.9,
            pitch_semitones: None,
            mirrored: None,
            rotation_degrees: None,
            reference_rect: None,
            query_rect: None,
            still: None,
        }
    }

    #[test]
    fn sound_is_named_from_speed_and_pitch() {
        use DistortionKind::{Pitch, Speed, Tempo};
        let check = |speed: f64, pitch: f64, want: &[DistortionKind]| {
            let segment = Segment {
                pitch_semitones: Some(pitch),
                ..segment(speed)
            };
            let names = distortions(&found(Media::Audio, segment, None), 15.0);
            let kinds: Vec<_> = names.iter().map(|d| d.kind).collect();
            assert_eq!(kinds, want, "speed {speed}, pitch {pitch}");
        };
        check(1.0, 0.0, &[]);
        check(1.002, 0.03, &[]);
        check(1.05, 0.845, &[Speed]);
        check(1.01, 0.172, &[Speed]);
        check(1.01, 0.0, &[Tempo]);
        check(0.9, 0.02, &[Tempo]);
        check(1.0, -2.0, &[Pitch]);
        check(1.0, 0.5, &[Pitch]);
        check(1.25, 3.86, &[Speed]);
        check(0.95, 3.0, &[Tempo, Pitch]);
    }

    #[test]
    fn picture_is_named_from_rectangles_and_context() {
        use DistortionKind::{Border, Crop, Mirror, Overlay, PictureInPicture, Rotation, Speed};
        let full = [0.0, 0.0, 1.0, 1.0];
        let half = [0.25, 0.25, 0.75, 0.75];
        let check = |query: [f64; 4], reference: [f64; 4], around, covered, want: &[_]| {
            let segment = Segment {
                query_rect: Some(query.into()),
                reference_rect: Some(reference.into()),
                ..segment(1.0)
            };
            let context = PictureContext {
                surroundings: around,
                covered,
            };
            let names = distortions(&found(Media::Video, segment, Some(context)), 15.0);
            let kinds: Vec<_> = names.iter().map(|d| d.kind).collect();
            assert_eq!(kinds, want);
        };
        check(full, full, Surroundings::None, 0.0, &[]);
        check(half, full, Surroundings::Static, 0.0, &[Border]);
        check(half, full, Surroundings::Moving, 0.0, &[PictureInPicture]);
        check(full, [0.0, 0.2, 1.0, 1.0], Surroundings::None, 0.0, &[Crop]);
        check(full, full, Surroundings::None, 0.2, &[Overlay]);
        // A small copy's edges are known to a part of it only, and so is what covers them.
        let bottom = [0.0, 0.0, 1.0, 0.95];
        check(half, bottom, Surroundings::Static, 0.06, &[Border]);
        check(full, bottom, Surroundings::None, 0.06, &[Crop, Overlay]);
        let low = [0.25, 0.25, 0.75, 1.0];
        check(low, bottom, Surroundings::Static, 0.0, &[Crop, Border]);

        let turned = Segment {
            mirrored: Some(true),
            rotation_degrees: Some(5.0),
            query_rect: Some(Rect::FULL),
            reference_rect: Some(Rect::FULL),
            ..segment(1.05)
        };
        let names = distortions(&found(Media::Video, turned, None), 15.0);
        let kinds: Vec<_> = names.iter().map(|d| d.kind).collect();
        assert_eq!(kinds, [Speed, Mirror, Rotation]);
    }

    #[test]
    fn a_query_that_holds_more_is_an_excerpt() {
        let check = |duration: f64, want: bool| {
            let found = found(Media::Audio, segment(1.0), None);
            let names = distortions(&found, duration);
            assert_eq!(
                names.iter().any(|d| d.kind == DistortionKind::Excerpt),
                want,
                "{duration}"
            );
        };
        check(15.0, false);
        check(17.0, false);
        check(45.0, true);
    }

    #[test]
    fn coverage_counts_overlaps_once() {
        let check = |spans: &[(f64, f64)], want: f64| {
            assert!(
                (coverage(spans.iter().copied()) - want).abs() < 1e-12,
                "{spans:?}"
            );
        };
        check(&[], 0.0);
        check(&[(0.0, 5.0), (3.0, 8.0)], 8.0);
        check(&[(6.0, 8.0), (0.0, 5.0), (1.0, 2.0)], 7.0);
    }
}
