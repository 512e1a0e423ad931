//! Live streams, as fast as they play.

use crate::process::{cpu, cpu_of_family};
use crate::stage::{Server, Stage, Work, ffmpeg};
use bytes::Bytes;
use futures_util::Stream;
use likeness_server::proto::live_options::Format;
use likeness_server::proto::match_live_response::Event;
use likeness_server::proto::{EncodedFormat, LiveOptions, Match};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;
use tokio::process::Command;
use tokio_util::io::ReaderStream;

/// Seconds of each of the three parts of a stream: a stranger, the copy, another stranger. No whole ones:
/// a copy may begin at any time.
const PART: f64 = 20.37;
/// How long after its start, and after its end, a copy must be told of, seconds.
const STARTED: f64 = 8.0;
const ENDED: f64 = 5.0;

/// When a copy was told of.
#[derive(Default)]
struct Told {
    started: Option<Delay>,
    ended: Option<Delay>,
    others: usize,
}

/// Seconds after its start, or its end.
#[derive(Clone, Copy)]
struct Delay {
    /// On the clock.
    clock: f64,
    /// In the stream: what had to be seen of it. The rest is decoding and looking up.
    stream: f64,
}

/// Streams that show works which the library holds between parts of a work that it does not hold: so
/// many in all, and at a time.
pub(crate) async fn measure(
    stage: &Stage,
    name: &str,
    works: &[Work],
    (count, at_a_time): (usize, usize),
) {
    let Some((stranger, works)) = works.split_first() else {
        return;
    };
    let server = stage.serve();
    let mut client = server.client().await;
    let gone = vec![stranger.identifier.clone()];
    client.remove("", gone).await.unwrap();
    let streams = works.iter().take(count).enumerate().map(|(n, work)| {
        let path = stage.directory.path().join(format!("{name}{n}.ts"));
        broadcast(&stranger.path, &work.path, &path, name == "film");
        (path, work)
    });
    let streams: Vec<(PathBuf, &Work)> = streams.collect();
    let before = (cpu(server.id()), cpu_of_family(server.id()));
    println!(
        "{name}: {} streams, {at_a_time} side by side",
        streams.len()
    );
    let mut told = Vec::new();
    for some in streams.chunks(at_a_time.max(1)) {
        let some = some.iter().map(|(path, work)| follow(&server, path, work));
        told.extend(futures_util::future::join_all(some).await);
    }
    println!("  seconds after a start and an end, and those of them that passed in the stream:");
    for ((_, work), told) in streams.iter().zip(&told) {
        let [started, ended] = [told.started, told.ended].map(shown);
        println!("  {started}  {ended}  {}", work.identifier);
    }
    let in_time = |delay: Option<Delay>, most: f64| delay.is_some_and(|d| d.clock <= most);
    let starts = told.iter().filter(|t| in_time(t.started, STARTED)).count();
    let ends = told.iter().filter(|t| in_time(t.ended, ENDED)).count();
    println!("  starts within {STARTED} s: {starts}, ends within {ENDED} s: {ends}");
    let service = cpu(server.id()) - before.0;
    let workers = cpu_of_family(server.id()) - before.1 - service;
    let seconds = 3.0 * PART * told.len() as f64;
    println!(
        "  processor time a second of a stream: looking up {:.0} ms, decoding {:.0} ms",
        service / seconds * 1e3,
        workers / seconds * 1e3
    );
    let others: usize = told.iter().map(|t| t.others).sum();
    println!("  matches of other works: {others}");
}

fn shown(delay: Option<Delay>) -> String {
    delay.map_or_else(
        || "  never    ".to_owned(),
        |Delay { clock, stream }| format!("{clock:4.1} ({stream:4.1})"),
    )
}

/// A stream of three parts in MPEG-TS.
fn broadcast(stranger: &Path, copy: &Path, to: &Path, film: bool) {
    let encode: &[&str] = match film {
        true => &[
            "-vf",
            "scale=640:360,setsar=1,fps=25",
            "-c:v",
            "libx264",
            "-preset",
            "fast",
            "-g",
            "50",
            "-c:a",
            "aac",
            "-ac",
            "2",
            "-ar",
            "44100",
        ],
        false => &[
            "-vn", "-c:a", "aac", "-b:a", "96k", "-ac", "2", "-ar", "44100",
        ],
    };
    let mut all = Vec::new();
    for (part, from, start) in [(0, stranger, "0"), (1, copy, "12"), (2, stranger, "20")] {
        let path = to.with_extension(format!("{part}.ts"));
        // The streams of a part begin at the time where the part before ends.
        let offset = (f64::from(part) * PART).to_string();
        let cut = ["-ss", start, "-t", &PART.to_string()].map(str::to_owned);
        let cut: Vec<&str> = cut.iter().map(String::as_str).collect();
        ffmpeg(
            from,
            &[&cut, encode, &["-output_ts_offset", &offset]].concat(),
            &path,
        );
        all.extend(std::fs::read(&path).unwrap());
    }
    std::fs::write(to, all).unwrap();
}

async fn follow(server: &Server, path: &Path, work: &Work) -> Told {
    let options = LiveOptions {
        format: Some(Format::Encoded(EncodedFormat {})),
        ..LiveOptions::default()
    };
    let began = Instant::now();
    let mut client = server.client().await;
    let mut events = client.match_live(options, play(path)).await.unwrap();
    let mut told = Told::default();
    while let Some(event) = events.message().await.unwrap() {
        let now = began.elapsed().as_secs_f64();
        let since = |time: f64| Delay {
            clock: now - time,
            stream: event.position - time,
        };
        match event.event.unwrap() {
            Event::Started(e) if shows(&e.r#match, work) => {
                told.started.get_or_insert(since(PART));
            }
            Event::Started(e) => {
                told.others += 1;
                println!("  {:.1} s: {:?}", event.position, e.r#match);
            }
            Event::Ended(e) if shows(&e.r#match, work) => {
                told.ended = Some(since(2.0 * PART));
            }
            _ => {}
        }
    }
    told
}

fn shows(found: &Option<Match>, work: &Work) -> bool {
    found
        .as_ref()
        .is_some_and(|found| found.reference == work.identifier)
}

/// A file's bytes, as fast as it plays.
fn play(path: &Path) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut player = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-re", "-i"])
        .arg(path)
        .args([
            // A pause of the sound is no fault of its clock.
            "-copyts",
            "-map",
            "0",
            "-c",
            "copy",
            "-f",
            "mpegts",
            "-flush_packets",
            "1",
            // A part may have no sound: then the picture must not wait for it.
            "-max_interleave_delta",
            "100000",
            "pipe:1",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = player.stdout.take().unwrap();
    tokio::spawn(async move { player.wait().await });
    futures_util::StreamExt::map(ReaderStream::new(stdout), |part| part.unwrap())
}
