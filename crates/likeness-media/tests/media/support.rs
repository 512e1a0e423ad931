//! Making test files, and decoding them whole.

use likeness_media::{DecodeOptions, Decoded, MediaError, decode_audio_with, decode_video_with};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Hz at which the tests listen.
pub(crate) const RATE: u32 = 16_000;
/// Seconds of the standard clip.
pub(crate) const LENGTH: f64 = 3.0;
/// When the standard clip turns white and loud, seconds.
pub(crate) const ONSET: f64 = 2.0;
/// 25 frames a second of grey with a white mark at the top left; white from [`ONSET`] on.
pub(crate) const PICTURE: &str = "color=c=gray:s=160x120:r=25:d=3,\
    drawbox=x=0:y=0:w=40:h=30:c=white:t=fill,\
    drawbox=x=0:y=0:w=iw:h=ih:c=white:t=fill:enable='gte(t,1.99)'";
/// Soft noise, loud from [`ONSET`] on.
pub(crate) const SOUND: &str =
    "aevalsrc='(random(0)-0.5)*if(gte(t,2),0.8,0.02)':s=44100:d=3,aformat=sample_fmts=s16";

/// A directory of test files.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Files {
        Files(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `ffmpeg`; the arguments are separated by spaces, `{}` stands for the directory and
    /// `PICTURE` and `SOUND` for the standard clip as inputs.
    pub(crate) fn make(&self, arguments: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let directory = self.0.path().to_str().unwrap();
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-nostdin"]);
        for argument in arguments.split_whitespace() {
            match argument {
                "PICTURE" => command.args(["-f", "lavfi", "-i", PICTURE]),
                "SOUND" => command.args(["-f", "lavfi", "-i", SOUND]),
                other => command.arg(other.replace("{}", directory)),
            };
        }
        let output = command.arg(&path).output().expect("ffmpeg is installed");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {complaint}");
        path
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// All samples of a file.
pub(crate) fn listen_with(
    path: &Path,
    options: &DecodeOptions,
) -> (Vec<f32>, Result<Decoded, MediaError>) {
    let mut samples = Vec::new();
    let result = decode_audio_with(path, RATE, options, &mut |block| {
        samples.extend_from_slice(block.mid);
        ControlFlow::Continue(())
    });
    (samples, result)
}

/// All samples of a file that must decode.
pub(crate) fn listen(path: &Path) -> (Vec<f32>, Decoded) {
    let (samples, result) = listen_with(path, &DecodeOptions::default());
    let decoded = result.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        samples.len(),
        (decoded.duration * f64::from(RATE)).round() as usize
    );
    (samples, decoded)
}

/// A frame, remembered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) time: f64,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixel_aspect: f64,
    /// Mean luma of the corners: top left, top right, bottom left, bottom right.
    pub(crate) corners: [u8; 4],
}

impl Seen {
    pub(crate) fn is_white(&self) -> bool {
        self.corners.iter().all(|c| *c > 200)
    }
}

/// All frames of a file.
pub(crate) fn watch_with(
    path: &Path,
    options: &DecodeOptions,
) -> (Vec<Seen>, Result<Decoded, MediaError>) {
    let mut seen: Vec<Seen> = Vec::new();
    let result = decode_video_with(path, options, &mut |frame| {
        assert!(frame.stride >= frame.width && frame.width > 0 && frame.height > 0);
        assert!(frame.data.len() >= frame.stride * (frame.height - 1) + frame.width);
        assert!(seen.last().is_none_or(|s| s.time <= frame.time));
        let corner = |right: bool, bottom: bool| {
            let (w, h) = (frame.width.div_ceil(8), frame.height.div_ceil(8));
            let x = if right { frame.width - w } else { 0 };
            let y = if bottom { frame.height - h } else { 0 };
            let rows = (y..y + h).map(|y| &frame.data[y * frame.stride + x..][..w]);
            let sum: usize = rows.flatten().map(|p| usize::from(*p)).sum();
            (sum / (w * h)) as u8
        };
        seen.push(Seen {
            time: frame.time,
            width: frame.width,
            height: frame.height,
            pixel_aspect: frame.pixel_aspect,
            corners: [
                corner(false, false),
                corner(true, false),
                corner(false, true),
                corner(true, true),
            ],
        });
        ControlFlow::Continue(())
    });
    (seen, result)
}

/// All frames of a file that must decode.
pub(crate) fn watch(path: &Path) -> (Vec<Seen>, Decoded) {
    let (seen, result) = watch_with(path, &DecodeOptions::default());
    let decoded = result.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(seen.len() as u64, decoded.frames);
    (seen, decoded)
}

/// Seconds at which the sound becomes loud.
pub(crate) fn loud_from(samples: &[f32]) -> f64 {
    let loud = samples.iter().position(|s| s.abs() > 0.1);
    loud.expect("a loud part") as f64 / f64::from(RATE)
}

/// Seconds by which `samples` lag behind `original`, by correlation, up to 0.1 s.
pub(crate) fn lag(original: &[f32], samples: &[f32]) -> f64 {
    let most = RATE as i64 / 10;
    let from = RATE as usize * 2;
    let score = |lag: i64| -> f64 {
        let part = &original[from..from + RATE as usize / 2];
        let at = (from as i64 + lag) as usize;
        let pairs = part.iter().zip(&samples[at..]);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let best = (-most..=most).max_by(|a, b| score(*a).total_cmp(&score(*b)));
    best.unwrap() as f64 / f64::from(RATE)
}
