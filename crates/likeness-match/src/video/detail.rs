//! Two pictures that stand still, compared place by place in detail.
//!
//! The surroundings of each place are correlated, so that brightness and contrast do not matter, at the resolution
//! of the coarser of the two pictures, so that size does not either.

use super::film::Look;
use super::geometry::middle;
use super::homography::Homography;
use super::polish::{changes, climb};
use super::query::Query;
use likeness_core::VideoFingerprint;
use likeness_core::video::{Plate, VideoConfig};

/// Cells to either side of a place that are its surroundings.
const AROUND: usize = 2;
/// Cells from the reference's edges to the first place that is looked at.
const EDGE: usize = AROUND + 2;
/// Standard deviation in grey levels up to which the query's surroundings are empty.
const EMPTY: f32 = 3.0;
/// Standard deviation in grey levels from which the reference's surroundings show something...
const SHOWN: f32 = 6.0;
/// ...and the query's, where the reference shows nothing: noise is everywhere.
const ADDED: f32 = 14.0;
/// Contrast, of the reference's, below which a query's is not believed to be lower for all of the picture.
const LEAST_GAIN: f32 = 0.3;
/// Correlation from which both show the same.
const SAME: f32 = 0.5;
/// Rows and columns of a block of places that is looked at by itself...
const BLOCK: usize = 12;
/// ...if so many of them show something.
const BLOCK_PLACES: usize = 48;
/// Steps in picture heights, and sizes of cells in pixels of the coarser picture, with which a transform is moved
/// to where the two agree best.
const CLIMB: [(f64, f64); 3] = [(0.01, 4.0), (0.004, 3.0), (0.0015, 2.0)];
/// Turn in degrees up to which a straight picture is tried.
const TURN: f64 = 4.0;
/// Most samples of a cell one way.
const MOST_SAMPLES: usize = 4;

/// How two pictures compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Detail {
    /// Share of the reference that the query has room for and that was not cut off before.
    pub visible: f64,
    /// Places at which either shows something, as far as the query has room for the reference.
    pub places: usize,
    /// Share of them at which both show the same...
    pub same: f64,
    /// ...and the lowest share among blocks of places: a score or a number is small.
    pub worst: f64,
}

/// The plates of a query and of a reference.
pub(super) struct Plates<'a> {
    films: (Query<'a>, &'a VideoFingerprint),
    own: Scales,
    other: Scales,
}

impl<'a> Plates<'a> {
    /// The query's plate that is nearest to a time in seconds, and the reference's; `None` where either has
    /// none.
    pub(super) fn about(
        time: f64,
        (query, reference): (Query<'a>, &'a VideoFingerprint),
    ) -> Option<Plates<'a>> {
        let rate = f64::from(VideoConfig::DEFAULT.keyframe_rate);
        let far = |plate: &&Plate| (f64::from(plate.slot) / rate - time).abs();
        let plates = query.plates.iter();
        let own = plates.min_by(|a, b| far(a).total_cmp(&far(b)))?;
        Some(Plates {
            films: (query, reference),
            own: Scales::new(own, query.aspect),
            other: Scales::new(reference.plates.first()?, reference.aspect),
        })
    }

    /// `map`, or one near it at which the plates agree better, and how they compare there. Keypoints turn and
    /// skew a picture a little without reason, so that one that stands straight is tried as well.
    pub(super) fn compare(&self, map: Homography, look: Look) -> (Homography, Detail) {
        let centre = middle(self.films.1.aspect);
        let turned = map.near(centre);
        let straight = (turned.rotation_degrees().abs() <= TURN && map.is_flat())
            .then(|| Homography::from(turned.straight(centre)));
        let moved = [Some(map), straight].into_iter().flatten();
        let moved = moved.map(|map| self.climb(map, look));
        let all = moved.chain([map]).map(|map| (map, self.detail(&map, look)));
        let best = all.max_by(|a, b| a.1.same.total_cmp(&b.1.same));
        best.unwrap_or_else(|| (map, self.detail(&map, look)))
    }

    /// The transform near `map` at which the plates agree best.
    fn climb(&self, map: Homography, look: Look) -> Homography {
        let centre = middle(self.films.1.aspect);
        CLIMB.iter().fold(map, |best, &(step, size)| {
            let grid = self.grid(&best, size);
            let there = self.places(&grid, &best, look).shown();
            let agreement = |map: &Homography| self.places(&grid, map, look).agreement(&there);
            climb(best, (centre, changes(&best)), &[step], agreement).1
        })
    }

    /// How they compare under `map`.
    fn detail(&self, map: &Homography, look: Look) -> Detail {
        self.places(&self.grid(map, 1.0), map, look).detail()
    }

    /// Cells that are `size` pixels wide and high in the coarser picture where `map` places the reference.
    fn grid(&self, map: &Homography, size: f64) -> Grid<'_> {
        let (own, other) = (&self.own.0[0], &self.other.0[0]);
        let near = map.near(middle(self.films.1.aspect));
        // Pixels of the query for one of the reference, along its rows and its columns.
        let heights = [
            self.films.1.aspect / other.width as f64,
            1.0 / other.height as f64,
        ];
        let lengths = [near.a.hypot(near.d), near.b.hypot(near.e)];
        let ratio = |i: usize| (lengths[i] * heights[i] * own.height as f64).max(1e-2);
        let ratios = [ratio(0), ratio(1)];
        let pitches = ratios.map(|ratio| size * (1.0 / ratio).max(1.0));
        let fine = pitches[0].min(pitches[1]);
        let count = |length: usize, pitch: f64| ((length as f64 / pitch) as usize).max(1);
        // A cell may be longer one way than the pixels it is read from.
        let pixel = f64::from(1u32 << Scales::number(fine));
        let samples = |pitch: f64| ((pitch / pixel / 2.0).ceil() as usize).clamp(1, MOST_SAMPLES);
        Grid {
            width: count(other.width, pitches[0]),
            height: count(other.height, pitches[1]),
            samples: pitches.map(samples),
            own: self
                .own
                .of((pitches[0] * ratios[0]).min(pitches[1] * ratios[1])),
            other: self.other.of(fine),
        }
    }

    /// What is known in each cell of a grid if `map` places the reference.
    fn places(&self, grid: &Grid<'_>, map: &Homography, look: Look) -> Places {
        let (query, reference) = self.films;
        let read = |x: f64, y: f64| {
            let [u, v] = map.apply([x * reference.aspect, y]);
            let query = grid.own.at(u / query.aspect, v)?;
            let reference = grid.other.at(if look.mirrored { 1.0 - x } else { x }, y)?;
            Some([if look.inverted { 255.0 - query } else { query }, reference])
        };
        let [nx, ny] = grid.samples;
        let cell = |i: usize| {
            let mut sum = [0.0; 2];
            for k in 0..nx * ny {
                let part = |k: usize, n: usize| (k as f64 + 0.5) / n as f64;
                let x = ((i % grid.width) as f64 + part(k % nx, nx)) / grid.width as f64;
                let y = ((i / grid.width) as f64 + part(k / nx, ny)) / grid.height as f64;
                let [q, r] = read(x, y)?;
                sum = [sum[0] + q, sum[1] + r];
            }
            Some(sum.map(|sum| sum / (nx * ny) as f32))
        };
        let (width, height) = (grid.width, grid.height);
        let cells = Cells {
            width,
            height,
            both: (0..width * height).map(cell).collect(),
        };
        cells.places()
    }
}

/// Where to read two pictures.
struct Grid<'a> {
    width: usize,
    height: usize,
    /// Of each cell, along its rows and its columns.
    samples: [usize; 2],
    own: &'a Luma,
    other: &'a Luma,
}

/// A picture, and the same at half the size, a quarter and so on.
struct Scales(Vec<Luma>);

struct Luma {
    width: usize,
    height: usize,
    /// Pixels that the picture would be wide and high if halves of odd numbers of pixels were not dropped.
    extent: [f64; 2],
    values: Vec<f32>,
}

impl Scales {
    fn new(plate: &Plate, aspect: f64) -> Scales {
        let (width, height) = plate.size(aspect);
        let values = plate.pixels.iter().map(|&luma| luma.into()).collect();
        let mut scales = vec![Luma {
            width,
            height,
            extent: [width as f64, height as f64],
            values,
        }];
        while let Some(half) = scales.last().and_then(Luma::half) {
            scales.push(half);
        }
        Scales(scales)
    }

    /// The picture in which cells of `size` pixels of the largest one are one to two pixels large.
    fn of(&self, size: f64) -> &Luma {
        &self.0[Scales::number(size).min(self.0.len() - 1)]
    }

    fn number(size: f64) -> usize {
        size.max(1.0).log2() as usize
    }
}

impl Luma {
    /// Means of two by two pixels; `None` of a picture that would hardly have any left.
    fn half(&self) -> Option<Luma> {
        let (width, height) = (self.width / 2, self.height / 2);
        let mean = |i: usize| {
            let at = i / width * 2 * self.width + i % width * 2;
            let pair = |at: usize| self.values[at] + self.values[at + 1];
            (pair(at) + pair(at + self.width)) / 4.0
        };
        (width.min(height) >= 8).then(|| Luma {
            width,
            height,
            extent: self.extent.map(|length| length / 2.0),
            values: (0..width * height).map(mean).collect(),
        })
    }

    /// What is at fractions of the width and height, between pixels interpolated; `None` outside.
    fn at(&self, x: f64, y: f64) -> Option<f32> {
        if !(0.0..1.0).contains(&x) || !(0.0..1.0).contains(&y) {
            return None;
        }
        let place = |v: f64, n: usize| (v - 0.5).clamp(0.0, n as f64 - 1.001);
        let [width, height] = self.extent;
        let (x, y) = (place(x * width, self.width), place(y * height, self.height));
        let (right, down) = (x.fract() as f32, y.fract() as f32);
        let at = y as usize * self.width + x as usize;
        let row = |at: usize| {
            let (left, next) = (self.values[at], self.values[at + 1]);
            left + (next - left) * right
        };
        let top = row(at);
        Some(top + (row(at + self.width) - top) * down)
    }
}

/// Query and reference in the cells of a grid over the (possibly mirrored) reference; `None` where the query has
/// no room.
struct Cells {
    width: usize,
    height: usize,
    both: Vec<Option<[f32; 2]>>,
}

/// What is known of a place: standard deviations around it, and their correlation.
#[derive(Debug, Clone, Copy)]
struct Place {
    query: f32,
    reference: f32,
    correlation: f32,
}

impl Cells {
    /// What is known around each cell; nothing where the query does not have room for all its surroundings, nor
    /// at the reference's own edges, into which shines what lies around the copy.
    fn places(&self) -> Places {
        let inner = |at: usize, length: usize| at >= EDGE && at + EDGE < length;
        let place = |i: usize| {
            let (x, y) = (i % self.width, i / self.width);
            let inside = inner(x, self.width) && inner(y, self.height);
            inside.then(|| self.place(x, y)).flatten()
        };
        Places {
            width: self.width,
            height: self.height,
            known: (0..self.width * self.height).map(place).collect(),
        }
    }

    fn place(&self, x: usize, y: usize) -> Option<Place> {
        let (mut q, mut r, mut qq, mut rr, mut qr) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for row in y - AROUND..=y + AROUND {
            let first = row * self.width + x - AROUND;
            for cell in &self.both[first..=first + 2 * AROUND] {
                let [a, b] = (*cell)?;
                q += a;
                r += b;
                qq += a * a;
                rr += b * b;
                qr += a * b;
            }
        }
        let n = ((2 * AROUND + 1) * (2 * AROUND + 1)) as f32;
        let (q, r) = (q / n, r / n);
        let deviation = |squares: f32, mean: f32| (squares / n - mean * mean).max(0.0).sqrt();
        let (query, reference) = (deviation(qq, q), deviation(rr, r));
        Some(Place {
            query,
            reference,
            correlation: (qr / n - q * r) / (query * reference).max(1e-3),
        })
    }
}

/// What is known of each cell of a grid.
struct Places {
    width: usize,
    height: usize,
    known: Vec<Option<Place>>,
}

impl Places {
    /// Numbers of those where the reference shows something.
    fn shown(&self) -> Vec<usize> {
        let known = self.known.iter().enumerate();
        let shown = known.filter(|(_, place)| place.is_some_and(|place| place.reference >= SHOWN));
        shown.map(|(number, _)| number).collect()
    }

    /// Mean correlation at `there`; none where the query has no room.
    fn agreement(&self, there: &[usize]) -> f32 {
        let known = there.iter().filter_map(|&i| self.known[i]);
        known.map(|place| place.correlation).sum::<f32>() / there.len().max(1) as f32
    }

    /// How the two compare, without strips along the sides in which the query is empty: the copy was cut before
    /// it was placed.
    fn detail(&self) -> Detail {
        let gain = self.gain();
        let [x0, y0, x1, y1] = self.uncut();
        let (width, height) = (self.width, self.height);
        let mut visible = 0;
        // Whether both show the same, where either shows something.
        let mut told = vec![None; width * height];
        for (i, place) in self.known.iter().enumerate() {
            let Some(place) = place else { continue };
            let left = (x0..x1).contains(&(i % width)) && (y0..y1).contains(&(i / width));
            let shown = place.reference >= SHOWN;
            // Where both are empty nothing was cut off.
            visible += usize::from(left || !shown);
            // The query's contrast, as the reference's would be.
            if left && (shown || place.query >= ADDED * gain) {
                told[i] = Some(place.correlation >= SAME);
            }
        }
        let part = |at: usize, length: usize| at as f64 / length as f64;
        let (count, same) = sum(told.iter());
        Detail {
            visible: part(visible, width * height),
            places: count,
            same: part(same, count.max(1)),
            worst: worst(&told, width),
        }
    }

    /// The query's contrast, of the reference's, in the median.
    fn gain(&self) -> f32 {
        let shown = self.shown().into_iter().filter_map(|i| self.known[i]);
        let mut gains: Vec<f32> = shown.map(|place| place.query / place.reference).collect();
        gains.sort_by(f32::total_cmp);
        let gain = gains.get(gains.len() / 2);
        gain.map_or(1.0, |gain| gain.max(LEAST_GAIN))
    }

    /// Bounds `[x0, y0, x1, y1]` in cells of what was not cut off.
    fn uncut(&self) -> [usize; 4] {
        let (width, height) = (self.width, self.height);
        let empty = |numbers: &mut dyn Iterator<Item = usize>| {
            let mut known = numbers.filter_map(|i| self.known[i]);
            known.all(|place| place.query < EMPTY)
        };
        let column = |x: usize| empty(&mut (0..height).map(|y| y * width + x));
        let row = |y: usize| empty(&mut (0..width).map(|x| y * width + x));
        let strip = |length: usize, empty: &dyn Fn(usize) -> bool| {
            // At first lies the edge, of which nothing is known, at last places that see across the cut.
            let count = (0..length).take_while(|&i| empty(i)).count();
            let cut = if count > EDGE { count + 2 * AROUND } else { 0 };
            cut.min(length)
        };
        let (x0, y0) = (strip(width, &column), strip(height, &row));
        let x1 = width - strip(width, &|i| column(width - 1 - i));
        let y1 = height - strip(height, &|i| row(height - 1 - i));
        [x0, y0, x1.max(x0), y1.max(y0)]
    }
}

/// How many places are told of, and how many show the same.
fn sum<'a>(told: impl Iterator<Item = &'a Option<bool>>) -> (usize, usize) {
    told.flatten().fold((0, 0), |(count, same), &is| {
        (count + 1, same + usize::from(is))
    })
}

/// The lowest share of the same in blocks, half over each other, in which enough is shown; 1 if there are none.
fn worst(told: &[Option<bool>], width: usize) -> f64 {
    let height = told.len() / width;
    let starts = |length: usize| (0..(length + 1).saturating_sub(BLOCK)).step_by(BLOCK / 2);
    let share = |(x, y): (usize, usize)| {
        let rows = (y..y + BLOCK).flat_map(|y| &told[y * width + x..y * width + x + BLOCK]);
        let (count, same) = sum(rows);
        match count >= BLOCK_PLACES {
            true => same as f64 / count as f64,
            false => 1.0,
        }
    };
    let blocks = starts(height).flat_map(|y| starts(width).map(move |x| (x, y)));
    blocks.map(share).fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::geometry::Affine;
    use crate::video::wanted::tests::random;
    use likeness_core::Density;
    use likeness_core::video::Thumbnails;

    const ASPECT: f64 = 16.0 / 9.0;

    /// A sheet of signs, each in one of 12 x 8 fields, at a place of the unit square; `other` fields have other
    /// signs.
    fn sheet(x: f64, y: f64, other: usize) -> f64 {
        let (column, row) = ((x * 12.0) as usize, (y * 8.0) as usize);
        let number = row * 12 + column;
        let seed = if number < other { number + 500 } else { number };
        let mut next = random(88_172_645_463_325_252u64.wrapping_mul(seed as u64 + 1));
        let signs: Vec<bool> = (0..25).map(|_| (next() >> 40) & 1 == 1).collect();
        let part = |v: f64| ((v.fract() - 0.2) / 0.6 * 5.0).floor();
        let (u, v) = (part(x * 12.0), part(y * 8.0));
        let written = (0.0..5.0).contains(&u) && (0.0..5.0).contains(&v);
        match written && signs[v as usize * 5 + u as usize] {
            true => 30.0,
            false => 225.0,
        }
    }

    /// A film of one picture, given at places of the unit square.
    fn as_query(film: &VideoFingerprint) -> Query<'_> {
        Query::new(film, &film.thumbnails)
    }

    fn film(density: Density, show: impl Fn(f64, f64) -> f64) -> VideoFingerprint {
        let level = VideoConfig::DEFAULT.plate_level;
        let (width, height) = VideoConfig::DEFAULT.level_size(level, ASPECT);
        let value = |i: usize| {
            let mean = (0..16).map(|k| {
                let part = |k: usize| (k as f64 + 0.5) / 4.0;
                show(
                    ((i % width) as f64 + part(k % 4)) / width as f64,
                    ((i / width) as f64 + part(k / 4)) / height as f64,
                )
            });
            (mean.sum::<f64>() / 16.0) as u8
        };
        let luma: Vec<u8> = (0..width * height).map(value).collect();
        VideoFingerprint {
            duration: 10.0,
            aspect: ASPECT,
            density,
            keyframes: Vec::new(),
            thumbnails: Thumbnails::new(),
            plates: vec![Plate::new(0, level as u8, &luma)],
        }
    }

    /// The map that shows the whole at `size` from a corner on, in parts of the picture.
    fn placed(size: f64, [x, y]: [f64; 2]) -> Homography {
        Homography::from(Affine {
            a: size,
            b: 0.0,
            c: x * ASPECT,
            d: 0.0,
            e: size,
            f: y,
        })
    }

    #[test]
    fn pictures_are_told_apart_by_their_detail() {
        let reference = film(Density::Reference, |x, y| sheet(x, y, 0));
        let plain = Look {
            mirrored: false,
            inverted: false,
        };
        let check = |name: &str, show: &dyn Fn(f64, f64) -> f64, place, look, same: bool| {
            let query = film(Density::Query, show);
            let plates = Plates::about(3.0, (as_query(&query), &reference)).unwrap();
            let (_, found) = plates.compare(place, look);
            assert_eq!(
                found.same >= 0.985 && found.worst >= 0.6,
                same,
                "{name}: {found:?}"
            );
        };
        let whole = placed(1.0, [0.0; 2]);
        check("itself", &|x, y| sheet(x, y, 0), whole, plain, true);
        check(
            "a bit off",
            &|x, y| sheet(x, y, 0),
            placed(1.004, [0.003, -0.002]),
            plain,
            true,
        );
        check(
            "dim",
            &|x, y| 40.0 + 0.3 * sheet(x, y, 0),
            whole,
            plain,
            true,
        );
        check(
            "four other signs",
            &|x, y| sheet(x, y, 4),
            whole,
            plain,
            false,
        );
        let inverted = Look {
            inverted: true,
            ..plain
        };
        check(
            "in negative",
            &|x, y| 255.0 - sheet(x, y, 0),
            whole,
            inverted,
            true,
        );
        let mirrored = Look {
            mirrored: true,
            ..plain
        };
        check(
            "mirrored",
            &|x, y| sheet(1.0 - x, y, 0),
            whole,
            mirrored,
            true,
        );
        check(
            "not mirrored",
            &|x, y| sheet(x, y, 0),
            whole,
            mirrored,
            false,
        );
        let part = |other| {
            move |x: f64, y: f64| {
                let (u, v) = ((x - 0.2) / 0.7, (y - 0.1) / 0.7);
                let inside = (0.15..1.0).contains(&u) && (0.0..1.0).contains(&v);
                if inside { sheet(u, v, other) } else { 0.0 }
            }
        };
        let small = placed(0.7, [0.2, 0.1]);
        check("cut and in black", &part(0), small, plain, true);
        check("another, cut and in black", &part(6), small, plain, false);
        let added = |x: f64, y: f64| match y > 0.85 {
            true => sheet(y, x, 50),
            false => sheet(x, y, 0),
        };
        check("a caption over it", &added, whole, plain, false);
        // A few signs on an empty ground.
        let emblem = |x: f64, y: f64| match (0.4..0.6).contains(&x) && (0.3..0.6).contains(&y) {
            true => sheet(x, y, 0),
            false => 225.0,
        };
        let reference = film(Density::Reference, emblem);
        let query = film(Density::Query, emblem);
        let plates = Plates::about(0.0, (as_query(&query), &reference)).unwrap();
        let (_, found) = plates.compare(whole, plain);
        assert!(found.same > 0.99 && found.visible > 0.9, "{found:?}");
    }

    #[test]
    fn without_plates_nothing_is_said() {
        let film = film(Density::Query, |x, _| x);
        let none = VideoFingerprint {
            plates: Vec::new(),
            ..film.clone()
        };
        assert!(Plates::about(0.0, (as_query(&film), &none)).is_none());
        assert!(Plates::about(0.0, (as_query(&none), &film)).is_none());
    }
}
