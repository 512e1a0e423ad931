//! Short sounds for people to listen to, as MP3, which every browser plays.

use ffmpeg::format::{Sample, sample::Type};
use ffmpeg::{ChannelLayout, Packet, Rational, codec, encoder, frame};
use ffmpeg_next as ffmpeg;

/// Encodes sound of one channel, full scale 1, at a rate that MP3 knows (22 050 or 44 100 Hz, say)
/// and some bits a second. `None` where this FFmpeg has no such encoder.
pub fn encode_mp3(samples: &[f32], rate: u32, bits: usize) -> Option<Vec<u8>> {
    encode(samples, rate, bits).ok()
}

fn encode(samples: &[f32], rate: u32, bits: usize) -> Result<Vec<u8>, ffmpeg::Error> {
    let codec = encoder::find_by_name("libmp3lame").ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_flags(codec::flag::Flags::BITEXACT);
    let mut context = context.encoder().audio()?;
    let format = Sample::F32(Type::Planar);
    context.set_rate(rate as i32);
    context.set_format(format);
    context.set_channel_layout(ChannelLayout::MONO);
    context.set_time_base(Rational::new(1, rate as i32));
    context.set_bit_rate(bits);
    let mut encoder = context.open()?;
    let size = (encoder.frame_size() as usize).max(1);
    let mut bytes = Vec::with_capacity(samples.len() * bits / rate as usize / 8 + 1024);
    for (i, block) in samples.chunks(size).enumerate() {
        let mut frame = frame::Audio::new(format, size, ChannelLayout::MONO);
        frame.set_rate(rate);
        frame.set_pts(Some((i * size) as i64));
        let plane = frame.plane_mut::<f32>(0);
        plane[..block.len()].copy_from_slice(block);
        plane[block.len()..].fill(0.0);
        encoder.send_frame(&frame)?;
        collect(&mut encoder, &mut bytes)?;
    }
    encoder.send_eof()?;
    collect(&mut encoder, &mut bytes)?;
    Ok(bytes)
}

/// An MP3 file is its packets, one after the other.
fn collect(encoder: &mut encoder::Audio, bytes: &mut Vec<u8>) -> Result<(), ffmpeg::Error> {
    let mut packet = Packet::empty();
    loop {
        match encoder.receive_packet(&mut packet) {
            Ok(()) => bytes.extend_from_slice(packet.data().unwrap_or_default()),
            Err(ffmpeg::Error::Eof) => return Ok(()),
            Err(ffmpeg::Error::Other { errno }) if errno == ffmpeg::error::EAGAIN => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
