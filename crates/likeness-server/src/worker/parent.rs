//! The service's side of a worker.

use super::child::INPUT;
use super::{Answer, FORK_SERVER, Task};
use crate::passing;
use likeness::core::Fingerprint;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;

/// Most bytes of a worker's complaints that are logged.
const MAX_COMPLAINT: u64 = 8 << 10;

/// How workers get memory. Each is new and soon gone: many small pages, and pages given back and got
/// again, would be a good part of the cost of a short file. More heaps, one for each thread, would
/// count against the limit of memory though they stay empty.
const MEMORY: &str = "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=16777216:\
    glibc.malloc.trim_threshold=1073741824:glibc.malloc.mmap_threshold=1073741824";

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

/// Has files decoded. Workers are forked by one process, which is started when it is first needed
/// and replaced when it is gone.
pub(crate) struct Workers {
    fork_server: Mutex<Option<Arc<OwnedFd>>>,
}

/// What the service holds of a worker. Dropping it kills the worker.
pub(super) struct Worker {
    pub(super) output: Receiver,
    pub(super) complaints: Receiver,
    pub(super) line: Line,
}

/// Tells how a worker ended. Dropping it kills the worker.
pub(super) struct Line(UnixStream);

impl Line {
    /// How the worker ended, once it has.
    pub(super) async fn status(&mut self) -> io::Result<ExitStatus> {
        let mut status = [0; 4];
        self.0.read_exact(&mut status).await?;
        Ok(ExitStatus::from_raw(i32::from_ne_bytes(status)))
    }
}

impl Workers {
    pub(crate) fn new() -> Workers {
        Workers {
            fork_server: Mutex::default(),
        }
    }

    /// Has a worker decode `file`, which error messages call `name`, into at most `max_result`
    /// bytes. Dropping the future kills the worker.
    pub(crate) async fn decode(
        &self,
        task: &Task,
        file: &File,
        name: &str,
        max_result: u64,
    ) -> Result<Decoded, Failure> {
        let mut worker = self.start(task, read_only(file)?.as_fd())?;
        let limit = crate::settings::seconds(task.wall_s);
        let ended = tokio::time::timeout(limit, worker.result(max_result)).await;
        worker.end().await?;
        let Ok(ended) = ended else {
            return Err(Failure::TooCostly(format!("{} s", task.wall_s)));
        };
        match ended? {
            None => Err(Failure::TooCostly(format!("{max_result} bytes of result"))),
            Some((status, out)) if status.success() => parse(out, name).await,
            Some((status, _)) => Err(self.failed(status, task)),
        }
    }

    /// Starts a worker; by a new fork server if there is none, or the one that was is gone.
    pub(super) fn start(&self, task: &Task, input: BorrowedFd<'_>) -> io::Result<Worker> {
        Worker::start(&*self.fork_server()?, task, input).or_else(|_| {
            self.forget();
            Worker::start(&*self.fork_server()?, task, input)
        })
    }

    /// What an end means that is no success.
    pub(super) fn failed(&self, status: ExitStatus, task: &Task) -> Failure {
        let failure = failed(status, task);
        if let Failure::Crashed(_) = failure {
            // Another fork server has its memory elsewhere: no file can feel its way forward, crash
            // by crash.
            self.forget();
        }
        failure
    }

    fn fork_server(&self) -> io::Result<Arc<OwnedFd>> {
        let mut server = self
            .fork_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = &*server {
            return Ok(server.clone());
        }
        let started = Arc::new(start_fork_server()?);
        *server = Some(started.clone());
        Ok(started)
    }

    /// The workers that there are go on.
    fn forget(&self) {
        *self
            .fork_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The socket that a new fork server takes tasks by.
fn start_fork_server() -> io::Result<OwnedFd> {
    let kind = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let (ours, theirs) = socketpair(AddressFamily::UNIX, kind.0, kind.1, None)?;
    // This very program, even if another one lies in its place by now. No variable of the service,
    // which may hold secrets, is the workers' business. What a terminal interrupts is the service
    // alone.
    let mut process = Command::new("/proc/self/exe")
        .arg(FORK_SERVER)
        .env_clear()
        .env("MALLOC_ARENA_MAX", "2")
        .env("GLIBC_TUNABLES", MEMORY)
        .stdin(theirs)
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()?;
    tokio::spawn(async move { process.wait().await });
    Ok(ours)
}

impl Worker {
    fn start(server: &OwnedFd, task: &Task, input: BorrowedFd<'_>) -> io::Result<Worker> {
        let (output, its_output) = io::pipe()?;
        let (complaints, its_complaints) = io::pipe()?;
        let (line, its_line) = UnixStream::pair()?;
        let its_line = its_line.into_std()?;
        let files = [
            input,
            its_output.as_fd(),
            its_complaints.as_fd(),
            its_line.as_fd(),
        ];
        passing::send(server, &serde_json::to_vec(task)?, &files)?;
        Ok(Worker {
            output: Receiver::from_owned_fd(output.into())?,
            complaints: Receiver::from_owned_fd(complaints.into())?,
            line: Line(line),
        })
    }

    /// How the worker ended, and what it wrote; `None` if that is `limit` bytes or more.
    async fn result(&mut self, limit: u64) -> io::Result<Option<(ExitStatus, Vec<u8>)>> {
        let Worker {
            output,
            complaints,
            line,
        } = self;
        let reading = async {
            let out = read(output, limit).await?;
            match out.len() as u64 == limit {
                // Whoever writes without end is not waited for.
                true => Err(io::ErrorKind::FileTooLarge.into()),
                false => Ok(out),
            }
        };
        let out = match tokio::try_join!(reading, log_complaints(complaints)) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            read => read?.0,
        };
        Ok(Some((line.status().await?, out)))
    }

    /// Ends the worker, if it has not ended.
    async fn end(mut self) -> io::Result<()> {
        // Whoever is gone cannot be told to go.
        let Line(line) = &mut self.line;
        let _ = line.shutdown().await;
        line.read_to_end(&mut Vec::new()).await.map(drop)
    }
}

/// The same file with a position of its own, for reading only.
pub(crate) fn read_only(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

async fn read(from: &mut Receiver, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Logs the first of what a worker complains of. The rest is thrown away, not refused: whoever
/// complains at length may still do its work.
pub(super) async fn log_complaints(from: &mut Receiver) -> io::Result<()> {
    let bytes = read(from, MAX_COMPLAINT).await?;
    if !bytes.is_empty() {
        tracing::debug!(worker = %String::from_utf8_lossy(&bytes).trim_end());
    }
    tokio::io::copy(from, &mut tokio::io::sink())
        .await
        .map(drop)
}

pub(super) fn garbled() -> Failure {
    Failure::Crashed("an answer that makes no sense".to_owned())
}

async fn parse(out: Vec<u8>, name: &str) -> Result<Decoded, Failure> {
    let end = out.iter().position(|b| *b == b'\n').ok_or_else(garbled)?;
    match serde_json::from_slice(&out[..end]).map_err(|_| garbled())? {
        Answer::Failed { code, message } => Err(unusable(code, &message, name)),
        Answer::Done { truncated } => {
            let decoding =
                tokio::task::spawn_blocking(move || Fingerprint::decode(&out[end + 1..]));
            let fingerprint = decoding.await.map_err(|_| garbled())?;
            Ok(Decoded {
                fingerprint: fingerprint.map_err(|_| garbled())?,
                truncated: truncated.map(|reason| reason.replace(INPUT, name)),
            })
        }
        Answer::Look { .. } | Answer::Ended => Err(garbled()),
    }
}

/// What the worker says of a file that it cannot use; the caller has another name for it.
pub(super) fn unusable(code: String, message: &str, name: &str) -> Failure {
    let message = message.replace(INPUT, name);
    Failure::File { code, message }
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
