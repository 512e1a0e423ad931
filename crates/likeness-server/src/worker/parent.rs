//! The service's side of a worker.

use super::child::INPUT;
use super::{Answer, Task, WORKER};
use likeness::core::Fingerprint;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, Command};
use tokio::runtime::Handle;

/// Most bytes of a worker's complaints that are logged.
const MAX_COMPLAINT: u64 = 8 << 10;

/// What a worker made of a file.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) fingerprint: Fingerprint,
    /// Why the rest of the file is missing, if it is.
    pub(crate) truncated: Option<String>,
}

/// Why a file has no fingerprint.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Nothing of the file can be used; says why.
    #[error("{message}")]
    File { code: String, message: String },
    /// It costs more than a file may.
    #[error("decoding takes more than {0}")]
    TooCostly(String),
    /// It brought out a fault of a decoder.
    #[error("the decoder ended with {0}")]
    Crashed(String),
    /// Not the file's fault.
    #[error("no decoder: {0}")]
    NoWorker(#[from] io::Error),
}

/// A worker that is killed, and whose end is taken note of, when it is let go. Tokio's own
/// `kill_on_drop` may leave a zombie: it looks for the dead once, at times before they have died.
struct Leash(Option<Child>);

impl Leash {
    async fn wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.0 {
            Some(worker) => worker.wait().await.map(Some),
            None => Ok(None),
        }
    }

    /// Ends the worker if it has not ended.
    async fn end(mut self) -> io::Result<()> {
        match self.0.take() {
            Some(mut worker) => worker.kill().await,
            None => Ok(()),
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // Where no runtime is left, the service ends, and a worker ends with the service.
        if let (Some(mut worker), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move { worker.kill().await });
        }
    }
}

/// Has a worker decode `file`, which error messages call `name`. `command` runs in place of this
/// program if it is not empty. Dropping the future kills the worker.
pub(crate) async fn decode(
    command: &[String],
    task: &Task,
    file: &File,
    name: &str,
    max_result: u64,
) -> Result<Decoded, Failure> {
    let mut worker = command_line(command, task)?
        .stdin(read_only(file)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (stdout, stderr) = (worker.stdout.take(), worker.stderr.take());
    let mut leash = Leash(Some(worker));
    let work = async {
        let (out, complaint) = tokio::join!(read(stdout, max_result), complaints(stderr));
        let (out, complaint) = (out?, complaint?);
        if out.len() as u64 == max_result {
            return Ok((None, out, complaint));
        }
        Ok::<_, io::Error>((leash.wait().await?, out, complaint))
    };
    let limit = crate::settings::seconds(task.wall_s);
    let ended = tokio::time::timeout(limit, work).await;
    leash.end().await?;
    let Ok(ended) = ended else {
        return Err(Failure::TooCostly(format!("{} s", task.wall_s)));
    };
    let (status, out, complaint) = ended?;
    if !complaint.is_empty() {
        tracing::debug!(worker = %String::from_utf8_lossy(&complaint).trim_end());
    }
    match status {
        None => Err(Failure::TooCostly(format!("{max_result} bytes of result"))),
        Some(status) if status.success() => parse(out, name).await,
        Some(status) => Err(failed(status, task)),
    }
}

fn command_line(command: &[String], task: &Task) -> io::Result<Command> {
    let mut line = match command.split_first() {
        Some((program, arguments)) => {
            let mut line = Command::new(program);
            line.args(arguments);
            line
        }
        None => Command::new(std::env::current_exe()?),
    };
    // No variable of the service, which may hold secrets, is the worker's business. Threads'
    // own heaps would count against the limit of memory though they stay empty.
    line.env_clear().env("MALLOC_ARENA_MAX", "2");
    line.arg(WORKER).arg(serde_json::to_string(task)?);
    Ok(line)
}

/// The same file with a position of its own, for reading only.
pub(crate) fn read_only(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

async fn read(from: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The first of what a worker complains of. The rest is thrown away, not refused: whoever
/// complains at length may still do its work.
async fn complaints(from: Option<ChildStderr>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        (&mut from)
            .take(MAX_COMPLAINT)
            .read_to_end(&mut bytes)
            .await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

async fn parse(out: Vec<u8>, name: &str) -> Result<Decoded, Failure> {
    let garbled = || Failure::Crashed("an answer that makes no sense".to_owned());
    let end = out.iter().position(|b| *b == b'\n').ok_or_else(garbled)?;
    match serde_json::from_slice(&out[..end]).map_err(|_| garbled())? {
        Answer::Failed { code, message } => {
            let message = message.replace(INPUT, name);
            Err(Failure::File { code, message })
        }
        Answer::Done { truncated } => {
            let decoding =
                tokio::task::spawn_blocking(move || Fingerprint::decode(&out[end + 1..]));
            let fingerprint = decoding.await.map_err(|_| garbled())?;
            Ok(Decoded {
                fingerprint: fingerprint.map_err(|_| garbled())?,
                truncated: truncated.map(|reason| reason.replace(INPUT, name)),
            })
        }
    }
}

fn failed(status: ExitStatus, task: &Task) -> Failure {
    match status.signal() {
        Some(libc::SIGXCPU) => Failure::TooCostly(format!("{} s of processor time", task.cpu_s)),
        Some(libc::SIGABRT) => {
            let mib = task.memory >> 20;
            Failure::Crashed(format!(
                "a fault, or for want of more than {mib} MiB of memory"
            ))
        }
        Some(signal) => Failure::Crashed(format!("signal {signal}")),
        None => Failure::Crashed(status.to_string()),
    }
}
