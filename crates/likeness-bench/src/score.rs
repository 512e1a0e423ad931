//! Scores reports in the project's format against the truth, whoever wrote them.

pub(crate) mod limits;
pub(crate) mod ndcr;

use crate::stats::{median, micro_average_precision, wilson};
use crate::truth::{Query, file_name};
use likeness_core::report::{DistortionKind, Match, MatchReport, Media, Segment, Status};
use likeness_distort::Truth;
use limits::LimitScore;
use ndcr::{LibraryHours, RowCost};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A found copy whose reference time is off by more seconds than this is not *in place*.
const IN_PLACE: f64 = 1.0;

/// Everything measured on one set of reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scores {
    /// Rows with something to find, in the suite's order.
    pub(crate) rows: Vec<RowScore>,
    /// Rows with nothing to find.
    pub(crate) unrelated: Vec<UnrelatedScore>,
    /// Recall by class of work, all rows together.
    #[serde(default)]
    pub(crate) classes: Vec<ClassScore>,
    /// Copies that other people made, of which no more than the work is known.
    #[serde(default)]
    pub(crate) variants: Option<VariantScore>,
    /// Over all rows, of accepted matches only: what a threshold hides counts as not found.
    pub(crate) micro_average_precision: f64,
    /// Detection cost of each row; empty when the size of the library is not known.
    #[serde(default)]
    pub(crate) detection_costs: Vec<RowCost>,
    /// What other limits on the probability of chance would have given.
    #[serde(default)]
    pub(crate) limits: Vec<LimitScore>,
    /// Every match that should not be.
    pub(crate) false_matches: Vec<Finding>,
    /// Every copy that was not found.
    pub(crate) misses: Vec<Finding>,
    /// Queries that the engine failed on, and queries without a report.
    pub(crate) failures: Vec<Finding>,
}

/// One row and medium. Errors are medians over the copies found; `None` when none was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowScore {
    pub(crate) row: String,
    pub(crate) media: Media,
    pub(crate) family: Option<String>,
    pub(crate) strength: Option<f64>,
    pub(crate) bar: Option<f64>,
    pub(crate) queries: usize,
    /// The right reference was named.
    pub(crate) found: usize,
    /// ... and the right moment of it.
    pub(crate) in_place: usize,
    pub(crate) recall: f64,
    /// 95 %, Wilson.
    pub(crate) recall_low: f64,
    pub(crate) recall_high: f64,
    /// Matches with references that the query does not show.
    pub(crate) false_matches: usize,
    /// Intersection over union of the found and true stretch of the query.
    pub(crate) segment_iou: Option<f64>,
    /// Share of the found stretch that is a copy; mean over the copies found, as the two below.
    #[serde(default)]
    pub(crate) segment_precision: Option<f64>,
    /// Share of the copy that was found.
    #[serde(default)]
    pub(crate) segment_recall: Option<f64>,
    /// Their harmonic mean, on the query's time line.
    #[serde(default)]
    pub(crate) segment_f1: Option<f64>,
    /// Mean distance of the stretch's two ends, seconds.
    pub(crate) boundary_error: Option<f64>,
    /// Seconds.
    pub(crate) offset_error: Option<f64>,
    pub(crate) speed_error: Option<f64>,
    /// Semitones.
    pub(crate) pitch_error: Option<f64>,
    pub(crate) query_rect_iou: Option<f64>,
    pub(crate) reference_rect_iou: Option<f64>,
    /// Degrees.
    pub(crate) rotation_error: Option<f64>,
    /// Share of the found copies told right.
    pub(crate) mirror_right: Option<f64>,
    /// Share of the found copies whose named distortions are right.
    pub(crate) named_right: Option<f64>,
}

/// Copies that other people made: other encodings and cuts, stems, faster remakes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct VariantScore {
    pub(crate) queries: usize,
    /// The right work is named, in either medium.
    pub(crate) found: usize,
    /// 95 %, Wilson.
    pub(crate) recall_low: f64,
    pub(crate) recall_high: f64,
}

/// Recall of one class of works over all rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClassScore {
    /// Of the corpus: live-action, animation ...; "music" or "video" where it has none.
    pub(crate) class: String,
    pub(crate) media: Media,
    pub(crate) queries: usize,
    pub(crate) found: usize,
}

/// Queries in which nothing may be found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct UnrelatedScore {
    pub(crate) row: String,
    pub(crate) queries: usize,
    /// Queries with at least one match.
    pub(crate) accused: usize,
    /// Upper end of the 95 % interval of the share accused.
    pub(crate) rate_high: f64,
}

/// One thing to listen to or look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) query: String,
    pub(crate) row: String,
    pub(crate) source: Option<String>,
    /// The reference claimed, or what went wrong.
    pub(crate) what: String,
    pub(crate) media: Option<Media>,
    pub(crate) score: Option<f64>,
}

/// What was measured on one copy that was found.
#[derive(Debug, Default)]
struct Measures {
    in_place: usize,
    found: usize,
    segment_iou: Vec<f64>,
    segment_precision: Vec<f64>,
    segment_recall: Vec<f64>,
    segment_f1: Vec<f64>,
    boundary_error: Vec<f64>,
    offset_error: Vec<f64>,
    speed_error: Vec<f64>,
    pitch_error: Vec<f64>,
    query_rect_iou: Vec<f64>,
    reference_rect_iou: Vec<f64>,
    rotation_error: Vec<f64>,
    mirror_right: Vec<f64>,
    named_right: Vec<f64>,
    queries: usize,
    false_matches: usize,
}

/// Scores `reports` (brought together with the truth by file name) against `queries`. A query
/// without a report counts as one in which nothing was found. `searched` is the size of the library.
pub(crate) fn score(
    queries: &[Query],
    reports: &[MatchReport],
    searched: Option<LibraryHours>,
) -> Scores {
    let by_name: BTreeMap<String, &MatchReport> = reports
        .iter()
        .map(|report| (file_name(Path::new(&report.query)), report))
        .collect();
    let mut rows: Vec<(&Query, Media, Measures)> = Vec::new();
    let mut unrelated: Vec<UnrelatedScore> = Vec::new();
    let mut scores = Scores {
        rows: Vec::new(),
        unrelated: Vec::new(),
        classes: Vec::new(),
        variants: None,
        micro_average_precision: 0.0,
        detection_costs: searched.map_or(Vec::new(), |hours| ndcr::rows(queries, &by_name, hours)),
        limits: limits::limits(queries, &by_name),
        false_matches: Vec::new(),
        misses: Vec::new(),
        failures: Vec::new(),
    };
    let mut answers = Vec::new();
    let mut positives = 0;
    for query in queries {
        let report = by_name.get(&query.query).copied();
        scores.failures.extend(failure(query, report));
        let matches = report.map_or(&[][..], |report| &report.matches);
        let wrong: Vec<&Match> = wrong(query, matches).collect();
        scores
            .false_matches
            .extend(wrong.iter().map(|m| claim(query, m)));
        answers.extend(wrong.iter().map(|m| (m.score, false)));
        for truth in &query.truths {
            positives += 1;
            let measures = row(&mut rows, query, truth.media);
            measures.queries += 1;
            let here = |m: &&&Match| m.media == truth.media;
            measures.false_matches += wrong.iter().filter(here).count();
            let best = best(query, truth, matches);
            count_class(&mut scores.classes, query, truth.media, best.is_some());
            match best {
                Some(found) => {
                    answers.push((found.score, true));
                    measure(measures, truth, found);
                }
                None => scores.misses.push(miss(query, truth)),
            }
        }
        if query.variant {
            let variants = scores.variants.get_or_insert_default();
            variants.queries += 1;
            match matches
                .iter()
                .any(|m| query.same_work.contains(&m.reference))
            {
                true => variants.found += 1,
                false => scores.misses.push(finding(query)),
            }
        } else if query.truths.is_empty() {
            let position = unrelated.iter().position(|score| score.row == query.row);
            let index = position.unwrap_or(unrelated.len());
            if position.is_none() {
                unrelated.push(UnrelatedScore::new(&query.row));
            }
            unrelated[index].queries += 1;
            unrelated[index].accused += usize::from(!wrong.is_empty());
        }
    }
    for score in &mut unrelated {
        score.rate_high = wilson(score.accused, score.queries).1;
    }
    if let Some(variants) = &mut scores.variants {
        (variants.recall_low, variants.recall_high) = wilson(variants.found, variants.queries);
    }
    scores.unrelated = unrelated;
    scores.micro_average_precision = micro_average_precision(&answers, positives);
    scores.rows = rows
        .into_iter()
        .map(|(query, media, m)| m.summary(query, media))
        .collect();
    scores
}

fn row<'r, 'q>(
    rows: &'r mut Vec<(&'q Query, Media, Measures)>,
    query: &'q Query,
    media: Media,
) -> &'r mut Measures {
    let same = |(first, m, _): &(&Query, Media, Measures)| first.row == query.row && *m == media;
    let index = rows.iter().position(same).unwrap_or(rows.len());
    if index == rows.len() {
        rows.push((query, media, Measures::default()));
    }
    &mut rows[index].2
}

fn count_class(classes: &mut Vec<ClassScore>, query: &Query, media: Media, found: bool) {
    let class = match (query.class.as_str(), media) {
        ("", Media::Audio) => "music",
        ("", Media::Video) => "video",
        (class, _) => class,
    };
    let same = |score: &ClassScore| score.class == class && score.media == media;
    let index = classes.iter().position(same).unwrap_or(classes.len());
    if index == classes.len() {
        classes.push(ClassScore {
            class: class.to_owned(),
            media,
            queries: 0,
            found: 0,
        });
    }
    classes[index].queries += 1;
    classes[index].found += usize::from(found);
}

/// Matches with references that the query does not show.
fn wrong<'m>(query: &'m Query, matches: &'m [Match]) -> impl Iterator<Item = &'m Match> {
    matches
        .iter()
        .filter(|m| !query.same_work.contains(&m.reference))
}

/// The right reference's match in the truth's medium; the highest when there are several.
fn best<'m>(query: &Query, truth: &Truth, matches: &'m [Match]) -> Option<&'m Match> {
    matches
        .iter()
        .filter(|m| m.media == truth.media && query.same_work.contains(&m.reference))
        .max_by(|a, b| a.score.total_cmp(&b.score))
}

fn failure(query: &Query, report: Option<&MatchReport>) -> Option<Finding> {
    let what = match report {
        None => "no report".to_owned(),
        Some(report) if report.status == Status::Error => {
            let error = report.error.as_ref();
            error.map_or("error".to_owned(), |error| error.message.clone())
        }
        Some(_) => return None,
    };
    Some(Finding {
        what,
        ..finding(query)
    })
}

fn finding(query: &Query) -> Finding {
    Finding {
        query: query.query.clone(),
        row: query.row.clone(),
        source: query.source.clone(),
        what: String::new(),
        media: None,
        score: None,
    }
}

fn claim(query: &Query, wrong: &Match) -> Finding {
    Finding {
        what: wrong.reference.clone(),
        media: Some(wrong.media),
        score: Some(wrong.score),
        ..finding(query)
    }
}

fn miss(query: &Query, truth: &Truth) -> Finding {
    let what = format!("at {:.1} s of it", truth.reference_start);
    Finding {
        what,
        media: Some(truth.media),
        ..finding(query)
    }
}

fn measure(measures: &mut Measures, truth: &Truth, found: &Match) {
    measures.found += 1;
    measures
        .named_right
        .push(f64::from(u8::from(well_named(truth, found))));
    let overlap =
        |s: &Segment| s.query_end.min(truth.query_end) - s.query_start.max(truth.query_start);
    let longest = found
        .segments
        .iter()
        .max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
    let Some(segment) = longest else { return };
    let middle = (segment.query_start + segment.query_end) / 2.0;
    let shown = segment.reference_start + (middle - segment.query_start) * segment.speed;
    let offset = (shown - truth.reference_time(middle)).abs();
    measures.in_place += usize::from(offset <= IN_PLACE);
    measures.offset_error.push(offset);
    measures
        .speed_error
        .push((segment.speed - truth.speed).abs());
    if let (Some(found), Some(pitch)) = (segment.pitch_semitones, truth.pitch_semitones) {
        measures.pitch_error.push((found - pitch).abs());
    }
    stretch(measures, truth, found);
    picture(measures, truth, segment);
}

/// How well the stretch of the query was found.
fn stretch(measures: &mut Measures, truth: &Truth, found: &Match) {
    let mut spans: Vec<(f64, f64)> = found
        .segments
        .iter()
        .map(|s| (s.query_start, s.query_end))
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut covered, mut common, mut reached) = (0.0, 0.0, f64::NEG_INFINITY);
    for (start, end) in &spans {
        let start = start.max(reached);
        if *end > start {
            covered += end - start;
            common += (end.min(truth.query_end) - start.max(truth.query_start)).max(0.0);
            reached = *end;
        }
    }
    let shown = truth.query_end - truth.query_start;
    let share = |part: f64, whole: f64| part / whole.max(1e-9);
    measures
        .segment_iou
        .push(share(common, covered + shown - common));
    measures.segment_precision.push(share(common, covered));
    measures.segment_recall.push(share(common, shown));
    measures
        .segment_f1
        .push(share(2.0 * common, covered + shown));
    if let Some((first, _)) = spans.first() {
        let ends = (first - truth.query_start).abs() + (reached - truth.query_end).abs();
        measures.boundary_error.push(ends / 2.0);
    }
}

fn picture(measures: &mut Measures, truth: &Truth, segment: &Segment) {
    let Some(placement) = &truth.placement else {
        return;
    };
    if placement.rectangular {
        if let Some(found) = segment.query_rect {
            let ious = placement.query_rects.iter().map(|rect| rect.iou(&found));
            measures.query_rect_iou.push(ious.fold(0.0, f64::max));
        }
        if let Some(found) = segment.reference_rect {
            measures
                .reference_rect_iou
                .push(placement.reference_rect.iou(&found));
        }
    }
    if let Some(mirrored) = segment.mirrored {
        measures
            .mirror_right
            .push(f64::from(u8::from(mirrored == placement.mirrored)));
    }
    if let Some(rotation) = segment.rotation_degrees {
        measures
            .rotation_error
            .push((rotation - placement.rotation_degrees).abs());
    }
}

/// Whether every name is true and none is missing. A border and a moving surrounding may stand for
/// each other where the truth allows the other name.
fn well_named(truth: &Truth, found: &Match) -> bool {
    let named: Vec<DistortionKind> = found.distortions.iter().map(|d| d.kind).collect();
    let true_names = named
        .iter()
        .all(|k| truth.kinds.contains(k) || truth.lenient.contains(k));
    let surroundings = [DistortionKind::Border, DistortionKind::PictureInPicture];
    let told = |kind: &DistortionKind| {
        named.contains(kind)
            || (surroundings.contains(kind)
                && surroundings
                    .iter()
                    .any(|o| truth.lenient.contains(o) && named.contains(o)))
    };
    true_names && truth.kinds.iter().all(told)
}

impl UnrelatedScore {
    fn new(row: &str) -> UnrelatedScore {
        UnrelatedScore {
            row: row.to_owned(),
            queries: 0,
            accused: 0,
            rate_high: 1.0,
        }
    }
}

impl Measures {
    fn summary(&self, query: &Query, media: Media) -> RowScore {
        let (recall_low, recall_high) = wilson(self.found, self.queries);
        let share = |values: &[f64]| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        RowScore {
            row: query.row.clone(),
            media,
            family: query.family.clone(),
            strength: query.strength,
            bar: query.bar,
            queries: self.queries,
            found: self.found,
            in_place: self.in_place,
            recall: self.found as f64 / self.queries.max(1) as f64,
            recall_low,
            recall_high,
            false_matches: self.false_matches,
            segment_iou: median(&self.segment_iou),
            segment_precision: share(&self.segment_precision),
            segment_recall: share(&self.segment_recall),
            segment_f1: share(&self.segment_f1),
            boundary_error: median(&self.boundary_error),
            offset_error: median(&self.offset_error),
            speed_error: median(&self.speed_error),
            pitch_error: median(&self.pitch_error),
            query_rect_iou: median(&self.query_rect_iou),
            reference_rect_iou: median(&self.reference_rect_iou),
            rotation_error: median(&self.rotation_error),
            mirror_right: share(&self.mirror_right),
            named_right: share(&self.named_right),
        }
    }
}

#[cfg(test)]
mod tests;
