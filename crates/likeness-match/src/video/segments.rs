//! Where along a line the films agree.

use super::film::Film;
use super::timeline::{Line, Sums, steps};

/// Correlation, smoothed over some seconds, that starts a segment...
const ENTER: f64 = 0.4;
/// ...and below which it ends.
const LEAVE: f64 = 0.2;
/// Width of the smoothing, seconds.
const SMOOTHING: f64 = 1.6;
/// Share of the mean energy below which a picture stands still and says nothing.
const STILL: f64 = 0.03;

/// The stretch of query time around `core` over which the films agree along `line`.
pub(super) fn extent(
    query: &Film,
    reference: &Film,
    mask: &[u32],
    line: Line,
    core: (f64, f64),
) -> Option<(f64, f64)> {
    let whole = (0.0, query.len() as f64 / query.rate);
    let agreement: Vec<(usize, Sums)> = steps(query, reference, line, whole)
        .map(|(i, j)| {
            let mut sums = Sums::default();
            sums.add(query.picture(i), reference.picture(j), mask);
            (i, sums)
        })
        .collect();
    let states = states(&agreement, query.rate);
    let inside = |i: usize| {
        let t = i as f64 / query.rate;
        t >= core.0 && t <= core.1
    };
    let seed = states
        .iter()
        .zip(&agreement)
        .filter(|(state, (i, _))| inside(*i) && matches!(state, Some(c) if *c >= ENTER))
        .map(|(_, (i, _))| *i)
        .collect::<Vec<_>>();
    let seed = *seed.get(seed.len() / 2)?;
    let at = agreement.iter().position(|(i, _)| *i == seed)?;
    let first = walk(&states, (0..=at).rev())?;
    let last = walk(&states, at..states.len())?;
    let time = |k: usize| agreement[k].0 as f64 / query.rate;
    Some((time(first), time(last) + 1.0 / query.rate))
}

/// Follows the agreement until it breaks; stillness is bridged but not trailed into.
fn walk(states: &[Option<f64>], order: impl Iterator<Item = usize>) -> Option<usize> {
    let mut last = None;
    for k in order {
        match states[k] {
            Some(c) if c >= LEAVE => last = Some(k),
            Some(_) => break,
            None => {}
        }
    }
    last
}

/// Smoothed correlation at every step; `None` where both films stand still.
fn states(agreement: &[(usize, Sums)], rate: f64) -> Vec<Option<f64>> {
    let reach = (SMOOTHING / 2.0 * rate).round() as usize;
    let n = agreement.len();
    let mean = agreement.iter().map(|(_, s)| s.qq + s.rr).sum::<f64>() / n.max(1) as f64;
    (0..n)
        .map(|k| {
            let mut sums = Sums::default();
            for (_, s) in &agreement[k.saturating_sub(reach)..(k + reach + 1).min(n)] {
                sums.qq += s.qq;
                sums.rr += s.rr;
                sums.qr += s.qr;
                sums.pictures += 1;
            }
            let still = sums.qq + sums.rr < STILL * mean * sums.pictures as f64;
            (!still).then(|| sums.correlation())
        })
        .collect()
}
