//! What of a stream's last seconds is looked up, and in which order.
//!
//! A copy that has just begun is a small part of a long window. What was shown before it casts votes,
//! and spoils the moving mean without which films are compared: its picture is found sooner among the
//! last seconds alone. What hardly moves needs more of them, and what only its motion gives away is
//! costly to find. So the picture is glanced at after every hop, and by turns a longer look is taken at
//! it, or a whole one; nothing of the picture is looked up twice at a time, and while a match is
//! known to go on only whole looks are taken, now and then.

use likeness::core::{Fingerprint, StreamState};
use likeness::{Look, MatchOptions};

/// Seconds by which a longer glance is longer.
const LONGER: f64 = 2.0;
/// Hops from one whole look to the next, and while a match goes on.
const WHOLE: u32 = 2;
const WHOLE_WHILE_KNOWN: u32 = 4;
/// Hypotheses that a glance verifies: what shows plainly is among the first.
const HYPOTHESES: usize = 8;

/// Divides looks into what is looked up.
pub(super) struct Glances {
    /// Seconds of picture that are looked up by themselves; up to one more.
    recent: f64,
    /// Hops since the last whole look at the picture.
    hops: u32,
}

/// What is to be looked up of one look.
pub(super) struct Parts {
    pub(super) sound: Option<Look>,
    /// The picture, until one of them shows something.
    pub(super) pictures: Vec<Picture>,
}

/// A stretch of picture, and how thoroughly it is looked up.
pub(super) struct Picture {
    pub(super) look: Look,
    pub(super) glance: bool,
}

impl Picture {
    pub(super) fn options(&self) -> MatchOptions {
        let mut options = MatchOptions::default();
        if self.glance {
            options.video.hypotheses = HYPOTHESES;
            // Motion alone is for whole looks.
            options.video.motion_hours = 0.0;
        }
        options
    }
}

impl Glances {
    pub(super) fn new(recent_s: f64) -> Glances {
        Glances {
            recent: recent_s,
            hops: WHOLE_WHILE_KNOWN,
        }
    }

    /// What is looked up of a look; less while a match of picture is `known` to go on.
    pub(super) fn divide(&mut self, look: Look, known: bool) -> Parts {
        let sound = look.fingerprint.audio.analysed().is_some();
        let sound = sound.then(|| Look {
            fingerprint: Fingerprint {
                video: StreamState::Skipped,
                ..look.fingerprint.clone()
            },
            ..look
        });
        let mut pictures = Vec::new();
        self.hops += 1;
        let glances = [self.recent, self.recent + LONGER];
        let glances: Vec<Look> = glances.iter().filter_map(|s| recent(&look, *s)).collect();
        let whole_is_due = match known {
            true => self.hops >= WHOLE_WHILE_KNOWN,
            false => self.hops >= WHOLE || glances.len() < 2,
        };
        let glances = glances.into_iter().take(match (known, whole_is_due) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        });
        pictures.extend(glances.map(|look| Picture { look, glance: true }));
        if whole_is_due && look.fingerprint.video.analysed().is_some() {
            self.hops = 0;
            let fingerprint = Fingerprint {
                audio: StreamState::Skipped,
                ..look.fingerprint
            };
            let look = Look {
                fingerprint,
                ..look
            };
            pictures.push(Picture {
                look,
                glance: false,
            });
        }
        Parts { sound, pictures }
    }
}

/// The last seconds of a look's picture, up to one more; `None` if there is no picture, or nothing before
/// them.
fn recent(look: &Look, seconds: f64) -> Option<Look> {
    let of = &look.fingerprint;
    let before = (of.duration - seconds).floor();
    let film = of.video.analysed().filter(|_| before >= 1.0)?;
    Some(Look {
        start: look.start + before,
        fingerprint: Fingerprint {
            content: of.content,
            duration: of.duration - before,
            density: of.density,
            audio: StreamState::Skipped,
            video: StreamState::Analysed(film.since(before as u32)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness::core::audio::Grid;
    use likeness::core::video::Thumbnails;
    use likeness::core::{AudioFingerprint, Density, VideoFingerprint};

    fn look(start: f64, duration: f64, [sound, picture]: [bool; 2]) -> Look {
        let film = VideoFingerprint {
            duration,
            aspect: 1.5,
            density: Density::Query,
            keyframes: Vec::new(),
            thumbnails: Thumbnails::new(),
            plates: Vec::new(),
        };
        let audio = sound.then(|| AudioFingerprint {
            duration,
            density: Density::Query,
            onsets: Vec::new(),
            partials: Vec::new(),
            grid: Grid::new(1, 1, Density::Query, []),
        });
        Look {
            start,
            fingerprint: Fingerprint {
                content: [0; 32],
                duration,
                density: Density::Query,
                audio: audio.map_or(StreamState::Absent, StreamState::Analysed),
                video: match picture {
                    true => StreamState::Analysed(film),
                    false => StreamState::Absent,
                },
            },
        }
    }

    #[test]
    fn a_look_is_divided() {
        let mut glances = Glances::new(5.0);
        let mut check = |look: Look, known: bool, want: &[(f64, f64)]| {
            let parts = glances.divide(look.clone(), known);
            let sound = parts.sound.map(|sound| sound.fingerprint.audio);
            let has_sound = look.fingerprint.audio.analysed().is_some();
            assert_eq!(sound, has_sound.then_some(look.fingerprint.audio));
            let stretches = parts.pictures.iter().map(|picture| {
                let of = &picture.look.fingerprint;
                assert_eq!(of.audio, StreamState::Skipped);
                assert_eq!(of.video.analysed().map(|f| f.duration), Some(of.duration));
                assert_eq!(picture.glance, picture.look.start > look.start);
                (picture.look.start, of.duration)
            });
            assert_eq!(stretches.collect::<Vec<_>>(), want);
        };
        let both = [true, true];
        // There is nothing before the last seconds yet.
        check(look(0.0, 5.5, both), false, &[(0.0, 5.5)]);
        check(look(0.0, 6.5, both), false, &[(1.0, 5.5), (0.0, 6.5)]);
        check(look(3.0, 12.25, both), false, &[(10.0, 5.25), (8.0, 7.25)]);
        check(look(4.0, 12.25, both), false, &[(11.0, 5.25), (4.0, 12.25)]);
        check(look(5.0, 12.25, both), false, &[(12.0, 5.25), (10.0, 7.25)]);
        // A match goes on.
        check(look(6.0, 12.25, both), true, &[]);
        check(look(7.0, 12.25, both), true, &[]);
        check(look(8.0, 12.25, both), true, &[(8.0, 12.25)]);
        check(look(9.0, 12.25, both), true, &[]);
        check(
            look(10.0, 12.25, both),
            false,
            &[(17.0, 5.25), (10.0, 12.25)],
        );
        check(look(11.0, 12.25, [true, false]), false, &[]);
        check(look(12.0, 12.25, [false, true]), true, &[]);
    }
}
