//! A worker's own life.

use super::confine::confine;
use super::forkserver::{Job, fork_workers};
use super::{Answer, FORK_SERVER, Task};
use likeness::core::Fingerprint;
use likeness::{ExtractOptions, FingerprintError, Limits, fingerprint_file};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Standard input as a file that can be opened several times, each with its own position.
pub(super) const INPUT: &str = "/proc/self/fd/0";

/// Forks workers and does a worker's work, and returns the exit status, if this process was started
/// for that. To be called first of all in every program that runs the service.
pub fn become_worker_if_asked() -> Option<ExitCode> {
    if std::env::args().nth(1)? != FORK_SERVER {
        return None;
    }
    let done = fork_workers().and_then(|job| job.map_or(Ok(()), work));
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("decode worker: {error}");
            ExitCode::from(2)
        }
    })
}

fn work(job: Job) -> io::Result<()> {
    let task = job.take_files()?;
    if let Some((program, arguments)) = task.command.split_first() {
        return Err(Command::new(program).args(arguments).exec());
    }
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
