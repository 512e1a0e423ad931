//! The table of sizes.

use super::measure::{Beside, Point};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Writes `folder`/scale.json and scale.md; returns the latter.
pub(super) fn write(points: &[Point], folder: &Path) -> Result<String> {
    let text = markdown(points);
    let json = serde_json::to_string_pretty(points)?;
    for (name, content) in [("scale.json", &json), ("scale.md", &text)] {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(text)
}

/// Takes a line of the table: its name, and what it says of each point.
type Line<'a> = &'a mut dyn FnMut(&str, &dyn Fn(&Point) -> String);

/// The store beside the directory, by the clock.
fn beside(line: Line<'_>) {
    let rate = |p: &Point, place: usize| {
        let ingest = p
            .ingest
            .as_ref()
            .filter(|i| i.wall[place] > 0.0 && i.works > 0);
        let share = |i: &super::Ingest| i.works as f64 / p.references as f64;
        let millions = p.postings as f64 / 1e6;
        ingest.map_or(String::new(), |i| {
            format!("{:.2}", millions * share(i) / i.wall[place])
        })
    };
    line("adding, million postings a s", &|p| rate(p, 0));
    line("... store", &|p| rate(p, 1));
    let bytes = |p: &Point, bytes: u64| {
        let fingerprints = p.fingerprint_bytes.min(bytes);
        format!("{:.1}", (bytes - fingerprints) as f64 / p.postings as f64)
    };
    line("bytes a posting, fingerprints not counted", &|p| {
        bytes(p, p.bytes)
    });
    let of = |p: &Point, value: &dyn Fn(&Beside) -> String| {
        p.beside.as_ref().map_or(String::new(), value)
    };
    line("... store", &|p| of(p, &|b| bytes(p, b.bytes)));
    line("... store, opening, s", &|p| {
        of(p, &|b| format!("{:.2}", b.open))
    });
    for (i, name) in ["p50", "p95", "p99"].iter().enumerate() {
        line(&format!("look-up {name}, ms"), &|p| {
            format!("{:.0}", p.wall[i] * 1e3)
        });
        line("... store", &|p| {
            of(p, &|b| format!("{:.0}", b.wall[i] * 1e3))
        });
    }
    line("the same report from the store", &|p| {
        of(p, &|b| format!("{} of {}", b.same, b.same + b.others.len()))
    });
}

fn markdown(points: &[Point]) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &dyn Fn(&Point) -> String| {
        let cells: Vec<String> = points.iter().map(value).collect();
        let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
    };
    line("hours", &|p| format!("{:.0}", p.hours));
    line("---", &|_| "---".to_owned());
    line("references", &|p| p.references.to_string());
    line("runs", &|p| p.runs.to_string());
    line("postings, millions", &|p| {
        format!("{:.1}", p.postings as f64 / 1e6)
    });
    line("MB", &|p| format!("{:.0}", p.bytes as f64 / 1e6));
    line("MB an hour", &|p| {
        format!("{:.2}", p.bytes as f64 / 1e6 / p.hours)
    });
    line("of them fingerprints", &|p| {
        format!("{:.2}", p.fingerprint_bytes as f64 / 1e6 / p.hours)
    });
    let adding = |p: &Point| {
        let each = |i: &super::Ingest| i.cpu / i.works.max(1) as f64;
        p.ingest.as_ref().map(|i| each(i) * p.references as f64)
    };
    line("adding, CPU s per hour", &|p| {
        adding(p).map_or(String::new(), |cpu| format!("{:.3}", cpu / p.hours))
    });
    line("adding, million postings a CPU s", &|p| {
        let rate = |cpu| format!("{:.1}", p.postings as f64 / 1e6 / cpu);
        adding(p).map_or(String::new(), rate)
    });
    line("posting budget, millions", &|p| match p.budget {
        None => "its own".to_owned(),
        Some(u64::MAX) => "none".to_owned(),
        Some(budget) => (budget as f64 / 1e6).to_string(),
    });
    line("opening, s", &|p| format!("{:.3}", p.open_wall));
    line("resident, MB", &|p| {
        format!("{:.0}", p.resident as f64 / 1e6)
    });
    line("of it no mapped file", &|p| {
        format!("{:.0}", p.anonymous as f64 / 1e6)
    });
    for (i, name) in ["p50", "p95", "p99"].iter().enumerate() {
        line(&format!("look-up {name}, ms CPU"), &|p| {
            format!("{:.0}", p.cpu[i] * 1e3)
        });
    }
    if points.iter().any(|p| p.beside.is_some()) {
        beside(&mut line);
    }
    let rows: BTreeSet<&String> = points.iter().flat_map(|p| p.rows.keys()).collect();
    for row in rows {
        line(row, &|p| {
            let found = p.rows.get(row);
            found.map_or(String::new(), |(found, all)| format!("{found}/{all}"))
        });
    }
    line("all copies", &|p| {
        let sum = |which: fn(&(usize, usize)) -> usize| p.rows.values().map(which).sum::<usize>();
        format!("{}/{}", sum(|row| row.0), sum(|row| row.1))
    });
    line("unrelated queries", &|p| p.unrelated.to_string());
    line("false matches", &|p| p.false_matches.len().to_string());
    out
}
