//! Where samples land on the time axis, and that both decoders agree.

use crate::support::{Files, LENGTH, RATE, lag, listen, listen_with, loud_from, watch};
use likeness_media::{Backend, DecodeOptions, Limits, decode_audio};
use std::ops::ControlFlow;

/// Formats that record the encoder's delay must place the sound exactly.
fn check_alignment(name: &str, arguments: &str) {
    let files = Files::new();
    let original = files.make("SOUND", "original.wav");
    let path = files.make(&format!("-i {{}}/original.wav {arguments}"), name);
    let (original, _) = listen(&original);
    let (samples, _) = listen(&path);
    let lag = lag(&original, &samples);
    assert!(lag.abs() < 0.001, "{name} {arguments}: lags by {lag} s");
}

#[test]
fn encoder_delay_is_compensated() {
    check_alignment("a.mp3", "-ac 2");
    check_alignment("b.mp3", "-ar 48000 -b:a 64k");
    check_alignment("c.mp3", "-ar 22050 -q:a 5");
    check_alignment("a.flac", "");
    check_alignment("a.ogg", "-c:a libvorbis");
    check_alignment("a.opus", "-c:a libopus");
    check_alignment("a.mka", "-c:a libopus");
    check_alignment("a.m4a", "-c:a aac");
    check_alignment("b.m4a", "-c:a alac");
    check_alignment("a.mov", "-c:a pcm_s16be");
    check_alignment("a.wv", "-c:a wavpack");
    check_alignment("a.webm", "-c:a libopus -ac 2");
}

fn check_backends(name: &str, arguments: &str, tolerance: f32) {
    let files = Files::new();
    let path = files.make(&format!("SOUND {arguments}"), name);
    let with = |backend| {
        let options = DecodeOptions {
            backend,
            ..DecodeOptions::default()
        };
        let (samples, result) = listen_with(&path, &options);
        assert_eq!(result.unwrap().backend, backend, "{name}");
        samples
    };
    let (ours, theirs) = (with(Backend::Symphonia), with(Backend::Ffmpeg));
    let lengths = (ours.len(), theirs.len());
    assert!(
        lengths.0.abs_diff(lengths.1) <= 1,
        "{name} {arguments}: {lengths:?} samples"
    );
    let pairs = ours.iter().zip(&theirs);
    let most = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(most <= tolerance, "{name} {arguments}: differ by {most}");
}

#[test]
fn both_backends_give_the_same_samples() {
    check_backends("a.wav", "", 0.0);
    check_backends("b.wav", "-c:a pcm_u8", 0.0);
    check_backends("c.wav", "-ac 6 -c:a pcm_s24le -ar 48000", 1e-6);
    check_backends("d.wav", "-c:a pcm_s32le -ar 16000", 1e-6);
    check_backends("e.wav", "-c:a pcm_f64le -ar 8000", 1e-6);
    check_backends("a.flac", "-ac 2", 0.0);
    check_backends("b.flac", "-sample_fmt s32 -ar 96000", 1e-6);
    // FFmpeg's decoder of MP3 and Vorbis rounds differently.
    check_backends("a.mp3", "-ac 2", 1e-4);
    check_backends("b.mp3", "-b:a 64k -ar 22050", 1e-4);
    check_backends("c.mp3", "-q:a 2 -joint_stereo 1 -ac 2 -ar 48000", 1e-4);
    check_backends("d.mp3", "-write_xing 0 -ac 2", 1e-4);
    check_backends("a.ogg", "-c:a libvorbis -ac 2", 1e-4);
    check_backends("b.ogg", "-c:a libvorbis -q:a 1 -ar 22050", 1e-4);
}

#[test]
fn the_mean_of_the_channels() {
    let files = Files::new();
    let mono = files.make("-f lavfi -i sine=f=440:d=1", "mono.wav");
    let left = "-f lavfi -i sine=f=440:d=1 -af pan=stereo|c0=c0|c1=0*c0";
    let stereo = files.make(left, "stereo.wav");
    let (mono, _) = listen(&mono);
    let (stereo, _) = listen(&stereo);
    for (m, s) in mono.iter().zip(&stereo) {
        assert!((m / 2.0 - s).abs() < 1e-4);
    }
}

#[test]
fn a_late_sound_begins_with_silence() {
    let files = Files::new();
    for (name, codecs) in [
        ("a.mp4", "-c:v mpeg4 -c:a aac"),
        ("a.mkv", "-c:v mpeg4 -c:a flac"),
        ("a.ts", "-c:v mpeg2video -c:a mp2"),
    ] {
        let arguments = format!("PICTURE -itsoffset 1.5 SOUND {codecs}");
        let path = files.make(&arguments, name);
        let (samples, decoded) = listen(&path);
        assert!(
            (decoded.duration - LENGTH - 1.5).abs() < 0.1,
            "{name}: {decoded:?}"
        );
        assert!(
            samples[..RATE as usize * 14 / 10].iter().all(|s| *s == 0.0),
            "{name}"
        );
        let onset = loud_from(&samples);
        assert!((onset - 3.5).abs() < 0.06, "{name}: loud from {onset}");
        assert!(watch(&path).0[0].time < 0.05, "{name}");
    }
}

#[test]
fn a_late_picture_keeps_its_place() {
    let files = Files::new();
    let path = files.make(
        "SOUND -itsoffset 1 PICTURE -vsync vfr -c:v mpeg4 -c:a aac",
        "a.mp4",
    );
    let (seen, _) = watch(&path);
    assert!((seen[0].time - 1.0).abs() < 0.01, "{}", seen[0].time);
    let (samples, _) = listen(&path);
    assert!((loud_from(&samples) - 2.0).abs() < 0.01);
}

#[test]
fn a_hole_is_filled_with_silence() {
    let files = Files::new();
    files.make("SOUND -c:a flac", "whole.mka");
    let drop = "noise=drop='between(n*4608/44100,0.5,1.5)'";
    let path = files.make(
        &format!("-i {{}}/whole.mka -c copy -bsf:a {drop}"),
        "hole.mka",
    );
    let (samples, decoded) = listen(&path);
    assert!((decoded.duration - LENGTH).abs() < 0.05, "{decoded:?}");
    let silent = samples.iter().filter(|s| **s == 0.0).count() as f64 / f64::from(RATE);
    assert!((0.8..1.2).contains(&silent), "{silent} s of silence");
    assert!((loud_from(&samples) - 2.0).abs() < 0.01);
}

#[test]
fn a_restarted_clock_goes_on() {
    let files = Files::new();
    let once = std::fs::read(files.make("SOUND -c:a mp2", "a.ts")).unwrap();
    let path = files.write("twice.ts", &[once.clone(), once].concat());
    let (_, decoded) = listen(&path);
    assert!((decoded.duration - 2.0 * LENGTH).abs() < 0.2, "{decoded:?}");
    assert_eq!(decoded.truncated, None);
}

#[test]
fn chained_ogg_is_read_to_its_end() {
    let files = Files::new();
    let once = std::fs::read(files.make("SOUND -c:a libvorbis", "a.ogg")).unwrap();
    let other = "SOUND -c:a libvorbis -q:a 2 -serial_offset 7";
    let other = std::fs::read(files.make(other, "b.ogg")).unwrap();
    let path = files.write("chain.ogg", &[once, other].concat());
    let (samples, decoded) = listen(&path);
    assert!((decoded.duration - 2.0 * LENGTH).abs() < 0.1, "{decoded:?}");
    let second = loud_from(&samples[(RATE as usize) * 4..]);
    assert!((second - 1.0).abs() < 0.05, "{second}");
}

#[test]
fn the_sink_may_stop() {
    let files = Files::new();
    for name in ["a.wav", "a.m4a"] {
        let path = files.make("SOUND", name);
        let mut calls = 0;
        let decoded = decode_audio(&path, RATE, &Limits::default(), &mut |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        assert_eq!((calls, decoded.unwrap().truncated), (1, None), "{name}");
    }
}
