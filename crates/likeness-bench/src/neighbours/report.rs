//! The tables of ways.

use super::measure::Row;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// All ways to search for items of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) kind: &'static str,
    /// What was asked, of what.
    pub(super) about: String,
    pub(super) rows: Vec<Row>,
}

/// Writes `folder`/neighbours.json and neighbours.md; returns the latter.
pub(super) fn write(tables: &[Table], folder: &Path) -> Result<String> {
    let text = markdown(tables);
    let json = serde_json::to_string_pretty(tables)?;
    for (name, content) in [("neighbours.json", &json), ("neighbours.md", &text)] {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(text)
}

fn markdown(tables: &[Table]) -> String {
    let mut out = crate::report::machine() + "\n";
    for table in tables {
        let _ = write!(out, "\n{}: {}\n\n{HEAD}", table.kind, table.about);
        for row in &table.rows {
            let [recall, first] = row.recall.map(|share| format!("{:.1} %", share * 100.0));
            let [p50, p95] = row.latency.map(|seconds| seconds * 1e6);
            let _ = writeln!(
                out,
                "| {} | {} | {recall} | {first} | {p50:.1} | {p95:.1} | {:.1} | {:.2} | {} |",
                row.items,
                row.way,
                row.memory as f64 / 1e6,
                row.build,
                if row.repeats { "yes" } else { "no" },
            );
        }
    }
    out
}

const HEAD: &str = "\
| items | way | neighbours found | nearest found | p50, us CPU | p95 | MB | build, CPU s | same when built twice |
|---|---|---|---|---|---|---|---|---|
";
