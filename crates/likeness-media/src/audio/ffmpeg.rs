//! Sound through FFmpeg.

use super::Sink;
use super::mix::mix_frame;
use super::timeline::Timeline;
use crate::input::{Next, Source, seconds};
use crate::{Backend, DecodeOptions, Decoded, MediaError};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Packet, Rational, frame, media};
use std::path::Path;

/// Decodes the best audio stream.
pub(crate) fn decode(
    path: &Path,
    sample_rate: u32,
    options: &DecodeOptions,
    sink: &mut Sink<'_>,
) -> Result<Decoded, MediaError> {
    let limits = &options.limits;
    let mut source = Source::open(path, limits)?;
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
    let mut packet = Packet::empty();
    let mut packets = 0_u64;
    while !timeline.stopped() {
        let end = matches!(source.read(index, origin, &mut packet)?, Next::End);
        let sent = match end {
            true => decoder.inner.send_eof(),
            false => decoder.inner.send_packet(&packet),
        };
        packets += u64::from(!end);
        if !end && sent.is_err() {
            source.corrupt += 1;
        }
        decoder.drain(path, &mut timeline)?;
        if end {
            break;
        }
    }
    let stopped = timeline.stopped();
    let decoded = timeline.decoded();
    let duration = timeline.finish()?;
    if decoded == 0 && !stopped {
        return Err(source.nothing("audio", packets));
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
    mono: Vec<f32>,
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
            mono: Vec::new(),
        })
    }

    fn drain(&mut self, path: &Path, timeline: &mut Timeline<'_>) -> Result<(), MediaError> {
        while !timeline.stopped() && self.inner.receive_frame(&mut self.frame).is_ok() {
            mix_frame(&self.frame, &mut self.mono)
                .ok_or_else(|| MediaError::undecodable(path, "audio", "unknown sample format"))?;
            let time = self
                .frame
                .timestamp()
                .and_then(|t| seconds(t, self.time_base));
            timeline.push(&self.mono, self.frame.rate(), time.map(|t| t - self.origin))?;
        }
        Ok(())
    }
}
