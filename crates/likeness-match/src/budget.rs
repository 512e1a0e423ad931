//! Which terms to look up where a library is too large for all of them.

use likeness_index::Estimate;

/// Prices there are: quarters of a power of two, so that terms are sorted by counting.
const PRICES: usize = 256;

/// What it costs to look a term up for which `asking` features ask, in meetings of a feature with a
/// posting, about a nanosecond each.
pub(crate) fn cost(estimate: &Estimate, asking: usize) -> u64 {
    /// To find a term: most of the cost where lists are short.
    const FIND: u64 = 96;
    /// To read a posting.
    const READ: u64 = 5;
    /// To pass one by.
    const PASS: u64 = 2;
    let (postings, passed) = (u64::from(estimate.postings), u64::from(estimate.passed));
    match postings + passed {
        0 => 0,
        _ => FIND + postings * (READ + asking as u64) + passed * PASS,
    }
}

/// For each term whether it is looked up, `None` if all are: those that promise the most for what
/// they cost, as far as the budget goes. `promise(i)` says how many features of a copy term `i` is
/// likely to hold; a feature is as likely to be the reference's under a rare term as under a common
/// one, which costs more and brings more chance meetings with it.
pub(crate) fn affordable(
    costs: &[u64],
    promise: impl Fn(usize) -> f32,
    budget: u64,
) -> Option<Vec<bool>> {
    if costs.iter().sum::<u64>() <= budget {
        return None;
    }
    let price = |(i, &cost): (usize, &u64)| match cost {
        0 => 0,
        _ => quarters(cost as f32 / promise(i)).clamp(1, PRICES - 1),
    };
    let prices: Vec<usize> = costs.iter().enumerate().map(price).collect();
    let mut spent = [0u64; PRICES];
    for (&price, &cost) in prices.iter().zip(costs) {
        spent[price] += cost;
    }
    let mut total = 0;
    let dear = spent.iter().position(|cost| {
        total += cost;
        total > budget
    });
    let dear = dear.unwrap_or(PRICES);
    Some(prices.into_iter().map(|price| price < dear).collect())
}

/// The binary logarithm of a positive number in quarters, straight between powers of two: 0 for what is
/// below 1.
fn quarters(value: f32) -> usize {
    /// Bits of the fraction below its first two.
    const BELOW: u32 = f32::MANTISSA_DIGITS - 3;
    (value.to_bits() >> BELOW).saturating_sub(1f32.to_bits() >> BELOW) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_promises_most_for_its_cost_is_taken() {
        let check = |costs: &[u64], promises: &[f32], budget: u64, want: Option<&[bool]>| {
            let found = affordable(costs, |i| promises[i], budget);
            assert_eq!(found.as_deref(), want, "{costs:?} {budget}");
        };
        check(&[10, 20, 1000], &[1.0; 3], 1030, None);
        check(&[10, 20, 1000], &[1.0; 3], 1029, Some(&[true, true, false]));
        check(&[10, 20, 1000], &[1.0; 3], 29, Some(&[true, false, false]));
        check(
            &[10, 20, 1000],
            &[1.0, 8.0, 1.0],
            29,
            Some(&[false, true, false]),
        );
        check(&[10, 0, 1000], &[1.0; 3], 5, Some(&[false, true, false]));
        check(&[], &[], 0, None);
    }

    proptest! {
        #[test]
        fn the_budget_is_kept(
            terms in proptest::collection::vec((0..10_000u64, 0.01..10.0f32), 0..100),
            budget in 0..200_000u64,
        ) {
            let (costs, promises): (Vec<u64>, Vec<f32>) = terms.into_iter().unzip();
            match affordable(&costs, |i| promises[i], budget) {
                None => prop_assert!(costs.iter().sum::<u64>() <= budget),
                Some(kept) => {
                    let spent: u64 = costs.iter().zip(&kept).filter(|(_, k)| **k).map(|(c, _)| c).sum();
                    prop_assert!(spent <= budget);
                    prop_assert!(costs.iter().zip(&kept).all(|(cost, kept)| *cost > 0 || *kept));
                }
            }
        }
    }
}
