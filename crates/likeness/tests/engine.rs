//! The engine end to end on sounds that the tests make themselves.

// Helpers outside of test functions fail by panicking, too.
#![allow(clippy::unwrap_used)]

use likeness::core::report::{AudioState, MatchReport, Media, Status, VideoState};
use likeness::core::{Density, Fingerprint};
use likeness::{
    AddEvent, AddOptions, AddSummary, ExtractOptions, Input, Library, LibraryError, LibraryWriter,
    MatchOptions, collect_inputs, compare, fingerprint_file,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const RATE: u32 = 11_025;

/// A made-up tune: `seed` chooses the notes, `seconds` from `start` are played.
fn tune(seed: u32, start: f64, seconds: f64) -> Vec<i16> {
    let note = |i: u32| {
        let hash = blake3_u32(seed, i);
        (
            220.0 * 2f64.powf(f64::from(hash % 36) / 12.0),
            0.15 + f64::from(hash >> 8 & 3) * 0.08,
        )
    };
    let mut notes = Vec::new();
    let mut at = 0.0;
    for i in 0.. {
        let (frequency, length) = note(i);
        notes.push((at, frequency));
        at += length;
        if at > start + seconds {
            break;
        }
    }
    let sample = |n: u32| {
        let time = start + f64::from(n) / f64::from(RATE);
        let last = notes.partition_point(|(at, _)| *at <= time);
        let ringing = notes[last.saturating_sub(4)..last]
            .iter()
            .map(|(at, frequency)| {
                let (age, phase) = (time - at, std::f64::consts::TAU * frequency * (time - at));
                (-4.0 * age).exp()
                    * (phase.sin() + 0.5 * (2.0 * phase).sin() + 0.3 * (3.0 * phase).sin())
            });
        (ringing.sum::<f64>() * 6000.0) as i16
    };
    (0..(seconds * f64::from(RATE)) as u32)
        .map(sample)
        .collect()
}

fn blake3_u32(seed: u32, i: u32) -> u32 {
    let hash = blake3::hash(&[seed.to_le_bytes(), i.to_le_bytes()].concat());
    u32::from_le_bytes(hash.as_bytes()[..4].try_into().unwrap())
}

fn write_wav(path: &Path, samples: &[i16]) {
    write_channels(path, samples, 1);
}

/// Writes interleaved samples.
fn write_channels(path: &Path, samples: &[i16], channels: u8) {
    let data = 2 * samples.len() as u32;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    let frame = 2 * channels;
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend_from_slice(&[channels, 0]);
    bytes.extend_from_slice(&RATE.to_le_bytes());
    bytes.extend_from_slice(&(u32::from(frame) * RATE).to_le_bytes());
    bytes.extend_from_slice(&[frame, 0, 16, 0]);
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    samples
        .iter()
        .for_each(|s| bytes.extend_from_slice(&s.to_le_bytes()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A place for one test: files, and a library.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn library(&self) -> PathBuf {
        self.at("library")
    }

    fn tune(&self, name: &str, seed: u32) -> PathBuf {
        write_wav(&self.at(name), &tune(seed, 0.0, 40.0));
        self.at(name)
    }

    /// Adds paths; the summary, and one line per event that ends a file.
    fn add(&self, paths: &[PathBuf]) -> (AddSummary, Vec<String>) {
        let collected = collect_inputs(paths);
        assert!(collected.errors.is_empty(), "{:?}", collected.errors);
        let lines = Mutex::new(Vec::new());
        let name = |input: usize| collected.inputs[input].identifier.clone();
        let events = |event: AddEvent<'_>| {
            let line = match event {
                AddEvent::Added {
                    input, replaced, ..
                } => format!("added {} {replaced}", name(input)),
                AddEvent::AlreadyThere { input, identifier } => {
                    format!("there {} {identifier}", name(input))
                }
                AddEvent::Skipped { input, .. } => format!("skipped {}", name(input)),
                AddEvent::Failed { input, error } => {
                    format!("failed {} {} {error}", name(input), error.code())
                }
                AddEvent::Started { .. } | AddEvent::Progress { .. } => return,
            };
            lines.lock().unwrap().push(line);
        };
        let mut writer = LibraryWriter::open_or_create(&self.library()).unwrap();
        let summary = writer
            .add(&collected.inputs, &AddOptions::default(), &events)
            .unwrap();
        let mut lines = lines.into_inner().unwrap();
        lines.sort();
        (summary, lines)
    }

    fn matches(&self, path: &Path) -> MatchReport {
        let library = Library::open(&self.library()).unwrap();
        library.match_file(&Input::file(path), &MatchOptions::default(), &|_| {})
    }
}

fn identifiers(library: &Path) -> Vec<String> {
    let library = Library::open(library).unwrap();
    let mut all: Vec<String> = library.references().map(|r| r.identifier).collect();
    all.sort();
    all
}

#[test]
fn an_excerpt_is_found_and_a_stranger_is_not() {
    let place = Place::new();
    for seed in 0..6 {
        place.tune(&format!("songs/{seed}.wav"), seed);
    }
    let (summary, _) = place.add(&[place.at("songs")]);
    assert_eq!((summary.added, summary.failed), (6, 0));

    write_wav(&place.at("query.wav"), &tune(3, 12.0, 15.0));
    let report = place.matches(&place.at("query.wav"));
    assert_eq!(report.status, Status::Ok, "{:?}", report.error);
    assert_eq!(report.audio, Some(AudioState::Analysed));
    assert_eq!(report.video, Some(VideoState::Absent));
    assert_eq!(report.matches.len(), 1, "{:?}", report.matches);
    let found = &report.matches[0];
    assert_eq!(
        (found.reference.as_str(), found.media),
        ("3.wav", Media::Audio)
    );
    let segment = &found.segments[0];
    assert!(
        (segment.reference_start - segment.query_start - 12.0).abs() < 0.1,
        "{segment:?}"
    );
    assert!((segment.speed - 1.0).abs() < 0.005, "{segment:?}");
    assert!(found.query_coverage.unwrap() > 0.7);

    write_wav(&place.at("stranger.wav"), &tune(99, 0.0, 15.0));
    let report = place.matches(&place.at("stranger.wav"));
    assert!(report.matches.is_empty(), "{:?}", report.matches);

    let options = MatchOptions::default();
    let pair = compare(
        &place.at("query.wav"),
        &place.at("songs/3.wav"),
        &options,
        &|_| {},
    );
    assert_eq!(pair.matches.len(), 1, "{pair:?}");
    let pair = compare(
        &place.at("query.wav"),
        &place.at("songs/4.wav"),
        &options,
        &|_| {},
    );
    assert!(pair.matches.is_empty(), "{pair:?}");
}

/// Channels in antiphase are silence once they are added up.
#[test]
fn antiphase_hides_neither_a_query_nor_a_reference() {
    let place = Place::new();
    let antiphase = |name: &str, samples: &[i16]| {
        let both: Vec<i16> = samples.iter().flat_map(|&s| [s, -s]).collect();
        write_channels(&place.at(name), &both, 2);
        place.at(name)
    };
    let first = place.tune("plain.wav", 1);
    let second = antiphase("turned.wav", &tune(2, 0.0, 40.0));
    place.add(&[first, second]);
    let check = |query: &Path, reference: &str| {
        let report = place.matches(query);
        let found: Vec<&str> = report.matches.iter().map(|m| &*m.reference).collect();
        assert_eq!(found, [reference]);
    };
    check(&antiphase("query.wav", &tune(1, 10.0, 15.0)), "plain.wav");
    let plain = place.at("plain query.wav");
    write_wav(&plain, &tune(2, 10.0, 15.0));
    check(&plain, "turned.wav");
}

/// Any metronome is another one at some speed; that is no copy.
#[test]
fn metronomes_are_no_copies_of_each_other() {
    let place = Place::new();
    let metronome = |beats_per_minute: f64| {
        let click = |n: u32| {
            let age = f64::from(n) / f64::from(RATE) % (60.0 / beats_per_minute);
            (f64::sin(std::f64::consts::TAU * 1200.0 * age) * (-80.0 * age).exp() * 20_000.0) as i16
        };
        let path = place.at(&format!("{beats_per_minute}.wav"));
        write_wav(&path, &(0..20 * RATE).map(click).collect::<Vec<i16>>());
        path
    };
    place.add(&[metronome(120.0)]);
    for pace in [90.0, 100.0, 140.0] {
        let report = place.matches(&metronome(pace));
        assert_eq!(report.audio, Some(AudioState::Analysed));
        assert!(report.matches.is_empty(), "{pace}: {:?}", report.matches);
    }
}

/// A voice: what is heard so many seconds after a step began, and its number.
type Voice = fn(f64, usize) -> f64;

fn tone(semitones: i32, age: f64) -> f64 {
    let hertz = 261.6 * f64::from(semitones).div_euclid(12.0).exp2();
    let hertz = hertz * (f64::from(semitones).rem_euclid(12.0) / 12.0).exp2();
    let partial =
        |h: i32| f64::sin(std::f64::consts::TAU * hertz * f64::from(h) * age) / f64::from(h);
    (1..5).map(partial).sum::<f64>() * (-3.0 * age).exp()
}

fn hiss(age: f64, salt: u64) -> f64 {
    let sample = (age * f64::from(RATE)) as u64 + salt * 7919;
    let mixed = (sample.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ sample << 7)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// What a machine plays in strict time from a few notes or drums is like whatever another machine
/// plays so, at some speed.
#[test]
fn scales_arpeggios_and_drum_machines_are_no_copies_at_another_pace() {
    let voices: [(&str, Voice); 4] = [
        ("scale", |age, step| {
            tone(
                [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2][step % 14],
                age,
            )
        }),
        ("chromatic", |age, step| tone(step as i32 % 25, age)),
        ("arpeggio", |age, step| {
            tone([0, 4, 7, 12][step % 4] + [0, 5, 7, 0][step / 8 % 4], age)
        }),
        ("drums", |age, step| {
            let hat = (hiss(age, 2) - hiss((age - 1.0 / f64::from(RATE)).max(0.0), 2))
                * (-60.0 * age).exp();
            let kick = f64::sin(std::f64::consts::TAU * (60.0 * age - 8.0 * (-30.0 * age).exp()))
                * (-12.0 * age).exp();
            let snare = hiss(age, 1) * (-18.0 * age).exp();
            0.5 * hat + [kick, 0.0, snare, 0.0][step % 4]
        }),
    ];
    let place = Place::new();
    let play = |name: &str, voice: Voice, beats_per_minute: f64| {
        let length = 30.0 / beats_per_minute;
        let sample = |n: u32| {
            let time = f64::from(n) / f64::from(RATE);
            let step = (time / length) as usize;
            let ring = |back: usize| voice(time - (step - back) as f64 * length, step - back);
            ((0..=step.min(2)).map(ring).sum::<f64>() * 6_000.0) as i16
        };
        let path = place.at(&format!("{name}-{beats_per_minute}.wav"));
        write_wav(&path, &(0..20 * RATE).map(sample).collect::<Vec<i16>>());
        path
    };
    let references: Vec<PathBuf> = voices
        .iter()
        .map(|&(name, voice)| play(name, voice, 120.0))
        .collect();
    place.add(&references);
    for (name, voice) in voices {
        for pace in [90.0, 100.0, 150.0] {
            let report = place.matches(&play(name, voice, pace));
            assert_eq!(report.audio, Some(AudioState::Analysed));
            assert!(
                report.matches.is_empty(),
                "{name} {pace}: {:?}",
                report.matches
            );
        }
        let report = place.matches(&place.at(&format!("{name}-120.wav")));
        let found = report.matches.first().map(|found| found.reference.clone());
        assert_eq!(found, Some(format!("{name}-120.wav")));
    }
}

#[test]
fn adding_twice_changes_nothing_and_new_content_replaces() {
    let place = Place::new();
    let songs = [place.at("songs")];
    place.tune("songs/a.wav", 1);
    place.tune("songs/sub/b.wav", 2);
    assert_eq!(
        place.add(&songs).1,
        ["added a.wav false", "added sub/b.wav false"]
    );
    assert_eq!(
        place.add(&songs).1,
        ["there a.wav a.wav", "there sub/b.wav sub/b.wav"]
    );
    // The same content under another name is there already, too.
    fs::copy(place.at("songs/a.wav"), place.at("copy.wav")).unwrap();
    assert_eq!(
        place.add(&[place.at("copy.wav")]).1,
        ["there copy.wav a.wav"]
    );
    place.tune("songs/a.wav", 3);
    assert_eq!(
        place.add(&songs).1,
        ["added a.wav true", "there sub/b.wav sub/b.wav"]
    );
    assert_eq!(identifiers(&place.library()), ["a.wav", "sub/b.wav"]);

    let mut writer = LibraryWriter::open(&place.library()).unwrap();
    assert_eq!(writer.remove(&["a.wav", "nobody"]).unwrap(), ["a.wav"]);
    writer.compact().unwrap();
    drop(writer);
    assert_eq!(identifiers(&place.library()), ["sub/b.wav"]);
    let stats = Library::open(&place.library()).unwrap().stats();
    assert_eq!((stats.references, stats.removed, stats.files), (1, 0, 1));
    assert!((stats.duration - 40.0).abs() < 0.1);
}

#[test]
fn two_files_of_one_name_do_not_replace_each_other() {
    let place = Place::new();
    let (a, b) = (place.tune("a/x.wav", 1), place.tune("b/x.wav", 2));
    let (summary, lines) = place.add(&[a.clone(), b.clone()]);
    assert_eq!((summary.added, summary.failed), (1, 1));
    assert_eq!(lines[0], "added x.wav false");
    assert!(
        lines[1].starts_with("failed x.wav same_identifier"),
        "{}",
        lines[1]
    );
    fs::copy(a, &b).unwrap();
    assert_eq!(place.add(&[place.at("a"), b]).0.already_there, 2);
}

#[test]
fn bad_files_do_not_stop_the_others() {
    let place = Place::new();
    place.tune("d/good.wav", 1);
    fs::write(place.at("d/empty.wav"), b"").unwrap();
    fs::write(
        place.at("d/text.mp3"),
        b"This is text, not music. ".repeat(50),
    )
    .unwrap();
    write_wav(&place.at("d/silent.wav"), &vec![0; RATE as usize * 10]);
    write_wav(&place.at("d/short.wav"), &tune(1, 0.0, 0.3));
    fs::write(
        place.at("d/bad.fingerprint"),
        b"LIKENESS\x01\0\0\0 and no more",
    )
    .unwrap();
    let (summary, lines) = place.add(&[place.at("d"), place.at("missing.wav")][..1]);
    assert_eq!((summary.added, summary.failed), (1, 5), "{lines:?}");
    let failed = |name: &str, code: &str| {
        let start = format!("failed {name} {code}");
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with(&start) && l.contains(place.0.path().to_str().unwrap())),
            "{start}: {lines:?}"
        );
    };
    failed("empty.wav", "empty");
    failed("text.mp3", "not_media");
    failed("silent.wav", "nothing_to_find");
    failed("short.wav", "nothing_to_find");
    failed("bad.fingerprint", "damaged");

    for (name, code) in [
        ("d/empty.wav", "empty"),
        ("missing.wav", "not_found"),
        ("d", "not_a_file"),
    ] {
        let report = place.matches(&place.at(name));
        assert_eq!(report.status, Status::Error);
        assert_eq!(report.error.unwrap().code, code);
    }
    let report = place.matches(&place.at("d/silent.wav"));
    assert_eq!(
        (report.status, report.audio),
        (Status::Ok, Some(AudioState::Silent))
    );
    let report = place.matches(&place.at("d/short.wav"));
    assert_eq!(
        (report.status, report.audio),
        (Status::Ok, Some(AudioState::TooShort))
    );
}

#[test]
fn a_fingerprint_file_stands_for_its_media() {
    let place = Place::new();
    let song = place.tune("song.wav", 5);
    let dense = |path: &Path| -> Fingerprint {
        let options = ExtractOptions::default();
        fingerprint_file(path, Density::Query, &options, &|_| {})
            .unwrap()
            .fingerprint
    };
    fs::write(place.at("song.print"), dense(&song).encode()).unwrap();
    assert_eq!(place.add(&[place.at("song.print")]).0.added, 1);
    // It is the content of the media file that counts.
    assert_eq!(
        place.add(std::slice::from_ref(&song)).1,
        ["there song.wav song.print"]
    );

    write_wav(&place.at("query.wav"), &tune(5, 8.0, 15.0));
    fs::write(
        place.at("query.print"),
        dense(&place.at("query.wav")).encode(),
    )
    .unwrap();
    let mut by_print = place.matches(&place.at("query.print"));
    let by_media = place.matches(&place.at("query.wav"));
    by_print.query.clone_from(&by_media.query);
    assert_eq!(by_print, by_media);
    assert_eq!(by_media.matches.len(), 1);

    // What add stores is what thinning out the dense fingerprint gives.
    let sparse = fingerprint_file(
        &song,
        Density::Reference,
        &ExtractOptions::default(),
        &|_| {},
    );
    assert_eq!(sparse.unwrap().fingerprint, dense(&song).to_reference());
    fs::write(
        place.at("sparse.print"),
        dense(&song).to_reference().encode(),
    )
    .unwrap();
    let report = place.matches(&place.at("sparse.print"));
    assert_eq!(report.error.unwrap().code, "sparse_fingerprint");
}

#[test]
fn a_truncated_file_is_used_and_still_an_error() {
    let place = Place::new();
    let song = place.tune("song.wav", 7);
    place.add(std::slice::from_ref(&song));
    let bytes = fs::read(&song).unwrap();
    fs::write(place.at("cut.wav"), &bytes[..bytes.len() / 2]).unwrap();
    let report = place.matches(&place.at("cut.wav"));
    assert_eq!(report.status, Status::Error);
    assert_eq!(report.error.as_ref().unwrap().code, "truncated");
    assert_eq!(report.matches.len(), 1, "{report:?}");
    let (summary, lines) = place.add(&[place.at("cut.wav")]);
    assert_eq!(summary.failed, 1);
    assert!(
        lines[0].starts_with("failed cut.wav truncated"),
        "{lines:?}"
    );
}

#[test]
fn a_damaged_library_is_refused() {
    let place = Place::new();
    place.add(&[place.tune("song.wav", 1)]);
    let run = place.library().join("runs/00000000.run");
    let mut bytes = fs::read(&run).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&run, bytes).unwrap();
    let error = Library::open(&place.library()).unwrap_err();
    assert!(matches!(&error, LibraryError::Store(_)));
    assert!(error.to_string().contains(run.to_str().unwrap()), "{error}");
    let checks = Library::verify(&place.library()).unwrap();
    let bad: Vec<_> = checks
        .iter()
        .filter(|check| check.error.is_some())
        .collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0].path, run);
}

#[test]
fn still_images_are_skipped_or_refused() {
    // A PNG of one grey pixel.
    const PNG: &[u8] = &[
        0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0,
        0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A',
        b'T', 0x78, 0x9c, 0x63, 0xf8, 0x0f, 0, 1, 1, 1, 0, 0x1b, 0xb6, 0xee, 0x56, 0, 0, 0, 0,
        b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
    ];
    let place = Place::new();
    place.tune("d/song.wav", 1);
    fs::write(place.at("d/cover.png"), PNG).unwrap();
    // A picture that calls itself a film.
    fs::write(place.at("d/film.mp4"), PNG).unwrap();
    let (summary, lines) = place.add(&[place.at("d")]);
    assert_eq!((summary.added, summary.skipped), (1, 1), "{lines:?}");
    let (summary, lines) = place.add(&[place.at("d/cover.png")]);
    assert_eq!(summary.failed, 1);
    assert!(
        lines[0].starts_with("failed cover.png still_image"),
        "{lines:?}"
    );
    let report = place.matches(&place.at("d/cover.png"));
    assert_eq!(
        (report.status, report.video),
        (Status::Ok, Some(VideoState::TooShort)),
        "{report:?}"
    );
    assert!(report.matches.is_empty());
}

/// Both decoders lead to the same landmarks: all of them where the codec is lossless, nearly all
/// where the decoders may round differently.
#[test]
fn both_backends_lead_to_the_same_landmarks() {
    use likeness_media::{Backend, DecodeOptions, decode_audio_with};
    let landmarks = |path: &Path, backend: Backend| {
        let options = DecodeOptions {
            backend,
            ..DecodeOptions::default()
        };
        let mut extractor = likeness_audio::AudioExtractor::new(Density::Reference);
        let rate = likeness_audio::AudioConfig::default().sample_rate;
        decode_audio_with(path, rate, &options, &mut |samples| {
            extractor.push(samples);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        let fingerprint = extractor.finish();
        let fingerprint = fingerprint
            .analysed()
            .expect("a tune is neither short nor silent");
        likeness_audio::postings(fingerprint, likeness::core::ReferenceId(0))
    };
    let place = Place::new();
    let wav = place.at("tune.wav");
    write_wav(&wav, &tune(7, 0.0, 20.0));
    let check = |name: &str, least: f64| {
        let path = place.at(name);
        if path != wav {
            let status = std::process::Command::new("ffmpeg")
                .args(["-v", "error", "-y", "-i"])
                .args([&wav, &path])
                .status()
                .unwrap();
            assert!(status.success(), "{name}");
        }
        let ours = landmarks(&path, Backend::Symphonia);
        let theirs: std::collections::HashSet<_> =
            landmarks(&path, Backend::Ffmpeg).into_iter().collect();
        let shared = ours.iter().filter(|p| theirs.contains(p)).count();
        assert!(!ours.is_empty(), "{name}");
        let share = shared as f64 / ours.len().max(theirs.len()) as f64;
        assert!(
            share >= least,
            "{name}: {share:.3} of the landmarks are shared"
        );
    };
    check("tune.wav", 1.0);
    check("tune.flac", 1.0);
    check("tune.mp3", 0.97);
}
