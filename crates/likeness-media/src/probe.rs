//! What a file holds, without decoding it.

use crate::input::{Source, codec_name};
use crate::orientation::Orientation;
use crate::video::{coded_size, frame_rate, pixel_aspect};
use crate::{Limits, MediaError, still};
use ffmpeg_next::{Stream, media};
use image::ImageDecoder;
use std::path::Path;

/// What a file declares.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaInfo {
    /// FFmpeg's name of the container, or `png` or `jpeg`.
    pub container: String,
    /// Seconds, where the header tells or a good estimate exists.
    pub duration: Option<f64>,
    /// The audio stream that would be decoded.
    pub audio: Option<AudioInfo>,
    /// The video stream that would be decoded. Cover art is none.
    pub video: Option<VideoInfo>,
    /// The file is one picture.
    pub still_image: bool,
}

/// What an audio stream declares.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioInfo {
    /// FFmpeg's name of the codec, e.g. `aac`.
    pub codec: String,
    /// Hz.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

/// What a video stream declares.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoInfo {
    /// FFmpeg's name of the codec, e.g. `h264`.
    pub codec: String,
    /// Pixels across, of the upright picture.
    pub width: u32,
    /// Pixels down, of the upright picture.
    pub height: u32,
    /// Width of a pixel over its height, in the upright picture.
    pub pixel_aspect: f64,
    /// Mean frames a second.
    pub frame_rate: Option<f64>,
}

/// See [`crate::probe`].
pub(crate) fn probe(path: &Path, limits: &Limits) -> Result<MediaInfo, MediaError> {
    if let Some(info) = probe_still(path, limits)? {
        return Ok(info);
    }
    let source = Source::open(path, limits)?;
    let stream = |kind| source.best(kind).and_then(|i| source.input.stream(i));
    let duration = source.input.duration();
    let still_image = source.is_still();
    if let Some(still) = stream(media::Type::Video).filter(|_| still_image) {
        let (width, height) = coded_size(&still);
        limits.check_pixels(path, width, height)?;
    }
    Ok(MediaInfo {
        container: source.container(),
        duration: (duration > 0 && !still_image).then(|| duration as f64 / 1e6),
        audio: stream(media::Type::Audio).map(|s| audio_info(&s)),
        video: stream(media::Type::Video).map(|s| video_info(&s)),
        still_image,
    })
}

fn probe_still(path: &Path, limits: &Limits) -> Result<Option<MediaInfo>, MediaError> {
    let (format, mut decoder) = match still::open(path, limits) {
        Ok(Some(still)) => still,
        // FFmpeg may still show a broken one.
        Ok(None) | Err(MediaError::Undecodable { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (width, height) = decoder.dimensions();
    let turned = decoder
        .orientation()
        .is_ok_and(|o| still::upright_from(o).transpose);
    let (width, height) = if turned {
        (height, width)
    } else {
        (width, height)
    };
    let name = format!("{format:?}").to_lowercase();
    Ok(Some(MediaInfo {
        container: name.clone(),
        duration: None,
        audio: None,
        video: Some(VideoInfo {
            codec: name,
            width,
            height,
            pixel_aspect: 1.0,
            frame_rate: None,
        }),
        still_image: true,
    }))
}

fn audio_info(stream: &Stream<'_>) -> AudioInfo {
    // SAFETY: the stream's parameters are valid while the stream is borrowed.
    let parameters = unsafe { &*(*stream.as_ptr()).codecpar };
    AudioInfo {
        codec: codec_name(stream),
        sample_rate: u32::try_from(parameters.sample_rate).unwrap_or(0),
        channels: u32::try_from(parameters.ch_layout.nb_channels).unwrap_or(0),
    }
}

fn video_info(stream: &Stream<'_>) -> VideoInfo {
    let turned = Orientation::of_stream(stream).transpose;
    let (width, height) = coded_size(stream);
    let aspect = pixel_aspect(stream);
    let (width, height) = if turned {
        (height, width)
    } else {
        (width, height)
    };
    VideoInfo {
        codec: codec_name(stream),
        width: u32::try_from(width).unwrap_or(0),
        height: u32::try_from(height).unwrap_or(0),
        pixel_aspect: if turned { 1.0 / aspect } else { aspect },
        frame_rate: frame_rate(stream),
    }
}
