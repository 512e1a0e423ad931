//! Matching of synthetic music under synthetic disguises: found, measured, and nothing else found.

use likeness_audio::{AudioExtractor, postings};
use likeness_core::{AudioFingerprint, Density, Fingerprint, PcmBlock, ReferenceId, StreamState};
use likeness_index::MemoryStore;
use likeness_match::Found;
use likeness_match::audio::{AudioMatchConfig, match_audio};
use std::sync::LazyLock;

const RATE: f64 = 11_025.0;
const WORKS: u64 = 6;

#[derive(Clone, Copy)]
struct Note {
    start: f64,
    length: f64,
    hz: f64,
}

/// Notes drawn from a seed: two voices without a common beat.
fn notes(seed: u64, seconds: f64) -> Vec<Note> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut notes = Vec::new();
    for lowest in [220.0, 500.0] {
        let mut start = 0.0;
        while start < seconds {
            let hz = lowest * ((random() * 20.0).floor() / 12.0).exp2();
            let length = 0.3 + random() * 0.5;
            notes.push(Note { start, length, hz });
            start += 0.15 + random() * 0.35;
        }
    }
    notes
}

/// Plays `from..from + seconds * speed` of the notes at a speed and a pitch of their own.
fn play(notes: &[Note], from: f64, seconds: f64, speed: f64, pitch: f64) -> Vec<f32> {
    let mut samples = vec![0.0f32; (seconds * RATE) as usize];
    for note in notes {
        let start = (note.start - from) / speed;
        let hz = note.hz * (pitch / 12.0).exp2();
        let first = (start * RATE).ceil();
        let last = ((start + note.length / speed) * RATE).min(samples.len() as f64);
        let (first, last) = (first.max(0.0) as usize, last.max(0.0) as usize);
        for (i, sample) in samples.iter_mut().enumerate().take(last).skip(first) {
            let t = i as f64 / RATE - start;
            let tone =
                |n: i32| (std::f64::consts::TAU * hz * f64::from(n) * t).sin() / f64::from(n);
            *sample += ((1..6).map(tone).sum::<f64>() * (-t * speed * 4.0).exp() * 0.1) as f32;
        }
    }
    samples
}

fn extract(samples: &[f32], density: Density) -> AudioFingerprint {
    let mut extractor = AudioExtractor::new(density);
    extractor.push(PcmBlock::mono(samples));
    match extractor.finish() {
        StreamState::Analysed(fingerprint) => fingerprint,
        other => panic!("{other:?}"),
    }
}

static LIBRARY: LazyLock<MemoryStore> = LazyLock::new(|| {
    let works = 0..WORKS;
    library_of(works.map(|seed| play(&notes(seed, 60.0), 0.0, 60.0, 1.0, 0.0)))
});

fn library_of(works: impl Iterator<Item = Vec<f32>>) -> MemoryStore {
    let mut store = MemoryStore::default();
    for (number, samples) in (0..).zip(works) {
        let audio = extract(&samples, Density::Reference);
        let found = postings(&audio, ReferenceId(number));
        let fingerprint = Fingerprint {
            content: [number as u8; 32],
            duration: audio.duration,
            density: Density::Reference,
            audio: StreamState::Analysed(audio),
            video: StreamState::Absent,
        };
        store.add(fingerprint, [found, Vec::new(), Vec::new()]);
    }
    store
}

fn find(samples: &[f32]) -> Vec<Found> {
    find_in(&LIBRARY, samples)
}

fn find_in(store: &MemoryStore, samples: &[f32]) -> Vec<Found> {
    let query = extract(samples, Density::Query);
    match_audio(&query, store, None, 1e-6, &AudioMatchConfig::default())
        .expect("memory does not fail")
}

#[test]
fn disguised_copies_are_found_and_measured() {
    let check = |work: u64, from: f64, speed: f64, pitch: f64| {
        let what = format!("{work} {from} {speed} {pitch}");
        let found = find(&play(&notes(work, 60.0), from, 15.0, speed, pitch));
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert_eq!(found[0].reference, ReferenceId(work as u32), "{what}");
        let segment = &found[0].segments[0];
        assert!(
            (segment.speed / speed - 1.0).abs() < 0.002,
            "{what}: {segment:?}"
        );
        assert!(
            (segment.pitch_semitones.unwrap() - pitch).abs() < 0.05,
            "{what}: {segment:?}"
        );
        let expected = from + segment.query_start * speed;
        assert!(
            (segment.reference_start - expected).abs() < 0.05,
            "{what}: {segment:?}"
        );
        assert!(
            segment.query_end - segment.query_start > 13.0,
            "{what}: {segment:?}"
        );
    };
    check(0, 20.0, 1.0, 0.0);
    check(1, 0.0, 1.05, 0.845);
    check(2, 31.0, 0.95, -0.888);
    check(3, 10.0, 1.12, 0.0);
    check(4, 10.0, 1.0, 3.0);
    check(5, 7.0, 0.8, 4.0);
    check(0, 2.0, 1.35, -5.5);
    check(1, 40.0, 0.72, 5.8);
}

#[test]
fn unrelated_music_is_not_found() {
    for seed in 100..108 {
        let found = find(&play(&notes(seed, 20.0), 0.0, 20.0, 1.0, 0.0));
        assert!(found.is_empty(), "{seed}: {found:?}");
    }
}

#[test]
fn an_excerpt_inside_something_else_has_its_ends_found() {
    let mut samples = play(&notes(200, 20.0), 0.0, 17.0, 1.0, 0.0);
    samples.extend(play(&notes(2, 60.0), 25.0, 12.0, 1.04, 0.679));
    samples.extend(play(&notes(201, 20.0), 0.0, 16.0, 1.0, 0.0));
    let found = find(&samples);
    assert_eq!(found.len(), 1, "{found:?}");
    let [segment] = &found[0].segments[..] else {
        panic!("{found:?}");
    };
    assert!((segment.query_start - 17.0).abs() < 1.0, "{segment:?}");
    assert!((segment.query_end - 29.0).abs() < 1.0, "{segment:?}");
    assert!((segment.reference_start - 25.0).abs() < 1.2, "{segment:?}");
}

#[test]
fn a_medley_gives_each_work_and_each_place_its_segment() {
    let mut samples = play(&notes(3, 60.0), 5.0, 14.0, 1.0, 0.0);
    samples.extend(play(&notes(4, 60.0), 30.0, 14.0, 1.0, 2.0));
    samples.extend(play(&notes(3, 60.0), 40.0, 14.0, 1.1, 0.0));
    let mut found = find(&samples);
    found.sort_by_key(|f| f.reference);
    let places: Vec<(u32, Vec<f64>)> = found
        .iter()
        .map(|f| {
            (
                f.reference.0,
                f.segments.iter().map(|s| s.query_start.round()).collect(),
            )
        })
        .collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert_eq!((places[0].0, places[0].1.len()), (3, 2), "{places:?}");
    assert_eq!((places[1].0, places[1].1.len()), (4, 1), "{places:?}");
}

/// As many versions of one song as fill all of a window's hypotheses.
#[test]
fn many_versions_of_a_song_do_not_hide_another_work() {
    let other = play(&notes(1, 40.0), 0.0, 40.0, 1.0, 0.0);
    let version = |i: u32| play(&notes(2, 40.0), 0.0, 40.0, 1.0 + f64::from(i) * 1e-4, 0.0);
    let store = library_of([other].into_iter().chain((0..40).map(version)));
    let mut samples = play(&notes(2, 40.0), 12.0, 10.0, 1.0, 0.0);
    samples.extend(play(&notes(1, 40.0), 20.0, 4.0, 1.0, 0.0));
    let found = find_in(&store, &samples);
    assert!(found.len() > 20, "{}", found.len());
    let other = found.iter().find(|f| f.reference == ReferenceId(0));
    let segment = &other.expect("the other work").segments[0];
    assert!((segment.query_start - 10.0).abs() < 1.0, "{segment:?}");
}

#[test]
fn a_whole_work_is_one_segment() {
    let found = find(&play(&notes(5, 60.0), 0.0, 60.0, 1.0, 0.0));
    assert_eq!(found[0].segments.len(), 1, "{found:?}");
    assert!(found[0].segments[0].query_end - found[0].segments[0].query_start > 58.0);
}
