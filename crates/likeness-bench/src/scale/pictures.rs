//! Simulated films: faster or slower, mirrored, zoomed, brighter or flatter, and seen less than
//! perfectly.

use super::simulate::{LOST, Stream, Stretch};
use crate::corpus::Kind;
use crate::windows;
use likeness::ExtractOptions;
use likeness_core::video::{Keyframe, Keypoint, PLACE_STEPS, Thumbnails, VideoConfig};
use likeness_core::{Fingerprint, StreamState, VideoFingerprint};
use likeness_distort::Random;
use likeness_video::{mirrored, mirrored_angle};

/// Times as large.
const ZOOM: (f64, f64) = (0.7, 1.4);
/// Times the contrast.
const GAIN: (f64, f64) = (0.7, 1.3);
/// Most of a descriptor's bits that flip.
const FLIPS: usize = 3;

/// How a stretch is changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    mirror: bool,
    zoom: f64,
    /// The point that stays where it is, in shares of width and height.
    centre: [f64; 2],
    /// Share of the keypoints that are lost.
    lost: f64,
    gain: f64,
}

impl Stream for VideoFingerprint {
    const KIND: Kind = Kind::Video;
    /// Films are few: short ones are shown whole.
    const SHORTEST: f64 = 8.0;
    type Change = Change;

    fn extracted() -> ExtractOptions {
        ExtractOptions {
            audio: false,
            ..ExtractOptions::default()
        }
    }

    fn of(fingerprint: Fingerprint) -> Option<VideoFingerprint> {
        let picture = fingerprint.video.into_analysed();
        picture.filter(|picture| !picture.thumbnails.is_empty())
    }

    fn alone(self) -> Fingerprint {
        Fingerprint {
            content: [0; 32],
            duration: self.duration,
            density: self.density,
            audio: StreamState::Absent,
            video: StreamState::Analysed(self),
        }
    }

    fn seconds(&self) -> f64 {
        self.duration
    }

    fn window(&self, window: (f64, f64)) -> VideoFingerprint {
        windows::picture(self, window)
    }

    fn empty(&self) -> VideoFingerprint {
        VideoFingerprint {
            duration: 0.0,
            aspect: self.aspect,
            density: self.density,
            keyframes: Vec::new(),
            thumbnails: Thumbnails {
                pixels: Vec::new(),
                ..self.thumbnails
            },
            plates: Vec::new(),
        }
    }

    fn draw(random: &mut Random) -> Change {
        Change {
            mirror: random.index(2) == 1,
            zoom: random.between(ZOOM.0, ZOOM.1),
            centre: [random.unit(), random.unit()],
            lost: random.between(0.0, LOST),
            gain: random.between(GAIN.0, GAIN.1),
        }
    }

    fn append(
        &mut self,
        source: &VideoFingerprint,
        stretch: &Stretch,
        change: &Change,
        random: &mut Random,
    ) {
        let rate = self.thumbnails.rate();
        // Whole pictures, so that keyframes and thumbnails keep together.
        let place = Place {
            pictures: (stretch.seconds * rate) as usize,
            before: self.thumbnails.len(),
            rate,
            stretch,
        };
        move_keyframes(
            &mut self.keyframes,
            &source.keyframes,
            &place,
            change,
            random,
        );
        move_pictures(&mut self.thumbnails, &source.thumbnails, &place, change);
        self.duration = self.thumbnails.len() as f64 / rate;
    }
}

/// From where to where a stretch goes.
struct Place<'a> {
    stretch: &'a Stretch,
    /// Thumbnails before it and in it, and how many there are in a second.
    before: usize,
    pictures: usize,
    rate: f64,
}

fn move_keyframes(
    to: &mut Vec<Keyframe>,
    from: &[Keyframe],
    place: &Place<'_>,
    change: &Change,
    random: &mut Random,
) {
    let config = VideoConfig::DEFAULT;
    let stretch = place.stretch;
    let seconds = place.pictures as f64 / place.rate;
    let first = from.partition_point(|frame| frame.seconds() < stretch.start);
    for (index, frame) in from.iter().enumerate().skip(first) {
        let after = (frame.seconds() - stretch.start) / stretch.speed;
        if after >= seconds {
            break;
        }
        let time_ms = ((place.before as f64 / place.rate + after) * 1000.0) as u32;
        let slot = time_ms * config.keyframe_rate / 1000;
        // Of a film that is sped up, the sparse form keeps fewer frames.
        if to
            .last()
            .is_some_and(|last| slot < last.slot + config.sparse_slots)
        {
            continue;
        }
        let next = from.get(index + 1).map_or(&[][..], |next| &next.keypoints);
        let keypoints = move_keypoints(&frame.keypoints, next, change, random);
        to.push(Keyframe {
            slot,
            time_ms,
            sparse: keypoints.len() as u16,
            keypoints,
        });
    }
}

/// As many keypoints as there were, as far as the frame's own and the `next` frame's reach: for what
/// is lost or out of sight a real frame would have others, and lists must be as long as real ones.
fn move_keypoints(
    own: &[Keypoint],
    next: &[Keypoint],
    change: &Change,
    random: &mut Random,
) -> Vec<Keypoint> {
    let mut kept: Vec<Keypoint> = Vec::with_capacity(own.len());
    for point in own.iter().chain(next) {
        if kept.len() == own.len() {
            break;
        }
        let heard = random.unit() >= change.lost;
        let Some(mut point) = heard.then(|| change.place(point)).flatten() else {
            continue;
        };
        let place = |point: &Keypoint| (point.x, point.y, point.level);
        if kept.iter().any(|other| place(other) == place(&point)) {
            continue;
        }
        for _ in 0..random.index(FLIPS + 1) {
            let bit = random.index(64);
            point.descriptor[bit / 32] ^= 1 << (bit % 32);
        }
        kept.push(point);
    }
    // Level by level, as in a real frame.
    kept.sort_by_key(|point| point.level);
    kept
}

impl Change {
    /// The keypoint where it is seen now; `None` out of sight.
    fn place(&self, point: &Keypoint) -> Option<Keypoint> {
        let steps = f64::from(PLACE_STEPS);
        let moved = |place: u16, centre: f64, mirror: bool| {
            let share = (f64::from(place) + 0.5) / steps;
            let share = if mirror { 1.0 - share } else { share };
            let share = centre + (share - centre) * self.zoom;
            (0.0..1.0)
                .contains(&share)
                .then_some((share * steps) as u16)
        };
        let mut point = Keypoint {
            x: moved(point.x, self.centre[0], self.mirror)?,
            y: moved(point.y, self.centre[1], false)?,
            ..*point
        };
        if self.mirror {
            point.angle = mirrored_angle(point.angle);
            point.descriptor = mirrored(point.descriptor);
        }
        Some(point)
    }

    /// For each pixel of a thumbnail, the one that was there before; `None` beyond the picture.
    fn pixels(&self, width: usize, height: usize) -> Vec<Option<usize>> {
        let before = |index: usize, length: usize, centre: f64, mirror: bool| {
            let share = (index as f64 + 0.5) / length as f64;
            let share = centre + (share - centre) / self.zoom;
            let share = if mirror { 1.0 - share } else { share };
            (0.0..1.0)
                .contains(&share)
                .then_some((share * length as f64) as usize)
        };
        let pixel = |index: usize| {
            let x = before(index % width, width, self.centre[0], self.mirror)?;
            let y = before(index / width, height, self.centre[1], false)?;
            Some(y * width + x)
        };
        (0..width * height).map(pixel).collect()
    }
}

fn move_pictures(to: &mut Thumbnails, from: &Thumbnails, place: &Place<'_>, change: &Change) {
    let source = |picture: usize| {
        let after = (picture as f64 + 0.5) / place.rate * place.stretch.speed;
        from.index(place.stretch.start + after).min(from.len() - 1)
    };
    let luma = gained(
        from,
        source(0)..=source(place.pictures.saturating_sub(1)),
        change.gain,
    );
    let black = Thumbnails::sparse_level(0);
    let pixels = change.pixels(from.width, from.height);
    to.pixels.reserve(place.pictures * pixels.len());
    for picture in 0..place.pictures {
        let old = from.picture(source(picture));
        let new = pixels
            .iter()
            .map(|pixel| pixel.map_or(black, |pixel| luma[usize::from(old[pixel])]));
        to.pixels.extend(new);
    }
}

/// What becomes of each luma when the pictures' contrast changes and their mean does not.
fn gained(film: &Thumbnails, pictures: std::ops::RangeInclusive<usize>, gain: f64) -> [u8; 256] {
    let (mut sum, mut count) = (0u64, 0usize);
    for picture in pictures.map(|picture| film.picture(picture)) {
        sum += picture.iter().map(|&luma| u64::from(luma)).sum::<u64>();
        count += picture.len();
    }
    let mean = sum as f64 / count.max(1) as f64;
    std::array::from_fn(|luma| Thumbnails::sparse_level((mean + (luma as f64 - mean) * gain) as u8))
}

#[cfg(test)]
mod tests {
    use super::super::simulate::{LENGTH, Simulator};
    use super::*;
    use likeness_core::Density;

    const NONE: Change = Change {
        mirror: false,
        zoom: 1.0,
        centre: [0.5; 2],
        lost: 0.0,
        gain: 1.0,
    };

    /// Seconds of a donor.
    const SECONDS: u32 = 90;
    /// Keypoints of each of its frames.
    const POINTS: u32 = 100;

    /// A frame a second, all keypoints different, and pictures that tell their time.
    fn donor() -> VideoFingerprint {
        let mut random = Random::new(1, "donor");
        let mut film = Thumbnails::sparse();
        for picture in 0..SECONDS * 5 {
            let area = film.push_black();
            area.fill(Thumbnails::sparse_level((picture / 4) as u8));
        }
        let mut point = |i: u32| Keypoint {
            x: random.index(1024) as u16,
            y: random.index(1024) as u16,
            level: 2 + (i * 6 / POINTS) as u8,
            angle: random.index(64) as u8,
            weak: [0; 2],
            descriptor: [random.next_u64() as u32, random.next_u64() as u32],
        };
        let mut frame = |second: u32| Keyframe {
            slot: second * 2,
            time_ms: second * 1000 + 7,
            sparse: POINTS as u16,
            keypoints: (0..POINTS).map(&mut point).collect(),
        };
        VideoFingerprint {
            duration: f64::from(SECONDS),
            aspect: 1.5,
            density: Density::Reference,
            keyframes: (0..SECONDS).map(&mut frame).collect(),
            thumbnails: film,
            plates: Vec::new(),
        }
    }

    fn stretch(donor: &VideoFingerprint, change: &Change, speed: f64) -> VideoFingerprint {
        let mut film = donor.empty();
        let stretch = Stretch {
            start: 30.0,
            seconds: 20.0,
            speed,
        };
        film.append(donor, &stretch, change, &mut Random::new(1, "test"));
        film
    }

    #[test]
    fn an_unchanged_stretch_is_what_was_there_but_for_flipped_bits() {
        let donor = donor();
        let film = stretch(&donor, &NONE, 1.0);
        assert_eq!(film.thumbnails, donor.window((30.0, 50.0)).thumbnails);
        assert_eq!(film.duration, 20.0);
        let again = donor.window((30.0, 50.0)).keyframes;
        assert_eq!(film.keyframes.len(), again.len());
        for (new, old) in film.keyframes.iter().zip(&again) {
            assert_eq!((new.slot, new.sparse), (old.slot, old.sparse));
            assert!(new.time_ms.abs_diff(old.time_ms) <= 1);
            for (new, old) in new.keypoints.iter().zip(&old.keypoints) {
                let flipped = |i: usize| (new.descriptor[i] ^ old.descriptor[i]).count_ones();
                assert!(flipped(0) + flipped(1) <= FLIPS as u32);
                let descriptor = old.descriptor;
                assert_eq!(Keypoint { descriptor, ..*new }, *old);
            }
        }
    }

    #[test]
    fn keyframes_and_pictures_keep_together() {
        let donor = donor();
        for speed in [0.7, 1.0, 1.4] {
            let film = stretch(&donor, &NONE, speed);
            for frame in &film.keyframes {
                let source = 30.0 + frame.seconds() * speed;
                let told = film
                    .thumbnails
                    .picture(film.thumbnails.index(frame.seconds()))[0];
                let expected = donor.thumbnails.picture(donor.thumbnails.index(source))[0];
                assert!(told.abs_diff(expected) <= 4, "{told} and not {expected}");
                let near = |old: &&Keyframe| (old.seconds() - source).abs() < 0.002;
                assert_eq!(donor.keyframes.iter().filter(near).count(), 1, "{source}");
            }
        }
    }

    #[test]
    fn a_pixel_and_a_keypoint_go_to_the_same_place() {
        for (mirror, zoom) in [(false, 0.7), (false, 1.4), (true, 0.8), (true, 1.0)] {
            let change = Change {
                mirror,
                zoom,
                centre: [0.3, 0.8],
                ..NONE
            };
            let (width, height) = Thumbnails::REFERENCE;
            let pixels = change.pixels(width, height);
            let mut seen = 0;
            for (index, pixel) in pixels.iter().enumerate() {
                let Some(pixel) = pixel else { continue };
                let middle = |i: usize, length: usize| ((2 * i + 1) * 1024 / (2 * length)) as u16;
                let point = Keypoint {
                    x: middle(pixel % width, width),
                    y: middle(pixel / width, height),
                    ..donor().keyframes[0].keypoints[0]
                };
                // The nearest pixel may be half a pixel off, and so may lie beyond the edge.
                let Some(moved) = change.place(&point) else {
                    continue;
                };
                let off = |a: u16, b: u16| f64::from(a.abs_diff(b));
                assert!(off(moved.x, middle(index % width, width)) <= 16.0 * zoom + 2.0);
                assert!(off(moved.y, middle(index / width, height)) <= 28.5 * zoom + 2.0);
                seen += 1;
            }
            assert!(seen > pixels.len() / 3, "{seen}");
        }
    }

    #[test]
    fn simulated_films_are_whole_and_stay_the_same() {
        let simulator = Simulator::new(vec![donor()]);
        for number in 0..20 {
            let work = simulator.work(number);
            assert_eq!(work, simulator.work(number));
            assert_eq!(Fingerprint::decode(&work.encode()), Ok(work.clone()));
            let film = work.video.analysed().expect("a picture");
            assert!((LENGTH.0..LENGTH.1 + 60.0).contains(&film.duration));
            assert_eq!(film.to_reference(), *film);
            let pictures = film.thumbnails.len() as f64;
            assert!((pictures / 5.0 - film.duration).abs() < 1e-9);
            for pair in film.keyframes.windows(2) {
                assert!(pair[0].slot + 2 <= pair[1].slot && pair[0].time_ms < pair[1].time_ms);
            }
            let mut points = 0;
            for frame in &film.keyframes {
                assert!(frame.seconds() < film.duration);
                assert_eq!(frame.slot, frame.time_ms / 500);
                assert_eq!(usize::from(frame.sparse), frame.keypoints.len());
                assert!(frame.keypoints.is_sorted_by_key(|point| point.level));
                let inside =
                    |p: &Keypoint| p.x < PLACE_STEPS && p.y < PLACE_STEPS && p.weak == [0; 2];
                assert!(frame.keypoints.iter().all(inside));
                points += frame.keypoints.len();
            }
            // The donor has 100 a second; slow stretches have fewer frames, far zooms fewer points.
            let rate = points as f64 / film.duration;
            assert!((60.0..=100.0).contains(&rate), "{rate}");
        }
        assert_ne!(simulator.work(1), simulator.work(2));
    }
}
