//! What each source gave, on disk as soon as it is known, so that hours of comparing can be broken
//! off and gone on with.

use super::negatives::Trial;
use crate::truth::{self, Lines};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

/// One line: a source by its name, and all its trials.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Given {
    source: String,
    trials: Vec<Trial>,
}

/// The file of all lines so far.
pub(super) struct Record {
    lines: Mutex<Lines>,
    known: HashMap<String, Vec<Trial>>,
}

impl Record {
    /// A new record in a folder; with `resume`, the one that is there already, which must have been
    /// made with the same `settings`.
    pub(super) fn open(folder: &Path, settings: &str, resume: bool) -> Result<Record> {
        let (path, told) = (folder.join("trials.jsonl"), folder.join("settings.txt"));
        let known = match resume && path.exists() {
            true => {
                let former = std::fs::read_to_string(&told)
                    .with_context(|| format!("reading {}", told.display()))?;
                ensure!(
                    former == settings,
                    "{} was made with other settings",
                    path.display()
                );
                whole_lines(&path)?
            }
            false => Vec::new(),
        };
        std::fs::write(&told, settings).with_context(|| format!("writing {}", told.display()))?;
        let new = path.with_extension("new");
        truth::save(&new, &known)?;
        std::fs::rename(&new, &path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Record {
            lines: Mutex::new(Lines::append(&path)?),
            known: known.into_iter().map(|g| (g.source, g.trials)).collect(),
        })
    }

    /// What a source gave, if it has been asked.
    pub(super) fn known(&self, source: &str) -> Option<&[Trial]> {
        self.known.get(source).map(Vec::as_slice)
    }

    /// Keeps what a source gave.
    pub(super) fn keep(&self, source: String, trials: Vec<Trial>) -> Result<Vec<Trial>> {
        let given = Given { source, trials };
        let mut lines = self
            .lines
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        lines.write(&given)?;
        Ok(given.trials)
    }
}

/// All lines but a last one that was broken off.
fn whole_lines(path: &Path) -> Result<Vec<Given>> {
    let what = || format!("reading {}", path.display());
    let text = std::fs::read_to_string(path).with_context(what)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let given = whole.lines().map(serde_json::from_str);
    given.collect::<Result<_, _>>().with_context(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_broken_off_record_is_gone_on_with() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let open = |settings, resume| Record::open(folder.path(), settings, resume);
        let record = open("a", false).expect("it can be written");
        record.keep("one".to_owned(), Vec::new()).expect("kept");
        let path = folder.path().join("trials.jsonl");
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .expect("there");
        file.write_all(b"{\"source\":\"tw").expect("written");
        let check = |settings, resume, known: Option<bool>| {
            let record = open(settings, resume).ok();
            let found = record.map(|r| r.known("one").is_some() && r.known("tw").is_none());
            assert_eq!(found, known, "{settings} {resume}");
        };
        check("b", true, None);
        check("a", true, Some(true));
        check("a", false, Some(false));
    }
}
