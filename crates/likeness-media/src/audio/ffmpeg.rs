//! Sound through FFmpeg.

use super::Sink;
use super::mix::Mix;
use super::timeline::Timeline;
use crate::input::{Source, seconds};
use crate::{Backend, DecodeOptions, Decoded, MediaError};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Rational, frame, media};
use std::path::Path;

/// Decodes the best audio stream.
pub(crate) fn decode(
    path: &Path,
    sample_rate: u32,
    options: &DecodeOptions,
    sink: &mut Sink<'_>,
) -> Result<Decoded, MediaError> {
    from_source(
        Source::open(path, &options.limits)?,
        sample_rate,
        options,
        sink,
    )
}

/// Decodes the best audio stream of a source.
pub(crate) fn from_source(
    mut source: Source,
    sample_rate: u32,
    options: &DecodeOptions,
    sink: &mut Sink<'_>,
) -> Result<Decoded, MediaError> {
    let limits = &options.limits;
    let path = source.path.clone();
    let path = path.as_path();
    let Some(index) = source.best(media::Type::Audio) else {
        return Err(source.missing(media::Type::Audio));
    };
    let declared = source.declared(index);
    limits.check_duration(path, declared.unwrap_or(0.0))?;
    let origin = source.origin();
    let mut decoder = Decoder::open(&source, index, origin)?;
    source.select(index);
    let watch = source.watch.clone();
    let mut timeline = Timeline::new(path, sample_rate, limits, &watch, sink);
    while !timeline.stopped() {
        let more = source.feed(&mut decoder.inner, index, origin)?;
        decoder.drain(&mut source, &mut timeline)?;
        if !more {
            decoder.emit_held(None, &mut timeline)?;
            break;
        }
    }
    let stopped = timeline.stopped();
    let decoded = timeline.decoded();
    let duration = timeline.finish()?;
    if decoded == 0 && !stopped {
        return Err(source.nothing("audio"));
    }
    let truncated = (!stopped).then(|| source.truncation(index, duration));
    Ok(Decoded {
        duration,
        declared,
        truncated: truncated.flatten(),
        corrupt_packets: source.corrupt,
        frames: decoded,
        backend: Backend::Ffmpeg,
    })
}

struct Decoder {
    inner: ffmpeg::decoder::Audio,
    time_base: Rational,
    origin: f64,
    frame: frame::Audio,
    mix: Mix,
    /// The block before, held back until its successor's stamp is known.
    held: Mix,
    held_rate: u32,
    held_stamp: Option<f64>,
}

impl Decoder {
    fn open(source: &Source, index: usize, origin: f64) -> Result<Decoder, MediaError> {
        let failed = |e: ffmpeg::Error| MediaError::undecodable(&source.path, "audio", e);
        let stream = source
            .input
            .stream(index)
            .ok_or_else(|| failed(ffmpeg::Error::StreamNotFound))?;
        let time_base = stream.time_base();
        let mut decoder = ffmpeg::codec::Context::from_parameters(stream.parameters())
            .map_err(failed)?
            .decoder();
        // Needed to drop the encoder's delay and still know the time of what remains.
        decoder.set_packet_time_base(time_base);
        Ok(Decoder {
            inner: decoder.audio().map_err(failed)?,
            time_base,
            origin,
            frame: frame::Audio::empty(),
            mix: Mix::default(),
            held: Mix::default(),
            held_rate: 0,
            held_stamp: None,
        })
    }

    fn drain(
        &mut self,
        source: &mut Source,
        timeline: &mut Timeline<'_>,
    ) -> Result<(), MediaError> {
        while !timeline.stopped() && source.receive(&mut self.inner, &mut self.frame)? {
            self.mix.frame(&self.frame).ok_or_else(|| {
                MediaError::undecodable(&source.path, "audio", "unknown sample format")
            })?;
            if self.mix.block().is_empty() {
                continue;
            }
            let stamp = self.frame.timestamp();
            let stamp = stamp.and_then(|t| seconds(t, self.time_base));
            let stamp = stamp.map(|t| t - self.origin);
            self.emit_held(stamp, timeline)?;
            std::mem::swap(&mut self.mix, &mut self.held);
            self.held_rate = self.frame.rate();
            self.held_stamp = stamp;
        }
        Ok(())
    }

    /// Delivers the block that was held back, if any.
    fn emit_held(
        &mut self,
        successor: Option<f64>,
        timeline: &mut Timeline<'_>,
    ) -> Result<(), MediaError> {
        let stamp = self.held_stamp.take();
        timeline.push(self.held.block(), self.held_rate, stamp, successor)?;
        self.held.clear();
        Ok(())
    }
}
