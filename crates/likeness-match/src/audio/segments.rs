//! Verified windows to segments: each is grown along the query as far as the reference can be
//! heard, and its ends are put where the evidence begins and stops.

use super::candidates::Window;
use super::config::AudioMatchConfig;
use super::fit::{Transform, refine};
use super::repetition::novelty;
use super::verify::{Evidence, Recovery, overlap, projected, verify};
use super::view::QueryView;
use super::{Audible, Verified};
use likeness_core::audio::{STEPS_PER_SEMITONE, Surface};
use likeness_core::{AudioFingerprint, Stretches};

/// The segments of one reference, from its windows; best first. What is `excluded` of the reference
/// is in none, and nothing in it counts.
pub(super) fn segments(
    mut windows: Vec<Verified>,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    excluded: Option<&Stretches>,
    config: &AudioMatchConfig,
) -> Vec<Audible> {
    windows.sort_by(|a, b| b.evidence.total.total_cmp(&a.evidence.total));
    let mut segments: Vec<Audible> = Vec::new();
    for seed in windows {
        if claimed(&segments, seed.window) > 0.5 {
            continue;
        }
        let Some((transform, window)) = grow(&seed, query, reference, config) else {
            continue;
        };
        let window = unclaimed(&segments, window);
        for window in allowed(excluded, &transform, window) {
            if window.end - window.start < config.min_segment {
                continue;
            }
            let mut evidence = verify(&transform, query, reference, window, config);
            let counts = novelty(query.duration(), window, reference, &transform, &evidence);
            evidence.total *= counts * endurance(window, config);
            segments.push(Audible {
                window,
                transform,
                evidence,
            });
        }
    }
    segments.sort_by(|a, b| b.evidence.total.total_cmp(&a.evidence.total));
    segments
}

/// The parts of a stretch of the query in which nothing excluded is heard.
fn allowed(excluded: Option<&Stretches>, transform: &Transform, window: Window) -> Vec<Window> {
    let Some(excluded) = excluded else {
        return vec![window];
    };
    let heard = |time| transform.to_reference(time);
    let parts = excluded.outside(heard(window.start), heard(window.end));
    let back = |(start, end)| Window {
        start: transform.to_query(start),
        end: transform.to_query(end),
    };
    parts.into_iter().map(back).collect()
}

/// Share of a stretch's evidence that counts. Rhythms that agree by chance go on agreeing, so that
/// what a longer stretch adds is not independent of what was there: beyond a window's length
/// evidence counts as if it grew with the square root of time.
fn endurance(stretch: Window, config: &AudioMatchConfig) -> f64 {
    let length = stretch.end - stretch.start;
    (config.window / length.max(config.window)).sqrt()
}

/// Share of the window that segments cover.
fn claimed(segments: &[Audible], window: Window) -> f64 {
    let shared =
        |s: &Audible| (s.window.end.min(window.end) - s.window.start.max(window.start)).max(0.0);
    segments.iter().map(shared).sum::<f64>() / (window.end - window.start).max(1e-9)
}

/// What segments leave of a window that they cover partly.
fn unclaimed(segments: &[Audible], mut window: Window) -> Window {
    for segment in segments {
        let claimed = segment.window;
        if claimed.end <= window.start || claimed.start >= window.end {
            continue;
        }
        if claimed.centre() < window.centre() {
            window.start = claimed.end;
        } else {
            window.end = claimed.start;
        }
    }
    window
}

/// Extends the stretch on which a transform holds, refitting as it grows; `None` when nothing in
/// the window speaks for it.
fn grow(
    seed: &Verified,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    config: &AudioMatchConfig,
) -> Option<(Transform, Window)> {
    let mut transform = seed.transform;
    let mut window = stretch(
        &transform,
        &seed.evidence,
        query,
        reference,
        seed.window,
        config,
    )?;
    if let Some(better) = refine(&transform, query, reference, window, config, 1.0) {
        transform = better;
    }
    loop {
        let wider = Window {
            start: window.start - config.growth,
            end: window.end + config.growth,
        };
        let grown = stretch(&transform, &seed.evidence, query, reference, wider, config)?;
        let gain = (grown.end - grown.start) - (window.end - window.start);
        window = grown;
        // Twice: the wider the stretch, the sharper the transform.
        if let Some(better) = refine(&transform, query, reference, window, config, 1.0) {
            transform = better;
        }
        if gain < config.growth / 2.0 {
            return Some((transform, window));
        }
    }
}

/// The part of `window` with the highest sum of evidence, bridging gaps whose evidence against
/// stays below the limit: an X-drop extension, as in sequence alignment.
fn stretch(
    transform: &Transform,
    evidence: &Evidence,
    query: &QueryView<'_>,
    reference: &AudioFingerprint,
    window: Window,
    config: &AudioMatchConfig,
) -> Option<Window> {
    let bounds = Window {
        start: window.start.max(0.0),
        end: window.end.min(query.duration()),
    };
    let bounds = overlap(transform, reference, bounds);
    let slot = config.end_resolution;
    let slots = ((bounds.end - bounds.start) / slot).ceil().max(0.0) as usize;
    let mut ratios = vec![0.0; slots];
    let reach = config.peak_semitones * STEPS_PER_SEMITONE;
    for (surface, recovery) in Surface::ALL.into_iter().zip(&evidence.peaks) {
        let (found, missed) = weights(recovery);
        for (_, time, steps) in projected(surface, transform, reference, bounds) {
            let again = query.has(surface, time, steps, config.peak_seconds, reach);
            let at = ((time - bounds.start) / slot).max(0.0) as usize;
            if let Some(ratio) = ratios.get_mut(at) {
                *ratio += if again { found } else { missed };
            }
        }
    }
    let (first, last) = best_run(&ratios, config.gap_evidence)?;
    Some(Window {
        start: bounds.start + first as f64 * slot,
        end: (bounds.start + last as f64 * slot).min(bounds.end),
    })
}

/// Log likelihood ratios of a peak that is found again, and of one that is not.
fn weights(recovery: &Recovery) -> (f64, f64) {
    let chance = recovery.chance();
    let share = recovery.share().clamp(chance, 0.98);
    // The copy is heard in part of the window only, so its share there is higher than on average;
    // half of that is enough to be told from chance.
    ((share / chance).ln(), ((1.0 - share) / (1.0 - chance)).ln())
}

/// The range of highest sum in which no prefix or suffix is a loss and no dip exceeds `drop`.
fn best_run(values: &[f64], drop: f64) -> Option<(usize, usize)> {
    let mut best: Option<(f64, usize, usize)> = None;
    let (mut start, mut sum, mut top, mut end) = (0, 0.0, 0.0, 0);
    for (i, value) in values.iter().enumerate() {
        sum += value;
        if sum > top {
            (top, end) = (sum, i + 1);
        }
        if best.is_none_or(|b| top > b.0) && top > 0.0 {
            best = Some((top, start, end));
        }
        if sum <= 0.0 || sum < top - drop {
            (start, sum, top, end) = (i + 1, 0.0, 0.0, i + 1);
        }
    }
    best.map(|(_, start, end)| (start, end))
}

#[cfg(test)]
mod tests {
    use super::best_run;

    #[test]
    fn runs_bridge_small_gaps_and_end_where_evidence_does() {
        let check = |values: &[f64], want| assert_eq!(best_run(values, 5.0), want, "{values:?}");
        check(&[], None);
        check(&[-1.0, -2.0], None);
        check(&[-1.0, 3.0, 3.0, -1.0], Some((1, 3)));
        check(&[3.0, 3.0, -2.0, 3.0, -1.0, -1.0], Some((0, 4)));
        check(&[9.0, -6.0, 8.0, 8.0], Some((2, 4)));
    }
}
