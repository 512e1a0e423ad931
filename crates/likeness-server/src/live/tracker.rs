//! Joins what windows show into matches that start, grow and end.

use crate::proto::match_live_response::Event;
use crate::proto::{self, LiveEnded, LiveExtended, LiveStarted};
use likeness::core::report::{Match, Segment};

/// How far a segment may lie off the line of the match that it continues, reference seconds.
const TOLERANCE: f64 = 1.5;
/// Growth that is worth an event, seconds.
const GROWTH: f64 = 0.5;

/// The matches of one live stream.
pub(super) struct Tracker {
    quiet: f64,
    next: u64,
    position: f64,
    tracked: Vec<Tracked>,
}

struct Tracked {
    id: u64,
    /// What is known of it; one segment, in the stream's time.
    known: Match,
    segment: Segment,
    /// Query time of the end that was last told.
    told: f64,
    ended: bool,
}

impl Tracker {
    /// A match ends when nothing of it shows for `quiet` seconds.
    pub(super) fn new(quiet: f64) -> Tracker {
        Tracker {
            quiet,
            next: 1,
            position: 0.0,
            tracked: Vec::new(),
        }
    }

    /// Seconds of the stream that were looked at.
    pub(super) fn position(&self) -> f64 {
        self.position
    }

    /// A window from `start` to `end` seconds of the stream shows `matches`.
    pub(super) fn update(&mut self, start: f64, end: f64, matches: &[Match]) -> Vec<Event> {
        self.position = self.position.max(end);
        let mut events = Vec::new();
        for found in matches {
            for segment in &found.segments {
                let segment = Segment {
                    query_start: segment.query_start + start,
                    query_end: segment.query_end + start,
                    ..segment.clone()
                };
                events.extend(self.place(found, segment));
            }
        }
        for tracked in &mut self.tracked {
            if !tracked.ended && end - tracked.segment.query_end > self.quiet {
                events.push(tracked.end());
            }
        }
        // What no window will show again cannot be taken for something new.
        self.tracked
            .retain(|tracked| !tracked.ended || tracked.segment.query_end > start - TOLERANCE);
        events
    }

    /// Ends what has not ended.
    pub(super) fn close(&mut self) -> Vec<Event> {
        let open = self.tracked.iter_mut().filter(|tracked| !tracked.ended);
        open.map(Tracked::end).collect()
    }

    /// Adds a segment to the match that it continues, or starts one.
    fn place(&mut self, found: &Match, segment: Segment) -> Option<Event> {
        let continued = |tracked: &&mut Tracked| tracked.continues(found, &segment, self.quiet);
        if let Some(tracked) = self.tracked.iter_mut().find(continued) {
            return tracked.extend(found, &segment);
        }
        let tracked = Tracked {
            id: self.next,
            known: found.clone(),
            told: segment.query_end,
            segment,
            ended: false,
        };
        self.next += 1;
        let event = Event::Started(LiveStarted {
            match_id: tracked.id,
            r#match: Some(tracked.message()),
        });
        self.tracked.push(tracked);
        Some(event)
    }
}

impl Tracked {
    fn continues(&self, found: &Match, segment: &Segment, quiet: f64) -> bool {
        let (old, new) = (&self.segment, segment);
        // From the latest end, where the line is known best.
        let line = old.reference_end + (new.query_end - old.query_end) * new.speed;
        let off = (line - new.reference_end).abs();
        // An ended match does not come back; but windows go on showing it for a while.
        let reach = if self.ended { 0.0 } else { quiet };
        self.known.reference == found.reference
            && self.known.media == found.media
            && new.query_start <= old.query_end + reach
            && off <= TOLERANCE
    }

    fn extend(&mut self, found: &Match, new: &Segment) -> Option<Event> {
        if self.ended {
            return None;
        }
        let old = &mut self.segment;
        if new.query_start < old.query_start {
            (old.query_start, old.reference_start) = (new.query_start, new.reference_start);
        }
        if new.query_end > old.query_end {
            (old.query_end, old.reference_end) = (new.query_end, new.reference_end);
        }
        let (start, end) = (old.query_start, old.query_end);
        let (first, last) = (old.reference_start, old.reference_end);
        let speed = match end - start > 0.0 {
            true => (last - first) / (end - start),
            false => new.speed,
        };
        self.segment = Segment {
            query_start: start,
            query_end: end,
            reference_start: first,
            reference_end: last,
            speed,
            score: old.score.max(new.score),
            ..new.clone()
        };
        let score = self.known.score.max(found.score);
        self.known = Match {
            score,
            ..found.clone()
        };
        if end - self.told < GROWTH {
            return None;
        }
        self.told = end;
        Some(Event::Extended(LiveExtended {
            match_id: self.id,
            r#match: Some(self.message()),
        }))
    }

    fn end(&mut self) -> Event {
        self.ended = true;
        Event::Ended(LiveEnded {
            match_id: self.id,
            r#match: Some(self.message()),
        })
    }

    /// Shares of the whole are left out: a live stream has no whole.
    fn message(&self) -> proto::Match {
        let found = Match {
            segments: vec![self.segment.clone()],
            query_coverage: None,
            reference_coverage: None,
            ..self.known.clone()
        };
        found.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness::core::report::Media;

    /// A reference that shows in a window, from query time `start` to `end`, at `offset`.
    fn shows(reference: &str, start: f64, end: f64, offset: f64) -> Match {
        Match {
            reference: reference.to_owned(),
            media: Media::Audio,
            score: 0.9,
            false_positive_probability: None,
            query_coverage: Some(0.5),
            reference_coverage: None,
            segments: vec![Segment {
                query_start: start,
                query_end: end,
                reference_start: start + offset,
                reference_end: end + offset,
                speed: 1.0,
                score: 0.9,
                pitch_semitones: None,
                mirrored: None,
                rotation_degrees: None,
                reference_rect: None,
                query_rect: None,
            }],
            distortions: Vec::new(),
        }
    }

    /// Events as "started 1 5.0-8.0".
    fn text(events: &[Event]) -> Vec<String> {
        let line = |word: &str, id: u64, found: &Option<proto::Match>| {
            let segment = &found.as_ref().unwrap().segments[0];
            format!(
                "{word} {id} {:.1}-{:.1}",
                segment.query_start, segment.query_end
            )
        };
        let line = |event: &Event| match event {
            Event::Started(e) => line("started", e.match_id, &e.r#match),
            Event::Extended(e) => line("extended", e.match_id, &e.r#match),
            Event::Ended(e) => line("ended", e.match_id, &e.r#match),
            Event::Finished(_) => "finished".to_owned(),
        };
        events.iter().map(line).collect()
    }

    #[test]
    fn a_match_starts_grows_and_ends() {
        let mut tracker = Tracker::new(2.5);
        let mut check = |start: f64, end: f64, matches: &[Match], want: &[&str]| {
            assert_eq!(text(&tracker.update(start, end, matches)), want, "at {end}");
        };
        check(0.0, 6.0, &[], &[]);
        check(
            0.0,
            9.0,
            &[shows("a", 5.0, 8.8, 10.0)],
            &["started 1 5.0-8.8"],
        );
        check(0.0, 9.2, &[shows("a", 5.0, 9.0, 10.0)], &[]);
        // The window has moved on: it begins 4 s into the stream.
        check(
            4.0,
            12.0,
            &[shows("a", 0.0, 7.5, 15.0)],
            &["extended 1 4.0-11.5"],
        );
        check(4.0, 13.5, &[shows("a", 0.5, 7.5, 15.0)], &[]);
        check(
            4.0,
            15.0,
            &[shows("a", 0.5, 7.5, 15.0)],
            &["ended 1 4.0-11.5"],
        );
        // Windows go on showing it.
        check(8.0, 18.0, &[shows("a", 0.0, 3.5, 19.0)], &[]);
        check(12.5, 20.0, &[], &[]);
        check(
            14.0,
            22.0,
            &[shows("a", 4.0, 8.0, 10.0)],
            &["started 2 18.0-22.0"],
        );
    }

    #[test]
    fn other_places_and_other_references_are_other_matches() {
        let mut tracker = Tracker::new(2.5);
        let both = [shows("a", 0.0, 5.0, 0.0), shows("b", 0.0, 5.0, 0.0)];
        let events = tracker.update(0.0, 5.0, &both);
        assert_eq!(text(&events), ["started 1 0.0-5.0", "started 2 0.0-5.0"]);
        // The song starts over.
        let events = tracker.update(0.0, 7.0, &[shows("a", 3.0, 7.0, -3.0)]);
        assert_eq!(text(&events), ["started 3 3.0-7.0"]);
        let events = tracker.close();
        assert_eq!(events.len(), 3);
        assert_eq!(tracker.close(), []);
    }
}
