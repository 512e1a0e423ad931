//! Where along a line the films agree, and how surely.

use super::changes::Changes;
use super::config::VideoMatchConfig;
use super::dot::dot;
use super::film::Film;
use super::timeline::Line;

/// Correlation, smoothed over some seconds, that starts a segment...
const ENTER: f64 = 0.4;
/// ...and below which it ends.
const LEAVE: f64 = 0.2;
/// Width of the smoothing, seconds.
const SMOOTHING: f64 = 1.6;
/// Share of the mean energy below which a picture stands still and says nothing.
const STILL: f64 = 0.03;

/// Sums for a correlation of pictures.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    qq: f64,
    rr: f64,
    qr: f64,
}

impl Sums {
    fn of(query: &[f32], reference: &[f32]) -> Sums {
        Sums {
            qq: dot(query, query).into(),
            rr: dot(reference, reference).into(),
            qr: dot(query, reference).into(),
        }
    }

    fn add(&mut self, other: &Sums) {
        self.qq += other.qq;
        self.rr += other.rr;
        self.qr += other.qr;
    }

    fn correlation(&self) -> f64 {
        let norm = (self.qq * self.rr).sqrt();
        if norm > 0.0 { self.qr / norm } else { 0.0 }
    }
}

/// A stretch over which the films agree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreement {
    /// Query times.
    pub span: (f64, f64),
    /// Correlation of the two films over it.
    pub correlation: f64,
    /// Correlation of what changes from one picture to the next.
    pub change: f64,
    /// The same, root mean square, out of step: by chance.
    pub chance: f64,
    /// How many moments of change it rests on: few when all that happens is one cut, however long
    /// what follows stands still.
    pub moments: f64,
    /// How many things happen in it: a fade is one, however many moments it takes.
    pub events: f64,
}

/// The stretch of query time around the seconds `core` over which the films agree along `line`, and
/// what changes in it.
pub(super) fn agreement(
    query: &Film,
    reference: &Film,
    line: Line,
    core: (f64, f64),
    config: &VideoMatchConfig,
) -> Option<(Agreement, Changes)> {
    let (numbers, reference) = reference.along(query, line);
    let sums: Vec<Sums> = numbers
        .iter()
        .enumerate()
        .map(|(k, &i)| Sums::of(query.picture(i), reference.picture(k)))
        .collect();
    let states = states(&sums, query.rate);
    let middle = (core.0 + core.1) / 2.0;
    // The agreeing step nearest to the middle of what proposed the line.
    let seed = (0..states.len())
        .filter(|&k| states[k].is_some_and(|c| c >= ENTER))
        .min_by(|&a, &b| {
            let far = |k: usize| (query.time(numbers[k]) - middle).abs();
            far(a).total_cmp(&far(b))
        })?;
    let first = walk(&states, (0..=seed).rev())?;
    let last = walk(&states, seed..states.len())?;
    let half = 0.5 / query.rate;
    let time = |k: usize| query.time(numbers[k]);
    let span = (time(first) - half, time(last) + half);
    if span.1 - span.0 < config.min_seconds {
        return None;
    }
    let mut total = Sums::default();
    sums[first..=last].iter().for_each(|s| total.add(s));
    let changes = Changes::new(query, &reference, &numbers, first..=last);
    let agreement = Agreement {
        span,
        correlation: total.correlation(),
        change: changes.correlation(|k| k),
        chance: changes.chance(),
        moments: changes.moments(),
        events: changes.events(),
    };
    Some((agreement, changes))
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
fn states(sums: &[Sums], rate: f64) -> Vec<Option<f64>> {
    let reach = (SMOOTHING / 2.0 * rate).round() as usize;
    let n = sums.len();
    let mean = sums.iter().map(|s| s.qq + s.rr).sum::<f64>() / n.max(1) as f64;
    (0..n)
        .map(|k| {
            let near = &sums[k.saturating_sub(reach)..(k + reach + 1).min(n)];
            let mut total = Sums::default();
            near.iter().for_each(|s| total.add(s));
            let still = total.qq + total.rr < STILL * mean * near.len() as f64;
            (!still).then(|| total.correlation())
        })
        .collect()
}
