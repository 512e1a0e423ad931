//! Filter graphs run in process.

use crate::error::{DistortError, Stage};
use ffmpeg::filter;
use ffmpeg::frame::{Audio, Frame};
use ffmpeg_next as ffmpeg;
use std::path::Path;
use std::sync::Once;

/// Name of the sink that every graph ends in.
const SINK: &str = "out";

/// Registers what FFmpeg needs and keeps it from writing to the terminal.
pub(crate) fn init() -> Result<(), DistortError> {
    static ONCE: Once = Once::new();
    ffmpeg::init().stage("starting FFmpeg")?;
    ONCE.call_once(|| ffmpeg::log::set_level(ffmpeg::log::Level::Fatal));
    Ok(())
}

/// Versions of the libraries that filter and encode: what a query's bytes follow from besides its
/// recipe.
pub fn ffmpeg_version() -> String {
    let spelt = |name: &str, version: u32| {
        format!(
            "{name} {}.{}.{}",
            version >> 16,
            (version >> 8) & 0xff,
            version & 0xff
        )
    };
    let codecs = spelt("libavcodec", ffmpeg::codec::version());
    let filters = spelt("libavfilter", filter::version());
    format!("{codecs}, {filters}")
}

/// A configured graph that ends in one sink of sound or picture.
pub(crate) struct Pull {
    graph: filter::Graph,
    spec: String,
}

impl Pull {
    /// A graph of sounds; its last link must be named `[out]`. Feeds nothing: sources are filters.
    pub(crate) fn audio(spec: &str) -> Result<Pull, DistortError> {
        Pull::configure(spec, "abuffersink", None)
    }

    /// The same for pictures.
    pub(crate) fn video(spec: &str) -> Result<Pull, DistortError> {
        Pull::configure(spec, "buffersink", None)
    }

    /// A graph of sounds with one fed input named `[in]`: interleaved stereo floats.
    pub(crate) fn fed(spec: &str, rate: u32) -> Result<Pull, DistortError> {
        let source =
            format!("time_base=1/{rate}:sample_rate={rate}:sample_fmt=flt:channel_layout=stereo");
        Pull::configure(spec, "abuffersink", Some(&source))
    }

    fn configure(spec: &str, sink: &str, source: Option<&str>) -> Result<Pull, DistortError> {
        init()?;
        let find = |name: &str| {
            filter::find(name).ok_or_else(|| DistortError::Missing(format!("filter {name}")))
        };
        let stage = || format!("filter graph {spec}");
        let mut graph = filter::Graph::new();
        // SAFETY: the graph was allocated above and has no filters yet; the field is a plain integer
        // that FFmpeg reads when filters are created. One thread keeps a run on the cores it was given.
        unsafe { (*graph.as_mut_ptr()).nb_threads = 1 };
        graph.add(&find(sink)?, SINK, "").stage(stage())?;
        if let Some(arguments) = source {
            graph
                .add(&find("abuffer")?, "in", arguments)
                .stage(stage())?;
            let parser = graph.output("in", 0).stage(stage())?;
            let parser = parser.input(SINK, 0).stage(stage())?;
            parser.parse(spec).stage(stage())?;
        } else {
            let parser = graph.input(SINK, 0).stage(stage())?;
            parser.parse(spec).stage(stage())?;
        }
        graph.validate().stage(stage())?;
        Ok(Pull {
            graph,
            spec: spec.to_owned(),
        })
    }

    fn context(&mut self, name: &str) -> Result<filter::Context, DistortError> {
        self.graph
            .get(name)
            .ok_or_else(|| DistortError::Missing(format!("[{name}] in {}", self.spec)))
    }

    /// The unit of the frames' timestamps, seconds.
    pub(crate) fn time_base(&mut self) -> Result<ffmpeg::Rational, DistortError> {
        Ok(self.context(SINK)?.sink().time_base())
    }

    /// Makes the sink hand out frames of this many samples, as encoders want them.
    pub(crate) fn set_frame_size(&mut self, samples: u32) -> Result<(), DistortError> {
        self.context(SINK)?.sink().set_frame_size(samples);
        Ok(())
    }

    /// Feeds the input named `[in]`.
    pub(crate) fn push(&mut self, frame: &Audio) -> Result<(), DistortError> {
        let stage = format!("feeding {}", self.spec);
        self.context("in")?.source().add(frame).stage(stage)
    }

    /// Says that nothing more is fed.
    pub(crate) fn close(&mut self) -> Result<(), DistortError> {
        let stage = format!("feeding {}", self.spec);
        self.context("in")?.source().flush().stage(stage)
    }

    /// The next frame into `frame`; false when none is ready or none is left.
    pub(crate) fn next(&mut self, frame: &mut Frame) -> Result<bool, DistortError> {
        match self.context(SINK)?.sink().frame(frame) {
            Ok(()) => Ok(true),
            Err(ffmpeg::Error::Eof) => Ok(false),
            Err(ffmpeg::Error::Other { errno }) if errno == ffmpeg::error::EAGAIN => Ok(false),
            Err(error) => Err(error).stage(format!("running {}", self.spec)),
        }
    }
}

/// A path as the value of a filter's option: escaped once for the option, once for the graph.
pub(crate) fn quoted(path: &Path) -> String {
    let escape = |text: &str, special: &str| {
        text.chars().fold(String::new(), |mut out, character| {
            if special.contains(character) {
                out.push('\\');
            }
            out.push(character);
            out
        })
    };
    escape(&escape(&path.to_string_lossy(), r"\':"), r"\'[],;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_names_reach_the_filter() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "plain.png",
            "[bg-video] a, b; c.png",
            "it's 1:2.png",
            r"back\slash.png",
        ] {
            let path = folder.path().join(name);
            image::RgbImage::new(16, 8).save(&path).expect("written");
            let mut pull =
                Pull::video(&format!("movie=filename={}[out]", quoted(&path))).expect(name);
            let mut frame = ffmpeg::frame::Video::empty();
            assert!(pull.next(&mut frame).expect(name), "{name}");
            assert_eq!((frame.width(), frame.height()), (16, 8), "{name}");
        }
    }

    #[test]
    fn a_bad_graph_names_itself() {
        let error = Pull::audio("nosuchfilter[out]").err().expect("refused");
        assert!(error.to_string().contains("nosuchfilter"), "{error}");
    }
}
