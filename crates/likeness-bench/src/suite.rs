//! Suites: which disguises are tried on how many works.

use crate::corpus::Kind;
use anyhow::{Context, Result, ensure};
use likeness_distort::{AudioStep, Encoding, Recipe, VideoStep};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Suites that come with the harness.
const BUILT_IN: [(&str, &str); 9] = [
    ("main", include_str!("../../../datasets/suites/main.toml")),
    ("gate", include_str!("../../../datasets/suites/gate.toml")),
    ("audio", include_str!("../../../datasets/suites/audio.toml")),
    ("short", include_str!("../../../datasets/suites/short.toml")),
    ("video", include_str!("../../../datasets/suites/video.toml")),
    ("both", include_str!("../../../datasets/suites/both.toml")),
    ("full", include_str!("../../../datasets/suites/full.toml")),
    ("scale", include_str!("../../../datasets/suites/scale.toml")),
    (
        "scale-video",
        include_str!("../../../datasets/suites/scale-video.toml"),
    ),
];

/// A benchmark: rows of disguises and the works to try them on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suite {
    pub(crate) name: String,
    /// Everything drawn by lot follows from it.
    pub(crate) seed: u64,
    /// Seconds of the copied stretch in a query.
    pub(crate) seconds: f64,
    /// Queries of each row that does not say otherwise.
    pub(crate) queries: usize,
    /// Suites whose rows come first, each row with as many queries as it has there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) include: Vec<String>,
    /// Works of these packages only; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) packages: Vec<String>,
    #[serde(default)]
    pub(crate) references: Amount,
    #[serde(default)]
    pub(crate) negatives: Amount,
    /// Queries are cut from references whose files are no larger than this: a giant in the library
    /// costs little, a dozen disguises of it cost minutes.
    #[serde(default = "no_limit", skip_serializing_if = "is_no_limit")]
    pub(crate) max_source_bytes: u64,
    #[serde(rename = "row", default)]
    pub(crate) rows: Vec<Row>,
}

fn no_limit() -> u64 {
    u64::MAX
}

fn is_no_limit(bytes: &u64) -> bool {
    *bytes == no_limit()
}

/// How many works of each kind at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Amount {
    pub(crate) music: usize,
    pub(crate) video: usize,
    /// Spoken works; none unless asked for. The corpus has them to be mixed into queries: those that
    /// are references are not mixed in.
    pub(crate) speech: usize,
    /// Queries of drawn pictures: slideshows, grain, black, test cards (negatives only).
    pub(crate) generated: usize,
    /// Longer works are left out.
    pub(crate) max_seconds: f64,
    /// Larger files are left out.
    pub(crate) max_bytes: u64,
}

impl Default for Amount {
    fn default() -> Amount {
        Amount {
            music: usize::MAX,
            video: usize::MAX,
            speech: 0,
            generated: 0,
            max_seconds: f64::INFINITY,
            max_bytes: 100_000_000,
        }
    }
}

/// One disguise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Rows of one family lie on one curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) family: Option<String>,
    /// Where on the curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strength: Option<f64>,
    /// The least recall that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bar: Option<f64>,
    /// Instead of the suite's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// Instead of the suite's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queries: Option<usize>,
    /// The kind of work that is disguised; video for rows with a picture and music for the others
    /// unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audio: Option<Vec<AudioStep>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) video: Option<Vec<VideoStep>>,
    #[serde(default)]
    pub(crate) encode: Encoding,
}

impl Row {
    pub(crate) fn kind(&self) -> Kind {
        let usual = match self.video {
            Some(_) => Kind::Video,
            None => Kind::Music,
        };
        self.source.unwrap_or(usual)
    }

    pub(crate) fn recipe(&self) -> Recipe {
        Recipe {
            audio: self.audio.clone(),
            video: self.video.clone(),
            encode: self.encode.clone(),
        }
    }
}

impl Suite {
    /// Whether a work of this package may be used.
    pub(crate) fn uses(&self, package: &str) -> bool {
        self.packages.is_empty() || self.packages.iter().any(|used| used == package)
    }

    /// A built-in suite by name, or one from a TOML file, with the rows of those that it includes.
    pub(crate) fn load(name: &str) -> Result<Suite> {
        let mut suite = Suite::read(name)?;
        let mut rows = Vec::new();
        for included in &suite.include {
            let other = Suite::read(included)?;
            ensure!(
                other.include.is_empty(),
                "suite {name} includes {included}, which includes others itself"
            );
            rows.extend(other.rows.into_iter().map(|row| Row {
                queries: row.queries.or(Some(other.queries)),
                seconds: row.seconds.or(Some(other.seconds)),
                ..row
            }));
        }
        rows.append(&mut suite.rows);
        suite.rows = rows;
        for row in &suite.rows {
            ensure!(
                row.audio.is_some() || row.video.is_some(),
                "suite {name}: row {:?} has neither audio nor video",
                row.name
            );
        }
        Ok(suite)
    }

    fn read(name: &str) -> Result<Suite> {
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        let text = match built_in {
            Some((_, text)) => (*text).to_owned(),
            None => std::fs::read_to_string(Path::new(name)).with_context(|| {
                let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                format!(
                    "suite {name} is neither a file nor one of {}",
                    names.join(", ")
                )
            })?,
        };
        toml::from_str(&text).with_context(|| format!("suite {name}"))
    }

    /// Queries of a row.
    pub(crate) fn queries(&self, row: &Row) -> usize {
        row.queries.unwrap_or(self.queries)
    }

    /// Gives every row this many queries.
    pub(crate) fn set_queries(&mut self, queries: usize) {
        self.queries = queries;
        self.rows
            .iter_mut()
            .for_each(|row| row.queries = Some(queries));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_built_in_suites_are_valid_and_their_rows_differ() {
        for (name, _) in BUILT_IN {
            let suite = Suite::load(name).expect(name);
            assert_eq!(suite.name, name);
            let names: BTreeSet<&str> = suite.rows.iter().map(|r| r.name.as_str()).collect();
            assert_eq!(names.len(), suite.rows.len(), "{name} repeats a row");
        }
    }

    #[test]
    fn a_suite_takes_the_rows_of_those_it_includes_with_their_queries() {
        let full = Suite::load("full").expect("full");
        for name in ["audio", "video", "both"] {
            let part = Suite::load(name).expect(name);
            for row in &part.rows {
                let same = |other: &&Row| other.name == row.name;
                let taken = full.rows.iter().find(same).expect(&row.name);
                assert_eq!(taken.recipe(), row.recipe());
                assert_eq!(full.queries(taken), part.queries(row), "{}", row.name);
                let seconds = |suite: &Suite, row: &Row| row.seconds.unwrap_or(suite.seconds);
                assert_eq!(seconds(&full, taken), seconds(&part, row), "{}", row.name);
            }
        }
    }

    #[test]
    fn the_number_of_queries_can_be_set_for_all_rows() {
        let mut full = Suite::load("full").expect("full");
        full.set_queries(3);
        assert!(full.rows.iter().all(|row| full.queries(row) == 3));
    }
}
