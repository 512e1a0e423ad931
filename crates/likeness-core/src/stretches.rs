//! A set of times of one work.

use crate::wire::{Reader, WireError, Writer};

/// Stretches of one work, in order, that neither overlap nor meet. Counted in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretches {
    /// Starts and ends; each start below its end, each end below the next start.
    stretches: Vec<(u32, u32)>,
}

impl Stretches {
    /// Whether no time is in the set.
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// The stretches, in seconds: start and end.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let seconds = |ms: u32| f64::from(ms) / 1000.0;
        self.stretches
            .iter()
            .map(move |&(start, end)| (seconds(start), seconds(end)))
    }

    /// Puts the seconds from `start` to `end` into the set.
    pub fn insert(&mut self, start: f64, end: f64) {
        let (mut start, mut end) = (milliseconds(start), milliseconds(end));
        if start >= end {
            return;
        }
        self.stretches.retain(|&(from, to)| {
            let apart = to < start || from > end;
            if !apart {
                (start, end) = (start.min(from), end.max(to));
            }
            apart
        });
        let at = self.stretches.partition_point(|&(from, _)| from < start);
        self.stretches.insert(at, (start, end));
    }

    /// Takes the seconds from `start` to `end` out of the set.
    pub fn remove(&mut self, start: f64, end: f64) {
        let (start, end) = (milliseconds(start), milliseconds(end));
        let left = |&(from, to): &(u32, u32)| {
            let before = (from, to.min(start));
            let after = (from.max(end), to);
            [before, after].into_iter().filter(|(from, to)| from < to)
        };
        if start < end {
            self.stretches = self.stretches.iter().flat_map(left).collect();
        }
    }

    /// The parts of the seconds from `start` to `end` that are not in the set, in order.
    pub fn outside(&self, start: f64, end: f64) -> Vec<(f64, f64)> {
        let mut parts = Vec::new();
        let mut from = start;
        for (first, last) in self.iter().filter(|&(s, e)| e > start && s < end) {
            if first > from {
                parts.push((from, first));
            }
            from = from.max(last);
        }
        if from < end {
            parts.push((from, end));
        }
        parts
    }

    /// Appends the set: a count, then each stretch's distance from the one before, and its length.
    pub fn encode(&self, w: &mut Writer) {
        w.varint(self.stretches.len() as u64);
        let mut last = 0;
        for &(start, end) in &self.stretches {
            w.varint(u64::from(start - last));
            w.varint(u64::from(end - start));
            last = end;
        }
    }

    /// Reads what [`Stretches::encode`] wrote.
    ///
    /// # Errors
    /// Anything that is not exactly the encoding of a set.
    pub fn decode(r: &mut Reader<'_>) -> Result<Stretches, WireError> {
        let wrong = WireError::OutOfRange("stretch");
        let mut stretches: Vec<(u32, u32)> = Vec::new();
        for _ in 0..r.count(2, "number of stretches")? {
            let (gap, length) = (r.varint()?, r.varint()?);
            let last = stretches.last().map_or(0, |&(_, end)| u64::from(end));
            let start = last.checked_add(gap).ok_or(wrong.clone())?;
            let end = start.checked_add(length).ok_or(wrong.clone())?;
            let end = u32::try_from(end).map_err(|_| wrong.clone())?;
            if length == 0 || (gap == 0 && !stretches.is_empty()) {
                return Err(wrong);
            }
            stretches.push((start as u32, end));
        }
        Ok(Stretches { stretches })
    }
}

fn milliseconds(seconds: f64) -> u32 {
    // Saturates, as all that is out of range shall.
    (seconds * 1000.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(stretches: &[(f64, f64)]) -> Stretches {
        let mut set = Stretches::default();
        stretches.iter().for_each(|&(s, e)| set.insert(s, e));
        set
    }

    #[test]
    fn stretches_that_touch_are_one() {
        let check = |of: &[(f64, f64)], want: &[(f64, f64)]| {
            assert_eq!(set(of).iter().collect::<Vec<_>>(), want, "{of:?}");
        };
        check(&[(5.0, 6.0), (1.0, 2.0)], &[(1.0, 2.0), (5.0, 6.0)]);
        check(&[(1.0, 2.0), (2.0, 3.0)], &[(1.0, 3.0)]);
        check(&[(1.0, 2.0), (4.0, 5.0), (1.5, 4.5)], &[(1.0, 5.0)]);
        check(&[(2.0, 2.0), (3.0, 1.0), (f64::NAN, 1.0)], &[(0.0, 1.0)]);
        check(&[(-3.0, 1e12)], &[(0.0, f64::from(u32::MAX) / 1000.0)]);
    }

    #[test]
    fn what_lies_outside() {
        let set = set(&[(10.0, 20.0), (30.0, 40.0)]);
        let check = |start, end, want: &[(f64, f64)]| {
            assert_eq!(set.outside(start, end), want, "{start} {end}");
        };
        check(0.0, 5.0, &[(0.0, 5.0)]);
        check(12.0, 18.0, &[]);
        check(10.0, 20.0, &[]);
        check(5.0, 15.0, &[(5.0, 10.0)]);
        check(15.0, 35.0, &[(20.0, 30.0)]);
        check(5.0, 45.0, &[(5.0, 10.0), (20.0, 30.0), (40.0, 45.0)]);
    }

    proptest! {
        #[test]
        fn a_set_is_a_row_of_marks(
            steps in proptest::collection::vec((any::<bool>(), 0u32..60, 0u32..60), 0..12)
        ) {
            let mut set = Stretches::default();
            let mut marks = [false; 60];
            for (insert, start, end) in steps {
                let (from, to) = (f64::from(start) / 1000.0, f64::from(end) / 1000.0);
                match insert {
                    true => set.insert(from, to),
                    false => set.remove(from, to),
                }
                marks.iter_mut().take(end as usize).skip(start as usize).for_each(|m| *m = insert);
            }
            let has = |ms: usize| set.outside(ms as f64 / 1000.0, (ms + 1) as f64 / 1000.0).is_empty();
            for (ms, &mark) in marks.iter().enumerate() {
                prop_assert_eq!(has(ms), mark, "{}", ms);
            }
            let mut w = Writer::new();
            set.encode(&mut w);
            let bytes = w.into_bytes();
            prop_assert_eq!(Stretches::decode(&mut Reader::new(&bytes)), Ok(set));
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(set) = Stretches::decode(&mut Reader::new(&bytes)) {
                prop_assert!(set.stretches.is_sorted_by(|a, b| a.0 < a.1 && a.1 < b.0));
            }
        }
    }
}
