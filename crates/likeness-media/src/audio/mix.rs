//! Down-mixing: the mean of the channels.

use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type;
use ffmpeg_next::frame;

/// Largest sample that passes: float files may exceed full scale, hostile ones by any amount.
const MAX_SAMPLE: f32 = 8.0;

/// Writes the mean of a frame's channels to `mono`, full scale at 1. `None` for a sample format
/// that no decoder of ours yields.
pub(crate) fn mix_frame(frame: &frame::Audio, mono: &mut Vec<f32>) -> Option<()> {
    mono.clear();
    mono.resize(frame.samples(), 0.0);
    if frame.planes() == 0 || frame.channels() == 0 {
        return (frame.samples() == 0).then_some(());
    }
    match frame.format() {
        Sample::U8(kind) => mix(frame, kind, |s: u8| (f32::from(s) - 128.0) / 128.0, mono),
        Sample::I16(kind) => mix(frame, kind, |s: i16| f32::from(s) / 32_768.0, mono),
        Sample::I32(kind) => mix(
            frame,
            kind,
            |s: i32| (f64::from(s) / 2_147_483_648.0) as f32,
            mono,
        ),
        Sample::F32(kind) => mix(frame, kind, |s: f32| s, mono),
        Sample::F64(kind) => mix(frame, kind, |s: f64| s as f32, mono),
        _ => return None,
    }
    Some(())
}

fn mix<T: frame::audio::Sample + Copy>(
    frame: &frame::Audio,
    kind: Type,
    convert: impl Fn(T) -> f32,
    mono: &mut [f32],
) {
    let channels = usize::from(frame.channels());
    match kind {
        Type::Packed => mix_interleaved(frame.plane::<T>(0), channels, convert, mono),
        Type::Planar => {
            for channel in 0..channels {
                for (sum, &sample) in mono.iter_mut().zip(frame.plane::<T>(channel)) {
                    *sum += convert(sample);
                }
            }
            scale(mono, channels);
        }
    }
}

/// The mean of interleaved channels.
pub(crate) fn mix_interleaved<T: Copy>(
    samples: &[T],
    channels: usize,
    convert: impl Fn(T) -> f32,
    mono: &mut [f32],
) {
    for (sum, frame) in mono.iter_mut().zip(samples.chunks_exact(channels)) {
        *sum = frame.iter().map(|&s| convert(s)).sum();
    }
    scale(mono, channels);
}

fn scale(mono: &mut [f32], channels: usize) {
    let factor = 1.0 / channels as f32;
    for sample in mono {
        let mean = *sample * factor;
        // What is not a number would spread through every filter that follows.
        *sample = if mean.is_finite() {
            mean.clamp(-MAX_SAMPLE, MAX_SAMPLE)
        } else {
            0.0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ffmpeg_next::ChannelLayout;

    #[test]
    fn packed_and_planar_agree() {
        let layout = ChannelLayout::STEREO;
        let mut packed = frame::Audio::new(Sample::I16(Type::Packed), 3, layout);
        packed.set_channels(2);
        packed.plane_mut::<i16>(0)[..6].copy_from_slice(&[100, 300, -32768, -32768, 0, 2]);
        let mut planar = frame::Audio::new(Sample::I16(Type::Planar), 3, layout);
        planar.set_channels(2);
        planar
            .plane_mut::<i16>(0)
            .copy_from_slice(&[100, -32768, 0]);
        planar
            .plane_mut::<i16>(1)
            .copy_from_slice(&[300, -32768, 2]);
        for frame in [packed, planar] {
            let mut mono = Vec::new();
            mix_frame(&frame, &mut mono).expect("a known format");
            assert_eq!(mono, [200.0 / 32768.0, -1.0, 1.0 / 32768.0]);
        }
    }

    #[test]
    fn senseless_floats_are_silenced() {
        let mut mono = [0.0; 4];
        let samples = [f32::NAN, f32::INFINITY, 1e30, 0.5];
        mix_interleaved(&samples, 1, |s| s, &mut mono);
        assert_eq!(mono, [0.0, 0.0, MAX_SAMPLE, 0.5]);
    }
}
