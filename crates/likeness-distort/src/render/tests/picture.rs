//! Two marks that come and go in the picture.

use super::START;
use crate::encode::{self, Encoded};
use crate::graph::{Pull, quoted};
use crate::recipe::{Background, Encoding, Side, VideoStep};
use crate::render::*;
use ffmpeg::frame::Video;
use tempfile::TempDir;

/// Centres of the white and the black mark in the source's picture, fractions.
const MARKS: [[f64; 2]; 2] = [[0.3, 0.3], [0.7, 0.7]];
/// When the marks come, on the source's clock; a frame boundary at 25 a second.
pub(super) const COMES: f64 = 6.0;

/// A grey picture on which a white and a black mark come at `COMES` and stay.
pub(super) fn marked() -> Encoded {
    let marks = [("white", 160, 90), ("black", 416, 234)];
    let boxes: Vec<String> = marks
        .iter()
        .map(|(colour, x, y)| {
            format!(
                "drawbox=x={x}:y={y}:w=64:h=36:color={colour}:t=fill:enable='gte(t\\,{COMES}-0.01)'"
            )
        })
        .collect();
    let graph = format!(
        "color=c=gray:s=640x360:r=25:d=14,{},format=yuv420p,settb=1/90000[out]",
        boxes.join(",")
    );
    let encoding = Encoding {
        crf: 8,
        ..Encoding::default()
    };
    encode::video(Pull::video(&graph).expect("drawn"), &encoding)
        .expect("encoded")
        .expect("frames")
}

/// Luma pictures with their times.
pub(super) struct Seen {
    width: usize,
    height: usize,
    frames: Vec<(f64, Vec<u8>)>,
    truth: Truth,
}

fn see(steps: Vec<VideoStep>) -> Seen {
    let encode = Encoding {
        crf: 10,
        ..Encoding::default()
    };
    see_encoded(steps, encode)
}

fn see_encoded(steps: Vec<VideoStep>, encode: Encoding) -> Seen {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("source.mp4");
    encode::write(&path, vec![marked()]).expect("written");
    let still = folder.path().join("still.mp4");
    let graph = "color=c=navy:s=320x240:r=25:d=12,format=yuv420p,settb=1/90000[out]";
    let other = encode::video(Pull::video(graph).expect("drawn"), &Encoding::default());
    encode::write(&still, vec![other.expect("encoded").expect("frames")]).expect("written");
    let photo = folder.path().join("photo.png");
    image::RgbImage::from_fn(300, 300, |x, y| image::Rgb([x as u8, y as u8, 90]))
        .save(&photo)
        .expect("drawn");
    let materials = Materials {
        photo: Some(&photo),
        video: Some(&still),
        ..Materials::default()
    };
    let recipe = Recipe {
        audio: None,
        video: Some(steps),
        encode,
    };
    let job = Job {
        source: &path,
        start: START,
        seconds: 8.0,
        recipe: &recipe,
        materials: &materials,
        random: Random::new(3, "test"),
    };
    let (file, truths) = render(&job, folder.path(), "query").expect("rendered");
    watch(&file, truths[0].clone())
}

pub(super) fn watch(file: &Path, truth: Truth) -> Seen {
    let graph = format!("movie=filename={},format=gray[out]", quoted(file));
    let mut pull = Pull::video(&graph).expect("opened");
    let unit = f64::from(pull.time_base().expect("a time base"));
    let (mut frame, mut seen) = (
        Video::empty(),
        Seen {
            width: 0,
            height: 0,
            frames: Vec::new(),
            truth,
        },
    );
    while pull.next(&mut frame).expect("decoded") {
        (seen.width, seen.height) = (frame.width() as usize, frame.height() as usize);
        let rows = frame.data(0).chunks(frame.stride(0)).take(seen.height);
        let luma = rows.flat_map(|row| row[..seen.width].to_vec()).collect();
        seen.frames
            .push((frame.pts().unwrap_or(0) as f64 * unit, luma));
    }
    seen
}

impl Seen {
    /// Without the surroundings: the join with another work may change more than the marks do.
    pub(super) fn of_the_copy(self) -> Seen {
        let (start, end) = (self.truth.query_start, self.truth.query_end);
        let inside = |(time, _): &(f64, Vec<u8>)| *time > start + 0.3 && *time < end - 0.3;
        Seen {
            frames: self.frames.into_iter().filter(inside).collect(),
            ..self
        }
    }

    /// When the picture changes most from one frame to the next.
    pub(super) fn change(&self) -> f64 {
        let difference = |pair: &&[(f64, Vec<u8>)]| -> u64 {
            pair[0]
                .1
                .iter()
                .zip(&pair[1].1)
                .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
                .sum()
        };
        let pairs = self.frames.windows(2);
        pairs.max_by_key(difference).expect("two frames")[1].0
    }

    /// Centres of what became lighter and darker between `before` and `after`, fractions of the
    /// picture, looking only inside `within` (fractions).
    fn marks(&self, before: f64, after: f64, within: [f64; 4]) -> [[f64; 2]; 2] {
        let at = |time: f64| {
            let shown = self
                .frames
                .iter()
                .rev()
                .find(|(start, _)| *start <= time + 1e-3);
            &shown.unwrap_or(&self.frames[0]).1
        };
        let (old, new) = (at(before), at(after));
        let mut sums = [[0.0; 3]; 2];
        for (index, (a, b)) in old.iter().zip(new).enumerate() {
            let x = ((index % self.width) as f64 + 0.5) / self.width as f64;
            let y = ((index / self.width) as f64 + 0.5) / self.height as f64;
            let change = i32::from(*b) - i32::from(*a);
            let inside = x >= within[0] && y >= within[1] && x <= within[2] && y <= within[3];
            if inside && change.abs() > 45 {
                let sum = &mut sums[usize::from(change < 0)];
                *sum = [sum[0] + x, sum[1] + y, sum[2] + 1.0];
            }
        }
        sums.map(|[x, y, n]| [x / n, y / n])
    }

    pub(super) fn expected_change(&self) -> f64 {
        self.truth.query_start + (COMES - self.truth.reference_start) / self.truth.speed
    }
}

/// The marks must come when the truth says, and lie where it says, to two pixels.
fn check_picture(steps: Vec<VideoStep>, swapped: bool) {
    let name = format!("{steps:?}");
    check_seen(&name, &see(steps), swapped);
}

fn check_seen(name: &str, seen: &Seen, swapped: bool) {
    let expected = seen.expected_change();
    let found = seen.change();
    assert!(
        (found - expected).abs() < 0.061,
        "{name}: marks come at {found:.3}, not {expected:.3}"
    );
    let placement = seen.truth.placement.clone().expect("a picture has a place");
    if !placement.rectangular {
        return;
    }
    // Where the surroundings show the marks as well, only the copy itself is looked at.
    let echoed = placement.query_rects.len() > 1 || name.contains("Vertical");
    for rect in &placement.query_rects {
        let within = if echoed {
            (*rect).into()
        } else {
            [0.0, 0.0, 1.0, 1.0]
        };
        let mut marks = seen.marks(expected - 0.3, expected + 0.3, within);
        if swapped {
            marks.swap(0, 1);
        }
        for (mark, found) in MARKS.iter().zip(marks) {
            let source = placement.reference_rect;
            let mut x = (mark[0] - source.x0) / source.width();
            let y = (mark[1] - source.y0) / source.height();
            if placement.mirrored {
                x = 1.0 - x;
            }
            let expected = [rect.x0 + x * rect.width(), rect.y0 + y * rect.height()];
            let error = [
                (found[0] - expected[0]) * seen.width as f64,
                (found[1] - expected[1]) * seen.height as f64,
            ];
            assert!(
                error.iter().all(|pixels| pixels.abs() <= 2.0),
                "{name}: a mark lies at {found:.4?}, not {expected:.4?}"
            );
        }
    }
}

#[test]
fn places_are_what_is_seen() {
    let inset = |size, background, x, y| VideoStep::Inset {
        size,
        background,
        x,
        y,
    };
    let crop = |left, top, right, bottom| VideoStep::Crop {
        left,
        top,
        right,
        bottom,
    };
    for steps in [
        vec![],
        vec![crop(0.0, 0.2, 0.0, 0.0)],
        vec![crop(0.1, 0.0, 0.0, 0.15)],
        vec![VideoStep::Zoom { factor: 1.4 }],
        vec![inset(0.5, Background::Black, Some(0.5), Some(0.5))],
        vec![inset(0.632, Background::Pattern, None, None)],
        vec![inset(0.6, Background::Photo, Some(1.0), Some(0.0))],
        vec![inset(0.4, Background::Video, None, None)],
        vec![VideoStep::Letterbox { share: 0.25 }],
        vec![VideoStep::Vertical],
        vec![VideoStep::Mirror],
        vec![VideoStep::Stretch { factor: 1.33 }],
        vec![VideoStep::Split { side: Side::Left }],
        vec![VideoStep::Split { side: Side::Right }],
        vec![VideoStep::Mosaic],
        vec![
            VideoStep::Mirror,
            crop(0.1, 0.0, 0.0, 0.0),
            inset(0.7, Background::Black, None, None),
        ],
        vec![crop(0.0, 0.1, 0.1, 0.0), VideoStep::Mirror],
    ] {
        check_picture(steps, false);
    }
}

#[test]
fn light_changes_leave_places_and_times_alone() {
    for step in [
        VideoStep::Colour {
            gamma: 1.5,
            saturation: 0.0,
            hue: 0.0,
            brightness: 0.8,
        },
        VideoStep::Colour {
            gamma: 1.0,
            saturation: 2.0,
            hue: 90.0,
            brightness: 1.0,
        },
        VideoStep::Blur { sigma: 4.0 },
        VideoStep::Noise { strength: 10 },
    ] {
        check_picture(vec![step], false);
    }
    check_picture(vec![VideoStep::Invert], true);
}

#[test]
fn encoding_small_and_coarse_leaves_places_and_times_alone() {
    let encode = Encoding {
        crf: 33,
        height: Some(180),
        ..Encoding::default()
    };
    let steps = vec![VideoStep::Crop {
        left: 0.1,
        top: 0.1,
        right: 0.0,
        bottom: 0.0,
    }];
    let seen = see_encoded(steps, encode);
    assert_eq!(seen.height, 180);
    check_seen("encoded small", &seen, false);
}

#[test]
fn the_time_map_of_pictures_is_what_is_seen() {
    let inside = VideoStep::Inside {
        before: 3.0,
        after: 2.0,
    };
    let faster = VideoStep::Speed { factor: 1.2 };
    for steps in [
        vec![VideoStep::Speed { factor: 1.1 }],
        vec![VideoStep::Speed { factor: 0.9 }],
        vec![VideoStep::FrameRate { fps: 12.0 }],
        vec![VideoStep::Drop { every: 9 }],
        vec![inside.clone()],
        vec![inside.clone(), faster.clone()],
        vec![faster, inside],
    ] {
        let name = format!("{steps:?}");
        let seen = see([steps, vec![VideoStep::Caption, VideoStep::Lines]].concat());
        let inner = seen.of_the_copy();
        let (found, expected) = (inner.change(), inner.expected_change());
        assert!(
            (found - expected).abs() < 0.09,
            "{name}: {found:.3}, not {expected:.3}"
        );
    }
}

#[test]
fn a_rotation_turns_the_line_between_the_marks() {
    for degrees in [5.0, -15.0] {
        let seen = see(vec![VideoStep::Rotate { degrees }]);
        let change = seen.expected_change();
        let marks = seen.marks(change - 0.3, change + 0.3, [0.0, 0.0, 1.0, 1.0]);
        let angle = |a: [f64; 2], b: [f64; 2], w: f64, h: f64| {
            ((b[1] - a[1]) * h).atan2((b[0] - a[0]) * w).to_degrees()
        };
        let (w, h) = (seen.width as f64, seen.height as f64);
        let turned = angle(marks[0], marks[1], w, h) - angle(MARKS[0], MARKS[1], 640.0, 360.0);
        assert!(
            (turned - degrees).abs() < 0.5,
            "{turned} degrees, not {degrees}"
        );
        assert_eq!(
            seen.truth.placement.map(|p| p.rotation_degrees),
            Some(degrees)
        );
    }
}

#[test]
fn a_perspective_shows_the_marks_where_geometry_says() {
    let strength = 0.15;
    check_picture(vec![VideoStep::Perspective { strength }], false);
    let seen = see(vec![VideoStep::Perspective { strength }]);
    let change = seen.expected_change();
    let marks = seen.marks(change - 0.3, change + 0.3, [0.0, 0.0, 1.0, 1.0]);
    // The map that sends the unit square to one whose left side is shorter by `strength` at either
    // end, worked out from its four corners.
    let source = |[u, v]: [f64; 2]| {
        let shorter = 1.0 - 2.0 * strength;
        let depth = 1.0 - 2.0 * strength * u;
        let y = strength * (1.0 - u) + shorter * v;
        [shorter * u / depth, y / depth]
    };
    for (mark, found) in MARKS.iter().zip(marks) {
        let shown = source(found);
        for (axis, size) in [640.0, 360.0].iter().enumerate() {
            let error = (shown[axis] - mark[axis]) * size;
            assert!(error.abs() < 3.0, "{shown:.4?}, not {mark:.4?}");
        }
    }
}

#[test]
fn what_is_drawn_over_a_picture_leaves_places_and_times_alone() {
    for step in [VideoStep::Caption, VideoStep::Lines] {
        check_picture(vec![step.clone()], false);
        let name = format!("{step:?}");
        let (plain, drawn) = (see(Vec::new()), see(vec![step]));
        let pairs = plain.frames[0].1.iter().zip(&drawn.frames[0].1);
        let changed = pairs.filter(|(a, b)| a.abs_diff(**b) > 16).count();
        let share = changed as f64 / plain.frames[0].1.len() as f64;
        assert!((0.01..0.4).contains(&share), "{name} covers {share}");
    }
}

#[test]
fn boxes_cover_the_share_asked_for() {
    // So small that they leave the marks alone.
    check_picture(vec![VideoStep::Boxes { share: 0.05 }], false);
    let seen = see(vec![VideoStep::Boxes { share: 0.2 }]);
    let first = &seen.frames[0].1;
    let black = first.iter().filter(|luma| **luma < 40).count();
    let share = black as f64 / first.len() as f64;
    assert!((share - 0.2).abs() < 0.01, "{share}");
}
