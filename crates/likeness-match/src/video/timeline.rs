//! When the reference plays in the query: the line on which the two films correlate best.
//!
//! Products of all pairs of pictures are computed once; then any line costs one addition a step,
//! and every speed and offset can be tried.

use super::config::VideoMatchConfig;
use super::dot::dot;
use super::film::Film;

/// Reference time = `start + speed * query time`, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub start: f64,
    pub speed: f64,
}

impl Line {
    /// The reference time that plays at a query time.
    pub(super) fn at(&self, query_time: f64) -> f64 {
        self.start + self.speed * query_time
    }

    /// The query time at which a reference time plays.
    pub(super) fn back(&self, reference_time: f64) -> f64 {
        (reference_time - self.start) / self.speed
    }

    /// The line of `speed` through a query and a reference time.
    fn through(query_time: f64, reference_time: f64, speed: f64) -> Line {
        Line {
            start: reference_time - speed * query_time,
            speed,
        }
    }
}

/// Share of the query's pictures that must meet the reference's on a line.
const MIN_OVERLAP: f64 = 0.6;
/// How much correlation a doubled or halved speed must bring to be preferred.
const SPEED_COST: f64 = 0.04;

/// How many times as much of the films an odd speed may leave unexplained as the plain one does and
/// still not be believed: of slow pictures any speed near the true one is about as good.
const ODD_SPEED_SHARE: f64 = 0.8;
/// Unexplained share that is there anyhow.
const UNEXPLAINED: f64 = 0.004;

/// Products of every picture of one film with every picture of another.
pub(super) struct Products<'a> {
    query: &'a Film,
    reference: &'a Film,
    dots: Vec<f32>,
    weights: Vec<f32>,
    query_energy: Vec<f32>,
    reference_energy: Vec<f32>,
}

impl Products<'_> {
    pub(super) fn new<'a>(query: &'a Film, reference: &'a Film) -> Products<'a> {
        let mut dots = Vec::with_capacity(query.len() * reference.len());
        for i in 0..query.len() {
            let picture = query.picture(i);
            dots.extend((0..reference.len()).map(|j| dot(picture, reference.picture(j))));
        }
        let energy = |film: &Film| {
            (0..film.len())
                .map(|i| dot(film.picture(i), film.picture(i)))
                .collect()
        };
        Products {
            query,
            reference,
            dots,
            weights: weights(query),
            query_energy: energy(query),
            reference_energy: energy(reference),
        }
    }

    /// Correlation along a line, every `stride`th picture; 0 where too little of it meets the
    /// reference.
    fn correlation(&self, line: Line, stride: usize) -> f64 {
        let (mut qr, mut qq, mut rr) = (0f32, 0f32, 0f32);
        let (mut met, mut all) = (0, 0);
        let columns = self.reference.len();
        for i in (0..self.query.len()).step_by(stride) {
            all += 1;
            if let Some(j) = self.reference.index(line.at(self.query.time(i))) {
                met += 1;
                let weight = self.weights[i];
                qr += weight * self.dots[i * columns + j];
                qq += weight * self.query_energy[i];
                rr += weight * self.reference_energy[j];
            }
        }
        if (met as f64) < MIN_OVERLAP * f64::from(all) || qq <= 0.0 || rr <= 0.0 {
            return 0.0;
        }
        f64::from(qr / (qq * rr).sqrt())
    }

    /// The best line.
    pub(super) fn best_line(&self, config: &VideoMatchConfig) -> Line {
        let (low, high) = config.speed;
        let middle = self.query.time(self.query.len() / 2);
        let step = 1.0 / self.query.rate;
        let steps = ((high / low).ln() / 0.02).ceil() as i32;
        let cost = |speed: f64| SPEED_COST * speed.log2().abs();
        let mut best = (f64::MIN, 0.0, 1.0);
        let mut consider = |offset: f64, speed: f64, stride: usize| {
            let line = Line::through(middle, offset, speed);
            let value = self.correlation(line, stride) - cost(speed);
            if value > best.0 {
                best = (value, offset, speed);
            }
            best
        };
        for s in 0..=steps {
            let speed = low * (high / low).powf(f64::from(s) / f64::from(steps));
            for k in 0..self.reference.len() {
                consider(self.reference.time(k), speed, 2);
            }
        }
        // Every second picture judges otherwise than all of them.
        let mut best = (f64::MIN, best.1, best.2);
        for (reach, spread) in [(step, 0.016), (0.5 * step, 0.006), (0.25 * step, 0.002)] {
            let (_, offset, speed) = best;
            for a in -2..=2 {
                for b in -3..=3 {
                    let o = offset + reach * f64::from(a) / 2.0;
                    let s = speed * (1.0 + spread * f64::from(b) / 3.0);
                    let line = Line::through(middle, o, s);
                    let value = self.correlation(line, 1) - cost(s);
                    if value > best.0 {
                        best = (value, o, s);
                    }
                }
            }
        }
        let (_, offset, speed) = best;
        Line::through(middle, offset, speed)
    }
}

/// Weights of a film's pictures: those around cuts have so much energy that they would be all that
/// counts.
fn weights(film: &Film) -> Vec<f32> {
    let energies: Vec<f32> = (0..film.len())
        .map(|i| dot(film.picture(i), film.picture(i)))
        .collect();
    let mean = energies.iter().sum::<f32>() / energies.len().max(1) as f32;
    let weight = |&energy: &f32| if energy > mean { mean / energy } else { 1.0 };
    energies.iter().map(weight).collect()
}

/// Moves a line by parts of a picture's time to where the films correlate best, with the query's pictures put in
/// step.
pub(super) fn refine(query: &Film, reference: &Film, line: Line) -> Line {
    let middle = query.time(query.len() / 2);
    let correlation = |line: Line| {
        let query = query.in_step(reference, line);
        let weights = weights(&query);
        let (numbers, along) = reference.along(&query, line);
        let (mut qr, mut qq, mut rr) = (0f32, 0f32, 0f32);
        for (k, &i) in numbers.iter().enumerate() {
            let (q, r) = (query.picture(i), along.picture(k));
            qr += weights[i] * dot(q, r);
            qq += weights[i] * dot(q, q);
            rr += weights[i] * dot(r, r);
        }
        let norm = (qq * rr).sqrt();
        if norm > 0.0 { qr / norm } else { 0.0 }
    };
    let mut best = (correlation(line), line.at(middle), line.speed);
    for (reach, spread) in [(0.1, 0.008), (0.04, 0.004), (0.02, 0.002)] {
        let (_, offset, speed) = best;
        for (a, b) in [
            (-1, 0),
            (1, 0),
            (0, -1),
            (0, 1),
            (-2, 0),
            (2, 0),
            (0, -2),
            (0, 2),
        ] {
            let o = offset + reach * f64::from(a) / 2.0;
            let s = speed * (1.0 + spread * f64::from(b) / 2.0);
            let value = correlation(Line::through(middle, o, s));
            if value > best.0 {
                best = (value, o, s);
            }
        }
    }
    let plain = (-4..=4)
        .map(|a| Line::through(middle, best.1 + 0.05 * f64::from(a), 1.0))
        .map(|line| (correlation(line), line))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let unexplained = |correlation: f32| 1.0 - f64::from(correlation) + UNEXPLAINED;
    match plain {
        Some((value, line)) if unexplained(best.0) > ODD_SPEED_SHARE * unexplained(value) => line,
        _ => Line::through(middle, best.1, best.2),
    }
}
