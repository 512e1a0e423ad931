//! PNG and JPEG pictures.

use crate::input::{head, open_file};
use crate::orientation::Orientation;
use crate::video::Sink;
use crate::{Backend, Decoded, Limits, MediaError};
use image::metadata::Orientation as Exif;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use likeness_core::LumaFrame;
use std::fs::File;
use std::io::{BufReader, Read};
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

/// What became of a file that may be a PNG or JPEG picture.
pub(crate) enum Still {
    /// It was one, and was delivered.
    Delivered(Decoded),
    /// It announced itself as one, but is broken, for this reason.
    Broken(String),
    /// It is something else.
    Other,
}

/// Delivers a PNG or JPEG file as one frame at time zero.
pub(crate) fn decode(
    path: &Path,
    limits: &Limits,
    sink: &mut Sink<'_>,
) -> Result<Still, MediaError> {
    let mut cut = false;
    let decoded = match open(path, limits) {
        Ok(Some((format, decoder))) => {
            cut = format == ImageFormat::Jpeg && lacks_end(path)?;
            luma(path, decoder)
        }
        Ok(None) => return Ok(Still::Other),
        Err(error) => Err(error),
    };
    let (upright, width, height) = match decoded {
        Ok(picture) => picture,
        Err(MediaError::Undecodable { reason, .. }) => return Ok(Still::Broken(reason)),
        Err(error) => return Err(error),
    };
    // One frame is all there is: whether the sink wants more does not matter.
    let _ = sink(LumaFrame {
        data: &upright,
        width,
        height,
        stride: width,
        pixel_aspect: 1.0,
        time: 0.0,
    });
    Ok(Still::Delivered(Decoded {
        duration: 0.0,
        declared: None,
        truncated: cut.then(|| "the file ends inside the picture".to_string()),
        corrupt_packets: 0,
        frames: 1,
        backend: Backend::Auto,
    }))
}

/// Whether a JPEG file has no end marker at all: its decoder fills up what is missing without a
/// word. Coded data cannot hold the marker.
fn lacks_end(path: &Path) -> Result<bool, MediaError> {
    let mut last = 0;
    for byte in BufReader::new(open_file(path)?).bytes() {
        let byte = byte.map_err(|e| MediaError::io(path, e))?;
        if (last, byte) == (0xff, 0xd9) {
            return Ok(false);
        }
        last = byte;
    }
    Ok(true)
}

/// The upright luma, its width and its height.
fn luma(
    path: &Path,
    mut decoder: impl ImageDecoder,
) -> Result<(Vec<u8>, usize, usize), MediaError> {
    let exif = decoder.orientation().unwrap_or(Exif::NoTransforms);
    let image = DynamicImage::from_decoder(decoder)
        .map_err(|e| MediaError::undecodable(path, "picture", e))?;
    let luma = image.into_luma8();
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    let orientation = upright_from(exif);
    if orientation.is_upright() {
        return Ok((luma.into_raw(), width, height));
    }
    let mut upright = Vec::new();
    let (width, height) = orientation.apply(&luma, width, height, width, &mut upright);
    Ok((upright, width, height))
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
