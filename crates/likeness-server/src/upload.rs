//! Files as they come in, chunk by chunk, into temporary files without names: they are gone as
//! soon as nobody has them open, even if the service is killed.

use crate::proto;
use crate::refusal::{busy, internal, invalid, of_message, refuse};
use crate::settings::{Limits, seconds};
use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tonic::{Code, Status, Streaming};

/// What a message of an upload holds.
pub(crate) enum Part<O> {
    Options(O),
    Chunk(Bytes),
}

/// A message of an upload: options first, then chunks.
pub(crate) trait Message {
    type Options;

    /// `None` for a message that holds nothing.
    fn part(self) -> Option<Part<Self::Options>>;
}

macro_rules! message {
    ($message:ident, $payload:ident, $options:ident) => {
        impl Message for proto::$message {
            type Options = proto::$options;

            fn part(self) -> Option<Part<proto::$options>> {
                Some(match self.payload? {
                    proto::$payload::Payload::Options(options) => Part::Options(options),
                    proto::$payload::Payload::Chunk(chunk) => Part::Chunk(chunk),
                })
            }
        }
    };
}

message!(MatchRequest, match_request, MatchOptions);
message!(AddRequest, add_request, AddOptions);
message!(MatchLiveRequest, match_live_request, LiveOptions);

/// The next message's content, within `idle`; `None` at the end of the stream.
async fn next<M: Message>(
    stream: &mut Streaming<M>,
    idle: Duration,
) -> Result<Option<Part<M::Options>>, Status> {
    let message = tokio::time::timeout(idle, stream.message()).await;
    let message = message.map_err(|_| {
        let text = format!("nothing came for {} s", idle.as_secs_f64());
        refuse(Code::DeadlineExceeded, "idle", text)
    })?;
    let part = |message: M| {
        message
            .part()
            .ok_or_else(|| invalid("a message without payload"))
    };
    message.map_err(of_message)?.map(part).transpose()
}

/// The options, which must be the first message.
pub(crate) async fn options<M: Message>(
    stream: &mut Streaming<M>,
    idle: Duration,
) -> Result<M::Options, Status> {
    match next(stream, idle).await? {
        Some(Part::Options(options)) => Ok(options),
        _ => Err(invalid("the first message must hold the options")),
    }
}

/// The next chunk; `None` at the end.
pub(crate) async fn chunk<M: Message>(
    stream: &mut Streaming<M>,
    idle: Duration,
) -> Result<Option<Bytes>, Status> {
    match next(stream, idle).await? {
        Some(Part::Chunk(chunk)) => Ok(Some(chunk)),
        Some(Part::Options(_)) => Err(invalid("options may come first only")),
        None => Ok(None),
    }
}

/// Where uploads lie, and how much of them there may be.
pub(crate) struct Spool {
    directory: PathBuf,
    max_upload: u64,
    idle: Duration,
    retry: Duration,
    room: Arc<Room>,
}

/// Bytes that may still come, of all uploads together.
struct Room {
    left: AtomicU64,
    used: Gauge,
}

/// A file that came in, or is coming.
pub(crate) struct Upload {
    file: File,
    bytes: u64,
    room: Arc<Room>,
}

impl Spool {
    pub(crate) fn new(directory: &Path, limits: &Limits, used: Gauge) -> Spool {
        Spool {
            directory: directory.to_owned(),
            max_upload: limits.upload_mib << 20,
            idle: seconds(limits.idle_s),
            retry: seconds(limits.retry_s),
            room: Arc::new(Room {
                left: AtomicU64::new(limits.spool_mib << 20),
                used,
            }),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Longest pause between two messages.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// Takes all chunks of an upload.
    pub(crate) async fn receive<M: Message>(
        &self,
        stream: &mut Streaming<M>,
    ) -> Result<Upload, Status> {
        let mut upload = self.empty()?;
        let mut file = tokio::fs::File::from_std(upload.file.try_clone().map_err(internal)?);
        while let Some(chunk) = chunk(stream, self.idle).await? {
            self.grow(&mut upload, chunk.len() as u64)?;
            file.write_all(&chunk).await.map_err(internal)?;
        }
        file.flush().await.map_err(internal)?;
        Ok(upload)
    }

    fn empty(&self) -> Result<Upload, Status> {
        Ok(Upload {
            file: tempfile::tempfile_in(&self.directory).map_err(internal)?,
            bytes: 0,
            room: self.room.clone(),
        })
    }

    fn grow(&self, upload: &mut Upload, bytes: u64) -> Result<(), Status> {
        if upload.bytes.saturating_add(bytes) > self.max_upload {
            let mib = self.max_upload >> 20;
            let message = format!("larger than the {mib} MiB that an upload may have");
            return Err(refuse(Code::InvalidArgument, "limit", message));
        }
        let taken = self
            .room
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        if taken.is_err() {
            return Err(busy("too many uploads", self.retry));
        }
        upload.bytes += bytes;
        self.room.used.inc_by(bytes as i64);
        Ok(())
    }
}

impl Upload {
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.bytes, Ordering::Relaxed);
        self.room.used.dec_by(self.bytes as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Spool {
        /// An upload of what is in memory.
        fn hold(&self, parts: &[&[u8]]) -> Result<Upload, Status> {
            let mut upload = self.empty()?;
            for part in parts {
                self.grow(&mut upload, part.len() as u64)?;
            }
            Ok(upload)
        }
    }

    #[test]
    fn room_is_bounded_and_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits {
            upload_mib: 2,
            spool_mib: 3,
            ..Limits::default()
        };
        let used = Gauge::default();
        let spool = Spool::new(directory.path(), &limits, used.clone());
        let mib = vec![0; 1 << 20];
        let code = |result: Result<Upload, Status>| result.map(drop).unwrap_err().code();
        let over = spool.hold(&[&mib, &mib, &[1]]);
        assert_eq!(code(over), Code::InvalidArgument);
        let two = spool.hold(&[&mib, &mib]).unwrap();
        assert_eq!(code(spool.hold(&[&mib, &mib])), Code::ResourceExhausted);
        assert_eq!(used.get(), 2 << 20);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        drop(two);
        assert_eq!(used.get(), 0);
        spool.hold(&[&mib, &mib]).unwrap();
    }
}
