//! Every container with every codec that it commonly carries.

use crate::support::{Files, LENGTH, ONSET, Seen, listen, loud_from, watch};
use likeness_media::{Backend, probe};

/// `delay`: seconds of encoder delay that the format does not record, or not exactly.
fn check_film(name: &str, arguments: &str, codecs: (&str, &str), delay: f64) {
    let files = Files::new();
    let path = files.make(&format!("PICTURE SOUND {arguments}"), name);
    let info = probe(&path).unwrap();
    let found = (info.video.unwrap().codec, info.audio.unwrap().codec);
    assert_eq!(
        (found.0.as_str(), found.1.as_str()),
        codecs,
        "{name} {arguments}"
    );

    let (seen, video) = watch(&path);
    // Theora stores nothing for a picture that repeats.
    if codecs.0 == "theora" {
        assert!(seen.len() > 2, "{name}: {} frames", seen.len());
    } else {
        assert_eq!(seen.len(), 75, "{name} {arguments}: frames");
        check_steps(name, &seen);
    }
    assert_eq!(video.corrupt_packets, 0, "{name}");
    assert!((video.duration - LENGTH).abs() < 0.1, "{name}: {video:?}");
    assert!(seen[0].corners[0] > 200 && seen[0].corners[1..].iter().all(|c| *c < 150));
    let white = seen.iter().find(|s| s.is_white()).unwrap().time;
    assert!(
        (white - ONSET).abs() < 0.06,
        "{name} {arguments}: white at {white}"
    );

    let (samples, audio) = listen(&path);
    assert!((audio.duration - LENGTH).abs() < 0.1, "{name}: {audio:?}");
    assert_eq!((audio.truncated, video.truncated), (None, None), "{name}");
    let lag = loud_from(&samples) - white;
    // What FFmpeg's muxers do: Opus is 6.5 ms early in Matroska, pictures a frame late in AVI.
    let early = match name.ends_with("avi") {
        true => -0.045,
        false if arguments.ends_with("libopus") => -0.008,
        false => -0.004,
    };
    assert!(
        (early..delay + 0.004).contains(&lag),
        "{name} {arguments}: sound lags by {lag}"
    );
}

fn check_steps(name: &str, seen: &[Seen]) {
    // FFmpeg leaves the second frame of an AVI file empty.
    let most = if name.ends_with("avi") { 0.081 } else { 0.0421 };
    for pair in seen.windows(2) {
        let step = pair[1].time - pair[0].time;
        assert!(
            (0.0379..most).contains(&step),
            "{name}: {step} at {}",
            pair[0].time
        );
    }
}

#[test]
fn mp4_and_mov() {
    let h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    check_film("a.mp4", &format!("{h264} -c:a aac"), ("h264", "aac"), 0.0);
    check_film(
        "b.mov",
        &format!("{h264} -c:a pcm_s16le"),
        ("h264", "pcm_s16le"),
        0.0,
    );
    check_film(
        "c.mov",
        &format!("{h264} -bf 3 -c:a alac"),
        ("h264", "alac"),
        0.0,
    );
    let hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=none -c:a ac3";
    check_film("d.mp4", hevc, ("hevc", "ac3"), 0.01);
    check_film(
        "e.mp4",
        "-c:v mpeg4 -c:a libmp3lame",
        ("mpeg4", "mp3"),
        0.03,
    );
    check_film(
        "f.mp4",
        "-c:v libsvtav1 -preset 12 -c:a libopus",
        ("av1", "opus"),
        0.0,
    );
    check_film(
        "g.mp4",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -strict -2 -c:a flac",
        ("vp9", "flac"),
        0.0,
    );
}

#[test]
fn matroska_and_webm() {
    let h264 = "-c:v libx264 -preset ultrafast";
    check_film(
        "a.mkv",
        &format!("{h264} -c:a libmp3lame"),
        ("h264", "mp3"),
        0.03,
    );
    let ten_bit = "-pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params log-level=none";
    check_film(
        "b.mkv",
        &format!("{ten_bit} -c:a flac"),
        ("hevc", "flac"),
        0.0,
    );
    let vp8 = "-c:v libvpx -deadline realtime -cpu-used 8";
    check_film(
        "c.webm",
        &format!("{vp8} -c:a libvorbis"),
        ("vp8", "vorbis"),
        0.02,
    );
    let vp9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8";
    check_film(
        "d.webm",
        &format!("{vp9} -c:a libopus"),
        ("vp9", "opus"),
        0.01,
    );
    let av1 = "-c:v libaom-av1 -cpu-used 8 -usage realtime";
    check_film(
        "e.webm",
        &format!("{av1} -c:a libopus"),
        ("av1", "opus"),
        0.01,
    );
}

#[test]
fn older_containers() {
    let h264 = "-c:v libx264 -preset ultrafast";
    check_film(
        "a.avi",
        "-c:v mpeg4 -c:a libmp3lame",
        ("mpeg4", "mp3"),
        0.05,
    );
    check_film(
        "b.avi",
        &format!("{h264} -bf 0 -c:a ac3"),
        ("h264", "ac3"),
        0.05,
    );
    check_film("c.ts", &format!("{h264} -c:a aac"), ("h264", "aac"), 0.05);
    let hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
    check_film("d.ts", &format!("{hevc} -c:a ac3"), ("hevc", "ac3"), 0.05);
    check_film(
        "e.mpg",
        "-c:v mpeg2video -c:a mp2",
        ("mpeg2video", "mp2"),
        0.05,
    );
    check_film(
        "f.mpg",
        "-c:v mpeg1video -c:a mp2",
        ("mpeg1video", "mp2"),
        0.05,
    );
    check_film(
        "g.ogv",
        "-c:v libtheora -q:v 7 -c:a libvorbis",
        ("theora", "vorbis"),
        0.0,
    );
    check_film("h.flv", &format!("{h264} -c:a aac"), ("h264", "aac"), 0.05);
    check_film("i.wmv", "-c:v wmv2 -c:a wmav2", ("wmv2", "wmav2"), 0.1);
}

fn check_sound(name: &str, arguments: &str, codec: &str, backend: Backend) {
    let files = Files::new();
    let path = files.make(&format!("SOUND {arguments}"), name);
    let info = probe(&path).unwrap();
    assert_eq!(
        (info.audio.unwrap().codec.as_str(), info.video),
        (codec, None),
        "{name}"
    );
    let (_, decoded) = listen(&path);
    assert!(
        (decoded.duration - LENGTH).abs() < 0.08,
        "{name}: {decoded:?}"
    );
    assert_eq!(
        (decoded.backend, decoded.corrupt_packets),
        (backend, 0),
        "{name}"
    );
    assert_eq!(decoded.truncated, None, "{name}");
}

#[test]
fn sound_only() {
    let (symphonia, ffmpeg) = (Backend::Symphonia, Backend::Ffmpeg);
    check_sound("a.wav", "", "pcm_s16le", symphonia);
    check_sound("b.wav", "-ac 6 -c:a pcm_s24le", "pcm_s24le", symphonia);
    check_sound("c.wav", "-c:a pcm_f32le", "pcm_f32le", symphonia);
    check_sound("d.wav", "-c:a adpcm_ima_wav", "adpcm_ima_wav", ffmpeg);
    check_sound("a.flac", "-ac 2", "flac", symphonia);
    check_sound("a.mp3", "-ac 2", "mp3", symphonia);
    check_sound("b.mp3", "-ar 22050 -q:a 4", "mp3", symphonia);
    check_sound("a.ogg", "-c:a libvorbis", "vorbis", ffmpeg);
    check_sound("b.ogg", "-c:a flac", "flac", ffmpeg);
    check_sound("a.opus", "-c:a libopus", "opus", ffmpeg);
    check_sound("a.m4a", "-c:a aac", "aac", ffmpeg);
    check_sound("b.m4a", "-c:a alac", "alac", ffmpeg);
    check_sound("a.aac", "-c:a aac", "aac", ffmpeg);
    check_sound("a.ac3", "-c:a ac3 -ac 6", "ac3", ffmpeg);
    check_sound("a.mka", "-c:a libopus", "opus", ffmpeg);
    check_sound("a.wv", "-c:a wavpack", "wavpack", ffmpeg);
    check_sound("a.aiff", "", "pcm_s16be", ffmpeg);
    check_sound("a.wma", "-c:a wmav2", "wmav2", ffmpeg);
}
