//! Hypotheses without keypoints, for pictures that have none: smooth backgrounds, light, water.
//!
//! How much a picture moves from moment to moment does not depend on how it was cut, turned or
//! shrunk; so curves of motion are compared first, at every offset and speed. Where two agree, each
//! small part of the query is compared with each part of the reference by how its brightness goes
//! up and down in time: parts that go alike are pairs, from which a transform is fitted as from
//! keypoints.

use super::candidates::{Hypothesis, Pair};
use super::config::VideoMatchConfig;
use super::dot::dot;
use super::film::{Film, Look, Warp};
use super::query::Query;
use super::slide::{self, Curve};
use super::timeline::Line;
use likeness_core::ReferenceId;
use likeness_core::report::Media;
use likeness_core::video::Thumbnails;
use likeness_index::{Store, StoreError};
use likeness_video::{MotionCurve, motion};
use rayon::prelude::*;

/// Parts of a query that may be all that shows a reference: the whole, halves, quarters and the middle;
/// first column and row and number of columns and rows, in eighths of the picture.
const PARTS: [[usize; 4]; 8] = [
    [0, 0, 8, 8],
    [0, 0, 4, 8],
    [4, 0, 4, 8],
    [0, 0, 4, 4],
    [4, 0, 4, 4],
    [0, 4, 4, 4],
    [4, 4, 4, 4],
    [2, 2, 4, 4],
];

/// A part of the query's film.
struct Part {
    /// Left and top edge, width and height as shares of the picture.
    place: [f64; 4],
    film: Thumbnails,
}

impl Part {
    fn new([x, y, columns, rows]: [usize; 4], thumbs: &Thumbnails) -> Part {
        let (w, h) = (thumbs.width, thumbs.height);
        let film = match (columns, rows) {
            (8, 8) => thumbs.to_reference(),
            _ => thumbs.part(x * w / 8, y * h / 8, columns * w / 8, rows * h / 8),
        };
        Part {
            place: [x, y, columns, rows].map(|eighths| eighths as f64 / 8.0),
            film,
        }
    }
}

/// Where a reference moves like a part of the query.
#[derive(Debug, Clone, Copy)]
struct Alike {
    part: usize,
    reference: ReferenceId,
    sureness: f32,
    line: Line,
}

/// The hypotheses that the motion within the query seconds `span` gives.
pub(super) fn hypotheses(
    query: &Query,
    span: (f64, f64),
    store: &dyn Store,
    config: &VideoMatchConfig,
) -> Result<Vec<Hypothesis>, StoreError> {
    let parts = PARTS[..affordable(store.hours(Media::Video), config)].iter();
    let parts: Vec<Part> = parts
        .map(|part| Part::new(*part, query.thumbnails))
        .collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let curves = curves(store)?;
    let mut alike: Vec<Alike> = parts
        .par_iter()
        .enumerate()
        .flat_map_iter(|(part, Part { film, .. })| alike(part, film, span, &curves, config))
        .collect();
    alike.sort_by(|a, b| b.sureness.total_cmp(&a.sureness));
    alike.truncate(config.motion_hypotheses);
    let found: Vec<Vec<Hypothesis>> = alike
        .par_iter()
        .map(|alike| {
            tracing::debug!(?alike, "moves alike");
            let Some(reference) = store.video(alike.reference)? else {
                return Ok(Vec::new());
            };
            let part = &parts[alike.part];
            let films = Films::new(&part.film, &reference.thumbnails, span, alike.line, config);
            let inliers = config.agreement.inliers;
            Ok(films.hypotheses(alike, part.place, query.aspect, inliers))
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// How many of the parts can be compared with so many hours of pictures.
fn affordable(hours: f64, config: &VideoMatchConfig) -> usize {
    let parts = PARTS.len() as f64;
    (parts * config.motion_hours / hours.max(f64::MIN_POSITIVE)).min(parts) as usize
}

/// The references that move most like a part of the query.
fn alike(
    part: usize,
    thumbs: &Thumbnails,
    span: (f64, f64),
    curves: &[(ReferenceId, MotionCurve)],
    config: &VideoMatchConfig,
) -> Vec<Alike> {
    let rate = thumbs.rate();
    let curve = MotionCurve::of(thumbs).values;
    let clamp = |t: f64| ((t.max(0.0) * rate) as usize).min(curve.len());
    let window = &curve[clamp(span.0)..clamp(span.1)];
    if (window.len() as f64) < config.min_seconds * rate {
        return Vec::new();
    }
    let templates = Templates::new(window.iter().copied(), SPEED_STEP, config);
    let start = clamp(span.0) as f64 / rate;
    let compare = |curve: &mut Curve, number: usize| {
        let (reference, stored) = &curves[number];
        curve.set(stored.values.iter().copied());
        let best = templates.best(curve)?;
        let speed = best.speed;
        let line = Line {
            start: best.start as f64 / rate - speed * start,
            speed,
        };
        let alike = Alike {
            part,
            reference: *reference,
            sureness: best.sureness,
            line,
        };
        (alike.sureness >= config.motion_sureness).then_some(alike)
    };
    let likeliest = likeliest(window, curves, config).into_par_iter();
    let compared = likeliest.map_init(Curve::default, compare);
    compared.flatten_iter().collect()
}

/// Numbers of the references that are worth a closer look: those that move most like `window` where two values
/// are taken for one and half as many speeds are tried, which costs an eighth.
fn likeliest(
    window: &[u8],
    curves: &[(ReferenceId, MotionCurve)],
    config: &VideoMatchConfig,
) -> Vec<usize> {
    if curves.len() <= config.motion_candidates {
        return (0..curves.len()).collect();
    }
    let templates = Templates::new(halved(window), 2.0 * SPEED_STEP, config);
    let compare = |curve: &mut Curve, number: usize| {
        curve.set(halved(&curves[number].1.values));
        templates.best(curve).map(|best| (best.sureness, number))
    };
    let compared = (0..curves.len()).into_par_iter();
    let compared = compared.map_init(Curve::default, compare);
    let mut ranked: Vec<(f32, usize)> = compared.flatten_iter().collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ranked.truncate(config.motion_candidates);
    ranked.into_iter().map(|(_, number)| number).collect()
}

/// Means of two values each.
fn halved(values: &[u8]) -> impl Iterator<Item = u8> {
    let pairs = values.chunks_exact(2);
    pairs.map(|pair| pair[0].midpoint(pair[1]))
}

/// The stored curves of all references.
fn curves(store: &dyn Store) -> Result<Vec<(ReferenceId, MotionCurve)>, StoreError> {
    let mut curves: Vec<(ReferenceId, MotionCurve)> = Vec::new();
    store.postings(
        motion::SPACE,
        0,
        &[motion::TERM],
        &mut |_, posting| match curves.last_mut() {
            Some((reference, curve)) if *reference == posting.reference => curve.extend(&posting),
            _ => {
                let mut curve = MotionCurve::default();
                curve.extend(&posting);
                curves.push((posting.reference, curve));
            }
        },
    )?;
    Ok(curves)
}

/// A stretch of the query's curve as it would look in the reference, without its mean, of unit
/// length.
struct Template {
    values: Vec<f32>,
    speed: f64,
}

/// Where a template fits a curve.
struct Place {
    sureness: f32,
    /// Index of the first value.
    start: usize,
    speed: f64,
}

/// Deviation of a curve below which it is flat, in its own steps.
const MIN_DEVIATION: f32 = 1.0;

/// Factor between the speeds that are tried: over 15 s it shifts the ends by 0.2 s.
const SPEED_STEP: f64 = 0.05;

/// A stretch of the query's curve at all speeds.
struct Templates(Vec<Template>);

impl Templates {
    /// `step`: factor e between speeds.
    fn new(window: impl Iterator<Item = u8>, step: f64, config: &VideoMatchConfig) -> Templates {
        let window: Vec<f32> = window.map(f32::from).collect();
        let (low, high) = config.motion_speed;
        let steps = ((high / low).ln() / step).ceil() as i32;
        let speed = |s: i32| low * (high / low).powf(f64::from(s) / f64::from(steps));
        let templates = (0..=steps).filter_map(|s| Template::new(&window, speed(s)));
        Templates(templates.collect())
    }

    /// Where in `curve` one of them fits best.
    fn best(&self, curve: &Curve) -> Option<Place> {
        let places = self.0.iter().filter_map(|template| template.best(curve));
        places.max_by(|a, b| a.sureness.total_cmp(&b.sureness))
    }
}

impl Template {
    fn new(window: &[f32], speed: f64) -> Option<Template> {
        let n = (window.len() as f64 * speed) as usize;
        let mut values: Vec<f32> = (0..n)
            .map(|k| {
                let place = ((k as f64 + 0.5) / speed - 0.5).max(0.0);
                let i = (place as usize).min(window.len() - 1);
                let j = (i + 1).min(window.len() - 1);
                window[i] + (window[j] - window[i]) * (place - i as f64) as f32
            })
            .collect();
        let mean = values.iter().sum::<f32>() / n.max(1) as f32;
        values.iter_mut().for_each(|v| *v -= mean);
        let norm = dot(&values, &values).sqrt();
        if norm < MIN_DEVIATION * (n as f32).sqrt() {
            return None;
        }
        values.iter_mut().for_each(|v| *v /= norm);
        Some(Template { values, speed })
    }

    /// Where in `curve` it fits best.
    fn best(&self, curve: &Curve) -> Option<Place> {
        let n = self.values.len() as f32;
        let fit = slide::best(&self.values, curve, MIN_DEVIATION.powi(2) * n)?;
        // Fisher's transform: short templates correlate by chance.
        Some(Place {
            sureness: fit.square.sqrt().min(0.999).atanh() * n.sqrt(),
            start: fit.start,
            speed: self.speed,
        })
    }
}

/// Two films on one clock, as each pixel's way through time.
struct Films {
    /// Columns and rows of the two films.
    query_size: (usize, usize),
    reference_size: (usize, usize),
    steps: usize,
    span: (f64, f64),
    /// `steps` values a pixel, of unit length; all zero where hardly anything changes.
    query: Vec<f32>,
    reference: Vec<f32>,
}

/// Correlation in time from which two parts are a pair.
const ALIKE: f32 = 0.6;

impl Films {
    fn new(
        query: &Thumbnails,
        reference: &Thumbnails,
        span: (f64, f64),
        line: Line,
        config: &VideoMatchConfig,
    ) -> Films {
        let there = (line.at(span.0) - 1.0, line.at(span.1) + 1.0);
        let film = |thumbs: &Thumbnails, span| {
            let warp = Warp::identity(thumbs.width, thumbs.height);
            Film::new(thumbs, &warp, span, config.detrend).levelled()
        };
        let films = (film(query, span), film(reference, there));
        let (numbers, along) = films.1.along(&films.0, line);
        let own = numbers.iter().map(|&i| films.0.picture(i));
        let others = (0..numbers.len()).map(|k| along.picture(k));
        Films {
            query_size: (query.width, query.height),
            reference_size: (reference.width, reference.height),
            steps: numbers.len(),
            span,
            query: profiles(own, films.0.size),
            reference: profiles(others, along.size),
        }
    }

    /// As the reference is, mirrored, in negative, and both.
    fn hypotheses(
        &self,
        alike: &Alike,
        place: [f64; 4],
        aspect: f64,
        inliers: usize,
    ) -> Vec<Hypothesis> {
        let [plain, negative] = self.pairs(alike.line, place, aspect);
        let looks = [(false, false), (true, false), (false, true), (true, true)];
        looks
            .into_iter()
            .map(|(mirrored, inverted)| {
                let mut pairs = if inverted { &negative } else { &plain }.clone();
                if mirrored {
                    let flip = |pair: &mut Pair| pair.reference[0] = 1.0 - pair.reference[0];
                    pairs.iter_mut().for_each(flip);
                }
                Hypothesis {
                    reference: alike.reference,
                    look: Look { mirrored, inverted },
                    pairs,
                    coarse: true,
                    inliers,
                }
            })
            .collect()
    }

    /// The part of the reference that goes most like each part of the query's film, which lies at
    /// `left`, `top`, and the part that goes most against it.
    fn pairs(
        &self,
        line: Line,
        [left, top, width, height]: [f64; 4],
        aspect: f64,
    ) -> [Vec<Pair>; 2] {
        let mut pairs = [Vec::new(), Vec::new()];
        if self.steps < 2 {
            return pairs;
        }
        let mut row = vec![0f32; self.reference_size.0 * self.reference_size.1];
        let count = self.query_size.0 * self.query_size.1;
        for pixel in 0..count {
            let own = &self.query[pixel * self.steps..][..self.steps];
            if own.iter().all(|&v| v == 0.0) {
                continue;
            }
            for (value, other) in row.iter_mut().zip(self.reference.chunks_exact(self.steps)) {
                *value = dot(own, other);
            }
            for pairs in &mut pairs {
                pairs.extend(self.best(&row).map(|place| {
                    let part = pixel as f64 / count as f64;
                    let time = self.span.0 + (self.span.1 - self.span.0) * part;
                    let [x, y] = middle(pixel, [0.0, 0.0], self.query_size);
                    let own = [(left + x * width) * aspect, top + y * height];
                    Pair::new((time, line.at(time)), own, place, pixel as u32)
                }));
                row.iter_mut().for_each(|value| *value = -*value);
            }
        }
        pairs
    }

    /// Where the largest value of a picture of correlations lies, 0..=1 in both directions.
    fn best(&self, row: &[f32]) -> Option<[f64; 2]> {
        let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]))?;
        if row[best] < ALIKE {
            return None;
        }
        let (width, height) = self.reference_size;
        let (x, y) = (best % width, best / width);
        let off = |at: usize, length: usize, step: usize| match at > 0 && at + 1 < length {
            true => vertex(row[best - step], row[best], row[best + step]),
            false => 0.0,
        };
        let off = [off(x, width, 1), off(y, height, width)];
        Some(middle(best, off, self.reference_size))
    }
}

/// The middle of a pixel of a picture of `size`, moved by parts of one, 0..=1 in both directions.
fn middle(pixel: usize, [dx, dy]: [f64; 2], (width, height): (usize, usize)) -> [f64; 2] {
    let (x, y) = (pixel % width, pixel / width);
    [
        (x as f64 + 0.5 + dx) / width as f64,
        (y as f64 + 0.5 + dy) / height as f64,
    ]
}

/// Where, within half a step, the parabola through three values at -1, 0, 1 has its vertex.
fn vertex(before: f32, here: f32, after: f32) -> f64 {
    let bend = before - 2.0 * here + after;
    if bend >= 0.0 {
        return 0.0;
    }
    f64::from((0.5 * (before - after) / bend).clamp(-0.5, 0.5))
}

/// Each pixel's values in time, of unit length; zero for pixels that change much less than most.
fn profiles<'a>(pictures: impl Iterator<Item = &'a [f32]>, size: usize) -> Vec<f32> {
    let pictures: Vec<&[f32]> = pictures.collect();
    let steps = pictures.len();
    let mut profiles = vec![0f32; size * steps];
    for (t, picture) in pictures.iter().enumerate() {
        for (pixel, &value) in picture.iter().enumerate() {
            profiles[pixel * steps + t] = value;
        }
    }
    if steps == 0 {
        return profiles;
    }
    let mean = profiles.iter().map(|v| v * v).sum::<f32>() / size as f32;
    for profile in profiles.chunks_exact_mut(steps) {
        let energy = dot(profile, profile);
        let scale = if energy > 0.1 * mean {
            energy.sqrt().recip()
        } else {
            0.0
        };
        profile.iter_mut().for_each(|v| *v *= scale);
    }
    profiles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::wanted::tests::random;

    #[test]
    fn large_libraries_are_compared_with_fewer_parts() {
        let config = VideoMatchConfig::default();
        let check = |hours: f64, parts: usize| assert_eq!(affordable(hours, &config), parts);
        check(0.0, 8);
        check(config.motion_hours, 8);
        check(2.1 * config.motion_hours, 3);
        check(8.0 * config.motion_hours, 1);
        check(8.1 * config.motion_hours, 0);
    }

    #[test]
    fn a_coarse_look_keeps_the_right_reference() {
        // Curves that wander about 100.
        let mut next = random(88_172_645_463_325_252);
        let mut wander = |length: usize| {
            let mut value = 100i32;
            let step = |_| {
                value = ((value * 7 + 300) / 10 + (next() % 121) as i32 - 60).clamp(0, 200);
                value as u8
            };
            (0..length).map(step).collect::<Vec<u8>>()
        };
        let curves: Vec<(ReferenceId, MotionCurve)> = (0..400)
            .map(|number| {
                (
                    ReferenceId(number),
                    MotionCurve {
                        values: wander(600),
                    },
                )
            })
            .collect();
        let config = VideoMatchConfig {
            motion_candidates: 10,
            ..VideoMatchConfig::default()
        };
        let check = |number: usize, speed: f64| {
            let there = &curves[number].1.values[137..];
            let window: Vec<u8> = (0..75)
                .map(|i| there[(f64::from(i) * speed) as usize])
                .collect();
            let kept = likeliest(&window, &curves, &config);
            assert!(kept.contains(&number), "{number} at {speed}");
            assert_eq!(kept.len(), 10);
        };
        for (number, speed) in [(0, 1.0), (123, 1.1), (399, 0.8), (250, 1.4)] {
            check(number, speed);
        }
        assert_eq!(likeliest(&[], &curves[..10], &config).len(), 10);
    }
}
