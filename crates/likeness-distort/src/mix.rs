//! Work on samples that FFmpeg has no exact filter for: mixing at a given ratio, noise, reverb.

use crate::random::Random;

/// A stretch of interleaved stereo sound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sound {
    /// Left, right, left, ...; full scale is 1.
    pub(crate) samples: Vec<f32>,
}

/// Sample rate of everything in this crate.
pub(crate) const RATE: u32 = 44_100;

impl Sound {
    pub(crate) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / 2.0 / f64::from(RATE)
    }

    /// Root mean square; 0 for no samples.
    pub(crate) fn rms(&self) -> f64 {
        if self.samples.is_empty() {
            return 0.0;
        }
        let sum: f64 = self.samples.iter().map(|x| f64::from(*x).powi(2)).sum();
        (sum / self.samples.len() as f64).sqrt()
    }

    /// Exactly this long: cut or filled with silence.
    pub(crate) fn fit(&mut self, seconds: f64) {
        self.samples.resize(frames(seconds) * 2, 0.0);
    }

    /// Scales down what would clip.
    pub(crate) fn limit(&mut self) {
        let peak = self
            .samples
            .iter()
            .fold(0.0_f32, |peak, x| peak.max(x.abs()));
        if peak > 0.99 {
            let gain = 0.99 / peak;
            self.samples.iter_mut().for_each(|x| *x *= gain);
        }
    }

    /// Adds `other` (repeated when shorter) so that this lies `snr_db` above it on average.
    pub(crate) fn add(&mut self, other: &Sound, snr_db: f64) {
        let level = other.rms();
        if level == 0.0 {
            return;
        }
        let gain = (self.rms() / level * 10_f64.powf(-snr_db / 20.0)) as f32;
        for (x, y) in self.samples.iter_mut().zip(other.samples.iter().cycle()) {
            *x += gain * y;
        }
    }

    /// White noise as long as this, the same on both channels.
    pub(crate) fn noise_like(&self, random: &mut Random) -> Sound {
        let mut samples = Vec::with_capacity(self.samples.len());
        for _ in 0..self.samples.len() / 2 {
            let value = random.between(-1.0, 1.0) as f32;
            samples.extend([value, value]);
        }
        Sound { samples }
    }

    /// This in the midst of `before` and `after`, levelled to its own mean.
    pub(crate) fn between(self, mut before: Sound, mut after: Sound) -> Sound {
        let level = self.rms();
        for part in [&mut before, &mut after] {
            let own = part.rms();
            if own > 0.0 {
                let gain = (level / own) as f32;
                part.samples.iter_mut().for_each(|x| *x *= gain);
            }
        }
        let mut samples = before.samples;
        samples.extend(self.samples);
        samples.extend(after.samples);
        Sound { samples }
    }

    /// A Schroeder reverberator (Schroeder 1962): four combs side by side, two allpasses in a row.
    /// `seconds` is the time to fall by 60 dB, `wet` the hall's share of the result.
    pub(crate) fn reverb(&mut self, seconds: f64, wet: f64) {
        const COMBS: [f64; 4] = [0.0297, 0.0371, 0.0411, 0.0437];
        const ALLPASSES: [f64; 2] = [0.005, 0.0017];
        for channel in 0..2 {
            let dry: Vec<f32> = self
                .samples
                .iter()
                .skip(channel)
                .step_by(2)
                .copied()
                .collect();
            let mut hall = vec![0.0_f32; dry.len()];
            for delay in COMBS {
                let feedback = 10_f64.powf(-3.0 * delay / seconds) as f32;
                comb(&dry, &mut hall, frames(delay), feedback);
            }
            for delay in ALLPASSES {
                hall = allpass(&hall, frames(delay), 0.7);
            }
            let out = self.samples.iter_mut().skip(channel).step_by(2);
            for ((out, dry), hall) in out.zip(&dry).zip(&hall) {
                *out = (1.0 - wet as f32) * dry + wet as f32 * hall;
            }
        }
    }

    /// Fades in and out over `seconds`.
    pub(crate) fn fade(&mut self, seconds: f64) {
        let total = self.samples.len() / 2;
        let length = frames(seconds).clamp(1, total.max(1));
        for index in 0..total {
            let gain = (index.min(total - 1 - index) as f32 / length as f32).min(1.0);
            self.samples[2 * index] *= gain;
            self.samples[2 * index + 1] *= gain;
        }
    }
}

/// Sample frames in `seconds`.
pub(crate) fn frames(seconds: f64) -> usize {
    (seconds * f64::from(RATE)).round().max(0.0) as usize
}

/// Adds a quarter of the comb's answer to `out`.
fn comb(input: &[f32], out: &mut [f32], delay: usize, feedback: f32) {
    let mut line = vec![0.0_f32; delay.max(1)];
    for (index, (x, y)) in input.iter().zip(out).enumerate() {
        let slot = index % line.len();
        *y += 0.25 * line[slot];
        line[slot] = x + feedback * line[slot];
    }
}

fn allpass(input: &[f32], delay: usize, gain: f32) -> Vec<f32> {
    let mut line = vec![0.0_f32; delay.max(1)];
    let mut out = Vec::with_capacity(input.len());
    for (index, x) in input.iter().enumerate() {
        let slot = index % line.len();
        let delayed = line[slot];
        let fed = x + gain * delayed;
        line[slot] = fed;
        out.push(delayed - gain * fed);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(seconds: f64, gain: f32) -> Sound {
        let samples = (0..frames(seconds))
            .flat_map(|i| [(i as f32 * 0.05).sin() * gain; 2])
            .collect();
        Sound { samples }
    }

    #[test]
    fn a_mix_has_the_ratio_asked_for() {
        for snr_db in [-3.0, 0.0, 10.0] {
            let signal = tone(2.0, 0.3);
            let mut mixed = signal.clone();
            let noise = signal.noise_like(&mut Random::new(1, "noise"));
            mixed.add(&noise, snr_db);
            let rest = Sound {
                samples: mixed
                    .samples
                    .iter()
                    .zip(&signal.samples)
                    .map(|(a, b)| a - b)
                    .collect(),
            };
            let measured = 20.0 * (signal.rms() / rest.rms()).log10();
            assert!(
                (measured - snr_db).abs() < 0.05,
                "{measured} is not {snr_db}"
            );
        }
    }

    #[test]
    fn a_hall_rings_as_long_as_it_should() {
        let mut sound = Sound {
            samples: vec![0.0; frames(3.0) * 2],
        };
        sound.samples[0] = 1.0;
        sound.reverb(1.0, 1.0);
        let energy = |from: f64, to: f64| -> f64 {
            sound.samples[frames(from) * 2..frames(to) * 2]
                .iter()
                .map(|x| f64::from(*x).powi(2))
                .sum()
        };
        let fall = 10.0 * (energy(0.2, 0.4) / energy(1.2, 1.4)).log10();
        assert!((fall - 60.0).abs() < 4.0, "fell by {fall} dB in a second");
    }

    #[test]
    fn other_music_around_it_is_equally_loud() {
        let sound = tone(1.0, 0.5).between(tone(0.5, 0.1), tone(0.25, 0.01));
        assert!((sound.seconds() - 1.75).abs() < 1e-3);
        let head = Sound {
            samples: sound.samples[..frames(0.5) * 2].to_vec(),
        };
        assert!((head.rms() / tone(1.0, 0.5).rms() - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_fade_begins_and_ends_in_silence() {
        let mut sound = tone(1.0, 0.5);
        sound.fade(0.2);
        assert_eq!(sound.samples[0], 0.0);
        assert_eq!(sound.samples.last(), Some(&0.0));
    }
}
