//! The exact search: all descriptors, one after another. The oracle for all others.

use super::bits::Best;
use likeness_match::neighbours::{Neighbour, Neighbours};

/// Descriptors whose distances are taken at once, before any is looked at.
const BLOCK: usize = 64;

/// A scan of all descriptors.
pub(super) struct Exact {
    codes: Vec<u64>,
    scan: fn(&[u64], u64, &mut Best),
}

impl Exact {
    /// In the widest form that the processor has.
    pub(super) fn new(codes: Vec<u64>) -> Exact {
        Exact { codes, scan }
    }

    /// In the form for any processor.
    pub(super) fn scalar(codes: Vec<u64>) -> Exact {
        Exact {
            codes,
            scan: scan_scalar,
        }
    }
}

impl Neighbours<u64> for Exact {
    fn nearest(&self, query: &[u64], count: usize, radius: f32) -> Vec<Neighbour> {
        let mut best = Best::new(count, radius);
        if let Some(&word) = query.first() {
            (self.scan)(&self.codes, word, &mut best);
        }
        best.finish(count)
    }
}

fn scan(codes: &[u64], query: u64, best: &mut Best) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has both extensions.
        return unsafe { scan_avx2(codes, query, best) };
    }
    scan_scalar(codes, query, best);
}

/// [`scan_scalar`] compiled for AVX2, in which bits are counted by looking up half bytes (Mula, Kurz &
/// Lemire, "Faster population counts using AVX2 instructions", 2018); the compiler knows how.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn scan_avx2(codes: &[u64], query: u64, best: &mut Best) {
    scan_scalar(codes, query, best);
}

#[inline(always)]
fn scan_scalar(codes: &[u64], query: u64, best: &mut Best) {
    let (blocks, rest) = codes.as_chunks::<BLOCK>();
    let mut distances = [0u64; BLOCK];
    for (number, block) in blocks.iter().enumerate() {
        let mut nearest = u64::MAX;
        for (distance, code) in distances.iter_mut().zip(block) {
            *distance = u64::from((code ^ query).count_ones());
            nearest = nearest.min(*distance);
        }
        if nearest <= u64::from(best.limit()) {
            for (item, distance) in distances.iter().enumerate() {
                best.offer((number * BLOCK + item) as u32, *distance as u32);
            }
        }
    }
    let first = codes.len() - rest.len();
    for (item, code) in rest.iter().enumerate() {
        best.offer((first + item) as u32, (code ^ query).count_ones());
    }
}
