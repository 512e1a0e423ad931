//! The sound of a query: an excerpt in memory, one step after another.

use crate::error::DistortError;
use crate::graph::{Pull, quoted};
use crate::mix::{RATE, Sound, frames};
use crate::random::Random;
use crate::recipe::{AudioStep, Shifter, Stretcher, audio_speed};
use crate::render::{Job, clock};
use crate::truth::Truth;
use ffmpeg_next::ChannelLayout;
use ffmpeg_next::format::{Sample, sample::Type};
use ffmpeg_next::frame::Audio;
use likeness_core::report::{DistortionKind, Media};
use std::path::Path;

/// Below this level an excerpt counts as silence.
const SILENCE: f64 = 1e-3;

/// Renders the sound of `job` and tells where the source lies in it.
pub(crate) fn render(
    job: &Job<'_>,
    steps: &[AudioStep],
    random: &mut Random,
) -> Result<(Sound, Truth), DistortError> {
    let speed = audio_speed(steps);
    let mut sound = load(job.source, job.start, job.seconds * speed)?;
    if sound.rms() < SILENCE {
        return Err(empty(job.source, job.start, job.seconds * speed));
    }
    let mut truth = Truth {
        media: Media::Audio,
        query_start: 0.0,
        query_end: job.seconds,
        reference_start: job.start,
        speed,
        pitch_semitones: Some(0.0),
        placement: None,
        kinds: Vec::new(),
        lenient: Vec::new(),
    };
    for step in steps {
        sound = apply(step, sound, job, &mut truth, random)?;
    }
    if sound.rms() < SILENCE {
        return Err(empty(job.source, job.start, job.seconds * speed));
    }
    sound.limit();
    truth.kinds = names(&truth, sound.seconds());
    Ok((sound, truth))
}

fn empty(path: &Path, start: f64, seconds: f64) -> DistortError {
    DistortError::Empty {
        path: path.to_owned(),
        start,
        end: start + seconds,
    }
}

/// The names that follow from speed, pitch and the stretch that is somebody else's.
fn names(truth: &Truth, total: f64) -> Vec<DistortionKind> {
    let pitch = truth.pitch_semitones.unwrap_or(0.0);
    let paced = (truth.speed - 1.0).abs() > 1e-6;
    let pitched = pitch.abs() > 1e-6;
    let follows = (pitch - 12.0 * truth.speed.log2()).abs() < 1e-6;
    let mut kinds = Vec::new();
    if paced && follows {
        kinds.push(DistortionKind::Speed);
    } else {
        kinds.extend(paced.then_some(DistortionKind::Tempo));
        kinds.extend(pitched.then_some(DistortionKind::Pitch));
    }
    if truth.query_end - truth.query_start < 0.85 * total {
        kinds.push(DistortionKind::Excerpt);
    }
    kinds
}

fn apply(
    step: &AudioStep,
    mut sound: Sound,
    job: &Job<'_>,
    truth: &mut Truth,
    random: &mut Random,
) -> Result<Sound, DistortError> {
    let pitch = truth.pitch_semitones.get_or_insert(0.0);
    match step {
        AudioStep::Speed { factor } => {
            within("speed", *factor, 0.5, 2.0, "0.5..=2")?;
            *pitch += 12.0 * factor.log2();
            truth.come_sooner(*factor);
            filter(&sound, &played_at(*factor))
        }
        AudioStep::Tempo { factor, stretcher } => {
            within("tempo", *factor, 0.5, 2.0, "0.5..=2")?;
            truth.come_sooner(*factor);
            match stretcher {
                Stretcher::Atempo => filter(&sound, &format!("atempo={factor}")),
                Stretcher::Rubberband => rubberband(&sound, &format!("tempo={factor}"), *factor),
            }
        }
        AudioStep::Pitch { semitones, shifter } => {
            within("pitch", *semitones, -12.0, 12.0, "-12..=12")?;
            *pitch += semitones;
            let ratio = (semitones / 12.0).exp2();
            match shifter {
                Shifter::Rubberband => rubberband(&sound, &format!("pitch={ratio}"), 1.0),
                Shifter::Resample => {
                    let graph = format!("{},atempo={}", played_at(ratio), ratio.recip());
                    filter(&sound, &graph)
                }
            }
        }
        AudioStep::Noise { snr_db } => {
            let noise = sound.noise_like(random);
            sound.add(&noise, *snr_db);
            Ok(sound)
        }
        AudioStep::Voice { snr_db } => {
            let voice = foreign(
                job.materials.voice,
                "somebody's voice",
                sound.seconds(),
                random,
            )?;
            sound.add(&voice, *snr_db);
            Ok(sound)
        }
        AudioStep::Music { snr_db } => {
            let music = foreign(job.materials.music, "other music", sound.seconds(), random)?;
            sound.add(&music, *snr_db);
            Ok(sound)
        }
        AudioStep::Equaliser { gain_db } => filter(&sound, &equaliser(*gain_db)),
        AudioStep::Band { low_hz, high_hz } => {
            // Twice each: 24 dB an octave, as a telephone does.
            let (low, high) = (
                format!("highpass=f={low_hz}"),
                format!("lowpass=f={high_hz}"),
            );
            filter(&sound, &format!("{low},{low},{high},{high}"))
        }
        AudioStep::Reverb { seconds, wet } => {
            within("reverb", *seconds, 0.05, 20.0, "0.05..=20 s")?;
            sound.reverb(*seconds, wet.clamp(0.0, 1.0));
            Ok(sound)
        }
        AudioStep::Compress { ratio } => {
            within("compress", *ratio, 1.0, 20.0, "1..=20")?;
            let graph = format!("acompressor=threshold=0.02:ratio={ratio}:attack=5:release=80");
            filter(&sound, &graph)
        }
        AudioStep::RemoveCentre => filter(&sound, "pan=stereo|c0=c0-c1|c1=c0-c1"),
        AudioStep::Fade { seconds } => {
            sound.fade(*seconds);
            Ok(sound)
        }
        AudioStep::Inside { before, after } => {
            let mut part = |seconds| foreign(job.materials.music, "other music", seconds, random);
            let (head, tail) = (part(*before)?, part(*after)?);
            truth.query_start += before;
            truth.query_end += before;
            Ok(sound.between(head, tail))
        }
    }
}

/// Refuses a number outside `low..=high`.
pub(crate) fn within(
    step: &'static str,
    value: f64,
    low: f64,
    high: f64,
    range: &'static str,
) -> Result<(), DistortError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(DistortError::OutOfRange { step, value, range })
}

/// Faster or slower with the pitch: the samples are declared to have another rate.
fn played_at(factor: f64) -> String {
    let declared = (f64::from(RATE) * factor).round();
    format!("asetrate={declared},aresample={RATE}")
}

/// Octave bands raised and lowered in turn.
fn equaliser(gain_db: f64) -> String {
    let bands = [125, 250, 500, 1000, 2000, 4000];
    let filters = bands.iter().enumerate().map(|(index, hertz)| {
        let gain = if index % 2 == 0 { gain_db } else { -gain_db };
        format!("equalizer=f={hertz}:t=o:w=1:g={gain}")
    });
    filters.collect::<Vec<_>>().join(",")
}

/// Runs Rubber Band and cuts what it appends.
fn rubberband(sound: &Sound, option: &str, tempo: f64) -> Result<Sound, DistortError> {
    let wanted = sound.seconds() / tempo;
    let mut result = filter(sound, &format!("rubberband={option}"))?;
    result.fit(wanted);
    Ok(result)
}

/// A stretch of foreign sound as long as asked; shorter material is repeated.
fn foreign(
    path: Option<&Path>,
    what: &'static str,
    seconds: f64,
    random: &mut Random,
) -> Result<Sound, DistortError> {
    let path = path.ok_or(DistortError::NoMaterial(what))?;
    let whole = load(path, 0.0, 300.0)?;
    if whole.rms() < SILENCE {
        return Err(empty(path, 0.0, 300.0));
    }
    let total = whole.samples.len() / 2;
    let begin = random.index(total.saturating_sub(frames(seconds)).max(1));
    let wanted = frames(seconds) * 2;
    let samples = whole.samples.iter().cycle().skip(begin * 2).take(wanted);
    Ok(Sound {
        samples: samples.copied().collect(),
    })
}

/// Decodes `seconds` of `path` from `start` on its own clock, as stereo. Always decodes from the
/// beginning: seeking is not exact in every container, and the truth must be.
pub(crate) fn load(path: &Path, start: f64, seconds: f64) -> Result<Sound, DistortError> {
    let clock = clock(path)?;
    if !clock.audible {
        return Err(DistortError::Empty {
            path: path.to_owned(),
            start,
            end: start + seconds,
        });
    }
    let (from, to) = (clock.origin + start, clock.origin + start + seconds);
    let mut pull = Pull::audio(&format!(
        "amovie=filename={},aformat=sample_fmts=flt:sample_rates={RATE}:channel_layouts=stereo,\
         atrim=start={from}:end={to}[out]",
        quoted(path)
    ))?;
    let mut sound = Sound {
        samples: Vec::with_capacity(frames(seconds.min(600.0)) * 2),
    };
    drain(&mut pull, &mut sound)?;
    Ok(sound)
}

/// Sends `sound` through a chain of filters.
fn filter(sound: &Sound, chain: &str) -> Result<Sound, DistortError> {
    let mut result = Sound {
        samples: Vec::with_capacity(sound.samples.len()),
    };
    let mut pull = Pull::fed(
        &format!(
            "[in]{chain},aformat=sample_fmts=flt:sample_rates={RATE}:channel_layouts=stereo[out]"
        ),
        RATE,
    )?;
    for frame in blocks(sound) {
        pull.push(&frame)?;
        drain(&mut pull, &mut result)?;
    }
    pull.close()?;
    drain(&mut pull, &mut result)?;
    Ok(result)
}

/// The sound as frames that FFmpeg takes.
pub(crate) fn blocks(sound: &Sound) -> impl Iterator<Item = Audio> + '_ {
    const BLOCK: usize = 4096;
    sound
        .samples
        .chunks(BLOCK * 2)
        .enumerate()
        .map(|(index, block)| {
            let format = Sample::F32(Type::Packed);
            let mut frame = Audio::new(format, block.len() / 2, ChannelLayout::STEREO);
            frame.set_rate(RATE);
            frame.set_pts(Some((index * BLOCK) as i64));
            let bytes = frame.data_mut(0);
            for (bytes, value) in bytes.chunks_exact_mut(4).zip(block) {
                bytes.copy_from_slice(&value.to_ne_bytes());
            }
            frame
        })
}

fn drain(pull: &mut Pull, sound: &mut Sound) -> Result<(), DistortError> {
    let mut frame = Audio::empty();
    while pull.next(&mut frame)? {
        let bytes = &frame.data(0)[..frame.samples() * 8];
        let values = bytes.chunks_exact(4);
        sound
            .samples
            .extend(values.map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])));
    }
    Ok(())
}
