//! Sound that never was: stretches of real fingerprints, each played faster or slower, higher or
//! lower and heard less than perfectly. Real peaks keep together what belongs together, so that
//! terms are as common, and lists as long, as real works make them; random bits would not.

use likeness_core::audio::{BINS, Grid, Peak, STEPS_PER_BIN, STEPS_PER_SEMITONE, TICKS_PER_SECOND};
use likeness_core::{AudioFingerprint, Density, Fingerprint, StreamState};
use likeness_distort::Random;

/// Seconds of a simulated work.
const LENGTH: (f64, f64) = (120.0, 300.0);
/// Seconds of a stretch in it.
const STRETCH: (f64, f64) = (20.0, 60.0);
/// Speeds, at which it is played.
const SPEED: (f64, f64) = (0.7, 1.4);
/// Semitones by which it is shifted.
const PITCH: f64 = 8.0;
/// Most of the peaks that are lost.
const LOST: f64 = 0.25;

/// How a stretch is changed.
#[derive(Debug, Clone, Copy)]
struct Change {
    speed: f64,
    /// Semitones.
    pitch: f64,
    /// Share of the peaks that are lost.
    lost: f64,
    /// Ticks and steps by which peaks are off.
    off: i64,
}

impl Change {
    const NONE: Change = Change {
        speed: 1.0,
        pitch: 0.0,
        lost: 0.0,
        off: 0,
    };
}

/// Makes works out of donors'.
pub(crate) struct Simulator {
    donors: Vec<AudioFingerprint>,
}

impl Simulator {
    /// Donors are sparse fingerprints; there must be some, and they must not be too short.
    pub(crate) fn new(mut donors: Vec<AudioFingerprint>) -> Simulator {
        donors.retain(|donor| donor.duration > STRETCH.0 * SPEED.1);
        Simulator { donors }
    }

    /// Number of donors.
    pub(crate) fn donors(&self) -> usize {
        self.donors.len()
    }

    /// Work `number`: always the same.
    pub(crate) fn work(&self, number: u64) -> Fingerprint {
        let mut random = Random::new(number, "simulated work");
        let length = random.between(LENGTH.0, LENGTH.1);
        let mut all = empty(&self.donors[0]);
        while all.duration < length {
            let donor = &self.donors[random.index(self.donors.len())];
            let change = Change {
                speed: random.between(SPEED.0, SPEED.1),
                pitch: random.between(-PITCH, PITCH),
                lost: random.between(0.0, LOST),
                off: 1,
            };
            let longest = donor.duration / change.speed;
            let seconds = random.between(STRETCH.0, STRETCH.1).min(longest);
            let start = random.between(0.0, donor.duration - seconds * change.speed);
            append(&mut all, donor, start, seconds, &change, &mut random);
        }
        let mut content = [0; 32];
        content[..8].copy_from_slice(&number.to_le_bytes());
        content[8..17].copy_from_slice(b"simulated");
        Fingerprint {
            content,
            duration: all.duration,
            density: all.density,
            audio: StreamState::Analysed(all),
            video: StreamState::Absent,
        }
    }
}

/// `seconds` of a fingerprint from `start` on.
pub(crate) fn cut(source: &AudioFingerprint, start: f64, seconds: f64) -> AudioFingerprint {
    let mut all = empty(source);
    let mut random = Random::new(0, "cut");
    append(&mut all, source, start, seconds, &Change::NONE, &mut random);
    all
}

fn empty(like: &AudioFingerprint) -> AudioFingerprint {
    AudioFingerprint {
        duration: 0.0,
        onsets: Vec::new(),
        partials: Vec::new(),
        grid: Grid {
            values: Vec::new(),
            ..like.grid
        },
        density: like.density,
    }
}

/// Appends `seconds` of `source`, beginning at its second `start`, after a change.
fn append(
    all: &mut AudioFingerprint,
    source: &AudioFingerprint,
    start: f64,
    seconds: f64,
    change: &Change,
    random: &mut Random,
) {
    // Whole rows, so that peaks and grid keep together.
    let rows = (seconds * TICKS_PER_SECOND / f64::from(source.grid.step)) as u32;
    let before = all.grid.rows() as u32 * source.grid.step;
    let place = Place {
        start: start * TICKS_PER_SECOND,
        ticks: rows * source.grid.step,
        before,
    };
    move_peaks(&mut all.onsets, &source.onsets, &place, change, random);
    move_peaks(&mut all.partials, &source.partials, &place, change, random);
    move_rows(&mut all.grid, &source.grid, rows, &place, change);
    all.duration = f64::from(before + place.ticks) / TICKS_PER_SECOND;
}

/// From where to where a stretch goes, in ticks.
struct Place {
    start: f64,
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
        let ticks = (f64::from(peak.time) - place.start) / change.speed;
        if ticks >= f64::from(place.ticks) {
            break;
        }
        let mut off = || random.index(2 * change.off as usize + 1) as i64 - change.off;
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
        let tick = place.start + f64::from(row * from.step) * change.speed;
        let row = (tick / f64::from(from.step)) as usize;
        let row = from.row(row.min(from.rows().saturating_sub(1)));
        let moved = (0..bins).map(|bin| {
            let source = usize::try_from(bin - shift).ok();
            source.and_then(|bin| row.get(bin)).copied().unwrap_or(0)
        });
        to.values.extend(moved);
    }
}

/// A query's fingerprint of nothing but this sound.
pub(crate) fn query(audio: AudioFingerprint) -> Fingerprint {
    Fingerprint {
        content: [0; 32],
        duration: audio.duration,
        density: Density::Query,
        audio: StreamState::Analysed(audio),
        video: StreamState::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        AudioFingerprint {
            duration: 20_000.0 / TICKS_PER_SECOND,
            density: Density::Reference,
            onsets: peaks(0).collect(),
            partials: peaks(25).collect(),
            grid: Grid {
                bins,
                step,
                values: (0..rows * u32::from(bins)).map(|i| (i % 4) as i8).collect(),
            },
        }
    }

    #[test]
    fn a_cut_is_what_was_there() {
        let donor = donor();
        // A whole number of rows from the start.
        let start = 64.0 * 32.0 / TICKS_PER_SECOND;
        let cut = cut(&donor, start, 10.0);
        let moved = |peak: &Peak| Peak {
            time: peak.time + 64 * 32,
            ..*peak
        };
        assert!(cut.onsets.iter().all(|p| donor.onsets.contains(&moved(p))));
        assert!(cut.onsets.len() > 60);
        assert_eq!(
            cut.grid.values[..],
            donor.grid.values[64 * 54..][..cut.grid.values.len()]
        );
        assert!((cut.duration - 10.0).abs() < 0.1);
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
