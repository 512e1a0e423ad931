//! Pictures: any file to upright luma frames, on the file's clock.

use crate::clock::Clock;
use crate::input::{Source, seconds};
use crate::luma::LumaExtractor;
use crate::orientation::Orientation;
use crate::still::{self, Still};
use crate::{Backend, DecodeOptions, Decoded, Limits, MediaError};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::threading;
use ffmpeg_next::{Dictionary, Rational, Stream, frame, media};
use likeness_core::LumaFrame;
use std::ops::ControlFlow;
use std::path::Path;

/// Receives frames in order; breaking stops the decoder.
pub(crate) type Sink<'a> = dyn FnMut(LumaFrame<'_>) -> ControlFlow<()> + 'a;

/// Frames a second where nothing tells.
const DEFAULT_FRAME_RATE: f64 = 25.0;

/// See [`crate::decode_video`].
pub(crate) fn decode(
    path: &Path,
    options: &DecodeOptions,
    sink: &mut Sink<'_>,
) -> Result<Decoded, MediaError> {
    let broken = match still::decode(path, &options.limits, sink)? {
        Still::Delivered(decoded) => return Ok(decoded),
        // FFmpeg shows what there is of a broken picture.
        Still::Broken(reason) => Some(format!("the picture is broken: {reason}")),
        Still::Other => None,
    };
    let decoded = from_source(Source::open(path, &options.limits)?, options, sink)?;
    Ok(Decoded {
        truncated: broken.or(decoded.truncated),
        ..decoded
    })
}

/// Decodes the best video stream of a source.
pub(crate) fn from_source(
    mut source: Source,
    options: &DecodeOptions,
    sink: &mut Sink<'_>,
) -> Result<Decoded, MediaError> {
    let limits = &options.limits;
    let Some(index) = source.best(media::Type::Video) else {
        return Err(source.missing(media::Type::Video));
    };
    let declared = source.declared(index).filter(|_| !source.is_still());
    limits.check_duration(&source.path, declared.unwrap_or(0.0))?;
    let origin = source.origin();
    let mut decoder = Decoder::open(&source, index, origin, options)?;
    source.select(index);
    while !decoder.stopped {
        let more = source.feed(&mut decoder.inner, index, origin)?;
        decoder.drain(&mut source, limits, sink)?;
        if !more {
            decoder.emit_held(None, &mut source, limits, sink)?;
            break;
        }
    }
    if decoder.frames == 0 && !decoder.stopped {
        return Err(source.nothing("video"));
    }
    let mut duration = decoder.end;
    let tail = source.stream_end - duration;
    if source.corrupt == 0 && !decoder.stopped && tail > 0.0 && tail <= limits.max_gap_s {
        // The last picture stands as long as the packets say.
        duration = source.stream_end;
    }
    let complete = decoder.stopped || source.is_still();
    let truncated = (!complete).then(|| source.truncation(index, duration));
    Ok(Decoded {
        duration,
        declared,
        truncated: truncated.flatten(),
        corrupt_packets: source.corrupt,
        frames: decoder.frames,
        backend: Backend::Ffmpeg,
    })
}

struct Decoder {
    inner: ffmpeg::decoder::Video,
    time_base: Rational,
    origin: f64,
    step: f64,
    clock: Clock,
    orientation: Orientation,
    stream_aspect: f64,
    luma: LumaExtractor,
    upright: Vec<u8>,
    frame: frame::Video,
    /// The frame before, held back until its successor's stamp is known, and its own stamp.
    held: frame::Video,
    held_stamp: Option<Option<f64>>,
    frames: u64,
    /// When the last frame ends, seconds.
    end: f64,
    stopped: bool,
}

impl Decoder {
    fn open(
        source: &Source,
        index: usize,
        origin: f64,
        options: &DecodeOptions,
    ) -> Result<Decoder, MediaError> {
        let limits = &options.limits;
        let failed = |e: ffmpeg::Error| MediaError::undecodable(&source.path, "video", e);
        let stream = source
            .input
            .stream(index)
            .ok_or_else(|| failed(ffmpeg::Error::StreamNotFound))?;
        let (width, height) = coded_size(&stream);
        limits.check_pixels(&source.path, width, height)?;
        let step = 1.0 / frame_rate(&stream).unwrap_or(DEFAULT_FRAME_RATE);
        Ok(Decoder {
            inner: open_codec(&stream, options).map_err(failed)?,
            time_base: stream.time_base(),
            origin,
            step,
            clock: Clock::new(step, limits.max_gap_s),
            orientation: Orientation::of_stream(&stream),
            stream_aspect: pixel_aspect(&stream),
            luma: LumaExtractor::default(),
            upright: Vec::new(),
            frame: frame::Video::empty(),
            held: frame::Video::empty(),
            held_stamp: None,
            frames: 0,
            end: 0.0,
            stopped: false,
        })
    }

    fn drain(
        &mut self,
        source: &mut Source,
        limits: &Limits,
        sink: &mut Sink<'_>,
    ) -> Result<(), MediaError> {
        while !self.stopped && source.receive(&mut self.inner, &mut self.frame)? {
            let (width, height) = (self.frame.width(), self.frame.height());
            limits.check_pixels(&source.path, width.into(), height.into())?;
            let stamp = self.frame.timestamp();
            let stamp = stamp.and_then(|t| seconds(t, self.time_base));
            let stamp = stamp.map(|t| t - self.origin);
            self.emit_held(stamp, source, limits, sink)?;
            std::mem::swap(&mut self.frame, &mut self.held);
            self.held_stamp = Some(stamp);
        }
        Ok(())
    }

    /// Delivers the frame that was held back, if any.
    fn emit_held(
        &mut self,
        successor: Option<f64>,
        source: &mut Source,
        limits: &Limits,
        sink: &mut Sink<'_>,
    ) -> Result<(), MediaError> {
        let Some(stamp) = self.held_stamp.take() else {
            return Ok(());
        };
        let time = self.clock.next(stamp, successor);
        self.end = self.end.max(time + self.step);
        limits.check_duration(&source.path, self.end)?;
        limits.check_frames(&source.path, self.frames + 1)?;
        let aspect = positive(self.held.aspect_ratio()).unwrap_or(self.stream_aspect);
        let Ok((data, width, height, stride)) = self.luma.plane(&self.held) else {
            source.corrupt += 1;
            return Ok(());
        };
        let mut picture = LumaFrame {
            data,
            width,
            height,
            stride,
            pixel_aspect: aspect,
            time,
        };
        if !self.orientation.is_upright() {
            let size = self
                .orientation
                .apply(data, width, height, stride, &mut self.upright);
            picture.data = &self.upright;
            (picture.width, picture.height) = size;
            picture.stride = size.0;
            if self.orientation.transpose {
                picture.pixel_aspect = 1.0 / aspect;
            }
        }
        self.frames += 1;
        self.stopped = source.watch.pause(|| sink(picture)) == ControlFlow::Break(());
        Ok(())
    }
}

fn open_codec(
    stream: &Stream<'_>,
    options: &DecodeOptions,
) -> Result<ffmpeg::decoder::Video, ffmpeg::Error> {
    let parameters = stream.parameters();
    let codec = ffmpeg::decoder::find(parameters.id()).ok_or(ffmpeg::Error::DecoderNotFound)?;
    let mut context = ffmpeg::codec::Context::from_parameters(parameters)?;
    let kind = match options.threads {
        1 => threading::Type::None,
        _ => threading::Type::Frame,
    };
    context.set_threading(threading::Config {
        kind,
        count: options.threads,
        ..Default::default()
    });
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(stream.time_base());
    let mut settings = Dictionary::new();
    // A size that only the bitstream reveals is refused before memory is taken for it.
    let max_pixels = options.limits.max_pixels.min(i32::MAX as u64);
    settings.set("max_pixels", &max_pixels.to_string());
    for (name, value) in options.shortcut.settings() {
        settings.set(name, value);
    }
    decoder.open_as_with(codec, settings)?.video()
}

/// Stored width and height that the header declares.
pub(crate) fn coded_size(stream: &Stream<'_>) -> (u64, u64) {
    // SAFETY: the stream's parameters are valid while the stream is borrowed.
    let parameters = unsafe { &*(*stream.as_ptr()).codecpar };
    let size = |n: i32| u64::try_from(n).unwrap_or(0);
    (size(parameters.width), size(parameters.height))
}

/// Width of a stored pixel over its height, 1 where nothing sensible tells.
pub(crate) fn pixel_aspect(stream: &Stream<'_>) -> f64 {
    // SAFETY: the stream and its parameters are valid while the stream is borrowed.
    let (outer, inner) = unsafe {
        let raw = &*stream.as_ptr();
        (raw.sample_aspect_ratio, (*raw.codecpar).sample_aspect_ratio)
    };
    positive(outer.into())
        .or_else(|| positive(inner.into()))
        .unwrap_or(1.0)
}

/// Frames a second, if the header tells something sensible.
pub(crate) fn frame_rate(stream: &Stream<'_>) -> Option<f64> {
    [stream.avg_frame_rate(), stream.rate()]
        .into_iter()
        .filter(|r| r.numerator() > 0 && r.denominator() > 0)
        .map(|r| f64::from(r.numerator()) / f64::from(r.denominator()))
        .find(|rate| (0.01..=1000.0).contains(rate))
}

/// A ratio that can be a pixel's shape.
fn positive(ratio: Rational) -> Option<f64> {
    (ratio.numerator() > 0 && ratio.denominator() > 0)
        .then(|| f64::from(ratio.numerator()) / f64::from(ratio.denominator()))
        .filter(|r| (0.05..=20.0).contains(r))
}
