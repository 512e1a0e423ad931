//! Where a library is: in a directory, or in a store that other engines run. `likeness store`.

use crate::Outcome;
use crate::args::{LibraryPath, Store};
use anyhow::bail;
use likeness::{Directory, LibraryError, Place};
use std::sync::Arc;

/// How the address of a store on ClickHouse begins.
const CLICKHOUSE: &str = "clickhouse://";

impl LibraryPath {
    /// The library's place.
    pub(super) fn place(&self) -> anyhow::Result<Arc<dyn Place>> {
        self.place_for(false)
    }

    /// The library's place; with `partial`, what a store does not answer may lack in an answer.
    pub(super) fn place_for(&self, partial: bool) -> anyhow::Result<Arc<dyn Place>> {
        let address = self.path.to_str().unwrap_or_default();
        let store = store(address, partial);
        if store.is_none() && address.contains("://") {
            bail!("{address}: no store is addressed so; known: {CLICKHOUSE}HOST:PORT/DATABASE");
        }
        Ok(store.unwrap_or_else(|| Ok(Arc::new(Directory(self.path.clone()))))?)
    }
}

/// The store of an address, `None` if it is none.
pub(super) fn store(address: &str, partial: bool) -> Option<Result<Arc<dyn Place>, LibraryError>> {
    let clickhouse = address.starts_with(CLICKHOUSE);
    clickhouse.then(|| on_clickhouse(address, partial))
}

#[cfg(feature = "clickhouse")]
fn on_clickhouse(address: &str, partial: bool) -> Result<Arc<dyn Place>, LibraryError> {
    let mut store = likeness_clickhouse::ClickHouse::at(address)?;
    store.allow_partial(partial);
    Ok(Arc::new(store))
}

#[cfg(not(feature = "clickhouse"))]
fn on_clickhouse(_: &str, _: bool) -> Result<Arc<dyn Place>, LibraryError> {
    Err(LibraryError::Store(likeness::StoreError::Remote {
        place: CLICKHOUSE.to_owned(),
        reason: "this program was built without the feature \"clickhouse\"".to_owned(),
    }))
}

/// Sets a store up.
pub(super) fn prepare(args: &Store, quiet: bool) -> anyhow::Result<Outcome> {
    let Store::Init { library, cluster } = args;
    let Some(address) = library.path.to_str().filter(|p| p.starts_with(CLICKHOUSE)) else {
        let path = library.path.display();
        bail!("{path}: a library in a directory is made by adding to it; --store takes an address");
    };
    let told = init(address, cluster.as_deref())?;
    if !quiet {
        println!("{told}");
    }
    Ok(Outcome::Done)
}

#[cfg(feature = "clickhouse")]
fn init(address: &str, cluster: Option<&str>) -> anyhow::Result<String> {
    let store = likeness_clickhouse::ClickHouse::at(address)?;
    let outcome = store.init(cluster, &likeness::extractors())?;
    Ok(format!("{store}: {outcome}"))
}

#[cfg(not(feature = "clickhouse"))]
fn init(address: &str, _: Option<&str>) -> anyhow::Result<String> {
    // Says why not.
    on_clickhouse(address, false)?;
    Ok(String::new())
}
