//! References that stand still: one picture, whatever the time.
//!
//! Films are compared by what moves in them. Where nothing ever does, a copy must show all of the one
//! picture, with its keypoints everywhere, for as long as the query lasts. A card that other films
//! open with is no copy of them, nor are they of it: they go on to move. Slides of one lecture share
//! a layout, and their words differ.

use super::config::{Evidence, VideoMatchConfig};
use super::evidence::Shown;
use super::film::{Film, Warps};
use super::geometry::{Fit, middle};
use super::homography::Homography;
use super::overlay;
use super::rectangles;
use super::refind::{Which, places, refind};
use super::substance::{Likeness, Substance, likeness};
use super::timeline::Line;
use super::{Comparison, Seen, Verified, segment};
use likeness_core::report::Segment;
use likeness_core::video::Thumbnails;

/// Seconds of a query that stands still which are looked at closely: the others show the same.
const LOOK: f64 = 15.0;
/// Keypoints that lie together, of which...
const TOGETHER: usize = 8;
/// ...no more are found again where something else is shown.
const BY_CHANCE: usize = 1;

/// Of a reference that stands still any moment will do.
const MOMENT: Line = Line {
    start: 0.5,
    speed: 0.0,
};

impl Comparison<'_> {
    /// Whether keypoints are found again all over the picture.
    fn whole(&self, placed: (&Homography, bool), config: &VideoMatchConfig) -> bool {
        let keyframes = (
            self.query.keyframes.get(self.query.keyframes.len() / 2),
            self.reference.keyframes.first(),
        );
        let (Some(frame), Some(twin)) = keyframes else {
            return false;
        };
        let places = places((self.query, frame), (self.reference, twin), placed, config);
        let found = places.iter().filter(|(_, found)| *found).count();
        let weights = &config.evidence;
        found as f64 >= weights.still_found * places.len() as f64
            && holes(&places) <= weights.still_holes
    }

    /// Whether so much is shown, for so long, that it can be weighed.
    fn enough(&self, warps: &Warps, shown: &Shown, config: &VideoMatchConfig) -> bool {
        let thumbs = &self.reference.thumbnails;
        let area = (thumbs.width * thumbs.height) as f64;
        let weights = &config.evidence;
        warps.pixels.len() as f64 >= weights.still_visible * area
            && shown.area >= weights.still_area
            && self.query.duration.min(self.reference.duration) >= config.min_seconds
            && stays(warps, &self.query.thumbnails, weights)
    }

    /// Whether the query's edge cuts off a side of the reference while there is room beyond the other side. So
    /// agree sheets of one grid, one of them moved by a field; a copy is cut, or has room, or is cut before it
    /// is placed.
    fn pushed_out(&self, map: &Homography, weights: &Evidence) -> bool {
        let edges = rectangles::limit(map, self.reference.aspect, self.query.aspect);
        let sides = [(edges.x0, 1.0 - edges.x1), (edges.y0, 1.0 - edges.y1)];
        let most = weights.still_pushed;
        let pushed = |cut: f64, other: f64| cut > most && -other > most;
        sides.iter().any(|&(a, b)| pushed(a, b) || pushed(b, a))
    }

    /// What is known of each of the warps' pixels over some seconds of the query.
    fn known(&self, warps: &Warps, span: (f64, f64)) -> Vec<Likeness> {
        let there = (0.0, 2.0 * MOMENT.start);
        let (query, reference) = (&self.query.thumbnails, &self.reference.thumbnails);
        let films = (
            Film::raw(query, &warps.query, span),
            Film::raw(reference, &warps.reference, there),
        );
        likeness(&films.0, &films.1, MOMENT, &warps.pixels, reference.width)
    }

    /// Weighs whether the query is the one picture of a reference that stands still; `None` where that
    /// is below the threshold.
    pub(super) fn examine_still(&self, fit: &Fit, config: &VideoMatchConfig) -> Option<Verified> {
        let (query, reference, look) = (self.query, self.reference, self.look);
        let warps = Warps::new(&fit.map, look, reference, query);
        let placed = (&fit.map, look.mirrored);
        let shown = Shown {
            turn: fit.map.near(middle(reference.aspect)).rotation_degrees(),
            speed: 1.0,
            area: warps.area(&fit.map, reference, query),
        };
        if !self.enough(&warps, &shown, config)
            || self.pushed_out(&fit.map, &config.evidence)
            || !self.whole(placed, config)
        {
            return None;
        }
        let span = (0.0, query.duration.min(LOOK));
        let standing = overlay::standing(&warps, (MOMENT, span), query, reference);
        let other = standing.iter().filter(|on| **on).count();
        if other as f64 > config.evidence.still_other * standing.len() as f64 {
            return None;
        }
        let known = self.known(&warps, span);
        let refound = refind(query, reference, placed, MOMENT, span, Which::All, config);
        let frames = query.keyframes.iter();
        let frames = frames.filter(|f| f.seconds() <= span.1).count().max(1) as f64;
        let keypoints = (refound.found as f64 / frames, refound.chance / frames);
        let substance = Substance::of(&known);
        let evidence = evidence(keypoints, substance, &shown, &config.evidence);
        tracing::debug!(
            query = query.duration,
            reference = self.id.0,
            ?keypoints,
            ?substance,
            other,
            evidence,
            ?look,
            "examined, still"
        );
        if evidence < self.threshold {
            return None;
        }
        let line = Line {
            start: 0.0,
            speed: 1.0,
        };
        let seen = (MOMENT, span);
        let picture = rectangles::measure_still(&known, &warps, placed, seen, reference, query);
        let whole = (line, (0.0, query.duration));
        Some(Verified {
            seen: Seen {
                reference: self.id,
                evidence,
                segment: Segment {
                    still: Some(true),
                    // However short the reference is: its one picture is shown all along.
                    query_end: query.duration,
                    ..segment(whole, placed, picture, query, reference)
                },
                change: 0.0,
                chance: 0.0,
                moments: 0.0,
                keypoints: (refound.found, refound.chance),
            },
            line,
            context: picture.context,
        })
    }
}

/// Share of the places whose nearest ones, and they themselves, show something else.
fn holes(places: &[([f64; 2], bool)]) -> f64 {
    let hole = |at: &[f64; 2]| {
        let far = |[x, y]: [f64; 2]| (x - at[0]).hypot(y - at[1]);
        let mut near: Vec<(f64, bool)> = places.iter().map(|&(p, found)| (far(p), found)).collect();
        let count = TOGETHER.min(near.len());
        near.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0));
        near[..count].iter().filter(|(_, found)| *found).count() <= BY_CHANCE
    };
    let holes = places.iter().filter(|(at, _)| hole(at)).count();
    holes as f64 / places.len().max(1) as f64
}

/// Whether nearly all of what the warps see of a query stays as it is: around a copy something may
/// move, which shines into its edges.
fn stays(warps: &Warps, query: &Thumbnails, weights: &Evidence) -> bool {
    let ranges = warps.query.ranges(query);
    let still = ranges
        .iter()
        .filter(|&&range| range <= Thumbnails::STILL.into());
    still.count() as f64 >= weights.still_share * ranges.len() as f64
}

/// Log-odds that a picture which stands still is a copy, by its keypoints that are found again, and by chance,
/// in each keyframe. All that it shows must be there.
fn evidence(
    (found, chance): (f64, f64),
    substance: Substance,
    shown: &Shown,
    weights: &Evidence,
) -> f64 {
    let keypoints = ((found + 3.0) / (chance + 3.0)).ln();
    let missing = (weights.still_alike - substance.alike / substance.shown).max(0.0);
    let evidence = weights.still_prior + weights.still_keypoints * keypoints;
    match substance.alike >= weights.min_alike {
        true => evidence - weights.unlike * missing - shown.oddity(weights),
        false => f64::NEG_INFINITY,
    }
}
