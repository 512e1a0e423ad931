//! A worker's own life.

use super::confine::confine;
use super::{Answer, Task, WORKER};
use likeness::core::Fingerprint;
use likeness::{ExtractOptions, FingerprintError, Limits, fingerprint_file};
use std::io::{self, Write};
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;

/// Standard input as a file that can be opened several times, each with its own position.
pub(super) const INPUT: &str = "/proc/self/fd/0";

/// Does a worker's work and returns its exit status, if this process was started as a worker.
/// To be called first of all in every program that runs the service.
pub fn become_worker_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != WORKER {
        return None;
    }
    let task = arguments.next().unwrap_or_default();
    Some(match work(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("decode worker: {error}");
            ExitCode::from(2)
        }
    })
}

fn work(task: &str) -> io::Result<()> {
    let task: Task = serde_json::from_str(task)?;
    confine(&task)?;
    // Sound and picture side by side.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2);
    threads.build_global().map_err(io::Error::other)?;
    let outcome = catch_unwind(|| fingerprint(&task))
        .unwrap_or_else(|_| Err(FingerprintError::Fault { path: INPUT.into() }));
    let (answer, bytes) = match outcome {
        Ok((fingerprint, truncated)) => (Answer::Done { truncated }, fingerprint.encode()),
        Err(error) => {
            let (code, message) = (error.code().to_owned(), error.to_string());
            (Answer::Failed { code, message }, Vec::new())
        }
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &answer)?;
    out.write_all(b"\n")?;
    out.write_all(&bytes)?;
    out.flush()
}

fn fingerprint(task: &Task) -> Result<(Fingerprint, Option<String>), FingerprintError> {
    let options = ExtractOptions {
        audio: task.audio,
        video: task.video,
        limits: Limits {
            max_duration_s: task.media_s,
            max_pixels: task.pixels,
            timeout: crate::settings::seconds(task.wall_s),
            ..Limits::default()
        },
        decoder_threads: 1,
    };
    let extracted = fingerprint_file(Path::new(INPUT), task.density(), &options, &|_| {})?;
    Ok((extracted.fingerprint, extracted.truncated))
}
