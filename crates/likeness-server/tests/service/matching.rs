//! What uploads show.

use crate::server::{Server, query, refused, shared};
use likeness::core::report::{MatchReport, Media, Status};
use likeness::core::{Density, Fingerprint};
use likeness::{ExtractOptions, Input, Library, MatchOptions, fingerprint_file};
use likeness_server::proto;
use std::path::Path;
use tonic::Code;

/// What the engine says, without a service.
fn engine(path: &Path) -> MatchReport {
    let library = Library::open(&shared("library")).unwrap();
    let report = library.match_file(&Input::file(path), &MatchOptions::default(), &|_| {});
    MatchReport {
        query: "upload.bin".to_owned(),
        ..report
    }
}

fn dense(path: &Path) -> Fingerprint {
    let options = ExtractOptions::default();
    let extracted = fingerprint_file(path, Density::Query, &options, &|_| {});
    extracted.unwrap().fingerprint
}

#[tokio::test]
async fn reports_are_the_engines() {
    let server = Server::start(&[]);
    let mut client = server.client().await;
    for (name, found) in [("copy.mp3", 1), ("film.mp4", 1), ("stranger.mp3", 0)] {
        let path = shared(name);
        let report = client.match_file(&path, query("")).await.unwrap();
        assert_eq!(report, engine(&path), "{name}");
        assert_eq!(report.matches.len(), found, "{name}");
        let bytes = dense(&path).encode();
        let by_fingerprint = client.match_fingerprint(bytes.clone().into(), query(""));
        assert_eq!(by_fingerprint.await.unwrap(), report, "{name}");
        let file = server.directory.path().join("fingerprint");
        std::fs::write(&file, bytes).unwrap();
        let by_file = client.match_file(&file, query("")).await.unwrap();
        assert_eq!(by_file, report, "{name}");
    }
    let elsewhere = client.match_file(&shared("copy.mp3"), query("other")).await;
    assert!(elsewhere.unwrap().matches.is_empty());
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn one_medium_may_be_left_out() {
    let server = Server::start(&[]);
    let mut client = server.client().await;
    let options = proto::MatchOptions {
        skip_video: true,
        ..query("")
    };
    let (film, song) = (shared("film.mp4"), shared("copy.mp3"));
    let report = client.match_file(&film, options.clone()).await.unwrap();
    assert!(report.matches.is_empty());
    let fingerprint = dense(&film).encode().into();
    let report = client.match_fingerprint(fingerprint, options.clone()).await;
    assert!(report.unwrap().matches.is_empty());
    let report = client.match_file(&song, options).await.unwrap();
    assert_eq!(report.matches[0].media, Media::Audio);
    let neither = proto::MatchOptions {
        skip_audio: true,
        skip_video: true,
        ..query("")
    };
    let (status, _) = refused(client.match_file(&song, neither).await);
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn bad_files_are_refused_by_name() {
    let server = Server::start(&[]);
    let mut client = server.client().await;
    let song = std::fs::read(shared("copy.mp3")).unwrap();
    let fingerprint = dense(&shared("copy.mp3"));
    let mut broken = fingerprint.encode();
    broken[100] ^= 1;
    let cases = [
        (b"just text, no media".to_vec(), "NOT_MEDIA"),
        (Vec::new(), "EMPTY"),
        (broken.clone(), "DAMAGED"),
        (fingerprint.to_reference().encode(), "SPARSE_FINGERPRINT"),
    ];
    let file = server.directory.path().join("bad");
    for (bytes, want) in cases {
        std::fs::write(&file, bytes).unwrap();
        let (status, reason) = refused(client.match_file(&file, query("")).await);
        assert_eq!(
            (status.code(), reason.as_str()),
            (Code::InvalidArgument, want)
        );
        assert!(!status.message().contains("/proc"), "{}", status.message());
    }
    for (bytes, want) in [
        (song, "DAMAGED"),
        (broken, "DAMAGED"),
        (fingerprint.to_reference().encode(), "SPARSE_FINGERPRINT"),
    ] {
        let result = client.match_fingerprint(bytes.into(), query("")).await;
        let (status, reason) = refused(result);
        assert_eq!(
            (status.code(), reason.as_str()),
            (Code::InvalidArgument, want)
        );
    }
    let (status, reason) = refused(client.match_file(&file, query("nowhere")).await);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::NotFound, "NO_LIBRARY")
    );
}

#[tokio::test]
async fn what_a_cut_file_still_shows_is_told() {
    let server = Server::start(&[]);
    let mut client = server.client().await;
    let whole = std::fs::read(shared("film.mp4")).unwrap();
    let file = server.directory.path().join("cut.mp4");
    std::fs::write(&file, &whole[..whole.len() * 6 / 10]).unwrap();
    let report = client.match_file(&file, query("")).await.unwrap();
    assert_eq!(report.status, Status::Error);
    assert_eq!(report.error.unwrap().code, "truncated");
    assert_eq!(report.matches[0].reference, "film.mp4");
}

#[tokio::test]
async fn messages_must_come_in_order() {
    use proto::match_request::Payload;
    let server = Server::empty(&[]);
    let channel = server.channel().await;
    let mut client = proto::match_service_client::MatchServiceClient::new(channel);
    let options = || Some(Payload::Options(query("")));
    let cases = [
        vec![],
        vec![None],
        vec![Some(Payload::Chunk("x".into()))],
        vec![options(), options()],
        vec![options(), None],
    ];
    for payloads in cases {
        let messages = payloads.clone().into_iter();
        let messages = messages.map(|payload| proto::MatchRequest { payload });
        let result = client.r#match(tokio_stream::iter(messages)).await;
        let status = result.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{payloads:?}");
    }
}
