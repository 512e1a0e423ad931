//! Presentation times from time stamps that may be missing, broken or run backwards.

/// Turns raw times into times that start near zero and never decrease.
///
/// A jump backwards, or forwards by more than `max_gap`, is a broken or restarted clock: time
/// then goes on from the last frame, until the stamps agree with it again.
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

    /// Presentation time of the next frame, seconds.
    pub(crate) fn next(&mut self, raw: Option<f64>) -> f64 {
        let time = match (self.last, raw.filter(|t| t.is_finite())) {
            (None, None) => 0.0,
            (None, Some(raw)) => self.first(raw),
            (Some(last), None) => last + self.step,
            (Some(last), Some(raw)) => self.follow(last, raw),
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

    fn follow(&mut self, last: f64, raw: f64) -> f64 {
        let plausible = |t: f64| t >= last && t - last <= self.max_gap;
        // The unshifted clock comes first: after one bad stamp the good ones count again.
        for shift in [0.0, self.shift] {
            if plausible(raw + shift) {
                self.shift = shift;
                return raw + shift;
            }
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
        let got: Vec<f64> = raw.iter().map(|r| clock.next(*r)).collect();
        assert_eq!(got.len(), times.len());
        for (g, t) in got.iter().zip(times) {
            assert!((g - t).abs() < 1e-9, "{raw:?}: {got:?}, expected {times:?}");
        }
    }

    #[test]
    fn repairs() {
        check(&[Some(0.0), Some(0.1), Some(0.35)], &[0.0, 0.1, 0.35]);
        check(&[None, None, None], &[0.0, 0.1, 0.2]);
        check(&[Some(0.5), None, Some(0.7)], &[0.5, 0.6, 0.7]);
        // A restarted clock goes on.
        check(
            &[Some(5.0), Some(5.1), Some(0.0), Some(0.1)],
            &[5.0, 5.1, 5.2, 5.3],
        );
        // One bad stamp does not move those after it.
        check(
            &[Some(1.0), Some(0.0), Some(1.2), Some(1.3)],
            &[1.0, 1.1, 1.2, 1.3],
        );
        check(
            &[Some(1.0), Some(1e12), Some(1.2), Some(f64::NAN)],
            &[1.0, 1.1, 1.2, 1.3],
        );
        check(&[Some(-4.0), Some(-3.9)], &[0.0, 0.1]);
        check(&[Some(1e9), Some(1e9 + 0.1)], &[0.0, 0.1]);
    }
}
