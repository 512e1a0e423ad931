//! A writer is killed at random moments. Whatever it reported as done must be there afterwards.
//!
//! The writer is this test program itself, started again with [`VARIABLE`] set.

// Helpers outside of test functions fail by panicking, too.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use likeness_core::Stretches;
use likeness_index::{IndexWriter, Snapshot, Store, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const VARIABLE: &str = "LIKENESS_CRASH_TEST_LIBRARY";
const KILLS: u32 = 300;

/// The writer: goes on from what it finds, tells what it will do and what it has done.
#[test]
fn child() {
    let Ok(library) = std::env::var(VARIABLE) else {
        return;
    };
    let say = |word: &str, n: u32| {
        println!("{word} {n}");
        std::io::stdout().flush().unwrap();
    };
    let mut writer = IndexWriter::open_or_create(Path::new(&library), &EXTRACTORS).unwrap();
    let mut n = 1 + writer.entries().map(|e| e.added as u32).max().unwrap_or(0);
    loop {
        say("adding", n);
        writer
            .commit(vec![reference(&n.to_string(), n), reference("latest", n)])
            .unwrap();
        say("added", n);
        let mut stretches = Stretches::default();
        stretches.insert(0.0, 1.0);
        writer.exclude(&n.to_string(), stretches).unwrap();
        say("excluded", n);
        writer.tidy().unwrap();
        if n.is_multiple_of(5) {
            say("removing", n - 1);
            writer.remove(&[(n - 1).to_string().as_str()]).unwrap();
            say("removed", n - 1);
        }
        if n.is_multiple_of(7) {
            // Another library's reference takes this one's place, with the next content.
            n += 1;
            let other = tempfile::tempdir().unwrap();
            let mut there = IndexWriter::open_or_create(other.path(), &EXTRACTORS).unwrap();
            there
                .commit(vec![reference(&n.to_string(), n), reference("latest", n)])
                .unwrap();
            let there = Snapshot::open(other.path(), &EXTRACTORS).unwrap();
            say("adding", n);
            writer.import(&there, &|_| true).unwrap();
            say("added", n);
        }
        if n.is_multiple_of(37) {
            writer.compact().unwrap();
        }
        n += 1;
    }
}

/// Kills the writer when it is dropped, too: a failing test must not leave it behind.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(library: &Path) -> Writer {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture"]);
    command.env(VARIABLE, library).stdout(Stdio::piped());
    Writer(command.spawn().unwrap())
}

/// Lets a writer run for a while, kills it, and returns what it said.
fn run_and_kill(library: &Path, time: Duration) -> Vec<(String, u32)> {
    let mut writer = start(library);
    let output = BufReader::new(writer.0.stdout.take().unwrap());
    std::thread::sleep(time);
    writer.0.kill().unwrap();
    let lines = output.lines().map_while(Result::ok);
    let said = lines.filter_map(|line| {
        let (word, n) = line.split_once(' ')?;
        Some((word.to_owned(), n.parse().ok()?))
    });
    said.collect()
}

/// What the library must hold, and the one step that may or may not have happened.
#[derive(Default)]
struct Expected {
    model: BTreeMap<String, u32>,
    pending: Option<(String, u32)>,
    excluded: BTreeSet<u32>,
}

impl Expected {
    fn hear(&mut self, word: &str, n: u32) {
        match word {
            "adding" | "removing" => self.pending = Some((word.to_owned(), n)),
            "added" | "removed" => {
                self.pending = None;
                step(&mut self.model, word, n);
            }
            "excluded" => {
                self.excluded.insert(n);
            }
            _ => {}
        }
    }

    /// Settles what is pending by looking, then checks everything.
    fn check(&mut self, library: &Path) {
        let snapshot = Snapshot::open(library, &EXTRACTORS).unwrap();
        if let Some((word, n)) = self.pending.take() {
            let there = snapshot.entries().any(|e| e.identifier == n.to_string());
            if there == (word == "adding") {
                step(&mut self.model, &word, n);
            }
        }
        assert_snapshot_holds(&snapshot, &self.model);
        for entry in snapshot.entries().filter(|e| e.identifier != "latest") {
            let told = self.excluded.contains(&(entry.added as u32));
            assert!(!told || snapshot.excluded(entry.id).is_some(), "{entry:?}");
        }
        for check in verify(library).unwrap() {
            assert!(check.error.is_none(), "{check:?}");
        }
    }
}

fn step(model: &mut BTreeMap<String, u32>, word: &str, n: u32) {
    if word.starts_with("add") {
        model.insert(n.to_string(), n);
        model.insert("latest".to_owned(), n);
    } else {
        model.remove(&n.to_string());
    }
}

#[test]
fn killing_the_writer_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library");
    let mut expected = Expected::default();
    for kill in 0..KILLS {
        // From before its first file to many commits and merges, at no particular phase.
        let time = Duration::from_micros(u64::from(kill * 7919 % 307) * 500);
        for (word, n) in run_and_kill(&library, time) {
            expected.hear(&word, n);
        }
        if library.join("manifest").exists() {
            expected.check(&library);
        } else {
            assert!(expected.model.is_empty());
        }
    }
    // Even on a busy machine it got somewhere between the kills.
    assert!(expected.model.len() > 20, "{}", expected.model.len());
}
