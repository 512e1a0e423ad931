//! Adding, listing and removing references.

use crate::server::{Server, named, query, refused, shared};
use likeness_server::proto::reference_service_client::ReferenceServiceClient;
use likeness_server::proto::{AddOptions, AddOutcome, GetRequest, ListRequest, StreamState};
use tonic::Code;

#[tokio::test]
async fn a_reference_comes_and_goes() {
    let server = Server::empty(&[]);
    let mut client = server.client().await;
    let matches = |report: likeness::core::report::MatchReport| report.matches.len();
    let copy = shared("copy.mp3");
    assert_eq!(
        matches(client.match_file(&copy, query("")).await.unwrap()),
        0
    );

    let added = client
        .add_file(&shared("two.mp3"), named("two"))
        .await
        .unwrap();
    assert_eq!(added.outcome(), AddOutcome::Added);
    assert!((added.duration - 30.0).abs() < 0.2);
    let again = client
        .add_file(&shared("two.mp3"), named("twin"))
        .await
        .unwrap();
    assert_eq!(again.outcome(), AddOutcome::AlreadyThere);
    assert_eq!(again.identifier, "two");
    assert_eq!(
        matches(client.match_file(&copy, query("")).await.unwrap()),
        1
    );

    let replaced = client
        .add_file(&shared("one.mp3"), named("two"))
        .await
        .unwrap();
    assert_eq!(replaced.outcome(), AddOutcome::Replaced);
    assert_eq!(
        matches(client.match_file(&copy, query("")).await.unwrap()),
        0
    );

    let names = vec!["two".to_owned(), "unheard of".to_owned()];
    assert_eq!(client.remove("", names).await.unwrap(), ["two"]);
    assert!(client.list("").await.unwrap().is_empty());
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn libraries_are_apart_and_others_changes_are_seen() {
    let server = Server::start(&[]);
    let mut client = server.client().await;
    let elsewhere = AddOptions {
        library: "other".to_owned(),
        ..named("stranger")
    };
    client
        .add_file(&shared("stranger.mp3"), elsewhere)
        .await
        .unwrap();
    let listed = |references: Vec<likeness_server::proto::Reference>| -> Vec<String> {
        references.into_iter().map(|r| r.identifier).collect()
    };
    assert_eq!(listed(client.list("other").await.unwrap()), ["stranger"]);
    assert_eq!(client.list("").await.unwrap().len(), 3);
    let stats = client.stats("other").await.unwrap();
    assert_eq!((stats.references, stats.libraries.len()), (1, 2));
    assert!(stats.audio_postings > 0 && stats.generation > 0);

    // The command line, or another server, writes to the same library.
    let directory = server.directory.path().join("other");
    let mut writer = open(&directory);
    assert_eq!(writer.remove(&["stranger"]).unwrap(), ["stranger"]);
    drop(writer);
    assert!(client.list("other").await.unwrap().is_empty());
}

/// The service keeps the lock for a moment after its last change.
fn open(directory: &std::path::Path) -> likeness::LibraryWriter {
    loop {
        match likeness::LibraryWriter::open(directory) {
            Err(likeness::LibraryError::Locked { .. }) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

#[tokio::test]
async fn references_are_told_of() {
    let server = Server::start(&[]);
    let mut client = ReferenceServiceClient::new(server.channel().await);
    let request = |identifier: &str| GetRequest {
        library: String::new(),
        identifier: identifier.to_owned(),
    };
    let found = client.get(request("film.mp4")).await.unwrap().into_inner();
    let film = found.reference.unwrap();
    assert_eq!(film.audio(), StreamState::Absent);
    assert_eq!(film.video(), StreamState::Analysed);
    let content = blake3::hash(&std::fs::read(shared("film.mp4")).unwrap());
    assert_eq!(film.content_hash, content.as_bytes().as_slice());
    assert!(film.added.unwrap().seconds > 1_700_000_000 && film.fingerprint_bytes > 0);
    let status = client.get(request("unheard of")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn pages_lead_through_all() {
    let server = Server::start(&[]);
    let mut client = ReferenceServiceClient::new(server.channel().await);
    let mut page_token = String::new();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let request = ListRequest {
            page_size: 2,
            page_token,
            ..ListRequest::default()
        };
        let page = client.list(request).await.unwrap().into_inner();
        seen.extend(page.references.into_iter().map(|r| r.identifier));
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    seen.sort();
    assert_eq!(
        (pages, seen),
        (
            2,
            ["film.mp4", "one.mp3", "two.mp3"].map(String::from).into()
        )
    );
    let page_token = "x".to_owned();
    let request = ListRequest {
        page_token,
        ..ListRequest::default()
    };
    let status = client.list(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_cannot_be_a_reference_is_refused() {
    let server = Server::empty(&[]);
    let mut client = server.client().await;
    let whole = std::fs::read(shared("film.mp4")).unwrap();
    let cut = server.directory.path().join("cut.mp4");
    std::fs::write(&cut, &whole[..whole.len() * 6 / 10]).unwrap();
    let silence = server.directory.path().join("silence.wav");
    crate::media::write_wav(&silence, &[0.0; 50_000]);
    let song = shared("one.mp3");
    let long = "x".repeat(2000);
    for (path, name, want) in [
        (&cut, "cut", "TRUNCATED"),
        (&silence, "silence", "NOTHING_TO_FIND"),
        (&song, "", "INVALID_REQUEST"),
        (&song, long.as_str(), "INVALID_REQUEST"),
    ] {
        let (status, reason) = refused(client.add_file(path, named(name)).await);
        assert_eq!(
            (status.code(), reason.as_str()),
            (Code::InvalidArgument, want)
        );
        assert!(!status.message().contains("/proc"), "{}", status.message());
    }
    let options = AddOptions {
        allow_truncated: true,
        ..named("cut")
    };
    let added = client.add_file(&cut, options).await.unwrap();
    assert_eq!(added.outcome(), AddOutcome::Added);
    assert_eq!(client.list("").await.unwrap().len(), 1);
}
