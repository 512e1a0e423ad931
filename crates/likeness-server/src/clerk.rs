//! Changes a library, one thread for each. The writer's lock is held only while there is work, so
//! that a process that takes over, or the command line, can write too.

use crate::refusal;
use likeness::core::Fingerprint;
use likeness::{AddEvent, AddOptions, Input, LibraryError, LibraryWriter, Place};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tonic::Status;

/// How long the lock is kept in case more work comes.
const IDLE: Duration = Duration::from_millis(100);
/// How long another writer may hold the lock before callers are turned away.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the lock is tried.
const TRY: Duration = Duration::from_millis(10);
/// Most changes in one go.
const GROUP: usize = 32;

/// What became of a reference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Added {
    New { duration: f64, replaced: bool },
    AlreadyThere { identifier: String },
}

/// Takes orders for one library.
pub(crate) struct Clerk {
    orders: SyncSender<Order>,
    retry: Duration,
}

enum Order {
    Add {
        identifier: String,
        fingerprint: File,
        reply: oneshot::Sender<Result<Added, Status>>,
    },
    Remove {
        identifiers: Vec<String>,
        reply: oneshot::Sender<Result<Vec<String>, Status>>,
    },
}

impl Clerk {
    /// A clerk for the library at `place`, for whom at most `queue` orders wait.
    pub(crate) fn new(place: Arc<dyn Place>, queue: usize, retry: Duration) -> Clerk {
        let (orders, receiver) = sync_channel(queue.max(1));
        let desk = Desk {
            place,
            orders: receiver,
            retry,
        };
        std::thread::spawn(move || desk.work());
        Clerk { orders, retry }
    }

    /// Adds a reference; it is durable when this returns. `spool` is where files may lie.
    pub(crate) async fn add(
        &self,
        identifier: String,
        fingerprint: &Fingerprint,
        spool: &Path,
    ) -> Result<Added, Status> {
        let fingerprint = store(fingerprint, spool).map_err(refusal::internal)?;
        let (reply, answer) = oneshot::channel();
        self.order(Order::Add {
            identifier,
            fingerprint,
            reply,
        })?;
        answer.await.map_err(refusal::internal)?
    }

    /// Removes references; durable when this returns. Tells which there were.
    pub(crate) async fn remove(&self, identifiers: Vec<String>) -> Result<Vec<String>, Status> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Remove { identifiers, reply })?;
        answer.await.map_err(refusal::internal)?
    }

    fn order(&self, order: Order) -> Result<(), Status> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => refusal::busy("too many changes are waiting", self.retry),
            TrySendError::Disconnected(_) => refusal::internal("the clerk is gone"),
        })
    }
}

/// A fingerprint file without a name.
fn store(fingerprint: &Fingerprint, spool: &Path) -> io::Result<File> {
    let mut file = tempfile::tempfile_in(spool)?;
    file.write_all(&fingerprint.encode())?;
    Ok(file)
}

/// The clerk's own side.
struct Desk {
    place: Arc<dyn Place>,
    orders: Receiver<Order>,
    retry: Duration,
}

impl Desk {
    fn work(&self) {
        while let Ok(first) = self.orders.recv() {
            match self.open() {
                Ok(writer) => self.serve(writer, first),
                Err(error) => first.fail(&refusal::library(&error, self.retry)),
            }
        }
    }

    fn open(&self) -> Result<LibraryWriter, LibraryError> {
        let begin = Instant::now();
        loop {
            match LibraryWriter::open_at(&*self.place, false) {
                Err(LibraryError::Locked { .. }) if begin.elapsed() < PATIENCE => {
                    std::thread::sleep(TRY);
                }
                other => return other,
            }
        }
    }

    /// Carries orders out until none comes for a while, or one fails: then what is on disk has
    /// to be read anew.
    fn serve(&self, mut writer: LibraryWriter, first: Order) {
        let mut next = Some(first);
        loop {
            let order = match next.take() {
                Some(order) => order,
                None => match self.orders.recv_timeout(IDLE) {
                    Ok(order) => order,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
                },
            };
            let done = match order {
                Order::Remove { identifiers, reply } => {
                    self.remove(&mut writer, &identifiers, reply)
                }
                add => {
                    let (group, rest) = self.group(add);
                    next = rest;
                    self.add(&mut writer, group)
                }
            };
            if !done {
                if let Some(order) = next {
                    order.fail(&refusal::busy(
                        "the library has to be opened anew",
                        self.retry,
                    ));
                }
                return;
            }
        }
    }

    /// Additions that wait and have names of their own, to be made durable together; and the
    /// order that comes after them.
    fn group(&self, first: Order) -> (Vec<Order>, Option<Order>) {
        let mut names = HashSet::new();
        let mut group = Vec::new();
        for order in std::iter::once(first).chain(self.orders.try_iter()) {
            match &order {
                Order::Add { identifier, .. } if names.insert(identifier.clone()) => {}
                _ => return (group, Some(order)),
            }
            group.push(order);
            if group.len() == GROUP {
                break;
            }
        }
        (group, None)
    }

    fn remove(
        &self,
        writer: &mut LibraryWriter,
        identifiers: &[String],
        reply: oneshot::Sender<Result<Vec<String>, Status>>,
    ) -> bool {
        let names: Vec<&str> = identifiers.iter().map(String::as_str).collect();
        let removed = writer.remove(&names);
        let done = removed.is_ok();
        // A caller who has gone wants no answer.
        let _ = reply.send(removed.map_err(|e| refusal::library(&e, self.retry)));
        done
    }

    fn add(&self, writer: &mut LibraryWriter, group: Vec<Order>) -> bool {
        let mut inputs = Vec::new();
        let mut replies = Vec::new();
        let mut files = Vec::new();
        for order in group {
            if let Order::Add {
                identifier,
                fingerprint,
                reply,
            } = order
            {
                // The file has no name; this leads to it for as long as it is open.
                let path = format!("/proc/self/fd/{}", fingerprint.as_raw_fd()).into();
                inputs.push(Input {
                    path,
                    identifier,
                    named: true,
                });
                replies.push(Some(reply));
                files.push(fingerprint);
            }
        }
        let replies = Mutex::new(replies);
        let answer = |input: usize, result: Result<Added, Status>| {
            let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(reply) = replies.get_mut(input).and_then(Option::take) {
                let _ = reply.send(result);
            }
        };
        let options = AddOptions {
            jobs: 1,
            ..AddOptions::default()
        };
        let added = writer.add(&inputs, &options, &|event| match event {
            AddEvent::Added {
                input,
                duration,
                replaced,
            } => answer(input, Ok(Added::New { duration, replaced })),
            AddEvent::AlreadyThere { input, identifier } => {
                let identifier = identifier.to_owned();
                answer(input, Ok(Added::AlreadyThere { identifier }));
            }
            AddEvent::Failed { input, error } => {
                answer(input, Err(refusal::add(error, &inputs[input].identifier)));
            }
            AddEvent::Skipped { input, reason } => answer(input, Err(refusal::invalid(reason))),
            AddEvent::Started { .. } | AddEvent::Progress { .. } => {}
        });
        if let Err(error) = &added {
            for input in 0..inputs.len() {
                answer(input, Err(refusal::library(error, self.retry)));
            }
        }
        drop(files);
        added.is_ok()
    }
}

impl Order {
    fn fail(self, status: &Status) {
        match self {
            Order::Add { reply, .. } => drop(reply.send(Err(status.clone()))),
            Order::Remove { reply, .. } => drop(reply.send(Err(status.clone()))),
        }
    }
}
