//! The page: an index of all queries, and those with matches in detail.

use crate::pictures::PictureView;
use crate::sounds::SoundView;
use crate::timeline::{Band, bands};
use crate::words::{self, stretch};
use crate::{Shown, Work};
use askama::Template;
use likeness_core::report::{Match, MatchReport, Media};
use likeness_core::text::{count, printable, time};

/// Bytes, nearly all of them sounds and pictures, from which on a page is full.
const FULL: usize = 64 << 20;

/// What the queries of a page were compared with.
#[derive(Debug, Clone)]
pub struct About {
    /// What they were compared with, in words.
    pub against: String,
    /// The largest probability of chance that is accepted.
    pub limit: f64,
}

/// A page in the making.
#[derive(Debug)]
pub struct Page {
    about: About,
    entries: Vec<Entry>,
    sections: Vec<String>,
}

/// A query in the index.
#[derive(Debug)]
struct Entry {
    name: String,
    /// References found, each once.
    found: Vec<String>,
    error: Option<String>,
}

/// A match as the page shows it.
pub(crate) struct MatchView {
    reference: String,
    medium: &'static str,
    summary: String,
    disguise: String,
    probability: String,
    score: String,
    doubts: Vec<(&'static str, String)>,
    bands: Vec<Band>,
    lengths: [String; 2],
    rows: Vec<[String; 4]>,
    shares: String,
    has_file: bool,
    pub(crate) sound: Option<SoundView>,
    pub(crate) picture: Option<PictureView>,
}

impl MatchView {
    pub(crate) fn new(report: &MatchReport, found: &Match, query: &Work, work: &Work) -> MatchView {
        let total: f64 = found
            .segments
            .iter()
            .map(|s| s.query_end - s.query_start)
            .sum();
        let summary = match &found.segments[..] {
            [one] if one.still == Some(true) => {
                "The query shows the one still picture of the reference.".to_owned()
            }
            [one] => format!(
                "{} of the query is {} of the reference.",
                stretch(one.query_start, one.query_end),
                stretch(one.reference_start, one.reference_end)
            ),
            many => format!("{} stretches, {} together.", many.len(), time(total)),
        };
        let rows = found.segments.iter().map(|s| {
            let (there, speed) = match s.still {
                Some(true) => ("a still picture: at any time".to_owned(), String::new()),
                _ => (
                    stretch(s.reference_start, s.reference_end),
                    format!("{:.3}", s.speed),
                ),
            };
            [
                stretch(s.query_start, s.query_end),
                there,
                speed,
                s.pitch_semitones
                    .map_or(String::new(), |p| format!("{p:+.2}")),
            ]
        });
        let share = |share: Option<f64>, of: &str| Some(format!("{:.0} % of {of}", share? * 100.0));
        let shares = [
            share(found.query_coverage, "the query"),
            share(found.reference_coverage, "the reference"),
        ];
        let query_length = report.duration.unwrap_or(query.duration);
        MatchView {
            reference: printable(&found.reference).into_owned(),
            medium: match found.media {
                Media::Audio => "Sound",
                Media::Video => "Picture",
            },
            summary,
            disguise: words::disguise(found, query),
            probability: words::probability(found),
            score: format!("{:.2}", found.score),
            doubts: Vec::new(),
            bands: bands(&found.segments, query_length, work.duration),
            lengths: [query_length, work.duration].map(time),
            rows: rows.collect(),
            shares: shares.into_iter().flatten().collect::<Vec<_>>().join(", "),
            has_file: work.file.is_some(),
            sound: None,
            picture: None,
        }
    }
}

#[derive(Template)]
#[template(path = "query.html")]
struct Section<'a> {
    number: usize,
    name: &'a str,
    error: Option<&'a str>,
    length: String,
    matches: &'a [MatchView],
}

#[derive(Template)]
#[template(path = "page.html")]
struct Whole<'a> {
    title: String,
    about: &'a About,
    limit: String,
    version: &'static str,
    entries: &'a [Entry],
    matched: usize,
    failed: usize,
    nothing: usize,
    sections: &'a [String],
}

impl Page {
    /// A page without queries.
    pub fn new(about: About) -> Page {
        Page {
            about,
            entries: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Whether there is so much in it that further matches are better told in words only: a page
    /// must still open.
    pub fn is_full(&self) -> bool {
        self.sections.iter().map(String::len).sum::<usize>() > FULL
    }

    /// Takes the next query's report, and what is shown of its matches.
    pub fn push(&mut self, report: &MatchReport, Shown(mut matches): Shown) {
        for (view, found) in matches.iter_mut().zip(&report.matches) {
            view.doubts = words::doubts(found, view.sound.as_ref());
        }
        let name = printable(&report.query).into_owned();
        let error = report.error.as_ref();
        let error = error.map(|error| printable(&error.message).into_owned());
        let mut found: Vec<String> = matches.iter().map(|m| m.reference.clone()).collect();
        found.dedup();
        // A section has its place even if it is empty: its number is the query's.
        let section = Section {
            number: self.sections.len() + 1,
            name: &name,
            error: error.as_deref(),
            length: time(report.duration.unwrap_or(0.0)),
            matches: &matches,
        };
        self.sections.push(match matches.is_empty() {
            true => String::new(),
            false => section.render().unwrap_or_else(|error| error.to_string()),
        });
        self.entries.push(Entry { name, found, error });
    }

    /// The page as HTML.
    pub fn render(&self) -> String {
        let matched = self.entries.iter().filter(|e| !e.found.is_empty()).count();
        let failed = self.entries.iter().filter(|e| e.error.is_some()).count();
        let queries = count(self.entries.len(), "query", "queries");
        let whole = Whole {
            title: match (&self.entries[..], matched) {
                ([one], 1) => format!("What {} holds", one.name),
                _ => format!("What {queries} hold"),
            },
            about: &self.about,
            limit: format!("{:e}", self.about.limit),
            version: env!("CARGO_PKG_VERSION"),
            entries: &self.entries,
            matched,
            failed,
            nothing: self
                .entries
                .iter()
                .filter(|e| e.found.is_empty() && e.error.is_none())
                .count(),
            sections: &self.sections,
        };
        whole.render().unwrap_or_else(|error| error.to_string())
    }
}
