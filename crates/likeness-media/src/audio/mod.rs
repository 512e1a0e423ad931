//! Sound: any file to samples at one rate, on the file's clock.

pub(crate) mod ffmpeg;
mod mix;
mod resample;
mod symphonia;
mod timeline;

use crate::{Backend, DecodeOptions, Decoded, MediaError};
use likeness_core::PcmBlock;
use std::ops::ControlFlow;
use std::path::Path;

/// Receives samples in order; breaking stops the decoder.
pub(crate) type Sink<'a> = dyn FnMut(PcmBlock<'_>) -> ControlFlow<()> + 'a;

/// See [`crate::decode_audio`].
pub(crate) fn decode(
    path: &Path,
    sample_rate: u32,
    options: &DecodeOptions,
    sink: &mut Sink<'_>,
) -> Result<Decoded, MediaError> {
    if options.backend == Backend::Ffmpeg {
        return ffmpeg::decode(path, sample_rate, options, sink);
    }
    match symphonia::open(path, options.backend == Backend::Symphonia) {
        Ok(reader) => reader.decode(sample_rate, options, sink),
        Err(_) if options.backend == Backend::Auto => {
            ffmpeg::decode(path, sample_rate, options, sink)
        }
        Err(error) => Err(error),
    }
}
