//! Health, reflection, request identifiers, metrics, settings.

use crate::server::{PROGRAM, Server, query, refused, shared};
use likeness_server::proto::GetStatsRequest;
use likeness_server::proto::reference_service_client::ReferenceServiceClient;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

#[tokio::test]
async fn every_service_tells_its_health() {
    let server = Server::empty(&[]);
    let mut health = HealthClient::new(server.channel().await);
    for service in [
        "",
        "likeness.v1.MatchService",
        "likeness.v1.ReferenceService",
    ] {
        let service = service.to_owned();
        let answer = health.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
    let service = "unheard.Of".to_owned();
    let status = health
        .check(HealthCheckRequest { service })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_lists_services_and_files() {
    let server = Server::empty(&[]);
    let mut client = ServerReflectionClient::new(server.channel().await);
    let mut ask = async |request: MessageRequest| {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let answers = client
            .server_reflection_info(tokio_stream::iter([request]))
            .await;
        let answer = answers.unwrap().into_inner().message().await.unwrap();
        answer.unwrap().message_response.unwrap()
    };
    match ask(MessageRequest::ListServices(String::new())).await {
        MessageResponse::ListServicesResponse(list) => {
            let names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
            for want in ["likeness.v1.MatchService", "likeness.v1.ReferenceService"] {
                assert!(names.iter().any(|name| name == want), "{names:?}");
            }
        }
        other => panic!("{other:?}"),
    }
    let symbol = "likeness.v1.MatchReport".to_owned();
    match ask(MessageRequest::FileContainingSymbol(symbol)).await {
        MessageResponse::FileDescriptorResponse(files) => {
            assert!(!files.file_descriptor_proto.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn requests_have_identifiers() {
    let server = Server::empty(&["log_format=json"]);
    let mut client = ReferenceServiceClient::new(server.channel().await);
    let mut ask = async |id: Option<&str>| {
        let mut request = Request::new(GetStatsRequest::default());
        if let Some(id) = id {
            request
                .metadata_mut()
                .insert("x-request-id", id.parse().unwrap());
        }
        let answer = client.get_stats(request).await.unwrap();
        let id = answer.metadata().get("x-request-id").unwrap();
        id.to_str().unwrap().to_owned()
    };
    assert_eq!(ask(Some("mine-7")).await, "mine-7");
    assert_ne!(
        ask(Some("not {fit} for a log")).await,
        "not {fit} for a log"
    );
    assert_ne!(ask(None).await, ask(None).await);
    let log = server.log();
    let line = log.lines().find(|line| line.contains("mine-7")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["method"], &line["code"]),
        (&"GetStats".into(), &"Ok".into())
    );
}

/// What the side port answers.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn the_side_port_tells_numbers() {
    let server = Server::start(&["admin_listen=127.0.0.1:0"]);
    let mut client = server.client().await;
    client
        .match_file(&shared("copy.mp3"), query(""))
        .await
        .unwrap();
    refused(
        client
            .match_file(&shared("copy.mp3"), query("nowhere"))
            .await,
    );
    let admin = server.admin();
    assert!(get(&admin, "/livez").starts_with("HTTP/1.1 200"));
    assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(&admin, "/other").starts_with("HTTP/1.1 404"));
    let metrics = get(&admin, "/metrics");
    for want in [
        r#"likeness_requests_total{method="Match",code="Ok"} 1"#,
        r#"likeness_requests_total{method="Match",code="NotFound"} 1"#,
        r#"likeness_decodes_total{of="done"} 1"#,
        r#"likeness_references{library="default"} 3"#,
        "likeness_spool_bytes 0",
        "likeness_decode_duration_seconds_count 1",
    ] {
        assert!(
            metrics.lines().any(|line| line == want),
            "{want} in {metrics}"
        );
    }
    let probe = || {
        let mut probe = Command::new(PROGRAM);
        probe.args(["--probe", "--admin-listen", &admin]);
        probe.status().unwrap().success()
    };
    assert!(probe());
    // A library that is gone cannot be matched against.
    std::fs::remove_dir_all(server.directory.path().join("other")).unwrap();
    assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 503"));
    assert!(!probe());
}

#[test]
fn settings_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("likeness.toml");
    let library = shared("library").display().to_string();
    let check = |text: &str, environment: &str, want: Result<&str, &str>| {
        std::fs::write(&config, text).unwrap();
        let ran = Command::new(PROGRAM)
            .args(["--check", "--library", &library, "--config"])
            .arg(&config)
            .env("LIKENESS_SERVE_SET", environment)
            .output()
            .unwrap();
        let (out, told) = match want {
            Ok(told) => (ran.stdout, told),
            Err(told) => (ran.stderr, told),
        };
        let out = String::from_utf8(out).unwrap();
        assert_eq!(ran.status.success(), want.is_ok(), "{text}: {out}");
        assert!(out.contains(told), "{text}: {out}");
    };
    let damaged = directory.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("manifest"), b"damaged").unwrap();
    check("", "", Ok("3 references"));
    check("[limits]\nqueue = 1", "", Ok("good"));
    check("[limits]\nqeue = 1", "", Err("qeue"));
    check("[limits]\nrequests = 0", "", Err("limits.requests"));
    // The environment overrides the file.
    check(
        "[limits]\nrequests = 0",
        "limits.requests=5;limits.queue=1",
        Ok("good"),
    );
    check("spool = '/nowhere'", "spool=/tmp", Ok("good"));
    check("spool = '/nowhere'", "", Err("/nowhere"));
    check("[tls]\ncertificate = '/x'\nkey = '/y'", "", Err("/x"));
    check(
        "[[tokens]]\nname = 'n'\nrole = 'read'\nhash = 'beef'",
        "",
        Err("hash"),
    );
    check(
        &format!("[libraries]\nbad = {damaged:?}"),
        "",
        Err("manifest"),
    );
    check("not toml", "", Err("likeness.toml"));
    let missing = directory.path().join("to/be/made");
    check(
        &format!("[libraries]\nnew = {missing:?}"),
        "",
        Ok("to be created"),
    );
    assert!(!directory.path().join("to").exists());
    // No directory can be made below a file, nor where nobody may write.
    let below = damaged.join("manifest/library");
    check(
        &format!("[libraries]\nnew = {below:?}"),
        "",
        Err("manifest/library"),
    );
    check(
        "[libraries]\nnew = '/proc/library'",
        "",
        Err("/proc/library"),
    );
    // No directory of such a name is made either.
    check("[libraries]\nfar = 'nosuch://h/d'", "", Err("nosuch"));
    check("[limits]\ndecodes = 100000000", "", Err("limits.decodes"));
    check("[worker]\nmemory_mib = 1", "", Err("worker.memory_mib"));
    let token = |name: &str, role: &str| {
        let hash = "0".repeat(64);
        format!("[[tokens]]\nname = '{name}'\nrole = '{role}'\nhash = '{hash}'\n")
    };
    let twice = token("reader", "read") + &token("writer", "write");
    check(&twice, "", Err("the same as of \"reader\""));
    check(&token("reader", "read"), "", Ok("good"));
}
