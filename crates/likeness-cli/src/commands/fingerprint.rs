//! `likeness fingerprint`.

use super::complain;
use super::overwrite::may_overwrite;
use crate::Outcome;
use crate::args::{Fingerprint, Told};
use crate::progress::{Progress, beside_bars};
use crate::text;
use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use likeness::core::{self, Density};
use likeness::{
    ExtractOptions, Input, StoreFingerprintError, Stored, collect_inputs, fingerprint_file,
    fingerprint_whole, path_text, store_fingerprint, write_whole,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Writes dense fingerprints, which serve as queries and as references.
pub(crate) fn fingerprint(args: &Fingerprint, quiet: bool) -> anyhow::Result<Outcome> {
    args.analysis.share_threads()?;
    match (&args.output, &args.paths[..]) {
        (Some(output), [file]) if !file.is_dir() => one(args, file, output, quiet),
        (Some(_), _) => bail!("-o takes one file's fingerprint; for several, use --out"),
        (None, _) => {
            ensure!(
                args.out.is_some() || args.format == Told::Jsonl,
                "where to? -o FILE, --out DIR, or --format jsonl for standard output"
            );
            many(args, quiet)
        }
    }
}

fn one(args: &Fingerprint, file: &Path, output: &Path, quiet: bool) -> anyhow::Result<Outcome> {
    if let (Ok(file), Ok(output)) = (file.canonicalize(), output.canonicalize())
        && file == output
    {
        bail!(
            "{}: would be overwritten by its own fingerprint",
            file.display()
        );
    }
    may_overwrite(output, core::Fingerprint::recognise)?;
    let progress = Progress::new(std::iter::once(file), quiet);
    let extract = args.analysis.extract(1);
    let extracted = fingerprint_file(file, Density::Query, &extract, &|at| {
        progress.advance(0, at.seconds, at.duration);
    })?;
    let bytes = extracted.fingerprint.encode();
    // A link may lead to a file that somebody else holds open, as that of standard output does.
    let written = match output.is_symlink() {
        true => std::fs::write(output, &bytes),
        false => write_whole(output, &bytes),
    };
    written.with_context(|| format!("{}: cannot write", output.display()))?;
    progress.finish(0, &text::bytes(bytes.len() as u64));
    progress.close(&format!("{} written", output.display()));
    match extracted.truncated {
        None => Ok(Outcome::Done),
        Some(reason) => {
            complain(format!("{}: {reason}", file.display()));
            Ok(Outcome::Failures)
        }
    }
}

/// Files by the batch. Nothing is kept of a file that is done, however many come.
fn many(args: &Fingerprint, quiet: bool) -> anyhow::Result<Outcome> {
    let mut failed = 0;
    let mut inputs = Vec::new();
    if !args.stdin {
        let collected = collect_inputs(&args.paths);
        for error in &collected.errors {
            failed += 1;
            tell(args, &json_error(error.path(), error.code(), error))?;
        }
        inputs = collected.inputs;
    }
    let held = |input: &Input| {
        args.shard
            .is_none_or(|shard| shard.holds(&input.identifier))
    };
    inputs.retain(held);
    // Nobody knows how many will come in.
    let progress = Progress::new(inputs.iter().map(|i| i.path.as_path()), quiet || args.stdin);
    let extract = match args.stdin {
        true => args.analysis.extract(usize::MAX),
        false => args.analysis.extract(inputs.len()),
    };
    let source: Box<dyn Iterator<Item = std::io::Result<Input>> + Send> = match args.stdin {
        true => Box::new(from_stdin().filter(|line| line.as_ref().map_or(true, held))),
        false => Box::new(inputs.into_iter().map(Ok)),
    };
    let batch = Batch {
        args,
        extract,
        progress: &progress,
        names: Mutex::default(),
        source: Mutex::new(source.enumerate()),
    };
    failed += batch.run(args.analysis.jobs())?;
    progress.close(&match failed {
        0 => "done".to_owned(),
        _ => format!("{} failed", text::count(failed, "file", "files")),
    });
    match failed == 0 || args.stdin {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::Failures),
    }
}

/// Paths, one a line, as they come. A name is the whole path, so that none comes twice.
fn from_stdin() -> impl Iterator<Item = std::io::Result<Input>> + Send {
    let lines = std::io::BufReader::new(std::io::stdin()).split(b'\n');
    let filled = lines.filter(|line| !line.as_ref().is_ok_and(Vec::is_empty));
    filled.map(|line| Ok(Input::listed(path_of(line?))))
}

fn path_of(line: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(line).into()
}

type Source<'a> =
    std::iter::Enumerate<Box<dyn Iterator<Item = std::io::Result<Input>> + Send + 'a>>;

struct Batch<'a> {
    args: &'a Fingerprint,
    extract: ExtractOptions,
    progress: &'a Progress,
    /// Identifiers met so far, and whose they are.
    names: Mutex<HashMap<String, PathBuf>>,
    source: Mutex<Source<'a>>,
}

impl Batch<'_> {
    /// Works with `jobs` threads and tells of each file as soon as it is done. How many failed.
    fn run(&self, jobs: usize) -> anyhow::Result<usize> {
        thread::scope(|scope| {
            // Few wait, so that memory stays bounded however slowly they are read.
            let (sender, records) = sync_channel::<std::io::Result<Value>>(1);
            for _ in 0..jobs {
                let sender = sender.clone();
                scope.spawn(move || {
                    while let Some(input) = self.next() {
                        let record = input.map(|(index, input)| self.record(index, &input));
                        if sender.send(record).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut failed = 0;
            for record in records {
                let record = record.context("standard input")?;
                failed += usize::from(record["status"] == "error");
                tell(self.args, &record)?;
            }
            Ok(failed)
        })
    }

    fn next(&self) -> Option<std::io::Result<(usize, Input)>> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, input) = source.next()?;
        Some(input.map(|input| (index, input)))
    }

    /// Fingerprints a file; what it came to, for programs.
    fn record(&self, index: usize, input: &Input) -> Value {
        let progress = |at: likeness::Progress| {
            if !self.args.stdin {
                self.progress.advance(index, at.seconds, at.duration);
            }
        };
        let allow = self.args.allow_truncated;
        let made = match &self.args.out {
            Some(folder) => match self.claim(input) {
                None => store_fingerprint(input, folder, &self.extract, allow, &progress)
                    .map(|stored| json_stored(input, &stored)),
                Some(other) => {
                    let message = format!(
                        "{}: would get the same identifier {:?} as {}",
                        input.path.display(),
                        input.identifier,
                        other.display()
                    );
                    return json_error(&input.path, "same_identifier", message);
                }
            },
            None => fingerprint_whole(input, &self.extract, allow, &progress)
                .map(|(fingerprint, truncated)| json_whole(input, &fingerprint, truncated)),
        };
        let record = made.unwrap_or_else(|error: StoreFingerprintError| {
            json_error(&input.path, error.code(), error)
        });
        if !self.args.stdin {
            let outcome = record["status"].as_str().unwrap_or_default();
            self.progress.finish(index, outcome);
        }
        record
    }

    /// Takes an identifier; who has it, if somebody else does.
    fn claim(&self, input: &Input) -> Option<PathBuf> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let first = names
            .entry(input.identifier.clone())
            .or_insert_with(|| input.path.clone());
        (*first != input.path).then(|| first.clone())
    }
}

/// One line on standard output, and errors on standard error.
fn tell(args: &Fingerprint, record: &Value) -> anyhow::Result<()> {
    if let Some(message) = record["error"]["message"].as_str() {
        complain(message);
    }
    let line = match (args.format, record["file"].as_str()) {
        (Told::Jsonl, _) => record.to_string(),
        (Told::Text, Some(file)) => {
            let done = match record["was_there"] {
                Value::Bool(true) => "kept",
                _ => "written",
            };
            text::printable(&format!("{done} {file}")).into_owned()
        }
        (Told::Text, None) => return Ok(()),
    };
    beside_bars(|| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush())
    })?;
    Ok(())
}

fn json_error(path: &Path, code: &str, message: impl ToString) -> Value {
    json!({
        "path": path_text(path),
        "status": "error",
        "error": { "code": code, "message": message.to_string() },
    })
}

fn json_stored(input: &Input, stored: &Stored) -> Value {
    let mut record = json_known(input, &stored.fingerprint, stored.truncated.as_deref());
    record["file"] = json!(path_text(&stored.path));
    record["was_there"] = json!(stored.was_there);
    record
}

fn json_whole(input: &Input, fingerprint: &core::Fingerprint, truncated: Option<String>) -> Value {
    let mut record = json_known(input, fingerprint, truncated.as_deref());
    record["fingerprint"] = json!(BASE64_STANDARD.encode(fingerprint.encode()));
    record
}

fn json_known(input: &Input, fingerprint: &core::Fingerprint, truncated: Option<&str>) -> Value {
    json!({
        "path": path_text(&input.path),
        "identifier": input.identifier,
        "status": "ok",
        "content": text::hex(&fingerprint.content),
        "duration": fingerprint.duration,
        "audio": super::library::state(&fingerprint.audio, "silent"),
        "video": super::library::state(&fingerprint.video, "blank"),
        "truncated": truncated,
    })
}
