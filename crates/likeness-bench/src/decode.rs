//! What decoding alone costs: the floor under every fingerprinter.

use crate::corpus::Work;
use crate::costs::cpu_seconds;
use crate::make::progress;
use likeness_audio::AudioConfig;
use likeness_media::{Limits, MediaError};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::path::Path;

/// CPU seconds to decode every work as `add` does, looking at nothing. Works that cannot be decoded
/// cost what they cost until they fail.
pub(crate) fn decoding_alone(works: &[&Work], corpus: &Path) -> f64 {
    let bar = progress(works.len() as u64, "decoding alone");
    let start = cpu_seconds();
    works.par_iter().for_each(|work| {
        // `add` has reported what is wrong with it.
        let _ = decode(&work.path(corpus));
        bar.inc();
    });
    bar.finish();
    cpu_seconds() - start
}

fn decode(path: &Path) -> Result<(), MediaError> {
    let limits = Limits::default();
    let info = likeness_media::probe(path)?;
    if info.audio.is_some() {
        let rate = AudioConfig::default().sample_rate;
        likeness_media::decode_audio(path, rate, &limits, &mut |_| ControlFlow::Continue(()))?;
    }
    if info.video.is_some() {
        likeness_media::decode_video(path, &limits, &mut |_| ControlFlow::Continue(()))?;
    }
    Ok(())
}
