//! Small statistics.

/// Wilson's score interval at 95 % for `hits` of `total` (Wilson 1927); the whole range for none.
pub(crate) fn wilson(hits: usize, total: usize) -> (f64, f64) {
    if total == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_964;
    let (n, p) = (total as f64, hits as f64 / total as f64);
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (
        ((centre - spread) / scale).max(0.0),
        ((centre + spread) / scale).min(1.0),
    )
}

/// The value below which `share` (0..=1) of the values lie, by nearest rank; `None` for none.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Average precision of answers `(score, right)` over all queries together, when `positives` could
/// have been found (micro-AP of the 2021 Image Similarity Challenge). Equal scores are taken together.
pub(crate) fn micro_average_precision(answers: &[(f64, bool)], positives: usize) -> f64 {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen, mut right, mut sum) = (0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|(_, right)| *right).count() as f64;
        seen += tied.len() as f64;
        right += hits;
        sum += hits * right / seen;
    }
    sum / positives.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_published_values() {
        let close = |a: (f64, f64), b: (f64, f64)| {
            assert!(
                (a.0 - b.0).abs() < 1e-3 && (a.1 - b.1).abs() < 1e-3,
                "{a:?} {b:?}"
            );
        };
        close(wilson(10, 10), (0.722, 1.0));
        close(wilson(0, 10), (0.0, 0.278));
        close(wilson(81, 263), (0.255, 0.366));
        close(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(median(&values), Some(3.0));
        assert_eq!(quantile(&values, 0.95), Some(5.0));
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn average_precision_falls_with_early_mistakes() {
        let perfect = [(0.9, true), (0.8, true)];
        assert_eq!(micro_average_precision(&perfect, 2), 1.0);
        assert_eq!(micro_average_precision(&perfect, 4), 0.5);
        let wrong_first = [(0.95, false), (0.9, true), (0.8, true)];
        assert!((micro_average_precision(&wrong_first, 2) - (0.5 + 2.0 / 3.0) / 2.0).abs() < 1e-9);
        assert_eq!(micro_average_precision(&[], 3), 0.0);
        // A tie is no order.
        assert_eq!(
            micro_average_precision(&[(0.5, true), (0.5, false)], 1),
            0.5
        );
    }
}
