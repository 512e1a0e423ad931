//! What a reported segment of sound rests on, for people who want to see it.

use super::candidates::Window;
use super::config::AudioMatchConfig;
use super::fit::Transform;
use super::verify::{Evidence, projected, verify};
use super::view::QueryView;
use likeness_core::AudioFingerprint;
use likeness_core::audio::{STEPS_PER_SEMITONE, Surface};
use likeness_core::report::Segment;

/// A peak of the reference where the query should show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Landmark {
    /// Seconds of the query.
    pub time: f64,
    /// Frequency in the query, in steps as in [`likeness_core::audio::Peak`].
    pub steps: f64,
    /// Whether the query has a peak there.
    pub found: bool,
}

/// The landmarks of a reported segment, and the evidence that they and the spectra give.
pub fn retrace(
    query: &AudioFingerprint,
    reference: &AudioFingerprint,
    segment: &Segment,
    config: &AudioMatchConfig,
) -> (Vec<Landmark>, Evidence) {
    let transform = Transform {
        speed: segment.speed,
        pitch: segment.pitch_semitones.unwrap_or(0.0),
        query_time: segment.query_start,
        reference_time: segment.reference_start,
    };
    let window = Window {
        start: segment.query_start,
        end: segment.query_end,
    };
    let view = QueryView::new(query);
    let reach = config.peak_semitones * STEPS_PER_SEMITONE;
    let landmarks = Surface::ALL.into_iter().flat_map(|surface| {
        let expected = projected(surface, &transform, reference, window);
        expected.map(move |(_, time, steps)| (surface, time, steps))
    });
    let landmarks = landmarks.map(|(surface, time, steps)| Landmark {
        time,
        steps,
        found: view.has(surface, time, steps, config.peak_seconds, reach),
    });
    let evidence = verify(&transform, &view, reference, window, config);
    (landmarks.collect(), evidence)
}
