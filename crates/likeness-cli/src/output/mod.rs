//! Results on standard output: match reports, and records about a library.

mod csv;
mod jsonl;
mod records;
mod table;

pub(crate) use records::{Cell, record, records};

use crate::args::Format;
use comfy_table::{ContentArrangement, ContentLineStyle, LineStyle, TableStyle};
use likeness_core::report::MatchReport;
use std::io::Write;

/// Writes match reports, one after the other, in one of the formats.
pub(crate) trait ReportWriter {
    /// Takes the next report.
    fn write(&mut self, report: &MatchReport) -> anyhow::Result<()>;
    /// Writes what was held back, and flushes.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// A writer for `format` on `out`.
pub(crate) fn reports<'a>(format: Format, out: impl Write + 'a) -> Box<dyn ReportWriter + 'a> {
    match format {
        Format::Table => Box::new(table::Table::new(out)),
        Format::Jsonl => Box::new(jsonl::Jsonl::new(out)),
        Format::Csv => Box::new(csv::Csv::new(out)),
    }
}

/// Lines above and below the header and at the end, nothing between the columns.
const HOUSE_STYLE: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_lines(ContentLineStyle::none())
    .header_separator(RULE)
    .content_lines(ContentLineStyle::none())
    .bottom_border(RULE);
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// A table in the house style, to be filled.
fn plain_table(header: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(HOUSE_STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().copied());
    table
}

/// Reports made up for the writers' tests.
#[cfg(test)]
pub(crate) mod samples {
    use likeness_core::Rect;
    use likeness_core::report::*;

    pub(crate) fn segment(query_start: f64, picture: bool) -> Segment {
        Segment {
            query_start,
            query_end: query_start + 15.0,
            reference_start: 60.0,
            reference_end: 75.75,
            speed: 1.05,
            score: 0.93,
            pitch_semitones: (!picture).then_some(0.845),
            mirrored: picture.then_some(true),
            rotation_degrees: picture.then_some(0.0),
            reference_rect: picture.then_some(Rect::FULL),
            query_rect: picture.then_some(Rect::new(0.25, 0.25, 0.75, 0.75)),
            still: None,
        }
    }

    /// Two media, one of them in two stretches.
    pub(crate) fn matched() -> MatchReport {
        let found = |media, segments| Match {
            reference: "films/a, \"b\".mkv".to_owned(),
            media,
            score: 0.95,
            false_positive_probability: Some(1e-9),
            query_coverage: Some(0.5),
            reference_coverage: Some(0.1),
            segments,
            distortions: vec![Distortion {
                kind: DistortionKind::Speed,
                value: Some(1.05),
                detail: Some("plays 5.0 % faster".to_owned()),
            }],
        };
        MatchReport {
            version: REPORT_VERSION,
            query: "up.mp4".to_owned(),
            status: Status::Ok,
            error: None,
            duration: Some(60.0),
            audio: Some(AudioState::Analysed),
            video: Some(VideoState::Analysed),
            matches: vec![
                found(
                    Media::Audio,
                    vec![segment(0.0, false), segment(30.0, false)],
                ),
                found(Media::Video, vec![segment(0.0, true)]),
            ],
        }
    }

    pub(crate) fn unmatched() -> MatchReport {
        MatchReport {
            matches: Vec::new(),
            query: "own.mp3".to_owned(),
            video: Some(VideoState::Absent),
            ..matched()
        }
    }

    pub(crate) fn failed() -> MatchReport {
        MatchReport::failed("gone.mp3", "unreadable", "gone.mp3: no such file")
    }
}
