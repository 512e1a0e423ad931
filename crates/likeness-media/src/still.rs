//! PNG and JPEG pictures.

use crate::input::{head, open_file};
use crate::orientation::Orientation;
use crate::video::Sink;
use crate::{Backend, Decoded, Limits, MediaError};
use image::metadata::Orientation as Exif;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use likeness_core::LumaFrame;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Bytes that decoding one pixel may take: 16-bit RGBA and as much again.
const BYTES_PER_PIXEL: u64 = 16;

/// What the first bytes of a file say.
pub(crate) fn sniff(head: &[u8]) -> Option<ImageFormat> {
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(ImageFormat::Png)
    } else if head.starts_with(b"\xff\xd8\xff") {
        Some(ImageFormat::Jpeg)
    } else {
        None
    }
}

/// A PNG or JPEG file, `None` for anything else.
pub(crate) fn open(
    path: &Path,
    limits: &Limits,
) -> Result<Option<(ImageFormat, impl ImageDecoder + use<>)>, MediaError> {
    let mut file = open_file(path)?;
    let Some(format) = sniff(&head::<16>(path, &mut file)?) else {
        return Ok(None);
    };
    let decoder = reader(file, format, limits)
        .into_decoder()
        .map_err(|e| MediaError::undecodable(path, "picture", e))?;
    let (width, height) = decoder.dimensions();
    limits.check_pixels(path, width.into(), height.into())?;
    Ok(Some((format, decoder)))
}

fn reader(file: File, format: ImageFormat, limits: &Limits) -> ImageReader<BufReader<File>> {
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    let mut bounds = image::Limits::default();
    bounds.max_alloc = Some(limits.max_pixels.saturating_mul(BYTES_PER_PIXEL));
    reader.limits(bounds);
    reader
}

/// Delivers a PNG or JPEG file as one frame at time zero. `None` if it is neither.
pub(crate) fn decode(
    path: &Path,
    limits: &Limits,
    sink: &mut Sink<'_>,
) -> Result<Option<Decoded>, MediaError> {
    let Some((_, mut decoder)) = open(path, limits)? else {
        return Ok(None);
    };
    let exif = decoder.orientation().unwrap_or(Exif::NoTransforms);
    let image = DynamicImage::from_decoder(decoder)
        .map_err(|e| MediaError::undecodable(path, "picture", e))?;
    let luma = image.into_luma8();
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    let mut upright = Vec::new();
    let (width, height) = upright_from(exif).apply(&luma, width, height, width, &mut upright);
    let _ = sink(LumaFrame {
        data: &upright,
        width,
        height,
        stride: width,
        pixel_aspect: 1.0,
        time: 0.0,
    });
    Ok(Some(Decoded {
        duration: 0.0,
        declared: None,
        truncated: None,
        corrupt_packets: 0,
        frames: 1,
        backend: Backend::Auto,
    }))
}

/// Exif's clockwise turns, then flips, as a transposition, then flips.
pub(crate) fn upright_from(exif: Exif) -> Orientation {
    let (transpose, flip_x, flip_y) = match exif {
        Exif::NoTransforms => (false, false, false),
        Exif::FlipHorizontal => (false, true, false),
        Exif::Rotate180 => (false, true, true),
        Exif::FlipVertical => (false, false, true),
        Exif::Rotate90 => (true, true, false),
        Exif::Rotate90FlipH => (true, false, false),
        Exif::Rotate270 => (true, false, true),
        Exif::Rotate270FlipH => (true, true, true),
    };
    Orientation {
        transpose,
        flip_x,
        flip_y,
    }
}
