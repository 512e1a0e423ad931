//! How much of a picture shows anything, and how much of that two films have in common.
//!
//! Films are compared by what moves in them. Where that is a clock, or an emblem on an empty ground,
//! it is the same in films that have nothing else in common.

use super::config::Evidence;
use super::film::Film;
use super::timeline::Line;

/// Grey levels by which a pixel must differ from those around it to show something...
const CONTRAST: f32 = 1.0;
/// ...and beyond which it says no more.
const LIMIT: f32 = 8.0;
/// Correlation from which films show the same around a pixel: low, as captions, blur and noise may
/// lie over a copy.
const ALIKE: f32 = 0.3;
/// Seconds from one picture that is looked at to the next.
const STEP: f64 = 0.5;

/// Shares of the reference's picture, as far as the query shows it, on average over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Substance {
    /// Where it shows anything.
    pub shown: f64,
    /// Where it shows something, and the query the same.
    pub alike: f64,
}

/// What is known of one pixel of the reference's picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likeness {
    /// Share of the time in which it shows something.
    pub shown: f64,
    /// Whether the query shows the same around it.
    pub alike: bool,
}

/// Compares two films, from which no mean was taken, that run side by side along `line`. `pixels`
/// are the places of their values in a picture of `width`, in rising order.
pub(super) fn likeness(
    query: &Film,
    reference: &Film,
    line: Line,
    pixels: &[usize],
    width: usize,
) -> Vec<Likeness> {
    let (numbers, reference) = reference.along(query, line);
    let around = around(pixels, width);
    let step = ((STEP * query.rate).round() as usize).max(1);
    let mut sums = vec![Sums::default(); pixels.len()];
    let mut pictures = 0;
    for (k, &i) in numbers.iter().enumerate().step_by(step) {
        let query = contrasts(query.picture(i), &around);
        let reference = contrasts(reference.picture(k), &around);
        for ((sums, q), r) in sums.iter_mut().zip(query).zip(reference) {
            sums.add(q, r);
        }
        pictures += 1;
    }
    let told = |(own, around): (&Sums, &Vec<usize>)| Likeness {
        shown: own.shown as f64 / pictures.max(1) as f64,
        alike: correlation(around.iter().map(|&p| &sums[p])) >= ALIKE,
    };
    sums.iter().zip(&around).map(told).collect()
}

impl Substance {
    /// Sums up what is known of each pixel.
    pub(super) fn of(pixels: &[Likeness]) -> Substance {
        let share = |sum: f64| sum / pixels.len().max(1) as f64;
        let alike = pixels.iter().filter(|pixel| pixel.alike);
        Substance {
            shown: share(pixels.iter().map(|pixel| pixel.shown).sum()),
            alike: share(alike.map(|pixel| pixel.shown).sum()),
        }
    }

    /// Log-odds that a copy loses of which changes spread over a share of the picture. A copy shows
    /// more than a small thing on an empty ground. Where only a small thing moves, all else must be
    /// the reference's as well, as far as captions, boxes and blur leave it.
    pub(super) fn doubt(&self, spread: f64, weights: &Evidence) -> f64 {
        if self.alike < weights.min_alike {
            return f64::INFINITY;
        }
        if spread >= weights.little_motion {
            return 0.0;
        }
        weights.unlike * (weights.usually_alike - self.alike / self.shown).max(0.0)
    }
}

/// What one pixel shows, over time.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    qq: f32,
    rr: f32,
    qr: f32,
    /// Pictures in which the reference shows something there.
    shown: usize,
}

impl Sums {
    fn add(&mut self, query: f32, reference: f32) {
        self.qq += query * query;
        self.rr += reference * reference;
        self.qr += query * reference;
        self.shown += usize::from(reference.abs() > CONTRAST);
    }
}

fn correlation<'a>(sums: impl Iterator<Item = &'a Sums>) -> f32 {
    let (qq, rr, qr) = sums.fold((0.0, 0.0, 0.0), |(qq, rr, qr), s| {
        (qq + s.qq, rr + s.rr, qr + s.qr)
    });
    qr / (qq * rr).sqrt().max(f32::MIN_POSITIVE)
}

/// The numbers of the pixels around each, itself among them.
fn around(pixels: &[usize], width: usize) -> Vec<Vec<usize>> {
    let near = |&pixel: &usize| {
        let (x, y) = (pixel % width, pixel / width);
        let columns = x.saturating_sub(1)..=(x + 1).min(width - 1);
        let rows = y.saturating_sub(1)..=y + 1;
        let places = rows.flat_map(|y| columns.clone().map(move |x| y * width + x));
        places
            .filter_map(|place| pixels.binary_search(&place).ok())
            .collect()
    };
    pixels.iter().map(near).collect()
}

/// By how much each pixel of a picture differs from those around it.
fn contrasts(picture: &[f32], around: &[Vec<usize>]) -> Vec<f32> {
    let contrast = |(value, near): (&f32, &Vec<usize>)| {
        let mean = near.iter().map(|&p| picture[p]).sum::<f32>() / near.len() as f32;
        (value - mean).clamp(-LIMIT, LIMIT)
    };
    picture.iter().zip(around).map(contrast).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::wanted::tests::random;

    const WIDTH: usize = 16;
    const RATE: f64 = 4.0;

    /// Ten seconds of a picture of 16 x 16: a clock in its corner, and for all else a value for each
    /// place.
    fn film(ground: &[f32]) -> Film {
        let clock: Vec<Vec<f32>> = (20..30).map(grain).collect();
        let value = |k: usize, p: usize| match p % WIDTH < 3 && p / WIDTH < 3 {
            true => clock[k / 4][p],
            false => ground[p],
        };
        let picture = |k| (0..WIDTH * WIDTH).map(move |p| (k, p));
        let places = (0..40).flat_map(picture);
        Film {
            rate: RATE,
            first: 0.0,
            size: WIDTH * WIDTH,
            values: places.map(|(k, p)| value(k, p)).collect(),
        }
    }

    /// A picture of grain, each `seed` its own.
    fn grain(seed: u64) -> Vec<f32> {
        let mut next = random(88_172_645_463_325_252 * (seed + 1));
        let values = std::iter::repeat_with(|| f32::from((next() >> 30) as u8) / 4.0);
        values.take(WIDTH * WIDTH).collect()
    }

    #[test]
    fn what_films_have_in_common_is_told_from_what_they_show() {
        let pixels: Vec<usize> = (0..WIDTH * WIDTH).collect();
        let line = Line {
            speed: 1.0,
            start: 0.0,
        };
        let check = |name: &str, query: &Film, reference: &Film, shown: f64, alike: f64| {
            let found = Substance::of(&likeness(query, reference, line, &pixels, WIDTH));
            let near = |a: f64, b: f64| (a - b).abs() < 0.12;
            assert!(near(found.shown, shown), "{name}: {found:?}");
            assert!(near(found.alike, alike), "{name}: {found:?}");
        };
        let scene = film(&grain(1));
        check("the same", &scene, &scene, 0.95, 0.95);
        let dark: Vec<f32> = grain(1).iter().map(|v| 5.0 + 0.3 * v).collect();
        check("darker", &film(&dark), &scene, 0.95, 0.95);
        // Nine pixels that stand still may agree by chance.
        check(
            "another with the clock",
            &film(&grain(2)),
            &scene,
            0.95,
            0.25,
        );
        let hollow = film(&[16.0; WIDTH * WIDTH]);
        check("a clock on nothing", &hollow, &hollow, 0.06, 0.06);
    }

    #[test]
    fn small_things_alone_are_no_copies() {
        let check = |shown: f64, alike: f64, spread: f64, want: std::ops::RangeInclusive<f64>| {
            let doubt = Substance { shown, alike }.doubt(spread, &Evidence::default());
            assert!(want.contains(&doubt), "{shown} {alike} {spread}: {doubt}");
        };
        check(0.08, 0.08, 0.2, f64::INFINITY..=f64::INFINITY);
        check(0.6, 0.5, 0.04, 0.0..=0.0);
        check(0.6, 0.3, 0.04, 20.0..=40.0);
        check(0.6, 0.3, 0.2, 0.0..=0.0);
    }
}
