//! Suites: which disguises are tried on how many works.

use anyhow::{Context, Result, ensure};
use likeness_distort::{AudioStep, Encoding, Recipe, VideoStep};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Suites that come with the harness.
const BUILT_IN: [(&str, &str); 4] = [
    ("main", include_str!("../../../datasets/suites/main.toml")),
    ("gate", include_str!("../../../datasets/suites/gate.toml")),
    ("audio", include_str!("../../../datasets/suites/audio.toml")),
    ("video", include_str!("../../../datasets/suites/video.toml")),
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
    /// Queries of each row.
    pub(crate) queries: usize,
    /// Works of these packages only; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) packages: Vec<String>,
    #[serde(default)]
    pub(crate) references: Amount,
    #[serde(default)]
    pub(crate) negatives: Amount,
    #[serde(rename = "row")]
    pub(crate) rows: Vec<Row>,
}

/// How many works of each kind at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Amount {
    pub(crate) music: usize,
    pub(crate) video: usize,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audio: Option<Vec<AudioStep>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) video: Option<Vec<VideoStep>>,
    #[serde(default)]
    pub(crate) encode: Encoding,
}

impl Row {
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

    /// A built-in suite by name, or one from a TOML file.
    pub(crate) fn load(name: &str) -> Result<Suite> {
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
        let suite: Suite = toml::from_str(&text).with_context(|| format!("suite {name}"))?;
        for row in &suite.rows {
            ensure!(
                row.audio.is_some() || row.video.is_some(),
                "suite {name}: row {:?} has neither audio nor video",
                row.name
            );
        }
        Ok(suite)
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
}
