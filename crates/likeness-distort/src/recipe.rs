//! Recipes: what is done to an excerpt, in order.
//!
//! In TOML, each step is a table whose `step` names it:
//!
//! ```toml
//! name = "nightcore in a border"
//! audio = [{ step = "speed", factor = 1.25 }]
//! video = [{ step = "speed", factor = 1.25 }, { step = "shrink", size = 0.5 }]
//! encode = { crf = 30 }
//! ```

use serde::{Deserialize, Serialize};

/// What is done to an excerpt. A medium that is absent is left out of the query; an empty list
/// leaves it as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Steps for the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Vec<AudioStep>>,
    /// Steps for the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Vec<VideoStep>>,
    /// How the result is written.
    #[serde(default)]
    pub encode: Encoding,
}

/// How a query is written. With a picture the container is MP4 and the sound AAC unless said
/// otherwise; without one, the codec's own container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encoding {
    /// Codec of the sound.
    pub codec: AudioCodec,
    /// Bit rate of the sound, kilobits per second; ignored by FLAC.
    pub kbps: u32,
    /// x264's constant rate factor, 0..=51; 18 looks like the source.
    pub crf: u32,
    /// Scales the picture to this height, keeping its shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

impl Default for Encoding {
    fn default() -> Encoding {
        Encoding {
            codec: AudioCodec::Flac,
            kbps: 192,
            crf: 18,
            height: None,
        }
    }
}

/// Codecs that queries are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioCodec {
    /// Lossless.
    Flac,
    /// MPEG-1/2 layer 3.
    Mp3,
    /// AAC-LC.
    Aac,
    /// Opus.
    Opus,
}

/// A tool that changes pace without pitch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretcher {
    /// FFmpeg's waveform-similarity overlap-add.
    Atempo,
    /// The Rubber Band library's phase vocoder.
    Rubberband,
}

/// A tool that changes pitch without pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shifter {
    /// The Rubber Band library.
    Rubberband,
    /// Played at another rate, then stretched back by `atempo`.
    Resample,
}

/// One change to the sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum AudioStep {
    /// Played faster (`factor` > 1) or slower; pitch follows. 0.5..=2.
    Speed {
        /// Reference seconds per query second.
        factor: f64,
    },
    /// Faster or slower at the same pitch. 0.5..=2.
    Tempo {
        /// Reference seconds per query second.
        factor: f64,
        /// The tool.
        stretcher: Stretcher,
    },
    /// Higher or lower at the same pace. -12..=12.
    Pitch {
        /// Semitones up.
        semitones: f64,
        /// The tool.
        shifter: Shifter,
    },
    /// White noise.
    Noise {
        /// Signal above noise, decibels of the means over the excerpt.
        snr_db: f64,
    },
    /// Somebody speaks over it.
    Voice {
        /// Music above voice.
        snr_db: f64,
    },
    /// Other music plays as well.
    Music {
        /// This music above the other.
        snr_db: f64,
    },
    /// Bands of an octave raised and lowered in turn.
    Equaliser {
        /// How far, decibels.
        gain_db: f64,
    },
    /// Only a band is left.
    Band {
        /// Lower edge.
        low_hz: f64,
        /// Upper edge.
        high_hz: f64,
    },
    /// A hall: a Schroeder reverberator.
    Reverb {
        /// Time to fall by 60 dB, seconds.
        seconds: f64,
        /// Share of the hall in the result, 0..=1.
        wet: f64,
    },
    /// Heavy dynamic compression.
    Compress {
        /// Decibels above the threshold per decibel of output, 1..=20.
        ratio: f64,
    },
    /// Left minus right: what sits in the middle goes. Needs a stereo source.
    RemoveCentre,
    /// Faded in and out.
    Fade {
        /// How long each takes.
        seconds: f64,
    },
    /// In the midst of other music.
    Inside {
        /// Seconds of other music before.
        before: f64,
        /// Seconds after.
        after: f64,
    },
}

/// What lies around or behind a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    /// Nothing.
    Black,
    /// A drawn pattern of tiles, lines and discs.
    Pattern,
    /// A photo.
    Photo,
    /// Another moving picture.
    Video,
}

/// A side of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Left.
    Left,
    /// Right.
    Right,
}

/// One change to the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum VideoStep {
    /// Faster or slower at the source's frame rate. 0.5..=2.
    Speed {
        /// Reference seconds per query second.
        factor: f64,
    },
    /// Sides cut away, as shares of the width or height.
    Crop {
        /// Cut on the left.
        #[serde(default)]
        left: f64,
        /// Cut at the top.
        #[serde(default)]
        top: f64,
        /// Cut on the right.
        #[serde(default)]
        right: f64,
        /// Cut at the bottom.
        #[serde(default)]
        bottom: f64,
    },
    /// The middle enlarged to the full size.
    Zoom {
        /// 1..=4.
        factor: f64,
    },
    /// Smaller, over a background of the same size.
    Inset {
        /// Width and height as shares of the background's, 0.1..1.
        size: f64,
        /// What lies behind.
        background: Background,
        /// Where in the free room: 0 left, 1 right; drawn by lot when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        x: Option<f64>,
        /// 0 top, 1 bottom; drawn by lot when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        y: Option<f64>,
    },
    /// Bars at the top and bottom.
    Letterbox {
        /// Their share of the new height.
        share: f64,
    },
    /// Upright 9:16, with a blurred enlargement of itself above and below.
    Vertical,
    /// Flipped left to right.
    Mirror,
    /// Turned clockwise, corners cut or black.
    Rotate {
        /// How far.
        degrees: f64,
    },
    /// Seen at an angle: one side is shorter.
    Perspective {
        /// By how much of the height at either end, 0..0.3.
        strength: f64,
    },
    /// Made wider (> 1) or narrower.
    Stretch {
        /// New width by old.
        factor: f64,
    },
    /// Another moving picture beside it, each squeezed to half the width.
    Split {
        /// Where ours goes.
        side: Side,
    },
    /// Four times in a square.
    Mosaic,
    /// Colours and light; each 1 (or 0 degrees) leaves it alone.
    Colour {
        /// > 1 lightens the middle tones.
        #[serde(default = "one")]
        gamma: f64,
        /// 0 is grey.
        #[serde(default = "one")]
        saturation: f64,
        /// Turns the colours, degrees.
        #[serde(default)]
        hue: f64,
        /// Multiplies the light.
        #[serde(default = "one")]
        brightness: f64,
    },
    /// Negative.
    Invert,
    /// Gaussian blur.
    Blur {
        /// Standard deviation in pixels of a picture 480 high.
        sigma: f64,
    },
    /// Grain that changes with each frame.
    Noise {
        /// FFmpeg's strength, 0..=100.
        strength: u32,
    },
    /// Another frame rate.
    FrameRate {
        /// Frames a second.
        fps: f64,
    },
    /// Frames lost, and the one before shown for longer.
    Drop {
        /// One in so many.
        every: u32,
    },
    /// Black boxes drawn over it.
    Boxes {
        /// Share of the area.
        share: f64,
    },
    /// A frame and translucent lines drawn over it.
    Lines,
    /// A caption below and a logo in a corner.
    Caption,
    /// In the midst of another moving picture.
    Inside {
        /// Seconds of it before.
        before: f64,
        /// Seconds after.
        after: f64,
    },
}

fn one() -> f64 {
    1.0
}

impl Recipe {
    /// Source seconds per query second of the sound, or of the picture when there is no sound.
    pub fn speed(&self) -> f64 {
        match (&self.audio, &self.video) {
            (Some(steps), _) => audio_speed(steps),
            (None, Some(steps)) => video_speed(steps),
            (None, None) => 1.0,
        }
    }
}

pub(crate) fn audio_speed(steps: &[AudioStep]) -> f64 {
    steps
        .iter()
        .map(|step| match step {
            AudioStep::Speed { factor } | AudioStep::Tempo { factor, .. } => *factor,
            _ => 1.0,
        })
        .product()
}

pub(crate) fn video_speed(steps: &[VideoStep]) -> f64 {
    steps
        .iter()
        .map(|step| match step {
            VideoStep::Speed { factor } => *factor,
            _ => 1.0,
        })
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_reads_as_documented() {
        let recipe: Recipe = toml::from_str(
            r#"
            audio = [{ step = "speed", factor = 1.25 }, { step = "noise", snr_db = 10 }]
            video = [{ step = "inset", size = 0.5, background = "black" }, { step = "mirror" }]
            encode = { crf = 30 }
            "#,
        )
        .expect("valid");
        assert_eq!(recipe.speed(), 1.25);
        assert_eq!(recipe.video.map(|steps| steps.len()), Some(2));
        assert_eq!(recipe.encode.crf, 30);
        assert_eq!(recipe.encode.codec, AudioCodec::Flac);
    }

    #[test]
    fn a_misspelt_strength_is_refused() {
        for text in [
            r#"audio = [{ step = "speed", facter = 1.25 }]"#,
            r#"audio = [{ step = "sped", factor = 1.25 }]"#,
            r#"vidio = []"#,
        ] {
            assert!(toml::from_str::<Recipe>(text).is_err(), "{text}");
        }
    }
}
