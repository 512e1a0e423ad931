//! The process that forks workers, watches over them and tells the service how they ended.
//!
//! With each task comes a *line*, one end of a pair of sockets. When the worker has ended, its wait
//! status is written to the line. When the service lets go of its end, the worker is killed. When
//! the service dies, all ends are let go of, so that no worker outlives it.

use super::{MAX_TASK, Task};
use crate::passing;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid,
};
use std::io;
use std::os::fd::OwnedFd;

/// What a worker starts with.
pub(super) struct Job {
    pub(super) task: Task,
    input: OwnedFd,
    output: OwnedFd,
    complaints: OwnedFd,
}

impl Job {
    /// The job's files become this process' standard input, output and error.
    pub(super) fn take_files(self) -> io::Result<Task> {
        rustix::stdio::dup2_stdin(self.input)?;
        rustix::stdio::dup2_stdout(self.output)?;
        rustix::stdio::dup2_stderr(self.complaints)?;
        Ok(self.task)
    }
}

/// A worker, as the fork server sees it.
struct Worker {
    id: Pid,
    process: OwnedFd,
    line: OwnedFd,
}

/// Forks a worker for each task that comes, until none can come and all workers have ended.
/// Returns once in each worker, with its job, and once in the fork server, with `None`.
///
/// # Errors
/// The process has several threads already, so that it must not fork; or the system refuses.
pub(super) fn fork_workers() -> io::Result<Option<Job>> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("become_worker_if_asked must come first"));
    }
    let mut tasks = Some(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?);
    let mut workers: Vec<Worker> = Vec::new();
    while tasks.is_some() || !workers.is_empty() {
        let ready = wait(&workers, tasks.as_ref())?;
        let asked = tasks.is_some() && ready.last() == Some(&true);
        let mut news = ready.chunks_exact(2);
        workers.retain(|worker| match news.next() {
            Some([false, false]) | None => true,
            _ => {
                worker.finish();
                false
            }
        });
        let Some(socket) = tasks.as_ref().filter(|_| asked) else {
            continue;
        };
        match fork_next(socket) {
            // What belongs to others is closed here, all but its own files.
            Ok(Next::Worker(job)) => return Ok(Some(job)),
            Ok(Next::Forked(worker)) => workers.push(worker),
            Ok(Next::End) => tasks = None,
            // That task's line is closed, which tells the service.
            Err(error) => eprintln!("fork server: {error}"),
        }
    }
    Ok(None)
}

/// What came of waiting for a task.
enum Next {
    /// This is the new worker.
    Worker(Job),
    /// This is the fork server still.
    Forked(Worker),
    /// The service wants no more.
    End,
}

fn fork_next(socket: &OwnedFd) -> io::Result<Next> {
    let Some((job, line)) = receive(socket)? else {
        return Ok(Next::End);
    };
    Ok(match fork()? {
        None => Next::Worker(job),
        Some(id) => Next::Forked(Worker::new(id, line)?),
    })
}

/// Waits until something happens, and tells what: for each worker whether it has ended and whether
/// it was let go of, then whether there is a task.
fn wait(workers: &[Worker], tasks: Option<&OwnedFd>) -> io::Result<Vec<bool>> {
    let files = workers
        .iter()
        .flat_map(|worker| [&worker.process, &worker.line]);
    let mut watched: Vec<_> = files
        .chain(tasks)
        .map(|file| PollFd::new(file, PollFlags::IN))
        .collect();
    retry_on_intr(|| poll(&mut watched, None))?;
    Ok(watched
        .iter()
        .map(|file| !file.revents().is_empty())
        .collect())
}

/// The next task; `None` when the service wants no more.
fn receive(socket: &OwnedFd) -> io::Result<Option<(Job, OwnedFd)>> {
    let mut message = vec![0; MAX_TASK];
    let (length, files) = passing::receive(socket, &mut message)?;
    if length == 0 {
        return Ok(None);
    }
    let task = serde_json::from_slice(&message[..length])?;
    let [input, output, complaints, line] = <[OwnedFd; 4]>::try_from(files)
        .map_err(|_| io::Error::other("a task without its files"))?;
    let job = Job {
        task,
        input,
        output,
        complaints,
    };
    Ok(Some((job, line)))
}

/// The new process' number in this one, `None` in the new one.
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread, as `fork_workers` has checked and nothing here changes,
    // so that no lock is held and nothing half done in the new one.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        id => Ok(Pid::from_raw(id)),
    }
}

impl Worker {
    fn new(id: Pid, line: OwnedFd) -> io::Result<Worker> {
        let process = pidfd_open(id, PidfdFlags::empty())?;
        Ok(Worker { id, process, line })
    }

    /// Ends the worker, if it has not ended, and tells the service how it ended.
    fn finish(&self) {
        // It cannot have been forgotten: only this process waits for it.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
        let ended = retry_on_intr(|| waitpid(Some(self.id), WaitOptions::empty()));
        if let Ok(Some((_, status))) = ended {
            // A service that has let go wants no answer.
            let _ = rustix::io::write(&self.line, &status.as_raw().to_ne_bytes());
        }
    }
}
