//! Made-up inputs of realistic sizes, the same on every machine.

use likeness_core::LumaFrame;

/// Hz of the sound that the extractor takes.
pub const RATE: usize = 11_025;
/// Size of the film's frames.
pub const SIZE: (usize, usize) = (640, 360);
/// Frames a second of the film.
pub const FRAME_RATE: usize = 25;

/// A stream of numbers that look random (SplitMix64; Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Numbers(pub u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(z ^ (z >> 31))
    }
}

/// So many bytes.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    Numbers(seed)
        .take(length)
        .map(|z| (z >> 56) as u8)
        .collect()
}

/// Sound like music: four notes a second that ring out, with some noise. Full scale is 1.
pub fn music(seed: u64, seconds: usize) -> Vec<f32> {
    let mut numbers = Numbers(seed);
    let mut sound = vec![0.0f32; seconds * RATE];
    for beat in 0..seconds * 4 {
        let start = beat * RATE / 4;
        let semitones = numbers.next().unwrap_or(0) % 48;
        let hertz = 110.0 * (semitones as f32 / 12.0).exp2();
        for (i, sample) in sound[start..].iter_mut().take(RATE).enumerate() {
            let time = i as f32 / RATE as f32;
            let envelope = 0.2 * (-4.0 * time).exp();
            *sample += envelope * (std::f32::consts::TAU * hertz * time).sin();
        }
    }
    for (sample, noise) in sound.iter_mut().zip(numbers) {
        *sample += ((noise >> 40) as f32 / (1 << 24) as f32 - 0.5) * 0.01;
    }
    sound
}

/// Luma pictures of blocks of random brightness that drift to the right.
pub fn film(seed: u64, seconds: usize) -> Vec<Vec<u8>> {
    let (width, height) = SIZE;
    let blocks = bytes(seed, 64 * 64);
    let frame = |number: usize| {
        let pixel = |i: usize| {
            let (x, y) = (i % width + 3 * number, i / width);
            blocks[(y / 12) % 64 * 64 + (x / 12) % 64]
        };
        (0..width * height).map(pixel).collect()
    };
    (0..seconds * FRAME_RATE).map(frame).collect()
}

/// A picture of [`film`] as the decoder would hand it on.
pub fn frame(number: usize, picture: &[u8]) -> LumaFrame<'_> {
    LumaFrame {
        data: picture,
        width: SIZE.0,
        height: SIZE.1,
        stride: SIZE.0,
        pixel_aspect: 1.0,
        time: number as f64 / FRAME_RATE as f64,
    }
}
