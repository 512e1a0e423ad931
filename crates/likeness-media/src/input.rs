//! Opening a file with FFmpeg, choosing its streams and reading its packets.

use crate::cut;
use crate::limits::Watch;
use crate::{Limits, MediaError};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;
use ffmpeg_next::format::context::{Input, StreamIo};
use ffmpeg_next::format::stream::Disposition;
use ffmpeg_next::{Dictionary, Discard, Packet, Stream, media};
use std::ffi::CStr;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

/// Demuxers that read text or other files rather than media: a text file must not become a
/// picture of its letters, and an upload must not name further files or addresses to open.
const REFUSED_DEMUXERS: [&str; 8] = ["tty", "hls", "dash", "concat", "xbin", "adf", "idf", "imf"];
/// Broken packets in a row after which the file is given up: a demuxer may return the same error
/// for ever.
const MAX_CONSECUTIVE_ERRORS: u32 = 1000;

/// Opens a regular file of at least one byte.
pub(crate) fn open_file(path: &Path) -> Result<File, MediaError> {
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(|e| MediaError::io(path, e))?;
    if !metadata.is_file() {
        let kind = match metadata.is_dir() {
            true => "a directory",
            false => "a pipe, socket or device",
        };
        let path = path.to_path_buf();
        return Err(MediaError::NotAFile { path, kind });
    }
    let file = File::open(path).map_err(|e| MediaError::io(path, e))?;
    if metadata.len() == 0 {
        let path = path.to_path_buf();
        return Err(MediaError::Empty { path });
    }
    Ok(file)
}

/// The first bytes of a file, at most `N` of them; the file is rewound.
pub(crate) fn head<const N: usize>(path: &Path, file: &mut File) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::with_capacity(N);
    file.take(N as u64)
        .read_to_end(&mut bytes)
        .and_then(|_| file.rewind())
        .map_err(|e| MediaError::io(path, e))?;
    Ok(bytes)
}

/// Quiet FFmpeg down, once: errors are reported by return values.
fn initialise() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| ffmpeg::log::set_level(ffmpeg::log::Level::Quiet));
}

/// A media file open for demuxing.
pub(crate) struct Source {
    pub(crate) input: Input,
    pub(crate) path: PathBuf,
    pub(crate) watch: Arc<Watch>,
    /// Packets that the demuxer or the decoder could not use.
    pub(crate) corrupt: u64,
    /// Why reading stopped before the end of the file.
    read_error: Option<String>,
    /// Why bytes are known to be missing.
    cut: Option<String>,
    /// Packets of the decoded stream.
    packets: u64,
    /// End of the decoded stream's last packet, seconds from the origin.
    pub(crate) stream_end: f64,
    /// Latest end of any packet read, of whichever stream.
    packets_end: f64,
    consecutive_errors: u32,
    /// Whether it still grows, so that nothing is known of its end.
    live: bool,
}

impl Source {
    /// Opens and identifies a file by its content; its name plays no part.
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Source, MediaError> {
        initialise();
        let mut file = open_file(path)?;
        let head = head::<16>(path, &mut file)?;
        let size = file.metadata().map_err(|e| MediaError::io(path, e))?.len();
        let cut = cut::cut(&mut file, &head, size)
            .and_then(|cut| file.rewind().map(|()| cut))
            .map_err(|e| MediaError::io(path, e))?;
        let io = StreamIo::from_read_seek(file);
        Ok(Source {
            cut,
            ..Source::demux(io, path, &head, limits)?
        })
    }

    /// Identifies what comes from a reader, from its beginning on; errors call it `name`. Blocks
    /// until enough has come to know its streams.
    pub(crate) fn stream(
        mut reader: impl Read + Send + 'static,
        name: &Path,
        limits: &Limits,
    ) -> Result<Source, MediaError> {
        initialise();
        let mut head = Vec::with_capacity(16);
        (&mut reader)
            .take(16)
            .read_to_end(&mut head)
            .map_err(|e| MediaError::io(name, e))?;
        if head.is_empty() {
            let path = name.to_path_buf();
            return Err(MediaError::Empty { path });
        }
        let io = StreamIo::from_read(Cursor::new(head.clone()).chain(reader));
        Ok(Source {
            live: true,
            ..Source::demux(io, name, &head, limits)?
        })
    }

    fn demux(
        io: Result<StreamIo, ffmpeg::Error>,
        path: &Path,
        head: &[u8],
        limits: &Limits,
    ) -> Result<Source, MediaError> {
        let watch = Arc::new(Watch::new(limits.timeout));
        let interrupt = watch.clone();
        let mut options = Dictionary::new();
        // Nothing but this file may be opened, whatever it refers to.
        options.set("protocol_whitelist", "none");
        options.set(
            "max_pixels",
            &limits.max_pixels.min(i32::MAX as u64).to_string(),
        );
        let input = io
            .and_then(|io| {
                ffmpeg::format::input_from_stream_with_interrupt(
                    io,
                    None,
                    Some(options),
                    move || interrupt.expired(),
                )
            })
            .map_err(|e| match e {
                ffmpeg::Error::Exit => watch.error(path),
                e => not_opened(path, head, e),
            })?;
        let source = Source {
            input,
            path: path.to_path_buf(),
            watch,
            corrupt: 0,
            read_error: None,
            cut: None,
            packets: 0,
            stream_end: 0.0,
            packets_end: 0.0,
            consecutive_errors: 0,
            live: false,
        };
        source.refuse_text()?;
        Ok(source)
    }

    fn refuse_text(&self) -> Result<(), MediaError> {
        let container = self.container();
        let refused = container.split(',').any(|n| REFUSED_DEMUXERS.contains(&n));
        let media = self.input.streams().any(|s| {
            let medium = s.parameters().medium();
            medium == media::Type::Audio || medium == media::Type::Video
        });
        if media && !refused {
            return Ok(());
        }
        Err(MediaError::NotMedia {
            path: self.path.clone(),
            reason: format!("its content is {container:?}, without audio or video"),
        })
    }

    /// FFmpeg's name of the container, e.g. `mov,mp4,m4a,3gp,3g2,mj2`.
    pub(crate) fn container(&self) -> String {
        self.input.format().name().to_string()
    }

    /// Whether FFmpeg takes the file for one picture.
    pub(crate) fn is_still(&self) -> bool {
        self.container().ends_with("_pipe")
    }

    /// The stream to decode. Cover art is not video.
    pub(crate) fn best(&self, kind: media::Type) -> Option<usize> {
        let usable = |s: &Stream<'_>| {
            s.parameters().medium() == kind && !is_attached_picture(s) && has_decoder(s)
        };
        let best = self.input.streams().best(kind).filter(usable);
        best.or_else(|| self.input.streams().find(usable))
            .map(|s| s.index())
    }

    /// Whether any stream of this kind is declared, decodable or not.
    pub(crate) fn declares(&self, kind: media::Type) -> bool {
        self.input
            .streams()
            .any(|s| s.parameters().medium() == kind && !is_attached_picture(&s))
    }

    /// Seconds on the container's clock at which its earliest sound or picture is presented.
    /// Time zero of everything that is delivered, so that sound and picture share a clock.
    pub(crate) fn origin(&self) -> f64 {
        let earliest = self
            .input
            .streams()
            .filter(|s| is_timed(s))
            .filter_map(|s| self.presentation_start(&s))
            .fold(f64::INFINITY, f64::min);
        if earliest.is_finite() { earliest } else { 0.0 }
    }

    fn presentation_start(&self, stream: &Stream<'_>) -> Option<f64> {
        let start = seconds(stream.start_time(), stream.time_base())?;
        if start >= 0.0 || !self.container().contains("matroska") {
            return Some(start);
        }
        // Matroska's start time still counts the encoder's delay, which the decoder will drop.
        let (padding, rate) = initial_padding(stream);
        Some(start + padding / rate)
    }

    /// Seconds that the header declares for a stream, when it is no estimate. `None` for
    /// formats that have to guess from the bit rate.
    pub(crate) fn declared(&self, index: usize) -> Option<f64> {
        self.declared_by_stream(index)
            .or_else(|| self.declared_by_container())
            .filter(|d| d.is_finite() && *d > 0.0)
    }

    fn declared_by_stream(&self, index: usize) -> Option<f64> {
        let stream = self.input.stream(index)?;
        self.declared_by_container()?;
        seconds(stream.duration(), stream.time_base()).filter(|d| *d > 0.0)
    }

    fn declared_by_container(&self) -> Option<f64> {
        // SAFETY: `input` owns a valid AVFormatContext for as long as `self` lives.
        let method = unsafe { (*self.input.as_ptr()).duration_estimation_method };
        let estimated = method == ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_BITRATE;
        let microseconds = self.input.duration();
        (!estimated && microseconds > 0).then(|| microseconds as f64 / 1e6)
    }

    /// Reads only this stream, unless the length of the others is needed to notice truncation.
    pub(crate) fn select(&mut self, index: usize) {
        if !self.live && self.declared_by_stream(index).is_none() {
            return;
        }
        for mut stream in self.input.streams_mut() {
            if stream.index() != index {
                // SAFETY: the stream belongs to `input`, which is borrowed mutably.
                unsafe { (*stream.as_mut_ptr()).discard = Discard::All.into() };
            }
        }
    }

    /// Gives the decoder the next packet of stream `index`; `false` once it was told the end.
    pub(crate) fn feed(
        &mut self,
        decoder: &mut ffmpeg::decoder::Opened,
        index: usize,
        origin: f64,
    ) -> Result<bool, MediaError> {
        let Some(packet) = self.next_packet(index, origin)? else {
            // A decoder that failed before may refuse; then there is nothing more to come.
            let _ = decoder.send_eof();
            return Ok(false);
        };
        self.packets += 1;
        // An empty packet means "as before", but the decoder would take it for the end.
        if packet.size() > 0 && decoder.send_packet(&packet).is_err() {
            self.corrupt += 1;
        }
        Ok(true)
    }

    /// The next packet of stream `index`, `None` at the end. Broken ones are skipped and counted.
    fn next_packet(&mut self, index: usize, origin: f64) -> Result<Option<Packet>, MediaError> {
        loop {
            self.watch.check(&self.path)?;
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) => {
                    self.consecutive_errors = 0;
                    self.note_end(&packet, index, origin);
                    if packet.stream() == index {
                        return Ok(Some(packet));
                    }
                }
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(ffmpeg::Error::Exit) => return Err(self.watch.error(&self.path)),
                Err(ffmpeg::Error::InvalidData)
                    if self.consecutive_errors < MAX_CONSECUTIVE_ERRORS =>
                {
                    self.corrupt += 1;
                    self.consecutive_errors += 1;
                }
                Err(e) => {
                    self.read_error = Some(format!("reading stopped: {e}"));
                    return Ok(None);
                }
            }
        }
    }

    /// Takes a decoded frame out of the decoder; `false` when it needs the next packet. Frames
    /// that the decoder gives up are skipped and counted.
    pub(crate) fn receive(
        &mut self,
        decoder: &mut ffmpeg::decoder::Opened,
        frame: &mut ffmpeg::Frame,
    ) -> Result<bool, MediaError> {
        const AGAIN: ffmpeg::Error = ffmpeg::Error::Other {
            errno: ffmpeg::error::EAGAIN,
        };
        for _ in 0..MAX_CONSECUTIVE_ERRORS {
            self.watch.check(&self.path)?;
            match decoder.receive_frame(frame) {
                Ok(()) => return Ok(true),
                Err(ffmpeg::Error::Eof | AGAIN) => return Ok(false),
                Err(_) => self.corrupt += 1,
            }
        }
        Ok(false)
    }

    fn note_end(&mut self, packet: &Packet, index: usize, origin: f64) {
        let Some(stream) = self.input.stream(packet.stream()) else {
            return;
        };
        let time = packet.pts().or(packet.dts());
        let end = time.map(|t| t.saturating_add(packet.duration().max(0)));
        if let Some(end) = end.and_then(|t| seconds(t, stream.time_base())) {
            let end = end - origin;
            self.packets_end = self.packets_end.max(end);
            if packet.stream() == index {
                self.stream_end = end;
            }
        }
    }

    /// The error for a stream that cannot be chosen.
    pub(crate) fn missing(&self, kind: media::Type) -> MediaError {
        let path = self.path.clone();
        let stream = if kind == media::Type::Audio {
            "audio"
        } else {
            "video"
        };
        match kind {
            _ if self.declares(kind) => MediaError::undecodable(&path, stream, "no decoder"),
            media::Type::Audio => MediaError::NoAudio { path },
            _ => MediaError::NoVideo { path },
        }
    }

    /// The error for a stream of which nothing was decoded.
    pub(crate) fn nothing(&self, stream: &'static str) -> MediaError {
        if self.packets > 0 || self.corrupt > 0 {
            return MediaError::undecodable(&self.path, stream, "every packet is broken");
        }
        MediaError::ZeroLength {
            path: self.path.clone(),
            stream,
        }
    }

    /// Says why a stream that ended at `end` seconds is incomplete, if there is strong evidence.
    pub(crate) fn truncation(&self, index: usize, end: f64) -> Option<String> {
        if let Some(error) = &self.read_error {
            return Some(format!("{error}, after {end:.1} s"));
        }
        if let Some(cut) = &self.cut {
            return Some(cut.clone());
        }
        let declared = self.declared(index)?;
        let readable = self.stream_end.min(declared);
        if self.corrupt > 0 && truncation(end, readable).is_some() {
            return Some(format!("the stream is broken after {end:.1} s"));
        }
        // Packets that repeat the last picture yield no frame. Without a length of its own, the
        // stream may be shorter than the container's longest one.
        truncation(end.max(self.packets_end), declared)
    }
}

/// A sentence when a stream ends before its declared end by a second, or a hundredth of long ones:
/// whole files' declarations are off by less.
pub(crate) fn truncation(end: f64, declared: f64) -> Option<String> {
    (declared - end >= f64::max(1.0, 0.01 * declared))
        .then(|| format!("the file ends after {end:.1} s of the declared {declared:.1} s"))
}

/// Seconds of a time stamp; `None` for FFmpeg's "no value" and for a senseless time base.
pub(crate) fn seconds(ticks: i64, base: ffmpeg::Rational) -> Option<f64> {
    (ticks != ffi::AV_NOPTS_VALUE && base.numerator() > 0 && base.denominator() > 0)
        .then(|| ticks as f64 * f64::from(base.numerator()) / f64::from(base.denominator()))
}

/// FFmpeg's short name of a stream's codec, e.g. `h264`.
pub(crate) fn codec_name(stream: &Stream<'_>) -> String {
    // SAFETY: the stream's parameters are valid while the stream is borrowed, and
    // avcodec_get_name always returns a static string.
    unsafe {
        let id = (*(*stream.as_ptr()).codecpar).codec_id;
        CStr::from_ptr(ffi::avcodec_get_name(id))
            .to_string_lossy()
            .into_owned()
    }
}

fn is_attached_picture(stream: &Stream<'_>) -> bool {
    stream.disposition().contains(Disposition::ATTACHED_PIC)
}

fn is_timed(stream: &Stream<'_>) -> bool {
    let medium = stream.parameters().medium();
    (medium == media::Type::Audio || medium == media::Type::Video) && !is_attached_picture(stream)
}

fn has_decoder(stream: &Stream<'_>) -> bool {
    ffmpeg::decoder::find(stream.parameters().id()).is_some()
}

/// Samples that the decoder will drop from the start, and the sample rate.
fn initial_padding(stream: &Stream<'_>) -> (f64, f64) {
    // SAFETY: the stream's parameters are valid while the stream is borrowed.
    let parameters = unsafe { &*(*stream.as_ptr()).codecpar };
    let rate = f64::from(parameters.sample_rate.max(1));
    (f64::from(parameters.initial_padding.max(0)), rate)
}

fn not_opened(path: &Path, head: &[u8], error: ffmpeg::Error) -> MediaError {
    let path = path.to_path_buf();
    match announced_format(head) {
        Some(format) => MediaError::Damaged {
            path,
            format,
            reason: match error {
                // FFmpeg has no words for this one.
                ffmpeg::Error::Eof => "it ends before its streams begin".to_owned(),
                error => match error.to_string() {
                    said if said.is_empty() => "its streams cannot be read".to_owned(),
                    said => said,
                },
            },
        },
        None => MediaError::NotMedia {
            path,
            reason: "no known format".to_string(),
        },
    }
}

/// The format that the first bytes announce, where they are unmistakable.
fn announced_format(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    [
        (4, b"ftyp".as_slice(), "MP4"),
        (4, b"moov", "MP4"),
        (4, b"mdat", "MP4"),
        (0, b"\x1a\x45\xdf\xa3", "Matroska"),
        (0, b"OggS", "Ogg"),
        (0, b"fLaC", "FLAC"),
        (0, b"RIFF", "RIFF"),
        (0, b"ID3", "MP3"),
        (0, b"FLV\x01", "FLV"),
    ]
    .into_iter()
    .find(|(offset, magic, _)| at(*offset, magic))
    .map(|(_, _, format)| format)
}
