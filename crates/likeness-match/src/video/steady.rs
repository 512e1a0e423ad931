//! Queries in which the picture wanders: zoomed into little by little, shaken, rocked, a window that pans.
//!
//! No one transform holds for all of such a query. Where one holds for some of it, each picture is laid on the
//! reference's of its time, from the one before on, by what both show (direct alignment, Lucas and Kanade 1981,
//! "An iterative image registration technique"); then the query is drawn anew as if it had stayed where that
//! transform has it, and is compared as any other.
//!
//! A film that was laid on another moves as that does: one head before one wall can be laid on itself at another time.
//! So it must agree better than it does when it is laid on other moments of the reference.

use super::Verified;
use super::candidates::Pair;
use super::comparison::{Comparison, spread};
use super::config::VideoMatchConfig;
use super::film::{Look, Warps, tap};
use super::geometry::{Fit, middle};
use super::homography::Homography;
use super::polish::{self, WANDERING};
use super::query::Query;
use super::timeline::Line;
use likeness_core::VideoFingerprint;
use likeness_core::video::{Keyframe, Keypoint, PLACE_STEPS, Thumbnails, VideoConfig};
use rayon::prelude::*;

/// Steps in picture heights (and as a ratio, and in radians), coarse to fine, by which a picture is moved.
const STEPS: &[f64] = &[0.03, 0.01, 0.004];
/// Correlation of two pictures from which on one is laid on the other.
const ALIKE: f32 = 0.5;
/// Seconds without a picture that could be laid after which no other is tried.
const LOST: f64 = 2.0;
/// Share of the reference that a picture must show.
const SEEN: f64 = 0.2;
/// A picture that wanders less than this, in its heights, may be compared as it is.
const LEAST: f64 = 0.012;
/// Seconds to moments at which another film than a copy's would be laid as well.
const OTHER_MOMENTS: [f64; 6] = [-7.0, -4.5, -2.0, 2.0, 4.5, 7.0];
/// Rounds of laying pictures on those that a line of time says, and finding the line that goes with it.
const ROUNDS: usize = 2;

/// A part of a query, whose picture may have been made to stay where it is.
struct Part {
    duration: f64,
    aspect: f64,
    keyframes: Vec<Keyframe>,
    /// Its film on its own clock.
    fine: Thumbnails,
    /// Its film on a reference's clock.
    slowed: Thumbnails,
}

impl Comparison<'_> {
    /// Weighs a transform that holds for a part of a query in which the picture wanders; `None` where the evidence is
    /// below the threshold.
    pub(super) fn weigh_steadied(&self, fit: &Fit, config: &VideoMatchConfig) -> Option<Verified> {
        if self.coarse || fit.support < config.steady_support {
            return None;
        }
        let times = fit.inliers.iter().map(|pair| pair.query_time);
        let (start, end) = spread(times, config.reach);
        let start = start.max(0.0).floor();
        let part = Part::of(&self.query, (start, end));
        let mut inliers = fit.inliers.clone();
        inliers.iter_mut().for_each(|pair| pair.query_time -= start);
        let fit = &Fit {
            inliers,
            ..fit.clone()
        };
        let found = self.on(&part).weigh_part(fit, config)?;
        Some(later(found, start))
    }

    /// Weighs a query whose pictures were laid on the reference's.
    fn weigh_laid(&self, steady: &Part, fit: &Fit, config: &VideoMatchConfig) -> Option<Verified> {
        let laid = |by_chance| Comparison {
            laid: Some(by_chance),
            ..self.on(steady)
        };
        let found = laid(0.0).examine(fit, f64::INFINITY, config)?;
        if found.seen.evidence < self.asked.least {
            return Some(found);
        }
        let by_chance = self.by_laying(fit, found.line, config);
        laid(by_chance).examine(fit, f64::INFINITY, config)
    }

    /// What changes correlate where pictures are laid on the reference's of other moments. A head before a wall can be
    /// laid on the same head at any time, and then moves as it does.
    fn by_laying(&self, fit: &Fit, line: Line, config: &VideoMatchConfig) -> f64 {
        let core = spread(fit.inliers.iter().map(|pair| pair.query_time), 1.5);
        let change = |&shift: &f64| {
            let line = Line {
                start: line.start + shift,
                ..line
            };
            let part = self.redrawn(&self.follow(fit, line)?.0, fit);
            let warps = Warps::new(&fit.map, self.look, self.reference, &part.as_query());
            let (agreement, _) = self.on(&part).along(&warps, line, core, config)?;
            Some(agreement.change)
        };
        let changes: Vec<f64> = OTHER_MOMENTS.par_iter().filter_map(change).collect();
        tracing::debug!(reference = self.id.0, ?changes, "laid on other moments");
        changes.into_iter().fold(0.0, f64::max)
    }

    /// The same comparison with a part of the query.
    fn on<'a>(&'a self, part: &'a Part) -> Comparison<'a> {
        Comparison {
            query: part.as_query(),
            ..*self
        }
    }

    fn weigh_part(&self, fit: &Fit, config: &VideoMatchConfig) -> Option<Verified> {
        let mut line = usual(fit);
        let mut best: Option<Verified> = None;
        for _ in 0..ROUNDS {
            let found = self
                .steadied(fit, line, config)
                .and_then(|steady| self.weigh_laid(&steady, fit, config));
            let Some(mut found) = found else { break };
            line = found.line;
            found.seen.evidence -= config.evidence.wandering;
            let evidence = found.seen.evidence;
            if best
                .as_ref()
                .is_none_or(|best| evidence > best.seen.evidence)
            {
                best = Some(found);
            }
            if evidence < self.asked.least - config.evidence.doubt {
                break;
            }
        }
        best.filter(|found| found.seen.evidence >= self.asked.least)
    }

    /// The query as if the reference stayed where `fit` has it, if it does not: pictures are laid on the
    /// reference's along `line`.
    fn steadied(&self, fit: &Fit, line: Line, config: &VideoMatchConfig) -> Option<Part> {
        let (maps, laid) = self.follow(fit, line)?;
        let far = wandering(&maps, fit.map, self.reference.aspect);
        tracing::debug!(
            reference = self.id.0,
            support = fit.support,
            far,
            laid,
            ?line,
            "wanders"
        );
        (far >= LEAST && laid >= config.min_seconds).then(|| self.redrawn(&maps, fit))
    }

    /// Where each of the query's pictures shows the reference when it is laid on its picture along `line`, and the
    /// seconds of them that could be laid.
    fn follow(&self, fit: &Fit, line: Line) -> Option<(Vec<Homography>, f64)> {
        let fine = self.query.fine;
        let start = fine.index(busiest(fit)).min(fine.len().checked_sub(1)?);
        let (maps, laid) = Films::new(self).follow(fit.map, line, start);
        Some((maps, laid as f64 / fine.rate()))
    }

    /// The query as if each picture, which shows the reference where one of `maps` says, showed it where `fit` has it.
    fn redrawn(&self, maps: &[Homography], fit: &Fit) -> Part {
        let query = &self.query;
        let keyframes = query.keyframes.iter().map(|frame| {
            let number = query.fine.index(frame.seconds()).min(maps.len() - 1);
            moved(frame, &maps[number], &fit.map, query.aspect)
        });
        let fine = Films::new(self).redrawn(maps, &fit.map);
        Part::new(query, query.duration, keyframes.collect(), fine)
    }
}

impl Part {
    fn new(of: &Query, duration: f64, keyframes: Vec<Keyframe>, fine: Thumbnails) -> Part {
        Part {
            duration,
            aspect: of.aspect,
            keyframes,
            slowed: fine.slowed(),
            fine,
        }
    }

    /// Nothing in it stands still, so that it needs no plates.
    fn as_query(&self) -> Query<'_> {
        Query {
            duration: self.duration,
            aspect: self.aspect,
            keyframes: &self.keyframes,
            thumbnails: &self.slowed,
            fine: &self.fine,
            plates: &[],
        }
    }

    /// What a query shows from `start` whole seconds to `end`, with times from there.
    fn of(query: &Query, (start, end): (f64, f64)) -> Part {
        let fine = query.fine;
        let rate = f64::from(VideoConfig::DEFAULT.keyframe_rate);
        let inside = |frame: &&Keyframe| (start..end).contains(&(f64::from(frame.slot) / rate));
        let keyframes = query.keyframes.iter().filter(inside).map(|frame| Keyframe {
            slot: frame.slot - (start * rate) as u32,
            time_ms: frame.time_ms.saturating_sub((start * 1000.0) as u32),
            ..frame.clone()
        });
        let area = fine.width * fine.height;
        let [first, last] = [start, end].map(|time| fine.index(time).min(fine.len()));
        let fine = Thumbnails {
            pixels: fine.pixels[first * area..last * area].to_vec(),
            ..*fine
        };
        let duration = end.min(query.duration) - start;
        Part::new(query, duration, keyframes.collect(), fine)
    }
}

/// What was found in a part of a query that begins at `start`, in the query's own time.
fn later(mut found: Verified, start: f64) -> Verified {
    found.seen.segment.query_start += start;
    found.seen.segment.query_end += start;
    found.line.start -= found.line.speed * start;
    found
}

/// When in the reference a query plays, by the pairs of a transform, if it plays as fast.
fn usual(fit: &Fit) -> Line {
    let offset = |pair: &Pair| pair.reference_time - pair.query_time;
    let mut offsets: Vec<f64> = fit.inliers.iter().map(offset).collect();
    offsets.sort_by(f64::total_cmp);
    Line {
        start: offsets.get(offsets.len() / 2).copied().unwrap_or(0.0),
        speed: 1.0,
    }
}

/// The time of the keyframe with the most pairs.
fn busiest(fit: &Fit) -> f64 {
    let mut times: Vec<f64> = fit.inliers.iter().map(|pair| pair.query_time).collect();
    times.sort_by(f64::total_cmp);
    let runs = times.chunk_by(|a, b| a == b);
    runs.max_by_key(|run| run.len()).map_or(0.0, |run| run[0])
}

/// How far, in picture heights, the middle of the picture and its corners wander from where `still` has them: the
/// mean.
fn wandering(maps: &[Homography], still: Homography, aspect: f64) -> f64 {
    let places = [[0.0, 0.0], [aspect, 1.0], middle(aspect)];
    let far = |map: &Homography| {
        let off = places.map(|p| {
            let ([x, y], [u, v]) = (map.apply(p), still.apply(p));
            (x - u).hypot(y - v)
        });
        off.into_iter().sum::<f64>() / places.len() as f64
    };
    maps.iter().map(far).sum::<f64>() / maps.len().max(1) as f64
}

/// The films of a query and a reference that it may show.
struct Films<'a> {
    fine: &'a Thumbnails,
    query_aspect: f64,
    reference: &'a VideoFingerprint,
    look: Look,
    /// Places of the (possibly mirrored) reference's pixels, in its heights.
    places: Vec<[f64; 2]>,
}

impl Films<'_> {
    fn new<'a>(comparison: &Comparison<'a>) -> Films<'a> {
        let Comparison {
            query,
            reference,
            look,
            ..
        } = *comparison;
        let (width, height) = (reference.thumbnails.width, reference.thumbnails.height);
        let place = |i: usize| {
            let x = ((i % width) as f64 + 0.5) / width as f64;
            [
                x * reference.aspect,
                ((i / width) as f64 + 0.5) / height as f64,
            ]
        };
        Films {
            fine: query.fine,
            query_aspect: query.aspect,
            reference,
            look,
            places: (0..width * height).map(place).collect(),
        }
    }

    /// Where each picture of the query shows the reference, from picture `start` on, where `map` has it; and how
    /// many could be laid on the reference's.
    fn follow(&self, map: Homography, line: Line, start: usize) -> (Vec<Homography>, usize) {
        let mut maps = vec![map; self.fine.len()];
        let mut laid = 0;
        let mut walk = |pictures: &mut dyn Iterator<Item = usize>| {
            let (mut last, mut lost) = (map, 0.0);
            for i in pictures {
                match self.laid((last, map), i, line) {
                    Some(found) => (last, laid, lost) = (found, laid + 1, 0.0),
                    None => lost += 1.0 / self.fine.rate(),
                }
                if lost > LOST {
                    break;
                }
                maps[i] = last;
            }
        };
        walk(&mut (0..start).rev());
        walk(&mut (start..self.fine.len()));
        (maps, laid)
    }

    /// The map that lays picture `i` of the query best on the reference's of its time, near the last one, or near
    /// the first if that is lost; `None` where they are not alike.
    fn laid(
        &self,
        (last, first): (Homography, Homography),
        i: usize,
        line: Line,
    ) -> Option<Homography> {
        let film = &self.reference.thumbnails;
        let at = line.at((i as f64 + 0.5) / self.fine.rate());
        if at < 0.0 || film.index(at) >= film.len() {
            return None;
        }
        let other = film.picture(film.index(at));
        let agreement = |map: &Homography| self.agreement(map, self.fine.picture(i), other);
        let from = match agreement(&last) >= agreement(&first) {
            true => last,
            false => first,
        };
        let centre = middle(self.reference.aspect);
        let (value, map) = polish::climb(from, (centre, WANDERING), STEPS, agreement);
        (value >= ALIKE).then_some(map)
    }

    /// Correlation of what a query's picture shows under `map` with a reference's picture; nothing where it
    /// shows too little of it.
    fn agreement(&self, map: &Homography, own: &[u8], other: &[u8]) -> f32 {
        let film = &self.reference.thumbnails;
        let mut sums = Sums::default();
        for (number, &place) in self.places.iter().enumerate() {
            let [x, y] = map.apply(place);
            let to = tap(x / self.query_aspect, y, self.fine.width, self.fine.height);
            let Some(tap) = to else { continue };
            let (row, column) = (number / film.width, number % film.width);
            let column = match self.look.mirrored {
                true => film.width - 1 - column,
                false => column,
            };
            let (a, b) = (
                tap.read(own, self.fine.width),
                other[row * film.width + column],
            );
            sums.add(f64::from(a), f64::from(b));
        }
        if sums.count < SEEN * self.places.len() as f64 {
            return f32::MIN;
        }
        let sign = if self.look.inverted { -1.0 } else { 1.0 };
        sign * sums.correlation() as f32
    }

    /// The query's film as if each picture showed the reference where `still` has it.
    fn redrawn(&self, maps: &[Homography], still: &Homography) -> Thumbnails {
        let (width, height) = (self.fine.width, self.fine.height);
        let shown: Vec<Option<[f64; 2]>> = (0..width * height)
            .map(|i| {
                let x = ((i % width) as f64 + 0.5) / width as f64 * self.query_aspect;
                still.back([x, ((i / width) as f64 + 0.5) / height as f64])
            })
            .collect();
        let mut film = Thumbnails {
            pixels: Vec::with_capacity(self.fine.pixels.len()),
            ..*self.fine
        };
        for (number, map) in maps.iter().enumerate() {
            let picture = self.fine.picture(number);
            film.pixels
                .extend(shown.iter().enumerate().map(|(i, place)| {
                    let Some(place) = place else {
                        return picture[i];
                    };
                    let [x, y] = map.apply(*place);
                    let inside = |v: f64| v.clamp(0.0, 1.0 - 1e-9);
                    let to = tap(inside(x / self.query_aspect), inside(y), width, height);
                    to.map_or(picture[i], |tap| tap.read(picture, width).round() as u8)
                }));
        }
        film
    }
}

/// Sums over pairs of grey levels.
#[derive(Debug, Default)]
struct Sums {
    count: f64,
    a: f64,
    b: f64,
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Sums {
    fn add(&mut self, a: f64, b: f64) {
        self.count += 1.0;
        self.a += a;
        self.b += b;
        self.aa += a * a;
        self.bb += b * b;
        self.ab += a * b;
    }

    /// 0 where either side is all of one grey.
    fn correlation(&self) -> f64 {
        let about = |both: f64, one: f64, other: f64| both - one * other / self.count;
        let norm = (about(self.aa, self.a, self.a) * about(self.bb, self.b, self.b)).sqrt();
        // What rounding leaves of pictures of one grey is no detail.
        if norm > 1e-6 * (self.aa * self.bb).sqrt() {
            about(self.ab, self.a, self.b) / norm
        } else {
            0.0
        }
    }
}

/// A keyframe with its keypoints where `still` would have them, not `map`.
fn moved(frame: &Keyframe, map: &Homography, still: &Homography, aspect: f64) -> Keyframe {
    let steps = f64::from(PLACE_STEPS);
    let place = |point: &Keypoint| {
        let [x, y] = [point.x, point.y].map(|v| (f64::from(v) + 0.5) / steps);
        let [x, y] = still.apply(map.back([x * aspect, y])?);
        let inside = |v: f64| (0.0..1.0).contains(&v).then_some((v * steps) as u16);
        Some((inside(x / aspect)?, inside(y)?))
    };
    let keypoints = frame.keypoints.iter().filter_map(|point| {
        let (x, y) = place(point)?;
        Some(Keypoint { x, y, ..*point })
    });
    let keypoints: Vec<Keypoint> = keypoints.collect();
    Keyframe {
        slot: frame.slot,
        time_ms: frame.time_ms,
        sparse: 0,
        keypoints,
    }
}
