//! What callers may cost, and what hostile files do.

use crate::manners::get;
use crate::media;
use crate::process::cpu;
use crate::server::{Server, named, query, reason, refused, shared, until};
use likeness::core::video::Keyframe;
use likeness::core::{Density, Fingerprint, StreamState};
use likeness_server::client::Client;
use likeness_server::proto::match_request::Payload;
use likeness_server::proto::match_service_client::MatchServiceClient;
use likeness_server::proto::reference_service_client::ReferenceServiceClient;
use likeness_server::proto::{
    GetStatsRequest, GetStatsResponse, MatchFingerprintRequest, MatchRequest,
};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A program to decode with that does what `script` says.
pub(crate) fn decoder(directory: &Path, script: &str) -> String {
    let path = directory.join("decoder");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("worker.command=['{}']", path.display())
}

fn is_busy(status: &Status) -> bool {
    let delay = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    status.code() == Code::ResourceExhausted && delay == Some(Duration::from_secs(7))
}

/// An upload that goes on until the sender is dropped.
async fn upload(server: &Server) -> (Sender<Payload>, tokio::task::JoinHandle<Result<(), Status>>) {
    upload_on(server.channel().await).await
}

async fn upload_on(
    channel: Channel,
) -> (Sender<Payload>, tokio::task::JoinHandle<Result<(), Status>>) {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let messages = ReceiverStream::new(receiver);
    let messages = tokio_stream::StreamExt::map(messages, |payload| MatchRequest {
        payload: Some(payload),
    });
    let call = tokio::spawn(async move {
        MatchServiceClient::new(channel)
            .r#match(messages)
            .await
            .map(drop)
    });
    sender.send(Payload::Options(query(""))).await.unwrap();
    (sender, call)
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let server = Server::empty(&[
        "limits.requests=1",
        "limits.retry_s=7",
        "admin_listen='127.0.0.1:0'",
    ]);
    let in_flight = || metric(&server, "likeness_requests_in_flight");
    let (sender, call) = upload(&server).await;
    // Whoever came before the upload would take its place.
    until("the upload is there", || in_flight() == Some(1.0)).await;
    let mut client = server.client().await;
    let song = shared("copy.mp3");
    let (status, reason) = refused(client.match_file(&song, query("")).await);
    assert_eq!(reason, "BUSY");
    assert!(is_busy(&status), "{status:?}");
    sender
        .send(Payload::Chunk(std::fs::read(&song).unwrap().into()))
        .await
        .unwrap();
    drop(sender);
    call.await.unwrap().unwrap();
    // The place is free once the answer has been sent, which is not before it has come.
    let mut answer = client.match_file(&song, query("")).await;
    for _ in 0..100 {
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = client.match_file(&song, query("")).await;
    }
    answer.unwrap();
}

#[tokio::test]
async fn the_queue_of_decodes_is_bounded() {
    let files = tempfile::tempdir().unwrap();
    let slow = decoder(files.path(), "exec sleep 60");
    let settings = [
        "limits.decodes=1",
        "limits.queue=1",
        "limits.retry_s=7",
        &slow,
    ];
    let server = Server::empty(&settings);
    let client = server.client().await;
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.match_file(&shared("copy.mp3"), query("")).await })
        })
        .collect();
    // One decodes, one waits, one is turned away.
    until("one of three calls ended", || {
        calls.iter().any(|call| call.is_finished())
    })
    .await;
    let mut ended = 0;
    for call in calls {
        if call.is_finished() {
            let (status, _) = refused(call.await.unwrap());
            assert!(is_busy(&status), "{status:?}");
            ended += 1;
        } else {
            call.abort();
        }
    }
    assert_eq!(ended, 1);
    // Whoever calls off takes the worker with him.
    until("no worker", || server.workers().is_empty()).await;
}

#[tokio::test]
async fn sizes_are_bounded() {
    let server = Server::empty(&["limits.upload_mib=1", "limits.message_mib=1"]);
    let mut client = server.client().await;
    let big = server.directory.path().join("big.wav");
    media::write_wav(&big, &vec![0.1; 1 << 20]);
    let (status, word) = refused(client.match_file(&big, query("")).await);
    assert_eq!(
        (status.code(), word.as_str()),
        (Code::InvalidArgument, "LIMIT")
    );
    let (status, _) = refused(client.add_file(&big, named("big")).await);
    assert_eq!(status.code(), Code::InvalidArgument);
    let request = MatchFingerprintRequest {
        options: None,
        fingerprint: vec![0; 2 << 20].into(),
    };
    let status = MatchServiceClient::new(server.channel().await)
        .match_fingerprint(request)
        .await
        .unwrap_err();
    let too_large = |status: &Status| {
        assert_eq!(
            (status.code(), reason(status).as_str()),
            (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            "{status:?}"
        );
        // Whoever tries again would fail again.
        assert!(status.get_details_retry_info().is_none());
    };
    too_large(&status);
    let (sender, call) = upload(&server).await;
    let chunk = Payload::Chunk(vec![0; 2 << 20].into());
    sender.send(chunk).await.unwrap();
    too_large(&call.await.unwrap().unwrap_err());
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn all_uploads_together_are_bounded() {
    let server = Server::empty(&[
        "limits.upload_mib=1",
        "limits.spool_mib=1",
        "limits.retry_s=7",
        "admin_listen='127.0.0.1:0'",
    ]);
    let lying = || metric(&server, "likeness_spool_bytes");
    let most_of_it = || Payload::Chunk(vec![0; 700 << 10].into());
    let (first, _call) = upload(&server).await;
    first.send(most_of_it()).await.unwrap();
    until("the first lies there", || lying() > Some(0.0)).await;
    let (second, call) = upload(&server).await;
    second.send(most_of_it()).await.unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert!(is_busy(&status), "{status:?}");
    assert_eq!(reason(&status), "BUSY");
    // What has gone makes room.
    drop(first);
    until("the first has gone", || lying() == Some(0.0)).await;
    let (third, call) = upload(&server).await;
    third.send(most_of_it()).await.unwrap();
    drop(third);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
}

#[tokio::test]
async fn requests_on_one_connection_wait_for_their_turn() {
    let server = Server::empty(&["limits.streams_per_connection=1"]);
    let channel = server.channel().await;
    let (sender, call) = upload_on(channel.clone()).await;
    let mut other = ReferenceServiceClient::new(channel);
    // The upload is there before the other request is.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stats = tokio::spawn(async move { other.get_stats(GetStatsRequest::default()).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!stats.is_finished());
    drop(sender);
    call.await.unwrap().unwrap_err();
    stats.await.unwrap().unwrap();
}

/// A film that is looked up for minutes: a short one again and again.
fn endless_film() -> Vec<u8> {
    let film = shared("film.mp4");
    let options = likeness::ExtractOptions::default();
    let made = likeness::fingerprint_file(&film, Density::Query, &options, &|_| {}).unwrap();
    let StreamState::Analysed(once) = made.fingerprint.video else {
        panic!("no picture");
    };
    let seconds = once.duration.ceil() as u32;
    let slots = once.keyframes.last().unwrap().slot + 1;
    let mut long = once.clone();
    for round in 1..60 {
        let moved = |frame: &Keyframe| Keyframe {
            slot: frame.slot + round * slots,
            time_ms: frame.time_ms + round * seconds * 1000,
            ..frame.clone()
        };
        long.keyframes.extend(once.keyframes.iter().map(moved));
        long.thumbnails.pixels.extend(&once.thumbnails.pixels);
    }
    long.duration = f64::from(60 * seconds);
    Fingerprint {
        duration: long.duration,
        audio: StreamState::Skipped,
        video: StreamState::Analysed(long),
        ..made.fingerprint
    }
    .encode()
}

/// What the server's metrics say of `name`.
fn metric(server: &Server, name: &str) -> Option<f64> {
    let text = get(&server.admin(), "/metrics");
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn a_look_up_ends_when_nobody_waits_for_it() {
    let settings = ["admin_listen=127.0.0.1:0", "limits.message_mib=256"];
    let server = Server::start(&settings);
    let fingerprint: bytes::Bytes = endless_film().into();
    let ask = async |timeout: Option<Duration>| {
        let mut request = tonic::Request::new(MatchFingerprintRequest {
            options: Some(query("")),
            fingerprint: fingerprint.clone(),
        });
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        let mut client = MatchServiceClient::new(server.channel().await);
        client.match_fingerprint(request).await.map(drop)
    };
    let going = || metric(&server, "likeness_look_ups_in_flight") == Some(1.0);
    let stopped = || metric(&server, "likeness_look_ups_total{of=\"stopped\"}");
    let calling_off = async {
        until("a look-up", going).await;
        // It would go on for long, if somebody waited.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(going());
    };
    tokio::select! {
        answer = ask(None) => panic!("answered: {answer:?}"),
        () = calling_off => {}
    }
    ends(&server).await;
    assert_eq!(stopped(), Some(1.0));
    let status = ask(Some(Duration::from_secs(3))).await.unwrap_err();
    // On a busy machine the client's own timer may end it before the server's answer comes.
    let own_timer = status.code() == Code::Cancelled && status.message() == "Timeout expired";
    assert!(
        status.code() == Code::DeadlineExceeded || own_timer,
        "{status:?}"
    );
    ends(&server).await;
    assert_eq!(stopped(), Some(2.0));
    assert_eq!(
        metric(&server, "likeness_look_ups_total{of=\"done\"}"),
        None
    );
}

/// Waits until nothing is looked up, and sees that the processors have nothing to do.
async fn ends(server: &Server) {
    let began = Instant::now();
    until("no look-up", || {
        metric(server, "likeness_look_ups_in_flight") == Some(0.0)
    })
    .await;
    let seconds = began.elapsed().as_secs_f64();
    assert!(seconds < 3.0, "it went on for {seconds} s");
    let before = cpu(server.id());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = cpu(server.id()) - before;
    assert!(spent < 0.2, "{spent} s of processor time for nobody");
}

#[tokio::test]
async fn connections_wait_for_their_turn() {
    let server = Server::empty(&["limits.connections=1"]);
    let mut first = server.client().await;
    assert_eq!(first.list("").await.unwrap().len(), 0);
    let endpoint = server.endpoint();
    let second = tokio::spawn(async move {
        let mut second = Client::connect(endpoint, None).await.unwrap();
        second.list("").await.unwrap().len()
    });
    // The first goes on to be served, and the second is when the first has gone.
    for _ in 0..20 {
        first.list("").await.unwrap();
    }
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap(), 0);
}

#[tokio::test]
async fn whoever_says_nothing_is_shown_out() {
    let server = Server::empty(&["limits.connections=2"]);
    let connect = || std::net::TcpStream::connect(&server.address).unwrap();
    let (silent, mut halting) = (connect(), connect());
    std::io::Write::write_all(&mut halting, b"PRI * HTTP/2").unwrap();
    let mut client = server.client().await;
    assert_eq!(client.list("").await.unwrap().len(), 0);
    drop((silent, halting));
}

#[tokio::test]
async fn a_request_that_does_not_come_frees_its_place() {
    let server = Server::empty(&["limits.requests=1", "limits.request_s=0.5"]);
    let mut raw = tonic::client::Grpc::new(server.channel().await);
    raw.ready().await.unwrap();
    let nothing = tokio_stream::pending::<GetStatsRequest>();
    let path = http::uri::PathAndQuery::from_static("/likeness.v1.ReferenceService/GetStats");
    let codec = tonic_prost::ProstCodec::<GetStatsRequest, GetStatsResponse>::default();
    let call = raw.client_streaming(tonic::Request::new(nothing), path, codec);
    let status = call.await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "REQUEST_TIME")
    );
    assert_eq!(server.client().await.list("").await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_upload_may_not_stand_still() {
    let server = Server::empty(&["limits.idle_s=0.3"]);
    let (_sender, call) = upload(&server).await;
    assert_eq!(
        call.await.unwrap().unwrap_err().code(),
        Code::DeadlineExceeded
    );
}

#[tokio::test]
async fn deadlines_end_the_work() {
    let files = tempfile::tempdir().unwrap();
    let slow = decoder(files.path(), "exec sleep 60");
    let server = Server::empty(&["limits.request_s=0.5", &slow]);
    let mut client = server.client().await;
    let (status, _) = refused(client.match_file(&shared("copy.mp3"), query("")).await);
    assert_eq!(status.code(), Code::DeadlineExceeded);
    until("no worker", || server.workers().is_empty()).await;

    let server = Server::empty(&[&slow]);
    let messages = [
        Payload::Options(query("")),
        Payload::Chunk("some bytes".into()),
    ];
    let messages = messages.map(|payload| MatchRequest {
        payload: Some(payload),
    });
    let mut request = tonic::Request::new(tokio_stream::iter(messages));
    request.set_timeout(Duration::from_millis(500));
    let mut raw = MatchServiceClient::new(server.channel().await);
    raw.r#match(request).await.unwrap_err();
    until("no worker", || server.workers().is_empty()).await;
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn a_decoder_may_crash_hang_or_lie() {
    let files = tempfile::tempdir().unwrap();
    let song = shared("copy.mp3");
    for (script, code, want) in [
        ("kill -SEGV $$", Code::Internal, "DECODER_CRASHED"),
        ("exit 3", Code::Internal, "DECODER_CRASHED"),
        ("echo nonsense", Code::Internal, "DECODER_CRASHED"),
        (
            "echo '{\"done\":{\"truncated\":null}}'; echo x",
            Code::Internal,
            "DECODER_CRASHED",
        ),
        ("kill -XCPU $$", Code::InvalidArgument, "LIMIT"),
        ("exec sleep 60", Code::InvalidArgument, "LIMIT"),
        ("exec cat /dev/zero", Code::InvalidArgument, "LIMIT"),
        ("exec cat /dev/zero >&2", Code::InvalidArgument, "LIMIT"),
    ] {
        let setting = decoder(files.path(), script);
        // Only what never ends may end by the clock, however busy the machine is.
        let wall = match script.contains("sleep") || script.contains(">&2") {
            true => "worker.wall_s=1",
            false => "worker.wall_s=300",
        };
        let server = Server::empty(&[wall, "worker.result_mib=2", &setting]);
        let mut client = server.client().await;
        let (status, reason) = refused(client.match_file(&song, query("")).await);
        assert_eq!((status.code(), reason.as_str()), (code, want), "{script}");
        assert_eq!(
            (server.workers().len(), server.spooled()),
            (0, 0),
            "{script}"
        );
        assert_eq!(client.list("").await.unwrap().len(), 0, "{script}");
    }
}

#[tokio::test]
async fn files_that_cost_too_much_fail_alone() {
    let files = tempfile::tempdir().unwrap();
    let long = files.path().join("long.wav");
    media::write_wav(&long, &vec![0.1; 22_050 * 50]);
    let film = shared("film.mp4");
    let still = files.path().join("still.webp");
    media::ffmpeg(&film, &["-frames:v", "1"], &still);
    let other_still = still.with_extension("png");
    media::ffmpeg(&film, &["-frames:v", "1"], &other_still);
    for (limit, path) in [
        ("worker.media_s=40", &long),
        ("worker.pixels=10000", &film),
        ("worker.pixels=10000", &still),
        ("worker.pixels=10000", &other_still),
        ("worker.frames=100", &film),
    ] {
        let server = Server::start(&["worker.memory_mib=300", limit]);
        let mut client = server.client().await;
        let (status, reason) = refused(client.match_file(path, query("")).await);
        assert_eq!(status.code(), Code::InvalidArgument, "{limit} {status:?}");
        assert_eq!(reason, "LIMIT", "{limit}");
        let song = shared("copy.mp3");
        let report = client.match_file(&song, query("")).await.unwrap();
        assert_eq!(report.matches.len(), 1, "{limit}");
    }
}

#[tokio::test]
async fn memory_and_processor_time_are_bounded() {
    let server = Server::empty(&["worker.memory_mib=40"]);
    let mut client = server.client().await;
    let (status, reason) = refused(client.match_file(&shared("copy.mp3"), query("")).await);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::Internal, "DECODER_CRASHED")
    );

    let server = Server::empty(&["worker.cpu_s=1"]);
    let mut client = server.client().await;
    let long = server.directory.path().join("long.wav");
    let song = media::music(5, 60.0);
    let hours: Vec<f32> = song.iter().copied().cycle().take(song.len() * 60).collect();
    media::write_wav(&long, &hours);
    let (status, reason) = refused(client.match_file(&long, query("")).await);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::InvalidArgument, "LIMIT")
    );
}
