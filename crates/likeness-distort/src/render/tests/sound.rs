//! Clicks and tones in the sound.

use super::START;
use crate::audio::load;
use crate::encode;
use crate::mix::{RATE, Sound, frames};
use crate::recipe::{AudioCodec, AudioStep, Encoding, Shifter, Stretcher};
use crate::render::*;
use tempfile::TempDir;

pub(super) fn flac(path: &Path, sound: &Sound) {
    let stream = encode::audio(sound, &Encoding::default(), false).expect("encoded");
    encode::write(path, vec![stream]).expect("written");
}

/// A tone of 1 kHz, with a loud click at each of `clicks`.
pub(super) fn tone(seconds: f64, clicks: &[f64]) -> Sound {
    let step = std::f64::consts::TAU * 1000.0 / f64::from(RATE);
    let mut samples: Vec<f32> = (0..frames(seconds))
        .flat_map(|i| [(0.05 * (step * i as f64).sin()) as f32; 2])
        .collect();
    for click in clicks {
        let at = frames(*click) * 2;
        for (index, sample) in samples[at..at + 2 * 88].iter_mut().enumerate() {
            *sample = if (index / 8) % 2 == 0 { 0.9 } else { -0.9 };
        }
    }
    Sound { samples }
}

/// The loudest moment within 0.3 s of `near`: the middle of the loudest 4 ms.
pub(super) fn click_near(sound: &Sound, near: f64) -> f64 {
    let window = 2 * frames(0.004);
    let energy = |at: usize| -> f64 {
        let block = &sound.samples[at..at + window];
        block.iter().map(|x| f64::from(*x).powi(2)).sum()
    };
    let first = frames((near - 0.3).max(0.0)) * 2;
    let last = (frames(near + 0.3) * 2).min(sound.samples.len() - window);
    let loudest = (first..last)
        .step_by(16)
        .max_by(|a, b| energy(*a).total_cmp(&energy(*b)));
    (loudest.expect("samples") / 2) as f64 / f64::from(RATE) + 0.002
}

/// Frequency of a steady tone within a stretch, from its zero crossings.
fn hertz(sound: &Sound, from: f64, to: f64) -> f64 {
    let left: Vec<f32> = sound.samples[frames(from) * 2..frames(to) * 2]
        .iter()
        .step_by(2)
        .copied()
        .collect();
    let rising: Vec<usize> = (1..left.len())
        .filter(|i| left[i - 1] < 0.0 && left[*i] >= 0.0)
        .collect();
    let spanned = (rising[rising.len() - 1] - rising[0]) as f64 / f64::from(RATE);
    (rising.len() - 1) as f64 / spanned
}

struct Heard {
    sound: Sound,
    truth: Truth,
}

fn hear(source: &Sound, steps: Vec<AudioStep>, encode: Encoding) -> Heard {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("source.flac");
    flac(&path, source);
    let other = folder.path().join("other.flac");
    let mut hum = tone(20.0, &[]);
    hum.samples.iter_mut().for_each(|x| *x *= 0.2);
    flac(&other, &hum);
    let materials = Materials {
        voice: Some(&other),
        music: Some(&other),
        ..Materials::default()
    };
    let recipe = Recipe {
        audio: Some(steps),
        video: None,
        encode,
    };
    let job = Job {
        source: &path,
        start: START,
        seconds: 10.0,
        recipe: &recipe,
        materials: &materials,
        random: Random::new(1, "test"),
    };
    let (file, truths) = render(&job, folder.path(), "query").expect("rendered");
    Heard {
        sound: load(&file, 0.0, 1e4).expect("decoded"),
        truth: truths[0].clone(),
    }
}

/// Clicks must lie where the truth says, within `tolerance` seconds.
fn check_clicks(step: AudioStep, tolerance: f64) {
    check_clicks_after(vec![step], tolerance);
}

fn check_clicks_after(steps: Vec<AudioStep>, tolerance: f64) {
    let clicks = [4.0, 7.0, 9.5];
    let name = format!("{steps:?}");
    let heard = hear(&tone(20.0, &clicks), steps, Encoding::default());
    let truth = &heard.truth;
    for click in clicks {
        let expected = truth.query_start + (click - truth.reference_start) / truth.speed;
        if expected > truth.query_end - 0.5 {
            continue;
        }
        let found = click_near(&heard.sound, expected);
        let error = found - expected - 0.002;
        assert!(
            error.abs() <= tolerance,
            "{name}: click at {found:.4}, not {expected:.4}"
        );
    }
}

#[test]
fn the_time_map_of_sound_is_what_is_heard() {
    for factor in [0.75, 0.95, 1.05, 1.3] {
        check_clicks(AudioStep::Speed { factor }, 0.004);
        for stretcher in [Stretcher::Atempo, Stretcher::Rubberband] {
            check_clicks(AudioStep::Tempo { factor, stretcher }, 0.03);
        }
    }
    for semitones in [-5.0, 2.0, 6.0] {
        for shifter in [Shifter::Rubberband, Shifter::Resample] {
            check_clicks(AudioStep::Pitch { semitones, shifter }, 0.03);
        }
    }
    for step in [
        AudioStep::Noise { snr_db: 10.0 },
        AudioStep::Voice { snr_db: 5.0 },
        AudioStep::Music { snr_db: 3.0 },
        AudioStep::Equaliser { gain_db: 12.0 },
        AudioStep::Band {
            low_hz: 300.0,
            high_hz: 3400.0,
        },
        AudioStep::Reverb {
            seconds: 0.8,
            wet: 0.3,
        },
        AudioStep::Compress { ratio: 12.0 },
        AudioStep::Fade { seconds: 1.0 },
        AudioStep::Inside {
            before: 7.0,
            after: 5.0,
        },
    ] {
        check_clicks(step, 0.005);
    }
}

/// What comes before the copy changes its pace with it, or not, as the order says.
#[test]
fn the_time_map_of_sound_holds_in_any_order() {
    let inside = AudioStep::Inside {
        before: 5.0,
        after: 4.0,
    };
    for factor in [0.9, 1.2] {
        let speed = AudioStep::Speed { factor };
        let tempo = AudioStep::Tempo {
            factor,
            stretcher: Stretcher::Atempo,
        };
        check_clicks_after(vec![inside.clone(), speed.clone()], 0.005);
        check_clicks_after(vec![speed, inside.clone()], 0.005);
        check_clicks_after(vec![inside.clone(), tempo], 0.03);
    }
}

#[test]
fn removing_the_centre_keeps_the_sides_and_their_times() {
    // The tone is the same on both sides; the clicks are on the left only.
    let clicks = [4.0, 7.0];
    let (mut sound, middle) = (tone(20.0, &clicks), tone(20.0, &[]));
    for (both, middle) in sound.samples.chunks_mut(2).zip(middle.samples.chunks(2)) {
        both[1] = middle[1];
    }
    let heard = hear(&sound, vec![AudioStep::RemoveCentre], Encoding::default());
    for click in clicks {
        let error = click_near(&heard.sound, click - START) - (click - START) - 0.002;
        assert!(error.abs() < 0.005, "{error:+.4} s");
    }
    let quiet = &heard.sound.samples[frames(3.0) * 2..frames(4.0) * 2];
    assert!(quiet.iter().all(|x| x.abs() < 0.01), "the middle is left");
}

#[test]
fn the_pitch_is_what_is_heard() {
    let check = |step: AudioStep| {
        let name = format!("{step:?}");
        let heard = hear(&tone(20.0, &[]), vec![step], Encoding::default());
        let pitch = heard.truth.pitch_semitones.expect("sound has a pitch");
        let found = 12.0 * (hertz(&heard.sound, 3.0, 7.0) / 1000.0).log2();
        assert!(
            (found - pitch).abs() < 0.02,
            "{name}: {found:.3} semitones, not {pitch:.3}"
        );
    };
    for factor in [0.75, 0.95, 1.05, 1.3] {
        check(AudioStep::Speed { factor });
        check(AudioStep::Tempo {
            factor,
            stretcher: Stretcher::Atempo,
        });
        check(AudioStep::Tempo {
            factor,
            stretcher: Stretcher::Rubberband,
        });
    }
    for semitones in [-5.0, 0.5, 2.0, 6.0] {
        check(AudioStep::Pitch {
            semitones,
            shifter: Shifter::Rubberband,
        });
        check(AudioStep::Pitch {
            semitones,
            shifter: Shifter::Resample,
        });
    }
}

#[test]
fn codecs_do_not_shift_time() {
    for (codec, kbps) in [
        (AudioCodec::Flac, 192),
        (AudioCodec::Mp3, 128),
        (AudioCodec::Mp3, 16),
        (AudioCodec::Aac, 96),
        (AudioCodec::Opus, 24),
    ] {
        let clicks = [4.0, 7.0];
        let encoding = Encoding {
            codec,
            kbps,
            ..Encoding::default()
        };
        let heard = hear(&tone(20.0, &clicks), Vec::new(), encoding);
        for click in clicks {
            let found = click_near(&heard.sound, click - START) - 0.002;
            let error = found - (click - START);
            assert!(error.abs() < 0.012, "{codec:?} {kbps}: {error:+.4} s");
        }
    }
}

#[test]
fn names_of_sound_follow_from_the_steps() {
    use likeness_core::report::DistortionKind::{Excerpt, Pitch, Speed, Tempo};
    let check = |steps: Vec<AudioStep>, kinds: &[_]| {
        let heard = hear(&tone(20.0, &[]), steps, Encoding::default());
        assert_eq!(heard.truth.kinds, kinds);
    };
    let stretcher = Stretcher::Atempo;
    check(vec![], &[]);
    check(vec![AudioStep::Speed { factor: 1.05 }], &[Speed]);
    check(
        vec![AudioStep::Tempo {
            factor: 1.05,
            stretcher,
        }],
        &[Tempo],
    );
    let pitch = AudioStep::Pitch {
        semitones: 2.0,
        shifter: Shifter::Resample,
    };
    check(vec![pitch.clone()], &[Pitch]);
    check(
        vec![
            AudioStep::Tempo {
                factor: 1.05,
                stretcher,
            },
            pitch,
        ],
        &[Tempo, Pitch],
    );
    check(
        vec![AudioStep::Inside {
            before: 9.0,
            after: 9.0,
        }],
        &[Excerpt],
    );
}
