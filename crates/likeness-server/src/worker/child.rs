//! A worker's own life.

use super::confine::{close_other_files, confine};
use super::forkserver::{Job, fork_workers};
use super::{Answer, FORK_SERVER, LiveTask, Task};
use likeness::{
    ExtractOptions, FingerprintError, FollowOptions, Limits, Look, MediaError, fingerprint_file,
    follow,
};
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    Some(match fork_workers() {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(job)) => leave(work(job)),
        Err(error) => {
            eprintln!("fork server: {error}");
            ExitCode::from(2)
        }
    })
}

/// Ends a worker at once: what a hundred libraries do when a program ends is of no use to it, and
/// would be a good part of the cost of a short file.
fn leave(done: io::Result<()>) -> ! {
    let status = match done {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("decode worker: {error}");
            2
        }
    };
    // SAFETY: the answer has been written, and nothing else of this process is needed.
    unsafe { libc::_exit(status) }
}

fn work(job: Job) -> io::Result<()> {
    let task = job.take_files()?;
    let closed = close_other_files();
    if let Some((program, arguments)) = task.command.split_first() {
        return Err(Command::new(program).args(arguments).exec());
    }
    if task.require_sandbox {
        closed?;
    }
    confine(&task)?;
    // Sound and picture side by side.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2);
    threads.build_global().map_err(io::Error::other)?;
    let worked = catch_unwind(AssertUnwindSafe(|| match task.live {
        Some(live) => follow_stream(&task, live),
        None => fingerprint(&task),
    }));
    let (answer, bytes) = worked
        .unwrap_or_else(|_| Err(FingerprintError::Fault { path: INPUT.into() }))
        .unwrap_or_else(|error| {
            let (code, message) = (error.code().to_owned(), error.to_string());
            (Answer::Failed { code, message }, Vec::new())
        });
    tell(&answer, &bytes)
}

fn tell(answer: &Answer, bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    out.write_all(b"\n")?;
    out.write_all(bytes)?;
    out.flush()
}

fn fingerprint(task: &Task) -> Result<(Answer, Vec<u8>), FingerprintError> {
    let options = ExtractOptions {
        audio: task.audio,
        video: task.video,
        limits: Limits {
            max_duration_s: task.media_s,
            max_pixels: task.pixels,
            max_frames: task.frames,
            timeout: crate::settings::seconds(task.wall_s),
            ..Limits::default()
        },
        decoder_threads: 1,
    };
    let extracted = fingerprint_file(Path::new(INPUT), task.density(), &options, &|_| {})?;
    let truncated = extracted.truncated;
    Ok((Answer::Done { truncated }, extracted.fingerprint.encode()))
}

fn follow_stream(task: &Task, live: LiveTask) -> Result<(Answer, Vec<u8>), FingerprintError> {
    let options = FollowOptions {
        audio: task.audio,
        video: task.video,
        window_s: live.window_s,
        hop_s: live.hop_s,
        max_pixels: task.pixels,
    };
    let name = Path::new(INPUT);
    let unreadable = |source| MediaError::Unreadable {
        path: name.into(),
        source,
    };
    let stream = io::stdin().as_fd().try_clone_to_owned();
    let stream = File::from(stream.map_err(unreadable)?);
    follow(stream, name, &options, &|Look { start, fingerprint }| {
        let encoded = fingerprint.encode();
        let bytes = encoded.len() as u64;
        match tell(&Answer::Look { start, bytes }, &encoded) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    Ok((Answer::Ended, Vec::new()))
}
