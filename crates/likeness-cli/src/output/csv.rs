//! CSV: one row per matched stretch; queries without any, and errors, have one row as well.

use super::ReportWriter;
use crate::text;
use likeness_core::Rect;
use likeness_core::report::{Distortion, Match, MatchReport, Segment};
use serde_json::Value;
use std::io::Write;

const COLUMNS: [&str; 28] = [
    "query",
    "status",
    "error_code",
    "error_message",
    "duration",
    "audio",
    "video",
    "reference",
    "media",
    "score",
    "false_positive_probability",
    "query_coverage",
    "reference_coverage",
    "distortions",
    "query_start",
    "query_end",
    "reference_start",
    "reference_end",
    "speed",
    "segment_score",
    "pitch_semitones",
    "mirrored",
    "rotation_degrees",
    "reference_rect",
    "query_rect",
    "segment",
    "segments",
    "still",
];

pub(super) struct Csv<W: Write> {
    out: csv::Writer<W>,
    headed: bool,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(out: W) -> Csv<W> {
        Csv {
            out: csv::Writer::from_writer(out),
            headed: false,
        }
    }

    fn head(&mut self) -> anyhow::Result<()> {
        if !self.headed {
            self.out.write_record(COLUMNS)?;
            self.headed = true;
        }
        Ok(())
    }
}

impl<W: Write> ReportWriter for Csv<W> {
    fn write(&mut self, report: &MatchReport) -> anyhow::Result<()> {
        self.head()?;
        if report.matches.is_empty() {
            self.out.write_record(padded(query_cells(report)))?;
        }
        for found in &report.matches {
            for (index, segment) in found.segments.iter().enumerate() {
                let mut cells = query_cells(report);
                cells.extend(match_cells(found));
                cells.extend(segment_cells(segment));
                cells.push((index + 1).to_string());
                cells.push(found.segments.len().to_string());
                cells.push(optional(segment.still));
                self.out.write_record(padded(cells))?;
            }
        }
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.head()?;
        Ok(self.out.flush()?)
    }
}

fn padded(mut cells: Vec<String>) -> Vec<String> {
    cells.resize(COLUMNS.len(), String::new());
    cells
}

fn query_cells(report: &MatchReport) -> Vec<String> {
    let error = report.error.as_ref();
    vec![
        report.query.clone(),
        word(&report.status),
        error.map_or_else(String::new, |e| e.code.clone()),
        error.map_or_else(String::new, |e| e.message.clone()),
        optional(report.duration),
        report.audio.as_ref().map_or_else(String::new, word),
        report.video.as_ref().map_or_else(String::new, word),
    ]
}

fn match_cells(found: &Match) -> Vec<String> {
    vec![
        found.reference.clone(),
        word(&found.media),
        found.score.to_string(),
        optional(found.false_positive_probability),
        optional(found.query_coverage),
        optional(found.reference_coverage),
        distortions(&found.distortions),
    ]
}

fn segment_cells(segment: &Segment) -> Vec<String> {
    vec![
        segment.query_start.to_string(),
        segment.query_end.to_string(),
        segment.reference_start.to_string(),
        segment.reference_end.to_string(),
        segment.speed.to_string(),
        segment.score.to_string(),
        optional(segment.pitch_semitones),
        optional(segment.mirrored),
        optional(segment.rotation_degrees),
        rect(segment.reference_rect),
        rect(segment.query_rect),
    ]
}

/// The word that stands for a unit variant in the report format.
fn word(variant: &impl serde::Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// "0.25 0.25 0.75 0.75".
fn rect(rect: Option<Rect>) -> String {
    rect.map_or_else(String::new, |rect| {
        <[f64; 4]>::from(rect)
            .map(|edge| edge.to_string())
            .join(" ")
    })
}

/// "tempo=1.05;pitch=2".
fn distortions(distortions: &[Distortion]) -> String {
    let named: Vec<String> = distortions
        .iter()
        .map(|d| match d.value {
            Some(value) => format!("{}={value}", text::kind(d.kind)),
            None => text::kind(d.kind).to_owned(),
        })
        .collect();
    named.join(";")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn rows(reports: &[MatchReport]) -> Vec<csv::StringRecord> {
        let mut out = Vec::new();
        let mut writer = Csv::new(&mut out);
        for report in reports {
            writer.write(report).unwrap();
        }
        writer.finish().unwrap();
        drop(writer);
        csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(&out[..])
            .into_records()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    #[test]
    fn a_row_per_stretch_and_one_for_a_query_without() {
        let rows = rows(&[samples::matched(), samples::unmatched(), samples::failed()]);
        assert_eq!(rows.len(), 1 + 3 + 1 + 1);
        let column = |row: usize, name: &str| {
            let index = COLUMNS.iter().position(|c| *c == name).unwrap();
            rows[row][index].to_owned()
        };
        assert_eq!(column(2, "query_start"), "30");
        assert_eq!(
            (column(2, "segment"), column(2, "segments")),
            ("2".into(), "2".into())
        );
        assert_eq!(column(1, "reference"), "films/a, \"b\".mkv");
        assert_eq!(column(1, "distortions"), "speed=1.05");
        assert_eq!(column(3, "query_rect"), "0.25 0.25 0.75 0.75");
        assert_eq!(column(3, "mirrored"), "true");
        assert_eq!(column(3, "still"), "");
        assert_eq!(
            (column(4, "status"), column(4, "reference")),
            ("ok".into(), "".into())
        );
        assert_eq!(column(5, "error_code"), "unreadable");
    }

    #[test]
    fn nothing_at_all_still_has_a_header() {
        assert_eq!(rows(&[]).len(), 1);
    }
}
