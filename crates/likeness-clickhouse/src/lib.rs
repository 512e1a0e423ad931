//! Libraries on [ClickHouse](https://clickhouse.com): the same postings and fingerprints as in a directory,
//! in tables that a cluster shards and replicates. Nothing of clustering is done here.
//!
//! ```text
//! posting        (space, term, reference, time, payload)   sharded by reference, replicated
//! term           how many postings each term has           made of `posting` by each shard
//! fingerprint    what verification reads                   sharded by reference, replicated
//! reference      the catalogue; its rows publish           on every server
//! writer         who may write                             on every server
//! version        what the tables are like                  on every server
//! ```
//!
//! A reference is there when its row in `reference` is, which is written last and at once with the rows
//! that bury what it replaces; postings without such a row belong to nobody and are passed over. Numbers
//! are never given twice. Votes are counted by the same code as elsewhere: [`Snapshot`] is a
//! [`likeness_index::Store`], which fetches the postings of the terms that are asked for.
//!
//! Works with ClickHouse 18.16 and later; a current release should be used.

mod address;
mod catalogue;
mod editor;
mod failure;
mod lease;
mod rows;
mod schema;
mod session;
mod snapshot;
mod verify;

pub use address::ClickHouse;
pub use schema::Prepared;
pub use snapshot::Snapshot;
