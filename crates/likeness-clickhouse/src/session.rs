//! Talks to the servers: tries another one when one does not answer, and counts what is left out.

use crate::address::ClickHouse;
use crate::failure::Failure;
use crate::schema::Schema;
use clickhouse::Client;
use likeness_core::{Reader, WireError};
use likeness_index::StoreError;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// How long an answer may take.
const READ: Duration = Duration::from_secs(120);
/// How long writing may take: the servers wait for each other.
const WRITE: Duration = Duration::from_secs(600);
/// How long a server may take to show that it is there, before it is asked anything that takes long...
const GREETING: Duration = Duration::from_secs(5);
/// ...which it need not show again for so long after an answer.
const FRESH: Duration = Duration::from_secs(10);
/// How often all servers are tried, and the pause before each further time.
const ROUNDS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(150);
/// After a part of the cluster was found gone, it is not waited for again for so long.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// Settings of every request. The result is complete before the first byte of it is sent, so that an error
/// on the way is one; long lists of terms are fine; a replica that knows that it is behind is not asked.
const SETTINGS: [(&str, &str); 5] = [
    ("wait_end_of_query", "1"),
    ("max_query_size", "268435456"),
    ("max_replica_delay_for_distributed_queries", "2"),
    ("fallback_to_stale_replicas_for_distributed_queries", "0"),
    ("insert_distributed_sync", "1"),
];

/// The servers of one store.
pub(crate) struct Session {
    /// For messages.
    pub(crate) place: String,
    pub(crate) database: String,
    clients: Vec<Client>,
    /// When each answered last.
    answered: Vec<Mutex<Option<Instant>>>,
    /// The one that answered last.
    current: AtomicUsize,
    /// Copies of a shard, and of what is on every server, that must have what is written.
    quorum: [u32; 2],
    /// The servers can be told not to let insertions overtake each other; old ones never do.
    knows_parallel: bool,
    partial: bool,
    lapses: AtomicU64,
    given_up: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.place).finish()
    }
}

/// Where a table's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Each on the replicas of one shard.
    Shards,
    /// All on every server.
    Everywhere,
}

impl Session {
    /// Connects to nothing yet.
    pub(crate) fn new(store: &ClickHouse) -> Session {
        let client = |host: &String| {
            let mut client = Client::default()
                .with_url(format!("http://{host}"))
                // What 18.16 does not know.
                .with_validation(false);
            if let Some((user, password)) = &store.user {
                client = client.with_user(user).with_password(password);
            }
            for (name, value) in SETTINGS {
                client = client.with_setting(name, value);
            }
            client
        };
        Session {
            place: store.to_string(),
            database: store.database.clone(),
            clients: store.hosts.iter().map(client).collect(),
            answered: store.hosts.iter().map(|_| Mutex::new(None)).collect(),
            current: AtomicUsize::new(0),
            quorum: [1; 2],
            knows_parallel: false,
            partial: store.partial,
            lapses: AtomicU64::new(0),
            given_up: Mutex::new(None),
        }
    }

    /// What is written must be on so many copies, and what is read must be as new.
    ///
    /// # Errors
    /// The servers do not answer.
    pub(crate) fn expect_quorum(&mut self, schema: &Schema) -> Result<(), StoreError> {
        self.quorum = schema.quorum;
        if self.quorum.iter().any(|copies| *copies > 1) {
            let sql = "SELECT toUInt8(count()) FROM system.settings WHERE name = 'insert_quorum_parallel'";
            self.knows_parallel = self.rows(sql, |row| row.u8())?.contains(&1);
        }
        Ok(())
    }

    /// How often something was left out.
    pub(crate) fn lapses(&self) -> u64 {
        self.lapses.load(Ordering::Relaxed)
    }

    /// The rows that a query gives, as RowBinary.
    pub(crate) fn read(&self, sql: &str) -> Result<Vec<u8>, StoreError> {
        if self.partial && self.has_given_up() {
            return self.read_rest(sql);
        }
        match self.fetch(sql, &[]) {
            Err(failure) if self.partial && failure.part_is_gone() => {
                *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now());
                self.read_rest(sql)
            }
            other => other.map_err(|failure| self.error(&failure)),
        }
    }

    /// What is nice to know, of the shards that answer.
    pub(crate) fn read_what_answers(&self, sql: &str) -> Result<Vec<u8>, StoreError> {
        let read = self.fetch(sql, &[("skip_unavailable_shards", "1")]);
        read.map_err(|failure| self.error(&failure))
    }

    /// The same without the shards of which no copy answers.
    fn read_rest(&self, sql: &str) -> Result<Vec<u8>, StoreError> {
        self.lapses.fetch_add(1, Ordering::Relaxed);
        self.read_what_answers(sql)
    }

    fn has_given_up(&self) -> bool {
        let given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.is_some_and(|since| since.elapsed() < GIVEN_UP)
    }

    /// The rows that a query gives, each read by `row`.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        row: impl Fn(&mut Reader<'_>) -> Result<T, WireError>,
    ) -> Result<Vec<T>, StoreError> {
        self.decode(&self.read(sql)?, row)
    }

    /// Reads an answer.
    pub(crate) fn decode<T>(
        &self,
        bytes: &[u8],
        row: impl Fn(&mut Reader<'_>) -> Result<T, WireError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut reader = Reader::new(bytes);
        let mut rows = Vec::new();
        while reader.remaining() > 0 {
            rows.push(row(&mut reader).map_err(|e| self.strange(e))?);
        }
        Ok(rows)
    }

    /// The rows that a query gives; `None` where there is no such table.
    pub(crate) fn rows_if_there<T>(
        &self,
        sql: &str,
        row: impl Fn(&mut Reader<'_>) -> Result<T, WireError>,
    ) -> Result<Option<Vec<T>>, StoreError> {
        match self.fetch(sql, &[]) {
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(self.error(&failure)),
            Ok(bytes) => self.decode(&bytes, row).map(Some),
        }
    }

    /// Does what gives nothing back, on any server.
    pub(crate) fn run(&self, sql: &str) -> Result<(), StoreError> {
        let done = self.attempt(WRITE, |client| {
            let query = client.query_raw(sql);
            async move { query.execute().await }
        });
        done.map_err(|failure| self.error(&failure))
    }

    /// Writes rows, given as RowBinary. The same once more changes nothing: servers know the blocks that
    /// came last.
    pub(crate) fn insert(&self, into: &str, spread: Spread, rows: &[u8]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!("INSERT INTO {}.{into} FORMAT RowBinary", self.database);
        let quorum = self.quorum[spread as usize];
        let done = self.attempt(WRITE, |client| {
            let mut client = client.clone();
            if quorum > 1 {
                client.set_setting("insert_quorum", quorum.to_string());
                client.set_setting("insert_quorum_timeout", "60000");
                if self.knows_parallel {
                    // Else nobody could tell up to where a replica is complete.
                    client.set_setting("insert_quorum_parallel", "0");
                }
            }
            let mut insert = client.insert_formatted_with(sql.clone());
            let rows = rows.to_vec();
            async move {
                insert.send(rows.into()).await?;
                insert.end().await
            }
        });
        done.map_err(|failure| self.error(&failure))
    }

    fn fetch(&self, sql: &str, settings: &[(&str, &str)]) -> Result<Vec<u8>, Failure> {
        self.attempt(READ, |client| {
            let mut query = client.query_raw(sql);
            if self.quorum[0] > 1 {
                query = query.with_setting("select_sequential_consistency", "1");
            }
            for (name, value) in settings {
                query = query.with_setting(*name, *value);
            }
            async move { Ok(query.fetch_bytes("RowBinary")?.collect().await?.to_vec()) }
        })
    }

    /// Asks one server after the other, the last one that answered first.
    fn attempt<T, F>(&self, limit: Duration, request: impl Fn(&Client) -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = clickhouse::error::Result<T>> + Send + 'static,
    {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for round in 0..ROUNDS {
            if round > 0 {
                std::thread::sleep(PAUSE * round);
            }
            for offset in 0..self.clients.len() {
                let number = (first + offset) % self.clients.len();
                let answer = self.greet(number);
                match answer.and_then(|()| wait_for(limit, request(&self.clients[number]))) {
                    Ok(answer) => {
                        self.seen(number);
                        self.current.store(number, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(failure) if failure.may_pass() => {
                        tracing::debug!("{}: {}", self.place, failure.reason);
                        // Another server sees no more of a shard that is gone than this one.
                        let gone = failure.part_is_gone();
                        last = Some(failure);
                        if gone && self.partial {
                            break;
                        }
                    }
                    Err(failure) => return Err(failure),
                }
            }
            if self.partial && last.as_ref().is_some_and(Failure::part_is_gone) && round > 0 {
                break;
            }
        }
        Err(last.unwrap_or_else(Failure::timed_out))
    }

    /// Finds out whether a server is there at all: one that takes connections and says nothing would be waited
    /// for as long as for a long answer.
    fn greet(&self, number: usize) -> Result<(), Failure> {
        let answered = *self.last_answer(number);
        if answered.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let query = self.clients[number].query_raw("SELECT 1 FORMAT Null");
        wait_for(GREETING, async move { query.execute().await })?;
        self.seen(number);
        Ok(())
    }

    fn seen(&self, number: usize) {
        *self.last_answer(number) = Some(Instant::now());
    }

    fn last_answer(&self, number: usize) -> MutexGuard<'_, Option<Instant>> {
        let answered = &self.answered[number];
        answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn error(&self, failure: &Failure) -> StoreError {
        let reason = match failure.part_is_gone() {
            true => format!("a part of the store does not answer: {}", failure.reason),
            false => failure.reason.clone(),
        };
        self.refuse(reason)
    }

    /// An answer that cannot be right.
    pub(crate) fn strange(&self, what: impl std::fmt::Display) -> StoreError {
        self.refuse(format!("a strange answer: {what}"))
    }

    pub(crate) fn refuse(&self, reason: String) -> StoreError {
        let place = self.place.clone();
        StoreError::Remote { place, reason }
    }
}

/// The answer to a request, from whatever thread it is asked: one that drives another runtime, such as a
/// service's, must not enter this one.
fn wait_for<T, F>(limit: Duration, request: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = clickhouse::error::Result<T>> + Send + 'static,
{
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    runtime().spawn(async move {
        // Nobody is waiting any more only when the process ends.
        let _ = answer.send(tokio::time::timeout(limit, request).await);
    });
    match answered.recv() {
        Ok(Ok(answer)) => answer.map_err(|error| Failure::of(&error)),
        Ok(Err(_)) | Err(_) => Err(Failure::timed_out()),
    }
}

/// Carries all requests of this process. It is never shut down, since sessions come and go on threads of
/// other runtimes.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let built = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("clickhouse")
            .enable_all()
            .build();
        // As of any thread that cannot be started.
        #[allow(clippy::expect_used)]
        built.expect("threads for requests")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_drives_another_runtime_may_ask() {
        // Nobody listens on this port.
        let store = ClickHouse::at("clickhouse://127.0.0.1:1/nothing").unwrap();
        let session = Session::new(&store);
        let service = Builder::new_current_thread().build().unwrap();
        let answer = service.block_on(async { session.read("SELECT 1") });
        assert!(
            matches!(answer, Err(StoreError::Remote { .. })),
            "{answer:?}"
        );
    }
}
