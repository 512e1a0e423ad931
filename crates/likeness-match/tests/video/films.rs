//! Films made of moving textures, and libraries of them.

use likeness_core::{Density, Fingerprint, LumaFrame, StreamState, VideoFingerprint};
use likeness_index::MemoryStore;
use likeness_match::Found;
use likeness_match::video::{VideoMatchConfig, match_video};
use likeness_video::{MotionCurve, VideoExtractor, postings};

pub(crate) const WIDTH: usize = 320;
pub(crate) const HEIGHT: usize = 180;
pub(crate) const RATE: f64 = 10.0;

/// A grey picture.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Vec<u8>,
}

impl Picture {
    pub(crate) fn new(width: usize, height: usize) -> Picture {
        Picture {
            width,
            height,
            data: vec![0; width * height],
        }
    }

    pub(crate) fn from(
        width: usize,
        height: usize,
        mut value: impl FnMut(usize, usize) -> u8,
    ) -> Picture {
        let data = (0..width * height)
            .map(|i| value(i % width, i / width))
            .collect();
        Picture {
            width,
            height,
            data,
        }
    }

    pub(crate) fn at(&self, x: usize, y: usize) -> u8 {
        self.data[y.min(self.height - 1) * self.width + x.min(self.width - 1)]
    }
}

/// Patches of random grey of several sizes, on top of one another.
pub(crate) fn texture(seed: u64) -> Picture {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 33) % n as u64) as usize
    };
    let mut picture = Picture::new(2 * WIDTH, 2 * HEIGHT);
    for i in 0..900 {
        let size = 4 + next(if i < 200 { 80 } else { 24 });
        let (left, top, grey) = (next(2 * WIDTH), next(2 * HEIGHT), next(256) as u8);
        for y in top..(top + size).min(2 * HEIGHT) {
            for x in left..(left + size).min(2 * WIDTH) {
                picture.data[y * 2 * WIDTH + x] = grey;
            }
        }
    }
    picture
}

/// Shots of three seconds: a background that pans and something that crosses it.
pub(crate) fn film(seed: u64, seconds: f64) -> Vec<Picture> {
    let mut shots: Vec<(Picture, Picture)> = Vec::new();
    (0..(seconds * RATE) as usize)
        .map(|i| {
            let shot = (i as f64 / RATE / 3.0) as u64;
            if shots.len() as u64 <= shot {
                shots.push((
                    texture(seed * 1000 + shot),
                    texture(seed * 1000 + 500 + shot),
                ));
            }
            let (back, front) = &shots[shot as usize];
            let t = i as f64 / RATE - 3.0 * shot as f64;
            let way = if (seed + shot).is_multiple_of(2) {
                t
            } else {
                3.0 - t
            };
            let (dx, dy) = ((way * 40.0) as usize, (t * 13.0) as usize);
            let (fx, fy) = ((t * 70.0) as usize, 20 + (way * 25.0) as usize);
            Picture::from(WIDTH, HEIGHT, |x, y| {
                if (fx..fx + 90).contains(&x) && (fy..fy + 70).contains(&y) {
                    front.at(x - fx, y - fy)
                } else {
                    back.at(x + dx, y + dy)
                }
            })
        })
        .collect()
}

pub(crate) fn extract(
    frames: &[Picture],
    rate: f64,
    density: Density,
) -> StreamState<VideoFingerprint> {
    let mut extractor = VideoExtractor::new(density);
    for (i, frame) in frames.iter().enumerate() {
        extractor.push(LumaFrame {
            data: &frame.data,
            width: frame.width,
            height: frame.height,
            stride: frame.width,
            pixel_aspect: 1.0,
            time: i as f64 / rate,
        });
    }
    extractor.finish()
}

/// A library of three films of 24 seconds.
pub(crate) fn library() -> MemoryStore {
    library_of(film)
}

/// A library of the films that `make` makes of the seeds 1 to 3 and 24 seconds.
pub(crate) fn library_of(make: impl Fn(u64, f64) -> Vec<Picture>) -> MemoryStore {
    let mut store = MemoryStore::default();
    for seed in 1..=3 {
        let video = extract(&make(seed, 24.0), RATE, Density::Reference);
        let fingerprint = Fingerprint {
            content: [seed as u8; 32],
            duration: 24.0,
            density: Density::Reference,
            audio: StreamState::Absent,
            video,
        };
        let id = likeness_core::ReferenceId(seed as u32 - 1);
        let (words, motion) = fingerprint
            .video
            .analysed()
            .map_or_else(Default::default, |v| {
                let motion = MotionCurve::of(&v.thumbnails);
                (postings(v, id), motion.postings(id))
            });
        store.add(fingerprint, [Vec::new(), words, motion]);
    }
    store
}

pub(crate) fn find(frames: &[Picture], rate: f64, store: &MemoryStore) -> Vec<Found> {
    find_at(1e-6, frames, rate, store)
}

/// What chance gives with a probability of at most `limit`.
pub(crate) fn find_at(
    limit: f64,
    frames: &[Picture],
    rate: f64,
    store: &MemoryStore,
) -> Vec<Found> {
    match extract(frames, rate, Density::Query) {
        StreamState::Analysed(query) => {
            match_video(&query, store, limit, &VideoMatchConfig::default()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn changed(frames: &[Picture], change: impl FnMut(&Picture) -> Picture) -> Vec<Picture> {
    frames.iter().map(change).collect()
}

pub(crate) fn scaled(picture: &Picture, width: usize, height: usize) -> Picture {
    Picture::from(width, height, |x, y| {
        picture.at(x * picture.width / width, y * picture.height / height)
    })
}

/// `film` in a window of `template`.
pub(crate) fn framed(film: &[Picture], template: &Picture) -> Vec<Picture> {
    changed(film, |p| {
        let small = scaled(p, WIDTH * 3 / 5, HEIGHT * 3 / 5);
        Picture::from(WIDTH, HEIGHT, |x, y| {
            match (x.checked_sub(WIDTH / 4), y.checked_sub(HEIGHT / 4)) {
                (Some(x), Some(y)) if x < small.width && y < small.height => small.at(x, y),
                _ => template.at(x, y),
            }
        })
    })
}
