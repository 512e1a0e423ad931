//! The one writer of a store.

use crate::catalogue::{Catalogue, Row, count};
use crate::lease::Lease;
use crate::rows::put_posting;
use crate::session::{Session, Spread};
use likeness_core::{ContentHash, PostingSpace, ReferenceId, Stretches, Writer as Encoder};
use likeness_index::{
    Editor, Entry, LibraryError, NewReference, Snapshot as LocalSnapshot, StoreError,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of one insertion: some hundred thousand postings.
const INSERTION: usize = 24 << 20;

/// Adds references and buries them.
#[derive(Debug)]
pub(crate) struct Writer {
    session: Arc<Session>,
    path: PathBuf,
    lease: Lease,
    by_identifier: HashMap<String, Row>,
    by_content: HashMap<ContentHash, String>,
    generation: u64,
    next: u32,
    /// A publication failed, so what is published is unknown.
    abandoned: bool,
}

impl Writer {
    pub(crate) fn open(session: Arc<Session>, path: PathBuf) -> Result<Writer, LibraryError> {
        let lease = Lease::take(session.clone(), &path)?;
        let catalogue = Catalogue::read(&session)?;
        let next = next_number(&session, &catalogue, &path)?;
        let mut writer = Writer {
            session,
            path,
            lease,
            by_identifier: HashMap::new(),
            by_content: HashMap::new(),
            generation: catalogue.generation,
            next,
            abandoned: false,
        };
        catalogue
            .live()
            .for_each(|row| writer.remember(row.clone()));
        Ok(writer)
    }

    /// What can be written is written by this process alone.
    fn expect_sole(&self) -> Result<(), LibraryError> {
        match self.abandoned || !self.lease.holds() {
            true => Err(LibraryError::Abandoned {
                path: self.path.clone(),
            }),
            false => Ok(()),
        }
    }

    fn number(&mut self) -> Result<ReferenceId, LibraryError> {
        let number = self.next;
        self.next = number.checked_add(1).ok_or_else(|| full(&self.path))?;
        Ok(ReferenceId(number))
    }

    /// Writes what is published later. The order matters: a number of which there is a posting has a
    /// fingerprint, so that it is known to be taken.
    fn store(&self, numbered: &[(ReferenceId, NewReference)]) -> Result<Vec<[u64; 2]>, StoreError> {
        let mut sizes = Vec::with_capacity(numbered.len());
        let mut prints = Batch::new(&self.session, "fingerprint");
        for (id, reference) in numbered {
            let audio = reference
                .fingerprint
                .audio
                .analysed()
                .map(|audio| audio.encode());
            let video = reference
                .fingerprint
                .video
                .analysed()
                .map(|video| video.encode());
            let mut size = [0; 2];
            for (media, bytes) in [audio, video].into_iter().enumerate() {
                if let Some(bytes) = bytes {
                    size[media] = bytes.len() as u64;
                    let mut row = Encoder::new();
                    row.u32(id.0);
                    row.u8(media as u8);
                    row.block(&bytes);
                    prints.push(|out| out.extend_from_slice(&row.into_bytes()))?;
                }
            }
            sizes.push(size);
        }
        prints.finish()?;
        let mut postings = Batch::new(&self.session, "posting");
        for (id, reference) in numbered {
            for (space, own) in PostingSpace::ALL.into_iter().zip(&reference.postings) {
                for posting in own {
                    let posting = likeness_core::Posting {
                        reference: *id,
                        ..*posting
                    };
                    postings.push(|out| put_posting(space, &posting, out))?;
                }
            }
        }
        postings.finish()?;
        Ok(sizes)
    }

    /// Makes rows of the catalogue hold, all at once.
    fn publish(&mut self, rows: &[Row]) -> Result<(), LibraryError> {
        self.expect_sole()?;
        let mut out = Encoder::new();
        rows.iter().for_each(|row| row.put(&mut out));
        self.abandoned = true;
        self.session
            .insert("reference", Spread::Everywhere, &out.into_bytes())?;
        self.abandoned = false;
        self.generation += 1;
        Ok(())
    }

    /// A row that says that a reference is gone.
    fn burial(&self, row: &Row) -> Row {
        Row {
            version: self.generation + 1,
            live: false,
            ..row.clone()
        }
    }

    fn remember(&mut self, row: Row) {
        self.forget(&row.entry.identifier.clone());
        let identifier = row.entry.identifier.clone();
        self.by_content
            .insert(row.entry.content, identifier.clone());
        self.by_identifier.insert(identifier, row);
    }

    fn forget(&mut self, identifier: &str) {
        if let Some(old) = self.by_identifier.remove(identifier)
            && self
                .by_content
                .get(&old.entry.content)
                .is_some_and(|name| name == identifier)
        {
            self.by_content.remove(&old.entry.content);
        }
    }

    fn unsupported<T>(&self, what: &'static str) -> Result<T, LibraryError> {
        let path = self.path.clone();
        Err(LibraryError::Unsupported { path, what })
    }
}

impl Editor for Writer {
    fn place(&self) -> &Path {
        &self.path
    }

    fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        Box::new(self.by_identifier.values().map(|row| &row.entry))
    }

    fn by_identifier(&self, identifier: &str) -> Option<&Entry> {
        self.by_identifier.get(identifier).map(|row| &row.entry)
    }

    fn by_content(&self, content: &ContentHash) -> Option<&Entry> {
        self.by_identifier(self.by_content.get(content)?)
    }

    fn commit(&mut self, references: Vec<NewReference>) -> Result<Vec<ReferenceId>, LibraryError> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        self.expect_sole()?;
        let mut numbered = Vec::with_capacity(references.len());
        for reference in references {
            numbered.push((self.number()?, reference));
        }
        let sizes = self.store(&numbered)?;
        let version = self.generation + 1;
        let mut rows: Vec<Row> = Vec::new();
        for ((id, reference), [audio, video]) in numbered.iter().zip(sizes) {
            let (name, print) = (&reference.identifier, &reference.fingerprint);
            // Of two new ones of one name the later one stays.
            for row in rows
                .iter_mut()
                .filter(|row| row.live && row.entry.identifier == *name)
            {
                row.live = false;
            }
            rows.push(Row {
                entry: Entry::new(
                    *id,
                    name.clone(),
                    print.content,
                    print.duration,
                    reference.added,
                    print.audio.as_ref().map(|_| audio),
                    print.video.as_ref().map(|_| video),
                ),
                version,
                live: true,
                postings: count(&reference.postings),
            });
        }
        let mut names: Vec<&str> = numbered
            .iter()
            .map(|(_, r)| r.identifier.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let replaced = names
            .iter()
            .filter_map(|name| self.by_identifier.get(*name));
        let mut all: Vec<Row> = replaced.map(|row| self.burial(row)).collect();
        all.extend(rows.iter().cloned());
        self.publish(&all)?;
        let ids = rows.iter().map(|row| row.entry.id).collect();
        rows.into_iter()
            .filter(|row| row.live)
            .for_each(|row| self.remember(row));
        Ok(ids)
    }

    fn remove(&mut self, identifiers: &[&str]) -> Result<Vec<String>, LibraryError> {
        let mut names: Vec<String> = identifiers
            .iter()
            .filter(|name| self.by_identifier.contains_key(**name))
            .map(|name| (*name).to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Ok(names);
        }
        let rows = names.iter().filter_map(|name| self.by_identifier.get(name));
        let burials: Vec<Row> = rows.map(|row| self.burial(row)).collect();
        self.publish(&burials)?;
        names.iter().for_each(|name| self.forget(name));
        Ok(names)
    }

    /// The servers merge what they hold by themselves.
    fn tidy(&mut self) -> Result<(), LibraryError> {
        Ok(())
    }

    fn compact(&mut self) -> Result<(), LibraryError> {
        self.unsupported("give the space of removed references back")
    }

    fn import(
        &mut self,
        _: &LocalSnapshot,
        _: &dyn Fn(&Entry) -> bool,
    ) -> Result<usize, LibraryError> {
        self.unsupported("merge libraries")
    }

    fn excluded(&self, _: ReferenceId) -> Option<&Stretches> {
        None
    }

    fn exclude(&mut self, _: &str, _: Stretches) -> Result<bool, LibraryError> {
        self.unsupported("exclude stretches")
    }
}

/// Rows that are written together.
struct Batch<'a> {
    session: &'a Session,
    table: &'static str,
    rows: Vec<u8>,
}

impl<'a> Batch<'a> {
    fn new(session: &'a Session, table: &'static str) -> Batch<'a> {
        Batch {
            session,
            table,
            rows: Vec::new(),
        }
    }

    fn push(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), StoreError> {
        put(&mut self.rows);
        match self.rows.len() >= INSERTION {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.session
            .insert(self.table, Spread::Shards, &self.rows)?;
        self.rows.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), StoreError> {
        self.flush()
    }
}

/// The first number that nothing has, published or not.
fn next_number(session: &Session, catalogue: &Catalogue, path: &Path) -> Result<u32, LibraryError> {
    let sql = format!(
        "SELECT toUInt64(max(reference) + 1) FROM {}.fingerprint HAVING count() > 0",
        session.database
    );
    let stored = session.rows(&sql, |row| row.u64())?;
    let published = catalogue
        .rows
        .keys()
        .next_back()
        .map(|last| u64::from(*last) + 1);
    let next = stored.into_iter().chain(published).max().unwrap_or(0);
    u32::try_from(next).map_err(|_| full(path))
}

fn full(path: &Path) -> LibraryError {
    let path = path.to_owned();
    LibraryError::Full { path }
}
