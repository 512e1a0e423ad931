//! The sound of a match: strips of both works on top of each other, and what can be heard.

use crate::Work;
use crate::embed;
use crate::excerpt::{self, Heard, Plan, RATE};
use crate::spectrogram::{COLUMNS, Frame, of_fingerprint, of_sound, row_of};
use crate::words::stretch;
use image::GrayImage;
use likeness_core::audio::BINS;
use likeness_match::audio::{AudioMatchConfig, Evidence, Landmark, retrace};
use std::fmt::Write;

/// Landmarks of which a line leads from one strip to the other.
const LINES: usize = 48;
/// Units between the strips.
const GAP: f64 = 24.0;

/// What the page shows of a match of sound.
pub(crate) struct SoundView {
    /// `data:` URIs of the strips and of the sounds.
    pub(crate) strips: [String; 2],
    pub(crate) sounds: [Option<String>; 2],
    /// SVG paths: landmarks that are found again, those that are not, and lines between the strips.
    pub(crate) found: String,
    pub(crate) missed: String,
    pub(crate) lines: String,
    pub(crate) width: u32,
    /// Of one strip.
    pub(crate) height: u16,
    /// Of both.
    pub(crate) total_height: f64,
    pub(crate) lower: f64,
    /// Stretches in words: of the query, of the reference.
    pub(crate) stretches: [String; 2],
    pub(crate) found_count: usize,
    pub(crate) expected_count: usize,
    /// Of the whole segment.
    pub(crate) evidence: Evidence,
    /// Whether each strip is only what the fingerprint keeps.
    pub(crate) coarse: [bool; 2],
}

/// The sound of a match; `None` without fingerprints of both.
pub(crate) fn show(
    plan: &Plan,
    query: &Work,
    heard: Option<Heard>,
    reference: &Work,
) -> Option<SoundView> {
    let (own, other) = (query.audio.as_deref()?, reference.audio.as_deref()?);
    let config = AudioMatchConfig::default();
    let (landmarks, evidence) = retrace(own, other, &plan.segment, &config);
    let shown = |l: &&Landmark| (plan.query.0..plan.query.1).contains(&l.time);
    let landmarks: Vec<&Landmark> = landmarks.iter().filter(shown).collect();
    let there = excerpt::sounds(reference.file.as_deref(), &[plan.reference]).pop()?;
    let frames = [
        Frame {
            span: plan.query,
            shift: 0.0,
        },
        Frame {
            span: plan.reference,
            shift: plan.segment.pitch_semitones.unwrap_or(0.0),
        },
    ];
    let strip = |heard: &Option<Heard>, fingerprint, frame| -> GrayImage {
        match heard {
            Some(heard) => of_sound(heard, frame),
            None => of_fingerprint(fingerprint, frame),
        }
    };
    let place = |l: &Landmark| {
        let share = (l.time - plan.query.0) / (plan.query.1 - plan.query.0);
        (share * f64::from(COLUMNS), row_of(l.steps))
    };
    let lower = f64::from(BINS) + GAP;
    let (mut found, mut missed, mut lines) = (String::new(), String::new(), String::new());
    let every = (landmarks.iter().filter(|l| l.found).count() / LINES).max(1);
    let mut count = 0;
    for landmark in &landmarks {
        let (x, y) = place(landmark);
        let path = if landmark.found {
            &mut found
        } else {
            &mut missed
        };
        // A line of no length with round ends is a dot.
        if landmark.found {
            let _ = write!(path, "M{x:.1} {y:.1}h0");
            if count % every == 0 {
                let _ = write!(lines, "M{x:.1} {y:.1}V{:.1}", y + lower);
            }
            count += 1;
        }
        let _ = write!(path, "M{x:.1} {:.1}h0", y + lower);
    }
    let heard_as = |heard: &Option<Heard>| Some(embed::sound(&heard.as_ref()?.samples, RATE));
    Some(SoundView {
        strips: [
            embed::drawing(&strip(&heard, own, frames[0]))?,
            embed::drawing(&strip(&there, other, frames[1]))?,
        ],
        sounds: [heard_as(&heard), heard_as(&there)],
        found,
        missed,
        lines,
        width: COLUMNS,
        height: BINS,
        total_height: lower + f64::from(BINS),
        lower,
        stretches: [plan.query, plan.reference].map(|(start, end)| stretch(start, end)),
        found_count: count,
        expected_count: landmarks.len(),
        evidence,
        coarse: [heard.is_none(), there.is_none()],
    })
}
