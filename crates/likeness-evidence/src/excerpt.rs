//! What is shown of a match, and reading it from the media files, each in one pass.

use crate::Work;
use image::GrayImage;
use image::imageops::{FilterType, resize};
use likeness_core::LumaFrame;
use likeness_core::report::{DistortionKind, Match, Segment};
use likeness_core::video::Thumbnails;
use likeness_media::{Limits, decode_audio, decode_video};
use std::ops::ControlFlow;
use std::path::Path;

/// Seconds of sound that are drawn and can be listened to.
const SOUND_SECONDS: f64 = 8.0;
/// Moments of which pictures are shown, one of each part of the segment, as shares of it: not at its
/// ends, which are never quite certain.
const PARTS: [(f64, f64); 3] = [(0.05, 0.35), (0.35, 0.65), (0.65, 0.95)];
/// Rate at which sound is read, Hz.
pub(crate) const RATE: u32 = 22_050;
/// Width of pictures, pixels; tall ones are as high as this.
const SIDE: f64 = 320.0;

/// The stretch and the moments of a match's longest segment that are shown.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) segment: Segment,
    /// Seconds of the query: start and end.
    pub(crate) query: (f64, f64),
    /// The same stretch of the reference.
    pub(crate) reference: (f64, f64),
    /// Seconds of the query and of the reference.
    pub(crate) moments: [(f64, f64); PARTS.len()],
    /// Whether something is drawn over the picture.
    pub(crate) covered: bool,
}

/// What to show of a match; `None` without a segment that lasts.
pub(crate) fn plan(found: &Match, query: &Work) -> Option<Plan> {
    let length = |s: &Segment| s.query_end - s.query_start;
    let segments = found.segments.iter().filter(|s| length(s) > 0.0);
    let segment = segments.max_by(|a, b| length(a).total_cmp(&length(b)))?;
    let middle = (segment.query_start + segment.query_end) / 2.0;
    let half = length(segment).min(SOUND_SECONDS) / 2.0;
    let there = |time: f64| segment.reference_start + (time - segment.query_start) * segment.speed;
    let at = |share: f64| segment.query_start + share * length(segment);
    let film = query.video.as_deref().map(|video| &video.thumbnails);
    let moment = |(from, to): (f64, f64)| {
        let time = busiest(film, at(from), at(to));
        (time, there(time))
    };
    Some(Plan {
        segment: segment.clone(),
        query: (middle - half, middle + half),
        reference: (there(middle - half), there(middle + half)),
        moments: PARTS.map(moment),
        covered: found
            .distortions
            .iter()
            .any(|d| d.kind == DistortionKind::Overlay),
    })
}

/// The time at which the film's picture has the most contrast; the middle without a film.
fn busiest(film: Option<&Thumbnails>, start: f64, end: f64) -> f64 {
    let contrast = |picture: &[u8]| {
        let n = picture.len() as f64;
        let mean = picture.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        picture
            .iter()
            .map(|&v| (f64::from(v) - mean).powi(2))
            .sum::<f64>()
    };
    let best = film.and_then(|film| {
        let pictures = film.index(start)..film.index(end).min(film.len());
        let better = |a: &usize, b: &usize| {
            contrast(film.picture(*a)).total_cmp(&contrast(film.picture(*b)))
        };
        let best = pictures.max_by(better)?;
        Some((best as f64 + 0.5) / film.rate())
    });
    best.unwrap_or((start + end) / 2.0)
}

/// A stretch of sound at [`RATE`].
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Seconds of its first sample.
    pub(crate) start: f64,
    pub(crate) samples: Vec<f32>,
}

/// The sound of a file in some stretches of seconds. `None` where there is none.
pub(crate) fn sounds(file: Option<&Path>, stretches: &[(f64, f64)]) -> Vec<Option<Heard>> {
    let place = |seconds: f64| (seconds * f64::from(RATE)).max(0.0) as usize;
    // Half the sum and half the difference of the channels.
    let mut heard = vec![[Vec::new(), Vec::new()]; stretches.len()];
    let end = stretches.iter().map(|s| place(s.1)).max().unwrap_or(0);
    if let (Some(file), 1..) = (file, end) {
        let mut at = 0;
        let result = decode_audio(file, RATE, &Limits::default(), &mut |block| {
            for (heard, &(start, end)) in heard.iter_mut().zip(stretches) {
                let range = place(start).max(at)..place(end).min(at + block.len());
                if range.start < range.end {
                    let own = range.start - at..range.end - at;
                    heard[0].extend_from_slice(&block.mid[own.clone()]);
                    heard[1].extend_from_slice(block.side.get(own).unwrap_or_default());
                }
            }
            at += block.len();
            match at < end {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        if let Err(error) = result {
            tracing::warn!("{error}");
        }
    }
    let there = |([mid, side], &(start, _)): ([Vec<f32>; 2], &(f64, f64))| {
        let power = |samples: &[f32]| samples.iter().map(|s| s * s).sum::<f32>();
        // As fingerprints do, the louder of the two: what cancels in the sum is in the difference.
        let samples = if power(&side) > power(&mid) {
            side
        } else {
            mid
        };
        (samples.len() > RATE as usize / 4).then_some(Heard {
            start: start.max(0.0),
            samples,
        })
    };
    heard.into_iter().zip(stretches).map(there).collect()
}

/// The pictures of a file at some seconds, small, in the shape in which they are shown. `None` where
/// there is none.
pub(crate) fn frames(file: Option<&Path>, times: &[f64]) -> Vec<Option<GrayImage>> {
    let mut pictures: Vec<Option<GrayImage>> = vec![None; times.len()];
    let last = times.iter().copied().fold(f64::MIN, f64::max);
    let Some(file) = file.filter(|_| !times.is_empty()) else {
        return pictures;
    };
    let result = decode_video(file, &Limits::default(), &mut |frame| {
        for (picture, &time) in pictures.iter_mut().zip(times) {
            if picture.is_none() && frame.time >= time - 0.02 {
                *picture = small(&frame);
            }
        }
        match frame.time < last {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    if let Err(error) = result {
        tracing::warn!("{error}");
    }
    pictures
}

fn small(frame: &LumaFrame<'_>) -> Option<GrayImage> {
    let rows = frame.data.chunks(frame.stride).take(frame.height);
    let pixels: Vec<u8> = rows.flat_map(|row| &row[..frame.width]).copied().collect();
    let (width, height) = (frame.width as u32, frame.height as u32);
    let picture = GrayImage::from_raw(width, height, pixels)?;
    let aspect = f64::from(width) * frame.pixel_aspect / f64::from(height);
    let (width, height) = size(aspect);
    Some(resize(&picture, width, height, FilterType::Triangle))
}

/// Pixels of a shown picture of some aspect.
pub(crate) fn size(aspect: f64) -> (u32, u32) {
    let aspect = aspect.clamp(0.25, 4.0);
    let (width, height) = (SIDE.min(SIDE * aspect), SIDE.min(SIDE / aspect));
    (width.round() as u32, height.round() as u32)
}
