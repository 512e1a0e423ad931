//! The truth against what samples and pixels show: clicks and tones in the sound, and two marks that
//! come and go in the picture.

use super::*;
use crate::audio::load;
use crate::encode::{self, Encoded};
use crate::graph::{Pull, quoted};
use crate::mix::{RATE, Sound, frames};
use crate::recipe::{
    AudioCodec, AudioStep, Background, Encoding, Shifter, Side, Stretcher, VideoStep,
};
use ffmpeg::frame::Video;
use tempfile::TempDir;

/// The excerpts begin here in their sources, seconds.
const START: f64 = 2.0;

fn flac(path: &Path, sound: &Sound) {
    let stream = encode::audio(sound, &Encoding::default(), false).expect("encoded");
    encode::write(path, vec![stream]).expect("written");
}

/// A tone of 1 kHz, with a loud click at each of `clicks`.
fn tone(seconds: f64, clicks: &[f64]) -> Sound {
    let step = std::f64::consts::TAU * 1000.0 / f64::from(RATE);
    let mut samples: Vec<f32> = (0..frames(seconds))
        .flat_map(|i| [(0.05 * (step * i as f64).sin()) as f32; 2])
        .collect();
    for click in clicks {
        let at = frames(*click) * 2;
        for (index, sample) in samples[at..at + 2 * 88].iter_mut().enumerate() {
            *sample = if (index / 8) % 2 == 0 { 0.9 } else { -0.9 };
        }
    }
    Sound { samples }
}

/// The loudest moment within 0.3 s of `near`: the middle of the loudest 4 ms.
fn click_near(sound: &Sound, near: f64) -> f64 {
    let window = 2 * frames(0.004);
    let energy = |at: usize| -> f64 {
        let block = &sound.samples[at..at + window];
        block.iter().map(|x| f64::from(*x).powi(2)).sum()
    };
    let first = frames((near - 0.3).max(0.0)) * 2;
    let last = (frames(near + 0.3) * 2).min(sound.samples.len() - window);
    let loudest = (first..last)
        .step_by(16)
        .max_by(|a, b| energy(*a).total_cmp(&energy(*b)));
    (loudest.expect("samples") / 2) as f64 / f64::from(RATE) + 0.002
}

/// Frequency of a steady tone within a stretch, from its zero crossings.
fn hertz(sound: &Sound, from: f64, to: f64) -> f64 {
    let left: Vec<f32> = sound.samples[frames(from) * 2..frames(to) * 2]
        .iter()
        .step_by(2)
        .copied()
        .collect();
    let rising: Vec<usize> = (1..left.len())
        .filter(|i| left[i - 1] < 0.0 && left[*i] >= 0.0)
        .collect();
    let spanned = (rising[rising.len() - 1] - rising[0]) as f64 / f64::from(RATE);
    (rising.len() - 1) as f64 / spanned
}

struct Heard {
    sound: Sound,
    truth: Truth,
}

fn hear(source: &Sound, steps: Vec<AudioStep>, encode: Encoding) -> Heard {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("source.flac");
    flac(&path, source);
    let other = folder.path().join("other.flac");
    let mut hum = tone(20.0, &[]);
    hum.samples.iter_mut().for_each(|x| *x *= 0.2);
    flac(&other, &hum);
    let materials = Materials {
        voice: Some(&other),
        music: Some(&other),
        ..Materials::default()
    };
    let recipe = Recipe {
        audio: Some(steps),
        video: None,
        encode,
    };
    let job = Job {
        source: &path,
        start: START,
        seconds: 10.0,
        recipe: &recipe,
        materials: &materials,
        random: Random::new(1, "test"),
    };
    let (file, truths) = render(&job, folder.path(), "query").expect("rendered");
    Heard {
        sound: load(&file, 0.0, 1e4).expect("decoded"),
        truth: truths[0].clone(),
    }
}

/// Clicks must lie where the truth says, within `tolerance` seconds.
fn check_clicks(step: AudioStep, tolerance: f64) {
    let clicks = [4.0, 7.0, 9.5];
    let name = format!("{step:?}");
    let heard = hear(&tone(20.0, &clicks), vec![step], Encoding::default());
    let truth = &heard.truth;
    for click in clicks {
        let expected = truth.query_start + (click - truth.reference_start) / truth.speed;
        if expected > truth.query_end - 0.5 {
            continue;
        }
        let found = click_near(&heard.sound, expected);
        let error = found - expected - 0.002;
        assert!(
            error.abs() <= tolerance,
            "{name}: click at {found:.4}, not {expected:.4}"
        );
    }
}

#[test]
fn the_time_map_of_sound_is_what_is_heard() {
    for factor in [0.75, 0.95, 1.05, 1.3] {
        check_clicks(AudioStep::Speed { factor }, 0.004);
        for stretcher in [Stretcher::Atempo, Stretcher::Rubberband] {
            check_clicks(AudioStep::Tempo { factor, stretcher }, 0.03);
        }
    }
    for semitones in [-5.0, 2.0, 6.0] {
        for shifter in [Shifter::Rubberband, Shifter::Resample] {
            check_clicks(AudioStep::Pitch { semitones, shifter }, 0.03);
        }
    }
    for step in [
        AudioStep::Noise { snr_db: 10.0 },
        AudioStep::Voice { snr_db: 5.0 },
        AudioStep::Music { snr_db: 3.0 },
        AudioStep::Equaliser { gain_db: 12.0 },
        AudioStep::Band {
            low_hz: 300.0,
            high_hz: 3400.0,
        },
        AudioStep::Reverb {
            seconds: 0.8,
            wet: 0.3,
        },
        AudioStep::Compress { ratio: 12.0 },
        AudioStep::Fade { seconds: 1.0 },
        AudioStep::Inside {
            before: 7.0,
            after: 5.0,
        },
    ] {
        check_clicks(step, 0.005);
    }
}

#[test]
fn removing_the_centre_keeps_the_sides_and_their_times() {
    // The tone is the same on both sides; the clicks are on the left only.
    let clicks = [4.0, 7.0];
    let (mut sound, middle) = (tone(20.0, &clicks), tone(20.0, &[]));
    for (both, middle) in sound.samples.chunks_mut(2).zip(middle.samples.chunks(2)) {
        both[1] = middle[1];
    }
    let heard = hear(&sound, vec![AudioStep::RemoveCentre], Encoding::default());
    for click in clicks {
        let error = click_near(&heard.sound, click - START) - (click - START) - 0.002;
        assert!(error.abs() < 0.005, "{error:+.4} s");
    }
    let quiet = &heard.sound.samples[frames(3.0) * 2..frames(4.0) * 2];
    assert!(quiet.iter().all(|x| x.abs() < 0.01), "the middle is left");
}

#[test]
fn the_pitch_is_what_is_heard() {
    let check = |step: AudioStep| {
        let name = format!("{step:?}");
        let heard = hear(&tone(20.0, &[]), vec![step], Encoding::default());
        let pitch = heard.truth.pitch_semitones.expect("sound has a pitch");
        let found = 12.0 * (hertz(&heard.sound, 3.0, 7.0) / 1000.0).log2();
        assert!(
            (found - pitch).abs() < 0.02,
            "{name}: {found:.3} semitones, not {pitch:.3}"
        );
    };
    for factor in [0.75, 0.95, 1.05, 1.3] {
        check(AudioStep::Speed { factor });
        check(AudioStep::Tempo {
            factor,
            stretcher: Stretcher::Atempo,
        });
        check(AudioStep::Tempo {
            factor,
            stretcher: Stretcher::Rubberband,
        });
    }
    for semitones in [-5.0, 0.5, 2.0, 6.0] {
        check(AudioStep::Pitch {
            semitones,
            shifter: Shifter::Rubberband,
        });
        check(AudioStep::Pitch {
            semitones,
            shifter: Shifter::Resample,
        });
    }
}

#[test]
fn codecs_do_not_shift_time() {
    for (codec, kbps) in [
        (AudioCodec::Flac, 192),
        (AudioCodec::Mp3, 128),
        (AudioCodec::Mp3, 16),
        (AudioCodec::Aac, 96),
        (AudioCodec::Opus, 24),
    ] {
        let clicks = [4.0, 7.0];
        let encoding = Encoding {
            codec,
            kbps,
            ..Encoding::default()
        };
        let heard = hear(&tone(20.0, &clicks), Vec::new(), encoding);
        for click in clicks {
            let found = click_near(&heard.sound, click - START) - 0.002;
            let error = found - (click - START);
            assert!(error.abs() < 0.012, "{codec:?} {kbps}: {error:+.4} s");
        }
    }
}

#[test]
fn names_of_sound_follow_from_the_steps() {
    use likeness_core::report::DistortionKind::{Excerpt, Pitch, Speed, Tempo};
    let check = |steps: Vec<AudioStep>, kinds: &[_]| {
        let heard = hear(&tone(20.0, &[]), steps, Encoding::default());
        assert_eq!(heard.truth.kinds, kinds);
    };
    let stretcher = Stretcher::Atempo;
    check(vec![], &[]);
    check(vec![AudioStep::Speed { factor: 1.05 }], &[Speed]);
    check(
        vec![AudioStep::Tempo {
            factor: 1.05,
            stretcher,
        }],
        &[Tempo],
    );
    let pitch = AudioStep::Pitch {
        semitones: 2.0,
        shifter: Shifter::Resample,
    };
    check(vec![pitch.clone()], &[Pitch]);
    check(
        vec![
            AudioStep::Tempo {
                factor: 1.05,
                stretcher,
            },
            pitch,
        ],
        &[Tempo, Pitch],
    );
    check(
        vec![AudioStep::Inside {
            before: 9.0,
            after: 9.0,
        }],
        &[Excerpt],
    );
}

/// Centres of the white and the black mark in the source's picture, fractions.
const MARKS: [[f64; 2]; 2] = [[0.3, 0.3], [0.7, 0.7]];
/// When the marks come, on the source's clock; a frame boundary at 25 a second.
const COMES: f64 = 6.0;

/// A grey picture on which a white and a black mark come at `COMES` and stay.
fn marked() -> Encoded {
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
struct Seen {
    width: usize,
    height: usize,
    frames: Vec<(f64, Vec<u8>)>,
    truth: Truth,
}

fn see(steps: Vec<VideoStep>) -> Seen {
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
    let encode = Encoding {
        crf: 10,
        ..Encoding::default()
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

fn watch(file: &Path, truth: Truth) -> Seen {
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
    /// When the picture changes most from one frame to the next.
    fn change(&self) -> f64 {
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

    fn expected_change(&self) -> f64 {
        self.truth.query_start + (COMES - self.truth.reference_start) / self.truth.speed
    }
}

/// The marks must come when the truth says, and lie where it says, to two pixels.
fn check_picture(steps: Vec<VideoStep>, swapped: bool) {
    let name = format!("{steps:?}");
    let seen = see(steps);
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
        VideoStep::Blur { sigma: 4.0 },
        VideoStep::Noise { strength: 10 },
    ] {
        check_picture(vec![step], false);
    }
    check_picture(vec![VideoStep::Invert], true);
}

#[test]
fn the_time_map_of_pictures_is_what_is_seen() {
    for step in [
        VideoStep::Speed { factor: 1.1 },
        VideoStep::Speed { factor: 0.9 },
        VideoStep::FrameRate { fps: 12.0 },
        VideoStep::Drop { every: 9 },
        VideoStep::Inside {
            before: 3.0,
            after: 2.0,
        },
    ] {
        let name = format!("{step:?}");
        let seen = see(vec![step, VideoStep::Caption, VideoStep::Lines]);
        // The join with another work changes more than the marks do.
        let (start, end) = (seen.truth.query_start, seen.truth.query_end);
        let inner = Seen {
            frames: seen
                .frames
                .iter()
                .filter(|(time, _)| *time > start + 0.3 && *time < end - 0.3)
                .cloned()
                .collect(),
            ..seen
        };
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
    let seen = see(vec![VideoStep::Boxes { share: 0.2 }]);
    let first = &seen.frames[0].1;
    let black = first.iter().filter(|luma| **luma < 40).count();
    let share = black as f64 / first.len() as f64;
    assert!((share - 0.2).abs() < 0.01, "{share}");
}

#[test]
fn the_same_seed_gives_the_same_file() {
    let make = || {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("source.mp4");
        encode::write(&path, vec![marked()]).expect("written");
        let steps = vec![
            VideoStep::Noise { strength: 8 },
            VideoStep::Inset {
                size: 0.5,
                background: Background::Pattern,
                x: None,
                y: None,
            },
        ];
        let recipe = Recipe {
            audio: None,
            video: Some(steps),
            encode: Encoding::default(),
        };
        let materials = Materials::default();
        let random = Random::new(9, "same");
        let job = Job {
            source: &path,
            start: 1.0,
            seconds: 2.0,
            recipe: &recipe,
            materials: &materials,
            random,
        };
        let (file, _) = render(&job, folder.path(), "query").expect("rendered");
        std::fs::read(file).expect("read")
    };
    assert!(make() == make());
}

#[test]
fn what_cannot_be_done_says_why() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("silent.flac");
    flac(
        &path,
        &Sound {
            samples: vec![0.0; frames(5.0) * 2],
        },
    );
    let fails = |audio: Option<Vec<AudioStep>>, start: f64| {
        let recipe = Recipe {
            audio,
            video: None,
            encode: Encoding::default(),
        };
        let materials = Materials::default();
        let random = Random::new(1, "");
        let job = Job {
            source: &path,
            start,
            seconds: 2.0,
            recipe: &recipe,
            materials: &materials,
            random,
        };
        let error = render(&job, folder.path(), "query").expect_err("impossible");
        error.to_string()
    };
    assert!(fails(Some(vec![]), 0.0).contains("nothing between"));
    assert!(fails(Some(vec![]), 99.0).contains("nothing between"));
    let loud = folder.path().join("silent.flac");
    flac(&loud, &tone(5.0, &[]));
    assert!(fails(Some(vec![AudioStep::Speed { factor: 9.0 }]), 0.0).contains("speed"));
    assert!(fails(Some(vec![AudioStep::Voice { snr_db: 0.0 }]), 0.0).contains("voice"));
    assert!(fails(Some(vec![AudioStep::RemoveCentre]), 0.0).contains("nothing between"));
}
