//! Songs as a sequencer plays them: common chord progressions, broken or struck on one of a few
//! instruments, in time to the sample, each with a key, a tempo and a melody of its own. What two of them
//! have in common is a style, and no recording.

use likeness_distort::Random;
use std::f64::consts::TAU;

/// The chords of four bars, one each, as steps of the scale counted from its tonic.
const PROGRESSIONS: [[usize; 4]; 8] = [
    [0, 4, 5, 3],
    [0, 5, 3, 4],
    [5, 3, 0, 4],
    [0, 3, 4, 3],
    [1, 4, 0, 0],
    [0, 0, 3, 4],
    [0, 4, 0, 4],
    [5, 4, 3, 4],
];
/// Which notes of a chord are struck at each eighth of a bar.
const PATTERNS: [[&[usize]; 8]; 6] = [
    [&[0], &[1], &[2], &[1], &[0], &[1], &[2], &[1]],
    [&[0], &[2], &[1], &[2], &[0], &[2], &[1], &[2]],
    [&[0], &[1], &[2], &[3], &[2], &[1], &[2], &[3]],
    [&[0], &[1, 2], &[1], &[2], &[0], &[1, 2], &[1], &[2]],
    [
        &[0, 1, 2],
        &[],
        &[0, 1, 2],
        &[],
        &[0, 1, 2],
        &[],
        &[0, 1, 2],
        &[],
    ],
    [&[3], &[2], &[1], &[0], &[3], &[2], &[1], &[0]],
];
const MAJOR: [f64; 7] = [0.0, 2.0, 4.0, 5.0, 7.0, 9.0, 11.0];
const MINOR: [f64; 7] = [0.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];
/// Partials of a note.
const PARTIALS: usize = 8;

/// A sound of an instrument: how fast its partials fall off, and how fast a note dies away (1/s).
#[derive(Debug, Clone, Copy)]
struct Instrument {
    tilt: f64,
    decay: f64,
}

const INSTRUMENTS: [Instrument; 4] = [
    // A piano, more or less; a plucked string; an organ; a music box.
    Instrument {
        tilt: 1.3,
        decay: 2.0,
    },
    Instrument {
        tilt: 0.8,
        decay: 5.0,
    },
    Instrument {
        tilt: 1.0,
        decay: 0.4,
    },
    Instrument {
        tilt: 2.2,
        decay: 4.0,
    },
];

/// One note to be played.
#[derive(Debug, Clone, Copy)]
struct Note {
    start: f64,
    seconds: f64,
    /// Semitones above A at 440 Hz.
    pitch: f64,
    strength: f64,
    instrument: Instrument,
}

/// A song of so many seconds, mono, at `rate` samples a second.
pub(super) fn song(random: &mut Random, seconds: f64, rate: f64) -> Vec<f32> {
    let mut samples = vec![0.0f32; (seconds * rate) as usize];
    let eighth = 30.0 / random.between(70.0, 150.0).round();
    for note in &notes(random, seconds, eighth) {
        play(note, rate, &mut samples);
    }
    if random.index(2) == 0 {
        drum(random, eighth, rate, &mut samples);
    }
    let loudest = samples.iter().fold(1e-9f32, |most, s| most.max(s.abs()));
    samples
        .iter_mut()
        .for_each(|sample| *sample *= 0.6 / loudest);
    samples
}

fn notes(random: &mut Random, seconds: f64, eighth: f64) -> Vec<Note> {
    let scale = [MAJOR, MAJOR, MINOR][random.index(3)];
    let tonic = random.index(12) as f64 - 24.0;
    let pitch = |step: usize| tonic + scale[step % 7] + 12.0 * (step / 7) as f64;
    let verses = [0, 1].map(|_| PROGRESSIONS[random.index(PROGRESSIONS.len())]);
    let pattern = PATTERNS[random.index(PATTERNS.len())];
    let instrument = INSTRUMENTS[random.index(2)];
    let lead = INSTRUMENTS[random.index(INSTRUMENTS.len())];
    let loud = random.between(0.5, 1.2);
    let melodies = [0, 1].map(|_| melody(random));
    let mut notes = Vec::new();
    let bars = (seconds / (8.0 * eighth)) as usize;
    for bar in 0..bars {
        // Eight bars of a verse, eight of a chorus.
        let part = bar / 8 % 2;
        let chord = verses[part][bar % 4];
        let start = |at: usize| (bar * 8 + at) as f64 * eighth;
        let note = |at, length: f64, step, strength, instrument| Note {
            start: start(at),
            seconds: length * eighth,
            pitch: pitch(step),
            strength,
            instrument,
        };
        notes.push(note(0, 8.0, chord, 0.8, instrument));
        for (at, voices) in pattern.iter().enumerate() {
            for voice in *voices {
                let step = chord + 7 + [0, 2, 4, 7][*voice];
                notes.push(note(at, 2.0, step, 0.5, instrument));
            }
        }
        for &(at, length, step) in &melodies[part] {
            if at / 8 == bar % 8 {
                notes.push(note(at % 8, length as f64, step, loud, lead));
            }
        }
    }
    notes
}

/// Eight bars of melody: when each note starts and how long it is, in eighths, and its step of the scale.
fn melody(random: &mut Random) -> Vec<(usize, usize, usize)> {
    let mut melody = Vec::new();
    let (mut at, mut step) = (random.index(3), 14 + random.index(7));
    while at < 64 {
        let length = [1, 1, 2, 2, 2, 3, 4][random.index(7)];
        if random.index(6) > 0 {
            melody.push((at, length, step));
        }
        step = (step + random.index(5)).saturating_sub(2).clamp(12, 24);
        at += length;
    }
    melody
}

fn play(note: &Note, rate: f64, samples: &mut [f32]) {
    let hz = 440.0 * (note.pitch / 12.0).exp2();
    let first = (note.start * rate) as usize;
    let count = ((note.seconds + 0.1) * rate) as usize;
    let Instrument { tilt, decay } = note.instrument;
    for (i, sample) in samples.iter_mut().skip(first).take(count).enumerate() {
        let t = i as f64 / rate;
        let release = ((note.seconds + 0.1 - t) / 0.1).min(1.0);
        let envelope = (t / 0.004).min(1.0) * release * note.strength;
        let partial = |k: usize| {
            let k = k as f64;
            let dying = (-t * decay * (0.7 + 0.3 * k)).exp();
            (TAU * hz * k * t).sin() * k.powf(-tilt) * dying
        };
        let audible = (1..=PARTIALS).take_while(|&k| hz * (k as f64) < 0.45 * rate);
        *sample += (envelope * audible.map(partial).sum::<f64>()) as f32;
    }
}

/// A hat at each `beat` (s), louder each fourth time.
fn drum(random: &mut Random, beat: f64, rate: f64, samples: &mut [f32]) {
    for (i, sample) in samples.iter_mut().enumerate() {
        let t = i as f64 / rate;
        let strength = [0.8, 0.2, 0.4, 0.2][(t / beat) as usize % 4];
        let noise = random.between(-1.0, 1.0) * strength * (-(t % beat) * 40.0).exp();
        *sample += noise as f32;
    }
}
