//! Descriptors as words of 64 bits, their distance, and the choice of the nearest.

use likeness_core::video::Descriptor;
use likeness_match::neighbours::{Distance, Neighbour};

/// Bits of a descriptor.
pub(super) const BITS: usize = 64;

/// A descriptor in one word.
pub(super) fn pack([a, b]: Descriptor) -> u64 {
    u64::from(b) << 32 | u64::from(a)
}

/// Bits that differ (Hamming's distance), for a graph.
#[derive(Debug, Clone, Copy)]
pub(super) struct Differing;

impl Distance<u64> for Differing {
    fn eval(&self, a: &[u64], b: &[u64]) -> f32 {
        let bits = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones());
        bits.sum::<u32>() as f32
    }
}

/// The nearest of the items that are offered, when only bits count as distance.
pub(super) struct Best {
    count: usize,
    limit: u32,
    found: Vec<(u32, u32)>,
    /// Items found at each distance.
    counts: [usize; BITS + 1],
    /// Items found within the limit.
    within: usize,
}

impl Best {
    /// Chooses `count` items at most `radius` bits away.
    pub(super) fn new(count: usize, radius: f32) -> Best {
        Best {
            count: count.max(1),
            limit: (radius.max(0.0) as u32).min(BITS as u32),
            found: Vec::new(),
            counts: [0; BITS + 1],
            within: 0,
        }
    }

    /// Bits beyond which an item has no chance any more: `count` are found that are no farther.
    #[inline]
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Offers an item.
    #[inline]
    pub(super) fn offer(&mut self, item: u32, distance: u32) {
        if distance > self.limit {
            return;
        }
        self.found.push((distance, item));
        self.counts[distance as usize] += 1;
        self.within += 1;
        let mut farthest = self.counts[self.limit as usize];
        while self.limit > 0 && self.within - farthest >= self.count {
            self.within -= farthest;
            self.limit -= 1;
            farthest = self.counts[self.limit as usize];
        }
    }

    /// The chosen ones, nearest first, equally near ones in order of their numbers.
    pub(super) fn finish(mut self, count: usize) -> Vec<Neighbour> {
        let limit = self.limit;
        self.found.retain(|(distance, _)| *distance <= limit);
        self.found.sort_unstable();
        self.found.truncate(count);
        let neighbour = |(distance, item)| Neighbour {
            item: item as usize,
            distance: distance as f32,
        };
        self.found.into_iter().map(neighbour).collect()
    }
}
