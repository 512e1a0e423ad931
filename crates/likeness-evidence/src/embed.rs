//! Pictures and sounds inside of the page, as `data:` URIs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder};

/// Bits a second of sounds: for listening, not for enjoying.
const SOUND_BITS: usize = 48_000;
/// Quality of photographs, of 100.
const QUALITY: u8 = 70;

fn uri(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

/// A picture with smooth greys.
pub(crate) fn photograph(picture: &GrayImage) -> Option<String> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    let (width, height) = picture.dimensions();
    let written = encoder.write_image(picture.as_raw(), width, height, ExtendedColorType::L8);
    written.ok().map(|()| uri("image/jpeg", &bytes))
}

/// A picture of few greys or few pixels.
pub(crate) fn drawing(picture: &GrayImage) -> Option<String> {
    let mut bytes = Vec::new();
    let (best, filter) = (CompressionType::Best, FilterType::NoFilter);
    let encoder = PngEncoder::new_with_quality(&mut bytes, best, filter);
    let (width, height) = picture.dimensions();
    let written = encoder.write_image(picture.as_raw(), width, height, ExtendedColorType::L8);
    written.ok().map(|()| uri("image/png", &bytes))
}

/// A sound of one channel.
pub(crate) fn sound(samples: &[f32], rate: u32) -> String {
    match likeness_media::encode_mp3(samples, rate, SOUND_BITS) {
        Some(bytes) => uri("audio/mpeg", &bytes),
        None => uri("audio/wav", &wav(samples, rate)),
    }
}

/// Eight bits a sample and every second sample: four times the size of MP3, and needs no encoder.
fn wav(samples: &[f32], rate: u32) -> Vec<u8> {
    let data: Vec<u8> = samples
        .chunks_exact(2)
        .map(|pair| ((pair[0] + pair[1]) * 0.5 * 127.0 + 128.0).clamp(0.0, 255.0) as u8)
        .collect();
    let (rate, size) = (rate / 2, data.len() as u32);
    let mut bytes = Vec::with_capacity(44 + data.len());
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + size).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    bytes.extend_from_slice(&[1, 0, 1, 0]);
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&[1, 0, 8, 0]);
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&data);
    bytes
}
