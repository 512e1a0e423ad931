//! Down-mixing to half the sum and half the difference of the sides.

use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type;
use ffmpeg_next::frame;
use likeness_core::PcmBlock;

/// Largest sample that passes: float files may exceed full scale, hostile ones by any amount.
const MAX_SAMPLE: f32 = 8.0;

/// A decoded block, mixed; full scale at 1.
#[derive(Debug, Default)]
pub(crate) struct Mix {
    mid: Vec<f32>,
    /// Empty where there is one channel.
    side: Vec<f32>,
}

impl Mix {
    /// The samples.
    pub(crate) fn block(&self) -> PcmBlock<'_> {
        PcmBlock {
            mid: &self.mid,
            side: &self.side,
        }
    }

    /// Forgets the samples and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.mid.clear();
        self.side.clear();
    }

    /// Mixes a frame. `None` for a sample format that no decoder of ours yields.
    pub(crate) fn frame(&mut self, frame: &frame::Audio) -> Option<()> {
        let channels = usize::from(frame.channels());
        self.start(frame.samples(), channels);
        if frame.planes() == 0 || channels == 0 {
            return (frame.samples() == 0).then_some(());
        }
        match frame.format() {
            Sample::U8(kind) => self.add(frame, kind, |s: u8| (f32::from(s) - 128.0) / 128.0),
            Sample::I16(kind) => self.add(frame, kind, |s: i16| f32::from(s) / 32_768.0),
            Sample::I32(kind) => self.add(frame, kind, |s: i32| {
                (f64::from(s) / 2_147_483_648.0) as f32
            }),
            Sample::F32(kind) => self.add(frame, kind, |s: f32| s),
            Sample::F64(kind) => self.add(frame, kind, |s: f64| s as f32),
            _ => return None,
        }
        Some(())
    }

    /// Mixes interleaved samples.
    pub(crate) fn interleaved<T: Copy>(
        &mut self,
        samples: &[T],
        channels: usize,
        convert: impl Fn(T) -> f32,
    ) {
        self.start(samples.len() / channels.max(1), channels);
        self.add_interleaved(samples, channels, convert);
    }

    fn start(&mut self, samples: usize, channels: usize) {
        self.clear();
        self.mid.resize(samples, 0.0);
        let side = if channels > 1 { samples } else { 0 };
        self.side.resize(side, 0.0);
    }

    fn add<T: frame::audio::Sample + Copy>(
        &mut self,
        frame: &frame::Audio,
        kind: Type,
        convert: impl Fn(T) -> f32,
    ) {
        let channels = usize::from(frame.channels());
        match kind {
            Type::Packed => self.add_interleaved(frame.plane::<T>(0), channels, convert),
            Type::Planar => {
                for channel in 0..channels {
                    let samples = frame.plane::<T>(channel).iter();
                    self.add_channel(samples.map(|&s| convert(s)), pan(channel, channels));
                }
                self.scale(channels);
            }
        }
    }

    fn add_interleaved<T: Copy>(
        &mut self,
        samples: &[T],
        channels: usize,
        convert: impl Fn(T) -> f32,
    ) {
        for channel in 0..channels {
            let own = samples.iter().skip(channel).step_by(channels);
            self.add_channel(own.map(|&s| convert(s)), pan(channel, channels));
        }
        self.scale(channels);
    }

    fn add_channel(&mut self, samples: impl Iterator<Item = f32> + Clone, pan: f32) {
        let add = |sums: &mut [f32], factor: f32| {
            let samples = samples.clone();
            sums.iter_mut()
                .zip(samples)
                .for_each(|(sum, s)| *sum += s * factor);
        };
        add(&mut self.mid, 1.0);
        if pan != 0.0 {
            add(&mut self.side, pan);
        }
    }

    fn scale(&mut self, channels: usize) {
        let factor = 1.0 / channels as f32;
        for sample in self.mid.iter_mut().chain(&mut self.side) {
            let mean = *sample * factor;
            // What is not a number would spread through every filter that follows.
            *sample = if mean.is_finite() {
                mean.clamp(-MAX_SAMPLE, MAX_SAMPLE)
            } else {
                0.0
            };
        }
    }
}

/// Where a channel sits in the usual layouts (left, right, centre, low frequencies, back, sides):
/// 1 left, -1 right, 0 between.
fn pan(channel: usize, channels: usize) -> f32 {
    match (channels, channel) {
        (0 | 1, _) | (3 | 5.., 2) | (6.., 3) | (7, 4) => 0.0,
        (_, 0) => 1.0,
        (_, 1) => -1.0,
        // Pairs up to the last channel.
        _ if (channels - channel).is_multiple_of(2) => 1.0,
        _ => -1.0,
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
            let mut mix = Mix::default();
            mix.frame(&frame).expect("a known format");
            assert_eq!(mix.mid, [200.0 / 32768.0, -1.0, 1.0 / 32768.0]);
            assert_eq!(mix.side, [-100.0 / 32768.0, 0.0, -1.0 / 32768.0]);
        }
    }

    #[test]
    fn senseless_floats_are_silenced() {
        let mut mix = Mix::default();
        mix.interleaved(&[f32::NAN, f32::INFINITY, 1e30, 0.5], 1, |s| s);
        assert_eq!(mix.mid, [0.0, 0.0, MAX_SAMPLE, 0.5]);
        assert!(mix.side.is_empty());
    }

    #[test]
    fn channels_sit_where_the_usual_layouts_have_them() {
        let check = |pans: &[i8]| {
            let found: Vec<i8> = (0..pans.len()).map(|c| pan(c, pans.len()) as i8).collect();
            assert_eq!(found, pans);
        };
        check(&[0]);
        check(&[1, -1]);
        check(&[1, -1, 0]);
        check(&[1, -1, 1, -1]);
        check(&[1, -1, 0, 1, -1]);
        check(&[1, -1, 0, 0, 1, -1]);
        check(&[1, -1, 0, 0, 0, 1, -1]);
        check(&[1, -1, 0, 0, 1, -1, 1, -1]);
    }
}
