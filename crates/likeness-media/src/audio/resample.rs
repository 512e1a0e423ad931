//! Sample-rate conversion by swresample.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;
use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type;
use ffmpeg_next::software::resampling::Context;
use ffmpeg_next::{ChannelLayout, Error};
use likeness_core::PcmBlock;
use std::ptr;

/// Converts one run of samples from one rate to another; sample 0 stays sample 0.
pub(crate) struct Resampler {
    /// `None` when there is nothing to convert.
    context: Option<Context>,
    stereo: bool,
    mid: Vec<f32>,
    side: Vec<f32>,
}

impl Resampler {
    /// `stereo`: whether blocks have a side.
    pub(crate) fn new(from: u32, to: u32, stereo: bool) -> Result<Resampler, ffmpeg::Error> {
        let format = Sample::F32(Type::Planar);
        let layout = match stereo {
            true => ChannelLayout::STEREO,
            false => ChannelLayout::MONO,
        };
        let context = match from == to {
            true => None,
            false => Some(Context::get(format, layout, from, format, layout, to)?),
        };
        Ok(Resampler {
            context,
            stereo,
            mid: Vec::new(),
            side: Vec::new(),
        })
    }

    /// The samples that `input` completes; it must have a side if and only if the run has.
    pub(crate) fn push<'a>(
        &'a mut self,
        input: PcmBlock<'a>,
    ) -> Result<PcmBlock<'a>, ffmpeg::Error> {
        match self.context {
            Some(_) if input.is_empty() => Ok(input),
            Some(_) => self.convert(Some(input)),
            None => Ok(input),
        }
    }

    /// The rest, at the end of the run; call until empty.
    pub(crate) fn finish(&mut self) -> Result<PcmBlock<'_>, ffmpeg::Error> {
        match self.context {
            Some(_) => self.convert(None),
            None => Ok(PcmBlock::mono(&[])),
        }
    }

    fn convert(&mut self, input: Option<PcmBlock<'_>>) -> Result<PcmBlock<'_>, ffmpeg::Error> {
        let Some(context) = &mut self.context else {
            return Ok(PcmBlock::mono(&[]));
        };
        let expected = if self.stereo {
            input.map_or(0, |i| i.len())
        } else {
            0
        };
        if input.is_some_and(|i| i.side.len() != expected) {
            return Err(Error::InvalidData);
        }
        let count = input.map_or(0, |i| i.len());
        let count = i32::try_from(count).map_err(|_| Error::InvalidData)?;
        // SAFETY: the context is initialised for planar f32, of two channels where `stereo` and
        // else of one, on both sides. Each plane that it reads has `count` samples (checked above;
        // null asks for the rest), and each that it writes has room for `capacity`. A mono context
        // does not look at the second plane.
        let written = unsafe {
            let swr = context.as_mut_ptr();
            let capacity = ffi::swr_get_out_samples(swr, count).max(0);
            self.mid.resize(capacity as usize, 0.0);
            self.side
                .resize(if self.stereo { capacity as usize } else { 0 }, 0.0);
            let mut to = [self.mid.as_mut_ptr(), self.side.as_mut_ptr()].map(|p| p.cast::<u8>());
            let mut from = input.map(|i| [i.mid.as_ptr(), i.side.as_ptr()].map(|p| p.cast::<u8>()));
            let from = from.as_mut().map_or(ptr::null_mut(), |f| f.as_mut_ptr());
            ffi::swr_convert(swr, to.as_mut_ptr(), capacity, from, count)
        };
        match usize::try_from(written) {
            Ok(written) => Ok(PcmBlock {
                mid: &self.mid[..written],
                side: &self.side[..written.min(self.side.len())],
            }),
            Err(_) => Err(Error::from(written)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resamples `input`, twice as loud as the side, in chunks.
    fn resample(input: &[f32], from: u32, to: u32, chunk: usize, stereo: bool) -> [Vec<f32>; 2] {
        let mut resampler = Resampler::new(from, to, stereo).expect("rates are sensible");
        let side: Vec<f32> = input.iter().map(|s| s / 2.0).collect();
        let whole = PcmBlock {
            mid: input,
            side: if stereo { &side } else { &[] },
        };
        let mut out = [Vec::new(), Vec::new()];
        let mut keep = |block: PcmBlock<'_>| {
            out[0].extend_from_slice(block.mid);
            out[1].extend_from_slice(block.side);
            block.is_empty()
        };
        for part in whole.chunks(chunk) {
            keep(resampler.push(part).expect("converts"));
        }
        while !keep(resampler.finish().expect("flushes")) {}
        out
    }

    #[test]
    fn keeps_position_length_and_ignores_chunking() {
        for (from, to) in [
            (44_100, 11_025),
            (48_000, 11_025),
            (8_000, 16_000),
            (16_000, 16_000),
        ] {
            let mut input = vec![0.0_f32; from as usize];
            input[from as usize / 2] = 1.0;
            let [whole, none] = resample(&input, from, to, usize::MAX, false);
            assert!(none.is_empty());
            let check = |chunk, stereo| {
                let [mid, side] = resample(&input, from, to, chunk, stereo);
                assert_eq!(whole, mid, "{from} -> {to}");
                let louder = side.iter().map(|s| s * 2.0);
                assert!(louder.eq(if stereo { &mid[..] } else { &[] }.iter().copied()));
            };
            check(997, false);
            check(997, true);
            check(usize::MAX, true);
            assert!(
                whole.len().abs_diff(to as usize) <= 1,
                "{from} -> {to}: {}",
                whole.len()
            );
            let peak = whole.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            let peak = peak.map_or(0, |(i, _)| i);
            assert!(
                peak.abs_diff(to as usize / 2) <= 1,
                "{from} -> {to}: {peak}"
            );
        }
    }

    #[test]
    fn a_block_of_other_channels_is_refused() {
        let mut resampler = Resampler::new(44_100, 11_025, true).expect("rates are sensible");
        assert!(resampler.push(PcmBlock::mono(&[0.0; 64])).is_err());
    }
}
