//! References that stand still: one picture, whatever the time.
//!
//! Films are compared by what moves in them. Where nothing ever does, a copy must show the one picture in all
//! detail, for as long as the query lasts. A card that other films open with is no copy of them, nor are they of
//! it: they go on to move. Slides of one lecture share a layout, and months of a calendar their fields; their words
//! and numbers differ.

use super::comparison::{Comparison, Fitted, segment};
use super::config::{Evidence, VideoMatchConfig};
use super::detail::{Detail, Plates};
use super::evidence::Shown;
use super::film::{Film, Warps};
use super::geometry::{Fit, middle};
use super::homography::Homography;
use super::rectangles;
use super::refind::{Which, refind};
use super::substance::{Likeness, Substance, likeness};
use super::timeline::Line;
use super::{Seen, Verified};
use likeness_core::report::Segment;
use likeness_core::video::Thumbnails;

/// Seconds of a query that stands still which are looked at closely: the others show the same.
const LOOK: f64 = 15.0;

/// Of a reference that stands still any moment will do.
const MOMENT: Line = Line {
    start: 0.5,
    speed: 0.0,
};

/// A picture that stands still, as a query may show it.
struct Placed {
    map: Homography,
    warps: Warps,
    shown: Shown,
    /// Keypoints found again in a keyframe, and by chance.
    keypoints: (f64, f64),
    /// The same in all keyframes.
    refound: (usize, f64),
}

impl Comparison<'_> {
    /// Whether so much is shown, for so long, that it can be weighed.
    fn enough(&self, warps: &Warps, shown: &Shown, config: &VideoMatchConfig) -> bool {
        let thumbs = &self.reference.thumbnails;
        let area = (thumbs.width * thumbs.height) as f64;
        let weights = &config.evidence;
        warps.pixels.len() as f64 >= weights.still_visible * area
            && shown.area >= weights.still_area
            && self.query.duration.min(self.reference.duration) >= config.min_seconds
            && stays(warps, self.query.thumbnails, weights)
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
        let (query, reference) = (self.query.thumbnails, &self.reference.thumbnails);
        let films = (
            Film::raw(query, &warps.query, span),
            Film::raw(reference, &warps.reference, there),
        );
        likeness(&films.0, &films.1, MOMENT, &warps.pixels, reference.width)
    }

    /// The reference as `map` places it, if so much of it is shown, for so long, that it can be weighed.
    fn placed(
        &self,
        map: Homography,
        span: (f64, f64),
        config: &VideoMatchConfig,
    ) -> Option<Placed> {
        let (query, reference, look) = (&self.query, self.reference, self.look);
        let warps = Warps::new(&map, look, reference, query);
        let shown = Shown {
            turn: map.near(middle(reference.aspect)).rotation_degrees(),
            speed: 1.0,
            area: warps.area(&map, reference, query),
            // Of what stands still all moments are alike.
            cut_short: 1.0,
        };
        if !self.enough(&warps, &shown, config) || self.pushed_out(&map, &config.evidence) {
            return None;
        }
        let placed = (&map, look.mirrored);
        let refound = refind(query, reference, placed, MOMENT, span, Which::All, config);
        let frames = query.keyframes.iter();
        let frames = frames.filter(|f| f.seconds() <= span.1).count().max(1) as f64;
        Some(Placed {
            keypoints: (refound.found as f64 / frames, refound.chance / frames),
            refound: (refound.found, refound.chance),
            map,
            warps,
            shown,
        })
    }

    /// Weighs transforms; `None` where the evidence is below the threshold.
    pub(super) fn weigh_still(
        &self,
        fitted: &Fitted,
        config: &VideoMatchConfig,
    ) -> Option<Verified> {
        let fits = [Some(&fitted.flat), fitted.tilted.as_ref()];
        let fits = fits.into_iter().flatten();
        let found = fits.filter_map(|fit| self.examine_still(fit, config));
        found.max_by(|a, b| a.seen.evidence.total_cmp(&b.seen.evidence))
    }

    /// Weighs whether the query is the one picture of a reference that stands still; `None` where that
    /// is below the threshold.
    fn examine_still(&self, fit: &Fit, config: &VideoMatchConfig) -> Option<Verified> {
        let (query, reference, look) = (&self.query, self.reference, self.look);
        let weights = &config.evidence;
        let span = (0.0, query.duration.min(LOOK));
        let first = self.placed(fit.map, span, config)?;
        // A transform that is moved to its place finds more again.
        if first.evidence(weights) < self.asked.least - weights.doubt {
            return None;
        }
        let plates = Plates::about(span.1 / 2.0, (self.query, reference))?;
        let (map, detail) = plates.compare(fit.map, look);
        let placed = self.placed(map, span, config)?;
        let known = self.known(&placed.warps, span);
        let substance = Substance::of(&known);
        let evidence = placed.evidence(weights) + weights.still_detail;
        tracing::debug!(
            query = query.duration,
            reference = self.id.0,
            keypoints = ?placed.keypoints,
            ?substance,
            ?detail,
            area = placed.shown.area,
            evidence,
            ?look,
            "examined, still"
        );
        if evidence < self.asked.least || !same(detail, substance, weights) {
            return None;
        }
        let line = Line {
            start: 0.0,
            speed: 1.0,
        };
        let at = (&placed.map, look.mirrored);
        let seen = (MOMENT, span);
        let picture = rectangles::measure_still(&known, &placed.warps, at, seen, reference, query);
        let whole = (line, (0.0, query.duration));
        Some(Verified {
            seen: Seen {
                reference: self.id,
                evidence,
                segment: Segment {
                    still: Some(true),
                    // However short the reference is: its one picture is shown all along.
                    query_end: query.duration,
                    ..segment(whole, at, picture, query, reference)
                },
                change: 0.0,
                chance: 0.0,
                moments: 0.0,
                keypoints: placed.refound,
            },
            line,
            context: picture.context,
        })
    }
}

impl Placed {
    /// Log-odds that a picture which stands still is a copy, by its keypoints that are found again, and by chance,
    /// in each keyframe.
    fn evidence(&self, weights: &Evidence) -> f64 {
        let (found, chance) = self.keypoints;
        let keypoints = ((found + 3.0) / (chance + 3.0)).ln();
        weights.still_prior + weights.still_keypoints * keypoints - self.shown.oddity(weights)
    }
}

/// Whether a picture shows enough, and a copy all that it shows.
fn same(detail: Detail, substance: Substance, weights: &Evidence) -> bool {
    detail.same >= weights.still_same
        && detail.worst >= weights.still_worst
        && detail.visible >= weights.still_visible
        && detail.places >= weights.still_places
        && substance.alike >= weights.min_alike
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
