//! Luma frames in, video fingerprint out.

use crate::config::VideoConfig;
use crate::keypoints::KeypointFinder;
use crate::luma::{AreaScaler, Luma};
use likeness_core::video::{Keyframe, THUMB_HEIGHT, THUMB_WIDTH, Thumbnails};
use likeness_core::{Density, LumaFrame, StreamState, VideoFingerprint};
use rayon::prelude::*;

/// Working pictures that wait for their keypoints; a batch is shared out over threads.
const BATCH: usize = 16;
/// A grid time is served by the first frame at most this much before it, seconds.
const EARLY: f64 = 0.02;
/// No film is longer; what timestamps claim beyond is not believed.
const MAX_SLOTS: u32 = 1 << 20;

/// Turns a stream of frames into a fingerprint. Memory grows with the fingerprint only.
#[derive(Debug)]
pub struct VideoExtractor {
    config: VideoConfig,
    density: Density,
    scaler: AreaScaler,
    /// Width and height of working pictures and the shown aspect; fixed by the first frame.
    size: Option<(usize, usize, f64)>,
    pending: Vec<(u32, f64, Luma)>,
    next_slot: u32,
    keyframes: Vec<Keyframe>,
    thumb: Luma,
    thumbs: Vec<u8>,
    textured: usize,
    end: f64,
}

impl VideoExtractor {
    /// An extractor with the default configuration.
    pub fn new(density: Density) -> VideoExtractor {
        VideoExtractor {
            config: VideoConfig::DEFAULT,
            density,
            scaler: AreaScaler::default(),
            size: None,
            pending: Vec::new(),
            next_slot: 0,
            keyframes: Vec::new(),
            thumb: Luma::new(2 * THUMB_WIDTH, 2 * THUMB_HEIGHT),
            thumbs: Vec::new(),
            textured: 0,
            end: 0.0,
        }
    }

    /// Takes the next frame; times must not decrease.
    pub fn push(&mut self, frame: LumaFrame<'_>) {
        self.end = self.end.max(frame.time);
        self.push_thumbnails(&frame);
        self.push_keyframe(&frame);
    }

    /// What the frames amounted to.
    pub fn finish(mut self) -> StreamState<VideoFingerprint> {
        self.flush();
        let Some((_, _, aspect)) = self.size else {
            return StreamState::TooShort;
        };
        let duration = self.end;
        if duration < self.config.min_duration {
            return StreamState::TooShort;
        }
        if self.textured == 0 {
            return StreamState::Empty;
        }
        let dense = VideoFingerprint {
            config: self.config.hash(),
            duration,
            aspect,
            keyframes: self.keyframes,
            thumbnails: Thumbnails {
                rate: self.config.thumbnail_rate,
                width: self.thumb.width,
                height: self.thumb.height,
                luma: self.thumbs,
            },
        };
        StreamState::Analysed(match self.density {
            Density::Query => dense,
            Density::Reference => dense.to_reference(),
        })
    }

    /// Fills the grid of thumbnails up to this frame: times that passed without a frame show the
    /// frame before.
    fn push_thumbnails(&mut self, frame: &LumaFrame<'_>) {
        let size = self.thumb.data.len();
        let rate = f64::from(self.config.thumbnail_rate);
        let due = ((frame.time + EARLY) * rate).floor() as usize + 1;
        let due = due.min(MAX_SLOTS as usize * 4);
        let have = self.thumbs.len() / size;
        if due <= have {
            return;
        }
        for _ in have + 1..due {
            self.thumbs.extend_from_slice(&self.thumb.data);
        }
        self.scaler.scale(frame, &mut self.thumb);
        self.thumbs.extend_from_slice(&self.thumb.data);
        self.textured += usize::from(deviation(&self.thumb.data) >= self.config.blank_deviation);
    }

    fn push_keyframe(&mut self, frame: &LumaFrame<'_>) {
        let slot = ((frame.time + EARLY) * self.config.keyframe_rate).floor() as u32;
        if slot < self.next_slot || slot >= MAX_SLOTS {
            return;
        }
        self.next_slot = slot + 1;
        if self.density == Density::Reference && slot % 2 == 1 {
            return;
        }
        let config = self.config;
        let (width, height, _) = *self
            .size
            .get_or_insert_with(|| working_size(&config, frame));
        let mut picture = Luma::new(width, height);
        self.scaler.scale(frame, &mut picture);
        self.pending.push((slot, frame.time, picture));
        if self.pending.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Some((width, height, _)) = self.size else {
            return;
        };
        let config = self.config;
        self.keyframes
            .par_extend(self.pending.par_drain(..).map_init(
                || KeypointFinder::new(config, width, height),
                |finder, (slot, time, picture)| Keyframe {
                    slot,
                    time_ms: (time * 1000.0).round() as u32,
                    keypoints: finder.find(&picture),
                },
            ));
    }
}

fn working_size(config: &VideoConfig, frame: &LumaFrame<'_>) -> (usize, usize, f64) {
    let (width, height) = (frame.width as f64 * frame.pixel_aspect, frame.height as f64);
    let scale = (config.working_size as f64 / width.max(height)).min(1.0);
    let side = |n: f64| ((n * scale).round() as usize).clamp(16, config.working_size);
    (side(width), side(height), (width / height).clamp(1e-3, 1e3))
}

/// Standard deviation of a picture's values.
fn deviation(values: &[u8]) -> f32 {
    let n = values.len() as f32;
    let sum: u32 = values.iter().map(|&v| u32::from(v)).sum();
    let squares: u32 = values.iter().map(|&v| u32::from(v) * u32::from(v)).sum();
    let mean = sum as f32 / n;
    (squares as f32 / n - mean * mean).max(0.0).sqrt()
}
