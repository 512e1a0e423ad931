//! Live streams. Times are the stream's own: it comes as fast as it is taken.

use crate::limits::decoder;
use crate::media;
use crate::server::{Server, named, query, reason, shared, until};
use bytes::Bytes;
use likeness_server::proto::live_options::Format;
use likeness_server::proto::match_live_response::Event;
use likeness_server::proto::{
    EncodedFormat, LiveFinishReason, LiveOptions, Match, MatchLiveResponse, PcmFormat, SampleFormat,
};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::{Code, Status};

/// Samples per second of the bare streams.
const RATE: u32 = 16_000;
/// When the copy begins and ends in the stream, seconds.
const COPY: (f64, f64) = (15.0, 35.0);

/// Seconds after its start by which a copy must be told of, and after its end.
const STARTED: f64 = 8.0;
const ENDED: f64 = 5.0;

/// A stream of 50 s: a stranger, 20 s of "two.mp3" from 5 s on, another stranger.
fn broadcast() -> PathBuf {
    let path = shared("broadcast.wav");
    if !path.exists() {
        let song = media::music(22, 30.0);
        let rate = song.len() / 30;
        let mut stream = media::music(31, COPY.0);
        stream.extend_from_slice(&song[5 * rate..25 * rate]);
        stream.extend(media::music(32, 15.0));
        let partial = path.with_extension(format!("{:?}", std::thread::current().id()));
        media::write_wav(&partial, &stream);
        std::fs::rename(partial, &path).unwrap();
    }
    path
}

/// The broadcast in another form, as bytes.
fn encoded(options: &[&str], name: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    media::ffmpeg(&broadcast(), options, &path);
    std::fs::read(path).unwrap()
}

fn options(format: Format) -> LiveOptions {
    LiveOptions {
        options: Some(query("")),
        format: Some(format),
    }
}

fn pcm(sample_format: SampleFormat) -> Format {
    Format::Pcm(PcmFormat {
        sample_rate: RATE,
        channels: 1,
        sample_format: sample_format.into(),
    })
}

fn chunks(bytes: &[u8], size: usize) -> Vec<Bytes> {
    bytes.chunks(size).map(Bytes::copy_from_slice).collect()
}

/// All events of a stream.
async fn events(
    server: &Server,
    format: Format,
    bytes: &[u8],
) -> Result<Vec<MatchLiveResponse>, Status> {
    let chunks = chunks(bytes, 10_007);
    let mut client = server.client().await;
    let stream = client.match_live(options(format), tokio_stream::iter(chunks));
    let mut stream = stream.await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = stream.message().await? {
        events.push(event);
    }
    Ok(events)
}

/// Checks that the copy was told of in time, once, and nothing else.
fn check(name: &str, events: &[MatchLiveResponse], reference: &str) {
    let (first, last) = COPY;
    let mut told = Vec::new();
    for MatchLiveResponse { position, event } in events {
        let mut tell = |word: &'static str, id: u64, found: &Option<Match>| {
            let found = found.clone().unwrap();
            assert_eq!(found.reference, reference, "{name}");
            told.push((word, id, *position, found.segments[0]));
        };
        match event.as_ref().unwrap() {
            Event::Started(e) => tell("started", e.match_id, &e.r#match),
            Event::Extended(e) => tell("extended", e.match_id, &e.r#match),
            Event::Ended(e) => tell("ended", e.match_id, &e.r#match),
            Event::Finished(e) => assert_eq!(e.reason(), LiveFinishReason::EndOfStream),
        }
    }
    let summary: Vec<_> = told
        .iter()
        .map(|(word, id, at, _)| (*word, *id, *at))
        .collect();
    let of = |word: &str| {
        let mut all = told.iter().filter(|(w, ..)| *w == word);
        let one = all
            .next()
            .unwrap_or_else(|| panic!("{name}: no {word} in {summary:?}"));
        assert!(
            word == "extended" || all.next().is_none(),
            "{name}: {summary:?}"
        );
        one
    };
    let (_, id, position, segment) = of("started");
    assert!(*position <= first + STARTED, "{name}: {summary:?}");
    assert!(
        (segment.query_start - first).abs() < 2.0,
        "{name}: {segment:?}"
    );
    assert!((segment.speed - 1.0).abs() < 0.02, "{name}: {segment:?}");
    of("extended");
    let (_, same, position, segment) = of("ended");
    assert_eq!(id, same, "{name}");
    assert!(*position <= last + ENDED, "{name}: {summary:?}");
    assert!(
        (segment.query_start - first).abs() < 2.0,
        "{name}: {segment:?}"
    );
    assert!(
        (segment.query_end - last).abs() < 2.0,
        "{name}: {segment:?}"
    );
    let offset = segment.reference_end - segment.query_end - (5.0 - first);
    assert!(offset.abs() < 0.5, "{name}: {segment:?}");
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Finished(_))
    ));
}

#[tokio::test]
async fn a_copy_is_told_of_while_it_plays() {
    let server = Server::start(&[]);
    let rate = RATE.to_string();
    let bare = |format| encoded(&["-ar", &rate, "-ac", "1", "-f", format], "bare");
    let samples = bare("s16le");
    check(
        "s16",
        &events(&server, pcm(SampleFormat::S16), &samples)
            .await
            .unwrap(),
        "two.mp3",
    );
    let samples = bare("f32le");
    check(
        "f32",
        &events(&server, pcm(SampleFormat::F32), &samples)
            .await
            .unwrap(),
        "two.mp3",
    );
    for (name, options) in [
        ("mp3", &["-b:a", "96k"][..]),
        ("ts", &["-c:a", "aac", "-b:a", "96k"]),
        ("ogg", &["-c:a", "libvorbis"]),
        ("webm", &["-c:a", "libopus", "-cluster_time_limit", "1000"]),
        ("flv", &["-c:a", "aac", "-b:a", "96k"]),
        (
            "mp4",
            &[
                "-c:a",
                "aac",
                "-movflags",
                "frag_keyframe+empty_moov+default_base_moof",
                "-frag_duration",
                "500000",
            ],
        ),
    ] {
        let bytes = encoded(options, &format!("stream.{name}"));
        let format = Format::Encoded(EncodedFormat {});
        check(
            name,
            &events(&server, format, &bytes).await.unwrap(),
            "two.mp3",
        );
    }
    assert_eq!((server.spooled(), server.workers().len()), (0, 0));
}

/// A film of 50 s that shows "film.mp4" from 15 s to 35 s.
fn film_broadcast(directory: &Path) -> Vec<u8> {
    for (name, seed) in [("a.mp4", 41), ("b.mp4", 42)] {
        media::write_film(&directory.join(name), seed, 15.0);
    }
    std::fs::copy(shared("film.mp4"), directory.join("f.mp4")).unwrap();
    let list = directory.join("list");
    std::fs::write(&list, "file a.mp4\nfile f.mp4\nfile b.mp4\n").unwrap();
    let to = directory.join("film.ts");
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "concat", "-i"])
        .arg(&list)
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "12"])
        .arg(&to)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(to).unwrap()
}

#[tokio::test]
async fn pictures_are_followed_too() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let bytes = film_broadcast(directory.path());
    let format = Format::Encoded(EncodedFormat {});
    let events = events(&server, format, &bytes).await.unwrap();
    let (mut started, mut ended) = (Vec::new(), Vec::new());
    for event in &events {
        match event.event.as_ref().unwrap() {
            Event::Started(e) => started.push((event.position, e.r#match.clone().unwrap())),
            Event::Ended(e) => ended.push((event.position, e.r#match.clone().unwrap())),
            _ => {}
        }
    }
    assert_eq!(
        (started.len(), ended.len()),
        (1, 1),
        "{started:?} {ended:?}"
    );
    assert_eq!(started[0].1.reference, "film.mp4");
    assert!(started[0].0 <= COPY.0 + STARTED, "{started:?}");
    assert!(ended[0].0 <= COPY.1 + ENDED, "{ended:?}");
}

#[tokio::test]
async fn a_loop_is_told_of_once_and_again_when_it_is_played_again() {
    let server = Server::empty(&[]);
    let once = media::music(51, 5.0);
    let looped = |seconds: usize| {
        let rate = once.len() / 5;
        let samples = once.iter().copied().cycle();
        samples.take(seconds * rate).collect::<Vec<f32>>()
    };
    let path = server.directory.path().join("loop.wav");
    media::write_wav(&path, &looped(40));
    let mut client = server.client().await;
    client.add_file(&path, named("loop")).await.unwrap();
    let mut stream = media::music(31, 10.0);
    for stranger in [32, 33] {
        stream.extend(looped(18));
        stream.extend(media::music(stranger, 12.0));
    }
    media::write_wav(&path, &stream);
    let bare = path.with_extension("raw");
    let rate = RATE.to_string();
    media::ffmpeg(&path, &["-ar", &rate, "-ac", "1", "-f", "s16le"], &bare);
    let bytes = std::fs::read(&bare).unwrap();
    let events = events(&server, pcm(SampleFormat::S16), &bytes);
    let mut started = Vec::new();
    for event in events.await.unwrap() {
        if let Some(Event::Started(e)) = event.event {
            started.push((event.position, e.r#match.unwrap().segments[0]));
        }
    }
    assert_eq!(started.len(), 2, "{started:?}");
    for ((position, _), begins) in started.iter().zip([10.0, 40.0]) {
        assert!((begins..begins + STARTED).contains(position), "{started:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let server = Server::empty(&["limits.live_streams=1", "limits.retry_s=7"]);
    let wav = std::fs::read(broadcast()).unwrap();
    let encoded = || Format::Encoded(EncodedFormat {});
    let status = events(&server, encoded(), &wav).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "NOT_STREAMABLE")
    );
    let status = events(&server, pcm(SampleFormat::Unspecified), &wav)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    // It looks like packets, and holds nothing.
    let mut packets = vec![0; 188 * 10_000];
    packets
        .iter_mut()
        .step_by(188)
        .for_each(|byte| *byte = 0x47);
    let status = events(&server, encoded(), &packets).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);

    let (_sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let endless = || tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut client = server.client().await;
    let _first = client
        .match_live(options(encoded()), endless())
        .await
        .unwrap();
    let second = client
        .match_live(options(encoded()), tokio_stream::empty())
        .await;
    let (status, reason) = crate::server::refused(second.map(drop));
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::ResourceExhausted, "BUSY")
    );
}

#[tokio::test]
async fn a_stream_may_neither_pause_nor_cost_too_much() {
    let wav = std::fs::read(broadcast()).unwrap();
    let server = Server::empty(&["live.idle_s=0.5"]);
    let silent = tokio_stream::pending::<Bytes>();
    let begun = tokio_stream::iter(chunks(&wav[..100_000], 10_007));
    let stream = tokio_stream::StreamExt::chain(begun, silent);
    let mut client = server.client().await;
    let call = client.match_live(options(pcm(SampleFormat::S16)), stream);
    let mut stream = call.await.unwrap();
    let status = loop {
        match stream.message().await {
            Ok(event) => assert!(event.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    until("no worker", || server.workers().is_empty()).await;

    let server = Server::empty(&["live.cpu_s=1"]);
    let day = wav.repeat(200);
    let status = events(&server, pcm(SampleFormat::S16), &day).await;
    let status = status.unwrap_err();
    let told = (status.code(), reason(&status));
    assert_eq!((told.0, told.1.as_str()), (Code::InvalidArgument, "LIMIT"));
    until("no worker", || server.workers().is_empty()).await;
}

#[tokio::test]
async fn a_decoder_may_crash_hang_or_lie() {
    let files = tempfile::tempdir().unwrap();
    let wav = std::fs::read(broadcast()).unwrap();
    let look = |start: &str| format!("echo '{{\"look\":{{\"start\":{start},\"bytes\":1}}}}'; echo");
    for (script, code, want) in [
        ("kill -SEGV $$", Code::Internal, "DECODER_CRASHED"),
        ("exit 0", Code::Internal, "DECODER_CRASHED"),
        ("echo nonsense", Code::Internal, "DECODER_CRASHED"),
        ("cat >/dev/null; exit 3", Code::Internal, "DECODER_CRASHED"),
        (&look("0.0"), Code::Internal, "DECODER_CRASHED"),
        (
            "echo '{\"look\":{\"start\":0.0,\"bytes\":9}}'",
            Code::Internal,
            "DECODER_CRASHED",
        ),
        (
            "echo '{\"look\":{\"start\":0.0,\"bytes\":999999999}}'",
            Code::InvalidArgument,
            "LIMIT",
        ),
        ("echo '\"ended\"'", Code::InvalidArgument, "UNDECODABLE"),
        ("exec sleep 60", Code::InvalidArgument, "LIMIT"),
        (
            "cat >/dev/null; exec sleep 60",
            Code::InvalidArgument,
            "LIMIT",
        ),
        ("exec cat /dev/zero", Code::Internal, "DECODER_CRASHED"),
    ] {
        let setting = decoder(files.path(), script);
        // Only what never ends may end by the clock, however busy the machine is.
        let wall = match script.contains("sleep") || script.contains(">&2") {
            true => "worker.wall_s=1",
            false => "worker.wall_s=300",
        };
        let server = Server::empty(&[wall, "worker.result_mib=2", &setting]);
        let status = events(&server, pcm(SampleFormat::S16), &wav)
            .await
            .unwrap_err();
        let told = (status.code(), reason(&status));
        assert_eq!((told.0, told.1.as_str()), (code, want), "{script}");
        until("no worker", || server.workers().is_empty()).await;
    }
}

#[tokio::test]
async fn the_end_of_the_service_is_told() {
    let mut server = Server::start(&[]);
    let rate = RATE.to_string();
    let samples = encoded(&["-ar", &rate, "-ac", "1", "-f", "s16le"], "bare");
    let until = samples.len() / 50 * 28;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut client = server.client().await;
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let live = client.match_live(options(pcm(SampleFormat::S16)), stream);
    let mut live = live.await.unwrap();
    for chunk in chunks(&samples[..until], 8000) {
        sender.send(chunk).await.unwrap();
    }
    loop {
        let event = live.message().await.unwrap().unwrap();
        if matches!(event.event, Some(Event::Started(_))) {
            break;
        }
    }
    server.signal(Signal::TERM);
    let mut last = Vec::new();
    while let Some(event) = live.message().await.unwrap() {
        last.push(event.event.unwrap());
    }
    assert!(matches!(last[last.len() - 2], Event::Ended(_)), "{last:?}");
    match &last[last.len() - 1] {
        Event::Finished(e) => assert_eq!(e.reason(), LiveFinishReason::Shutdown),
        other => panic!("{other:?}"),
    }
    drop(sender);
    assert!(
        tokio::time::timeout(Duration::from_secs(10), async { server.wait() })
            .await
            .unwrap()
            .success()
    );
}
