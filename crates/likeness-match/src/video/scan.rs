//! The inner loop of retrieval: which of a list of residuals differ in few bits from one.
//!
//! Public only for the micro benchmarks.

/// A probe's residual descriptor bits and the number of its point.
pub type Entry = (u32, u32);

/// Calls `sink` with the point and the distance of every entry within `limit` bits of `residual`.
#[inline]
pub fn near(entries: &[Entry], residual: u32, limit: u32, sink: impl FnMut(u32, u32)) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has the instruction.
        return unsafe { near_popcnt(entries, residual, limit, sink) };
    }
    near_scalar(entries, residual, limit, sink);
}

/// [`near_scalar`] compiled to the population count instruction, which baseline x86-64 lacks.
///
/// # Safety
/// The processor must have `popcnt`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
unsafe fn near_popcnt(entries: &[Entry], residual: u32, limit: u32, sink: impl FnMut(u32, u32)) {
    near_scalar(entries, residual, limit, sink);
}

#[inline(always)]
/// [`near`] for any processor.
pub fn near_scalar(entries: &[Entry], residual: u32, limit: u32, mut sink: impl FnMut(u32, u32)) {
    for &(bits, point) in entries {
        let distance = (bits ^ residual).count_ones();
        if distance <= limit {
            sink(point, distance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same() {
        let entries: Vec<Entry> = (0..1000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761), i))
            .collect();
        for residual in [0, u32::MAX, 0x1234_5678] {
            let (mut fast, mut plain) = (Vec::new(), Vec::new());
            near(&entries, residual, 10, |p, d| fast.push((p, d)));
            near_scalar(&entries, residual, 10, |p, d| plain.push((p, d)));
            assert_eq!(fast, plain);
            assert!(!plain.is_empty() && plain.iter().all(|(_, d)| *d <= 10));
        }
    }
}
