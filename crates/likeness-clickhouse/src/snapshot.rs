//! One state of a store, for matching.

use crate::catalogue::{Catalogue, Row};
use crate::rows::postings;
use crate::schema::Schema;
use crate::session::Session;
use likeness_core::report::Media;
use likeness_core::{
    AudioFingerprint, Posting, PostingSpace, ReferenceId, Stretches, VideoFingerprint, WireError,
};
use likeness_index::{
    Collection, Entry, Estimate, Extent, LibraryError, SPACES, Store, StoreError, TermDirectory,
};
use rayon::slice::ParallelSliceMut;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Fingerprints that are kept at hand, bytes as they are stored.
const KEPT: u64 = 256 << 20;

/// A store as its catalogue was when it was opened. What is added later is not seen; what is removed later
/// still is.
#[derive(Debug)]
pub struct Snapshot {
    session: Arc<Session>,
    catalogue: Catalogue,
    /// Hours of live references: of sound, of picture.
    hours: [f64; 2],
    extent: Extent,
    /// How often each term occurs, read when it is first asked for.
    terms: Once<[TermDirectory; SPACES]>,
    /// All curves of motion, which are searched one by one: a copy of them is small.
    motion: Once<Vec<Posting>>,
    audio: Mutex<Kept<AudioFingerprint>>,
    video: Mutex<Kept<VideoFingerprint>>,
}

/// What is read when it is first asked for.
type Once<T> = Mutex<Option<Arc<T>>>;

/// Fingerprints at hand.
#[derive(Debug)]
struct Kept<F> {
    prints: HashMap<ReferenceId, Arc<F>>,
    bytes: u64,
}

impl<F> Default for Kept<F> {
    fn default() -> Kept<F> {
        Kept {
            prints: HashMap::new(),
            bytes: 0,
        }
    }
}

impl Snapshot {
    pub(crate) fn read(session: Arc<Session>, schema: Schema) -> Result<Snapshot, LibraryError> {
        let catalogue = Catalogue::read(&session)?;
        let extent = extent(&session, &catalogue, &schema)?;
        Ok(Snapshot {
            hours: hours(&catalogue),
            session,
            catalogue,
            extent,
            terms: Mutex::default(),
            motion: Mutex::default(),
            audio: Mutex::default(),
            video: Mutex::default(),
        })
    }

    fn row(&self, reference: ReferenceId) -> Option<&Row> {
        self.catalogue.rows.get(&reference.0).filter(|row| row.live)
    }

    /// What is known already, or read now; kept unless a part of the store did not answer.
    fn once<T>(
        &self,
        slot: &Once<T>,
        read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        let lock = || slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*lock() {
            return Ok(known.clone());
        }
        // Without the lock: a thread that sorts in parallel may take up another look-up meanwhile, which
        // would wait for itself.
        let lapses = self.session.lapses();
        let now = Arc::new(read()?);
        if self.session.lapses() == lapses {
            *lock() = Some(now.clone());
        }
        Ok(now)
    }

    /// The directory of each space's terms.
    fn terms(&self) -> Result<[TermDirectory; SPACES], StoreError> {
        let sql = format!(
            "SELECT space, prefix, toUInt64(sum(postings)) FROM {}.term GROUP BY space, prefix \
             ORDER BY space, prefix",
            self.session.database
        );
        let counts = self
            .session
            .rows(&sql, |row| Ok((row.u8()?, row.u64()?, row.u64()?)))?;
        let of = |wanted: PostingSpace| {
            let own = counts
                .iter()
                .filter(|(space, _, _)| *space == number(wanted));
            let fine = wanted.fine_bits();
            TermDirectory::new(own.map(|&(_, prefix, count)| (prefix << fine, count)))
        };
        Ok(PostingSpace::ALL.map(of))
    }

    /// Postings of terms that lack their `free` lowest bits, in order, of live references only.
    fn fetch(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
    ) -> Result<Vec<Posting>, StoreError> {
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        // A list of literals takes the server seconds to read, a text of the same numbers none.
        let mut list = String::with_capacity(terms.len() * 8);
        for term in terms {
            let comma = if list.is_empty() { "" } else { "," };
            let _ = write!(list, "{comma}{term}");
        }
        let sql = format!(
            "SELECT term, reference, time, payload FROM {}.posting WHERE space = {} AND {} IN \
             (SELECT arrayJoin(arrayMap(x -> toUInt64(x), splitByChar(',', '{list}'))))",
            self.session.database,
            number(space),
            asked(space, free)
        );
        let answer = self.session.read(&sql)?;
        let found = postings(&answer).ok_or_else(|| self.session.strange("it breaks off"))?;
        let mut found: Vec<Posting> = found.filter(|p| self.row(p.reference).is_some()).collect();
        found.par_sort_unstable();
        Ok(found)
    }

    /// All curves of motion.
    fn motion(&self) -> Result<Vec<Posting>, StoreError> {
        let terms = self.session.rows(
            &format!(
                "SELECT DISTINCT prefix FROM {}.posting WHERE space = {}",
                self.session.database,
                number(PostingSpace::VideoMotion)
            ),
            |row| row.u64(),
        )?;
        self.fetch(PostingSpace::VideoMotion, 0, &terms)
    }

    /// A fingerprint of a live reference that has one.
    fn print<F>(
        &self,
        reference: ReferenceId,
        media: u8,
        kept: &Mutex<Kept<F>>,
        decode: impl Fn(&[u8]) -> Result<F, WireError>,
    ) -> Result<Option<Arc<F>>, StoreError> {
        let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().prints.get(&reference) {
            return Ok(Some(known.clone()));
        }
        let lapses = self.session.lapses();
        let sql = format!(
            "SELECT bytes FROM {}.fingerprint WHERE reference = {} AND media = {media}",
            self.session.database, reference.0
        );
        let rows = self.session.rows(&sql, |row| Ok(row.block()?.to_vec()))?;
        let Some(bytes) = rows.first() else {
            // What is in the catalogue must be there, unless a part of the store may lack.
            return match self.session.lapses() == lapses {
                true => Err(self
                    .session
                    .refuse(format!("reference {} has no fingerprint", reference.0))),
                false => Ok(None),
            };
        };
        let print = decode(bytes).map_err(|e| {
            self.session
                .refuse(format!("the fingerprint of reference {}: {e}", reference.0))
        })?;
        let print = Arc::new(print);
        let mut kept = lock();
        if kept.bytes + bytes.len() as u64 > KEPT {
            *kept = Kept::default();
        }
        kept.bytes += bytes.len() as u64;
        kept.prints.insert(reference, print.clone());
        Ok(Some(print))
    }
}

impl Store for Snapshot {
    fn postings(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
        sink: &mut dyn FnMut(usize, Posting),
    ) -> Result<(), StoreError> {
        let found = match space {
            PostingSpace::VideoMotion => self.once(&self.motion, || self.motion())?,
            _ => Arc::new(self.fetch(space, free, terms)?),
        };
        let mut at = 0;
        for posting in found.iter() {
            let term = posting.term >> free;
            while terms.get(at).is_some_and(|wanted| *wanted < term) {
                at += 1;
            }
            if terms.get(at) == Some(&term) {
                sink(at, *posting);
            }
        }
        Ok(())
    }

    fn estimates(
        &self,
        space: PostingSpace,
        free: u32,
        terms: &[u64],
    ) -> Result<Vec<Estimate>, StoreError> {
        let directories = self.once(&self.terms, || self.terms())?;
        Ok(directories[usize::from(number(space))].estimates(free, terms))
    }

    fn audio(&self, reference: ReferenceId) -> Result<Option<Arc<AudioFingerprint>>, StoreError> {
        match self.row(reference).map(|row| row.entry.audio()) {
            Some(state) if state.analysed().is_some() => {
                self.print(reference, 0, &self.audio, AudioFingerprint::decode)
            }
            _ => Ok(None),
        }
    }

    fn video(&self, reference: ReferenceId) -> Result<Option<Arc<VideoFingerprint>>, StoreError> {
        match self.row(reference).map(|row| row.entry.video()) {
            Some(state) if state.analysed().is_some() => {
                self.print(reference, 1, &self.video, VideoFingerprint::decode)
            }
            _ => Ok(None),
        }
    }

    fn hours(&self, media: Media) -> f64 {
        match media {
            Media::Audio => self.hours[0],
            Media::Video => self.hours[1],
        }
    }

    fn excluded(&self, _: ReferenceId) -> Option<&Stretches> {
        None
    }

    fn references(&self) -> Vec<ReferenceId> {
        self.catalogue.live().map(|row| row.entry.id).collect()
    }
}

impl Collection for Snapshot {
    fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        Box::new(self.catalogue.live().map(|row| &row.entry))
    }

    fn entry(&self, reference: ReferenceId) -> Option<&Entry> {
        self.row(reference).map(|row| &row.entry)
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn lapses(&self) -> u64 {
        self.session.lapses()
    }
}

/// A term without its `free` lowest bits, in the servers' language. The table is sorted by terms without their
/// fine bits; of other numbers of bits old servers do not see that they ascend with these, and read
/// the whole space.
fn asked(space: PostingSpace, free: u32) -> String {
    let fine = space.fine_bits();
    match free.checked_sub(fine) {
        Some(0) => "prefix".to_owned(),
        Some(more) => format!("intDiv(prefix, {})", 1u64 << more),
        None => format!("intDiv(term, {})", 1u64 << free),
    }
}

/// A space's number, as in [`PostingSpace::ALL`].
pub(crate) fn number(space: PostingSpace) -> u8 {
    match space {
        PostingSpace::AudioLandmark => 0,
        PostingSpace::VideoKeypoint => 1,
        PostingSpace::VideoMotion => 2,
    }
}

/// Hours of what has sound, of what has a picture; in the order of a library in a directory, so that sums
/// come out the same to the last digit.
fn hours(catalogue: &Catalogue) -> [f64; 2] {
    let mut seconds = [0.0; 2];
    for row in catalogue.live() {
        let states = [row.entry.audio(), row.entry.video()];
        for (sum, state) in seconds.iter_mut().zip(states) {
            if state.analysed().is_some() {
                *sum += row.entry.duration;
            }
        }
    }
    seconds.map(|seconds| seconds / 3600.0)
}

/// What the store takes: of each shard one copy's parts are counted.
fn extent(session: &Session, catalogue: &Catalogue, schema: &Schema) -> Result<Extent, StoreError> {
    let cluster = session.rows(
        &format!(
            "SELECT engine_full FROM system.tables WHERE database = '{}' AND name = 'posting'",
            session.database
        ),
        |row| Ok(String::from_utf8_lossy(row.block()?).into_owned()),
    )?;
    let cluster = cluster.first().and_then(|engine| {
        let inside = engine.strip_prefix("Distributed(")?;
        Some(
            inside
                .split(',')
                .next()?
                .trim()
                .trim_matches('\'')
                .to_owned(),
        )
    });
    let parts = match &cluster {
        Some(cluster) => format!("cluster('{cluster}', system.parts)"),
        None => "system.parts".to_owned(),
    };
    let sql = format!(
        "SELECT toUInt64(sum(bytes_on_disk)), toUInt64(count()) FROM {parts} WHERE database = '{}' AND active",
        session.database
    );
    // The catalogue can be looked at all the same when a shard is gone.
    let answer = session.read_what_answers(&sql)?;
    let sums = session.decode(&answer, |row| Ok((row.u64()?, row.u64()?)))?;
    let (bytes, files) = sums.first().copied().unwrap_or_default();
    let mut postings = [0; SPACES];
    for row in catalogue.rows.values() {
        for (sum, own) in postings.iter_mut().zip(row.postings) {
            *sum += own;
        }
    }
    Ok(Extent {
        removed: catalogue.rows.len() - catalogue.live().count(),
        postings,
        bytes,
        files: files as usize,
        generation: catalogue.generation,
        format_version: schema.version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_is_sorted_by_is_asked_for_as_it_is() {
        let fine = PostingSpace::VideoKeypoint.fine_bits();
        for (space, free, want) in [
            (PostingSpace::AudioLandmark, 0, "prefix".to_owned()),
            (PostingSpace::VideoKeypoint, fine, "prefix".to_owned()),
            (
                PostingSpace::VideoKeypoint,
                fine + 3,
                "intDiv(prefix, 8)".to_owned(),
            ),
            (
                PostingSpace::VideoKeypoint,
                fine - 4,
                format!("intDiv(term, {})", 1 << (fine - 4)),
            ),
        ] {
            assert_eq!(asked(space, free), want);
        }
    }
}
