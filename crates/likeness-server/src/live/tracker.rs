//! Joins what windows show into matches that start, grow and end.

use crate::proto::match_live_response::Event;
use crate::proto::{self, LiveEnded, LiveExtended, LiveStarted};
use likeness::Going;
use likeness::core::report::{Match, Media, Segment};

/// How far a segment may lie off the line of the match that it continues, reference seconds.
const TOLERANCE: f64 = 1.5;
/// Growth that is worth an event, seconds.
const GROWTH: f64 = 0.5;
/// Seconds after a copy's end that must have been seen for the end to be believed where it is earlier
/// than was thought: the last moments of a window look more alike than they are.
const BEYOND: f64 = 1.5;

/// The matches of one live stream.
pub(super) struct Tracker {
    quiet: f64,
    alone: f64,
    next: u64,
    position: f64,
    tracked: Vec<Tracked>,
}

struct Tracked {
    id: u64,
    /// What is known of it; one segment, in the stream's time.
    known: Match,
    segment: Segment,
    /// The latest ends, query and reference time, that the last window showed, and any window did.
    seen: Option<(f64, f64)>,
    shown: (f64, f64),
    /// Query time of the end that was last told.
    told: f64,
    ended: bool,
}

impl Tracker {
    /// A match ends when nothing of it shows for `quiet` seconds, or when its pictures stop being alike;
    /// for so long as `alone` seconds, alike pictures alone keep it going.
    pub(super) fn new(quiet: f64, alone: f64) -> Tracker {
        Tracker {
            quiet,
            alone,
            next: 1,
            position: 0.0,
            tracked: Vec::new(),
        }
    }

    /// Seconds of the stream that were looked at.
    pub(super) fn position(&self) -> f64 {
        self.position
    }

    /// The matches of picture that have not ended.
    pub(super) fn pictures(&self) -> impl Iterator<Item = (u64, Match)> {
        let open = self.tracked.iter().filter(|tracked| !tracked.ended);
        let pictures = open.filter(|tracked| tracked.known.media == Media::Video);
        pictures.map(|tracked| (tracked.id, tracked.whole()))
    }

    /// A window from `start` to `end` seconds of the stream shows `matches`, whose query times are
    /// the stream's; so are those at which known matches of picture are seen to be `going`.
    pub(super) fn update(
        &mut self,
        start: f64,
        end: f64,
        matches: &[Match],
        going: &[(u64, Going)],
    ) -> Vec<Event> {
        self.position = self.position.max(end);
        self.tracked
            .iter_mut()
            .for_each(|tracked| tracked.seen = None);
        // Of a picture that stands still every window shows the whole reference from its start on.
        let parts = matches.iter().flat_map(|found| {
            let moving = found.segments.iter().filter(|s| s.still != Some(true));
            moving.map(move |segment| (found, segment))
        });
        // What goes on as before comes first, so that the rest is compared with all that is known.
        let (mut events, mut rest) = (Vec::new(), Vec::new());
        for (found, segment) in parts {
            match self.go_on(found, segment) {
                Some(event) => events.extend(event),
                None => rest.push((found, segment)),
            }
        }
        for (found, segment) in rest {
            events.extend(self.place(found, segment));
        }
        for tracked in self.tracked.iter_mut().filter(|tracked| !tracked.ended) {
            let going = going.iter().find(|(id, _)| *id == tracked.id);
            match going.map_or(Going::Unclear, |(_, going)| *going) {
                Going::On(until) if until - tracked.shown.0 <= self.alone => {
                    events.extend(tracked.reach(until));
                    continue;
                }
                // What stands still in both looks alike for ever.
                Going::On(_) => {
                    tracked.end_at(tracked.shown);
                    events.push(tracked.end());
                    continue;
                }
                Going::Over(until) if !tracked.shows_after(until) => {
                    // How far the window seemed to show it is not worth telling.
                    let id = tracked.id;
                    events.retain(|event| !matches!(event, Event::Extended(e) if e.match_id == id));
                    tracked.end_at((until, tracked.line(until)));
                    events.push(tracked.end());
                    continue;
                }
                Going::Over(_) | Going::Unclear => {}
            }
            // What ends earlier than was thought may be found again by the next window.
            let moved = tracked.correct_end(end);
            if !moved && end - tracked.segment.query_end > self.quiet {
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

    /// Adds a segment to the match that it continues; `None` if it continues none.
    fn go_on(&mut self, found: &Match, segment: &Segment) -> Option<Option<Event>> {
        let continued = |tracked: &&mut Tracked| tracked.continues(found, segment, self.quiet);
        let tracked = self.tracked.iter_mut().find(continued)?;
        Some(tracked.extend(found, segment))
    }

    /// A segment that continues nothing is another view of a match that plays at the same time, as a
    /// loop gives many, or it starts a match.
    fn place(&mut self, found: &Match, segment: &Segment) -> Option<Event> {
        let same_time = |tracked: &&mut Tracked| tracked.plays_while(found, segment);
        if let Some(tracked) = self.tracked.iter_mut().find(same_time) {
            return tracked.see_otherwise(found, segment);
        }
        let tracked = Tracked {
            id: self.next,
            known: found.clone(),
            told: segment.query_end,
            segment: segment.clone(),
            seen: Some((segment.query_end, segment.reference_end)),
            shown: (segment.query_end, segment.reference_end),
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

    /// Whether a segment shows this very reference for most of the time that is known of either.
    fn plays_while(&self, found: &Match, new: &Segment) -> bool {
        let old = &self.segment;
        let common = old.query_end.min(new.query_end) - old.query_start.max(new.query_start);
        let length = |segment: &Segment| segment.query_end - segment.query_start;
        self.known.reference == found.reference
            && self.known.media == found.media
            && common > length(old).min(length(new)) / 2.0
    }

    /// Where another place of the reference explains more of the stream, it takes the known one's.
    fn see_otherwise(&mut self, found: &Match, new: &Segment) -> Option<Event> {
        if self.ended || new.query_end <= self.segment.query_end + TOLERANCE {
            return None;
        }
        let query_start = self.segment.query_start.min(new.query_start);
        let before = (new.query_start - query_start) * new.speed;
        self.segment = Segment {
            query_start,
            reference_start: (new.reference_start - before).max(0.0),
            ..new.clone()
        };
        self.extend(found, new)
    }

    fn extend(&mut self, found: &Match, new: &Segment) -> Option<Event> {
        if self.ended {
            return None;
        }
        if self.seen.is_none_or(|(query, _)| query < new.query_end) {
            self.seen = Some((new.query_end, new.reference_end));
        }
        let old = &mut self.segment;
        if new.query_start < old.query_start {
            (old.query_start, old.reference_start) = (new.query_start, new.reference_start);
        }
        // Of the newest window the line is known best.
        old.reference_end = new.reference_end + (old.query_end - new.query_end) * new.speed;
        if new.query_end > old.query_end {
            (old.query_end, old.reference_end) = (new.query_end, new.reference_end);
        }
        if new.query_end > self.shown.0 {
            self.shown = (new.query_end, new.reference_end);
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
        self.grown()
    }

    /// The event that tells of growth, if there was enough since the last.
    fn grown(&mut self) -> Option<Event> {
        let end = self.segment.query_end;
        if end - self.told < GROWTH {
            return None;
        }
        self.told = end;
        Some(Event::Extended(LiveExtended {
            match_id: self.id,
            r#match: Some(self.message()),
        }))
    }

    /// The reference time at a query time, as the segment goes.
    fn line(&self, query: f64) -> f64 {
        let segment = &self.segment;
        segment.reference_end + (query - segment.query_end) * segment.speed
    }

    /// The pictures are alike up to a time.
    fn reach(&mut self, until: f64) -> Option<Event> {
        if until > self.segment.query_end {
            self.end_at((until, self.line(until)));
        }
        self.grown()
    }

    fn end_at(&mut self, (query, reference): (f64, f64)) {
        let segment = &mut self.segment;
        segment.query_end = query.max(segment.query_start);
        segment.reference_end = reference.max(segment.reference_start);
    }

    /// Whether the last window shows it well after a time.
    fn shows_after(&self, time: f64) -> bool {
        self.seen.is_some_and(|(query, _)| query > time + BEYOND)
    }

    /// Moves the end to where a window up to `end` shows it, if that is earlier by what is worth an
    /// event and the window shows enough of what comes after; tells whether it did.
    fn correct_end(&mut self, end: f64) -> bool {
        let earlier = self.segment.query_end - GROWTH;
        let seen = self
            .seen
            .filter(|(query, _)| *query < earlier && query + BEYOND < end);
        if let Some((query, reference)) = seen {
            (self.segment.query_end, self.segment.reference_end) = (query, reference);
        }
        seen.is_some()
    }

    fn end(&mut self) -> Event {
        self.ended = true;
        Event::Ended(LiveEnded {
            match_id: self.id,
            r#match: Some(self.message()),
        })
    }

    /// What is known. Shares of the whole are left out: a live stream has no whole.
    fn whole(&self) -> Match {
        Match {
            segments: vec![self.segment.clone()],
            query_coverage: None,
            reference_coverage: None,
            ..self.known.clone()
        }
    }

    fn message(&self) -> proto::Match {
        self.whole().into()
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
                still: None,
            }],
            distortions: Vec::new(),
        }
    }

    /// Matches of a window that begins at `start`, in the stream's time.
    fn later(matches: &[Match], start: f64) -> Vec<Match> {
        let mut matches = matches.to_vec();
        for segment in matches.iter_mut().flat_map(|found| &mut found.segments) {
            segment.query_start += start;
            segment.query_end += start;
        }
        matches
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
    fn of_a_still_picture_nothing_is_told() {
        let check = |still: Option<bool>, want: &[&str]| {
            let mut found = shows("a", 5.0, 8.8, 10.0);
            found.segments[0].still = still;
            let events = Tracker::new(2.5, 12.0).update(0.0, 9.0, &[found], &[]);
            assert_eq!(text(&events), want, "{still:?}");
        };
        check(Some(true), &[]);
        check(None, &["started 1 5.0-8.8"]);
    }

    #[test]
    fn a_match_starts_grows_and_ends() {
        let mut tracker = Tracker::new(2.5, 12.0);
        let mut check = |start: f64, end: f64, matches: &[Match], want: &[&str]| {
            let matches = later(matches, start);
            assert_eq!(
                text(&tracker.update(start, end, &matches, &[])),
                want,
                "at {end}"
            );
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
        let mut tracker = Tracker::new(2.5, 12.0);
        let both = [shows("a", 0.0, 5.0, 0.0), shows("b", 0.0, 5.0, 0.0)];
        let events = tracker.update(0.0, 5.0, &both, &[]);
        assert_eq!(text(&events), ["started 1 0.0-5.0", "started 2 0.0-5.0"]);
        // The song starts over.
        let events = tracker.update(0.0, 7.0, &[shows("a", 3.0, 7.0, -3.0)], &[]);
        assert_eq!(text(&events), ["started 3 3.0-7.0"]);
        let events = tracker.close();
        assert_eq!(events.len(), 3);
        assert_eq!(tracker.close(), []);
    }

    #[test]
    fn an_end_is_known_better_afterwards() {
        let mut tracker = Tracker::new(2.5, 12.0);
        let mut check = |end: f64, shown_to: f64, want: &[&str]| {
            let events = tracker.update(0.0, end, &[shows("a", 1.0, shown_to, 10.0)], &[]);
            assert_eq!(text(&events), want, "at {end}");
        };
        check(9.0, 9.0, &["started 1 1.0-9.0"]);
        check(10.0, 10.0, &["extended 1 1.0-10.0"]);
        // A moment that is hard to tell; then it shows again.
        check(11.0, 8.0, &[]);
        check(12.0, 11.0, &["extended 1 1.0-11.0"]);
        // It ended at 9.5.
        check(13.0, 9.5, &[]);
        check(14.0, 9.5, &["ended 1 1.0-9.5"]);
    }

    #[test]
    fn alike_pictures_keep_a_match_going() {
        let film = |from: f64, to: f64| Match {
            media: Media::Video,
            ..shows("a", from, to, 10.0)
        };
        let mut tracker = Tracker::new(2.5, 12.0);
        let mut check = |end: f64, shown: &[Match], going: Going, want: &[&str]| {
            let events = tracker.update(0.0, end, shown, &[(1, going)]);
            assert_eq!(text(&events), want, "at {end}");
        };
        check(
            6.0,
            &[film(1.0, 6.0)],
            Going::Unclear,
            &["started 1 1.0-6.0"],
        );
        check(7.0, &[], Going::On(6.9), &["extended 1 1.0-6.9"]);
        check(
            8.0,
            &[film(1.0, 7.2)],
            Going::On(7.9),
            &["extended 1 1.0-7.9"],
        );
        // A picture of its stretch is covered for a while, but the look-up shows what comes after.
        check(
            10.0,
            &[film(1.0, 9.9)],
            Going::Over(8.1),
            &["extended 1 1.0-9.9"],
        );
        // It ends, though the window seems to show a little more.
        check(
            11.0,
            &[film(1.0, 10.6)],
            Going::Over(9.5),
            &["ended 1 1.0-9.5"],
        );
        check(12.0, &[film(1.0, 10.6)], Going::Unclear, &[]);
        check(13.0, &[], Going::Unclear, &[]);
        assert_eq!(tracker.pictures().count(), 0);
    }

    #[test]
    fn alike_pictures_alone_keep_it_for_a_while_only() {
        let film = Match {
            media: Media::Video,
            ..shows("a", 1.0, 6.0, 10.0)
        };
        let mut tracker = Tracker::new(2.5, 12.0);
        let mut events = tracker.update(0.0, 6.0, &[film], &[]);
        for end in 7..30 {
            let end = f64::from(end);
            events = tracker.update(end - 12.0, end, &[], &[(1, Going::On(end))]);
            if !text(&events)[0].starts_with("extended") {
                break;
            }
        }
        // Nothing but likeness spoke for the rest.
        assert_eq!(text(&events), ["ended 1 1.0-6.0"]);
        assert_eq!(tracker.position(), 19.0);
    }

    #[test]
    fn a_loop_is_one_match() {
        let mut tracker = Tracker::new(2.5, 12.0);
        let mut check = |end: f64, matches: &[Match], want: &[&str]| {
            let events = tracker.update(0.0, end, matches, &[]);
            assert_eq!(text(&events), want, "at {end}");
        };
        // The same four seconds again and again, found at three places of the reference at once.
        let found = |end: f64| [0.0, 4.0, 8.0].map(|offset| shows("a", 1.0, end, offset));
        check(6.0, &found(6.0), &["started 1 1.0-6.0"]);
        check(7.0, &found(7.0), &["extended 1 1.0-7.0"]);
        // At the first place it can no longer be: the reference ends there.
        check(9.0, &found(9.0)[1..], &["extended 1 1.0-9.0"]);
        check(10.0, &found(10.0)[..2], &["extended 1 1.0-10.0"]);
        // What is played later is another match, even of the same place.
        check(13.0, &[], &["ended 1 1.0-10.0"]);
        let again = shows("a", 14.0, 18.0, -13.0);
        check(18.0, &[again], &["started 2 14.0-18.0"]);
    }
}
