//! Sound through symphonia: WAV, FLAC and MP3.
//!
//! Not Vorbis: of 685 real Ogg files, symphonia 0.6 loses samples inside 7 (up to 0.7 s in all),
//! so that what follows is early.

use super::Sink;
use super::mix::Mix;
use super::timeline::Timeline;
use crate::input::{head, open_file, truncation};
use crate::limits::Watch;
use crate::{Backend, DecodeOptions, Decoded, MediaError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64LE, CODEC_ID_PCM_S16LE,
    CODEC_ID_PCM_S24LE, CODEC_ID_PCM_S32LE, CODEC_ID_PCM_U8,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

/// What symphonia decodes as completely as FFmpeg does, and as accurately.
const CODECS: [AudioCodecId; 8] = [
    CODEC_ID_PCM_U8,
    CODEC_ID_PCM_S16LE,
    CODEC_ID_PCM_S24LE,
    CODEC_ID_PCM_S32LE,
    CODEC_ID_PCM_F32LE,
    CODEC_ID_PCM_F64LE,
    CODEC_ID_FLAC,
    CODEC_ID_MP3,
];

/// More channels make symphonia 0.6 overflow; FFmpeg says what is wrong with them.
const MAX_CHANNELS: u16 = 64;

/// An open file.
pub(crate) struct Reader {
    path: PathBuf,
    chosen: Chosen,
    format: Box<dyn FormatReader>,
}

/// The track to decode.
struct Chosen {
    id: u32,
    time_base: Option<TimeBase>,
    declared: Option<f64>,
    decoder: Box<dyn AudioDecoder>,
}

/// Opens a file that symphonia is known to decode well; `forced` tries any file.
pub(crate) fn open(path: &Path, forced: bool) -> Result<Reader, MediaError> {
    let mut file = open_file(path)?;
    let head = head::<1024>(path, &mut file)?;
    let failed = |reason: &str| MediaError::undecodable(path, "audio", reason);
    if !forced && (!is_known(&head) || channels(&head) > MAX_CHANNELS) {
        return Err(failed("not a format read by symphonia"));
    }
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let format = symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|e| failed(&e.to_string()))?;
    let chosen = choose(format.as_ref(), forced).map_err(|e| failed(&e))?;
    Ok(Reader {
        path: path.to_path_buf(),
        chosen,
        format,
    })
}

/// Chooses the track and opens its decoder.
fn choose(format: &dyn FormatReader, forced: bool) -> Result<Chosen, String> {
    let track = format
        .default_track(TrackType::Audio)
        .ok_or("no audio track")?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|p| p.audio())
        .filter(|p| forced || CODECS.contains(&p.codec))
        .ok_or("no codec that symphonia decodes")?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|e| e.to_string())?;
    Ok(Chosen {
        id: track.id,
        time_base: track.time_base,
        declared: declared(track, parameters.sample_rate),
        decoder,
    })
}

fn declared(track: &Track, rate: Option<u32>) -> Option<f64> {
    let seconds = track.num_frames? as f64 / f64::from(rate.filter(|r| *r > 0)?);
    (seconds > 0.0).then_some(seconds)
}

/// Whether the first bytes are of a format that is left to symphonia.
fn is_known(head: &[u8]) -> bool {
    let wave = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE");
    let layer_3 = matches!(head, [0xff, second, ..] if second & 0xe6 == 0xe2);
    wave || layer_3 || head.starts_with(b"fLaC") || head.starts_with(b"ID3")
}

/// Channels that a WAV file declares in the first bytes; 0 where they do not tell.
fn channels(head: &[u8]) -> u16 {
    let format = head.windows(4).position(|four| four == b"fmt ");
    let declared = format.and_then(|at| head.get(at + 10..at + 12));
    declared.map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
}

impl Reader {
    /// Decodes the track to its end.
    pub(crate) fn decode(
        mut self,
        sample_rate: u32,
        options: &DecodeOptions,
        sink: &mut Sink<'_>,
    ) -> Result<Decoded, MediaError> {
        let limits = &options.limits;
        let path = self.path.clone();
        let declared = self.chosen.declared;
        limits.check_duration(&path, declared.unwrap_or(0.0))?;
        let watch = Watch::new(limits.timeout);
        let mut timeline = Timeline::new(&path, sample_rate, limits, &watch, sink);
        let mut pass = Pass::default();
        while !timeline.stopped() {
            watch.check(&path)?;
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.chosen.id => {
                    self.decode_packet(&packet, &mut pass, &mut timeline)?;
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    pass.broke = unexpected(&error);
                    break;
                }
            }
        }
        let stopped = timeline.stopped();
        let frames = timeline.decoded();
        let duration = timeline.finish()?;
        if frames == 0 && !stopped {
            return Err(pass.nothing(&path));
        }
        let broke = pass.broke.map(|b| format!("{b}, after {duration:.1} s"));
        let truncated = broke.or_else(|| truncation(duration, declared?));
        Ok(Decoded {
            duration,
            declared,
            truncated: truncated.filter(|_| !stopped),
            corrupt_packets: pass.corrupt,
            frames,
            backend: Backend::Symphonia,
        })
    }

    fn decode_packet(
        &mut self,
        packet: &Packet,
        pass: &mut Pass,
        timeline: &mut Timeline<'_>,
    ) -> Result<(), MediaError> {
        pass.packets += 1;
        let buffer = match self.chosen.decoder.decode(packet) {
            Ok(buffer) => buffer,
            Err(error) => {
                pass.corrupt += 1;
                pass.last_error = Some(error.to_string());
                return Ok(());
            }
        };
        let channels = buffer.num_planes();
        if buffer.is_empty() || channels == 0 {
            return Ok(());
        }
        let rate = buffer.spec().rate();
        buffer.copy_to_vec_interleaved(&mut pass.interleaved);
        pass.mix
            .interleaved(&pass.interleaved, channels, |s: f32| s);
        let start = packet.pts.get() as f64 + packet.trim_start.get() as f64;
        let time = self
            .chosen
            .time_base
            .map(|base| start * f64::from(base.numer.get()) / f64::from(base.denom.get()));
        // The only stream: what comes first is time zero.
        let origin = *pass.origin.get_or_insert(time.unwrap_or(0.0));
        timeline.push(pass.mix.block(), rate, time.map(|t| t - origin), None)
    }
}

/// Why reading stopped, `None` at the end of the file: whether that came too early is told by
/// the declared length.
fn unexpected(error: &Error) -> Option<String> {
    match error {
        Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => None,
        error => Some(format!("reading stopped: {error}")),
    }
}

/// Buffers and counts of one decoding.
#[derive(Default)]
struct Pass {
    packets: u64,
    corrupt: u64,
    last_error: Option<String>,
    broke: Option<String>,
    origin: Option<f64>,
    interleaved: Vec<f32>,
    mix: Mix,
}

impl Pass {
    fn nothing(self, path: &Path) -> MediaError {
        match self.last_error.or(self.broke) {
            Some(reason) => MediaError::undecodable(path, "audio", reason),
            None => MediaError::ZeroLength {
                path: path.to_path_buf(),
                stream: "audio",
            },
        }
    }
}
