//! Luma frames in, video fingerprint out.

use crate::corners::CornerFinder;
use crate::keypoints;
use crate::luma::BlockMean;
use crate::pyramid::{Base, BaseScaler};
use likeness_core::video::{Keyframe, Thumbnails, VideoConfig};
use likeness_core::{Density, LumaFrame, StreamState, VideoFingerprint};
use rayon::prelude::*;

/// Frames that wait for their keypoints; a batch is shared out over threads.
const BATCH: usize = 16;
/// A grid time is served by the first frame at most this much before it, seconds.
const EARLY: f64 = 0.02;
/// No film is longer; what timestamps claim beyond is not believed.
const MAX_SECONDS: f64 = 5e5;

/// Turns a stream of frames into a fingerprint. Memory grows with the fingerprint only.
#[derive(Debug)]
pub struct VideoExtractor {
    config: VideoConfig,
    density: Density,
    /// Shown width over height; fixed by the first frame.
    aspect: Option<f64>,
    scaler: BaseScaler,
    pending: Vec<(u32, f64, Base)>,
    next_slot: u32,
    keyframes: Vec<Keyframe>,
    mean: BlockMean,
    thumbnails: Thumbnails,
    textured: bool,
    end: f64,
}

impl VideoExtractor {
    /// An extractor with the default configuration.
    pub fn new(density: Density) -> VideoExtractor {
        let (width, height) = Thumbnails::QUERY;
        VideoExtractor {
            config: VideoConfig::DEFAULT,
            density,
            aspect: None,
            scaler: BaseScaler::default(),
            pending: Vec::new(),
            next_slot: 0,
            keyframes: Vec::new(),
            mean: BlockMean::new(width, height),
            thumbnails: Thumbnails::new(),
            textured: false,
            end: 0.0,
        }
    }

    /// Takes the next frame; times must not decrease.
    pub fn push(&mut self, frame: LumaFrame<'_>) {
        if !(0.0..MAX_SECONDS).contains(&frame.time) {
            return;
        }
        self.end = self.end.max(frame.time);
        self.push_thumbnail(&frame);
        self.push_keyframe(&frame);
    }

    /// What the frames amounted to.
    pub fn finish(mut self) -> StreamState<VideoFingerprint> {
        self.flush();
        if !self.mean.is_empty() {
            self.close_thumbnail();
        }
        let Some(aspect) = self.aspect.filter(|_| self.end >= self.config.min_duration) else {
            return StreamState::TooShort;
        };
        if !self.textured {
            return StreamState::Empty;
        }
        let dense = VideoFingerprint {
            duration: self.end,
            aspect,
            density: Density::Query,
            keyframes: self.keyframes,
            thumbnails: self.thumbnails,
        };
        StreamState::Analysed(match self.density {
            Density::Query => dense,
            Density::Reference => dense.to_reference(),
        })
    }

    /// Adds the frame to the thumbnail of its time; steps without a frame repeat the one before.
    fn push_thumbnail(&mut self, frame: &LumaFrame<'_>) {
        let rate = f64::from(self.config.thumbnail_rate);
        let index = ((frame.time + EARLY) * rate) as usize;
        if index > self.thumbnails.len() && !self.mean.is_empty() {
            self.close_thumbnail();
        }
        self.thumbnails.repeat_last_until(index);
        self.mean.add(frame);
    }

    fn close_thumbnail(&mut self) {
        let picture = self.thumbnails.push_black();
        self.mean.take(picture);
        self.textured |= deviation(picture) >= self.config.blank_deviation;
    }

    fn push_keyframe(&mut self, frame: &LumaFrame<'_>) {
        let slot = ((frame.time + EARLY) * f64::from(self.config.keyframe_rate)) as u32;
        if slot < self.next_slot {
            return;
        }
        self.next_slot = slot + 1;
        let dense = self.density == Density::Query;
        if !dense && !slot.is_multiple_of(self.config.sparse_slots) {
            return;
        }
        let own = frame.width as f64 * frame.pixel_aspect / frame.height as f64;
        let aspect = *self.aspect.get_or_insert(own.clamp(1e-3, 1e3));
        let base = self.scaler.scale(frame, aspect, dense, &self.config);
        self.pending.push((slot, frame.time, base));
        if self.pending.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let (config, density) = (self.config, self.density);
        let Some(aspect) = self.aspect else { return };
        let frames = self.pending.par_drain(..).map_init(
            CornerFinder::default,
            |finder, (slot, time, base)| {
                let (keypoints, sparse) = keypoints::find(finder, base, aspect, density, &config);
                Keyframe {
                    slot,
                    time_ms: (time * 1000.0).round() as u32,
                    sparse: sparse as u16,
                    keypoints,
                }
            },
        );
        self.keyframes.par_extend(frames);
    }
}

/// Standard deviation of a picture's values.
fn deviation(values: &[u8]) -> f32 {
    let n = values.len() as f32;
    let sum: u32 = values.iter().map(|&v| u32::from(v)).sum();
    let squares: u32 = values.iter().map(|&v| u32::from(v) * u32::from(v)).sum();
    let mean = sum as f32 / n;
    (squares as f32 / n - mean * mean).max(0.0).sqrt()
}
