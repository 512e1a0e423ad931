//! Stretches of a reference that never make a match.

use super::Verified;
use super::config::VideoMatchConfig;
use likeness_core::{Stretches, VideoFingerprint};
use std::borrow::Cow;

/// The reference as if it stood still, without keyframes, wherever it is excluded: nothing there
/// agrees with anything that moves.
pub(super) fn stilled<'a>(
    reference: &'a VideoFingerprint,
    excluded: Option<&Stretches>,
) -> Cow<'a, VideoFingerprint> {
    let Some(excluded) = excluded else {
        return Cow::Borrowed(reference);
    };
    let mut reference = reference.clone();
    let inside = |time: f64| excluded.iter().any(|(s, e)| (s..e).contains(&time));
    reference.keyframes.retain(|frame| !inside(frame.seconds()));
    let film = &mut reference.thumbnails;
    let size = film.width * film.height;
    let rate = film.rate();
    for (start, end) in excluded.iter() {
        let (first, last) = (film.index(start), film.index(end).min(film.len()));
        // What was before goes on; at the start of the film, what comes after was there already.
        let shown = if first > 0 { first - 1 } else { last };
        let still = (shown < film.len()).then(|| film.picture(shown).to_vec());
        for i in (first..last).filter(|&i| inside((i as f64 + 0.5) / rate)) {
            let picture = &mut film.pixels[i * size..(i + 1) * size];
            match &still {
                Some(still) => picture.copy_from_slice(still),
                None => picture.fill(0),
            }
        }
    }
    Cow::Owned(reference)
}

/// Cuts a stretch down to its longest part that is not excluded; `None` where too little is left.
pub(super) fn cut(
    mut found: Verified,
    excluded: Option<&Stretches>,
    config: &VideoMatchConfig,
) -> Option<Verified> {
    let Some(excluded) = excluded else {
        return Some(found);
    };
    let segment = &mut found.seen.segment;
    let parts = excluded.outside(segment.reference_start, segment.reference_end);
    let length = |&(start, end): &(f64, f64)| end - start;
    let (start, end) = parts
        .into_iter()
        .max_by(|a, b| length(a).total_cmp(&length(b)))?;
    (segment.reference_start, segment.reference_end) = (start, end);
    segment.query_start = found.line.back(start);
    segment.query_end = found.line.back(end);
    (segment.query_end - segment.query_start >= config.min_seconds).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_core::Density;
    use likeness_core::video::{Keyframe, Thumbnails};

    /// Ten seconds whose picture `i` is all `i`, a keyframe each second.
    fn film() -> VideoFingerprint {
        let mut thumbnails = Thumbnails::sparse();
        (0..50).for_each(|i| thumbnails.push_black().fill(i));
        let keyframe = |i: u32| Keyframe {
            slot: 2 * i,
            time_ms: 1000 * i,
            sparse: 0,
            keypoints: Vec::new(),
        };
        VideoFingerprint {
            duration: 10.0,
            aspect: 1.5,
            density: Density::Reference,
            keyframes: (0..10).map(keyframe).collect(),
            thumbnails,
            plates: Vec::new(),
        }
    }

    #[test]
    fn what_is_excluded_stands_still() {
        let check = |start: f64, end: f64, keyframes: usize, still: u8, times: usize| {
            let (film, mut excluded) = (film(), Stretches::default());
            excluded.insert(start, end);
            let stilled = stilled(&film, Some(&excluded));
            assert_eq!(stilled.keyframes.len(), keyframes, "{start} {end}");
            let shown = (0..50).filter(|&i| stilled.thumbnails.picture(i)[0] == still);
            assert_eq!(shown.count(), times, "{start} {end}");
        };
        check(2.0, 4.0, 8, 9, 11);
        check(0.0, 4.0, 6, 20, 21);
        check(8.0, 99.0, 8, 39, 11);
        check(0.0, 99.0, 0, 0, 50);
    }
}
