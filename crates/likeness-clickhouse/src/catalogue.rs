//! The table `reference`: what there is. Its rows are never changed; of those of one reference the one of
//! the highest version counts.

use crate::session::Session;
use likeness_core::{ContentHash, Posting, Reader, ReferenceId, StreamState, WireError, Writer};
use likeness_index::{Entry, SPACES, StoreError};
use std::collections::BTreeMap;

/// The table's columns, in the order of [`Row`].
pub(crate) const COLUMNS: &str = "id UInt32, version UInt64, live UInt8, identifier String, content String, \
    duration Float64, added UInt64, audio UInt8, audio_bytes UInt64, video UInt8, video_bytes UInt64, \
    audio_landmarks UInt64, video_keypoints UInt64, video_motion UInt64";
const NAMES: &str = "id, version, live, identifier, content, duration, added, audio, audio_bytes, video, \
    video_bytes, audio_landmarks, video_keypoints, video_motion";

/// What is known of a reference.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) entry: Entry,
    pub(crate) version: u64,
    pub(crate) live: bool,
    /// Its postings by space.
    pub(crate) postings: [u64; SPACES],
}

impl Row {
    /// Appends the row.
    pub(crate) fn put(&self, out: &mut Writer) {
        let entry = &self.entry;
        out.u32(entry.id.0);
        out.u64(self.version);
        out.u8(self.live.into());
        out.block(entry.identifier.as_bytes());
        out.block(&entry.content);
        out.f64(entry.duration);
        out.u64(entry.added);
        for state in [entry.audio(), entry.video()] {
            out.u8(state.code());
            out.u64(*state.analysed().unwrap_or(&0));
        }
        self.postings.iter().for_each(|count| out.u64(*count));
    }

    fn read(row: &mut Reader<'_>) -> Result<Row, WireError> {
        let id = ReferenceId(row.u32()?);
        let version = row.u64()?;
        let live = row.u8()? == 1;
        let identifier = std::str::from_utf8(row.block()?);
        let identifier = identifier
            .map_err(|_| WireError::OutOfRange("identifier"))?
            .to_owned();
        let content = ContentHash::try_from(row.block()?);
        let content = content.map_err(|_| WireError::OutOfRange("content"))?;
        let duration = row.f64("duration")?;
        let added = row.u64()?;
        let mut state = || -> Result<StreamState<u64>, WireError> {
            let (code, bytes) = (row.u8()?, row.u64()?);
            StreamState::from_code(code, || Ok(bytes))
        };
        let (audio, video) = (state()?, state()?);
        let mut postings = [0; SPACES];
        for count in &mut postings {
            *count = row.u64()?;
        }
        Ok(Row {
            entry: Entry::new(id, identifier, content, duration, added, audio, video),
            version,
            live,
            postings,
        })
    }
}

/// What there is, and what there was.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// The newest row of each reference, by number.
    pub(crate) rows: BTreeMap<u32, Row>,
    /// The highest version.
    pub(crate) generation: u64,
}

impl Catalogue {
    pub(crate) fn read(session: &Session) -> Result<Catalogue, StoreError> {
        let sql = format!(
            "SELECT {NAMES} FROM {}.reference ORDER BY id, version",
            session.database
        );
        let all = session.rows(&sql, Row::read)?;
        let generation = all.iter().map(|row| row.version).max().unwrap_or(0);
        // The later one of the same number takes the earlier one's place.
        let rows = all.into_iter().map(|row| (row.entry.id.0, row)).collect();
        Ok(Catalogue { rows, generation })
    }

    /// The highest version alone.
    pub(crate) fn generation(session: &Session) -> Result<u64, StoreError> {
        let sql = format!("SELECT max(version) FROM {}.reference", session.database);
        let rows = session.rows(&sql, |row| row.u64())?;
        Ok(rows.first().copied().unwrap_or(0))
    }

    /// References that are there, ascending.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(|row| row.live)
    }
}

/// A reference's postings by space.
pub(crate) fn count(postings: &[Vec<Posting>; SPACES]) -> [u64; SPACES] {
    std::array::from_fn(|space| postings[space].len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let (audio, video) = (StreamState::Analysed(77), StreamState::TooShort);
        let row = Row {
            entry: Entry::new(
                ReferenceId(9),
                "a/ü 'x'\n.mp3".to_owned(),
                [3; 32],
                1.5,
                17,
                audio,
                video,
            ),
            version: 4,
            live: true,
            postings: [5, 0, 1 << 33],
        };
        let mut out = Writer::new();
        row.put(&mut out);
        let bytes = out.into_bytes();
        let mut reader = Reader::new(&bytes);
        let read = Row::read(&mut reader).expect("a row");
        assert!(reader.finish().is_ok());
        assert_eq!((read.entry, read.version, read.live), (row.entry, 4, true));
        assert_eq!(read.postings, row.postings);
        for cut in 0..bytes.len() {
            assert!(Row::read(&mut Reader::new(&bytes[..cut])).is_err(), "{cut}");
        }
    }
}
