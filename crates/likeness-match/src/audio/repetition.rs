//! What repeats proves nothing new: a metronome resembles every metronome, at some speed. The
//! evidence of a stretch counts for as much as of it is told apart from what came just before.

use super::candidates::{Window, within};
use likeness_core::AudioFingerprint;
use likeness_core::audio::{Peak, Surface};

/// Lags at which repetition is looked for, ticks: 0.1 to 1.25 s, from trills to slow beats. Longer
/// loops hold enough to be told apart.
const LAGS: std::ops::Range<u32> = 34..431;
/// Width of a bin of lags, ticks, and how far apart the frequencies of a repeated peak may lie,
/// steps.
const BIN: u32 = 8;
const STEPS: u16 = 5;
/// Share of repeated peaks from which evidence counts less (music with a beat stays below), and at
/// which only one period counts.
const TOLERATED: f64 = 0.5;
const PERIODIC: f64 = 0.9;

/// Share of the evidence of a stretch of the reference that counts: 1 where little repeats within
/// a second, else down to one period of the stretch.
pub(super) fn novelty(reference: &AudioFingerprint, stretch: Window) -> f64 {
    let length = stretch.end - stretch.start;
    let bins = LAGS.len() / BIN as usize + 1;
    let (mut repeated, mut total) = (vec![0usize; bins], 0);
    for surface in Surface::ALL {
        let peaks = within(reference.peaks(surface), stretch);
        total += peaks.len();
        count(peaks, &mut repeated);
    }
    let counts = |(bin, count): (usize, &usize)| {
        let share = (*count as f64 / total.max(1) as f64).min(1.0);
        let excess = ((share - TOLERATED) / (PERIODIC - TOLERATED)).clamp(0.0, 1.0);
        let period =
            f64::from(LAGS.start + bin as u32 * BIN) / likeness_core::audio::TICKS_PER_SECOND;
        1.0 - excess * (1.0 - period / length.max(period))
    };
    repeated.iter().enumerate().map(counts).fold(1.0, f64::min)
}

/// Adds to each bin of lags, and its neighbour above, the peaks that come again after it.
fn count(peaks: &[Peak], repeated: &mut [usize]) {
    let mut last = vec![usize::MAX; repeated.len()];
    for (i, peak) in peaks.iter().enumerate() {
        for later in &peaks[i + 1..] {
            let lag = later.time - peak.time;
            if lag >= LAGS.end {
                break;
            }
            if lag < LAGS.start || later.frequency.abs_diff(peak.frequency) > STEPS {
                continue;
            }
            let bin = ((lag - LAGS.start) / BIN) as usize;
            // A period at the border of two bins belongs to both.
            for near in [bin, bin.saturating_sub(1)] {
                if last[near] != i {
                    last[near] = i;
                    repeated[near] += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_core::Density;
    use likeness_core::audio::{Grid, TICKS_PER_SECOND};

    fn reference(onsets: Vec<Peak>) -> AudioFingerprint {
        AudioFingerprint {
            duration: 20.0,
            density: Density::Reference,
            onsets,
            partials: Vec::new(),
            grid: Grid {
                bins: 54,
                step: 64,
                values: Vec::new(),
            },
        }
    }

    fn peak(seconds: f64, frequency: u16) -> Peak {
        Peak {
            time: (seconds * TICKS_PER_SECOND) as u32,
            frequency,
            strength: 9,
            sparse: true,
        }
    }

    #[test]
    fn a_metronome_counts_for_one_beat_and_a_melody_for_all() {
        let whole = Window {
            start: 0.0,
            end: 20.0,
        };
        let check = |peaks: Vec<Peak>, range: std::ops::Range<f64>| {
            let found = novelty(&reference(peaks), whole);
            assert!(range.contains(&found), "{found}");
        };
        let beats = |period: f64| (0..(20.0 / period) as u32).map(move |i| f64::from(i) * period);
        check(beats(0.5).map(|t| peak(t, 700)).collect(), 0.0..0.15);
        check(beats(0.61).map(|t| peak(t, 700)).collect(), 0.0..0.2);
        // Four notes a loop of two seconds.
        let loops = beats(0.5)
            .enumerate()
            .map(|(i, t)| peak(t, 100 + 40 * (i % 4) as u16));
        check(loops.collect(), 0.99..1.01);
        let melody = beats(0.25).enumerate();
        let melody = melody.map(|(i, t)| peak(t, 100 + (i * i * 37 % 1000) as u16));
        check(melody.collect(), 0.99..1.01);
        check(Vec::new(), 0.99..1.01);
    }
}
