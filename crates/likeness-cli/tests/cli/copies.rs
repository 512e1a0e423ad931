//! Copies are found, placed and named; unrelated works are not.

use crate::media;
use crate::sandbox::{LENGTH, Sandbox, shared};
use likeness_core::report::{DistortionKind, Match, Media};

/// Makes an upload of `from` with FFmpeg's `options` and returns what is found in it.
fn found(from: &str, options: &[&str], name: &str) -> Vec<Match> {
    let sandbox = Sandbox::with_library();
    media::ffmpeg(&shared(from), options, &sandbox.path(name));
    let ran = sandbox
        .run(&["match", "--format", "jsonl", name])
        .ends_in(0);
    let mut reports = ran.reports();
    assert_eq!(reports.len(), 1, "{ran:#?}");
    reports.remove(0).matches
}

#[track_caller]
fn check(found: &[Match], reference: &str, media: Media, disguise: &[(DistortionKind, f64)]) {
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (found[0].reference.as_str(), found[0].media),
        (reference, media)
    );
    let named: Vec<_> = found[0].distortions.iter().map(|d| d.kind).collect();
    let wanted: Vec<_> = disguise.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(named, wanted, "{found:#?}");
    for (distortion, (_, want)) in found[0].distortions.iter().zip(disguise) {
        if let Some(value) = distortion.value {
            assert!((value - want).abs() < 0.03, "{distortion:?}, not {want}");
        }
    }
}

#[test]
fn a_stretch_of_music_is_found_where_it_lies() {
    let found = found("references/one.mp3", &["-ss", "8", "-t", "15"], "up.ogg");
    check(&found, "one.mp3", Media::Audio, &[]);
    let segment = &found[0].segments[0];
    let offset = segment.reference_start - segment.query_start * segment.speed;
    assert!((offset - 8.0).abs() < 0.1, "{segment:?}");
    assert!(
        segment.query_end - segment.query_start > 10.0,
        "{segment:?}"
    );
}

#[test]
fn faster_music_is_measured() {
    let options = ["-af", "aresample=44100,asetrate=44100*1.05,aresample=44100"];
    let found = found("references/two.mp3", &options, "up.mp3");
    check(
        &found,
        "two.mp3",
        Media::Audio,
        &[(DistortionKind::Speed, 1.05)],
    );
}

#[test]
fn slower_music_at_its_pitch_is_measured() {
    let found = found("references/three.mp3", &["-af", "atempo=0.92"], "up.mp3");
    check(
        &found,
        "three.mp3",
        Media::Audio,
        &[(DistortionKind::Tempo, 0.92)],
    );
}

#[test]
fn a_film_is_found_where_it_lies() {
    let options = [
        "-ss",
        "10",
        "-t",
        "15",
        "-vf",
        "scale=256:192",
        "-crf",
        "30",
    ];
    let found = found("references/film/beta.mp4", &options, "up.mp4");
    check(&found, "film/beta.mp4", Media::Video, &[]);
    let segment = &found[0].segments[0];
    let offset = segment.reference_start - segment.query_start * segment.speed;
    assert!((offset - 10.0).abs() < 0.3, "{segment:?}");
}

#[test]
fn a_film_at_half_size_in_black_is_named() {
    let filter = "scale=iw/2:ih/2,pad=iw*2:ih*2:(ow-iw)/2:(oh-ih)/2";
    let found = found(
        "references/film/alpha.mp4",
        &["-t", "15", "-vf", filter],
        "up.mp4",
    );
    check(
        &found,
        "film/alpha.mp4",
        Media::Video,
        &[(DistortionKind::Border, 0.25)],
    );
}

#[test]
fn a_mirrored_film_is_named() {
    let found = found(
        "references/film/alpha.mp4",
        &["-t", "15", "-vf", "hflip"],
        "up.mkv",
    );
    check(
        &found,
        "film/alpha.mp4",
        Media::Video,
        &[(DistortionKind::Mirror, 0.0)],
    );
}

#[test]
fn sound_and_picture_are_found_independently() {
    let sandbox = Sandbox::with_library();
    sandbox.copy("both.mp4", "both.mp4");
    let check = |option: &str, want: &[(&str, Media)]| {
        let args = ["match", "both.mp4", "--format=jsonl", option];
        let reports = sandbox.run(&args).ends_in(0).reports();
        let found = reports[0]
            .matches
            .iter()
            .map(|m| (m.reference.as_str(), m.media));
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(reference, _)| reference.len());
        assert_eq!(found, want, "{option}");
    };
    let (sound, picture) = (("two.mp3", Media::Audio), ("film/alpha.mp4", Media::Video));
    check("--jobs=1", &[sound, picture]);
    check("--no-video", &[sound]);
    check("--no-audio", &[picture]);
}

#[test]
fn unrelated_works_are_not_claimed() {
    let sandbox = Sandbox::with_library();
    for name in ["stranger.mp3", "stranger.mp4"] {
        let path = shared(name);
        let ran = sandbox.run(&["match", "--format", "jsonl", path.to_str().unwrap()]);
        let reports = ran.ends_in(1).reports();
        assert_eq!(reports[0].matches, [], "{name}");
        assert!(
            reports[0]
                .duration
                .is_some_and(|d| d > 10.0 && d < LENGTH + 1.0)
        );
    }
}

#[test]
fn two_files_are_compared_without_a_library() {
    let sandbox = Sandbox::new();
    let (one, two) = (shared("references/one.mp3"), shared("references/two.mp3"));
    media::ffmpeg(&one, &["-ss", "5", "-t", "15"], &sandbox.path("up.flac"));
    let compare = |reference: &std::path::Path| {
        let reference = reference.to_str().unwrap();
        sandbox.run(&["compare", "--format", "jsonl", "up.flac", reference])
    };
    let reports = compare(&one).ends_in(0).reports();
    check(&reports[0].matches, "one.mp3", Media::Audio, &[]);
    compare(&two).ends_in(1);
    assert!(!sandbox.path("library").exists());
}

#[test]
fn fingerprint_files_serve_wherever_media_do() {
    let sandbox = Sandbox::new();
    media::ffmpeg(
        &shared("references/one.mp3"),
        &["-ss", "5", "-t", "15"],
        &sandbox.path("up.mp3"),
    );
    let fingerprint = |from: &str, to: &str| {
        sandbox.run(&["fingerprint", from, "-o", to]).ends_in(0);
    };
    fingerprint("up.mp3", "up.likeness");
    fingerprint(
        shared("references/one.mp3").to_str().unwrap(),
        "one.likeness",
    );

    let compared = sandbox.run(&["compare", "--format=jsonl", "up.likeness", "one.likeness"]);
    assert_eq!(compared.ends_in(0).reports()[0].matches.len(), 1);
    sandbox.run(&["add", "one.likeness"]).ends_in(0);
    for query in ["up.likeness", "up.mp3"] {
        let reports = sandbox
            .run(&["match", "--format=jsonl", query])
            .ends_in(0)
            .reports();
        check(&reports[0].matches, "one.likeness", Media::Audio, &[]);
    }
}

#[test]
fn a_still_picture_is_found_and_no_time_is_told() {
    let sandbox = Sandbox::with_library();
    let still = "trim=start_frame=30:end_frame=31,loop=-1:1,setpts=N/12/TB";
    let film = shared("references/film/alpha.mp4");
    media::ffmpeg(
        &film,
        &["-t", "12", "-vf", still],
        &sandbox.path("card.mp4"),
    );
    sandbox.run(&["add", "card.mp4"]).ends_in(0);
    let mirrored = format!("{still},hflip,scale=288:216");
    let options = ["-t", "13", "-vf", &mirrored, "-crf", "30"];
    media::ffmpeg(&film, &options, &sandbox.path("up.mp4"));
    let found = |status| {
        let ran = sandbox.run(&["match", "--format", "jsonl", "up.mp4"]);
        ran.ends_in(status).reports().remove(0).matches
    };
    let matches = found(0);
    let mirror = [(DistortionKind::Mirror, 0.0)];
    check(&matches, "card.mp4", Media::Video, &mirror);
    let [segment] = &matches[0].segments[..] else {
        panic!("{matches:#?}");
    };
    assert_eq!((segment.still, segment.speed), (Some(true), 1.0));
    assert_eq!((segment.query_start, segment.reference_start), (0.0, 0.0));
    // The picture stands for longer than the reference lasts.
    assert!((segment.query_end - 13.0).abs() < 0.3, "{segment:?}");
    assert!((segment.reference_end - 12.0).abs() < 0.3, "{segment:?}");
    let table = sandbox.run(&["match", "up.mp4"]).ends_in(0);
    assert!(table.stdout.contains("a still picture: at any time"));
    // All moments of it are alike, so that excluding any excludes it.
    sandbox.run(&["exclude", "card.mp4", "0", "1"]).ends_in(0);
    assert_eq!(found(1), []);
}
