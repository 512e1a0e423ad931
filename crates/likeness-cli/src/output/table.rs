//! The table for people: a row per matched stretch.

use super::{ReportWriter, plain_table};
use crate::text;
use likeness_core::report::{Match, MatchReport, Media, Segment, Status};
use std::io::Write;

const COLUMNS: [&str; 8] = [
    "query",
    "reference",
    "medium",
    "in the query",
    "in the reference",
    "disguise",
    "score",
    "by chance",
];

/// Holds all rows back, for the columns' widths are known only at the end.
pub(super) struct Table<W> {
    out: W,
    table: comfy_table::Table,
}

impl<W: Write> Table<W> {
    pub(super) fn new(out: W) -> Table<W> {
        Table {
            out,
            table: plain_table(&COLUMNS),
        }
    }
}

impl<W: Write> ReportWriter for Table<W> {
    fn write(&mut self, report: &MatchReport) -> anyhow::Result<()> {
        let mut rows: Vec<[String; 8]> = report.matches.iter().flat_map(match_rows).collect();
        if report.status == Status::Error {
            let code = report.error.as_ref().map_or("", |e| &e.code);
            rows.push(note(format!("error: {}", code.replace('_', " "))));
        } else if rows.is_empty() {
            rows.push(note(text::nothing(report)));
        }
        rows[0][0] = text::printable(&report.query).into_owned();
        self.table.add_rows(rows);
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if !self.table.is_empty() {
            writeln!(self.out, "{}", self.table.trim_fmt())?;
        }
        Ok(self.out.flush()?)
    }
}

/// A row that says something in place of a reference.
fn note(text: String) -> [String; 8] {
    let mut row = <[String; 8]>::default();
    row[1] = format!("({text})");
    row
}

fn match_rows(found: &Match) -> impl Iterator<Item = [String; 8]> {
    found
        .segments
        .iter()
        .enumerate()
        .map(|(index, segment)| match index {
            0 => first_row(found, segment),
            _ => further_row(segment),
        })
}

fn first_row(found: &Match, segment: &Segment) -> [String; 8] {
    let medium = match found.media {
        Media::Audio => "audio",
        Media::Video => "video",
    };
    let mut row = further_row(segment);
    row[1] = text::printable(&found.reference).into_owned();
    medium.clone_into(&mut row[2]);
    row[5] = text::disguise(&found.distortions);
    row[6] = format!("{:.2}", found.score);
    let probability = found.false_positive_probability;
    row[7] = probability.map_or_else(String::new, |p| format!("{p:.0e}"));
    row
}

fn further_row(segment: &Segment) -> [String; 8] {
    let mut row = <[String; 8]>::default();
    row[3] = text::stretch(segment.query_start, segment.query_end);
    row[4] = match segment.still {
        Some(true) => "a still picture: at any time".to_owned(),
        _ => text::stretch(segment.reference_start, segment.reference_end),
    };
    row
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn of_a_still_picture_no_time_is_told() {
        let row = |still| {
            let mut segment = samples::matched().matches.remove(0).segments.remove(0);
            segment.still = still;
            further_row(&segment)[4].clone()
        };
        assert_ne!(row(None), row(Some(true)));
        assert_eq!(row(Some(true)), "a still picture: at any time");
    }

    #[test]
    fn says_what_was_found_and_where() {
        let mut out = Vec::new();
        let mut writer = Table::new(&mut out);
        for report in [samples::matched(), samples::unmatched(), samples::failed()] {
            writer.write(&report).unwrap();
        }
        writer.finish().unwrap();
        let text = String::from_utf8(out).unwrap();
        for word in [
            "up.mp4",
            "audio",
            "video",
            "0:30.0 - 0:45.0",
            "1:00.0 - 1:15.8",
            "speed: plays 5.0 % faster",
            "0.95",
            "1e-9",
            "(nothing found)",
            "(error: unreadable)",
        ] {
            assert!(text.contains(word), "{word} is not in\n{text}");
        }
        assert_eq!(text.matches("up.mp4").count(), 1);
    }
}
