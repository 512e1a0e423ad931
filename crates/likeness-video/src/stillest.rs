//! Which frame of a slot is analysed: the one before which least has moved.
//!
//! What is analysed must not hang on where a copy was cut: on a fixed clock, the frames of a copy and of its
//! original lie up to a quarter of a second apart, in which whatever moves has gone elsewhere. The stillest frame
//! of half a second is the same in both, unless there is a stiller one just beyond.

use likeness_core::LumaFrame;
use std::collections::VecDeque;

/// Frames that are remembered at most: more come only where timestamps are hostile.
const MOST: usize = 32;

/// How much has moved lately.
#[derive(Debug, Default)]
pub(crate) struct Motion {
    /// Times of frames, and the frames in blocks, from the one on to which the next is compared.
    past: VecDeque<(f64, Vec<u16>)>,
}

impl Motion {
    /// Variance over the picture of what has changed since `lag` seconds before, from a frame in `blocks` and its
    /// `time`: what brightens all of it at once is no motion. Infinite where nothing was shown then.
    pub(crate) fn until(&mut self, time: f64, blocks: &[u16], lag: f64) -> f32 {
        // Timestamps are rounded to milliseconds in some files.
        let then = time - lag + 2e-3;
        let mut spare = Vec::new();
        while self.past.get(1).is_some_and(|(next, _)| *next <= then) {
            spare = self.past.pop_front().map_or(spare, |(_, blocks)| blocks);
        }
        let before = self.past.front().filter(|(before, _)| *before <= then);
        let motion = before.map_or(f32::INFINITY, |(_, before)| variance(before, blocks));
        if self.past.len() < MOST {
            spare.clear();
            spare.extend_from_slice(blocks);
            self.past.push_back((time, spare));
        }
        motion
    }
}

/// Variance of the change from `a` to `b`, times the number of values.
fn variance(a: &[u16], b: &[u16]) -> f32 {
    let changes = a.iter().zip(b).map(|(&a, &b)| f32::from(b) - f32::from(a));
    let (sum, squares) = changes.fold((0.0, 0.0), |(s, q), c| (s + c, q + c * c));
    squares - sum * sum / a.len() as f32
}

/// The frame of a slot with the least motion so far.
#[derive(Debug, Default)]
pub(crate) struct Stillest {
    slot: Option<u32>,
    motion: f32,
    time: f64,
    width: usize,
    height: usize,
    stride: usize,
    pixel_aspect: f64,
    data: Vec<u8>,
}

impl Stillest {
    /// The slot, if a frame of one is held.
    pub(crate) fn slot(&self) -> Option<u32> {
        self.slot
    }

    /// Takes the frame if less has moved before it than before the one held; of two alike the first stays.
    pub(crate) fn offer(&mut self, slot: u32, motion: f32, frame: &LumaFrame<'_>) {
        if self.slot == Some(slot) && motion >= self.motion {
            return;
        }
        self.slot = Some(slot);
        self.motion = motion;
        self.time = frame.time;
        (self.width, self.height, self.stride) = (frame.width, frame.height, frame.stride);
        self.pixel_aspect = frame.pixel_aspect;
        self.data.clear();
        self.data.extend_from_slice(frame.data);
    }

    /// The slot and its frame, which is forgotten with the next that is offered.
    pub(crate) fn take(&mut self) -> Option<(u32, LumaFrame<'_>)> {
        let slot = self.slot.take()?;
        let frame = LumaFrame {
            data: &self.data,
            width: self.width,
            height: self.height,
            stride: self.stride,
            pixel_aspect: self.pixel_aspect,
            time: self.time,
        };
        Some((slot, frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn motion_is_change_in_a_while_and_not_light() {
        let check = |frames: &[(f64, [u16; 2])], want: f32| {
            let mut motion = Motion::default();
            let all = frames.iter();
            let last = all.fold(0.0, |_, (time, blocks)| motion.until(*time, blocks, 0.12));
            assert_eq!(last, want, "{frames:?}");
        };
        check(&[(0.0, [16, 32])], f32::INFINITY);
        check(&[(0.0, [16, 32]), (0.08, [16, 48])], f32::INFINITY);
        check(&[(0.0, [16, 32]), (0.12, [16, 48])], 128.0);
        check(&[(0.0, [16, 32]), (0.12, [32, 48])], 0.0);
        // Of all that is old enough the latest.
        let still = [0.0, 0.1, 0.2, 0.3].map(|time| (time, [7, 9]));
        check(&[&[(-0.1, [0, 0])], &still[..]].concat(), 0.0);
        check(&[&still[..], &[(0.31, [7, 11])]].concat(), 2.0);
    }

    #[test]
    fn hostile_timestamps_fill_no_memory() {
        let mut motion = Motion::default();
        for i in 0..1000 {
            motion.until(f64::from(i) * 1e-6, &[1, 2, 3], 0.12);
        }
        assert!(motion.past.len() <= MOST);
        assert_eq!(motion.until(5.0, &[1, 2, 3], 0.12), 0.0);
    }

    #[test]
    fn the_stillest_frame_stays_and_of_equals_the_first() {
        let check = |motions: &[f32], want: u8| {
            let mut stillest = Stillest::default();
            for (i, &motion) in motions.iter().enumerate() {
                let frame = LumaFrame {
                    data: &[i as u8],
                    width: 1,
                    height: 1,
                    stride: 1,
                    pixel_aspect: 1.0,
                    time: i as f64,
                };
                stillest.offer(4, motion, &frame);
            }
            let taken = stillest.take().map(|(slot, frame)| (slot, frame.data[0]));
            assert_eq!(taken, Some((4, want)), "{motions:?}");
            assert!(stillest.take().is_none());
        };
        check(&[f32::INFINITY, f32::INFINITY], 0);
        check(&[f32::INFINITY, 5.0, 3.0, 4.0, 3.0], 2);
    }
}
