//! Synthetic sounds and pictures that resemble a lot and are copies of nothing: what a careless
//! matcher accuses.

use super::songs;
use crate::corpus::Split;
use likeness_audio::{AudioConfig, AudioExtractor};
use likeness_core::{Density, Fingerprint, LumaFrame, PcmBlock, StreamState};
use likeness_distort::Random;
use likeness_video::VideoExtractor;
use std::f64::consts::TAU;
use std::ops::Range;

/// Seconds of each.
const SECONDS: f64 = 90.0;
/// Pictures: size, and frames a second.
const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const FPS: f64 = 10.0;
/// The kinds of sound.
pub(super) const SOUNDS: [&str; 8] = [
    "silence",
    "hum",
    "metronome",
    "white noise",
    "pink noise",
    "test tone",
    "sweep",
    "song",
];
/// The kinds of picture.
pub(super) const PICTURES: [&str; 9] = [
    "black",
    "snow",
    "test card",
    "slides",
    "credits",
    "fades",
    "screen saver",
    "title card",
    "background",
];

/// The versions of a kind, from the first on: of songs, which resemble each other most, many, and others on each split;
/// of the rest three, the same on both.
pub(super) fn versions(kind: &str, split: Split) -> Range<u64> {
    match (kind, split) {
        ("song", Split::Dev) => 0..40,
        ("song", Split::Test) => 40..80,
        _ => 0..3,
    }
}

/// How many of them are references.
pub(super) fn references(kind: &str) -> usize {
    if kind == "song" { 10 } else { 1 }
}

/// The fingerprint of one version of a kind, dense.
pub(super) fn fingerprint(kind: &str, version: u64) -> Fingerprint {
    let mut random = Random::new(version, kind);
    let picture = PICTURES.contains(&kind);
    let mut content = [0; 32];
    content
        .iter_mut()
        .for_each(|byte| *byte = random.next_u64() as u8);
    Fingerprint {
        content,
        duration: SECONDS,
        density: Density::Query,
        audio: match picture {
            true => StreamState::Absent,
            false => {
                let mut extractor = AudioExtractor::new(Density::Query);
                extractor.push(PcmBlock::mono(&sound(kind, &mut random)));
                extractor.finish()
            }
        },
        video: match picture {
            false => StreamState::Absent,
            true => {
                let mut extractor = VideoExtractor::new(Density::Query);
                film((kind, version), &mut random, &mut |frame| {
                    extractor.push(frame)
                });
                extractor.finish()
            }
        },
    }
}

fn sound(kind: &str, random: &mut Random) -> Vec<f32> {
    let rate = f64::from(AudioConfig::default().sample_rate);
    if kind == "song" {
        return songs::song(random, SECONDS, rate);
    }
    let count = (SECONDS * rate) as usize;
    let hum = [50.0, 60.0, 100.0][random.index(3)] * random.between(0.995, 1.005);
    let tone = random.between(300.0, 2000.0);
    let beat = 60.0 / random.between(60.0, 180.0).round();
    let click = random.between(800.0, 2500.0);
    let (lowest, octave) = (random.between(150.0, 330.0), random.between(1.5, 3.5));
    let mut pink = [0.0; 3];
    let mut sample = |i: usize| {
        let t = i as f64 / rate;
        let white = random.between(-1.0, 1.0);
        match kind {
            // What a sound card hears of nothing: the last bit.
            "silence" => (white * 1.2).round() / 32768.0,
            "hum" => {
                let partial = |k: f64| (TAU * hum * k * t).sin() / k;
                let partials = [1.0, 2.0, 3.0, 5.0, 7.0, 9.0, 11.0].map(partial);
                0.2 * partials.iter().sum::<f64>() + 0.002 * white
            }
            "metronome" => {
                let (number, since) = ((t / beat) as u64, t % beat);
                let hz = if number.is_multiple_of(4) {
                    click * 1.5
                } else {
                    click
                };
                0.6 * (TAU * hz * since).sin() * (-since * 60.0).exp() + 0.0005 * white
            }
            "white noise" => 0.3 * white,
            "pink noise" => {
                // Paul Kellet's filter, the short form.
                pink[0] = 0.99765 * pink[0] + white * 0.0990460;
                pink[1] = 0.96300 * pink[1] + white * 0.2965164;
                pink[2] = 0.57000 * pink[2] + white * 1.0526913;
                0.1 * (pink.iter().sum::<f64>() + white * 0.1848)
            }
            "test tone" => 0.4 * (TAU * tone * t).sin() * f64::from(t % 4.0 < 3.0),
            // An octave every few seconds, four octaves up and down again.
            _ => {
                let period = 8.0 * octave;
                let phase = (t % period - period / 2.0).abs();
                // The integral of a frequency that doubles every `octave` seconds.
                let turns = lowest * (phase / octave).exp2() * octave / std::f64::consts::LN_2;
                0.4 * (TAU * turns).sin()
            }
        }
    };
    (0..count).map(|i| sample(i) as f32).collect()
}

/// Shades of a page of text: lines of words, drawn by lot.
struct Page {
    marks: Vec<u8>,
    rows: usize,
}

impl Page {
    fn new(rows: usize, random: &mut Random) -> Page {
        let mut marks = vec![235; WIDTH * rows];
        for line in (14..rows.saturating_sub(8)).step_by(12) {
            let end = random.index(WIDTH / 2) + WIDTH / 3;
            let mut x = 20;
            while x < end {
                let word = 6 + random.index(30);
                for y in line..line + 6 {
                    for at in x..(x + word).min(WIDTH - 20) {
                        // Letters, more or less.
                        let ink = (at * 7 + y * 13 + random.index(3)) % 5 < 3;
                        marks[y * WIDTH + at] = if ink { 40 } else { 235 };
                    }
                }
                x += word + 5;
            }
        }
        Page { marks, rows }
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        self.marks[y % self.rows * WIDTH + x]
    }
}

fn film((kind, version): (&str, u64), random: &mut Random, sink: &mut dyn FnMut(LumaFrame<'_>)) {
    let long = Page::new(HEIGHT * 6, random);
    // The same in every version.
    let shared = Page::new(HEIGHT, &mut Random::new(0, kind));
    // Drawn by lot alone, two versions may be one film.
    let turns = 0.5 + 0.5 * version as f64 + random.between(0.0, 0.3);
    let bars = 5 + random.index(6);
    let clock = [random.index(200) as f64, random.index(120) as f64];
    let mut page = Page::new(HEIGHT, random);
    let (mut place, mut speed) = (
        [60.0, 40.0],
        [random.between(20.0, 60.0), random.between(15.0, 40.0)],
    );
    let seconds_a_page = random.between(4.0, 9.0);
    let mut pixels = vec![0u8; WIDTH * HEIGHT];
    for i in 0..(SECONDS * FPS) as usize {
        let time = i as f64 / FPS;
        if time % seconds_a_page < 1.0 / FPS {
            page = Page::new(HEIGHT, random);
        }
        let limits = [WIDTH as f64 - 50.0, HEIGHT as f64 - 30.0];
        for ((at, speed), limit) in place.iter_mut().zip(&mut speed).zip(limits) {
            *at += *speed / FPS;
            if !(0.0..limit).contains(at) {
                *speed = -*speed;
            }
        }
        let fade = 128.0 + 100.0 * (time * TAU / seconds_a_page).sin();
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let (x, y) = (at % WIDTH, at / WIDTH);
            let within = |left: f64, top: f64, width: f64, height: f64| {
                let (dx, dy) = (x as f64 - left, y as f64 - top);
                (0.0..width).contains(&dx) && (0.0..height).contains(&dy)
            };
            *pixel = match kind {
                "black" => 16 + (random.next_u64() % 3) as u8,
                "snow" => random.next_u64() as u8,
                // Bars, and a clock that runs, each card its own.
                "test card" => match within(clock[0], clock[1], 40.0, 40.0) {
                    true => {
                        if (time as usize + x / 4 + y / 4) % 10 < 5 {
                            220
                        } else {
                            30
                        }
                    }
                    false => 16 + (x * bars / WIDTH * 24) as u8,
                },
                "slides" => page.at(x, y),
                // Five seconds of the same card every half a minute, before other slides.
                "title card" if time % 30.0 < 5.0 => shared.at(x, y),
                "title card" => page.at(x, y),
                // The same studio wall; what turns before it differs.
                "background" if !within(90.0, 50.0, 140.0, 80.0) => shared.at(x, y),
                "background" => {
                    let angle = time * turns;
                    let along = x as f64 * angle.cos() + y as f64 * angle.sin();
                    (128.0 + 90.0 * (along / (4.0 + 6.0 * turns)).sin()) as u8
                }
                "credits" => 255 - long.at(x, y + (time * 20.0) as usize),
                "fades" => fade as u8,
                _ => match within(place[0], place[1], 50.0, 30.0) {
                    true => 120 + ((x ^ y) % 32) as u8 * 4,
                    false => 16,
                },
            };
        }
        sink(LumaFrame {
            data: &pixels,
            width: WIDTH,
            height: HEIGHT,
            stride: WIDTH,
            pixel_aspect: 1.0,
            time,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_what_it_says() {
        for kind in ["hum", "metronome", "white noise", "sweep"] {
            let fingerprint = fingerprint(kind, 0);
            assert!(fingerprint.audio.analysed().is_some(), "{kind}");
        }
        for kind in ["slides", "credits", "screen saver"] {
            let fingerprint = fingerprint(kind, 0);
            assert!(fingerprint.video.analysed().is_some(), "{kind}");
        }
        assert_eq!(fingerprint("black", 0).video, StreamState::Empty);
        // Another version is another work, where there is anything to hear or see.
        for kind in SOUNDS {
            let [one, other] = [0, 1].map(|version| fingerprint(kind, version).audio);
            assert!(one == StreamState::Empty || one != other, "{kind}");
        }
        for kind in PICTURES {
            let [one, other] = [0, 1].map(|version| fingerprint(kind, version).video);
            assert!(one == StreamState::Empty || one != other, "{kind}");
        }
    }
}
