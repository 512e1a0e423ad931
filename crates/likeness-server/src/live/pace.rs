//! How often a stream is looked at.

use crate::settings::Live;

/// What takes longer than a hop must be done less often, or a stream would be followed later and
/// later; but nothing may leave the window unseen.
pub(super) struct Pace {
    hop: f64,
    longest: f64,
    next: f64,
}

impl Pace {
    pub(super) fn new(live: &Live) -> Pace {
        Pace {
            hop: live.hop_s,
            longest: live.window_s / 2.0,
            next: 0.0,
        }
    }

    /// Whether to look at a window that ends at `end` seconds.
    pub(super) fn is_due(&self, end: f64) -> bool {
        end >= self.next
    }

    /// A look at a window that ends at `end` took so many seconds.
    pub(super) fn looked(&mut self, end: f64, took: f64) {
        // Windows come a hop apart; less than one more is no reason to pass one over.
        let hops = (took / self.hop).floor() * self.hop;
        self.next = end + hops.min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_slow_looks_less_often() {
        let check = |took: f64, ends: [f64; 3], want: [bool; 3]| {
            let mut pace = Pace::new(&Live::default());
            assert!(pace.is_due(1.0));
            pace.looked(1.0, took);
            assert_eq!(ends.map(|end| pace.is_due(end)), want, "{took}");
        };
        check(0.1, [2.0, 3.0, 4.0], [true, true, true]);
        check(0.9, [2.0, 3.0, 4.0], [true, true, true]);
        check(1.1, [1.9, 2.0, 3.0], [false, true, true]);
        check(2.1, [2.0, 3.0, 4.0], [false, true, true]);
        check(60.0, [5.0, 6.9, 7.0], [false, false, true]);
    }
}
