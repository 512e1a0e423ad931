//! How much of what a reference shows may be hidden in a copy.
//!
//! Two films with one display, ticker, countdown or rain of confetti laid over them agree wherever that is, and as
//! surely as a copy does. Whether all else is hidden by something or was never there nobody can tell: copies of which
//! most is hidden are the rarer.

use super::config::Evidence;
use super::ground::Ground;
use super::rectangles::trim;
use super::substance::{Likeness, Substance};

/// Share of the time in which a pixel must show something for it to tell where the copy ends.
const LASTING: f64 = 0.5;

/// Whether so little of the reference is there that it is no copy. `known` is what is known of the pixels at `places` of
/// a picture of `width` and `height`, `moving` the share of those that move in the reference and move so in the query.
/// Where little of what is shown is there, what moves must make up for it, and cannot for less than `least_shown`: over
/// pictures that stand still nothing else moves. What hides a side of the reference, as in a split screen, may hide
/// more: the rest is asked alone, if that is enough.
pub(super) fn mostly(
    known: &[Likeness],
    places: &[usize],
    size: (usize, usize),
    moving: impl FnOnce() -> f64,
    weights: &Evidence,
) -> bool {
    let all = share(known);
    if all >= weights.least_shared {
        return false;
    }
    let left = Side::left(known, places, size);
    let enough = left.holds(known, places) >= weights.least_left;
    if enough && share(&left.of(known, places)) >= weights.least_shared {
        return false;
    }
    all < weights.least_shown || (all + moving()) / 2.0 < weights.least_common
}

/// Whether what stands behind all that is there is not the reference's, so that it is no copy. What is there in all
/// detail speaks for itself, whatever shines through it or was made of its colours. Where sides of the reference are
/// hidden, the rest is asked alone, if that is enough.
pub(super) fn other_ground(
    known: &[Likeness],
    places: &[usize],
    size: (usize, usize),
    ground: &Ground,
    weights: &Evidence,
) -> bool {
    let other = |side: &Side| ground.alike(|pixel| side.has(places[pixel])) < weights.least_ground;
    if share(known) >= weights.surely_shared || !other(&Side::whole(size)) {
        return false;
    }
    let left = Side::left(known, places, size);
    left.holds(known, places) < weights.least_left || other(&left)
}

/// Share of what is shown that is there; all where nothing is shown, which other rules judge.
fn share(known: &[Likeness]) -> f64 {
    let substance = Substance::of(known);
    match substance.shown > 0.0 {
        true => substance.alike / substance.shown,
        false => 1.0,
    }
}

/// The part of a picture that lies inside `bounds` (`[x0, y0, x1, y1]`, pixels).
struct Side {
    bounds: [usize; 4],
    width: usize,
}

impl Side {
    fn whole((width, height): (usize, usize)) -> Side {
        let bounds = [0, 0, width, height];
        Side { bounds, width }
    }

    /// What is left when rows and columns that show something else are cut off.
    fn left(known: &[Likeness], places: &[usize], (width, height): (usize, usize)) -> Side {
        let mut evidence = vec![Some(false); width * height];
        for (pixel, &place) in known.iter().zip(places) {
            evidence[place] = (pixel.shown > LASTING).then_some(pixel.alike);
        }
        let bounds = trim(&evidence, width, height);
        Side { bounds, width }
    }

    fn has(&self, place: usize) -> bool {
        let [x0, y0, x1, y1] = self.bounds;
        let (x, y) = (place % self.width, place / self.width);
        (x0..x1).contains(&x) && (y0..y1).contains(&y)
    }

    /// What is known of the pixels inside.
    fn of(&self, known: &[Likeness], places: &[usize]) -> Vec<Likeness> {
        let pixels = known.iter().zip(places);
        let inside = pixels.filter(|(_, place)| self.has(**place));
        inside.map(|(pixel, _)| *pixel).collect()
    }

    /// Share of the pixels that are inside.
    fn holds(&self, known: &[Likeness], places: &[usize]) -> f64 {
        self.of(known, places).len() as f64 / known.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (32, 18);

    #[test]
    fn what_is_mostly_hidden_is_no_copy_but_half_of_a_split_screen_is() {
        let check =
            |name: &str, alike: &dyn Fn(usize, usize) -> bool, moving: f64, hidden: bool| {
                let places: Vec<usize> = (0..SIZE.0 * SIZE.1).collect();
                let known: Vec<Likeness> = places
                    .iter()
                    .map(|place| Likeness {
                        shown: 0.9,
                        alike: alike(place % SIZE.0, place / SIZE.0),
                    })
                    .collect();
                let found = mostly(&known, &places, SIZE, || moving, &Evidence::default());
                assert_eq!(found, hidden, "{name}");
            };
        check("all of it", &|_, _| true, 1.0, false);
        check("a caption", &|_, y| y < 14, 0.8, false);
        check("a split screen", &|x, _| x < 15, 0.5, false);
        check("the larger part", &|x, _| x > 12, 0.4, false);
        check("one of three", &|x, _| x < 11, 0.4, true);
        check("a quarter", &|x, y| x < 16 && y < 9, 0.5, true);
        check("a ticker", &|_, y| y > 13, 0.7, true);
        let display = |x, y| y > 14 || (x > 24 && y < 7);
        check("a display and a map", &display, 0.7, true);
        check("the same over stills", &display, 1.0, true);
        let scattered = |x, y| (x * 7 + y * 5) % 2 == 0;
        check("confetti", &scattered, 0.7, true);
        check("a copy laid a little beside", &scattered, 0.9, false);
    }

    #[test]
    fn what_stands_elsewhere_is_no_copy_but_detail_and_sides_speak_for_themselves() {
        let places: Vec<usize> = (0..SIZE.0 * SIZE.1).collect();
        let check = |name: &str,
                     alike: &dyn Fn(usize, usize) -> bool,
                     stands: &dyn Fn(usize, usize) -> bool,
                     other: bool| {
            let at = |place: usize| (place % SIZE.0, place / SIZE.0);
            let known = places.iter().map(|&place| Likeness {
                shown: 0.9,
                alike: alike(at(place).0, at(place).1),
            });
            let grey = |place: usize| (at(place).0 * 7 + at(place).1 * 3) as f32;
            let lit = |place: usize| match stands(at(place).0, at(place).1) {
                true => grey(place),
                false => 255.0 - grey(place),
            };
            let ground = Ground::new(
                places.iter().map(|&place| lit(place)).collect(),
                places.iter().map(|&place| grey(place)).collect(),
            );
            let known: Vec<Likeness> = known.collect();
            let found = other_ground(&known, &places, SIZE, &ground, &Evidence::default());
            assert_eq!(found, other, "{name}");
        };
        let most = |x: usize, y: usize| (x + 2 * y) % 10 < 7;
        let left = |x: usize, _: usize| x < 15;
        check(
            "a copy under a caption",
            &|_, y| y < 14,
            &|_, y| y < 14,
            false,
        );
        check("a disc over another picture", &most, &|x, _| x < 10, true);
        check("a split screen", &left, &left, false);
        check(
            "all detail, other greys",
            &|_, _| true,
            &|_, _| false,
            false,
        );
    }
}
