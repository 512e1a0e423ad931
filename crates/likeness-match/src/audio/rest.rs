//! What of a query is left once sure matches are taken away. A window's best hypotheses may all be of one
//! song, of which a library has many versions; then another work, heard for a few of its seconds, is not among
//! them. So what no match explains is looked into once more, by itself.

use super::Audible;
use super::candidates::Window;
use super::config::AudioMatchConfig;
use likeness_core::ReferenceId;

/// The stretches, of at least [`AudioMatchConfig::min_rest`] seconds, of those windows in part of which
/// something was surely heard that nothing sure covers, none longer than a window.
pub(super) fn unexplained(
    all: &[(ReferenceId, Vec<Audible>)],
    windows: &[Window],
    config: &AudioMatchConfig,
) -> Vec<Window> {
    let heard = all.iter().flat_map(|(_, segments)| segments);
    let sure = heard.filter(|s| s.evidence.total >= config.sure);
    let mut sure: Vec<Window> = sure.map(|s| s.window).collect();
    sure.sort_by(|a, b| a.start.total_cmp(&b.start));
    let mut rest: Vec<Window> = Vec::new();
    for window in windows {
        let left = without(window, &sure);
        // A window without anything sure would be looked into as before.
        if left != [*window] {
            rest.extend(left);
        }
    }
    let mut rest = united(rest);
    rest.retain(|w| w.end - w.start >= config.min_rest);
    rest.iter().flat_map(|w| pieces(w, config.window)).collect()
}

/// A window without what `taken`, ordered by start, covers.
fn without(window: &Window, taken: &[Window]) -> Vec<Window> {
    let mut left = Vec::new();
    let mut start = window.start;
    for taken in taken.iter().filter(|t| t.end > window.start) {
        let end = taken.start.min(window.end);
        if end > start {
            left.push(Window { start, end });
        }
        start = start.max(taken.end);
    }
    if window.end > start {
        left.push(Window {
            start,
            end: window.end,
        });
    }
    left
}

/// Windows that overlap or touch as one.
fn united(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort_by(|a, b| a.start.total_cmp(&b.start));
    let mut all: Vec<Window> = Vec::new();
    for window in windows {
        match all.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => all.push(window),
        }
    }
    all
}

/// A window as windows of at most `length`.
fn pieces(window: &Window, length: f64) -> impl Iterator<Item = Window> + use<> {
    let start = window.start;
    let pieces = super::windows(window.end - start, length);
    pieces.into_iter().map(move |w| Window {
        start: start + w.start,
        end: start + w.end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Evidence, Transform};

    fn window(start: f64, end: f64) -> Window {
        Window { start, end }
    }

    #[test]
    fn what_nothing_sure_covers_is_left() {
        let config = AudioMatchConfig::default();
        let check = |heard: &[(f64, f64, f64)], windows: &[(f64, f64)], want: &[(f64, f64)]| {
            let audible = |&(start, end, total): &(f64, f64, f64)| Audible {
                window: window(start, end),
                transform: Transform {
                    speed: 1.0,
                    pitch: 0.0,
                    reference_time: 0.0,
                    query_time: 0.0,
                },
                evidence: Evidence {
                    total,
                    ..Evidence::default()
                },
            };
            let all = [(ReferenceId(0), heard.iter().map(audible).collect())];
            let windows: Vec<Window> = windows.iter().map(|&(a, b)| window(a, b)).collect();
            let found = unexplained(&all, &windows, &config);
            let want: Vec<Window> = want.iter().map(|&(a, b)| window(a, b)).collect();
            assert_eq!(found, want, "{heard:?}");
        };
        let sure = 10.0 * config.sure;
        check(&[], &[(0.0, 15.0)], &[]);
        check(&[(0.0, 15.0, sure)], &[(0.0, 15.0)], &[]);
        check(&[(0.0, 10.0, sure)], &[(0.0, 15.0)], &[(10.0, 15.0)]);
        check(&[(0.0, 10.0, config.seed)], &[(0.0, 15.0)], &[]);
        // Too short.
        check(&[(1.0, 14.0, sure)], &[(0.0, 15.0)], &[]);
        check(
            &[(4.0, 6.0, sure), (5.0, 11.0, sure)],
            &[(0.0, 15.0)],
            &[(0.0, 4.0), (11.0, 15.0)],
        );
        // Windows far from what was heard were looked into.
        check(
            &[(0.0, 10.0, sure)],
            &[(0.0, 16.0), (8.0, 24.0), (16.0, 32.0)],
            &[(10.0, 24.0)],
        );
    }
}
