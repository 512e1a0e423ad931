//! Mono sample-rate conversion by swresample.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;
use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type;
use ffmpeg_next::software::resampling::Context;
use ffmpeg_next::{ChannelLayout, Error};
use std::ptr;

/// Converts one run of samples from one rate to another; sample 0 stays sample 0.
pub(crate) struct Resampler {
    /// `None` when there is nothing to convert.
    context: Option<Context>,
    out: Vec<f32>,
}

impl Resampler {
    pub(crate) fn new(from: u32, to: u32) -> Result<Resampler, ffmpeg::Error> {
        let format = Sample::F32(Type::Packed);
        let mono = ChannelLayout::MONO;
        let context = match from == to {
            true => None,
            false => Some(Context::get(format, mono, from, format, mono, to)?),
        };
        let out = Vec::new();
        Ok(Resampler { context, out })
    }

    /// The samples that `input` completes.
    pub(crate) fn push<'a>(&'a mut self, input: &'a [f32]) -> Result<&'a [f32], ffmpeg::Error> {
        match self.context {
            Some(_) if input.is_empty() => Ok(&[]),
            Some(_) => self.convert(Some(input)),
            None => Ok(input),
        }
    }

    /// The rest, at the end of the run; call until empty.
    pub(crate) fn finish(&mut self) -> Result<&[f32], ffmpeg::Error> {
        match self.context {
            Some(_) => self.convert(None),
            None => Ok(&[]),
        }
    }

    fn convert(&mut self, input: Option<&[f32]>) -> Result<&[f32], ffmpeg::Error> {
        let Some(context) = &mut self.context else {
            return Ok(&[]);
        };
        let count = input.map_or(0, <[f32]>::len);
        let count = i32::try_from(count).map_err(|_| Error::InvalidData)?;
        // SAFETY: the context is initialised for mono packed f32 on both sides; `input` has
        // `count` samples (null asks for the rest) and `out` room for `capacity`.
        let written = unsafe {
            let swr = context.as_mut_ptr();
            let capacity = ffi::swr_get_out_samples(swr, count).max(0);
            self.out.resize(capacity as usize, 0.0);
            let mut to = self.out.as_mut_ptr().cast::<u8>();
            let mut from = input.map_or(ptr::null(), |i| i.as_ptr().cast::<u8>());
            let from = match input {
                Some(_) => &raw mut from,
                None => ptr::null_mut(),
            };
            ffi::swr_convert(swr, &raw mut to, capacity, from, count)
        };
        match usize::try_from(written) {
            Ok(written) => Ok(&self.out[..written]),
            Err(_) => Err(Error::from(written)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resample(input: &[f32], from: u32, to: u32, chunk: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to).expect("rates are sensible");
        let mut out = Vec::new();
        for part in input.chunks(chunk) {
            out.extend_from_slice(resampler.push(part).expect("converts"));
        }
        loop {
            let rest = resampler.finish().expect("flushes");
            if rest.is_empty() {
                return out;
            }
            out.extend_from_slice(rest);
        }
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
            let whole = resample(&input, from, to, usize::MAX);
            assert_eq!(whole, resample(&input, from, to, 997), "{from} -> {to}");
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
}
