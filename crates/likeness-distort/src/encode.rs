//! Encoding and writing a query, on one thread and without dates or version strings, so that the
//! same frames give the same bytes.

use crate::audio::blocks;
use crate::error::{DistortError, Stage};
use crate::graph::Pull;
use crate::mix::{RATE, Sound};
use crate::recipe::{AudioCodec, Encoding};
use ffmpeg::codec::{self, flag::Flags};
use ffmpeg::format::{Pixel, Sample, sample::Type};
use ffmpeg::{ChannelLayout, Dictionary, Packet, Rational, encoder};
use ffmpeg_next as ffmpeg;
use std::path::Path;

/// An encoded stream: what the container needs to know of its codec, and its packets.
pub(crate) struct Encoded {
    codec: codec::Context,
    time_base: Rational,
    packets: Vec<Packet>,
}

/// The file name extension of the container for these streams.
pub(crate) fn extension(encoding: &Encoding, with_picture: bool) -> &'static str {
    match (with_picture, encoding.codec) {
        (true, _) => "mp4",
        (false, AudioCodec::Flac) => "flac",
        (false, AudioCodec::Mp3) => "mp3",
        (false, AudioCodec::Aac) => "m4a",
        (false, AudioCodec::Opus) => "opus",
    }
}

/// How one audio codec is driven.
struct AudioSettings {
    name: &'static str,
    format: Sample,
    rate: u32,
    layout: ChannelLayout,
}

fn audio_settings(codec: AudioCodec, kbps: u32) -> AudioSettings {
    let planar = Sample::F32(Type::Planar);
    // What every encoder does at these rates: a low bit rate is spent on one channel and half the band.
    let frugal = kbps <= 24;
    let (name, format, rate) = match codec {
        AudioCodec::Flac => ("flac", Sample::I16(Type::Packed), RATE),
        AudioCodec::Mp3 => ("libmp3lame", planar, if frugal { RATE / 2 } else { RATE }),
        AudioCodec::Aac => ("aac", planar, if frugal { RATE / 2 } else { RATE }),
        AudioCodec::Opus => ("libopus", Sample::F32(Type::Packed), 48_000),
    };
    let mono = frugal && codec != AudioCodec::Flac;
    let layout = if mono {
        ChannelLayout::MONO
    } else {
        ChannelLayout::STEREO
    };
    AudioSettings {
        name,
        format,
        rate,
        layout,
    }
}

/// Encodes `sound`. Beside a picture, lossless means 192 kb/s of AAC, which MP4 players take.
pub(crate) fn audio(
    sound: &Sound,
    encoding: &Encoding,
    with_picture: bool,
) -> Result<Encoded, DistortError> {
    let lossless = encoding.codec == AudioCodec::Flac;
    let codec = match (with_picture, lossless) {
        (true, true) => AudioCodec::Aac,
        _ => encoding.codec,
    };
    let settings = audio_settings(codec, encoding.kbps);
    let stage = || format!("encoding {}", settings.name);
    let mut context = new_context(settings.name)?.audio().stage(stage())?;
    let time_base = Rational::new(1, settings.rate as i32);
    context.set_rate(settings.rate as i32);
    context.set_format(settings.format);
    context.set_channel_layout(settings.layout);
    context.set_time_base(time_base);
    if codec != AudioCodec::Flac {
        context.set_bit_rate(encoding.kbps as usize * 1000);
    }
    let mut encoder = context.open().stage(stage())?;
    let mut pull = Pull::fed(
        &format!(
            "[in]aresample={},aformat=sample_fmts={}:sample_rates={}:channel_layouts={}[out]",
            settings.rate,
            settings.format.name(),
            settings.rate,
            if settings.layout == ChannelLayout::MONO {
                "mono"
            } else {
                "stereo"
            },
        ),
        RATE,
    )?;
    pull.set_frame_size(encoder.frame_size())?;
    let mut packets = Vec::new();
    for block in blocks(sound) {
        pull.push(&block)?;
        feed(&mut pull, &mut encoder, &mut packets)?;
    }
    pull.close()?;
    feed(&mut pull, &mut encoder, &mut packets)?;
    finish(&mut encoder, &mut packets)?;
    Ok(Encoded {
        codec: encoder.0.0.0,
        time_base,
        packets,
    })
}

/// Encodes the pictures that `pull` yields.
pub(crate) fn video(mut pull: Pull, encoding: &Encoding) -> Result<Option<Encoded>, DistortError> {
    let mut frame = ffmpeg::frame::Video::empty();
    if !pull.next(&mut frame)? {
        return Ok(None);
    }
    let stage = || "encoding libx264".to_owned();
    let time_base = pull.time_base()?;
    let mut context = new_context("libx264")?.video().stage(stage())?;
    context.set_width(frame.width());
    context.set_height(frame.height());
    context.set_format(Pixel::YUV420P);
    context.set_time_base(time_base);
    let mut options = Dictionary::new();
    options.set("preset", "ultrafast");
    options.set("crf", &encoding.crf.min(51).to_string());
    let mut encoder = context.open_with(options).stage(stage())?;
    let mut packets = Vec::new();
    loop {
        // Else x264 repeats the source's choice of key frames.
        frame.set_kind(ffmpeg::picture::Type::None);
        encoder.send_frame(&frame).stage(stage())?;
        collect(&mut encoder, &mut packets)?;
        if !pull.next(&mut frame)? {
            break;
        }
    }
    finish(&mut encoder, &mut packets)?;
    Ok(Some(Encoded {
        codec: encoder.0.0.0,
        time_base,
        packets,
    }))
}

fn new_context(name: &str) -> Result<encoder::Encoder, DistortError> {
    let codec = encoder::find_by_name(name)
        .ok_or_else(|| DistortError::Missing(format!("encoder {name}")))?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_flags(Flags::GLOBAL_HEADER | Flags::BITEXACT);
    context.set_threading(codec::threading::Config::count(1));
    Ok(context.encoder())
}

fn feed(
    pull: &mut Pull,
    encoder: &mut encoder::Encoder,
    packets: &mut Vec<Packet>,
) -> Result<(), DistortError> {
    let mut frame = ffmpeg::frame::Audio::empty();
    while pull.next(&mut frame)? {
        encoder.send_frame(&frame).stage("encoding")?;
        collect(encoder, packets)?;
    }
    Ok(())
}

fn finish(encoder: &mut encoder::Encoder, packets: &mut Vec<Packet>) -> Result<(), DistortError> {
    encoder.send_eof().stage("encoding the end")?;
    collect(encoder, packets)
}

fn collect(encoder: &mut encoder::Encoder, packets: &mut Vec<Packet>) -> Result<(), DistortError> {
    let mut packet = Packet::empty();
    loop {
        match encoder.receive_packet(&mut packet) {
            Ok(()) => packets.push(std::mem::replace(&mut packet, Packet::empty())),
            Err(ffmpeg::Error::Eof) => return Ok(()),
            Err(ffmpeg::Error::Other { errno }) if errno == ffmpeg::error::EAGAIN => return Ok(()),
            Err(error) => return Err(error).stage("encoding"),
        }
    }
}

/// Writes the streams into one file, in order of time.
pub(crate) fn write(path: &Path, streams: Vec<Encoded>) -> Result<(), DistortError> {
    let stage = || format!("writing {}", path.display());
    let mut output = ffmpeg::format::output(path).stage(stage())?;
    for stream in &streams {
        let mut added = output.add_stream_with(&stream.codec).stage(stage())?;
        added.set_time_base(stream.time_base);
    }
    let mut options = Dictionary::new();
    options.set("fflags", "+bitexact");
    output.write_header_with(options).stage(stage())?;
    for (_, index, mut packet) in in_order(streams) {
        let time_base = packet.time_base();
        let target = output
            .stream(index)
            .map_or(time_base, |stream| stream.time_base());
        packet.rescale_ts(time_base, target);
        packet.set_stream(index);
        packet.write_interleaved(&mut output).stage(stage())?;
    }
    output.write_trailer().stage(stage())
}

/// All packets by decoding time, each with its stream's index and its own time base set.
fn in_order(streams: Vec<Encoded>) -> Vec<(f64, usize, Packet)> {
    let mut packets = Vec::new();
    for (index, stream) in streams.into_iter().enumerate() {
        for mut packet in stream.packets {
            packet.set_time_base(stream.time_base);
            let time = packet.dts().or(packet.pts()).unwrap_or(0) as f64;
            packets.push((time * f64::from(stream.time_base), index, packet));
        }
    }
    packets.sort_by(|a, b| a.0.total_cmp(&b.0));
    packets
}
