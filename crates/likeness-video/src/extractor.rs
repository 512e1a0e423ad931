//! Luma frames in, video fingerprint out.

use crate::corners::CornerFinder;
use crate::keypoints;
use crate::luma::{BlockMean, TICKS};
use crate::pyramid::{Base, BaseScaler, Level, levels};
use crate::stillest::{Motion, Stillest};
use likeness_core::video::{Keyframe, Plate, Thinning, Thumbnails, VideoConfig};
use likeness_core::{Density, LumaFrame, StreamState, VideoFingerprint};
use rayon::prelude::*;

/// Frames that wait for their keypoints; a batch is shared out over threads.
const BATCH: usize = 16;
/// A frame belongs to a slot that begins at most this much after it, seconds.
const EARLY: f64 = 0.02;
/// No film is longer; what timestamps claim beyond is not believed.
const MAX_SECONDS: f64 = 5e5;

/// Turns a stream of frames into a fingerprint. Memory grows with the fingerprint of the density
/// asked for only.
#[derive(Debug)]
pub struct VideoExtractor {
    config: VideoConfig,
    density: Density,
    /// Shown width over height; fixed by the first frame.
    aspect: Option<f64>,
    scaler: BaseScaler,
    pending: Vec<(u32, f64, Base)>,
    motion: Motion,
    stillest: Stillest,
    /// Dense keyframes, and the pictures of the dense film; of a reference those that are not
    /// thinned out yet.
    keyframes: Vec<Keyframe>,
    thumbnails: Thumbnails,
    plates: Vec<Plate>,
    thinning: Thinning,
    /// Pictures thinned out, or forgotten, already.
    thinned: usize,
    /// What is shown in the next picture, up to `shown` ticks on the film's clock.
    mean: BlockMean,
    shown: Option<u64>,
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
            motion: Motion::default(),
            stillest: Stillest::default(),
            keyframes: Vec::new(),
            thumbnails: Thumbnails::new(),
            plates: Vec::new(),
            thinning: Thinning::default(),
            thinned: 0,
            mean: BlockMean::new(width, height),
            shown: None,
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
        let own = frame.width as f64 * frame.pixel_aspect / frame.height as f64;
        self.aspect.get_or_insert(own.clamp(1e-3, 1e3));
        self.push_thumbnail(&frame);
        self.push_keyframe(&frame);
    }

    /// What the frames amounted to.
    pub fn finish(mut self) -> StreamState<VideoFingerprint> {
        self.close_slot();
        self.flush();
        if let Some(shown) = self.shown {
            self.hold_until((shown / u64::from(TICKS) + 1) * u64::from(TICKS));
        }
        let Some(aspect) = self.aspect.filter(|_| self.end >= self.config.min_duration) else {
            return StreamState::TooShort;
        };
        if !self.textured {
            return StreamState::Empty;
        }
        let (keyframes, thumbnails, plates) = match self.density {
            Density::Query => (self.keyframes, self.thumbnails, self.plates),
            Density::Reference => {
                self.thin_out(true);
                self.thinning.finish()
            }
        };
        StreamState::Analysed(VideoFingerprint {
            duration: self.end,
            aspect,
            density: self.density,
            keyframes,
            thumbnails,
            plates,
        })
    }

    /// What was shown from `start` seconds on, with times from there, of a film that goes on; what
    /// lies before is forgotten. For a dense extractor only, and starts that do not decrease.
    pub fn recent(&mut self, start: u32) -> StreamState<VideoFingerprint> {
        debug_assert_eq!(self.density, Density::Query);
        self.flush();
        let config = self.config;
        let first_slot = start.saturating_mul(config.keyframe_rate);
        self.keyframes.retain(|frame| frame.slot >= first_slot);
        self.plates.retain(|plate| plate.slot >= first_slot);
        let first_picture = start.saturating_mul(self.thumbnails.rate) as usize;
        let gone = first_picture.saturating_sub(self.thinned);
        let gone = gone.min(self.thumbnails.len());
        self.thumbnails.drop_first(gone);
        self.thinned += gone;
        let duration = self.end - f64::from(start);
        let Some(aspect) = self.aspect.filter(|_| duration >= config.min_duration) else {
            return StreamState::TooShort;
        };
        let pictures = 0..self.thumbnails.len();
        let textured = |i| deviation(self.thumbnails.picture(i)) >= config.blank_deviation;
        if !pictures.into_iter().any(textured) {
            return StreamState::Empty;
        }
        let moved = |frame: &Keyframe| Keyframe {
            slot: frame.slot - first_slot,
            time_ms: frame.time_ms.saturating_sub(start.saturating_mul(1000)),
            ..frame.clone()
        };
        let plate = |plate: &Plate| Plate {
            slot: plate.slot - first_slot,
            ..plate.clone()
        };
        StreamState::Analysed(VideoFingerprint {
            duration,
            aspect,
            density: self.density,
            keyframes: self.keyframes.iter().map(moved).collect(),
            thumbnails: self.thumbnails.clone(),
            plates: self.plates.iter().map(plate).collect(),
        })
    }

    /// Shows the frame from its time on.
    fn push_thumbnail(&mut self, frame: &LumaFrame<'_>) {
        let step = self.thumbnails.rate() * f64::from(TICKS);
        let now = (frame.time * step).round() as u64;
        match self.shown {
            Some(_) => self.hold_until(now),
            // Before the first frame all is black.
            None => self.repeat_until(now / u64::from(TICKS)),
        }
        self.shown = Some(now);
        self.mean.show(frame);
    }

    /// Goes on showing the last frame until so many ticks on the film's clock.
    fn hold_until(&mut self, now: u64) {
        let whole = u64::from(TICKS);
        let from = self.shown.unwrap_or(now);
        let (first, last) = (from / whole, now / whole);
        if first == last {
            return self.mean.hold((now - from) as u32);
        }
        self.mean.hold(((first + 1) * whole - from) as u32);
        self.close_thumbnail();
        if last > first + 1 {
            self.mean.hold(TICKS);
            self.close_thumbnail();
            self.repeat_until(last);
        }
        self.mean.hold((now % whole) as u32);
    }

    /// Repeats the last picture, or black, until there are `count`.
    fn repeat_until(&mut self, count: u64) {
        let held = (count as usize).saturating_sub(self.thinned);
        self.thumbnails.repeat_last_until(held);
    }

    fn close_thumbnail(&mut self) {
        let picture = self.thumbnails.push_black();
        self.mean.take(picture);
        self.textured |= deviation(picture) >= self.config.blank_deviation;
    }

    /// Keeps the frame if it is the stillest of its slot.
    fn push_keyframe(&mut self, frame: &LumaFrame<'_>) {
        let config = self.config;
        let motion = self
            .motion
            .until(frame.time, self.mean.shown(), config.stillness);
        let slot = ((frame.time + EARLY) * f64::from(config.keyframe_rate)) as u32;
        if self.stillest.slot() != Some(slot) {
            self.close_slot();
        }
        if self.density == Density::Query || slot.is_multiple_of(config.sparse_slots) {
            self.stillest.offer(slot, motion, frame);
        }
    }

    fn close_slot(&mut self) {
        let (Some((slot, frame)), Some(aspect)) = (self.stillest.take(), self.aspect) else {
            return;
        };
        let dense = self.density == Density::Query;
        let base = self.scaler.scale(&frame, aspect, dense, &self.config);
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
                let levels = levels(base, aspect, &config);
                let (keypoints, sparse) = keypoints::find(finder, &levels, density, &config);
                let keyframe = Keyframe {
                    slot,
                    time_ms: (time * 1000.0).round() as u32,
                    sparse: sparse as u16,
                    keypoints,
                };
                (keyframe, plate(&levels, slot, &config))
            },
        );
        let (keyframes, plates): (Vec<_>, Vec<_>) = frames.unzip();
        self.keyframes.extend(keyframes);
        self.plates.extend(plates.into_iter().flatten());
        if density == Density::Reference {
            self.thin_out(false);
        }
    }

    /// Thins out what is held of a reference: at the `end` everything, before it what later frames
    /// cannot change.
    fn thin_out(&mut self, end: bool) {
        // The picture of the last keyframes may not be there yet.
        let closed = self.thumbnails.len();
        let index = |frame: &Keyframe| {
            let index = self.thumbnails.index(frame.seconds());
            index.saturating_sub(self.thinned)
        };
        let done = self
            .keyframes
            .partition_point(|frame| end || index(frame) < closed);
        for frame in &self.keyframes[..done] {
            let index = index(frame);
            let picture = (index < self.thumbnails.len()).then(|| self.thumbnails.picture(index));
            self.thinning.push_keyframe(frame, picture);
        }
        for i in 0..closed {
            self.thinning.push_picture(self.thumbnails.picture(i));
        }
        self.keyframes.drain(..done);
        self.plates
            .drain(..)
            .for_each(|plate| self.thinning.push_plate(plate));
        self.thumbnails.drop_first(closed);
        self.thinned += closed;
    }
}

/// What the plate of a slot shows, if it has one.
fn plate(levels: &[Level], slot: u32, config: &VideoConfig) -> Option<Plate> {
    let level = levels
        .iter()
        .find(|level| level.number >= config.plate_level);
    let level = level.filter(|_| slot.is_multiple_of(config.plate_slots))?;
    Some(Plate::new(slot, level.number as u8, &level.luma.data))
}

/// Standard deviation of a picture's values.
fn deviation(values: &[u8]) -> f32 {
    let n = values.len() as f32;
    let sum: u32 = values.iter().map(|&v| u32::from(v)).sum();
    let squares: u32 = values.iter().map(|&v| u32::from(v) * u32::from(v)).sum();
    let mean = sum as f32 / n;
    (squares as f32 / n - mean * mean).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fingerprint of a noisy picture shown at `times`, which changes when its number does.
    fn fingerprint(density: Density, frames: &[(f64, u64)]) -> StreamState<VideoFingerprint> {
        let mut extractor = VideoExtractor::new(density);
        frames.iter().for_each(|&frame| show(&mut extractor, frame));
        extractor.finish()
    }

    fn show(extractor: &mut VideoExtractor, (time, number): (f64, u64)) {
        let (width, height) = (160, 90);
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let luma: Vec<u8> = (0..width * height)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        extractor.push(LumaFrame {
            time,
            width,
            height,
            stride: width,
            pixel_aspect: 1.0,
            data: &luma,
        });
    }

    #[test]
    fn the_recent_part_is_what_a_film_of_it_gives() {
        let frames: Vec<(f64, u64)> = (0..400)
            .map(|i| (f64::from(i) / 10.0, i as u64 / 4))
            .collect();
        let mut extractor = VideoExtractor::new(Density::Query);
        let mut pushed = 0;
        for (end, start) in [(3.0, 0), (14.0, 2), (14.2, 2), (39.9, 28)] {
            while pushed < frames.len() && frames[pushed].0 <= end {
                show(&mut extractor, frames[pushed]);
                pushed += 1;
            }
            let from = f64::from(start);
            let part: Vec<(f64, u64)> = frames[..pushed]
                .iter()
                .filter(|(time, _)| *time >= from)
                .map(|(time, number)| (time - from, *number))
                .collect();
            let StreamState::Analysed(mut whole) = fingerprint(Density::Query, &part) else {
                panic!("nothing found");
            };
            let StreamState::Analysed(all) = fingerprint(Density::Query, &frames[..pushed]) else {
                panic!("nothing found");
            };
            let mut since = VideoFingerprint {
                duration: whole.duration,
                ..all.since(start)
            };
            // What moved before its first slot, the part does not know.
            let settled = |film: &mut VideoFingerprint| film.keyframes.retain(|f| f.slot > 0);
            settled(&mut whole);
            settled(&mut since);
            // Plates are taken when the film says, not its part.
            let plates = since.plates.clone();
            whole.plates.clone_from(&plates);
            assert!(since == whole, "{end}");
            // The last slot and picture are not complete yet.
            let open = whole.keyframes.pop().expect("more than one slot").slot;
            let pictures = whole.thumbnails.len() - 1;
            let size = whole.thumbnails.width * whole.thumbnails.height;
            whole.thumbnails.pixels.truncate(pictures * size);
            let StreamState::Analysed(recent) = extractor.recent(start) else {
                panic!("nothing recent");
            };
            assert!((recent.duration - whole.duration).abs() < 1e-9, "{end}");
            let mut recent = VideoFingerprint {
                duration: whole.duration,
                ..recent
            };
            settled(&mut recent);
            assert!(recent.keyframes.iter().all(|f| f.slot < open), "{end}");
            assert_eq!(plates.len(), recent.plates.len(), "{end}");
            assert!(recent == whole, "{end}");
        }
    }

    #[test]
    fn thinning_out_on_the_way_is_thinning_out_at_the_end() {
        let steady = |n: u32, rate: f64, hold: u32| {
            (0..n).map(move |i| (f64::from(i) / rate, u64::from(i / hold)))
        };
        let check = |frames: Vec<(f64, u64)>| {
            let StreamState::Analysed(dense) = fingerprint(Density::Query, &frames) else {
                panic!("nothing found");
            };
            let sparse = fingerprint(Density::Reference, &frames);
            assert_eq!(sparse, StreamState::Analysed(dense.to_reference()));
        };
        check(steady(400, 5.0, 3).collect());
        check(steady(400, 7.3, 40).collect());
        // Long gaps, times that repeat, and an odd end.
        let gaps = |(t, n): (f64, u64)| (t + (t / 9.0).floor() * 31.07, n);
        check(steady(300, 4.9, 1).map(gaps).collect());
        check(
            steady(200, 10.0, 2)
                .map(|(t, n)| ((t * 4.0).floor() / 4.0, n))
                .collect(),
        );
    }
}
