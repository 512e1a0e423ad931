//! Frames: their times, their shape, and which way is up.

use crate::support::{Files, PICTURE, Seen, watch, watch_with};
use likeness_media::{DecodeOptions, MediaError, probe};
use std::path::Path;

const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

fn check_times(path: &Path, times: &[f64], tolerance: f64) {
    let (seen, _) = watch(path);
    let got: Vec<f64> = seen.iter().map(|s| s.time).collect();
    assert_eq!(got.len(), times.len(), "{}: {got:?}", path.display());
    for (g, t) in got.iter().zip(times) {
        assert!((g - t).abs() <= tolerance, "{}: {got:?}", path.display());
    }
}

#[test]
fn variable_frame_rate() {
    let files = Files::new();
    // 5 frames a second, then 25.
    let keep = "select='gte(n,50)+not(mod(n,5))'";
    let slow = (0..10).map(|i| f64::from(i) / 5.0);
    let times: Vec<f64> = slow.chain((50..75).map(|i| f64::from(i) / 25.0)).collect();
    for (name, codec) in [
        ("a.mp4", H264),
        ("a.mkv", H264),
        ("a.webm", "-c:v libvpx -deadline realtime"),
    ] {
        let path = files.make(&format!("PICTURE -vf {keep} -vsync vfr {codec}"), name);
        check_times(&path, &times, 0.001);
    }
}

#[test]
fn missing_time_stamps_follow_the_frame_rate() {
    let files = Files::new();
    let times: Vec<f64> = (0..75).map(|i| f64::from(i) / 25.0).collect();
    for (name, arguments) in [
        ("a.h264", H264),
        ("b.h264", "-c:v libx264 -bf 3"),
        ("a.m4v", "-c:v mpeg4"),
        ("a.avi", "-c:v libx264 -bf 0 -preset ultrafast"),
    ] {
        check_times(
            &files.make(&format!("PICTURE {arguments}"), name),
            &times,
            0.0411,
        );
    }
}

#[test]
fn broken_time_stamps_are_repaired() {
    let files = Files::new();
    files.make(&format!("PICTURE {H264} -bf 0"), "whole.mkv");
    let times: Vec<f64> = (0..75).map(|i| f64::from(i) / 25.0).collect();
    for glitch in ["PTS+400/TB", "PTS+4/TB"] {
        let bsf = format!("setts=pts='if(eq(N,30),{glitch},PTS)'");
        let path = files.make(
            &format!("-i {{}}/whole.mkv -c copy -bsf:v {bsf}"),
            "glitch.mkv",
        );
        check_times(&path, &times, 0.0411);
    }
}

#[test]
fn time_stamps_that_stand_still_follow_the_frame_rate() {
    let files = Files::new();
    files.make(&format!("PICTURE {H264} -bf 0"), "whole.mp4");
    let times: Vec<f64> = (0..75).map(|i| f64::from(i) / 25.0).collect();
    let copy = "-i {}/whole.mp4 -c copy -bsf:v setts=pts=0:dts=0";
    check_times(&files.make(copy, "still.mkv"), &times, 0.0411);
}

#[test]
fn a_restarted_clock_and_a_new_size() {
    let files = Files::new();
    let first = std::fs::read(files.make(&format!("PICTURE {H264}"), "a.ts")).unwrap();
    let small = files.make(&format!("PICTURE -vf scale=96:64 {H264}"), "b.ts");
    let both = [first, std::fs::read(small).unwrap()].concat();
    let (seen, decoded) = watch(&files.write("both.ts", &both));
    assert!(seen.len() >= 148, "{} frames", seen.len());
    assert!((decoded.duration - 6.0).abs() < 0.2, "{decoded:?}");
    let sizes = |s: &Seen| (s.width, s.height);
    assert_eq!(sizes(&seen[0]), (160, 120));
    assert_eq!(sizes(seen.last().unwrap()), (96, 64));
}

#[test]
fn a_new_size_where_luma_must_be_converted() {
    let files = Files::new();
    let ten_bit = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le";
    let first = std::fs::read(files.make(&format!("PICTURE {ten_bit}"), "a.ts")).unwrap();
    let small = files.make(&format!("PICTURE -vf scale=96:64 {ten_bit}"), "b.ts");
    let both = [first, std::fs::read(small).unwrap()].concat();
    let (seen, _) = watch(&files.write("both.ts", &both));
    let last = seen.last().unwrap();
    assert_eq!((last.width, last.height), (96, 64));
    assert!(last.is_white());
}

/// Luma must be the same however a format stores it.
#[test]
fn luma_does_not_depend_on_the_pixel_format() {
    let files = Files::new();
    for (name, arguments, tolerance) in [
        ("a.mkv", "-c:v ffv1 -pix_fmt yuv420p", 0),
        ("b.mkv", "-c:v ffv1 -pix_fmt yuv444p", 1),
        ("c.mkv", "-c:v ffv1 -pix_fmt yuv422p10le", 1),
        ("d.mkv", "-c:v ffv1 -pix_fmt yuv420p16le", 1),
        ("e.mkv", "-c:v ffv1 -pix_fmt bgra", 3),
        ("f.mov", "-c:v rawvideo -pix_fmt rgb24", 3),
        ("g.mov", "-c:v rawvideo -pix_fmt uyvy422", 1),
        ("h.avi", "-c:v rawvideo -pix_fmt bgr24", 3),
        ("i.mkv", "-c:v rawvideo -pix_fmt nv12", 1),
    ] {
        let path = files.make(&format!("PICTURE -frames:v 2 {arguments}"), name);
        let corners = watch(&path).0[0].corners;
        let expected = [235, 126, 126, 126];
        for (c, e) in corners.iter().zip(expected) {
            assert!(
                c.abs_diff(e) <= tolerance + 1,
                "{name} {arguments}: {corners:?}"
            );
        }
    }
}

/// `mark`: the corner (as in [`Seen::corners`]) where the mark is shown.
fn check_orientation(path: &Path, size: (usize, usize), mark: usize) {
    let (seen, _) = watch(path);
    let name = path.display();
    assert_eq!((seen[0].width, seen[0].height), size, "{name}");
    for (i, corner) in seen[0].corners.iter().enumerate() {
        assert_eq!(*corner > 200, i == mark, "{name}: {:?}", seen[0].corners);
    }
    let video = probe(path).unwrap().video.unwrap();
    assert_eq!(
        (video.width as usize, video.height as usize),
        size,
        "{name}"
    );
}

/// Rewrites the display matrix in an MP4 file's only track header.
fn set_matrix(
    files: &Files,
    path: &Path,
    name: &str,
    [a, b, c, d]: [i32; 4],
) -> std::path::PathBuf {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes.windows(4).position(|w| w == b"tkhd").unwrap();
    // Version 0: the matrix follows 40 bytes of other fields.
    let matrix = header + 4 + 40;
    let entries = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30];
    for (i, entry) in entries.iter().enumerate() {
        bytes[matrix + 4 * i..][..4].copy_from_slice(&entry.to_be_bytes());
    }
    files.write(name, &bytes)
}

#[test]
fn rotation_and_mirroring() {
    let files = Files::new();
    let plain = files.make(&format!("PICTURE {H264}"), "plain.mp4");
    check_orientation(&plain, (160, 120), 0);
    let check = |name, matrix, size, mark| {
        check_orientation(&set_matrix(&files, &plain, name, matrix), size, mark);
    };
    check("cw.mp4", [0, 1, -1, 0], (120, 160), 1);
    check("half.mp4", [-1, 0, 0, -1], (160, 120), 3);
    check("ccw.mp4", [0, -1, 1, 0], (120, 160), 2);
    check("mirror.mp4", [-1, 0, 0, 1], (160, 120), 1);
    check("flip.mp4", [1, 0, 0, -1], (160, 120), 2);
    check("transposed.mp4", [0, 1, 1, 0], (120, 160), 0);
    // As FFmpeg itself writes it: anticlockwise.
    let turned = files.make(
        "-i {}/plain.mp4 -c copy -metadata:s:v rotate=90",
        "rotate.mp4",
    );
    check_orientation(&turned, (120, 160), 2);
}

#[test]
fn anamorphic_pixels() {
    let files = Files::new();
    for name in ["a.mp4", "a.mkv", "a.mpg"] {
        let codec = if name == "a.mpg" {
            "-c:v mpeg2video -aspect 16:9"
        } else {
            H264
        };
        let path = files.make(&format!("PICTURE -vf setsar=4/3 {codec}"), name);
        let (seen, _) = watch(&path);
        assert!(
            (seen[3].pixel_aspect - 4.0 / 3.0).abs() < 0.01,
            "{name}: {}",
            seen[3].pixel_aspect
        );
    }
    let path = files.make(&format!("PICTURE -vf setsar=4/3 {H264}"), "b.mp4");
    let turned = set_matrix(&files, &path, "c.mp4", [0, 1, -1, 0]);
    assert!((watch(&turned).0[0].pixel_aspect - 0.75).abs() < 0.01);
}

#[test]
fn threads_do_not_change_the_frames() {
    let files = Files::new();
    let path = files.make(&format!("PICTURE {H264} -bf 3"), "a.mp4");
    let (one, _) = watch(&path);
    for threads in [0, 3] {
        let options = DecodeOptions {
            threads,
            ..DecodeOptions::default()
        };
        assert_eq!(watch_with(&path, &options).0, one);
    }
}

#[test]
fn still_pictures_are_one_frame() {
    let files = Files::new();
    for name in ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tiff"] {
        let path = files.make("PICTURE -frames:v 1", name);
        let (seen, decoded) = watch(&path);
        assert_eq!(
            (seen.len(), seen[0].time, seen[0].width),
            (1, 0.0, 160),
            "{name}"
        );
        assert!(
            seen[0].corners[0] > 200 && seen[0].corners[3] < 160,
            "{name}"
        );
        assert_eq!(decoded.truncated, None);
        let info = probe(&path).unwrap();
        assert!(info.still_image && info.audio.is_none(), "{name}");
    }
}

#[test]
fn pictures_are_turned_as_exif_says() {
    let files = Files::new();
    let path = files.make("PICTURE -frames:v 1", "a.jpg");
    let mut bytes = std::fs::read(path).unwrap();
    // An APP1 segment right after the start marker: little-endian TIFF, one entry, turn by 90.
    let exif =
        b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    bytes.splice(2..2, exif.iter().copied());
    check_orientation(&files.write("turned.jpg", &bytes), (120, 160), 1);
}

#[test]
fn cover_art_is_not_video() {
    let files = Files::new();
    files.make("PICTURE -frames:v 1", "cover.png");
    for (name, codecs) in [
        ("a.mp3", "-c:a libmp3lame"),
        ("a.m4a", "-c:a aac"),
        ("a.flac", "-c:a flac"),
    ] {
        let cover = "-i {}/cover.png -map 1:a -map 0:v -c:v copy -disposition:v attached_pic";
        let arguments = format!(
            "-i {{}}/cover.png SOUND {} {codecs}",
            cover.trim_start_matches("-i {}/cover.png ")
        );
        let path = files.make(&arguments, name);
        assert!(probe(&path).unwrap().video.is_none(), "{name}");
        let (_, result) = watch_with(&path, &DecodeOptions::default());
        assert!(matches!(result, Err(MediaError::NoVideo { .. })), "{name}");
        assert!(
            (crate::support::listen(&path).1.duration - 3.0).abs() < 0.05,
            "{name}"
        );
    }
}

/// Theora and AVI repeat a picture by an empty packet.
#[test]
fn repeated_pictures_do_not_end_the_film() {
    let files = Files::new();
    let path = files.make("PICTURE -c:v libtheora", "a.ogv");
    let (seen, decoded) = watch(&path);
    let white = seen.iter().find(|s| s.is_white()).unwrap().time;
    assert!((white - 2.0).abs() < 0.041, "white at {white}");
    assert!((decoded.duration - 3.0).abs() < 0.041, "{decoded:?}");
    assert_eq!(decoded.truncated, None);
}

#[test]
fn a_clip_of_one_frame() {
    let files = Files::new();
    let path = files.make(&format!("PICTURE -frames:v 1 {H264}"), "a.mp4");
    let (seen, decoded) = watch(&path);
    assert_eq!(seen.len(), 1);
    assert!((decoded.duration - 0.04).abs() < 1e-6);
    assert!(PICTURE.contains("r=25"));
}
