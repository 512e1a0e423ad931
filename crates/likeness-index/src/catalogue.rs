//! Catalogue entries: what a library knows of a reference besides its fingerprints.

use crate::checksum::Span;
use likeness_core::wire::{Reader, WireError, Writer};
use likeness_core::{ContentHash, MAX_SECONDS, ReferenceId, StreamState};

/// Least bytes of an encoded entry: id, identifier's length, content, duration, time, two states.
const MIN_ENTRY: usize = 1 + 1 + 32 + 8 + 1 + 2;

/// What a library knows of one reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Number inside this library; never reused.
    pub id: ReferenceId,
    /// Name under which it was added; unique among the live references.
    pub identifier: String,
    /// Hash of the media file that was fingerprinted.
    pub content: ContentHash,
    /// Seconds of the longest analysed stream.
    pub duration: f64,
    /// When it was added, seconds since 1970 (UTC).
    pub added: u64,
    pub(crate) audio: StreamState<Span>,
    pub(crate) video: StreamState<Span>,
}

impl Entry {
    /// An entry of a catalogue that is kept elsewhere. Of streams that were fingerprinted the encoded
    /// bytes are counted.
    pub fn new(
        id: ReferenceId,
        identifier: String,
        content: ContentHash,
        duration: f64,
        added: u64,
        audio: StreamState<u64>,
        video: StreamState<u64>,
    ) -> Entry {
        let span = |len| Span { start: 0, len };
        Entry {
            id,
            identifier,
            content,
            duration,
            added,
            audio: audio.map(span),
            video: video.map(span),
        }
    }

    /// What became of the sound; if it was fingerprinted, the fingerprint's encoded bytes.
    pub fn audio(&self) -> StreamState<u64> {
        self.audio.clone().map(|span| span.len)
    }

    /// What became of the picture; if it was fingerprinted, the fingerprint's encoded bytes.
    pub fn video(&self) -> StreamState<u64> {
        self.video.clone().map(|span| span.len)
    }
}

/// Encodes entries, which ascend by id.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut w = Writer::new();
    w.varint(entries.len() as u64);
    for entry in entries {
        w.varint(entry.id.0.into());
        w.block(entry.identifier.as_bytes());
        w.bytes(&entry.content);
        w.f64(entry.duration);
        w.varint(entry.added);
        for state in [&entry.audio, &entry.video] {
            w.u8(state.code());
            if let Some(span) = state.analysed() {
                span.encode(&mut w);
            }
        }
    }
    w.into_bytes()
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, WireError> {
    let mut r = Reader::new(bytes);
    let count = r.count(MIN_ENTRY, "number of references")?;
    let entries: Vec<Entry> = (0..count)
        .map(|_| decode_entry(&mut r))
        .collect::<Result<_, _>>()?;
    r.finish()?;
    match entries.is_sorted_by(|a, b| a.id < b.id) {
        true => Ok(entries),
        false => Err(WireError::OutOfRange("order of references")),
    }
}

fn decode_entry(r: &mut Reader<'_>) -> Result<Entry, WireError> {
    let id = u32::try_from(r.varint()?).map_err(|_| WireError::OutOfRange("reference"))?;
    let identifier = std::str::from_utf8(r.block()?)
        .map_err(|_| WireError::OutOfRange("identifier"))?
        .to_owned();
    let mut content = [0; 32];
    content.copy_from_slice(r.bytes(32)?);
    let duration = r.f64("duration")?;
    // The hours of all say what chance gives.
    if !(0.0..=MAX_SECONDS).contains(&duration) {
        return Err(WireError::OutOfRange("duration"));
    }
    Ok(Entry {
        id: ReferenceId(id),
        identifier,
        content,
        duration,
        added: r.varint()?,
        audio: decode_state(r)?,
        video: decode_state(r)?,
    })
}

fn decode_state(r: &mut Reader<'_>) -> Result<StreamState<Span>, WireError> {
    let code = r.u8()?;
    StreamState::from_code(code, || Span::decode(r))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(id: u32, identifier: &str) -> Entry {
        Entry {
            id: ReferenceId(id),
            identifier: identifier.to_owned(),
            content: [id as u8; 32],
            duration: 1.5,
            added: 1_700_000_000,
            audio: StreamState::Analysed(Span {
                start: 300,
                len: 70_000,
            }),
            video: StreamState::TooShort,
        }
    }

    #[test]
    fn round_trip_and_order() {
        let entries = vec![entry(1, "a/ü.mp3"), entry(300, "")];
        assert_eq!(decode(&encode(&entries)), Ok(entries.clone()));
        let swapped: Vec<Entry> = entries.into_iter().rev().collect();
        assert!(decode(&encode(&swapped)).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
