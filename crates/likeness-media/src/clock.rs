//! Presentation times from time stamps that may be missing, broken or run backwards.

/// Turns raw times into times that start near zero and never decrease.
///
/// A stamp that lies beyond its successor's is a glitch and is ignored. A jump backwards, or
/// forwards by more than `max_gap`, is a restarted clock: time then goes on from the last frame,
/// until the stamps agree with it again. Stamps that stand still while frames go by tell nothing.
pub(crate) struct Clock {
    step: f64,
    max_gap: f64,
    last: Option<f64>,
    shift: f64,
}

impl Clock {
    /// `step`: seconds from frame to frame where the stamps do not tell.
    pub(crate) fn new(step: f64, max_gap: f64) -> Clock {
        Clock {
            step,
            max_gap,
            last: None,
            shift: 0.0,
        }
    }

    /// Presentation time of the next frame, seconds. `raw` is its stamp, `successor` the stamp
    /// of the frame after it.
    pub(crate) fn next(&mut self, raw: Option<f64>, successor: Option<f64>) -> f64 {
        let raw = raw.filter(|t| t.is_finite());
        let time = match (self.last, raw) {
            (None, None) => 0.0,
            (None, Some(raw)) => self.first(raw),
            (Some(last), None) => last + self.step,
            (Some(last), Some(raw)) => self.follow(last, raw, successor),
        };
        self.last = Some(time);
        time
    }

    fn first(&mut self, raw: f64) -> f64 {
        if raw > self.max_gap || raw < 0.0 {
            self.shift = -raw;
        }
        raw + self.shift
    }

    fn follow(&mut self, last: f64, raw: f64, successor: Option<f64>) -> f64 {
        let plausible = |t: f64| t >= last && t - last <= self.max_gap;
        let stuck = raw + self.shift == last && successor.is_none_or(|s| s <= raw);
        // The unshifted clock comes first: after one bad stamp the good ones count again.
        let shifts = [0.0, self.shift];
        let overtaken = successor.filter(|s| *s < raw);
        let next = shifts.iter().filter_map(|shift| Some(overtaken? + shift));
        if let Some(next) = next.into_iter().find(|next| plausible(*next)) {
            return (last + self.step).min(next);
        }
        let agreeing = shifts.into_iter().find(|shift| plausible(raw + shift));
        if let Some(shift) = agreeing.filter(|_| !stuck) {
            self.shift = shift;
            return raw + shift;
        }
        self.shift = last + self.step - raw;
        last + self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &[Option<f64>], times: &[f64]) {
        let mut clock = Clock::new(0.1, 10.0);
        let successor = |i: usize| raw.get(i + 1).copied().flatten();
        let stamps = raw.iter().enumerate();
        let got: Vec<f64> = stamps.map(|(i, r)| clock.next(*r, successor(i))).collect();
        assert_eq!(got.len(), times.len());
        for (g, t) in got.iter().zip(times) {
            assert!((g - t).abs() < 1e-9, "{raw:?}: {got:?}, expected {times:?}");
        }
    }

    fn check_all(raw: &[f64], times: &[f64]) {
        let raw: Vec<_> = raw.iter().map(|r| Some(*r)).collect();
        check(&raw, times);
    }

    #[test]
    fn repairs() {
        check_all(&[0.0, 0.1, 0.35], &[0.0, 0.1, 0.35]);
        check(&[None, None, None], &[0.0, 0.1, 0.2]);
        check(&[Some(0.5), None, Some(0.7)], &[0.5, 0.6, 0.7]);
        // A restarted clock goes on.
        check_all(&[5.0, 5.1, 0.0, 0.1], &[5.0, 5.1, 5.2, 5.3]);
        // One bad stamp does not move those after it, whichever way it errs.
        check_all(&[1.0, 0.0, 1.2, 1.3], &[1.0, 1.1, 1.2, 1.3]);
        check_all(&[1.0, 9.0, 1.2, 1.3], &[1.0, 1.1, 1.2, 1.3]);
        check_all(&[1.0, 1e12, 1.2, f64::NAN], &[1.0, 1.1, 1.2, 1.3]);
        // Nor on a clock that restarted before.
        check_all(&[5.0, 0.0, 0.1, 9.0, 0.3], &[5.0, 5.1, 5.2, 5.3, 5.4]);
        // A clock that stands still; two frames of one stamp are none.
        check_all(&[0.0, 0.0, 0.0, 0.0], &[0.0, 0.1, 0.2, 0.3]);
        check_all(&[7.0, 7.0, 7.0, 7.4], &[7.0, 7.1, 7.1, 7.4]);
        check_all(&[0.0, 0.0, 0.4, 0.4, 0.8], &[0.0, 0.0, 0.4, 0.4, 0.8]);
        // Slides stand as long as they are stamped to.
        check_all(&[0.0, 4.0, 9.0], &[0.0, 4.0, 9.0]);
        check_all(&[-4.0, -3.9], &[0.0, 0.1]);
        check_all(&[1e6, 1e6 + 0.5], &[0.0, 0.5]);
    }
}
