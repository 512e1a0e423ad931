//! Claims on a stretch that another reference explains better.
//!
//! What is in a query once was taken from one work. A second work in the same stretch is there
//! either because it holds the same recording, and then at the first one's speed and pitch; or
//! because both were mixed. But works of one composer or one sample library share phrases and
//! beats at other speeds and in other keys, and are no chance to each other: the tail that was
//! fitted on unrelated works says too little of them. So such a claim must be surer.

use super::Audible;
use super::config::AudioMatchConfig;
use likeness_core::ReferenceId;

/// How much more evidence makes an explanation better.
const BETTER: f64 = 2.0;
/// Share of a claim's stretch that is explained.
const SHARED: f64 = 0.5;
/// Differences in speed (as a logarithm) and pitch (semitones) up to which two works agree.
const SAME_SPEED: f64 = 0.02;
const SAME_PITCH: f64 = 0.3;

/// Drops the segments with less than `evidence` that lie where another reference's segment explains
/// the query better, at another speed or pitch.
pub(super) fn drop_explained(
    found: &mut Vec<(ReferenceId, Vec<Audible>)>,
    evidence: f64,
    config: &AudioMatchConfig,
) {
    let all: Vec<(ReferenceId, Audible)> = found
        .iter()
        .flat_map(|(id, segments)| segments.iter().map(|segment| (*id, *segment)))
        .filter(|(_, segment)| segment.evidence.total >= config.seed)
        .collect();
    for (id, segments) in found.iter_mut() {
        segments.retain(|segment| {
            let other = |(other, by): &(ReferenceId, Audible)| other != id && explains(by, segment);
            segment.evidence.total >= evidence || !all.iter().any(other)
        });
    }
    found.retain(|(_, segments)| !segments.is_empty());
}

/// Whether `by` explains a claim's stretch better, at another speed or pitch.
fn explains(by: &Audible, claim: &Audible) -> bool {
    let (a, b) = (&by.window, &claim.window);
    let shared = a.end.min(b.end) - a.start.max(b.start);
    let (speed, pitch) = (
        (by.transform.speed / claim.transform.speed).ln().abs(),
        (by.transform.pitch - claim.transform.pitch).abs(),
    );
    by.evidence.total >= BETTER * claim.evidence.total
        && shared >= SHARED * (b.end - b.start)
        && (speed > SAME_SPEED || pitch > SAME_PITCH)
}

#[cfg(test)]
mod tests {
    use super::super::{Evidence, Transform, Window};
    use super::*;

    fn segment((start, end): (f64, f64), speed: f64, pitch: f64, total: f64) -> Audible {
        Audible {
            window: Window { start, end },
            transform: Transform {
                speed,
                pitch,
                query_time: start,
                reference_time: 10.0,
            },
            evidence: Evidence {
                total,
                ..Evidence::default()
            },
        }
    }

    #[test]
    fn a_weak_claim_on_an_explained_stretch_is_dropped() {
        let first = segment((0.0, 15.0), 1.08, 1.3, 600.0);
        let check = |second: Audible, kept: bool| {
            let mut found = vec![
                (ReferenceId(1), vec![first]),
                (ReferenceId(2), vec![second]),
            ];
            drop_explained(&mut found, 65.0, &AudioMatchConfig::default());
            assert_eq!(found.len(), 1 + usize::from(kept), "{second:?}");
            assert_eq!(found[0].1.len(), 1);
        };
        check(segment((0.0, 5.0), 1.44, 1.3, 55.0), false);
        check(segment((0.0, 5.0), 1.08, -3.0, 55.0), false);
        // The same recording, surer, elsewhere, or as well supported.
        check(segment((0.0, 5.0), 1.081, 1.32, 55.0), true);
        check(segment((0.0, 5.0), 1.44, 1.3, 66.0), true);
        check(segment((14.0, 20.0), 1.44, 1.3, 55.0), true);
        check(segment((0.0, 15.0), 1.44, 1.3, 301.0), true);
    }
}
