//! Reports that are wrong in known ways.

use super::*;
use likeness_core::Rect;
use likeness_core::report::{AudioState, Distortion};
use likeness_distort::Placement;

fn query(name: &str, row: &str, same_work: &[&str], truths: Vec<Truth>) -> Query {
    Query {
        query: name.to_owned(),
        sha256: String::new(),
        row: row.to_owned(),
        family: None,
        strength: None,
        bar: None,
        source: same_work.first().map(|s| (*s).to_owned()),
        class: String::new(),
        same_work: same_work.iter().map(|s| (*s).to_owned()).collect(),
        variant: false,
        truths,
    }
}

fn truth() -> Truth {
    Truth {
        media: Media::Audio,
        query_start: 0.0,
        query_end: 15.0,
        reference_start: 30.0,
        speed: 1.05,
        pitch_semitones: Some(0.84),
        placement: None,
        kinds: vec![DistortionKind::Speed],
        lenient: Vec::new(),
    }
}

/// A perfect answer for `truth()`.
fn right(reference: &str) -> Match {
    Match {
        reference: reference.to_owned(),
        media: Media::Audio,
        score: 0.9,
        false_positive_probability: None,
        query_coverage: None,
        reference_coverage: None,
        segments: vec![Segment {
            query_start: 0.0,
            query_end: 15.0,
            reference_start: 30.0,
            reference_end: 45.75,
            speed: 1.05,
            score: 0.9,
            pitch_semitones: Some(0.84),
            mirrored: None,
            rotation_degrees: None,
            reference_rect: None,
            query_rect: None,
            still: None,
        }],
        distortions: vec![Distortion {
            kind: DistortionKind::Speed,
            value: Some(1.05),
            detail: None,
        }],
    }
}

fn report(query: &str, matches: Vec<Match>) -> MatchReport {
    let mut report = MatchReport::failed(query, "", "");
    report.status = Status::Ok;
    report.error = None;
    report.audio = Some(AudioState::Analysed);
    report.matches = matches;
    report
}

fn scored(matches: Vec<Match>) -> Scores {
    let queries = [query("q.flac", "speed", &["a", "a again"], vec![truth()])];
    score(&queries, &[report("somewhere/q.flac", matches)], None)
}

#[test]
fn a_perfect_report_has_perfect_scores() {
    let scores = scored(vec![right("a")]);
    let row = &scores.rows[0];
    assert_eq!((row.found, row.in_place, row.false_matches), (1, 1, 0));
    assert_eq!(row.segment_iou, Some(1.0));
    assert_eq!(row.offset_error, Some(0.0));
    assert_eq!(row.named_right, Some(1.0));
    assert_eq!(scores.micro_average_precision, 1.0);
    assert!(scores.misses.is_empty() && scores.failures.is_empty());
    let class = &scores.classes[0];
    assert_eq!(
        (class.class.as_str(), class.found, class.queries),
        ("music", 1, 1)
    );
}

#[test]
fn a_wrong_reference_is_a_miss_and_a_false_match() {
    let scores = scored(vec![right("b")]);
    assert_eq!((scores.rows[0].found, scores.rows[0].false_matches), (0, 1));
    assert_eq!(scores.false_matches[0].what, "b");
    assert_eq!(scores.misses.len(), 1);
    assert_eq!(scores.micro_average_precision, 0.0);
}

#[test]
fn the_same_work_under_another_name_is_right() {
    let scores = scored(vec![right("a again")]);
    assert_eq!((scores.rows[0].found, scores.rows[0].false_matches), (1, 0));
}

#[test]
fn the_right_reference_at_the_wrong_time_is_found_but_not_in_place() {
    let mut wrong = right("a");
    wrong.segments[0].reference_start += 20.0;
    let scores = scored(vec![wrong]);
    assert_eq!((scores.rows[0].found, scores.rows[0].in_place), (1, 0));
    assert!((scores.rows[0].offset_error.unwrap_or(0.0) - 20.0).abs() < 1e-9);
}

#[test]
fn a_wrong_speed_and_pitch_are_measured() {
    let mut wrong = right("a");
    wrong.segments[0].speed -= 0.02;
    wrong.segments[0].pitch_semitones = Some(-0.16);
    let row = scored(vec![wrong]).rows.remove(0);
    let close = |value: Option<f64>, expected: f64| (value.unwrap_or(9.0) - expected).abs() < 1e-9;
    assert!(close(row.speed_error, 0.02), "{row:?}");
    assert!(close(row.pitch_error, 1.0), "{row:?}");
    // Told in the middle of the stretch, 7.5 s from where the two agree.
    assert!(close(row.offset_error, 0.15), "{row:?}");
}

#[test]
fn a_wrong_place_in_the_picture_is_measured() {
    let place = Placement {
        mirrored: true,
        rotation_degrees: 5.0,
        reference_rect: Rect::FULL,
        query_rects: vec![Rect::new(0.0, 0.0, 0.5, 0.5), Rect::new(0.5, 0.5, 1.0, 1.0)],
        rectangular: true,
    };
    let seen = |query_rect: Rect, reference_rect: Rect, mirrored: bool| {
        let truth = Truth {
            media: Media::Video,
            placement: Some(place.clone()),
            ..truth()
        };
        let mut found = right("a");
        found.media = Media::Video;
        let segment = &mut found.segments[0];
        segment.query_rect = Some(query_rect);
        segment.reference_rect = Some(reference_rect);
        segment.mirrored = Some(mirrored);
        segment.rotation_degrees = Some(3.0);
        let queries = [query("q.mp4", "place", &["a"], vec![truth])];
        let scores = score(&queries, &[report("q.mp4", vec![found])], None);
        let row = &scores.rows[0];
        assert_eq!(row.rotation_error, Some(2.0));
        (row.query_rect_iou, row.reference_rect_iou, row.mirror_right)
    };
    // Any of the places where it shows will do.
    let second = Rect::new(0.5, 0.5, 1.0, 1.0);
    assert_eq!(
        seen(second, Rect::FULL, true),
        (Some(1.0), Some(1.0), Some(1.0))
    );
    // Half of one of them; half of the reference's picture; and the wrong way round.
    let half = Rect::new(0.5, 0.5, 0.75, 1.0);
    let left = Rect::new(0.0, 0.0, 0.5, 1.0);
    assert_eq!(seen(half, left, false), (Some(0.5), Some(0.5), Some(0.0)));
}

#[test]
fn half_a_stretch_is_half_right() {
    let mut half = right("a");
    half.segments[0].query_end = 7.5;
    let scores = scored(vec![half]);
    let row = &scores.rows[0];
    assert_eq!(row.segment_iou, Some(0.5));
    assert_eq!(
        (row.segment_precision, row.segment_recall),
        (Some(1.0), Some(0.5))
    );
    assert_eq!(row.segment_f1, Some(2.0 / 3.0));
    assert_eq!(scores.rows[0].boundary_error, Some(3.75));
    assert_eq!(scores.rows[0].in_place, 1);
}

#[test]
fn duplicates_count_once_as_found_and_overlaps_once_as_covered() {
    let mut twice = right("a");
    twice.segments.push(twice.segments[0].clone());
    let scores = scored(vec![twice.clone(), twice]);
    assert_eq!(scores.rows[0].found, 1);
    assert_eq!(scores.rows[0].segment_iou, Some(1.0));
    assert!(scores.micro_average_precision <= 1.0);
}

#[test]
fn nothing_found_and_no_report_are_misses() {
    assert_eq!(scored(Vec::new()).rows[0].found, 0);
    let queries = [query("q.flac", "speed", &["a"], vec![truth()])];
    let scores = score(&queries, &[], None);
    assert_eq!(scores.rows[0].found, 0);
    assert_eq!(scores.failures[0].what, "no report");
}

#[test]
fn the_right_reference_in_the_wrong_medium_is_not_found() {
    let mut seen = right("a");
    seen.media = Media::Video;
    let scores = scored(vec![seen]);
    assert_eq!(scores.rows[0].found, 0);
    assert!(scores.false_matches.is_empty());
}

#[test]
fn an_accusation_of_an_unrelated_query_is_counted_once_a_query() {
    let queries = [
        query("n.flac", "unrelated", &[], Vec::new()),
        query("o.flac", "unrelated", &[], Vec::new()),
    ];
    let scores = score(
        &queries,
        &[
            report("n.flac", vec![right("a"), right("b")]),
            report("o.flac", Vec::new()),
        ],
        None,
    );
    assert_eq!(
        (scores.unrelated[0].queries, scores.unrelated[0].accused),
        (2, 1)
    );
    assert_eq!(scores.false_matches.len(), 2);
}

#[test]
fn names_must_be_whole_and_true() {
    let check = |kinds: &[DistortionKind],
                 lenient: &[DistortionKind],
                 named: &[DistortionKind],
                 right_: bool| {
        let mut truth = truth();
        truth.kinds = kinds.to_vec();
        truth.lenient = lenient.to_vec();
        let mut found = right("a");
        found.distortions = named
            .iter()
            .map(|kind| Distortion {
                kind: *kind,
                value: None,
                detail: None,
            })
            .collect();
        assert_eq!(
            well_named(&truth, &found),
            right_,
            "{kinds:?} {lenient:?} {named:?}"
        );
    };
    use DistortionKind::{Border, Crop, Mirror, PictureInPicture, Rotation, Speed};
    check(&[], &[], &[], true);
    check(&[Speed], &[], &[Speed], true);
    check(&[Speed], &[], &[], false);
    check(&[], &[], &[Speed], false);
    check(&[Mirror, Crop], &[], &[Crop, Mirror], true);
    check(&[Rotation], &[Crop], &[Rotation], true);
    check(&[Rotation], &[Crop], &[Rotation, Crop], true);
    check(&[Border], &[PictureInPicture], &[PictureInPicture], true);
    check(&[Border], &[], &[PictureInPicture], false);
}

#[test]
fn an_accusation_weighs_on_every_row_of_its_medium() {
    let queries = [
        query("q.flac", "speed", &["a"], vec![truth()]),
        query("n.flac", "unrelated", &[], Vec::new()),
    ];
    let hours = LibraryHours {
        audio: 60.0,
        video: 1.0,
    };
    let cost = |accusation: Vec<Match>| {
        let mut reports = [
            report("q.flac", vec![right("a")]),
            report("n.flac", accusation),
        ];
        for report in &mut reports {
            report.duration = Some(60.0);
        }
        let scores = score(&queries, &reports, Some(hours));
        scores.detection_costs[0].ndcr.balanced
    };
    assert_eq!(cost(Vec::new()).actual, 0.0);
    // Two minutes against 60 hours are 2 square hours: beta is 200, a false alarm costs 100.
    let accused = cost(vec![right("b")]);
    assert!((accused.actual - 100.0).abs() < 1e-9, "{accused:?}");
    // Both have the same score: no threshold keeps one and spares the other.
    assert_eq!(accused.minimal, 1.0);
    let mut seen = right("b");
    seen.media = Media::Video;
    assert_eq!(cost(vec![seen]).actual, 0.0);
}

#[test]
fn somebody_elses_copy_is_found_or_missed_but_never_unrelated() {
    let variant = |name: &str| Query {
        variant: true,
        ..query(name, "copies", &["a"], Vec::new())
    };
    let queries = [variant("x.ogg"), variant("y.ogg"), variant("z.ogg")];
    let reports = [
        report("x.ogg", vec![right("a")]),
        report("y.ogg", vec![right("b")]),
    ];
    let scores = score(&queries, &reports, None);
    let found = scores.variants.expect("three copies");
    assert_eq!((found.queries, found.found), (3, 1));
    assert_eq!((scores.misses.len(), scores.false_matches.len()), (2, 1));
    assert!(scores.unrelated.is_empty() && scores.rows.is_empty());
}
