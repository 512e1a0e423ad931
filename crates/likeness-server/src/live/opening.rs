//! The beginning of a stream: what it comes in, and what has to stand before it.

use super::container::{ENOUGH, can_be_followed};
use super::wav::Wav;
use crate::proto::live_options::Format;
use crate::refusal::{invalid, refuse};
use bytes::{Bytes, BytesMut};
use tonic::{Code, Status};

/// Holds the first bytes back until it is clear what they are.
pub(super) struct Opening {
    /// What is held back.
    held: BytesMut,
    /// Whether all that comes can be passed on.
    clear: bool,
}

impl Opening {
    pub(super) fn new(format: Option<&Format>) -> Result<Opening, Status> {
        Ok(match format {
            Some(Format::Pcm(pcm)) => Opening {
                held: BytesMut::from(&*Wav::new(pcm)?.header()),
                clear: true,
            },
            Some(Format::Encoded(_)) => Opening {
                held: BytesMut::new(),
                clear: false,
            },
            None => return Err(invalid("no format")),
        })
    }

    /// Takes the next bytes and returns what can be passed on.
    pub(super) fn pass(&mut self, bytes: Bytes) -> Result<Bytes, Status> {
        if self.clear && self.held.is_empty() {
            return Ok(bytes);
        }
        self.held.extend_from_slice(&bytes);
        if !self.clear && self.held.len() >= ENOUGH {
            if !can_be_followed(&self.held) {
                let message = "not a container that can be matched while it plays; \
                               use MPEG-TS, fragmented MP4, Matroska, Ogg, FLV, ADTS, MP3, or PCM";
                return Err(refuse(Code::InvalidArgument, "not_streamable", message));
            }
            self.clear = true;
        }
        Ok(match self.clear {
            true => self.rest(),
            false => Bytes::new(),
        })
    }

    /// What is held back still.
    pub(super) fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{EncodedFormat, PcmFormat, SampleFormat};

    fn encoded() -> Opening {
        Opening::new(Some(&Format::Encoded(EncodedFormat {}))).unwrap()
    }

    #[test]
    fn samples_come_after_a_header() {
        let format = Format::Pcm(PcmFormat {
            sample_rate: 8000,
            channels: 1,
            sample_format: SampleFormat::S16.into(),
        });
        let mut opening = Opening::new(Some(&format)).unwrap();
        let first = opening.pass(Bytes::from_static(b"ab")).unwrap();
        assert_eq!((&first[..4], &first[44..]), (&b"RIFF"[..], &b"ab"[..]));
        assert_eq!(opening.pass(Bytes::from_static(b"cd")).unwrap(), "cd");
        assert_eq!(opening.rest(), "");
    }

    #[test]
    fn containers_are_known_by_their_beginning() {
        let mut stream = b"OggS\0".to_vec();
        stream.resize(300, 7);
        let mut opening = encoded();
        assert_eq!(
            opening.pass(Bytes::from(stream[..100].to_vec())).unwrap(),
            ""
        );
        let rest = Bytes::from(stream[100..].to_vec());
        assert_eq!(opening.pass(rest).unwrap(), stream);
        assert_eq!(opening.pass(Bytes::from_static(b"x")).unwrap(), "x");
        let mut other = encoded();
        assert!(other.pass(Bytes::from(vec![0; 300])).is_err());
        let mut short = encoded();
        assert_eq!(short.pass(Bytes::from_static(b"Ogg")).unwrap(), "");
        assert_eq!(short.rest(), "Ogg");
        assert!(Opening::new(None).is_err());
    }
}
