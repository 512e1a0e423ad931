//! Files that were made to do harm, beside clients that mean well.

use crate::life::rounds;
use crate::media;
use crate::process::memory;
use crate::server::{Server, query, refused, shared};
use bytes::Bytes;
use likeness_server::client::{Client, ClientError};
use likeness_server::proto::live_options::Format;
use likeness_server::proto::{EncodedFormat, LiveOptions};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tonic::Code;

/// Bad files; set LIKENESS_HOSTILE for more.
const FILES: usize = 36;
/// Clients that send them, and clients that mean well.
const BAD_CLIENTS: usize = 8;
const HONEST_CLIENTS: usize = 4;
/// One of so many bad files is sent as a live stream.
const LIVE: usize = 4;
/// An honest client that waits longer for an answer goes away.
const DEADLINE: Duration = Duration::from_secs(60);
/// What the service itself may take for all of it, MiB; workers are bounded by their own limit.
const MEMORY: u64 = 500;
/// At the end of a file whose worker is made to crash, or to hang.
const CRASH: &[u8] = b"likeness test: crash";
const HANG: &[u8] = b"likeness test: hang!";

/// Seeded numbers.
struct Random(u32);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % n
    }
}

/// A file with each size that it declares, or may declare, as large as can be.
fn with_huge_sizes(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..4 {
        let at = random.below(bytes.len().min(2000) - 8);
        bytes[at..at + 4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    }
    bytes
}

/// Boxes in boxes, the content of each all that follows.
fn nested_boxes(depth: usize) -> Vec<u8> {
    let mut bytes = b"\0\0\0\x14ftypisom\0\0\0\0isom".to_vec();
    for level in 0..depth {
        let size = (8 * (depth - level)) as u32;
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(match level % 3 {
            0 => b"moov",
            1 => b"trak",
            _ => b"mdia",
        });
    }
    bytes
}

/// Masters in masters, each of a size that is not known.
fn nested_masters(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x1a, 0x45, 0xdf, 0xa3, 0x80];
    bytes.extend([0x18, 0x53, 0x80, 0x67, 0xff]);
    bytes.extend([0x12, 0x54, 0xc3, 0x67, 0xff, 0x73, 0x73, 0xff].repeat(depth));
    bytes
}

/// Files that are small and become large: hours of silence, a huge picture of one colour, many
/// large pictures.
fn bombs(directory: &Path) -> Vec<Vec<u8>> {
    let make = |source: &str, options: &[&str], name: &str| {
        let path = directory.join(name);
        let lavfi = ["-f", "lavfi", "-i", source];
        let status = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-y"])
            .args(lavfi)
            .args(options)
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success(), "{source}");
        std::fs::read(path).unwrap()
    };
    vec![
        make("anullsrc=r=8000:cl=mono", &["-t", "36000"], "hours.flac"),
        make("color=gray:s=12000x12000", &["-frames:v", "1"], "huge.png"),
        make(
            "color=gray:s=4096x4096:r=25",
            &["-t", "2", "-c:v", "libx264", "-preset", "ultrafast"],
            "large.mp4",
        ),
    ]
}

/// The `n`th bad file.
fn bad_file(n: usize, originals: &[Vec<u8>], bombs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = originals[n % originals.len()].clone();
    let length = bytes.len();
    match n % 9 {
        0 => bytes.truncate(random.below(length)),
        1 => (0..200).for_each(|_| bytes[random.below(length)] ^= 1 << random.below(8)),
        2 => bytes[4..40].fill(0xff),
        3 => return with_huge_sizes(bytes, random),
        4 => return bombs[n / 9 % bombs.len()].clone(),
        5 => return nested_boxes(10 + random.below(100_000)),
        6 => return nested_masters(10 + random.below(100_000)),
        7 => bytes.extend(if n.is_multiple_of(2) { CRASH } else { HANG }),
        // Without an end: larger than an upload may be.
        _ => bytes = bytes.repeat((4 << 20) / length + 2),
    }
    bytes
}

/// Does to workers what the end of their file says, for as long as `go_on`.
fn harm_workers(server: &Server, go_on: &AtomicBool) -> usize {
    let mut harmed = HashSet::new();
    while go_on.load(Ordering::Relaxed) {
        for worker in server.workers() {
            let signal = match end_of_input(worker).as_deref() {
                Some(CRASH) => Signal::SEGV,
                Some(HANG) => Signal::STOP,
                _ => continue,
            };
            let id = Pid::from_raw(worker as i32).unwrap();
            // It may have ended meanwhile.
            if kill_process(id, signal).is_ok() {
                harmed.insert(worker);
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    harmed.len()
}

fn end_of_input(worker: u32) -> Option<Vec<u8>> {
    let mut input = std::fs::File::open(format!("/proc/{worker}/fd/0")).ok()?;
    input.seek(SeekFrom::End(-(CRASH.len() as i64))).ok()?;
    let mut end = Vec::new();
    input.take(CRASH.len() as u64).read_to_end(&mut end).ok()?;
    Some(end)
}

/// Uploads that the service has open still.
fn open_uploads(server: &Server) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    let spool = server.directory.path().join("spool");
    links.filter(|link| link.starts_with(&spool)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_harm_nobody() {
    let count = rounds("LIKENESS_HOSTILE", FILES);
    let server = Arc::new(Server::start(&[
        "worker.require_sandbox=true",
        "worker.wall_s=5",
        "worker.cpu_s=20",
        "worker.memory_mib=1024",
        "worker.media_s=3600",
        "limits.upload_mib=4",
    ]));
    let files = tempfile::tempdir().unwrap();
    let bombs = bombs(files.path());
    let picture = files.path().join("picture.png");
    media::ffmpeg(&shared("film.mp4"), &["-frames:v", "1"], &picture);
    let originals = [shared("copy.mp3"), shared("film.mp4"), picture];
    let originals = originals.map(|path| std::fs::read(path).unwrap());
    let go_on = Arc::new(AtomicBool::new(true));
    let harming = {
        let (server, go_on) = (server.clone(), go_on.clone());
        std::thread::spawn(move || harm_workers(&server, &go_on))
    };

    let honest: Vec<_> = (0..HONEST_CLIENTS)
        .map(|_| {
            let (server, go_on) = (server.clone(), go_on.clone());
            tokio::spawn(async move { ask_honestly(&server, &go_on).await })
        })
        .collect();
    let mut random = Random(0x2545_F491);
    let mut paths = Vec::new();
    for n in 0..count {
        let path = files.path().join(format!("bad{n}"));
        std::fs::write(&path, bad_file(n, &originals, &bombs, &mut random)).unwrap();
        paths.push(path);
    }
    let paths = Arc::new(paths);
    let next = Arc::new(AtomicUsize::new(0));
    let bad: Vec<_> = (0..BAD_CLIENTS)
        .map(|_| {
            let (server, paths, next) = (server.clone(), paths.clone(), next.clone());
            tokio::spawn(async move { attack(&server, &paths, &next).await })
        })
        .collect();
    let mut refusals = 0;
    for client in bad {
        refusals += client.await.unwrap();
    }
    go_on.store(false, Ordering::Relaxed);
    let mut answers = Vec::new();
    for client in honest {
        answers.extend(client.await.unwrap());
    }
    answers.sort();
    let harmed = harming.join().unwrap();
    let (_, peak) = memory(server.id());
    println!(
        "{count} bad files, {refusals} refused, {harmed} workers harmed; {} honest answers, all \
         right, slowest {:?}; the service took {} MiB at most",
        answers.len(),
        answers.last().unwrap(),
        peak
    );
    assert!(harmed > 0 && refusals > count / 3);
    assert!(peak < MEMORY);
    assert_eq!((server.workers().len(), server.spooled()), (0, 0));
    assert_eq!(open_uploads(&server), 0);
}

/// Asks what has a known answer, again and again; returns how long each answer took.
async fn ask_honestly(server: &Server, go_on: &AtomicBool) -> Vec<Duration> {
    let endpoint = server.endpoint().timeout(DEADLINE);
    let mut client = Client::connect(endpoint, None).await.unwrap();
    let mut times = Vec::new();
    while go_on.load(Ordering::Relaxed) {
        let began = Instant::now();
        let report = client.match_file(&shared("copy.mp3"), query("")).await;
        let report = report.unwrap();
        assert_eq!(report.matches.len(), 1);
        assert_eq!(report.matches[0].reference, "two.mp3");
        times.push(began.elapsed());
    }
    times
}

/// Sends a bad file as a live stream, to its end.
async fn stream(client: &mut Client, path: &Path) -> Result<(), ClientError> {
    let bytes = std::fs::read(path)?;
    let chunks: Vec<Bytes> = bytes.chunks(1 << 16).map(Bytes::copy_from_slice).collect();
    let options = LiveOptions {
        options: Some(query("")),
        format: Some(Format::Encoded(EncodedFormat {})),
    };
    let mut events = client
        .match_live(options, tokio_stream::iter(chunks))
        .await?;
    while events.message().await?.is_some() {}
    Ok(())
}

/// Sends bad files; each is refused or answered. Returns how many were refused.
async fn attack(server: &Server, paths: &[PathBuf], next: &AtomicUsize) -> usize {
    let mut client = server.client().await;
    let mut refusals = 0;
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let Some(path) = paths.get(n) else { break };
        let result = match n % LIVE {
            0 => stream(&mut client, path).await,
            _ => client.match_file(path, query("")).await.map(drop),
        };
        if result.is_err() {
            let (status, reason) = refused(result);
            let fine = [Code::InvalidArgument, Code::Internal].contains(&status.code());
            // An upload that is cut off may be told of by the connection only.
            let known = !reason.is_empty() && reason != "INTERNAL";
            assert!(fine && known, "{path:?} {status:?}");
            refusals += 1;
        }
    }
    refusals
}
