//! The few postings that are nearest to each keypoint of a query.

use super::config::VideoMatchConfig;
use likeness_core::Posting;

/// The postings nearest to each point: common patches (edges, corners of boxes) would otherwise
/// give more hits than all telling ones together.
///
/// Which ones are kept does not hang on the order in which they are offered, so that the
/// same references give the same matches however the library's files are laid out.
pub(super) struct Nearest {
    hits: Vec<(u32, u8, Posting)>,
    /// For each point, the highest grade that is kept, and how many hits have at most that.
    limits: Vec<(u8, u16)>,
    /// For each point, the number of hits of each grade.
    counts: Vec<u16>,
    grades: usize,
    most: u16,
}

/// Grades of the hits at distance 0, of which each holds half as many as the next: where even these
/// are too many, what is kept is a sample of them.
const SAMPLES: u8 = 16;

impl Nearest {
    pub(super) fn new(points: usize, config: &VideoMatchConfig) -> Nearest {
        let highest = SAMPLES + config.residual_distance as u8;
        let grades = usize::from(highest) + 1;
        Nearest {
            hits: Vec::new(),
            limits: vec![(highest, 0); points],
            counts: vec![0; points * grades],
            grades,
            most: config.hits_per_keypoint,
        }
    }

    /// Offers a posting whose descriptor differs from that of a point in `distance` bits.
    #[inline]
    pub(super) fn offer(&mut self, point: u32, distance: u32, posting: &Posting) {
        let grade = match distance {
            0 => sample(posting),
            _ => SAMPLES + distance as u8,
        };
        let (limit, near) = &mut self.limits[point as usize];
        if grade > *limit || *near == u16::MAX {
            return;
        }
        self.hits.push((point, grade, *posting));
        let counts = &mut self.counts[point as usize * self.grades..][..self.grades];
        counts[usize::from(grade)] += 1;
        *near += 1;
        while *near > self.most && *limit > 0 {
            *near -= counts[usize::from(*limit)];
            *limit -= 1;
        }
    }

    /// Each point with its hits, points ascending.
    pub(super) fn kept(mut self) -> impl Iterator<Item = (u32, Posting)> {
        let limits = self.limits;
        self.hits
            .retain(|(point, grade, _)| *grade <= limits[*point as usize].0);
        self.hits.sort_unstable();
        self.hits
            .into_iter()
            .map(|(point, _, posting)| (point, posting))
    }
}

/// The grade of a posting among those at distance 0: `SAMPLES` for half of them, one less for half
/// of the others, and so on. Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
fn sample(posting: &Posting) -> u8 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let place = u64::from(posting.reference.0) << 32 | u64::from(posting.time);
    let mixed = (posting.payload.wrapping_mul(GOLDEN) ^ place).wrapping_mul(GOLDEN);
    SAMPLES - mixed.leading_zeros().min(SAMPLES.into()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_core::ReferenceId;

    fn posting(number: u32) -> Posting {
        Posting {
            term: 1,
            reference: ReferenceId(number % 7),
            time: number,
            payload: u64::from(number) * 77,
        }
    }

    fn kept(offers: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, Posting)> {
        let mut near = Nearest::new(2, &VideoMatchConfig::default());
        for (number, distance) in offers {
            near.offer(number % 2, distance, &posting(number));
        }
        near.kept().collect()
    }

    #[test]
    fn the_order_of_the_offers_does_not_matter() {
        let check = |count: u32, distance: fn(u32) -> u32| {
            let offers = (0..count).map(|number| (number, distance(number)));
            let forwards = kept(offers.clone());
            assert_eq!(forwards, kept(offers.rev()), "{count}");
            for point in 0..2 {
                let hits = forwards.iter().filter(|hit| hit.0 == point).count();
                let most = VideoMatchConfig::default().hits_per_keypoint.into();
                assert!((1..=most).contains(&hits), "{count}: {hits}");
            }
        };
        check(8, |_| 0);
        check(1000, |_| 0);
        check(5000, |number| number / 2 % 7);
    }

    #[test]
    fn the_nearest_are_kept() {
        let offers = (0..400).map(|number| (number, u32::from(number >= 10)));
        let near = kept(offers);
        let expected: Vec<_> = (0..10)
            .map(|number| (number % 2, posting(number)))
            .collect();
        assert_eq!(near.len(), 10);
        assert!(expected.iter().all(|hit| near.contains(hit)));
    }
}
