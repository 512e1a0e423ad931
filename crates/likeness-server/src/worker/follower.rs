//! The service's side of a worker that follows a live stream.

use super::parent::{Line, Worker, garbled, log_complaints, unusable};
use super::{Answer, Failure, Task, Workers};
use likeness::Look;
use likeness::core::Fingerprint;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};

/// Longest line before a fingerprint, bytes.
const MAX_LINE: u64 = 4 << 10;
/// No stream is longer, seconds: 30 years.
const LONGEST: f64 = 1e9;

/// Where the stream goes in. Dropping it is the stream's end.
pub(crate) struct Feed {
    input: Sender,
    patience: Duration,
}

/// Where looks come out. Dropping it kills the worker.
pub(crate) struct Looks<'a> {
    workers: &'a Workers,
    line: Line,
    output: BufReader<Receiver>,
    task: Task,
    name: String,
    most: u64,
}

impl Workers {
    /// Has a worker follow a stream of media that errors call `name`. A look has at most `most`
    /// bytes.
    pub(crate) fn follow(
        &self,
        task: Task,
        name: &str,
        most: u64,
    ) -> Result<(Feed, Looks<'_>), Failure> {
        let (its_input, input) = io::pipe()?;
        let Worker {
            output,
            mut complaints,
            line,
        } = self.start(&task, its_input.as_fd())?;
        let feed = Feed {
            input: Sender::from_owned_fd(input.into())?,
            patience: crate::settings::seconds(task.wall_s),
        };
        tokio::spawn(async move { log_complaints(&mut complaints).await });
        let looks = Looks {
            workers: self,
            line,
            output: BufReader::new(output),
            task,
            name: name.to_owned(),
            most,
        };
        Ok((feed, looks))
    }
}

impl Feed {
    /// Gives the worker the next bytes; `false` if it takes no more.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        match tokio::time::timeout(self.patience, self.input.write_all(bytes)).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                Err(Failure::TooCostly(format!("{seconds} s")))
            }
        }
    }
}

impl Looks<'_> {
    /// The next look; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Look>, Failure> {
        let mut line = Vec::new();
        let mut start = (&mut self.output).take(MAX_LINE);
        start.read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(match self.line.status().await? {
                status if status.success() => garbled(),
                status => self.workers.failed(status, &self.task),
            });
        }
        match serde_json::from_slice(&line).map_err(|_| garbled())? {
            Answer::Look { bytes, .. } if bytes > self.most => {
                let most = self.most;
                Err(Failure::TooCostly(format!("{most} bytes of result")))
            }
            Answer::Look { start, bytes } => self.look(start, bytes).await.map(Some),
            Answer::Failed { code, message } => Err(unusable(code, &message, &self.name)),
            Answer::Ended => Ok(None),
            Answer::Done { .. } => Err(garbled()),
        }
    }

    async fn look(&mut self, start: f64, bytes: u64) -> Result<Look, Failure> {
        let mut encoded = vec![0; bytes as usize];
        match self.output.read_exact(&mut encoded).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let status = self.line.status().await?;
                return Err(self.workers.failed(status, &self.task));
            }
            read => read?,
        };
        let decoding = tokio::task::spawn_blocking(move || Fingerprint::decode(&encoded));
        let fingerprint = decoding.await.map_err(|_| garbled())?;
        let fingerprint = fingerprint.map_err(|_| garbled())?;
        // What a worker says of times is believed as little as anything else that it says.
        let sane = |seconds: f64| (0.0..=LONGEST).contains(&seconds);
        match sane(start) && sane(fingerprint.duration) {
            true => Ok(Look { start, fingerprint }),
            false => Err(garbled()),
        }
    }
}
