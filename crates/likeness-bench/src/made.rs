//! What a folder's queries were made from, so that queries of other settings are never taken for them.

use crate::cast::Cast;
use crate::suite::Suite;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the file that tells it.
const FILE: &str = "made.json";

/// Everything that queries follow from, besides this program itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// Rows, seed, lengths and numbers.
    suite: Suite,
    /// SHA-256 of the names and checksums of all works that play a part.
    works: String,
    /// Version of FFmpeg, whose encoders write the queries.
    ffmpeg: String,
}

impl Made {
    pub(crate) fn of(suite: &Suite, cast: &Cast<'_>) -> Made {
        let mut hash = Sha256::new();
        for work in cast.works() {
            hash.update(format!("{}\t{}\n", work.identifier(), work.sha256));
        }
        let hash = hash.finalize();
        let works = hash.iter().map(|byte| format!("{byte:02x}"));
        Made {
            suite: suite.clone(),
            works: works.collect(),
            ffmpeg: likeness_distort::ffmpeg_version(),
        }
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let path = path(folder);
        fs::write(&path, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Whether the queries of `folder` were made from this. What cannot be read was not.
    pub(crate) fn describes(&self, folder: &Path) -> bool {
        let text = fs::read_to_string(path(folder)).unwrap_or_default();
        serde_json::from_str::<Made>(&text).is_ok_and(|made| made == *self)
    }

    /// Removes queries, truth and what they were made from.
    pub(crate) fn clear(folder: &Path) -> Result<()> {
        let queries = folder.join("queries");
        let gone = |path: PathBuf, result: std::io::Result<()>| match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        };
        gone(path(folder), fs::remove_file(path(folder)))?;
        gone(queries.clone(), fs::remove_dir_all(&queries))
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
