//! Checks that a store holds what its catalogue says.

use crate::catalogue::{Catalogue, Row};
use crate::session::Session;
use likeness_core::{AudioFingerprint, Reader, VideoFingerprint};
use likeness_index::{FileCheck, LibraryError, SPACES, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

/// References whose fingerprints are read at a time.
const GROUP: usize = 256;

/// Checks fingerprints and postings of all live references; a check for each table. What the servers keep
/// besides, the copies of one shard among them, they check themselves.
pub(crate) fn verify(session: &Session) -> Result<Vec<FileCheck>, LibraryError> {
    let catalogue = Catalogue::read(session)?;
    let live: Vec<&Row> = catalogue.live().collect();
    let check = |table: &str, result: Result<u64, StoreError>| {
        let path = PathBuf::from(format!("{}.{table}", session.place));
        let error = result.as_ref().err().map(|error| StoreError::Damaged {
            path: path.clone(),
            reason: error.to_string(),
        });
        FileCheck {
            path,
            bytes: result.unwrap_or(0),
            error,
        }
    };
    Ok(vec![
        check("fingerprint", fingerprints(session, &live)),
        check("posting", postings(session, &live)),
        check("term", terms(session)),
    ])
}

/// Decodes every fingerprint. Their bytes.
fn fingerprints(session: &Session, live: &[&Row]) -> Result<u64, StoreError> {
    let mut all = 0;
    for group in live.chunks(GROUP) {
        let ids: Vec<String> = group.iter().map(|row| row.entry.id.0.to_string()).collect();
        let sql = format!(
            "SELECT reference, media, bytes FROM {}.fingerprint WHERE reference IN ({})",
            session.database,
            ids.join(",")
        );
        let read = |row: &mut Reader<'_>| Ok(((row.u32()?, row.u8()?), row.block()?.to_vec()));
        let found: HashMap<(u32, u8), Vec<u8>> = session.rows(&sql, read)?.into_iter().collect();
        for row in group {
            for (media, state) in [(0, row.entry.audio()), (1, row.entry.video())] {
                let Some(want) = state.analysed() else {
                    continue;
                };
                let name = &row.entry.identifier;
                let bytes = found.get(&(row.entry.id.0, media));
                let bytes = bytes.filter(|bytes| bytes.len() as u64 == *want);
                let bytes = bytes.ok_or_else(|| {
                    session.refuse(format!("{name}: its fingerprint is not there"))
                })?;
                let decoded = match media {
                    0 => AudioFingerprint::decode(bytes).map(drop),
                    _ => VideoFingerprint::decode(bytes).map(drop),
                };
                decoded.map_err(|e| session.refuse(format!("{name}: its fingerprint: {e}")))?;
                all += want;
            }
        }
    }
    Ok(all)
}

/// Counts every reference's postings. Their bytes as they were sent.
fn postings(session: &Session, live: &[&Row]) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT reference, space, toUInt64(count()) FROM {}.posting GROUP BY reference, space",
        session.database
    );
    let read = |row: &mut Reader<'_>| Ok(((row.u32()?, row.u8()?), row.u64()?));
    let found: HashMap<(u32, u8), u64> = session.rows(&sql, read)?.into_iter().collect();
    let mut all = 0;
    for row in live {
        for (space, want) in (0..SPACES as u8).zip(row.postings) {
            let there = found.get(&(row.entry.id.0, space)).copied().unwrap_or(0);
            if there != want {
                let name = &row.entry.identifier;
                return Err(session.refuse(format!("{name}: {there} postings of {want}")));
            }
            all += there;
        }
    }
    Ok(all * 24)
}

/// Compares how many postings each space has with how many were counted as they came in: a replica that dies
/// between the two leaves them uncounted, and what is looked up is chosen by the counts. Their bytes as they are sent.
fn terms(session: &Session) -> Result<u64, StoreError> {
    let mut before = None;
    for _ in 0..ROUNDS {
        let numbers = [
            totals(session, "posting", "count()")?,
            totals(session, "term", "sum(postings)")?,
        ];
        let [there, counted] = &numbers;
        if there == counted {
            return Ok(counted.values().sum::<u64>() * 16);
        }
        // While somebody writes, one is ahead of the other.
        if before.as_ref() == Some(&numbers) {
            return Err(session.refuse(format!(
                "postings of each space: {there:?}; of these are counted: {counted:?}"
            )));
        }
        before = Some(numbers);
        std::thread::sleep(PAUSE);
    }
    Ok(0)
}

/// How often postings and counts are compared before a writer is thought to be at work, and the pause between.
const ROUNDS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// A number of each space.
fn totals(session: &Session, table: &str, of: &str) -> Result<BTreeMap<u8, u64>, StoreError> {
    let sql = format!(
        "SELECT space, toUInt64({of}) FROM {}.{table} GROUP BY space",
        session.database
    );
    let rows = session.rows(&sql, |row| Ok((row.u8()?, row.u64()?)))?;
    Ok(rows.into_iter().collect())
}
