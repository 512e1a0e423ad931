//! A query beside a reference: a transform fitted, a line of time found, the evidence weighed.

use super::candidates::Hypothesis;
use super::changes::{Changes, Decoy};
use super::config::VideoMatchConfig;
use super::evidence::{Shown, Signs};
use super::film::{Film, Look, Warps};
use super::geometry::{self, Fit, middle};
use super::ground::Ground;
use super::homography::{self, Homography};
use super::query::Query;
use super::refind::{self, Which};
use super::segments::{self, Agreement};
use super::substance::{self, Substance};
use super::timeline::{self, Line, Products};
use super::{Asked, Seen, Verified, elsewhere, ends, hidden, polish, rectangles};
use likeness_core::report::Segment;
use likeness_core::{ReferenceId, VideoFingerprint};

/// A query and what it may show.
pub(super) struct Comparison<'a> {
    pub query: Query<'a>,
    pub id: ReferenceId,
    pub reference: &'a VideoFingerprint,
    pub look: Look,
    /// Whether only motion speaks for it.
    pub coarse: bool,
    /// Of a query whose pictures were laid on the reference's: what their changes correlate by that alone.
    pub laid: Option<f64>,
    /// What a match must have.
    pub asked: Asked,
}

/// Transforms that fit a hypothesis.
pub(super) struct Fitted {
    /// Seen from the front...
    pub flat: Fit,
    /// ...and at an angle, where that fits better.
    pub tilted: Option<Fit>,
}

impl Comparison<'_> {
    /// The transforms that fit a hypothesis; `None` where too little agrees on one.
    pub(super) fn fit(&self, hypothesis: &Hypothesis, config: &VideoMatchConfig) -> Option<Fitted> {
        let aspect = self.reference.aspect;
        let mut pairs = hypothesis.pairs.clone();
        pairs
            .iter_mut()
            .for_each(|pair| pair.reference[0] *= aspect);
        let reach = match self.coarse {
            true => config.coarse_inlier_distance,
            false => config.inlier_distance,
        };
        let flat = geometry::fit(&pairs, reach, hypothesis.inliers, config)?;
        let tilted = match self.coarse {
            true => None,
            false => homography::tilted(&pairs, &flat, reach, aspect),
        };
        Some(Fitted { flat, tilted })
    }

    /// Weighs transforms, and what they become where the films agree best; `None` where the evidence is below the
    /// threshold.
    pub(super) fn weigh(&self, fitted: &Fitted, config: &VideoMatchConfig) -> Option<Verified> {
        let (fit, tilted) = (&fitted.flat, fitted.tilted.as_ref());
        // Transforms are off by enough, yet, to make a good match a doubtful one.
        let doubt = config.evidence.doubt;
        let flat = self.examine(fit, doubt, config);
        let steep = |tilted: &Fit| self.examine(tilted, doubt, config);
        let new = match (flat, tilted.and_then(steep)) {
            (Some(flat), Some(steep)) if steep.seen.evidence > flat.seen.evidence => steep,
            (Some(flat), _) => flat,
            (None, Some(steep)) => steep,
            (None, None) => return None,
        };
        let segment = &new.seen.segment;
        let timing = (new.line, (segment.query_start, segment.query_end));
        let (look, films) = (self.look, (&self.query, self.reference));
        let map = match self.coarse {
            true => polish::polish(fit.map, look, timing, films, polish::COARSE, config).1,
            false => {
                let tilt = tilted.map(|fit| fit.map);
                polish::straighten(fit.map, tilt, look, timing, films, config)
            }
        };
        let polished = (map != fit.map)
            .then(|| {
                let tilted = tilted.filter(|_| !map.is_flat());
                let fit = tilted.unwrap_or(fit).clone();
                self.examine(&Fit { map, ..fit }, 0.0, config)
            })
            .flatten();
        let evidence = |found: &Verified| found.seen.evidence;
        let better = match polished {
            // Better placed, and sure enough.
            Some(polished) if evidence(&polished) >= self.asked.sure.min(evidence(&new)) => {
                polished
            }
            _ => new,
        };
        Some(better).filter(|found| evidence(found) >= self.asked.least)
    }

    /// Finds the line of time that goes with a transform and weighs the evidence; `None` where that is
    /// below the threshold by more than `doubt` even before it is compared with decoys.
    pub(super) fn examine(
        &self,
        fit: &Fit,
        doubt: f64,
        config: &VideoMatchConfig,
    ) -> Option<Verified> {
        let (query, reference, look) = (&self.query, self.reference, self.look);
        let warps = Warps::new(&fit.map, look, reference, query);
        let area = reference.thumbnails.width * reference.thumbnails.height;
        if warps.pixels.len() < area / 20 {
            return None;
        }
        let film = |span| Film::new(query.thumbnails, &warps.query, span, config.detrend);
        let film_of_reference = |span| {
            Film::new(
                &reference.thumbnails,
                &warps.reference,
                span,
                config.detrend,
            )
        };
        let core = spread(fit.inliers.iter().map(|p| p.query_time), 1.5);
        let there = spread(fit.inliers.iter().map(|p| p.reference_time), 4.0);
        let films = (film(core).levelled(), film_of_reference(there).levelled());
        let line = Products::new(&films.0, &films.1).best_line(config);
        let own = |span| Film::new(query.fine, &warps.query, span, config.detrend).levelled();
        let line = timeline::refine(&own(core), &films.1, line);

        let (agreement, changes) = self.along(&warps, line, core, config)?;
        let placed = (&fit.map, look.mirrored);
        let refound = |which| {
            refind::refind(
                query,
                reference,
                placed,
                line,
                agreement.span,
                which,
                config,
            )
        };
        let all = refound(Which::All);
        let signs = Signs {
            agreement: &agreement,
            refound: &all,
            inverted: look.inverted,
            laid: self.laid,
            shown: Shown {
                turn: fit.map.near(middle(reference.aspect)).rotation_degrees(),
                speed: line.speed,
                area: warps.area(&fit.map, reference, query),
                cut_short: self.longest(line, config) / (agreement.span.1 - agreement.span.0),
            },
        };
        let weights = &config.evidence;
        let agreed = signs.evidence(self.coarse, weights);
        let clear = |decoy| match self.coarse {
            true => 0.0,
            false => signs.clear(decoy, changes.spread(), weights),
        };
        let mut evidence = agreed;
        let mut promising = false;
        if agreed + weights.clear * weights.max_clear >= self.asked.least - doubt {
            let decoy = changes.decoy(&warps.pixels, reference.thumbnails.width);
            let decoy = decoy.or(Decoy::unrelated(self.laid.unwrap_or(0.0)));
            evidence += clear(decoy);
            promising = evidence >= self.asked.least - doubt;
            if evidence >= self.asked.least {
                let elsewhere = self.elsewhere(&warps, line, agreement.span, &changes, config);
                let decoy = decoy.or(elsewhere);
                let against = signs.against_decoys(decoy, &refound(Which::Moving), weights);
                evidence = agreed.min(against) + clear(decoy);
                evidence -= signs.going_on(elsewhere, weights);
            }
        }
        if evidence >= self.asked.least {
            evidence -= self.doubt(&warps, line, (agreement.span, changes.spread()), config);
        }
        tracing::debug!(
            query = query.duration,
            coarse = self.coarse,
            laid = self.laid,
            reference = self.id.0,
            support = fit.support,
            ?agreement,
            refound = ?all,
            evidence,
            ?look,
            "examined"
        );
        if !promising {
            return None;
        }
        let span = ends::refine(&warps, (line, agreement.span), (query, reference), config);
        let timing = (line, span);
        let films = (
            film(span),
            film_of_reference((line.at(span.0), line.at(span.1))),
        );
        let picture = rectangles::measure(
            (&films.0, &films.1),
            &warps,
            placed,
            timing,
            reference,
            query,
        );
        Some(Verified {
            seen: Seen {
                reference: self.id,
                evidence,
                segment: segment(timing, placed, picture, query, reference),
                change: agreement.change,
                chance: agreement.chance,
                moments: agreement.moments,
                keypoints: (all.found, all.chance),
            },
            line,
            context: picture.context,
        })
    }

    /// Where the films agree along a line of time around the query seconds `core`, and what changes there.
    pub(super) fn along(
        &self,
        warps: &Warps,
        line: Line,
        core: (f64, f64),
        config: &VideoMatchConfig,
    ) -> Option<(Agreement, Changes)> {
        let (near, far) = (core.0 - config.reach, core.1 + config.reach);
        let there = (line.at(near) - 1.0, line.at(far) + 1.0);
        let (own, other) = (self.query.fine, &self.reference.thumbnails);
        let other = Film::new(other, &warps.reference, there, config.detrend).levelled();
        let own = Film::new(own, &warps.query, (near, far), config.detrend).levelled();
        segments::agreement(&own.in_step(&other, line), &other, line, core, config)
    }

    /// What the query correlates with the reference at other moments than those that `line` gives to the seconds `span`.
    fn elsewhere(
        &self,
        warps: &Warps,
        line: Line,
        span: (f64, f64),
        changes: &Changes,
        config: &VideoMatchConfig,
    ) -> Decoy {
        let thumbs = &self.reference.thumbnails;
        let far = elsewhere::FARTHEST as f64 / thumbs.rate();
        let there = (line.at(span.0) - far, line.at(span.1) + far);
        let film = Film::new(thumbs, &warps.reference, there, config.detrend).levelled();
        // In step, the stretch begins with a picture of the reference.
        let first = line.at(span.0) * film.rate - film.first;
        changes.elsewhere(&film, first.round().max(0.0) as usize)
    }

    /// Seconds of the query over which it could show the reference along a line of time: more than `lasting` count
    /// as so many.
    fn longest(&self, line: Line, config: &VideoMatchConfig) -> f64 {
        let first = line.back(0.0).max(0.0);
        let last = line.back(self.reference.duration).min(self.query.duration);
        (last - first).min(config.evidence.lasting)
    }

    /// Log-odds that a copy loses by how little of what the reference shows over the seconds `span` of the query is
    /// there as well. `spread`: the share of the picture in which anything changes.
    fn doubt(
        &self,
        warps: &Warps,
        line: Line,
        (span, spread): ((f64, f64), f64),
        config: &VideoMatchConfig,
    ) -> f64 {
        let there = (line.at(span.0) - 0.5, line.at(span.1) + 0.5);
        let (query, reference) = (self.query.thumbnails, &self.reference.thumbnails);
        let films = (
            Film::raw(query, &warps.query, span),
            Film::raw(reference, &warps.reference, there),
        );
        let (pixels, size) = (&warps.pixels, (reference.width, reference.height));
        let known = substance::likeness(&films.0, &films.1, line, pixels, size.0);
        let moving = || {
            let film = |thumbs, warp, span| Film::new(thumbs, warp, span, config.detrend);
            let films = (
                film(query, &warps.query, span),
                film(reference, &warps.reference, there),
            );
            rectangles::moving((&films.0, &films.1), pixels, size, (line, span))
        };
        let weights = &config.evidence;
        let ground = Ground::of(&films.0, &films.1, line);
        if hidden::mostly(&known, pixels, size, moving, weights)
            || hidden::other_ground(&known, pixels, size, &ground, weights)
        {
            return f64::INFINITY;
        }
        Substance::of(&known).doubt(spread, weights)
    }
}

/// The range of nearly all `times`, and `slack` seconds to either side.
pub(super) fn spread(times: impl Iterator<Item = f64>, slack: f64) -> (f64, f64) {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let cut = times.len() / 20;
    (times[cut] - slack, times[times.len() - 1 - cut] + slack)
}

pub(super) fn segment(
    (line, extent): (Line, (f64, f64)),
    (map, mirrored): (&Homography, bool),
    picture: rectangles::Picture,
    query: &Query,
    reference: &VideoFingerprint,
) -> Segment {
    let clip = |t: f64| (t.clamp(0.0, reference.duration) - line.start) / line.speed;
    let query_start = extent.0.max(clip(line.at(extent.0))).max(0.0);
    let query_end = extent.1.min(clip(line.at(extent.1))).min(query.duration);
    Segment {
        query_start,
        query_end,
        reference_start: line.at(query_start),
        reference_end: line.at(query_end),
        speed: line.speed,
        // Told by the whole query's verdict.
        score: 0.0,
        pitch_semitones: None,
        mirrored: Some(mirrored),
        rotation_degrees: Some(map.near(middle(reference.aspect)).rotation_degrees()),
        reference_rect: Some(picture.reference),
        query_rect: Some(picture.query),
        still: None,
    }
}
