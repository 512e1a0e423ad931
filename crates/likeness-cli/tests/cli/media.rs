//! Synthetic media: seeded music and moving pictures, rich enough to be told apart.

use std::f64::consts::TAU;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Samples per second of the music.
const RATE: u32 = 22_050;
/// The pictures' size and frames per second.
const WIDTH: usize = 320;
const HEIGHT: usize = 240;
const FPS: usize = 12;

/// SplitMix64: small, seeded, good enough for test material.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A piece of music nobody has heard: a melody, chords, a bass and drums in a random key, mode
/// and tempo. No two seeds share notes.
pub(crate) fn music(seed: u64, seconds: f64) -> Vec<f32> {
    let mut random = Random(seed.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let mut out = vec![0.0; (seconds * f64::from(RATE)) as usize];
    let mode = random.choose(&[
        [0, 2, 4, 5, 7, 9, 11],
        [0, 2, 3, 5, 7, 8, 10],
        [0, 2, 3, 5, 7, 9, 10],
    ]);
    let key = 48.0 + random.unit() * 12.0;
    let beat = 60.0 / (80.0 + 80.0 * random.unit());
    let pitch = |degree: usize, octave: f64| key + 12.0 * octave + f64::from(mode[degree % 7]);
    let mut at = 0.0;
    while at < seconds {
        let degree = random.below(7);
        let length = beat * random.choose(&[0.5, 0.5, 1.0, 1.0, 1.5]);
        tone(
            &mut out,
            at,
            length * 1.2,
            pitch(degree, random.choose(&[1.0, 1.0, 2.0])),
            0.25,
        );
        if random.unit() < 0.5 {
            tone(&mut out, at, length * 2.0, pitch(degree + 2, 1.0), 0.12);
            tone(&mut out, at, length * 2.0, pitch(degree + 4, 0.0), 0.12);
        }
        if random.unit() < 0.6 {
            tone(&mut out, at, length, pitch(random.below(7), -1.0), 0.2);
        }
        if random.unit() < 0.7 {
            drum(&mut out, &mut random, at);
        }
        at += length;
    }
    out
}

/// A note with decaying harmonics; `note` as in MIDI.
fn tone(out: &mut [f32], start: f64, length: f64, note: f64, level: f64) {
    let frequency = 440.0 * 2f64.powf((note - 69.0) / 12.0);
    let first = (start * f64::from(RATE)) as usize;
    let count = (length * f64::from(RATE)) as usize;
    for (i, sample) in out.iter_mut().skip(first).take(count).enumerate() {
        let t = i as f64 / f64::from(RATE);
        let envelope = (t * 200.0).min(1.0) * (-3.0 * t / length).exp() * level;
        let value: f64 = (1..=5)
            .map(|k| (TAU * frequency * f64::from(k) * t).sin() / f64::from(k * k).powf(0.7))
            .sum();
        *sample += (value * envelope) as f32;
    }
}

fn drum(out: &mut [f32], random: &mut Random, start: f64) {
    let first = (start * f64::from(RATE)) as usize;
    let count = RATE as usize / 12;
    for (i, sample) in out.iter_mut().skip(first).take(count).enumerate() {
        let envelope = (-(i as f64) / f64::from(RATE) * 60.0).exp();
        *sample += ((random.unit() - 0.5) * 0.4 * envelope) as f32;
    }
}

/// Writes 16-bit mono PCM.
pub(crate) fn write_wav(path: &Path, samples: &[f32]) {
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|s| ((s.clamp(-1.0, 1.0) * 32_000.0) as i16).to_le_bytes())
        .collect();
    let mut wav = Vec::with_capacity(44 + data.len());
    let size = data.len() as u32;
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + size).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    wav.extend_from_slice(&1u16.to_le_bytes());
    wav.extend_from_slice(&1u16.to_le_bytes());
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(RATE * 2).to_le_bytes());
    wav.extend_from_slice(&2u16.to_le_bytes());
    wav.extend_from_slice(&16u16.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&size.to_le_bytes());
    wav.extend_from_slice(&data);
    std::fs::write(path, wav).unwrap();
}

/// A scene's textured shape that moves.
struct Shape {
    at: (f64, f64),
    velocity: (f64, f64),
    size: (f64, f64),
    texture: u64,
    tone: f64,
}

/// Writes a silent film of scenes of two to four seconds: a textured backdrop that pans, and
/// textured shapes that move over it.
pub(crate) fn write_film(path: &Path, seed: u64, seconds: f64) {
    let size = format!("{WIDTH}x{HEIGHT}");
    let rate = FPS.to_string();
    let mut encoder = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray"])
        .args(["-video_size", &size, "-framerate", &rate, "-i", "-"])
        .args([
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ])
        .args(["-movflags", "+faststart"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = encoder.stdin.take().unwrap();
    let mut random = Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let frames = (seconds * FPS as f64) as usize;
    let mut written = 0;
    while written < frames {
        let count = (FPS * 2 + random.below(FPS * 2)).min(frames - written);
        let backdrop = (random.next(), random.unit() * 40.0 - 20.0);
        let shapes: Vec<Shape> = (0..4).map(|_| shape(&mut random)).collect();
        for frame in 0..count {
            let picture = draw(backdrop, &shapes, frame as f64 / FPS as f64);
            pipe.write_all(&picture).unwrap();
        }
        written += count;
    }
    drop(pipe);
    assert!(encoder.wait().unwrap().success());
}

fn shape(random: &mut Random) -> Shape {
    let mut within = |low: f64, high: f64| low + random.unit() * (high - low);
    Shape {
        at: (
            within(0.1, 0.7) * WIDTH as f64,
            within(0.1, 0.7) * HEIGHT as f64,
        ),
        velocity: (within(-40.0, 40.0), within(-30.0, 30.0)),
        size: (within(40.0, 110.0), within(40.0, 90.0)),
        tone: within(-60.0, 60.0),
        texture: random.next(),
    }
}

fn draw(backdrop: (u64, f64), shapes: &[Shape], time: f64) -> Vec<u8> {
    let mut picture = Vec::with_capacity(WIDTH * HEIGHT);
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            let (x, y) = (column as f64, row as f64);
            let mut value = 100.0 + texture(backdrop.0, x + backdrop.1 * time, y);
            for shape in shapes {
                let left = x - shape.at.0 - shape.velocity.0 * time;
                let top = y - shape.at.1 - shape.velocity.1 * time;
                if (0.0..shape.size.0).contains(&left) && (0.0..shape.size.1).contains(&top) {
                    value = 128.0 + shape.tone + texture(shape.texture, left, top);
                }
            }
            picture.push(value.clamp(0.0, 255.0) as u8);
        }
    }
    picture
}

/// Value noise at two scales, about -70..70.
fn texture(seed: u64, x: f64, y: f64) -> f64 {
    45.0 * noise(seed, x / 24.0, y / 24.0) + 25.0 * noise(seed ^ 0xABCD, x / 7.0, y / 7.0)
}

/// Smooth noise in -1..1 between random values at whole coordinates.
fn noise(seed: u64, x: f64, y: f64) -> f64 {
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let corner = |i: f64, j: f64| {
        let cell = (i as i64 as u64).wrapping_mul(0x9E37_79B9) ^ (j as i64 as u64) << 32;
        Random(seed ^ cell).unit() * 2.0 - 1.0
    };
    let (i, j) = (x.floor(), y.floor());
    let (u, v) = (smooth(x - i), smooth(y - j));
    let upper = corner(i, j) * (1.0 - u) + corner(i + 1.0, j) * u;
    let lower = corner(i, j + 1.0) * (1.0 - u) + corner(i + 1.0, j + 1.0) * u;
    upper * (1.0 - v) + lower * v
}

/// Runs FFmpeg on `input` with `options`, which stand before the output's path.
pub(crate) fn ffmpeg(input: &Path, options: &[&str], output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(input)
        .args(options)
        .arg(output)
        .status()
        .unwrap();
    assert!(status.success(), "ffmpeg {options:?}");
}
