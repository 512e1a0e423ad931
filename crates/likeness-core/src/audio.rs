//! The audio fingerprint and its encoding.
//!
//! Time counts in *ticks* (a quarter of the analysis hop), frequency in *steps* (288 to the
//! octave, 24 to the semitone) above the lowest analysed frequency, so that shifting the pitch is
//! adding and every value is a small integer.

mod grid;

pub use grid::Grid;

use crate::fingerprint::{Density, MAX_SECONDS};
use crate::wire::{Reader, WireError, Writer};

/// Ticks in a second: 32 samples at 11 025 Hz.
pub const TICKS_PER_SECOND: f64 = 11_025.0 / 32.0;
/// Frequency steps in a semitone.
pub const STEPS_PER_SEMITONE: f64 = 24.0;
/// Frequency steps that one spectral bin spans.
pub const STEPS_PER_BIN: u16 = 8;
/// Bins of the analysed range.
pub const BINS: u16 = 162;
/// Largest strength of a peak.
pub const MAX_STRENGTH: u8 = 31;
/// Ticks within which an extractor keeps so many peaks of a surface at most: the strongest, and the
/// strongest of those that a reference keeps. `likeness-audio` checks that its settings keep to it.
pub const CROWD_TICKS: u32 = 345;
/// See [`CROWD_TICKS`].
pub const CROWD: usize = 86;
/// Ticks after the end that the last frame may reach.
const OVERHANG: f64 = TICKS_PER_SECOND;
/// Identifies the settings of the extractor whose fingerprints this version reads;
/// `likeness-audio` checks that it is the hash of its default configuration.
pub const EXTRACTOR: u64 = 0xfd1a_c815_d908_e223;

/// On which surface a peak was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    /// A partial that sets in: rises in time and stands out in frequency.
    Onset,
    /// A partial that stands out in frequency alone.
    Partial,
}

impl Surface {
    /// Both surfaces.
    pub const ALL: [Surface; 2] = [Surface::Onset, Surface::Partial];
}

/// A peak of the spectrogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peak {
    /// Ticks from the start.
    pub time: u32,
    /// Steps above the lowest frequency, below `BINS * STEPS_PER_BIN`.
    pub frequency: u16,
    /// How far it stands out, 0..=[`MAX_STRENGTH`], logarithmic.
    pub strength: u8,
    /// Whether the sparse form keeps it.
    pub sparse: bool,
}

/// Fingerprint of one sound track.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioFingerprint {
    /// Seconds of sound that were analysed.
    pub duration: f64,
    /// Dense (a query's) or sparse (what a library stores).
    pub density: Density,
    /// Peaks of [`Surface::Onset`], ordered by (time, frequency).
    pub onsets: Vec<Peak>,
    /// Peaks of [`Surface::Partial`], ordered by (time, frequency).
    pub partials: Vec<Peak>,
    /// The spectrum for the dense comparison.
    pub grid: Grid,
}

impl AudioFingerprint {
    /// The peaks of one surface.
    pub fn peaks(&self, surface: Surface) -> &[Peak] {
        match surface {
            Surface::Onset => &self.onsets,
            Surface::Partial => &self.partials,
        }
    }

    /// The sparse form that a library stores. A no-op on a fingerprint that is sparse already.
    pub fn to_reference(&self) -> AudioFingerprint {
        if self.density == Density::Reference {
            return self.clone();
        }
        let sparse = |peaks: &[Peak]| peaks.iter().copied().filter(|p| p.sparse).collect();
        AudioFingerprint {
            duration: self.duration,
            density: Density::Reference,
            onsets: sparse(&self.onsets),
            partials: sparse(&self.partials),
            grid: self.grid.pooled(),
        }
    }

    /// Whether there is no more than sound of its duration has. What looks a fingerprint up takes time and
    /// memory for each peak, and for all time up to the last, and a stranger can write anything.
    ///
    /// # Errors
    /// What there is too much of.
    pub fn check(&self) -> Result<(), WireError> {
        let end = self.duration * TICKS_PER_SECOND + OVERHANG;
        check_peaks(&self.onsets, end)?;
        check_peaks(&self.partials, end)?;
        match self.grid.rows() as f64 * f64::from(self.grid.step) > end {
            true => Err(WireError::OutOfRange("grid rows")),
            false => Ok(()),
        }
    }

    /// Bytes for a fingerprint file.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u64(EXTRACTOR);
        w.f64(self.duration);
        w.u8(matches!(self.density, Density::Query) as u8);
        encode_peaks(&mut w, &self.onsets);
        encode_peaks(&mut w, &self.partials);
        self.grid.encode(&mut w);
        w.into_bytes()
    }

    /// Reads what [`AudioFingerprint::encode`] wrote.
    ///
    /// # Errors
    /// Anything that is not exactly such a sequence of bytes, made with this version's settings.
    pub fn decode(bytes: &[u8]) -> Result<AudioFingerprint, WireError> {
        let mut r = Reader::new(bytes);
        if r.u64()? != EXTRACTOR {
            return Err(WireError::OtherExtractor("audio"));
        }
        let duration = r.f64("audio duration")?;
        if !(0.0..=MAX_SECONDS).contains(&duration) {
            return Err(WireError::OutOfRange("audio duration"));
        }
        let density = match r.u8()? {
            0 => Density::Reference,
            1 => Density::Query,
            _ => return Err(WireError::OutOfRange("audio density")),
        };
        let onsets = decode_peaks(&mut r)?;
        let partials = decode_peaks(&mut r)?;
        let grid = Grid::decode(&mut r, density)?;
        r.finish()?;
        Ok(AudioFingerprint {
            duration,
            density,
            onsets,
            partials,
            grid,
        })
    }
}

/// Peaks in order, up to tick `end`, and no more of them at a time than sound has.
fn check_peaks(peaks: &[Peak], end: f64) -> Result<(), WireError> {
    if peaks.last().is_some_and(|last| f64::from(last.time) > end) {
        return Err(WireError::OutOfRange("peak time"));
    }
    let mut crowds = peaks.windows(CROWD + 1);
    match crowds.any(|crowd| crowd[CROWD].time - crowd[0].time <= CROWD_TICKS) {
        true => Err(WireError::OutOfRange("peaks at a time")),
        false => Ok(()),
    }
}

/// Three bytes a peak, nearly always: the time since the last one; frequency (11 bits), strength
/// (5 bits). The sparse flag is the lowest bit of the time.
fn encode_peaks(w: &mut Writer, peaks: &[Peak]) {
    w.varint(peaks.len() as u64);
    let mut last = 0;
    for peak in peaks {
        w.varint(u64::from(peak.time - last) << 1 | u64::from(peak.sparse));
        w.u16(peak.frequency | u16::from(peak.strength) << 11);
        last = peak.time;
    }
}

fn decode_peaks(r: &mut Reader<'_>) -> Result<Vec<Peak>, WireError> {
    let count = r.count(3, "peak count")?;
    let mut peaks: Vec<Peak> = Vec::with_capacity(count);
    let mut time = 0u32;
    for _ in 0..count {
        let head = r.varint()?;
        time = u32::try_from(head >> 1)
            .ok()
            .and_then(|delta| time.checked_add(delta))
            .ok_or(WireError::OutOfRange("peak time"))?;
        let body = r.u16()?;
        let peak = Peak {
            time,
            frequency: body & 0x7ff,
            strength: (body >> 11) as u8,
            sparse: head & 1 == 1,
        };
        if peak.frequency >= BINS * STEPS_PER_BIN {
            return Err(WireError::OutOfRange("peak frequency"));
        }
        if peaks.last().is_some_and(|last| *last > peak) {
            return Err(WireError::OutOfRange("peak order"));
        }
        peaks.push(peak);
    }
    Ok(peaks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peaks() -> impl Strategy<Value = Vec<Peak>> {
        let peak = (
            0..900_000u32,
            0..BINS * STEPS_PER_BIN,
            0..=MAX_STRENGTH,
            any::<bool>(),
        );
        proptest::collection::vec(peak, 0..60).prop_map(|peaks| {
            let mut peaks: Vec<Peak> = peaks
                .into_iter()
                .map(|(time, frequency, strength, sparse)| Peak {
                    time,
                    frequency,
                    strength,
                    sparse,
                })
                .collect();
            peaks.sort();
            peaks
        })
    }

    fn fingerprint() -> impl Strategy<Value = AudioFingerprint> {
        let rows = proptest::collection::vec(-8..=7i8, 0..12 * 6);
        (0.0..4000.0f64, peaks(), peaks(), rows).prop_map(|(duration, onsets, partials, mut v)| {
            v.truncate(v.len() / 6 * 6);
            AudioFingerprint {
                duration,
                density: Density::Query,
                onsets,
                partials,
                grid: Grid::new(6, 32, Density::Query, v),
            }
        })
    }

    proptest! {
        #[test]
        fn both_forms_round_trip(dense in fingerprint()) {
            let sparse = dense.to_reference();
            prop_assert_eq!(sparse.to_reference(), sparse.clone());
            prop_assert_eq!(AudioFingerprint::decode(&dense.encode()), Ok(dense));
            prop_assert_eq!(AudioFingerprint::decode(&sparse.encode()), Ok(sparse));
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut framed = EXTRACTOR.to_le_bytes().to_vec();
            framed.extend_from_slice(&1.0f64.to_le_bytes());
            framed.extend_from_slice(&bytes);
            let _ = AudioFingerprint::decode(&framed);
            let _ = AudioFingerprint::decode(&bytes);
        }

        #[test]
        fn damage_never_panics(dense in fingerprint(), at in any::<u16>(), to in any::<u8>()) {
            let mut bytes = dense.to_reference().encode();
            let at = usize::from(at) % bytes.len();
            bytes[at] = to;
            let _ = AudioFingerprint::decode(&bytes);
            let _ = AudioFingerprint::decode(&bytes[..at]);
        }
    }

    /// A forged fingerprint must not cost more than the sound that it says it is of.
    #[test]
    fn there_is_no_more_than_fits_in_the_duration() {
        let check = |peaks: usize, every: u32, rows: usize, what: Option<&'static str>| {
            let peak = |i: usize| Peak {
                time: i as u32 * every,
                frequency: (i % 1000) as u16,
                strength: 3,
                sparse: false,
            };
            let mut onsets: Vec<Peak> = (0..peaks).map(peak).collect();
            onsets.sort();
            let fingerprint = AudioFingerprint {
                duration: 10.0,
                density: Density::Query,
                onsets,
                partials: Vec::new(),
                grid: Grid::new(2, 32, Density::Reference, vec![0; 2 * rows]),
            };
            assert_eq!(
                fingerprint.check().err(),
                what.map(WireError::OutOfRange),
                "{peaks} {every} {rows}"
            );
        };
        check(700, 5, 100, None);
        check(CROWD, 0, 100, None);
        check(CROWD + 1, 0, 100, Some("peaks at a time"));
        check(3000, 1, 100, Some("peaks at a time"));
        check(2, 3700, 100, None);
        check(2, 3900, 100, Some("peak time"));
        check(2, u32::MAX, 100, Some("peak time"));
        check(2, 4, 200, Some("grid rows"));
    }

    #[test]
    fn another_extractor_is_named() {
        let mut bytes = vec![0xff; 8];
        bytes.extend_from_slice(&[0; 40]);
        assert_eq!(
            AudioFingerprint::decode(&bytes),
            Err(WireError::OtherExtractor("audio"))
        );
    }
}
