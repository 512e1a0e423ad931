//! Decodes files and prints what came out, how fast, and the peak memory of the process.
//!
//! `decode [--audio|--video] [--threads N] [--backend ffmpeg|symphonia] FILE...`
//! `decode --compare FILE...` decodes the sound with both backends and shows where they differ.

use likeness_media::{
    Backend, DecodeOptions, Decoded, MediaError, decode_audio_with, decode_video_with, probe,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// Hz.
const SAMPLE_RATE: u32 = 11_025;

fn main() {
    let (mut audio, mut video) = (true, true);
    let mut options = DecodeOptions::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--audio" => video = false,
            "--video" => audio = false,
            "--threads" => {
                options.threads = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1);
            }
            "--backend" => {
                options.backend = match arguments.next().as_deref() {
                    Some("ffmpeg") => Backend::Ffmpeg,
                    Some("symphonia") => Backend::Symphonia,
                    _ => Backend::Auto,
                };
            }
            "--compare" => arguments.by_ref().for_each(|f| compare(Path::new(&f))),
            file => show(Path::new(file), audio, video, &options),
        }
    }
    println!("peak memory: {}", peak_memory());
}

fn show(path: &Path, audio: bool, video: bool, options: &DecodeOptions) {
    println!("{}", path.display());
    match probe(path) {
        Ok(info) => println!("  {info:?}"),
        Err(error) => println!("  [{}] {error}", error.code()),
    }
    if audio {
        let start = Instant::now();
        let mut samples = 0_usize;
        let result = decode_audio_with(path, SAMPLE_RATE, options, &mut |block| {
            samples += block.len();
            ControlFlow::Continue(())
        });
        report("audio", &result, start);
        println!("    {samples} samples delivered");
    }
    if video {
        let start = Instant::now();
        let (mut first, mut last, mut size) = (None, 0.0, (0, 0));
        let result = decode_video_with(path, options, &mut |frame| {
            first.get_or_insert(frame.time);
            last = frame.time;
            size = (frame.width, frame.height);
            ControlFlow::Continue(())
        });
        report("video", &result, start);
        println!("    {size:?}, first at {first:?}, last at {last:.4} s");
    }
}

fn compare(path: &Path) {
    let samples = |backend| {
        let options = DecodeOptions {
            backend,
            ..DecodeOptions::default()
        };
        let mut samples = Vec::new();
        decode_audio_with(path, SAMPLE_RATE, &options, &mut |block| {
            samples.extend_from_slice(block.mid);
            ControlFlow::Continue(())
        })
        .map(|_| samples)
    };
    let (ours, theirs) = match (samples(Backend::Symphonia), samples(Backend::Ffmpeg)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(error), _) | (_, Err(error)) => return println!("[{}] {error}", error.code()),
    };
    let differences = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    let most = differences.clone().fold(0.0, f32::max);
    let first = differences.clone().position(|d| d > 1e-3);
    let many = differences.filter(|d| *d > 1e-3).count();
    let lengths = (ours.len(), theirs.len());
    let path = path.display();
    println!("{path}: {lengths:?} samples, differ by {most:.6}, first at {first:?}, {many} times");
}

fn report(stream: &str, result: &Result<Decoded, MediaError>, start: Instant) {
    let took = start.elapsed().as_secs_f64();
    match result {
        Ok(decoded) => {
            let speed = decoded.duration / took;
            println!("  {stream}: {decoded:?}, {took:.2} s, {speed:.0} x real time");
        }
        Err(error) => println!("  {stream}: [{}] {error}", error.code()),
    }
}

fn peak_memory() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .map_or("unknown".to_string(), |value| value.trim().to_string())
}
