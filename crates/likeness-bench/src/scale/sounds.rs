//! Simulated sound: faster or slower, higher or lower and heard less than perfectly.

use super::simulate::{LOST, SPEED, STRETCH, Stream, Stretch};
use crate::corpus::Kind;
use crate::windows;
use likeness::ExtractOptions;
use likeness_core::audio::{BINS, Grid, Peak, STEPS_PER_BIN, STEPS_PER_SEMITONE, TICKS_PER_SECOND};
use likeness_core::{AudioFingerprint, Fingerprint, StreamState};
use likeness_distort::Random;

/// Semitones by which a stretch is shifted.
const PITCH: f64 = 8.0;
/// Ticks and steps by which peaks are off.
const OFF: i64 = 1;

/// How a stretch is changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// Semitones.
    pitch: f64,
    /// Share of the peaks that are lost.
    lost: f64,
}

impl Stream for AudioFingerprint {
    const KIND: Kind = Kind::Music;
    /// The shortest stretch at the highest speed.
    const SHORTEST: f64 = STRETCH.0 * SPEED.1;
    type Change = Change;

    fn extracted() -> ExtractOptions {
        ExtractOptions {
            video: false,
            ..ExtractOptions::default()
        }
    }

    fn of(fingerprint: Fingerprint) -> Option<AudioFingerprint> {
        fingerprint.audio.into_analysed()
    }

    fn alone(self) -> Fingerprint {
        Fingerprint {
            content: [0; 32],
            duration: self.duration,
            density: self.density,
            audio: StreamState::Analysed(self),
            video: StreamState::Absent,
        }
    }

    fn seconds(&self) -> f64 {
        self.duration
    }

    fn window(&self, window: (f64, f64)) -> AudioFingerprint {
        windows::sound(self, window)
    }

    fn empty(&self) -> AudioFingerprint {
        AudioFingerprint {
            duration: 0.0,
            onsets: Vec::new(),
            partials: Vec::new(),
            grid: self.grid.emptied(),
            density: self.density,
        }
    }

    fn draw(random: &mut Random) -> Change {
        Change {
            pitch: random.between(-PITCH, PITCH),
            lost: random.between(0.0, LOST),
        }
    }

    fn append(
        &mut self,
        source: &AudioFingerprint,
        stretch: &Stretch,
        change: &Change,
        random: &mut Random,
    ) {
        // Whole rows, so that peaks and grid keep together.
        let rows = (stretch.seconds * TICKS_PER_SECOND / f64::from(source.grid.step)) as u32;
        let before = self.grid.rows() as u32 * source.grid.step;
        let place = Place {
            start: stretch.start * TICKS_PER_SECOND,
            speed: stretch.speed,
            ticks: rows * source.grid.step,
            before,
        };
        move_peaks(&mut self.onsets, &source.onsets, &place, change, random);
        move_peaks(&mut self.partials, &source.partials, &place, change, random);
        move_rows(&mut self.grid, &source.grid, rows, &place, change);
        self.duration = f64::from(before + place.ticks) / TICKS_PER_SECOND;
    }
}

/// From where to where a stretch goes, in ticks.
struct Place {
    start: f64,
    speed: f64,
    ticks: u32,
    before: u32,
}

fn move_peaks(
    to: &mut Vec<Peak>,
    from: &[Peak],
    place: &Place,
    change: &Change,
    random: &mut Random,
) {
    let first = from.partition_point(|peak| f64::from(peak.time) < place.start);
    let begin = to.len();
    for peak in &from[first..] {
        let ticks = (f64::from(peak.time) - place.start) / place.speed;
        if ticks >= f64::from(place.ticks) {
            break;
        }
        let mut off = || random.index(2 * OFF as usize + 1) as i64 - OFF;
        let time = (ticks as i64 + off()).clamp(0, i64::from(place.ticks) - 1);
        let shift = (change.pitch * STEPS_PER_SEMITONE).round() as i64;
        let frequency = i64::from(peak.frequency) + shift + off();
        let heard = random.unit() >= change.lost;
        if heard && (0..i64::from(BINS * STEPS_PER_BIN)).contains(&frequency) {
            to.push(Peak {
                time: place.before + time as u32,
                frequency: frequency as u16,
                ..*peak
            });
        }
    }
    to[begin..].sort_unstable();
}

fn move_rows(to: &mut Grid, from: &Grid, rows: u32, place: &Place, change: &Change) {
    let bins = i64::from(from.bins);
    let steps_per_bin = f64::from(BINS * STEPS_PER_BIN) / bins as f64;
    let shift = (change.pitch * STEPS_PER_SEMITONE / steps_per_bin).round() as i64;
    for row in 0..rows {
        let tick = place.start + f64::from(row * from.step) * place.speed;
        let row = (tick / f64::from(from.step)) as usize;
        let row: Vec<i8> = from.row(row.min(from.rows().saturating_sub(1))).collect();
        let moved = (0..bins).map(|bin| {
            let source = usize::try_from(bin - shift).ok();
            source.and_then(|bin| row.get(bin)).copied().unwrap_or(0)
        });
        to.extend(moved);
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulate::{LENGTH, Simulator};
    use super::*;
    use likeness_core::Density;

    /// A minute with a peak every 50 ticks, and values that tell their place.
    fn donor() -> AudioFingerprint {
        let peaks = |first: u32| {
            (first..20_000).step_by(50).map(|time| Peak {
                time,
                frequency: (time % 1200) as u16,
                strength: 3,
                sparse: true,
            })
        };
        let (bins, step) = (54, 32);
        let rows = 20_000 / step;
        let values = (0..rows * u32::from(bins)).map(|i| (i % 4) as i8);
        let grid = Grid::new(bins, step, Density::Reference, values);
        AudioFingerprint {
            duration: 20_000.0 / TICKS_PER_SECOND,
            density: Density::Reference,
            onsets: peaks(0).collect(),
            partials: peaks(25).collect(),
            grid,
        }
    }

    #[test]
    fn simulated_works_are_whole_and_stay_the_same() {
        let simulator = Simulator::new(vec![donor()]);
        for number in 0..20 {
            let work = simulator.work(number);
            assert_eq!(work, simulator.work(number));
            assert_eq!(Fingerprint::decode(&work.encode()), Ok(work.clone()));
            let audio = work.audio.analysed().expect("sound");
            assert!(audio.duration >= LENGTH.0);
            // Between none and LOST are missing, at 0.7 to 1.4 times the donor's 6.9 a second.
            let rate = audio.onsets.len() as f64 / audio.duration;
            assert!((2.5..9.7).contains(&rate), "{rate}");
        }
        assert_ne!(simulator.work(1), simulator.work(2));
    }
}
