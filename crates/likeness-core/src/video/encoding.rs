//! Bytes of a video fingerprint (FORMAT.md, "Video").

use super::{
    ANGLE_STEPS, Keyframe, Keypoint, LEVELS, PLACE_STEPS, Plate, Thumbnails, VideoConfig,
    VideoFingerprint,
};
use crate::fingerprint::{Density, MAX_SECONDS};
use crate::wire::{Reader, WireError, Writer};

/// Bytes of a keypoint in the sparse form.
const SPARSE_POINT: usize = 12;
/// Bytes that a plate takes at least: slot, level, and the length of its bits.
const PLATE: usize = 3;
/// Bits of a place in one direction.
const PLACE_BITS: u32 = PLACE_STEPS.ilog2();
/// Bits of an angle.
const ANGLE_BITS: u32 = ANGLE_STEPS.ilog2();

pub(super) fn encode(fingerprint: &VideoFingerprint) -> Vec<u8> {
    let mut w = Writer::new();
    w.u64(VideoConfig::DEFAULT.hash());
    w.f64(fingerprint.duration);
    w.f64(fingerprint.aspect);
    let dense = fingerprint.density == Density::Query;
    w.u8(dense as u8);
    w.varint(fingerprint.keyframes.len() as u64);
    let (mut slot, mut time) = (0, 0);
    for frame in &fingerprint.keyframes {
        w.varint(u64::from(frame.slot - slot));
        w.varint(u64::from(frame.time_ms - time));
        (slot, time) = (frame.slot, frame.time_ms);
        w.varint(u64::from(frame.sparse));
        w.varint(frame.keypoints.len() as u64);
        for point in &frame.keypoints {
            write_point(&mut w, point, dense);
        }
    }
    fingerprint.thumbnails.encode(&mut w);
    w.varint(fingerprint.plates.len() as u64);
    for plate in &fingerprint.plates {
        plate.encode(&mut w, fingerprint.aspect);
    }
    w.into_bytes()
}

fn write_point(w: &mut Writer, point: &Keypoint, dense: bool) {
    let fields = [
        (u32::from(point.x), PLACE_BITS),
        (point.y.into(), PLACE_BITS),
        (point.angle.into(), ANGLE_BITS),
        (point.level.into(), 0),
    ];
    let packed = fields
        .iter()
        .rev()
        .fold(0, |packed, (value, bits)| packed << bits | value);
    w.u32(packed);
    for word in point.descriptor {
        w.u32(word);
    }
    if dense {
        point.weak.iter().for_each(|&half| w.u32(half));
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<VideoFingerprint, WireError> {
    let config = VideoConfig::DEFAULT;
    let mut r = Reader::new(bytes);
    if r.u64()? != config.hash() {
        return Err(WireError::OtherExtractor("video"));
    }
    let duration = r.f64("video duration")?;
    let aspect = r.f64("video aspect")?;
    if !(0.0..=MAX_SECONDS).contains(&duration) || !(1e-3..=1e3).contains(&aspect) {
        return Err(WireError::OutOfRange("video duration or aspect"));
    }
    let density = match r.u8()? {
        0 => Density::Reference,
        1 => Density::Query,
        _ => return Err(WireError::OutOfRange("video density")),
    };
    let count = r.count(4, "keyframe count")?;
    let mut keyframes = Vec::with_capacity(count);
    let (mut slot, mut time_ms) = (0, 0);
    for _ in 0..count {
        slot = advance(slot, r.varint()?)?;
        time_ms = advance(time_ms, r.varint()?)?;
        keyframes.push(read_keyframe(&mut r, slot, time_ms, density)?);
    }
    let thumbnails = Thumbnails::decode(&mut r, density)?;
    let count = r.count(PLATE, "plate count")?;
    if density == Density::Reference && count > 1 {
        return Err(WireError::OutOfRange("plate count"));
    }
    let plates = (0..count).map(|_| Plate::decode(&mut r, aspect));
    let plates = plates.collect::<Result<_, _>>()?;
    r.finish()?;
    Ok(VideoFingerprint {
        duration,
        aspect,
        density,
        keyframes,
        thumbnails,
        plates,
    })
}

fn advance(from: u32, by: u64) -> Result<u32, WireError> {
    u32::try_from(by)
        .ok()
        .and_then(|by| from.checked_add(by))
        .ok_or(WireError::OutOfRange("keyframe time"))
}

fn read_keyframe(
    r: &mut Reader<'_>,
    slot: u32,
    time_ms: u32,
    density: Density,
) -> Result<Keyframe, WireError> {
    let sparse = r.varint()?;
    let count = r.count(SPARSE_POINT, "keypoint count")?;
    if sparse > count as u64 || count > usize::from(u16::MAX) {
        return Err(WireError::OutOfRange("keypoint count"));
    }
    let mut points = Vec::with_capacity(count);
    for _ in 0..count {
        points.push(read_point(r, density)?);
    }
    Ok(Keyframe {
        slot,
        time_ms,
        sparse: sparse as u16,
        keypoints: points,
    })
}

fn read_point(r: &mut Reader<'_>, density: Density) -> Result<Keypoint, WireError> {
    let mut packed = r.u32()?;
    let mut take = |bits: u32| {
        let value = packed & ((1 << bits) - 1);
        packed >>= bits;
        value
    };
    let [x, y] = [take(PLACE_BITS) as u16, take(PLACE_BITS) as u16];
    let angle = take(ANGLE_BITS) as u8;
    let level = take(8) as u8;
    if usize::from(level) >= LEVELS {
        return Err(WireError::OutOfRange("keypoint level"));
    }
    let descriptor = [r.u32()?, r.u32()?];
    let weak = match density {
        Density::Query => [r.u32()?, r.u32()?],
        Density::Reference => [0; 2],
    };
    Ok(Keypoint {
        x,
        y,
        level,
        angle,
        weak,
        descriptor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(density: Density, seed: u64) -> VideoFingerprint {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let keyframes = (0..4u32)
            .map(|slot| Keyframe {
                slot: slot * 2,
                time_ms: slot * 1000 + 7,
                sparse: 3,
                keypoints: (0..5)
                    .map(|i| Keypoint {
                        x: (next() % 1024) as u16,
                        y: (next() % 1024) as u16,
                        level: 2 + i % 6,
                        angle: (next() % 64) as u8,
                        weak: [next() as u32, next() as u32],
                        descriptor: [next() as u32, next() as u32],
                    })
                    .collect(),
            })
            .collect();
        let mut thumbnails = Thumbnails::new();
        for _ in 0..20 * Thumbnails::QUERY.0 * Thumbnails::QUERY.1 {
            thumbnails.pixels.push((next() >> 20) as u8);
        }
        let level = VideoConfig::DEFAULT.plate_level;
        let (width, height) = VideoConfig::DEFAULT.level_size(level, 16.0 / 9.0);
        let plate = |slot: u32, next: &mut dyn FnMut() -> u64| {
            let luma: Vec<u8> = (0..width * height).map(|_| (next() >> 20) as u8).collect();
            Plate::new(slot, level as u8, &luma)
        };
        let plates = vec![plate(0, &mut next), plate(12, &mut next)];
        let dense = VideoFingerprint {
            duration: 4.0,
            aspect: 16.0 / 9.0,
            density: Density::Query,
            keyframes,
            thumbnails,
            plates,
        };
        match density {
            Density::Query => dense,
            Density::Reference => dense.to_reference(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn both_forms_round_trip(seed in any::<u64>()) {
            for density in [Density::Query, Density::Reference] {
                let sample = sample(density, seed);
                prop_assert_eq!(VideoFingerprint::decode(&sample.encode()), Ok(sample));
            }
        }

        #[test]
        fn thinning_twice_changes_nothing(seed in any::<u64>()) {
            let sparse = sample(Density::Reference, seed);
            prop_assert_eq!(sparse.to_reference(), sparse);
        }

        #[test]
        fn pictures_that_stand_still_keep_their_first_plate(seed in any::<u64>()) {
            let mut film = sample(Density::Query, seed);
            let pictures = film.thumbnails.len();
            let area = film.thumbnails.pixels.len() / pictures;
            film.thumbnails.pixels.truncate(area);
            film.thumbnails.repeat_last_until(pictures);
            let sparse = film.to_reference();
            prop_assert_eq!(&sparse.plates[..], &film.plates[..1]);
            prop_assert_eq!(sample(Density::Query, seed).to_reference().plates.len(), 0);
            prop_assert_eq!(VideoFingerprint::decode(&sparse.encode()), Ok(sparse.clone()));
            let two = VideoFingerprint { plates: film.plates, ..sparse };
            prop_assert!(VideoFingerprint::decode(&two.encode()).is_err());
        }

        #[test]
        fn damage_never_panics(seed in any::<u64>(), at in any::<usize>(), bits in 1u8..) {
            let mut bytes = sample(Density::Reference, seed).encode();
            let at = at % bytes.len();
            bytes[at] ^= bits;
            let _ = VideoFingerprint::decode(&bytes);
            prop_assert!(VideoFingerprint::decode(&bytes[..at]).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut framed = VideoConfig::DEFAULT.hash().to_le_bytes().to_vec();
            framed.extend(bytes);
            let _ = VideoFingerprint::decode(&framed);
        }
    }

    #[test]
    fn another_extractor_is_named() {
        let mut bytes = sample(Density::Reference, 1).encode();
        bytes[0] ^= 1;
        assert_eq!(
            VideoFingerprint::decode(&bytes),
            Err(WireError::OtherExtractor("video"))
        );
    }
}
