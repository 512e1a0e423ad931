//! The tables, and what brings those of older programs up to date.

use crate::session::{Session, Spread};
use likeness_core::{Reader, Writer};
use likeness_index::{Extractors, LibraryError, StoreError};
use std::fmt;
use std::path::PathBuf;

/// The tables' version that this program makes, and the newest that it reads.
const VERSION: u32 = 2;

/// What is known of a store's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) version: u32,
    extractors: Extractors,
    /// Copies that must have what is written: of a shard, of what is on every server.
    pub(crate) quorum: [u32; 2],
}

/// What became of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// They were made.
    Made {
        /// Shards over which they are spread.
        shards: u32,
        /// Copies of the smallest shard.
        replicas: u32,
    },
    /// They were there, and as they should be.
    UpToDate,
}

impl fmt::Display for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prepared::Made {
                shards: 1,
                replicas: 1,
            } => write!(f, "made, on one server"),
            Prepared::Made { shards, replicas } => {
                write!(f, "made, {shards} shards of {replicas} replicas or more")
            }
            Prepared::UpToDate => write!(f, "up to date"),
        }
    }
}

/// Whether a text may stand as a name in a statement.
pub(crate) fn is_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && text.len() <= 64 && text.chars().all(inside)
}

/// A table and what of it is on each server.
struct Table {
    name: &'static str,
    columns: &'static str,
    spread: Spread,
    engine: &'static str,
    order: &'static str,
    /// Rows between marks of the index: few where few rows are read at a time.
    granularity: u32,
}

const TABLES: [Table; 6] = [
    Table {
        name: "posting",
        columns: "space UInt8, prefix UInt64, term UInt64, reference UInt32, time UInt32, payload UInt64",
        spread: Spread::Shards,
        engine: "MergeTree",
        order: "(space, prefix, term, reference, time, payload)",
        granularity: 1024,
    },
    Table {
        name: "term",
        columns: "space UInt8, prefix UInt64, postings UInt64",
        spread: Spread::Shards,
        engine: "SummingMergeTree",
        order: "(space, prefix)",
        granularity: 8192,
    },
    Table {
        name: "fingerprint",
        columns: "reference UInt32, media UInt8, bytes String",
        spread: Spread::Shards,
        engine: "MergeTree",
        order: "(reference, media)",
        granularity: 2,
    },
    Table {
        name: "reference",
        columns: crate::catalogue::COLUMNS,
        spread: Spread::Everywhere,
        engine: "ReplacingMergeTree",
        order: "(id, version)",
        granularity: 1024,
    },
    Table {
        name: "writer",
        columns: crate::lease::COLUMNS,
        spread: Spread::Everywhere,
        engine: "MergeTree",
        order: "(token, number)",
        granularity: 1024,
    },
    Table {
        name: "version",
        columns: "version UInt32, audio UInt64, video UInt64, shard_quorum UInt32, server_quorum UInt32",
        spread: Spread::Everywhere,
        engine: "MergeTree",
        order: "version",
        granularity: 1024,
    },
];

/// Where the tables shall be.
struct Site<'a> {
    database: &'a str,
    cluster: Option<&'a str>,
}

impl Site<'_> {
    fn on_cluster(&self) -> String {
        let on = |cluster| format!(" ON CLUSTER {cluster}");
        self.cluster.map_or_else(String::new, on)
    }

    /// Statements that make a table.
    fn make(&self, table: &Table) -> Vec<String> {
        let (database, name, on) = (self.database, table.name, self.on_cluster());
        let own = match (self.cluster, table.spread) {
            (Some(_), Spread::Shards) => format!("{name}_local"),
            _ => name.to_owned(),
        };
        let engine = match (self.cluster, table.spread) {
            (None, _) => format!("{}()", table.engine),
            (Some(_), Spread::Shards) => format!(
                "Replicated{}('/clickhouse/likeness/{database}/{{shard}}/{name}', '{{replica}}')",
                table.engine
            ),
            (Some(_), Spread::Everywhere) => format!(
                "Replicated{}('/clickhouse/likeness/{database}/{name}', '{{shard}}-{{replica}}')",
                table.engine
            ),
        };
        let mut statements = vec![format!(
            "CREATE TABLE IF NOT EXISTS {database}.{own}{on} ({}) ENGINE = {engine} ORDER BY {} \
             SETTINGS index_granularity = {}",
            table.columns, table.order, table.granularity
        )];
        if let (Some(cluster), Spread::Shards) = (self.cluster, table.spread) {
            // All of a reference is in one place.
            let key = match name {
                "term" => "rand()",
                _ => "intHash32(reference)",
            };
            statements.push(format!(
                "CREATE TABLE IF NOT EXISTS {database}.{name}{on} ({}) \
                 ENGINE = Distributed({cluster}, {database}, {own}, {key})",
                table.columns
            ));
        }
        statements
    }

    /// Each shard counts its terms, without their fine bits, as postings come in.
    fn count_terms(&self) -> String {
        let local = if self.cluster.is_some() { "_local" } else { "" };
        let (database, on) = (self.database, self.on_cluster());
        format!(
            "CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.term_count{on} TO {database}.term{local} \
             AS SELECT space, prefix, count() AS postings FROM {database}.posting{local} \
             GROUP BY space, prefix"
        )
    }
}

/// Makes the tables, or brings them up to date.
pub(crate) fn init(
    session: &Session,
    cluster: Option<&str>,
    extractors: &Extractors,
) -> Result<Prepared, LibraryError> {
    match Schema::read(session, Some(extractors)) {
        // Tables of version 1 held words of another extractor, and are refused.
        Ok(_) => return Ok(Prepared::UpToDate),
        Err(LibraryError::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    if let Some(name) = cluster.filter(|name| !is_name(name)) {
        return Err(session
            .refuse(format!("{name:?} is no name of a cluster"))
            .into());
    }
    let (shards, replicas, servers) = size(session, cluster)?;
    let site = Site {
        database: &session.database,
        cluster,
    };
    let on = site.on_cluster();
    session.run(&format!(
        "CREATE DATABASE IF NOT EXISTS {}{on}",
        site.database
    ))?;
    for statement in TABLES.iter().flat_map(|table| site.make(table)) {
        session.run(&statement)?;
    }
    session.run(&site.count_terms())?;
    // Last: what was broken off before is begun again.
    let mut row = Writer::new();
    row.u32(VERSION);
    row.u64(extractors.audio);
    row.u64(extractors.video);
    row.u32(majority(replicas));
    row.u32(majority(servers));
    session.insert("version", Spread::Everywhere, &row.into_bytes())?;
    Ok(Prepared::Made { shards, replicas })
}

/// Of one copy one, of two both, of three two.
fn majority(copies: u32) -> u32 {
    copies / 2 + 1
}

/// Shards, replicas of the smallest one, and servers.
fn size(session: &Session, cluster: Option<&str>) -> Result<(u32, u32, u32), StoreError> {
    let Some(cluster) = cluster else {
        return Ok((1, 1, 1));
    };
    let sql = format!(
        "SELECT toUInt32(shard_num), toUInt32(count()) FROM system.clusters WHERE cluster = '{cluster}' \
         GROUP BY shard_num"
    );
    let shards = session.rows(&sql, |row| Ok((row.u32()?, row.u32()?)))?;
    let copies = shards.iter().map(|(_, copies)| *copies);
    match copies.clone().min() {
        Some(least) => Ok((shards.len() as u32, least, copies.sum())),
        None => Err(session.refuse(format!("the server knows no cluster {cluster:?}"))),
    }
}

impl Schema {
    /// What a store's tables are like.
    ///
    /// # Errors
    /// There are none, or of a newer program, or of other extractors than those given.
    pub(crate) fn read(
        session: &Session,
        extractors: Option<&Extractors>,
    ) -> Result<Schema, LibraryError> {
        let path = || PathBuf::from(&session.place);
        let sql = format!(
            "SELECT version, audio, video, shard_quorum, server_quorum FROM {}.version ORDER BY version DESC \
             LIMIT 1",
            session.database
        );
        let row = |row: &mut Reader<'_>| {
            Ok(Schema {
                version: row.u32()?,
                extractors: Extractors {
                    audio: row.u64()?,
                    video: row.u64()?,
                },
                quorum: [row.u32()?, row.u32()?],
            })
        };
        let rows = session.rows_if_there(&sql, row)?.unwrap_or_default();
        let Some(schema) = rows.into_iter().next() else {
            return Err(LibraryError::Missing { path: path() });
        };
        if schema.version > VERSION {
            return Err(LibraryError::NewerVersion {
                path: path(),
                found: schema.version,
                supported: VERSION,
            });
        }
        let other = |media| LibraryError::OtherExtractor {
            path: path(),
            media,
        };
        match extractors {
            Some(own) if own.audio != schema.extractors.audio => Err(other("audio")),
            Some(own) if own.video != schema.extractors.video => Err(other("video")),
            _ => Ok(schema),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["likeness", "a_1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "a;b", "a.b", "ä", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn on_one_server_nothing_is_replicated() {
        let site = |cluster| Site {
            database: "d",
            cluster,
        };
        let all = |site: Site<'_>| {
            let tables = TABLES.iter().flat_map(|table| site.make(table));
            tables
                .chain([site.count_terms()])
                .collect::<Vec<_>>()
                .join("\n")
        };
        let (alone, spread) = (all(site(None)), all(site(Some("c"))));
        assert!(
            !alone.contains("Replicated")
                && !alone.contains("CLUSTER")
                && !alone.contains("_local")
        );
        assert_eq!(spread.matches("Distributed(c, d, ").count(), 3);
        assert_eq!(spread.matches("ENGINE = Replicated").count(), TABLES.len());
    }

    #[test]
    fn a_majority_of_copies_is_asked_for() {
        for (copies, want) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            assert_eq!(majority(copies), want, "{copies}");
        }
    }
}
