//! Broken, hostile and missing files.

use crate::support::{Files, listen_with, watch_with};
use likeness_media::{Backend, DecodeOptions, Limits, MediaError, probe};
use std::path::Path;
use std::time::Duration;

fn codes(path: &Path, options: &DecodeOptions) -> (String, String) {
    let code = |result: Result<_, MediaError>| match result {
        Ok(_) => "ok".to_string(),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(path.to_str().unwrap()), "{message}");
            error.code().to_string()
        }
    };
    let audio = code(listen_with(path, options).1.map(|_| ()));
    (audio, code(watch_with(path, options).1.map(|_| ())))
}

fn check(path: &Path, audio: &str, video: &str) {
    let got = codes(path, &DecodeOptions::default());
    assert_eq!(
        (got.0.as_str(), got.1.as_str()),
        (audio, video),
        "{}",
        path.display()
    );
}

#[test]
fn what_is_not_media() {
    let files = Files::new();
    check(Path::new("/no/such/file.mp3"), "not_found", "not_found");
    check(std::env::temp_dir().as_path(), "not_a_file", "not_a_file");
    check(Path::new("/dev/null"), "not_a_file", "not_a_file");
    check(&files.write("empty.mp4", b""), "empty", "empty");
    let text = b"The quick brown fox jumps over the lazy dog.\n".repeat(200);
    for name in ["text.mp3", "text.mp4", "text.txt", "text.wav", "text"] {
        check(&files.write(name, &text), "not_media", "not_media");
    }
    let random: Vec<u8> = (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    check(
        &files.write("random.mp3", &random),
        "not_media",
        "not_media",
    );
    check(&files.write("magic.flac", b"fLaC"), "damaged", "damaged");
    let subtitles =
        b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nyou\n";
    check(&files.write("a.srt", subtitles), "not_media", "not_media");
    assert_eq!(probe(&files.path("a.srt")).unwrap_err().code(), "not_media");
}

#[test]
fn references_to_other_files_are_not_followed() {
    let files = Files::new();
    let wav = files.make("SOUND", "a.wav");
    let wav = wav.to_str().unwrap();
    let playlist =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:3,\n{wav}\n#EXT-X-ENDLIST\n");
    check(
        &files.write("list.mp3", playlist.as_bytes()),
        "not_media",
        "not_media",
    );
    let concat = format!("ffconcat version 1.0\nfile {wav}\n");
    check(
        &files.write("concat.mp3", concat.as_bytes()),
        "not_media",
        "not_media",
    );
}

#[test]
fn a_stream_that_is_not_there() {
    let files = Files::new();
    check(&files.make("SOUND", "a.wav"), "ok", "no_video");
    check(
        &files.make("SOUND -c:a libopus", "a.webm"),
        "ok",
        "no_video",
    );
    check(&files.make("PICTURE -c:v mpeg4", "a.mp4"), "no_audio", "ok");
    check(
        &files.make("PICTURE -frames:v 1", "a.png"),
        "no_audio",
        "ok",
    );
}

#[test]
#[cfg(unix)]
fn files_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new();
    let path = files.make("SOUND", "secret.wav");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything.
    let readable = std::fs::File::open(&path).is_ok();
    let code = if readable { "ok" } else { "unreadable" };
    check(
        &path,
        code,
        if readable { "no_video" } else { "unreadable" },
    );
}

#[test]
fn streams_of_zero_length() {
    let files = Files::new();
    let wav =
        std::fs::read(files.make("SOUND -map_metadata -1 -fflags +bitexact", "a.wav")).unwrap();
    let data = wav.windows(4).position(|w| w == b"data").unwrap();
    let mut header = wav[..data + 8].to_vec();
    header[data + 4..].fill(0);
    let path = files.write("zero.wav", &header);
    check(&path, "zero_length", "no_video");
    let options = DecodeOptions {
        backend: Backend::Ffmpeg,
        ..DecodeOptions::default()
    };
    assert_eq!(codes(&path, &options).0, "zero_length");
    // The sample table of each track emptied: sizes, times, chunks.
    let film = files.make("PICTURE SOUND -c:v mpeg4 -c:a aac", "a.mp4");
    let mut film = std::fs::read(film).unwrap();
    for (table, count_at) in [
        (b"stsz", 12),
        (b"stts", 8),
        (b"stsc", 8),
        (b"stco", 8),
        (b"stss", 8),
    ] {
        let places: Vec<usize> = (0..film.len() - 4)
            .filter(|i| &film[*i..i + 4] == table)
            .collect();
        for place in places {
            film[place + count_at..place + count_at + 4].fill(0);
        }
    }
    check(
        &files.write("zero.mp4", &film),
        "zero_length",
        "zero_length",
    );
}

/// Cuts a file of 10 s to a share of its bytes. `sentence`: whether truncation can be told.
fn check_cut(name: &str, arguments: &str, share: f64, sentence: bool) {
    let files = Files::new();
    let long =
        "-f lavfi -i testsrc2=size=160x120:rate=25:d=10 -f lavfi -i anoisesrc=d=10:color=pink";
    let bytes = std::fs::read(files.make(&format!("{long} {arguments}"), name)).unwrap();
    let cut = files.write(
        &format!("cut-{name}"),
        &bytes[..(bytes.len() as f64 * share) as usize],
    );
    let mut decodings = Vec::new();
    for backend in [Backend::Auto, Backend::Ffmpeg] {
        let options = DecodeOptions {
            backend,
            ..DecodeOptions::default()
        };
        decodings.push(("sound", listen_with(&cut, &options).1));
    }
    if arguments.contains("-c:v") {
        decodings.push(("picture", watch_with(&cut, &DecodeOptions::default()).1));
    }
    for (kind, result) in decodings {
        let decoded = result.unwrap_or_else(|e| panic!("{name} {kind}: {e}"));
        assert!(
            decoded.duration > 10.0 * share - 2.5,
            "{name} {kind}: {decoded:?}"
        );
        assert!(
            decoded.duration < 10.0 * share + 2.5,
            "{name} {kind}: {decoded:?}"
        );
        assert_eq!(
            decoded.truncated.is_some(),
            sentence,
            "{name} {kind}: {decoded:?}"
        );
    }
}

#[test]
fn truncated_files_give_what_they_have() {
    let h264 = "-c:v libx264 -preset ultrafast -g 25 -b:v 300k";
    check_cut(
        "a.mp4",
        &format!("{h264} -c:a aac -movflags +faststart"),
        0.5,
        true,
    );
    check_cut("a.mkv", &format!("{h264} -c:a aac"), 0.5, true);
    check_cut(
        "a.webm",
        "-c:v libvpx -deadline realtime -c:a libopus",
        0.5,
        true,
    );
    check_cut("a.avi", "-c:v mpeg4 -c:a libmp3lame", 0.5, true);
    check_cut("a.flac", "-map 1:a", 0.5, true);
    check_cut("a.wav", "-map 1:a", 0.5, true);
    // A little is told as well.
    check_cut("b.mkv", &format!("{h264} -c:a aac"), 0.85, true);
    check_cut("a.m4a", "-map 1:a -movflags +faststart", 0.85, true);
    check_cut("b.wav", "-map 1:a", 0.85, true);
    check_cut("a.mp3", "-map 1:a", 0.5, true);
    for codecs in ["libvorbis", "libopus", "flac"] {
        check_cut("a.ogg", &format!("-map 1:a -c:a {codecs}"), 0.5, true);
    }
    check_cut("a.ogv", "-c:v libtheora -c:a libvorbis", 0.5, true);
    let fragmented = format!("{h264} -c:a aac -movflags frag_keyframe+empty_moov");
    check_cut("fragmented.mp4", &fragmented, 0.5, true);
    // These do not say how long they should be.
    check_cut("b.mp3", "-map 1:a -write_xing 0", 0.5, false);
    check_cut("a.aac", "-map 1:a", 0.5, false);
    check_cut("a.ts", &format!("{h264} -c:a aac"), 0.5, false);
}

/// What must not be called truncated.
#[test]
fn whole_files_are_not_called_truncated() {
    let files = Files::new();
    let short_sound = "-f lavfi -i testsrc2=size=160x120:rate=25:d=10 -f lavfi -i sine=d=3";
    let short_picture = "-f lavfi -i testsrc2=size=160x120:rate=25:d=3 -f lavfi -i sine=d=10";
    for input in [short_sound, short_picture] {
        for (name, codecs) in [
            ("a.mp4", "-c:v mpeg4 -c:a aac"),
            (
                "fragmented.mp4",
                "-c:v mpeg4 -c:a aac -movflags frag_keyframe+empty_moov",
            ),
            ("a.mkv", "-c:v mpeg4 -c:a aac"),
            ("a.webm", "-c:v libvpx -deadline realtime -c:a libopus"),
            ("a.avi", "-c:v mpeg4 -c:a libmp3lame"),
            ("a.ts", "-c:v mpeg2video -c:a aac"),
            ("a.mpg", "-c:v mpeg2video -c:a mp2"),
            ("a.ogv", "-c:v libtheora -c:a libvorbis"),
            ("a.flv", "-c:v flv -c:a aac"),
        ] {
            let path = files.make(&format!("{input} {codecs}"), name);
            for result in [
                listen_with(&path, &DecodeOptions::default()).1,
                watch_with(&path, &DecodeOptions::default()).1,
            ] {
                assert_eq!(result.unwrap().truncated, None, "{name} {input}");
            }
        }
    }
    // Variable bit rate without a header: the length can only be guessed.
    let quiet = "-f lavfi -i aevalsrc='if(lt(t,8),random(0)-0.5,0)':d=40 -q:a 5 -write_xing 0";
    let path = files.make(quiet, "vbr.mp3");
    for backend in [Backend::Ffmpeg, Backend::Symphonia] {
        let options = DecodeOptions {
            backend,
            ..DecodeOptions::default()
        };
        assert_eq!(
            listen_with(&path, &options).1.unwrap().truncated,
            None,
            "{backend:?}"
        );
    }
}

#[test]
fn an_mp4_without_its_index_says_so() {
    let files = Files::new();
    let bytes = std::fs::read(files.make("PICTURE SOUND -c:v mpeg4 -c:a aac", "a.mp4")).unwrap();
    let path = files.write("cut.mp4", &bytes[..bytes.len() / 2]);
    check(&path, "damaged", "damaged");
    assert!(
        probe(&path)
            .unwrap_err()
            .to_string()
            .contains("incomplete MP4")
    );
}

#[test]
fn broken_pictures() {
    let files = Files::new();
    let source = "-f lavfi -i testsrc2=size=320x240:d=1 -frames:v 1";
    let jpeg = std::fs::read(files.make(source, "a.jpg")).unwrap();
    let png = std::fs::read(files.make(source, "a.png")).unwrap();
    // Half a JPEG picture can be shown.
    let half = files.write("half.jpg", &jpeg[..jpeg.len() / 2]);
    let (seen, result) = watch_with(&half, &DecodeOptions::default());
    assert_eq!(seen.len(), 1);
    assert!(result.unwrap().truncated.is_some());
    for (name, bytes) in [
        ("half.png", &png[..png.len() / 2]),
        ("stub.png", &png[..20]),
        ("stub.jpg", &jpeg[..20]),
    ] {
        check(&files.write(name, bytes), "no_audio", "undecodable");
    }
}

#[test]
fn limits_are_kept() {
    let files = Files::new();
    let film = files.make(
        "PICTURE SOUND -c:v libx264 -preset ultrafast -c:a aac",
        "a.mp4",
    );
    let raw = files.make("PICTURE -c:v libx264 -preset ultrafast", "a.h264");
    let picture = files.make("PICTURE -frames:v 1", "a.png");
    let sound = files.make("SOUND", "a.flac");
    let with = |limits: Limits, path: &Path| codes(path, &limits.into());
    let default = Limits::default();

    let few_pixels = Limits {
        max_pixels: 160 * 120 - 1,
        ..default
    };
    assert_eq!(with(few_pixels, &film).1, "limit");
    assert_eq!(with(few_pixels, &picture).1, "limit");
    assert_ne!(with(few_pixels, &raw).1, "ok");
    let just_enough = Limits {
        max_pixels: 160 * 120,
        ..default
    };
    assert_eq!(with(just_enough, &picture).1, "ok");

    let short = Limits {
        max_duration_s: 1.0,
        ..default
    };
    assert_eq!(
        with(short, &film),
        ("limit".to_string(), "limit".to_string())
    );
    assert_eq!(with(short, &raw).1, "limit");
    assert_eq!(with(short, &sound).0, "limit");

    let few_frames = Limits {
        max_frames: 5,
        ..default
    };
    assert_eq!(with(few_frames, &film).1, "limit");
    assert_eq!(with(few_frames, &picture).1, "ok");

    let hurried = Limits {
        timeout: Duration::ZERO,
        ..default
    };
    assert_eq!(
        with(hurried, &film),
        ("timeout".to_string(), "timeout".to_string())
    );
    assert_eq!(with(hurried, &sound).0, "timeout");
}

/// Deterministic noise in otherwise good files: any result will do, but there must be one soon,
/// without a panic, and within the limits.
#[test]
fn damaged_bytes_never_hang_or_panic() {
    let files = Files::new();
    let limits = Limits {
        timeout: Duration::from_secs(20),
        max_duration_s: 3600.0,
        ..Limits::default()
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (name, arguments) in [
        (
            "a.mp4",
            "PICTURE SOUND -c:v libx264 -preset ultrafast -c:a aac",
        ),
        (
            "a.mkv",
            "PICTURE SOUND -c:v libx265 -preset ultrafast -x265-params log-level=none -c:a libopus",
        ),
        (
            "a.webm",
            "PICTURE SOUND -c:v libvpx -deadline realtime -c:a libvorbis",
        ),
        ("a.avi", "PICTURE SOUND -c:v mpeg4 -c:a libmp3lame"),
        ("a.ts", "PICTURE SOUND -c:v mpeg2video -c:a ac3"),
        ("a.ogv", "PICTURE SOUND -c:v libtheora -c:a libvorbis"),
        ("a.wav", "SOUND"),
        ("a.flac", "SOUND"),
        ("a.mp3", "SOUND"),
        ("a.ogg", "SOUND -c:a libvorbis"),
        ("a.png", "PICTURE -frames:v 1"),
        ("a.jpg", "PICTURE -frames:v 1"),
    ] {
        let good = std::fs::read(files.make(arguments, name)).unwrap();
        for round in 0..24 {
            let mut bytes = good.clone();
            // Half of the rounds spoil the headers only.
            let span = if round % 2 == 0 {
                bytes.len().min(2000)
            } else {
                bytes.len()
            };
            for _ in 0..1 + random(20) {
                bytes[random(span)] = random(256) as u8;
            }
            let path = files.write(&format!("bad-{name}"), &bytes);
            let _ = listen_with(&path, &limits.into());
            let _ = watch_with(&path, &limits.into());
        }
    }
}
