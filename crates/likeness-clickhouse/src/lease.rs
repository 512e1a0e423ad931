//! The writer's lock: a row that says who may write and until when, renewed as long as the writer lives.
//! It ends by itself when its process does, however that ends.

use crate::session::{Session, Spread};
use likeness_core::{Reader, WireError, Writer};
use likeness_index::{Holder, LibraryError, StoreError};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The columns of the table `writer`: of the rows of one token the one of the highest number counts.
/// Times are the server's, in seconds.
pub(crate) const COLUMNS: &str =
    "token UInt64, number UInt64, holder String, taken UInt64, until UInt64";

/// How long a lease lasts, how often it is renewed, and how long before its end it is given up.
const LASTS: Duration = Duration::from_secs(60);
const RENEWED: Duration = Duration::from_secs(15);
const MARGIN: Duration = Duration::from_secs(10);
/// How often two that come at once give way before they give up.
const TRIES: u32 = 5;

/// A lease that is held.
#[derive(Debug)]
pub(crate) struct Lease {
    state: Arc<State>,
    /// Dropped to end the thread that renews it.
    end: Option<Sender<()>>,
    renewer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    session: Arc<Session>,
    token: u64,
    taken: u64,
    number: AtomicU64,
    /// When it was renewed last.
    renewed: Mutex<Instant>,
}

/// Somebody's lease.
struct Held {
    token: u64,
    holder: String,
    left: bool,
}

impl Lease {
    /// Becomes the writer.
    pub(crate) fn take(session: Arc<Session>, path: &Path) -> Result<Lease, LibraryError> {
        let now = session.rows("SELECT toUInt64(toUnixTimestamp(now()))", |row| row.u64())?;
        let state = Arc::new(State {
            token: token(),
            taken: now.first().copied().unwrap_or(0),
            number: AtomicU64::new(0),
            renewed: Mutex::new(Instant::now()),
            session,
        });
        state.enter(path)?;
        let (end, ended) = channel();
        let renewing = state.clone();
        let renewer = std::thread::spawn(move || {
            // Once it has lapsed somebody else may be the writer, and it is never renewed.
            while ended.recv_timeout(RENEWED) == Err(RecvTimeoutError::Timeout) && renewing.holds()
            {
                if let Err(error) = renewing.write(LASTS) {
                    tracing::warn!("cannot renew the writer's lock: {error}");
                }
            }
        });
        Ok(Lease {
            state,
            end: Some(end),
            renewer: Some(renewer),
        })
    }

    /// Whether nobody else can have become the writer.
    pub(crate) fn holds(&self) -> bool {
        self.state.holds()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(renewer) = self.renewer.take() {
            let _ = renewer.join();
        }
        // Else it ends in a minute.
        let _ = self.state.write(Duration::ZERO);
    }
}

impl State {
    /// Says that this is the writer, unless somebody else is. Of two that come at once at least the later one
    /// sees the other, and who sees another gives way: perhaps both, so they try again, each in its own time.
    fn enter(&self, path: &Path) -> Result<(), LibraryError> {
        let mut patience = TRIES;
        loop {
            refuse_others(&self.session, self.token, path)?;
            self.write(LASTS)?;
            let Err(error) = refuse_others(&self.session, self.token, path) else {
                return Ok(());
            };
            self.write(Duration::ZERO)?;
            patience -= 1;
            if patience == 0 || !matches!(error, LibraryError::Locked { .. }) {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(200 + token() % 1000));
        }
    }

    fn holds(&self) -> bool {
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.elapsed() + MARGIN < LASTS
    }

    /// Says that the lease lasts so long from now.
    fn write(&self, lasts: Duration) -> Result<(), StoreError> {
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let now = self
            .session
            .rows("SELECT toUInt64(toUnixTimestamp(now()))", |row| row.u64())?;
        let now = now.first().copied().unwrap_or(0);
        let mut row = Writer::new();
        row.u64(self.token);
        row.u64(self.number.fetch_add(1, Ordering::Relaxed));
        row.block(Holder::own().encode().as_bytes());
        row.u64(self.taken);
        row.u64(match lasts.is_zero() {
            true => 0,
            false => now + lasts.as_secs(),
        });
        self.session
            .insert("writer", Spread::Everywhere, &row.into_bytes())?;
        *renewed = began;
        Ok(())
    }
}

/// An error if somebody else than `own` is the writer.
fn refuse_others(session: &Session, own: u64, path: &Path) -> Result<(), LibraryError> {
    let sql = format!(
        "SELECT token, argMax(holder, number), \
         toUInt8(argMax(until, number) > toUnixTimestamp(now())) FROM {}.writer GROUP BY token",
        session.database
    );
    let read = |row: &mut Reader<'_>| -> Result<Held, WireError> {
        Ok(Held {
            token: row.u64()?,
            holder: String::from_utf8_lossy(row.block()?).into_owned(),
            left: row.u8()? == 1,
        })
    };
    let all = session.rows(&sql, read)?;
    match all.iter().find(|held| held.left && held.token != own) {
        Some(held) => Err(LibraryError::Locked {
            path: path.to_owned(),
            holder: Holder::decode(&held.holder),
        }),
        None => Ok(()),
    }
}

/// A number that nobody else has: of the system's random source, by way of a hash map's seed.
fn token() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
