//! What repeats proves nothing new: a metronome resembles every metronome at some speed, a scale
//! every scale, a drum machine every other with the same drums. Evidence counts for as much of a
//! stretch as its own past does not foretell.

use super::candidates::{Window, within};
use super::fit::Transform;
use super::verify::Evidence;
use likeness_core::AudioFingerprint;
use likeness_core::audio::{Peak, Surface, TICKS_PER_SECOND};

/// Lags at which the past is looked at, ticks: 0.1 to 8 s, from trills to four bars.
const LAGS: std::ops::Range<u32> = 34..2800;
/// Interval, steps, by which what comes again may have moved: notes of a scale are one note moved.
const MOVES: u16 = 360;
/// Size of a bin: ticks of lag, steps of interval.
const BIN: (u32, u32) = (8, 8);
/// Bins of a row of lags, one spare so that a neighbour above is one too.
const ROW: usize = (LAGS.end - LAGS.start) as usize / BIN.0 as usize + 2;
const ROWS: usize = 2 * MOVES as usize / BIN.1 as usize + 3;
/// Rules (a lag and an interval) that a stretch may be foretold by, and the least share of the peaks
/// and the fewest peaks that one must explain.
const RULES: usize = 8;
const LEAST_SHARE: f64 = 0.04;
const LEAST_PEAKS: usize = 6;
/// How much of a stretch may be foretold before evidence for it counts nothing. Songs in one style, played in
/// time, share chords and figures for minutes: two fifths of their peaks, and more. So the less complete an
/// agreement is the less of it may be foretold; a masked copy of what repeats is as hard to tell from another
/// piece by ear. The weights are those of a logistic regression (copies against pairs of songs that a sequencer
/// plays), as shares of what is foretold; this level, the ramp and the bonus were set by hand
/// (docs/experiments-audio.md, sixth round).
const HOPELESS: f64 = 0.60;
/// More, for each share of the peaks that is found again, and...
const COMPLETE: f64 = 0.35;
/// ...less, for the square root of the share of what is loudest in the reference and not in the query.
const FALLEN: f64 = 2.1;
/// But never more than this, at another speed or pitch: of one copy in a hundred as much is foretold, of scales
/// and beats more.
const MOST: f64 = 0.82;
/// So far below that, evidence counts in full.
const RAMP: f64 = 0.15;
/// More at the reference's own speed and pitch, and how near those are. Tempo and key are what rules do not
/// foretell; a loop that has its own is the same loop.
const OWN_PACE: f64 = 0.05;
const NEAR_SPEED: f64 = 0.004;
const NEAR_PITCH: f64 = 0.1;

/// A stretch of less than half a query that is shorter than this (s) is looked at with what comes before it in
/// the reference: two bars of an arpeggio foretell little of themselves.
const BRIEF: f64 = 12.0;

/// Share of the evidence that counts for `transform` on a stretch of the query: 1 for most copies, little
/// or nothing where a few rules foretell what speaks for it.
pub(super) fn novelty(
    query: f64,
    stretch: Window,
    reference: &AudioFingerprint,
    transform: &Transform,
    evidence: &Evidence,
) -> f64 {
    let heard = Window {
        start: transform.to_reference(stretch.start),
        end: transform.to_reference(stretch.end),
    };
    let before = Window {
        start: heard.start - past(stretch, query),
        ..heard
    };
    let peaks = Surface::ALL.map(|surface| within(reference.peaks(surface), before));
    let from = (heard.start.max(0.0) * TICKS_PER_SECOND) as u32;
    let own = (transform.speed - 1.0).abs() <= NEAR_SPEED && transform.pitch.abs() <= NEAR_PITCH;
    let agreement = COMPLETE * evidence.completeness() - FALLEN * evidence.spectrum.fallen.sqrt();
    let hopeless = match own {
        true => HOPELESS + agreement + OWN_PACE,
        false => (HOPELESS + agreement).min(MOST),
    };
    ((hopeless - foretold(peaks, from)) / RAMP).clamp(0.0, 1.0)
}

/// Seconds of the reference before a stretch that count as its past, too; `query`: seconds of all of it.
fn past(stretch: Window, query: f64) -> f64 {
    let length = stretch.end - stretch.start;
    match 2.0 * length < query {
        true => (BRIEF - length).clamp(0.0, f64::from(LAGS.end) / TICKS_PER_SECOND),
        false => 0.0,
    }
}

/// Share of the peaks from `from` (ticks) on that a few rules foretell from those before.
fn foretold(peaks: [&[Peak]; 2], from: u32) -> f64 {
    let all = peaks[0].len() + peaks[1].len();
    let earlier = peaks.map(|peaks| peaks.partition_point(|p| p.time < from));
    let total = all - earlier[0] - earlier[1];
    // Per peak (those of the second surface after those of the first) the bins of its pasts.
    let mut pasts: Vec<(u32, u32)> = Vec::new();
    let mut first = 0;
    for (peaks, earlier) in peaks.into_iter().zip(earlier) {
        for (i, peak) in peaks.iter().enumerate().skip(earlier) {
            let before = peaks[..i].iter().rev();
            for past in before.take_while(|p| peak.time - p.time < LAGS.end) {
                let lag = peak.time - past.time;
                let moved = i32::from(peak.frequency) - i32::from(past.frequency);
                if lag >= LAGS.start && moved.unsigned_abs() <= u32::from(MOVES) {
                    let row = (moved + i32::from(MOVES)) as u32 / BIN.1;
                    let bin = row * ROW as u32 + (lag - LAGS.start) / BIN.0;
                    pasts.push(((first + i) as u32, bin));
                }
            }
        }
        first += peaks.len();
    }
    let mut explained = vec![false; all];
    let least = LEAST_PEAKS.max((total as f64 * LEAST_SHARE) as usize);
    for _ in 0..RULES {
        let mut counts = vec![0u32; ROW * ROWS];
        for &(peak, bin) in &pasts {
            counts[bin as usize] += u32::from(!explained[peak as usize]);
        }
        // What lies at a border belongs to both sides: a rule is two by two bins.
        let rule = |at: usize| [at, at + 1, at + ROW, at + ROW + 1];
        let sum = |at: &usize| rule(*at).iter().map(|&bin| counts[bin]).sum::<u32>();
        let Some(best) = (0..counts.len() - ROW - 1).max_by_key(sum) else {
            break;
        };
        let bins = rule(best);
        let gained = |(peak, bin): &(u32, u32)| bins.contains(&(*bin as usize)).then_some(*peak);
        let mut news: Vec<u32> = pasts.iter().filter_map(gained).collect();
        news.retain(|&peak| !explained[peak as usize]);
        news.dedup();
        if news.len() < least {
            break;
        }
        news.iter()
            .for_each(|&peak| explained[peak as usize] = true);
    }
    explained.iter().filter(|&&e| e).count() as f64 / total.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::verify::{Agreement, Recovery};
    use super::*;
    use likeness_core::Density;
    use likeness_core::audio::Grid;

    fn reference(onsets: Vec<Peak>) -> AudioFingerprint {
        AudioFingerprint {
            duration: 20.0,
            density: Density::Reference,
            onsets,
            partials: Vec::new(),
            grid: Grid::new(54, 64, Density::Reference, []),
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

    /// Evidence of a stretch of which all is found again, or some.
    fn evidence(found: usize, fallen: f64) -> Evidence {
        let recovery = Recovery {
            expected: 100,
            found,
            ..Recovery::default()
        };
        Evidence {
            peaks: [recovery; 2],
            spectrum: Agreement {
                fallen,
                ..Agreement::default()
            },
            total: 0.0,
        }
    }

    fn check(
        peaks: &[Peak],
        speed: f64,
        (found, fallen): (usize, f64),
        range: std::ops::Range<f64>,
    ) {
        let whole = Window {
            start: 0.0,
            end: 20.0,
        };
        let transform = Transform {
            speed,
            pitch: 0.0,
            query_time: 0.0,
            reference_time: 0.0,
        };
        let evidence = evidence(found, fallen);
        let counts = novelty(
            20.0,
            whole,
            &reference(peaks.to_vec()),
            &transform,
            &evidence,
        );
        assert!(
            range.contains(&counts),
            "{counts} at {speed} {found} {fallen}"
        );
    }

    fn beats(period: f64, notes: &[u16]) -> Vec<Peak> {
        let count = (20.0 / period) as usize;
        let beat = |i: usize| peak(i as f64 * period, notes[i % notes.len()]);
        (0..count).map(beat).collect()
    }

    const NOTHING: std::ops::Range<f64> = 0.0..0.01;
    const ALL: std::ops::Range<f64> = 0.99..1.01;

    #[test]
    fn what_few_rules_foretell_counts_little_and_a_melody_counts_whole() {
        let scale = [100, 148, 196, 220, 268, 316, 364, 388];
        check(&beats(0.5, &[700]), 1.1, (100, 0.0), NOTHING);
        check(&beats(0.61, &[700]), 1.1, (100, 0.0), NOTHING);
        check(&beats(0.5, &[100, 196, 268, 388]), 1.1, (100, 0.0), NOTHING);
        check(&beats(0.25, &scale), 0.8, (100, 0.0), NOTHING);
        // At its own pace a loop is the same loop.
        check(&beats(0.25, &scale), 1.0, (100, 0.0), 0.1..1.0);
        let melody: Vec<u16> = (0..80).map(|i| 100 + (i * i * 37 % 1000) as u16).collect();
        check(&beats(0.25, &melody), 1.1, (100, 0.0), ALL);
        check(&[], 1.1, (0, 0.0), ALL);
    }

    #[test]
    fn the_less_is_found_again_the_less_of_it_may_be_foretold() {
        let melody = (0..80).map(|i| peak(f64::from(i) * 0.23, 100 + (i * i * 37 % 1000) as u16));
        let figure = (0..160).map(|i| peak(f64::from(i) * 0.125, [500, 600][i as usize % 2]));
        let mut song: Vec<Peak> = melody.chain(figure).collect();
        song.sort_by_key(|p| p.time);
        check(&song, 1.1, (95, 0.0), 0.7..1.01);
        check(&song, 1.1, (70, 0.0), 0.3..0.9);
        check(&song, 1.1, (20, 0.0), 0.0..0.5);
        // Most of it is there, and the rest is not hidden but gone.
        check(&song, 1.1, (70, 0.04), NOTHING);
        check(&song, 1.0, (85, 0.0), 0.8..1.01);
    }

    #[test]
    fn a_moment_of_a_longer_query_is_looked_at_with_its_past() {
        let check = |length: f64, query: f64, range: std::ops::Range<f64>| {
            let stretch = Window {
                start: 9.0,
                end: 9.0 + length,
            };
            let found = past(stretch, query);
            assert!(range.contains(&found), "{found}");
        };
        check(5.0, 5.0, NOTHING);
        check(5.0, 30.0, 6.9..7.1);
        check(2.0, 30.0, 8.0..8.2);
        check(12.0, 45.0, NOTHING);
        // The first two bars of a figure that is new, and the same after eight seconds of it.
        let figure = [100, 400, 250, 700, 520, 330, 610, 180];
        let reference = reference(beats(0.25, &figure));
        let from = (10.0 * TICKS_PER_SECOND) as u32;
        let peaks = |start| within(&reference.onsets, Window { start, end: 13.0 });
        assert!(foretold([peaks(10.0), &[]], from) < 0.5);
        assert!(foretold([peaks(5.0), &[]], from) > 0.9);
    }
}
