//! `likeness overlaps`.

use super::matching::options;
use crate::Outcome;
use crate::args::Overlaps;
use crate::output::{self, Cell};
use crate::progress::beside_bars;
use crate::text;
use likeness::{Library, Overlap};
use likeness_core::report::{Media, Segment};
use serde_json::json;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often it is said how far the work is.
const INTERVAL: Duration = Duration::from_secs(10);

const COLUMNS: [&str; 11] = [
    "one",
    "other",
    "media",
    "one_start",
    "one_end",
    "other_start",
    "other_end",
    "speed",
    "pitch_semitones",
    "score",
    "false_positive_probability",
];

/// Lists pairs of references that share content, a row for each shared stretch.
pub(crate) fn overlaps(args: &Overlaps, quiet: bool) -> anyhow::Result<Outcome> {
    args.analysis.share_threads()?;
    let library = Library::open_at(&*args.library.place()?)?;
    let all = library.references().count();
    let told = Mutex::new(Instant::now());
    let overlaps = library.overlaps(&options(args.analysis.extract(1), &args.search), &|done| {
        if let Ok(mut told) = told.lock()
            && !quiet
            && told.elapsed() > INTERVAL
        {
            *told = Instant::now();
            beside_bars(|| eprintln!("{done} of {all} references"));
        }
    })?;
    let rows = overlaps.iter().flat_map(|overlap| {
        let segments = overlap.segments.iter();
        segments.map(move |segment| cells(overlap, segment))
    });
    output::records(args.output.format, std::io::stdout(), &COLUMNS, rows)?;
    match overlaps.is_empty() {
        true => Ok(Outcome::NothingFound),
        false => Ok(Outcome::Done),
    }
}

fn cells(overlap: &Overlap, segment: &Segment) -> Vec<Cell> {
    let seconds = |s: f64| Cell::new(json!(s), text::time(s));
    let media = match overlap.media {
        Media::Audio => "audio",
        Media::Video => "video",
    };
    let optional = |value: Option<f64>, text: &dyn Fn(f64) -> String| {
        Cell::new(json!(value), value.map_or(String::new(), text))
    };
    vec![
        Cell::same(json!(overlap.one)),
        Cell::same(json!(overlap.other)),
        Cell::same(json!(media)),
        seconds(segment.query_start),
        seconds(segment.query_end),
        seconds(segment.reference_start),
        seconds(segment.reference_end),
        Cell::new(json!(segment.speed), format!("{:.3}", segment.speed)),
        optional(segment.pitch_semitones, &|p| format!("{p:+.2}")),
        Cell::new(json!(segment.score), format!("{:.2}", segment.score)),
        Cell::new(
            json!(overlap.false_positive_probability),
            format!("{:.0e}", overlap.false_positive_probability),
        ),
    ]
}
