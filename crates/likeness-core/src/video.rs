//! The video fingerprint and its encoding.

use crate::wire::{Reader, WireError, Writer};

/// Columns of a sparse thumbnail.
pub const THUMB_WIDTH: usize = 32;
/// Rows of a sparse thumbnail.
pub const THUMB_HEIGHT: usize = 18;
/// Bits of each luma value in a sparse thumbnail, between the frame's darkest and brightest.
const THUMB_BITS: u32 = 4;

/// Fingerprint of one moving picture.
///
/// Dense (a query): a keyframe every 0.5 s, up to some 500 keypoints each, thumbnails of twice the
/// sparse size. Sparse (a reference): every other keyframe, the strongest keypoints of each cell,
/// thumbnails of [`THUMB_WIDTH`] x [`THUMB_HEIGHT`] in 4 bits.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFingerprint {
    /// Hash of the extractor's configuration; only equal ones can be compared.
    pub config: u32,
    /// Seconds of picture that were analysed.
    pub duration: f64,
    /// Shown width over shown height.
    pub aspect: f64,
    /// Keyframes in order of time.
    pub keyframes: Vec<Keyframe>,
    /// The whole picture, small, on a fixed grid of time.
    pub thumbnails: Thumbnails,
}

/// One analysed frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyframe {
    /// Number on the extractor's grid of keyframe times (0.5 s); sparse fingerprints keep the even.
    pub slot: u32,
    /// Presentation time in milliseconds.
    pub time_ms: u32,
    /// Its keypoints.
    pub keypoints: Vec<Keypoint>,
}

/// A corner and what its surroundings look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keypoint {
    /// Horizontal place, 0..=65535 over the picture's width.
    pub x: u16,
    /// Vertical place, 0..=65535 over the picture's height.
    pub y: u16,
    /// Level of the pyramid, 0 the finest.
    pub level: u8,
    /// Angle of the patch, 0..64 of a full turn, clockwise as the picture is seen.
    pub angle: u8,
    /// Whether the sparse fingerprint keeps it.
    pub sparse: bool,
    /// Binary descriptor.
    pub descriptor: [u64; 4],
}

/// Small luma pictures on a fixed grid of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnails {
    /// Pictures a second.
    pub rate: u8,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Picture after picture, row by row; picture `i` shows time `i / rate`.
    pub luma: Vec<u8>,
}

impl Thumbnails {
    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.luma.len() / (self.width * self.height).max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.luma.is_empty()
    }

    /// Picture `i`.
    pub fn picture(&self, i: usize) -> &[u8] {
        let size = self.width * self.height;
        &self.luma[i * size..(i + 1) * size]
    }

    fn is_sparse(&self) -> bool {
        (self.width, self.height) == (THUMB_WIDTH, THUMB_HEIGHT)
    }

    /// Half the width and height, 4 bits a pixel. A no-op on sparse thumbnails.
    fn to_sparse(&self) -> Thumbnails {
        if self.is_sparse() {
            return self.clone();
        }
        let mut luma = Vec::with_capacity(self.luma.len() / 4);
        for i in 0..self.len() {
            let from = luma.len();
            let picture = self.picture(i);
            for rows in picture.chunks_exact(2 * self.width) {
                let (upper, lower) = rows.split_at(self.width);
                for (a, b) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
                    let sum = [a[0], a[1], b[0], b[1]].map(u16::from).iter().sum::<u16>();
                    luma.push(((sum + 2) / 4) as u8);
                }
            }
            let scale = Scale::of(&luma[from..]);
            luma[from..]
                .iter_mut()
                .for_each(|v| *v = scale.value(scale.code(*v)));
        }
        Thumbnails {
            rate: self.rate,
            width: self.width / 2,
            height: self.height / 2,
            luma,
        }
    }
}

/// Linear quantisation between a picture's darkest and brightest value.
struct Scale {
    low: u8,
    high: u8,
}

impl Scale {
    const STEPS: u32 = (1 << THUMB_BITS) - 1;

    fn of(picture: &[u8]) -> Scale {
        let low = picture.iter().copied().min().unwrap_or(0);
        Scale {
            low,
            high: picture.iter().copied().max().unwrap_or(low),
        }
    }

    fn range(&self) -> u32 {
        u32::from(self.high - self.low).max(1)
    }

    fn code(&self, value: u8) -> u8 {
        ((u32::from(value - self.low) * Self::STEPS + self.range() / 2) / self.range()) as u8
    }

    fn value(&self, code: u8) -> u8 {
        self.low + ((u32::from(code) * self.range() + Self::STEPS / 2) / Self::STEPS) as u8
    }
}

impl VideoFingerprint {
    /// The sparse form that a library stores. A no-op on a sparse fingerprint.
    pub fn to_reference(&self) -> VideoFingerprint {
        let keyframes = self
            .keyframes
            .iter()
            .filter(|frame| frame.slot % 2 == 0)
            .map(|frame| Keyframe {
                keypoints: frame
                    .keypoints
                    .iter()
                    .filter(|k| k.sparse)
                    .copied()
                    .collect(),
                ..frame.clone()
            })
            .collect();
        VideoFingerprint {
            keyframes,
            thumbnails: self.thumbnails.to_sparse(),
            ..self.clone()
        }
    }

    /// Bytes for a fingerprint file (FORMAT.md, "Video").
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u32(self.config);
        w.f64(self.duration);
        w.f64(self.aspect);
        w.varint(self.keyframes.len() as u64);
        let mut before = 0;
        for frame in &self.keyframes {
            w.varint(u64::from(frame.slot - before));
            before = frame.slot;
            w.varint(u64::from(frame.time_ms));
            w.varint(frame.keypoints.len() as u64);
            for k in &frame.keypoints {
                w.u16(k.x);
                w.u16(k.y);
                w.u8(k.level << 1 | u8::from(k.sparse));
                w.u8(k.angle);
                k.descriptor.iter().for_each(|&word| w.u64(word));
            }
        }
        encode_thumbnails(&self.thumbnails, &mut w);
        w.into_bytes()
    }

    /// Reads what [`VideoFingerprint::encode`] wrote.
    ///
    /// # Errors
    /// Anything that is not exactly such a sequence of bytes.
    pub fn decode(bytes: &[u8]) -> Result<VideoFingerprint, WireError> {
        let mut r = Reader::new(bytes);
        let config = r.u32()?;
        let duration = ranged(r.f64("duration")?, 0.0, 1e9, "duration")?;
        let aspect = ranged(r.f64("aspect")?, 1e-3, 1e3, "aspect")?;
        let count = r.count(3, "keyframe count")?;
        let mut keyframes = Vec::with_capacity(count);
        let mut slot = 0u32;
        for _ in 0..count {
            let step = u32::try_from(r.varint()?).ok();
            slot = step
                .and_then(|s| slot.checked_add(s))
                .ok_or(WireError::OutOfRange("slot"))?;
            keyframes.push(decode_keyframe(&mut r, slot)?);
        }
        let thumbnails = decode_thumbnails(&mut r)?;
        r.finish()?;
        Ok(VideoFingerprint {
            config,
            duration,
            aspect,
            keyframes,
            thumbnails,
        })
    }
}

fn ranged(value: f64, low: f64, high: f64, what: &'static str) -> Result<f64, WireError> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(WireError::OutOfRange(what))
    }
}

fn decode_keyframe(r: &mut Reader<'_>, slot: u32) -> Result<Keyframe, WireError> {
    let time_ms = u32::try_from(r.varint()?).map_err(|_| WireError::OutOfRange("time"))?;
    let count = r.count(38, "keypoint count")?;
    let mut keypoints = Vec::with_capacity(count);
    for _ in 0..count {
        let (x, y) = (r.u16()?, r.u16()?);
        let (level, angle) = (r.u8()?, r.u8()?);
        if level >> 1 > 7 || angle > 63 {
            return Err(WireError::OutOfRange("keypoint"));
        }
        let descriptor = [r.u64()?, r.u64()?, r.u64()?, r.u64()?];
        let sparse = level & 1 == 1;
        keypoints.push(Keypoint {
            x,
            y,
            level: level >> 1,
            angle,
            sparse,
            descriptor,
        });
    }
    Ok(Keyframe {
        slot,
        time_ms,
        keypoints,
    })
}

fn encode_thumbnails(thumbs: &Thumbnails, w: &mut Writer) {
    let sparse = thumbs.is_sparse();
    w.u8(thumbs.rate);
    w.u8(u8::from(sparse));
    w.varint(thumbs.len() as u64);
    if !sparse {
        w.bytes(&thumbs.luma);
        return;
    }
    for i in 0..thumbs.len() {
        let picture = thumbs.picture(i);
        let scale = Scale::of(picture);
        w.u8(scale.low);
        w.u8(scale.high);
        for pair in picture.chunks_exact(2) {
            w.u8(scale.code(pair[0]) << 4 | scale.code(pair[1]));
        }
    }
}

fn decode_thumbnails(r: &mut Reader<'_>) -> Result<Thumbnails, WireError> {
    let rate = r.u8()?;
    if rate == 0 {
        return Err(WireError::OutOfRange("thumbnail rate"));
    }
    let size = THUMB_WIDTH * THUMB_HEIGHT;
    match r.u8()? {
        0 => {
            let count = r.count(4 * size, "thumbnail count")?;
            let luma = r.bytes(count * 4 * size)?.to_vec();
            Ok(Thumbnails {
                rate,
                width: 2 * THUMB_WIDTH,
                height: 2 * THUMB_HEIGHT,
                luma,
            })
        }
        1 => {
            let count = r.count(size / 2 + 2, "thumbnail count")?;
            let mut luma = Vec::with_capacity(count * size);
            for _ in 0..count {
                let scale = Scale {
                    low: r.u8()?,
                    high: r.u8()?,
                };
                if scale.low > scale.high {
                    return Err(WireError::OutOfRange("thumbnail range"));
                }
                for &pair in r.bytes(size / 2)? {
                    luma.extend([scale.value(pair >> 4), scale.value(pair & 15)]);
                }
            }
            Ok(Thumbnails {
                rate,
                width: THUMB_WIDTH,
                height: THUMB_HEIGHT,
                luma,
            })
        }
        _ => Err(WireError::OutOfRange("thumbnail form")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(seed: u64) -> VideoFingerprint {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut keypoint = || Keypoint {
            x: next() as u16,
            y: next() as u16,
            level: (next() % 6) as u8,
            angle: (next() % 64) as u8,
            sparse: next() % 2 == 0,
            descriptor: [next(), next(), next(), next()],
        };
        let keyframes = (0..4)
            .map(|slot| Keyframe {
                slot,
                time_ms: slot * 500 + 7,
                keypoints: (0..5).map(|_| keypoint()).collect(),
            })
            .collect();
        let (width, height) = (2 * THUMB_WIDTH, 2 * THUMB_HEIGHT);
        let luma = (0..3 * width * height).map(|_| next() as u8).collect();
        let thumbnails = Thumbnails {
            rate: 5,
            width,
            height,
            luma,
        };
        VideoFingerprint {
            config: 1,
            duration: 2.0,
            aspect: 16.0 / 9.0,
            keyframes,
            thumbnails,
        }
    }

    proptest! {
        #[test]
        fn both_forms_round_trip(seed in any::<u64>()) {
            let dense = sample(seed);
            prop_assert_eq!(VideoFingerprint::decode(&dense.encode()), Ok(dense.clone()));
            let sparse = dense.to_reference();
            prop_assert_eq!(&sparse.to_reference(), &sparse);
            prop_assert_eq!(VideoFingerprint::decode(&sparse.encode()), Ok(sparse));
        }

        #[test]
        fn damage_never_panics(seed in any::<u64>(), at in 0usize..9000, byte in any::<u8>()) {
            let mut bytes = sample(seed).to_reference().encode();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = VideoFingerprint::decode(&bytes);
            let _ = VideoFingerprint::decode(&bytes[..at]);
        }
    }
}
