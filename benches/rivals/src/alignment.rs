//! Exhaustive search for fingerprints that are one bit string a moment: every alignment of the query
//! with every reference is tried.

use crate::bench::Found;
use rayon::prelude::*;

/// Alignments that cover less of the query are not tried.
const SHORTEST_SHARE: f64 = 0.5;

/// A work as bit strings of `WORDS` words, one every so many seconds.
pub(crate) type Strings<const WORDS: usize> = Vec<[u64; WORDS]>;

/// Every query, in one or more forms (mirrored, say), against every reference; the best alignment of
/// the best form, scored by the share of equal bits among `bits` a string (1 for the same, about 0.5
/// for unrelated). Strings are `step` seconds apart.
pub(crate) fn search<const WORDS: usize>(
    queries: &[Vec<Strings<WORDS>>],
    references: &[Strings<WORDS>],
    bits: u32,
    step: f64,
) -> Vec<Vec<Found>> {
    let one = |forms: &Vec<Strings<WORDS>>| {
        let candidates = references.iter().enumerate();
        candidates
            .filter_map(|(index, reference)| {
                let found = forms
                    .iter()
                    .filter_map(|form| aligned(index, form, reference, bits, step));
                found.max_by(|a, b| a.score.total_cmp(&b.score))
            })
            .collect()
    };
    queries.par_iter().map(one).collect()
}

/// The best alignment of a query with a reference.
fn aligned<const WORDS: usize>(
    index: usize,
    query: &[[u64; WORDS]],
    reference: &[[u64; WORDS]],
    bits: u32,
    step: f64,
) -> Option<Found> {
    let least = ((query.len() as f64 * SHORTEST_SHARE).ceil() as usize).max(1);
    let (first, last) = (
        least as isize - query.len() as isize,
        reference.len() as isize - least as isize,
    );
    let equal = |shift: isize| {
        let begin = (-shift).max(0) as usize;
        let skip = shift.max(0) as usize;
        let pairs = query[begin..].iter().zip(&reference[skip..]);
        let (mut different, mut strings) = (0, 0);
        for (a, b) in pairs {
            different += distance(a, b);
            strings += 1;
        }
        let share = 1.0 - f64::from(different) / f64::from(bits * strings);
        (share, begin, skip, strings)
    };
    let best = (first..=last)
        .map(equal)
        .filter(|&(.., strings)| strings as usize >= least)
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let (score, begin, skip, strings) = best;
    Some(Found {
        reference: index,
        score,
        query_start: begin as f64 * step,
        query_end: (begin as f64 + f64::from(strings)) * step,
        reference_start: skip as f64 * step,
        speed: 1.0,
    })
}

/// Bits that differ.
pub(crate) fn distance<const WORDS: usize>(a: &[u64; WORDS], b: &[u64; WORDS]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 0.125;

    fn strings(count: u32) -> Strings<1> {
        (1..count)
            .map(|i| [u64::from(i.wrapping_mul(2_654_435_761))])
            .collect()
    }

    #[test]
    fn the_best_alignment_is_found_wherever_it_lies() {
        let reference = strings(200);
        for start in [0, 17, 150] {
            let found = aligned(3, &reference[start..start + 40], &reference, 32, STEP);
            let found = found.expect("longer than half the query");
            assert_eq!((found.reference, found.score), (3, 1.0));
            assert!((found.reference_start - start as f64 * STEP).abs() < 1e-9);
        }
    }

    #[test]
    fn a_query_may_begin_before_the_reference() {
        let reference = strings(60);
        let query = [&[[7], [8], [9]][..], &reference[..20]].concat();
        let found = aligned(0, &query, &reference, 32, STEP).expect("overlaps");
        assert_eq!(found.score, 1.0);
        assert!((found.query_start - 3.0 * STEP).abs() < 1e-9);
    }

    #[test]
    fn a_reference_that_is_too_short_is_no_candidate() {
        assert_eq!(aligned(0, &[[1], [2], [3], [4]], &[[1]], 32, STEP), None);
    }

    #[test]
    fn the_better_form_of_a_query_counts() {
        let reference = strings(50);
        let other = reference.iter().map(|[word]| [word ^ 0xffff]).collect();
        let forms = vec![other, reference[10..30].to_vec()];
        let found = search(&[forms], &[reference], 32, STEP);
        assert_eq!(found[0][0].score, 1.0);
    }
}
