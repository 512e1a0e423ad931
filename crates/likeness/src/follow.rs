//! A stream while it plays: the fingerprint of its last seconds, again and again.
//!
//! Sound and picture are decoded side by side, as of a file, each from a branch of the same bytes.
//! The picture's keypoints cost the most and are found once for each frame. Of the sound the
//! samples are kept and analysed anew each time, which costs little.

use crate::source::FingerprintError;
use likeness_audio::{AudioConfig, AudioExtractor};
use likeness_core::{
    AudioFingerprint, Density, Fingerprint, LumaFrame, PcmBlock, StreamState, VideoFingerprint,
};
use likeness_media::{Decoded, Limits, MediaError};
use likeness_video::VideoExtractor;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most bytes read at a time, and how many such pieces one branch may lag behind the other.
const PIECE: usize = 32 << 10;
const PIECES: usize = 16;
/// A medium that lags behind the other by more seconds is waited for no longer.
const LAG: f64 = 2.0;
/// Seconds after which the pictures are counted anew: no film is as long as a stream may be.
const LONGEST_FILM: f64 = 4.0 * 86_400.0;

/// How a stream is followed.
#[derive(Debug, Clone, Copy)]
pub struct FollowOptions {
    /// Look at the sound.
    pub audio: bool,
    /// Look at the picture.
    pub video: bool,
    /// Seconds that a look covers; up to one more.
    pub window_s: f64,
    /// Seconds of the stream from one look to the next.
    pub hop_s: f64,
    /// Pixels of the largest picture.
    pub max_pixels: u64,
}

/// What the last seconds of a stream showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Seconds of the stream before them.
    pub start: f64,
    /// Their dense fingerprint. Its hash of the content is zero: there is no file.
    pub fingerprint: Fingerprint,
}

/// What takes looks; it may break to stop early.
type Sink<'a> = dyn Fn(Look) -> ControlFlow<()> + Sync + 'a;

/// Follows encoded media from their beginning to their end. Errors call them `name`. `sink` gets a
/// look after every hop and one at the end.
///
/// # Errors
/// Nothing of the stream could be decoded.
pub fn follow(
    stream: impl Read + Send + 'static,
    name: &Path,
    options: &FollowOptions,
    sink: &Sink<'_>,
) -> Result<(), FingerprintError> {
    let limits = Limits {
        max_duration_s: f64::INFINITY,
        max_frames: u64::MAX,
        max_pixels: options.max_pixels,
        timeout: Duration::MAX,
        ..Limits::default()
    };
    let rate = AudioConfig::default().sample_rate;
    let [for_audio, for_video] = branch(stream);
    let follower = Follower {
        recent: Mutex::new(Recent::new(*options)),
        sink,
    };
    let (audio, video) = std::thread::scope(|scope| {
        let hear = || {
            let mut sink = |pcm: PcmBlock<'_>| follower.take(|recent| recent.hear(pcm));
            likeness_media::decode_audio_stream(for_audio, name, rate, &limits, &mut sink)
        };
        let see = || {
            let mut sink = |frame: LumaFrame<'_>| follower.take(|recent| recent.see(frame));
            likeness_media::decode_video_stream(for_video, name, &limits, &mut sink)
        };
        let audio = scope.spawn(|| follower.pass(AUDIO, options.audio, hear));
        let video = follower.pass(VIDEO, options.video, see);
        (audio.join(), video)
    });
    let fault = || FingerprintError::Fault { path: name.into() };
    match (audio.map_err(|_| fault())?, video) {
        // What is not there is no error as long as the other is, or is not wanted.
        (Err(MediaError::NoAudio { .. }), Ok(())) | (Ok(()), Err(MediaError::NoVideo { .. })) => {}
        (Err(MediaError::NoAudio { .. }), Err(error)) | (Err(error), Err(_)) => {
            return Err(error.into());
        }
        (Ok(()), Err(error)) | (Err(error), Ok(())) if follower.recent().end() == 0.0 => {
            return Err(error.into());
        }
        _ => {}
    }
    follower.close();
    Ok(())
}

/// The two media, as places in arrays.
const AUDIO: usize = 0;
const VIDEO: usize = 1;

/// What the passes over sound and picture share.
struct Follower<'a> {
    recent: Mutex<Recent>,
    sink: &'a Sink<'a>,
}

impl Follower<'_> {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One medium from beginning to end; an error if there is nothing of it.
    fn pass(
        &self,
        medium: usize,
        wanted: bool,
        decode: impl FnOnce() -> Result<Decoded, MediaError>,
    ) -> Result<(), MediaError> {
        let decoded = wanted.then(decode);
        let mut recent = self.recent();
        recent.ended[medium] = true;
        match decoded {
            // What was decoded before an error counts.
            Some(Err(error)) if recent.position[medium] == 0.0 => {
                recent.missing[medium] = Some(match error {
                    MediaError::NoAudio { .. } | MediaError::NoVideo { .. } => Missing::Absent,
                    _ => Missing::Undecodable,
                });
                Err(error)
            }
            Some(_) => Ok(()),
            None => {
                recent.missing[medium] = Some(Missing::Skipped);
                Ok(())
            }
        }
    }

    /// Takes what was decoded, and looks if it is time.
    fn take(&self, take: impl FnOnce(&mut Recent)) -> ControlFlow<()> {
        let mut recent = self.recent();
        take(&mut recent);
        if !recent.stopped && recent.is_due() {
            let look = recent.look();
            recent.stopped = (self.sink)(look).is_break();
        }
        match recent.stopped {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Looks at what came last.
    fn close(&self) {
        let mut recent = self.recent();
        if !recent.stopped && recent.end() > recent.looked {
            let look = recent.look();
            // There is nothing left to stop.
            let _ = (self.sink)(look);
        }
    }
}

/// The last seconds.
struct Recent {
    options: FollowOptions,
    /// Why there is nothing of a medium, if there is not.
    missing: [Option<Missing>; 2],
    /// Seconds of each medium that have come, and whether no more will.
    position: [f64; 2],
    ended: [bool; 2],
    /// Samples from number `first` on.
    mid: Vec<f32>,
    side: Vec<f32>,
    first: usize,
    pictures: VideoExtractor,
    /// Where the pictures' time begins; whole seconds.
    pictures_start: f64,
    /// Where the last look ended, and the next one may.
    looked: f64,
    due: f64,
    stopped: bool,
}

impl Recent {
    fn new(options: FollowOptions) -> Recent {
        Recent {
            options,
            missing: [None, None],
            position: [0.0; 2],
            ended: [false; 2],
            mid: Vec::new(),
            side: Vec::new(),
            first: 0,
            pictures: VideoExtractor::new(Density::Query),
            pictures_start: 0.0,
            looked: 0.0,
            due: options.hop_s,
            stopped: false,
        }
    }

    fn hear(&mut self, pcm: PcmBlock<'_>) {
        // One channel may become two, and two one.
        self.side.resize(self.mid.len(), 0.0);
        self.mid.extend_from_slice(pcm.mid);
        self.side.extend_from_slice(pcm.side);
        self.side.resize(self.mid.len(), 0.0);
        self.position[AUDIO] = (self.first + self.mid.len()) as f64 / sample_rate();
    }

    fn see(&mut self, frame: LumaFrame<'_>) {
        self.position[VIDEO] = frame.time;
        let time = frame.time - self.pictures_start;
        self.pictures.push(LumaFrame { time, ..frame });
    }

    fn end(&self) -> f64 {
        self.position[AUDIO].max(self.position[VIDEO])
    }

    /// Whether a hop has come of all that is still to come, and does not lag.
    fn is_due(&self) -> bool {
        let (due, end) = (self.due, self.end());
        let come = |medium: usize| {
            let position = self.position[medium];
            self.ended[medium] || position >= due || end - position >= LAG
        };
        end >= due && come(AUDIO) && come(VIDEO)
    }

    fn look(&mut self) -> Look {
        self.looked = self.end();
        self.due += self.options.hop_s;
        // What came in a large piece is looked at once.
        if self.due <= self.looked {
            self.due = self.looked + self.options.hop_s;
        }
        // The pictures' grids begin at whole seconds.
        let start = (self.looked - self.options.window_s).max(0.0).floor();
        let (audio, video) = (self.sound_from(start), self.pictures_from(start));
        let lasts = |medium: usize| (self.position[medium] - start).max(0.0);
        Look {
            start,
            fingerprint: Fingerprint {
                content: [0; 32],
                duration: lasts(AUDIO).max(lasts(VIDEO)),
                density: Density::Query,
                audio,
                video,
            },
        }
    }

    fn sound_from(&mut self, start: f64) -> StreamState<AudioFingerprint> {
        let gone = ((start * sample_rate()) as usize).saturating_sub(self.first);
        let gone = gone.min(self.mid.len());
        self.mid.drain(..gone);
        self.side.drain(..gone);
        self.first += gone;
        let (mid, side) = (&self.mid, &self.side);
        self.missing[AUDIO].as_ref().map_or_else(
            || {
                let mut extractor = AudioExtractor::new(Density::Query);
                extractor.push(PcmBlock { mid, side });
                extractor.finish()
            },
            Missing::state,
        )
    }

    fn pictures_from(&mut self, start: f64) -> StreamState<VideoFingerprint> {
        if let Some(missing) = &self.missing[VIDEO] {
            return missing.state();
        }
        if start - self.pictures_start > LONGEST_FILM {
            self.pictures = VideoExtractor::new(Density::Query);
            self.pictures_start = start;
        }
        self.pictures.recent((start - self.pictures_start) as u32)
    }
}

/// Why there is nothing of a medium.
enum Missing {
    Absent,
    Undecodable,
    Skipped,
}

impl Missing {
    fn state<F>(&self) -> StreamState<F> {
        match self {
            Missing::Absent => StreamState::Absent,
            Missing::Undecodable => StreamState::Undecodable,
            Missing::Skipped => StreamState::Skipped,
        }
    }
}

fn sample_rate() -> f64 {
    f64::from(AudioConfig::default().sample_rate)
}

/// The same bytes for two readers; one that is dropped does not hold up the other.
fn branch(mut from: impl Read + Send + 'static) -> [Branch; 2] {
    let (first, second) = (sync_channel(PIECES), sync_channel(PIECES));
    let mut to: Vec<SyncSender<Arc<[u8]>>> = vec![first.0, second.0];
    std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        while !to.is_empty() {
            let length = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A stream that breaks off has ended.
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            };
            let piece: Arc<[u8]> = buffer[..length].into();
            to.retain(|branch| branch.send(piece.clone()).is_ok());
        }
    });
    [first.1, second.1].map(|receiver| Branch {
        receiver,
        piece: Arc::default(),
        at: 0,
    })
}

/// One of two readers of the same bytes.
struct Branch {
    receiver: Receiver<Arc<[u8]>>,
    piece: Arc<[u8]>,
    at: usize,
}

impl Read for Branch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            let Ok(piece) = self.receiver.recv() else {
                return Ok(0);
            };
            (self.piece, self.at) = (piece, 0);
        }
        let read = (&self.piece[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const RATE: u32 = 11_025;

    /// Seconds of notes that do not repeat.
    fn samples(seconds: u32) -> Vec<i16> {
        let mut state = 7u32;
        let mut frequency = 0.0;
        (0..seconds * RATE)
            .map(|i| {
                if i % (RATE / 4) == 0 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    frequency = 200.0 + f64::from(state >> 21);
                }
                let phase = std::f64::consts::TAU * frequency * f64::from(i) / f64::from(RATE);
                (phase.sin() * 8000.0) as i16
            })
            .collect()
    }

    /// A WAV stream whose end is not known.
    fn wav(samples: &[i16]) -> Vec<u8> {
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        bytes.extend_from_slice(&RATE.to_le_bytes());
        bytes.extend_from_slice(&(2 * RATE).to_le_bytes());
        bytes.extend_from_slice(b"\x02\0\x10\0data\xff\xff\xff\xff");
        bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        bytes
    }

    fn looks(stream: Vec<u8>, audio: bool) -> Result<Vec<Look>, FingerprintError> {
        let options = FollowOptions {
            audio,
            video: true,
            window_s: 6.0,
            hop_s: 1.5,
            max_pixels: 1 << 24,
        };
        let (told, hears) = channel();
        let told = Mutex::new(told);
        follow(
            io::Cursor::new(stream),
            Path::new("stream"),
            &options,
            &|look| {
                told.lock().unwrap().send(look).unwrap();
                ControlFlow::Continue(())
            },
        )?;
        drop(told);
        Ok(hears.into_iter().collect())
    }

    #[test]
    fn a_look_is_the_fingerprint_of_its_seconds() {
        let samples = samples(20);
        let looks = looks(wav(&samples), true).unwrap();
        let mut last = 0.0;
        for look in &looks {
            let end = look.start + look.fingerprint.duration;
            // That there is no picture is learned while the first seconds come.
            assert!(end - last < 4.0, "{last} {end}");
            last = end;
            let (from, to) = (look.start * f64::from(RATE), end * f64::from(RATE));
            let own = &samples[from as usize..to.round() as usize];
            let own: Vec<f32> = own.iter().map(|&s| f32::from(s) / 32_768.0).collect();
            let mut extractor = AudioExtractor::new(Density::Query);
            extractor.push(PcmBlock::mono(&own));
            assert!(look.fingerprint.audio == extractor.finish(), "to {end}");
            assert!(look.fingerprint.video.analysed().is_none());
        }
        assert!((last - 20.0).abs() < 0.01 && looks.len() >= 10, "{last}");
        assert!((6.0..7.0).contains(&looks[looks.len() - 1].fingerprint.duration));
    }

    #[test]
    fn a_medium_that_pauses_is_not_waited_for() {
        let mut recent = Recent::new(FollowOptions {
            audio: true,
            video: true,
            window_s: 4.0,
            hop_s: 1.0,
            max_pixels: 1 << 24,
        });
        // Hardly more than a tenth of a second.
        let (sound, picture) = ([0.1; 1103], [128; 64]);
        let mut looked = Vec::new();
        for tenth in 0..=100 {
            // The sound stops after three seconds and comes again after eight; what decodes it fills the
            // pause.
            let pieces = match tenth {
                0 | 31..80 => 0,
                80 => 50,
                _ => 1,
            };
            (0..pieces).for_each(|_| recent.hear(PcmBlock::mono(&sound)));
            recent.see(LumaFrame {
                time: f64::from(tenth) / 10.0,
                width: 8,
                height: 8,
                stride: 8,
                pixel_aspect: 1.0,
                data: &picture,
            });
            while recent.is_due() {
                recent.look();
                looked.push((recent.looked * 10.0).round() as u32);
            }
        }
        // It is waited for once.
        assert_eq!(looked, [10, 20, 30, 51, 61, 71, 81, 91]);
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        let code = |stream: &[u8], audio| looks(stream.to_vec(), audio).unwrap_err().code();
        assert_eq!(code(b"", true), "empty");
        assert_eq!(code(b"just text, no media", true), "not_media");
        assert_eq!(looks(wav(&samples(2)), false).unwrap(), []);
    }
}
