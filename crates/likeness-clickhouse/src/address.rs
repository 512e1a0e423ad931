//! Addresses of stores, and the stores as places.

use crate::catalogue::Catalogue;
use crate::editor::Writer;
use crate::schema::{self, Prepared, Schema};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::verify::verify;
use likeness_index::{
    Collection, Editor, Extractors, FileCheck, LibraryError, Place, Stamp, StoreError,
};
use std::fmt::{Debug, Display, Formatter};
use std::path::PathBuf;
use std::sync::Arc;

/// How addresses begin.
const SCHEME: &str = "clickhouse://";

/// A library on ClickHouse: `clickhouse://[USER:PASSWORD@]HOST:PORT[,HOST:PORT...]/DATABASE`, with the
/// ports of the HTTP interface. Any of the hosts will do; the others are asked when it does not answer.
#[derive(Clone)]
pub struct ClickHouse {
    pub(crate) hosts: Vec<String>,
    pub(crate) user: Option<(String, String)>,
    pub(crate) database: String,
    pub(crate) partial: bool,
}

impl ClickHouse {
    /// Reads an address. Connects to nothing.
    ///
    /// # Errors
    /// It is no address of a store.
    pub fn at(address: &str) -> Result<ClickHouse, LibraryError> {
        parse(address).ok_or_else(|| {
            // What was given may hold a password.
            let reason = format!("not of the form {SCHEME}HOST:PORT/DATABASE");
            let place = SCHEME.to_owned();
            StoreError::Remote { place, reason }.into()
        })
    }

    /// Whether an answer may lack what a part of the store holds that does not answer. Such answers are
    /// counted, see [`Collection::lapses`]. Otherwise they are errors.
    pub fn allow_partial(&mut self, allow: bool) {
        self.partial = allow;
    }

    /// Makes the tables, on the servers of `cluster` or on the one that is asked, or brings those of an
    /// older program up to date.
    ///
    /// # Errors
    /// The servers do not answer, or refuse; tables of a newer program or of other extractors.
    pub fn init(
        &self,
        cluster: Option<&str>,
        extractors: &Extractors,
    ) -> Result<Prepared, LibraryError> {
        schema::init(&Session::new(self), cluster, extractors)
    }

    /// A session with tables that fit.
    fn session(&self, extractors: &Extractors) -> Result<(Arc<Session>, Schema), LibraryError> {
        let mut session = Session::new(self);
        let schema = Schema::read(&session, Some(extractors))?;
        session.expect_quorum(&schema)?;
        Ok((Arc::new(session), schema))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.to_string().into()
    }
}

fn parse(address: &str) -> Option<ClickHouse> {
    let rest = address.strip_prefix(SCHEME)?;
    let (rest, database) = rest.rsplit_once('/')?;
    let (user, hosts) = match rest.rsplit_once('@') {
        Some((user, hosts)) => {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            (Some((user.to_owned(), password.to_owned())), hosts)
        }
        None => (None, rest),
    };
    let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
    let good = |host: &String| {
        let (name, port) = host.rsplit_once(':').unwrap_or(("", ""));
        let named = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        !name.is_empty() && name.chars().all(named) && port.parse::<u16>().is_ok()
    };
    let good = hosts.iter().all(good) && schema::is_name(database);
    good.then(|| ClickHouse {
        hosts,
        user,
        database: database.to_owned(),
        partial: false,
    })
}

/// Without user and password.
impl Display for ClickHouse {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.hosts.join(","), self.database)
    }
}

impl Debug for ClickHouse {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

impl Place for ClickHouse {
    fn open(&self, extractors: &Extractors) -> Result<Box<dyn Collection>, LibraryError> {
        let (session, schema) = self.session(extractors)?;
        Ok(Box::new(Snapshot::read(session, schema)?))
    }

    fn browse(&self, extractors: &Extractors) -> Result<Box<dyn Collection>, LibraryError> {
        self.open(extractors)
    }

    /// The tables must be there: making them takes a decision that [`ClickHouse::init`] is told.
    fn write(&self, extractors: &Extractors, _: bool) -> Result<Box<dyn Editor>, LibraryError> {
        let (session, _) = self.session(extractors)?;
        Ok(Box::new(Writer::open(session, self.path())?))
    }

    fn stamp(&self) -> Option<Stamp> {
        let generation = Catalogue::generation(&Session::new(self)).ok()?;
        Some(Stamp([generation, 0, 0, 0]))
    }

    fn verify(&self) -> Result<Vec<FileCheck>, LibraryError> {
        let mut session = Session::new(self);
        let schema = Schema::read(&session, None)?;
        session.expect_quorum(&schema)?;
        verify(&session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_hosts_and_a_database() {
        let check = |address: &str, want: Option<&str>| {
            let place = ClickHouse::at(address).ok();
            assert_eq!(place.map(|p| p.to_string()).as_deref(), want, "{address}");
        };
        check(
            "clickhouse://h:8123/music",
            Some("clickhouse://h:8123/music"),
        );
        check(
            "clickhouse://a:1,b-2.c:3/d_e",
            Some("clickhouse://a:1,b-2.c:3/d_e"),
        );
        check(
            "clickhouse://[::1]:8123/x",
            Some("clickhouse://[::1]:8123/x"),
        );
        // Secrets stay out of messages.
        check("clickhouse://u:p@h:1/x", Some("clickhouse://h:1/x"));
        for address in [
            "clickhouse://",
            "clickhouse://h/x",
            "clickhouse://h:1",
            "clickhouse://h:1/",
            "clickhouse://h:1/x y",
            "clickhouse://h:1/x;DROP",
            "clickhouse://h:99999/x",
            "clickhouse://h:1,/x",
            "http://h:1/x",
            "/srv/library",
        ] {
            check(address, None);
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told_without_its_password() {
        let error = ClickHouse::at("clickhouse://u:secret@h/x").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
