//! From the dense form of a video fingerprint to the sparse one, piece by piece.

use super::{Keyframe, Keypoint, Plate, Thumbnails, VideoConfig};

/// Thins a dense fingerprint out while it is made, so that the dense form of a long film need not
/// be held.
#[derive(Debug)]
pub struct Thinning {
    config: VideoConfig,
    keyframes: Vec<Keyframe>,
    /// Slot of the last keyframe kept, and the picture of its time.
    last: Option<(u32, Vec<u8>)>,
    thumbnails: Thumbnails,
    /// Pictures of the dense film that wait for the others of their step of the sparse film's clock.
    waiting: Vec<u8>,
    plate: Option<Plate>,
}

impl Default for Thinning {
    fn default() -> Thinning {
        Thinning {
            config: VideoConfig::DEFAULT,
            keyframes: Vec::new(),
            last: None,
            thumbnails: Thumbnails::sparse(),
            waiting: Vec::new(),
            plate: None,
        }
    }
}

impl Thinning {
    /// Takes the next analysed frame and the dense film's picture of its time, if there is one.
    /// Frames that show what the last kept one shows, a short while ago, are dropped.
    pub fn push_keyframe(&mut self, frame: &Keyframe, picture: Option<&[u8]>) {
        if !frame.slot.is_multiple_of(self.config.sparse_slots) || self.repeats(frame.slot, picture)
        {
            return;
        }
        self.last = picture.map(|picture| (frame.slot, picture.to_owned()));
        self.keyframes.push(frame.thinned());
    }

    /// Takes the next plate: the first is kept.
    pub fn push_plate(&mut self, plate: Plate) {
        self.plate.get_or_insert(plate);
    }

    /// Takes the next picture of the dense film.
    pub fn push_picture(&mut self, picture: &[u8]) {
        self.waiting.extend_from_slice(picture);
        if self.waiting.len() == picture.len() * self.config.fine_thumbnails as usize {
            self.thumbnails.push_thinned(&self.waiting);
            self.waiting.clear();
        }
    }

    /// The sparse keyframes, the sparse film, and its plate if it stands still.
    pub fn finish(mut self) -> (Vec<Keyframe>, Thumbnails, Vec<Plate>) {
        if !self.waiting.is_empty() {
            self.thumbnails.push_thinned(&self.waiting);
        }
        let plate = self.plate.filter(|_| self.thumbnails.stand_still());
        (self.keyframes, self.thumbnails, plate.into_iter().collect())
    }

    fn repeats(&self, slot: u32, picture: Option<&[u8]>) -> bool {
        let (Some((last, before)), Some(now)) = (&self.last, picture) else {
            return false;
        };
        slot - last <= self.config.still_slots
            && largest_change(before, now) <= self.config.still_difference
    }
}

/// Mean absolute difference, in the most changed block of a 4x3 grid, between two pictures of the
/// dense film.
fn largest_change(a: &[u8], b: &[u8]) -> f32 {
    let (width, height) = Thumbnails::QUERY;
    let (block_width, block_height) = (width / 4, height / 3);
    let mut sums = [[0u32; 4]; 3];
    for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
        let (column, row) = (i % width / block_width, i / width / block_height);
        sums[row.min(2)][column.min(3)] += u32::from(a.abs_diff(b));
    }
    let largest = sums.as_flattened().iter().copied().max().unwrap_or(0);
    largest as f32 / (block_width * block_height) as f32
}

impl Keyframe {
    fn thinned(&self) -> Keyframe {
        let sparse = &self.keypoints[..self.keypoints.len().min(self.sparse.into())];
        Keyframe {
            slot: self.slot,
            time_ms: self.time_ms,
            sparse: sparse.len() as u16,
            keypoints: sparse
                .iter()
                .map(|p| Keypoint { weak: [0; 2], ..*p })
                .collect(),
        }
    }
}
