//! Sums of products: what comparing films comes down to. One source, compiled for any processor and for
//! AVX2, which is chosen at run time; neither reorders arithmetic, so both give the same bits.

/// Values that are summed independently of each other: those of one wide register.
const LANES: usize = 8;

/// Sum of products of `a` and `b`, as far as the shorter one goes.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing that the callee asks for.
        return unsafe { wide(a, b) };
    }
    scalar(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide(a: &[f32], b: &[f32]) -> f32 {
    scalar(a, b)
}

/// The same for any processor.
#[inline(always)]
pub fn scalar(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    let tail: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_the_sum_of_products() {
        for length in [0, 1, 7, 8, 19, 1000] {
            let a: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin() * 90.0).collect();
            let b: Vec<f32> = (0..length).map(|i| (i as f32 * 0.3).cos() * 70.0).collect();
            let exact = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b));
            let (exact, near) = (exact.sum::<f64>(), f64::from(scalar(&a, &b)));
            assert!(
                (exact - near).abs() < 1e-6 * 6300.0 * length as f64 + 1e-9,
                "{length}"
            );
            assert_eq!(dot(&a, &b).to_bits(), scalar(&a, &b).to_bits(), "{length}");
        }
    }
}
