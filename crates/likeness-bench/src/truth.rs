//! What each query is: one line of `truth.jsonl`.

use crate::corpus::{Kind, Work};
use anyhow::{Context, Result, ensure};
use likeness_distort::Truth;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// A query and its truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Query {
    /// The query's file name.
    pub(crate) query: String,
    /// Of that file, to see whether two runs had the same queries.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) sha256: String,
    /// The row of the table that it counts in.
    pub(crate) row: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strength: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bar: Option<f64>,
    /// The work it was cut from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) class: String,
    /// References that are this work; empty when nothing may be found.
    #[serde(default)]
    pub(crate) same_work: Vec<String>,
    /// A copy that somebody else made: to be found, but nobody knows which stretch shows what.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) variant: bool,
    /// Where the source shows, for each medium; empty when nothing may be found, or nobody knows.
    #[serde(default)]
    pub(crate) truths: Vec<Truth>,
}

impl Query {
    pub(crate) fn new(file: &Path, row: &str, source: Option<&Work>, truths: Vec<Truth>) -> Query {
        Query {
            query: file_name(file),
            sha256: String::new(),
            row: row.to_owned(),
            family: None,
            strength: None,
            bar: None,
            source: source.map(Work::identifier),
            class: source.map(class).unwrap_or_default(),
            same_work: Vec::new(),
            variant: false,
            truths,
        }
    }
}

#[cfg(test)]
impl Query {
    /// A copy of one second, for tests to which the rest is all the same.
    pub(crate) fn copied(name: &str, row: &str, media: likeness_core::report::Media) -> Query {
        let truth = Truth {
            media,
            query_start: 0.0,
            query_end: 1.0,
            reference_start: 0.0,
            speed: 1.0,
            pitch_semitones: None,
            placement: None,
            kinds: Vec::new(),
            lenient: Vec::new(),
        };
        Query::new(name.as_ref(), row, None, vec![truth])
    }
}

/// Reads JSON lines of which each has a name of its own.
pub(crate) fn load_named<T: serde::de::DeserializeOwned>(
    path: &Path,
    name: impl Fn(&T) -> &str,
) -> Result<Vec<T>> {
    let lines = load(path)?;
    let mut seen = BTreeSet::new();
    for line in &lines {
        let name = name(line);
        ensure!(
            seen.insert(name),
            "{}: {name} is there twice",
            path.display()
        );
    }
    Ok(lines)
}

/// A work's class; speech is one whatever the corpus calls it.
fn class(work: &Work) -> String {
    match work.kind {
        Kind::Speech => "speech".to_owned(),
        _ => work.class.clone(),
    }
}

/// The last part of a path, by which reports and truth are brought together.
pub(crate) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// A file of JSON lines, each on disk as soon as it is written.
pub(crate) struct Lines {
    file: File,
    path: PathBuf,
}

impl Lines {
    pub(crate) fn create(path: &Path) -> Result<Lines> {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Lines {
            file,
            path: path.to_owned(),
        })
    }

    /// Goes on with a file that is there.
    pub(crate) fn append(path: &Path) -> Result<Lines> {
        let file = File::options().append(true).open(path);
        Ok(Lines {
            file: file.with_context(|| format!("writing {}", path.display()))?,
            path: path.to_owned(),
        })
    }

    pub(crate) fn write<T: Serialize>(&mut self, value: &T) -> Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

/// Writes one JSON line each.
pub(crate) fn save<T: Serialize>(path: &Path, values: &[T]) -> Result<()> {
    let mut lines = Lines::create(path)?;
    values.iter().try_for_each(|value| lines.write(value))
}

/// Reads one JSON line each.
pub(crate) fn load<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let mut lines = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let what = || format!("{} line {}", path.display(), number + 1);
        let line = line.with_context(what)?;
        if !line.trim().is_empty() {
            lines.push(serde_json::from_str(&line).with_context(what)?);
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_twice_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("lines.jsonl");
        let check = |lines: &str, fine: bool| {
            std::fs::write(&path, lines).expect("it can be written");
            let read = load_named(&path, |name: &String| name.as_str());
            assert_eq!(read.is_ok(), fine, "{lines}");
        };
        check("\"a\"\n\"b\"\n", true);
        check("\"a\"\n\"b\"\n\"a\"\n", false);
    }
}
