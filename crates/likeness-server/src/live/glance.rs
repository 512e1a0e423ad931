//! What of a stream's last seconds is looked up, and how often.
//!
//! A copy that has just begun is a small part of a long window. What was shown before it casts votes,
//! and spoils the moving mean without which films are compared: its picture is found sooner among the
//! last seconds alone. What hardly moves needs the whole window. So the picture is looked up both ways,
//! the cheap one after every hop, the whole window after every other.

use likeness::Look;
use likeness::core::{Fingerprint, StreamState};

/// Divides looks into what is looked up.
pub(super) struct Glances {
    /// Seconds of picture that are looked up by themselves; up to one more.
    recent: f64,
    /// Whether the last look's picture was looked up whole.
    whole: bool,
}

impl Glances {
    pub(super) fn new(recent_s: f64) -> Glances {
        Glances {
            recent: recent_s,
            whole: false,
        }
    }

    /// What is looked up of a look; and what besides, if that shows no picture.
    pub(super) fn divide(&mut self, look: Look) -> (Look, Option<Look>) {
        let Some(recent) = self.recent(&look) else {
            return (look, None);
        };
        self.whole = !self.whole;
        let first = match self.whole {
            true => look,
            false => Look {
                fingerprint: Fingerprint {
                    video: StreamState::Skipped,
                    ..look.fingerprint
                },
                ..look
            },
        };
        (first, Some(recent))
    }

    /// The last seconds of the picture; `None` if there is no picture, or nothing before them.
    fn recent(&self, look: &Look) -> Option<Look> {
        let of = &look.fingerprint;
        let before = (of.duration - self.recent).floor();
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness::core::video::Thumbnails;
    use likeness::core::{Density, VideoFingerprint};

    fn look(start: f64, duration: f64, picture: bool) -> Look {
        let film = VideoFingerprint {
            duration,
            aspect: 1.5,
            density: Density::Query,
            keyframes: Vec::new(),
            thumbnails: Thumbnails::new(),
        };
        Look {
            start,
            fingerprint: Fingerprint {
                content: [0; 32],
                duration,
                density: Density::Query,
                audio: StreamState::TooShort,
                video: match picture {
                    true => StreamState::Analysed(film),
                    false => StreamState::Absent,
                },
            },
        }
    }

    #[test]
    fn pictures_are_looked_up_whole_every_other_time() {
        let mut glances = Glances::new(6.0);
        let mut check = |look: Look, whole: bool, recent: Option<(f64, f64)>| {
            let (first, second) = glances.divide(look.clone());
            assert_eq!(first == look, whole);
            assert_eq!(first.fingerprint.audio, look.fingerprint.audio);
            let second = second.map(|recent| {
                assert_eq!(recent.fingerprint.audio, StreamState::Skipped);
                let picture = recent
                    .fingerprint
                    .video
                    .analysed()
                    .map(|film| film.duration);
                assert_eq!(picture, Some(recent.fingerprint.duration));
                (recent.start, recent.fingerprint.duration)
            });
            assert_eq!(second, recent);
        };
        // There is nothing before the last seconds yet.
        check(look(0.0, 6.5, true), true, None);
        check(look(3.0, 12.25, true), true, Some((9.0, 6.25)));
        check(look(4.0, 12.25, true), false, Some((10.0, 6.25)));
        check(look(5.0, 12.25, true), true, Some((11.0, 6.25)));
        check(look(6.0, 12.25, false), true, None);
    }
}
