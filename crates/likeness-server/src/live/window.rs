//! The last seconds of a live stream, as they came.

use super::cut::{Container, ENOUGH};
use super::wav::Wav;
use crate::proto::live_options::Format;
use crate::refusal::{invalid, refuse};
use crate::settings::Live;
use tonic::{Code, Status};

/// A window may grow to so many times what it shrinks to: shrinking costs a decode.
const GROWTH: f64 = 1.6;
/// An encoded stream is first looked at after so many bytes, and after twice as many each time
/// for as long as they are not enough to decode.
const FIRST_LOOK: usize = 16 << 10;
/// Bytes that must be enough.
const ENOUGH_TO_DECODE: usize = 1 << 20;

/// The last bytes of a stream, and where they lie in it.
pub(super) struct Window {
    kind: Kind,
    bytes: Vec<u8>,
    /// Seconds of the stream before the window.
    start: f64,
    /// Bytes that were looked at.
    seen: usize,
    /// Bytes after which to look without regard to the clock: a stream may come faster than it
    /// plays.
    look_after: usize,
    seconds: f64,
    hop: f64,
    limit: usize,
}

enum Kind {
    Bare(Wav),
    Encoded {
        container: Option<Container>,
        /// What has to stand before the bytes, once they have been cut.
        header: Vec<u8>,
    },
}

/// What would be left of a window.
pub(super) struct Shorter {
    from: usize,
    pub(super) header: Vec<u8>,
    pub(super) bytes: Vec<u8>,
    /// Its seconds, where they need not be measured.
    pub(super) exact: Option<f64>,
}

impl Window {
    pub(super) fn new(format: Option<&Format>, live: &Live) -> Result<Window, Status> {
        let kind = match format {
            Some(Format::Pcm(pcm)) => Kind::Bare(Wav::new(pcm)?),
            Some(Format::Encoded(_)) => Kind::Encoded {
                container: None,
                header: Vec::new(),
            },
            None => return Err(invalid("no format")),
        };
        let look_after = match &kind {
            Kind::Bare(wav) => wav.bytes(live.hop_s),
            Kind::Encoded { .. } => FIRST_LOOK,
        };
        Ok(Window {
            kind,
            bytes: Vec::new(),
            start: 0.0,
            seen: 0,
            look_after,
            seconds: live.window_s,
            hop: live.hop_s,
            limit: live.window_mib << 20,
        })
    }

    /// Takes bytes until it is time to look, and returns the others.
    pub(super) fn push<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Status> {
        let wanted = self.look_after.saturating_sub(self.bytes.len() - self.seen);
        let (taken, left) = bytes.split_at(bytes.len().min(wanted.max(1)));
        if self.bytes.len() + taken.len() > self.limit {
            let mib = self.limit >> 20;
            let message = format!("more than {mib} MiB without a place to cut the stream at");
            return Err(refuse(Code::InvalidArgument, "limit", message));
        }
        self.bytes.extend_from_slice(taken);
        if let Kind::Encoded { container, .. } = &mut self.kind
            && container.is_none()
            && self.bytes.len() >= ENOUGH
        {
            *container = Container::of(&self.bytes);
            if container.is_none() {
                let message = "not a container that can be matched while it plays; \
                               use MPEG-TS, fragmented MP4, Matroska, Ogg, ADTS, MP3, or PCM";
                return Err(refuse(Code::InvalidArgument, "not_streamable", message));
            }
        }
        Ok(left)
    }

    /// Whether enough has come to look, whatever the clock says.
    pub(super) fn is_due(&self) -> bool {
        self.bytes.len() - self.seen >= self.look_after
    }

    /// Whether anything has come that was not looked at.
    pub(super) fn has_news(&self) -> bool {
        let block = match &self.kind {
            Kind::Bare(wav) => wav.block(),
            Kind::Encoded { .. } => 1,
        };
        self.bytes.len() - self.seen >= block
    }

    /// All of it is being looked at.
    pub(super) fn seen(&mut self) {
        self.seen = self.bytes.len();
    }

    /// It was found to last so many seconds, or could not be decoded, and looking at it took so
    /// long. What takes longer than a hop must be done less often, or a stream would be followed
    /// later and later; but nothing may leave the window unseen.
    pub(super) fn learn(&mut self, duration: Option<f64>, took: f64) {
        let pace = took.min(self.seconds / 2.0).max(self.hop);
        self.look_after = match (&self.kind, duration) {
            (Kind::Bare(wav), _) => wav.bytes(pace),
            (_, Some(duration)) if duration > self.hop => {
                let rate = self.bytes.len() as f64 / duration;
                (rate * pace) as usize + 1
            }
            (_, Some(_)) => self.look_after,
            (_, None) => (2 * self.look_after).min(ENOUGH_TO_DECODE),
        };
    }

    /// Seconds of the stream before the window.
    pub(super) fn start(&self) -> f64 {
        self.start
    }

    /// The window as a file: what stands before the bytes, and the bytes.
    pub(super) fn file(&self) -> (Vec<u8>, &[u8]) {
        match &self.kind {
            Kind::Bare(wav) => {
                let whole = self.bytes.len() / wav.block() * wav.block();
                (wav.header(whole), &self.bytes[..whole])
            }
            Kind::Encoded { header, .. } => (header.clone(), &self.bytes),
        }
    }

    /// Whether it should be cut.
    pub(super) fn is_long(&self, duration: f64) -> bool {
        duration > self.seconds * GROWTH
    }

    /// Whether it holds so much that it must be possible to decode it.
    pub(super) fn is_full(&self) -> bool {
        match &self.kind {
            Kind::Bare(wav) => wav.seconds(self.bytes.len()) > 2.0 * self.hop,
            Kind::Encoded { .. } => self.bytes.len() > ENOUGH_TO_DECODE,
        }
    }

    /// What is left when the oldest bytes go, so that about the length that is wanted stays of
    /// `duration` seconds.
    pub(super) fn shorter(&self, duration: f64) -> Option<Shorter> {
        let share = (duration - self.seconds) / duration;
        let from = (self.bytes.len() as f64 * share.clamp(0.0, 1.0)) as usize;
        match &self.kind {
            Kind::Bare(wav) => {
                let from = from / wav.block() * wav.block();
                Some(Shorter {
                    from,
                    header: Vec::new(),
                    bytes: Vec::new(),
                    exact: Some(duration - wav.seconds(from)),
                })
            }
            Kind::Encoded { container, header } => {
                let container = (*container)?;
                let header = match header.is_empty() {
                    true => self.bytes[..container.header(&self.bytes)].to_vec(),
                    false => header.clone(),
                };
                let from = container.next_cut(&self.bytes, from.max(header.len()))?;
                Some(Shorter {
                    from,
                    header,
                    bytes: self.bytes[from..].to_vec(),
                    exact: None,
                })
            }
        }
    }

    /// Cuts the window; `gone` seconds go.
    pub(super) fn replace(&mut self, shorter: Shorter, gone: f64) {
        self.bytes.drain(..shorter.from);
        self.seen = self.seen.saturating_sub(shorter.from);
        self.start += gone;
        if let Kind::Encoded { header, .. } = &mut self.kind {
            *header = shorter.header;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{EncodedFormat, PcmFormat, SampleFormat};

    fn pcm() -> Window {
        let format = Format::Pcm(PcmFormat {
            sample_rate: 8000,
            channels: 1,
            sample_format: SampleFormat::S16.into(),
        });
        Window::new(Some(&format), &Live::default()).unwrap()
    }

    #[test]
    fn bare_samples_slide() {
        let mut window = pcm();
        let chunk = vec![0; 16_000 * 20];
        let left = window.push(&chunk).unwrap();
        assert_eq!(chunk.len() - left.len(), 24_000, "a hop");
        assert!(window.is_due());
        window.seen();
        let mut left = window.push(left).unwrap();
        while !left.is_empty() {
            window.seen();
            left = window.push(left).unwrap();
        }
        assert!(window.is_long(20.0));
        let shorter = window.shorter(20.0).unwrap();
        let rest = shorter.exact.unwrap();
        window.replace(shorter, 20.0 - rest);
        assert_eq!((window.start(), window.file().1.len()), (8.0, 16_000 * 12));
        window.push(&[0]).unwrap();
        assert_eq!(window.file().1.len(), 16_000 * 12, "half a sample waits");
    }

    #[test]
    fn whoever_is_slow_looks_less_often() {
        let check = |took: f64, want: f64| {
            let mut window = pcm();
            window.learn(Some(3.0), took);
            assert_eq!(window.look_after, (want * 16_000.0) as usize, "{took}");
        };
        check(0.1, 1.5);
        check(2.5, 2.5);
        check(60.0, 6.0);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let format = Format::Encoded(EncodedFormat {});
        let mut window = Window::new(Some(&format), &Live::default()).unwrap();
        assert!(window.push(&[0; 100]).is_ok());
        assert!(window.push(&[0; 100]).is_err());
        assert!(Window::new(None, &Live::default()).is_err());
    }

    #[test]
    fn a_window_is_bounded() {
        let mut window = pcm();
        window.limit = 10;
        assert!(window.push(&[0; 10]).is_ok());
        assert!(window.push(&[0; 1]).is_err());
    }
}
