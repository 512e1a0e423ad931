//! The fingerprint of one work, and its portable encoding (FORMAT.md, "Fingerprint file").

use crate::audio::{AudioFingerprint, TICKS_PER_SECOND};
use crate::video::VideoFingerprint;
use crate::wire::{Reader, WireError, Writer};

/// BLAKE3 hash of a media file's bytes: what makes adding idempotent.
pub type ContentHash = [u8; 32];

/// First bytes of every fingerprint file.
pub const MAGIC: [u8; 8] = *b"LIKENESS";
/// Version of the encoding that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// How densely a work is sampled. A reference's fingerprint is always the one that
/// [`Fingerprint::to_reference`] would thin out of the query's: extraction itself is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Density {
    /// Sparse: what the library stores.
    Reference,
    /// Dense: what is looked up.
    Query,
}

/// What extraction found in one stream.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamState<F> {
    /// Fingerprinted.
    Analysed(F),
    /// The file has no such stream.
    Absent,
    /// Silence, or nothing but flat colour.
    Empty,
    /// Too short to match.
    TooShort,
    /// The stream could not be decoded.
    Undecodable,
    /// The user asked not to look at it.
    Skipped,
}

impl<F> StreamState<F> {
    /// The fingerprint, if there is one.
    pub fn analysed(&self) -> Option<&F> {
        match self {
            StreamState::Analysed(f) => Some(f),
            _ => None,
        }
    }

    /// The fingerprint itself, if there is one.
    pub fn into_analysed(self) -> Option<F> {
        match self {
            StreamState::Analysed(f) => Some(f),
            _ => None,
        }
    }

    /// The same outcome, with the fingerprint where it is.
    pub fn as_ref(&self) -> StreamState<&F> {
        match self {
            StreamState::Analysed(found) => StreamState::Analysed(found),
            StreamState::Absent => StreamState::Absent,
            StreamState::Empty => StreamState::Empty,
            StreamState::TooShort => StreamState::TooShort,
            StreamState::Undecodable => StreamState::Undecodable,
            StreamState::Skipped => StreamState::Skipped,
        }
    }

    /// The same outcome with another value in place of the fingerprint.
    pub fn map<G>(self, f: impl FnOnce(F) -> G) -> StreamState<G> {
        match self {
            StreamState::Analysed(found) => StreamState::Analysed(f(found)),
            StreamState::Absent => StreamState::Absent,
            StreamState::Empty => StreamState::Empty,
            StreamState::TooShort => StreamState::TooShort,
            StreamState::Undecodable => StreamState::Undecodable,
            StreamState::Skipped => StreamState::Skipped,
        }
    }

    /// The outcome as one byte, for storage.
    pub fn code(&self) -> u8 {
        match self {
            StreamState::Absent => 0,
            StreamState::Analysed(_) => 1,
            StreamState::Empty => 2,
            StreamState::TooShort => 3,
            StreamState::Undecodable => 4,
            StreamState::Skipped => 5,
        }
    }

    /// The outcome that [`StreamState::code`] stands for; `analysed` reads the value that goes
    /// with it, if one does.
    ///
    /// # Errors
    /// An unknown code, and what `analysed` fails with.
    pub fn from_code(
        code: u8,
        analysed: impl FnOnce() -> Result<F, WireError>,
    ) -> Result<StreamState<F>, WireError> {
        Ok(match code {
            0 => StreamState::Absent,
            1 => StreamState::Analysed(analysed()?),
            2 => StreamState::Empty,
            3 => StreamState::TooShort,
            4 => StreamState::Undecodable,
            5 => StreamState::Skipped,
            _ => return Err(WireError::OutOfRange("stream state")),
        })
    }
}

/// Seconds that a stream may be longer than the whole: they count by their own clocks.
const ROUNDING: f64 = 0.1;
/// Seconds of the longest media: as many as sound has ticks to count.
pub const MAX_SECONDS: f64 = u32::MAX as f64 / TICKS_PER_SECOND;

/// The fingerprint of one work.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint {
    /// Hash of the file that was fingerprinted.
    pub content: ContentHash,
    /// Seconds of the longest analysed stream.
    pub duration: f64,
    /// How densely the work was sampled.
    pub density: Density,
    /// The sound.
    pub audio: StreamState<AudioFingerprint>,
    /// The picture.
    pub video: StreamState<VideoFingerprint>,
}

impl Fingerprint {
    /// The sparse form that a library stores. A no-op on a fingerprint that is sparse already.
    pub fn to_reference(&self) -> Fingerprint {
        let mut sparse = self.clone();
        if let StreamState::Analysed(audio) = &mut sparse.audio {
            *audio = audio.to_reference();
        }
        if let StreamState::Analysed(video) = &mut sparse.video {
            *video = video.to_reference();
        }
        sparse.density = Density::Reference;
        sparse
    }

    /// Portable bytes: magic, version, header, the two streams, BLAKE3 checksum of all before it.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&MAGIC);
        w.u32(FORMAT_VERSION);
        w.bytes(&self.content);
        w.f64(self.duration);
        w.u8(matches!(self.density, Density::Query) as u8);
        w.u8(self.audio.code());
        w.u8(self.video.code());
        if let Some(audio) = self.audio.analysed() {
            w.block(&audio.encode());
        }
        if let Some(video) = self.video.analysed() {
            w.block(&video.encode());
        }
        let mut bytes = w.into_bytes();
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    /// Whether `bytes` start as a fingerprint file does.
    pub fn recognise(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads what [`Fingerprint::encode`] wrote.
    ///
    /// # Errors
    /// Anything that is not exactly such a sequence of bytes, made by this version's extractors, or holds more
    /// than media of its duration can.
    pub fn decode(bytes: &[u8]) -> Result<Fingerprint, WireError> {
        if !Fingerprint::recognise(bytes) {
            return Err(WireError::NotAFingerprint);
        }
        let mut r = Reader::new(&bytes[MAGIC.len()..]);
        let version = r.u32()?;
        if version > FORMAT_VERSION {
            return Err(WireError::NewerVersion {
                found: version,
                supported: FORMAT_VERSION,
            });
        }
        let body = bytes.len().checked_sub(32).ok_or(WireError::Truncated)?;
        let (body, checksum) = bytes.split_at(body);
        if blake3::hash(body)
            != *<&[u8; 32]>::try_from(checksum).map_err(|_| WireError::Truncated)?
        {
            return Err(WireError::Checksum);
        }
        let mut r = Reader::new(body.get(MAGIC.len() + 4..).ok_or(WireError::Truncated)?);
        let mut content = [0; 32];
        content.copy_from_slice(r.bytes(32)?);
        let duration = r.f64("duration")?;
        if !(0.0..=MAX_SECONDS).contains(&duration) {
            return Err(WireError::OutOfRange("duration"));
        }
        let density = match r.u8()? {
            0 => Density::Reference,
            1 => Density::Query,
            _ => return Err(WireError::OutOfRange("density")),
        };
        let (audio, video) = (r.u8()?, r.u8()?);
        let audio = StreamState::from_code(audio, || {
            let audio = AudioFingerprint::decode(r.block()?)?;
            audio.check().map(|()| audio)
        })?;
        let video = StreamState::from_code(video, || {
            let video = VideoFingerprint::decode(r.block()?)?;
            video.check().map(|()| video)
        })?;
        r.finish()?;
        let streams = [
            audio.analysed().map(|f| f.duration),
            video.analysed().map(|f| f.duration),
        ];
        // Limits are set on the whole's.
        if streams
            .into_iter()
            .flatten()
            .any(|stream| stream > duration + ROUNDING)
        {
            return Err(WireError::OutOfRange("duration"));
        }
        Ok(Fingerprint {
            content,
            duration,
            density,
            audio,
            video,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Fingerprint {
        Fingerprint {
            content: [7; 32],
            duration: 12.5,
            density: Density::Query,
            audio: StreamState::Empty,
            video: StreamState::Absent,
        }
    }

    #[test]
    fn round_trip() {
        let sample = sample();
        assert_eq!(Fingerprint::decode(&sample.encode()), Ok(sample));
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_refused() {
        let bytes = sample().encode();
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 0x10;
            assert!(Fingerprint::decode(&damaged).is_err(), "byte {i}");
            assert!(Fingerprint::decode(&bytes[..i]).is_err(), "cut at {i}");
        }
    }

    #[test]
    fn longer_than_any_media_is_refused() {
        for duration in [-1.0, 2.0 * MAX_SECONDS, 1e300] {
            let bytes = Fingerprint {
                duration,
                ..sample()
            }
            .encode();
            let refused = Err(WireError::OutOfRange("duration"));
            assert_eq!(Fingerprint::decode(&bytes), refused, "{duration}");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = sample().encode();
        bytes[8] = 9;
        assert_eq!(
            Fingerprint::decode(&bytes),
            Err(WireError::NewerVersion {
                found: 9,
                supported: FORMAT_VERSION
            })
        );
    }
}
