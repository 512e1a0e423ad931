//! Start, end, takeover, sudden death.

use crate::media;
use crate::server::{Server, named, query, shared, until};
use likeness_server::client::Client;
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test]
async fn what_is_in_flight_is_finished() {
    let mut server = Server::start(&[]);
    let mut client = server.client().await;
    let mut health = HealthClient::new(server.channel().await);
    let mut watch = health
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let call = tokio::spawn(async move { client.match_file(&shared("film.mp4"), query("")).await });
    until("a worker", || !server.workers().is_empty()).await;
    server.signal(Signal::TERM);
    let last = watch.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert_eq!(call.await.unwrap().unwrap().matches.len(), 1);
    assert!(server.wait().success());
    assert!(Client::connect(server.endpoint(), None).await.is_err());
}

#[tokio::test]
async fn draining_has_an_end() {
    let mut server = Server::empty(&["drain_s=0.5"]);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let messages = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let channel = server.channel().await;
    let mut raw = likeness_server::proto::match_service_client::MatchServiceClient::new(channel);
    let call = tokio::spawn(async move { raw.r#match(messages).await });
    let payload = likeness_server::proto::match_request::Payload::Options(query(""));
    let payload = Some(payload);
    let first = likeness_server::proto::MatchRequest { payload };
    sender.send(first).await.unwrap();
    // The call must have come in before the end begins.
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(call.await.unwrap().is_err());
}

/// Rounds of restarting; set LIKENESS_RESTARTS for more.
const RESTARTS: usize = 3;
/// Requests between two restarts.
const BETWEEN: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_takes_over_under_load() {
    let mut server = Server::start(&[]);
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..6)
        .map(|n| {
            let (endpoint, stop, done) = (server.endpoint(), stop.clone(), done.clone());
            tokio::spawn(async move {
                match n {
                    0..4 => list_anew(&endpoint, &stop, &done).await,
                    _ => match_on(&endpoint, &stop, &done).await,
                }
            })
        })
        .collect();
    let served_on = async || {
        let before = done.load(Ordering::Relaxed);
        until("requests are served", || {
            done.load(Ordering::Relaxed) > before + BETWEEN
        })
        .await;
    };
    for _ in 0..rounds("LIKENESS_RESTARTS", RESTARTS) {
        served_on().await;
        let successor = server.successor(&[]);
        server.signal(Signal::TERM);
        assert!(server.wait().success());
        server.replace(successor);
    }
    served_on().await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    println!("{} requests answered", done.load(Ordering::Relaxed));
}

/// Asks by a connection each, so that connections are opened all the time.
async fn list_anew(endpoint: &Endpoint, stop: &AtomicBool, done: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        let mut client = Client::connect(endpoint.clone(), None).await.unwrap();
        assert_eq!(client.list("").await.unwrap().len(), 3);
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends files by one client, which finds the successor by itself.
async fn match_on(endpoint: &Endpoint, stop: &AtomicBool, done: &AtomicUsize) {
    let mut client = Client::connect(endpoint.clone(), None).await.unwrap();
    while !stop.load(Ordering::Relaxed) {
        let song = shared("copy.mp3");
        let report = client.match_file(&song, query("")).await;
        assert_eq!(report.unwrap().matches.len(), 1);
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often something is done: what the environment says, or `usual`.
pub(crate) fn rounds(variable: &str, usual: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.map_or(usual, |told| told.parse().unwrap())
}

/// Rounds of killing; set LIKENESS_KILLS for more.
const KILLS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills() {
    let files = tempfile::tempdir().unwrap();
    let songs: Vec<_> = (0..6)
        .map(|seed| {
            let path = files.path().join(format!("{seed}.wav"));
            media::write_wav(&path, &media::music(200 + seed, 6.0));
            path
        })
        .collect();
    let kills = rounds("LIKENESS_KILLS", KILLS);
    let mut directory = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<usize> = Vec::new();
    let mut moment = 0x1234_5678_u32;
    for round in 0..kills {
        let server = Server::start_in(directory, &[]);
        let client = server.client().await;
        let adding = tokio::spawn({
            let (songs, mut client) = (songs.clone(), client.clone());
            let next: Vec<_> = (0..songs.len())
                .filter(|n| !acknowledged.contains(n))
                .collect();
            let (told, hears) = tokio::sync::mpsc::unbounded_channel();
            let work = async move {
                for n in next {
                    let added = client.add_file(&songs[n], named(&n.to_string())).await;
                    if added.is_err() || told.send(n).is_err() {
                        return;
                    }
                }
            };
            tokio::spawn(work);
            async move { hears }
        });
        let mut hears = adding.await.unwrap();
        moment = moment.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        tokio::time::sleep(Duration::from_millis(u64::from(moment >> 16) % 600)).await;
        directory = server.kill();
        while let Some(n) = hears.recv().await {
            acknowledged.push(n);
        }
        let server = Server::start_in(directory, &[]);
        let mut client = server.client().await;
        let listed = client.list("").await.unwrap();
        for n in &acknowledged {
            let there = listed.iter().any(|r| r.identifier == n.to_string());
            assert!(there, "round {round}: {n} in {listed:?}");
        }
        if let Some(last) = acknowledged.last() {
            let report = client.match_file(&songs[*last], query("")).await.unwrap();
            assert_eq!(
                report.matches[0].reference,
                last.to_string(),
                "round {round}"
            );
        }
        if acknowledged.len() == songs.len() {
            acknowledged.clear();
            let all = listed.into_iter().map(|r| r.identifier).collect();
            client.remove("", all).await.unwrap();
        }
        directory = server.kill();
    }
}
