//! Tokens and TLS.

use crate::server::{Server, named, query, refused, shared};
use likeness_server::client::{Client, ClientError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::process::{Command, Stdio};
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

fn hash(token: &str) -> String {
    use std::io::Write;
    let mut hashing = Command::new(crate::server::PROGRAM)
        .arg("--hash-token")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = hashing.stdin.take().unwrap();
    writeln!(stdin, "{token}").unwrap();
    drop(stdin);
    let hashed = hashing.wait_with_output().unwrap().stdout;
    String::from_utf8(hashed).unwrap().trim().to_owned()
}

#[tokio::test]
async fn tokens_open_what_their_role_allows() {
    let (reader, writer) = ("reading-Kq7mZ2xW", "writing-Xw9pT4bN");
    let token = |name: &str, role: &str, token: &str| {
        let hash = hash(token);
        format!("{{ name = '{name}', role = '{role}', hash = '{hash}' }}")
    };
    let tokens = [token("r", "read", reader), token("w", "write", writer)].join(", ");
    let server = Server::start(&[&format!("tokens=[{tokens}]")]);
    let client = async |token| Client::connect(server.endpoint(), token).await.unwrap();
    let song = shared("stranger.mp3");

    let mut known = client(Some(reader)).await;
    known
        .match_file(&shared("copy.mp3"), query(""))
        .await
        .unwrap();
    assert_eq!(known.list("").await.unwrap().len(), 3);
    let (status, reason) = refused(known.add_file(&song, named("x")).await);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::PermissionDenied, "ROLE")
    );
    let (status, _) = refused(known.remove("", vec!["one.mp3".to_owned()]).await);
    assert_eq!(status.code(), Code::PermissionDenied);

    let mut may_write = client(Some(writer)).await;
    may_write.add_file(&song, named("x")).await.unwrap();
    assert_eq!(
        may_write.remove("", vec!["x".to_owned()]).await.unwrap(),
        ["x"]
    );

    for token in [None, Some("guessed-B3nV8"), Some("")] {
        let mut stranger = client(token).await;
        let (status, _) = refused(stranger.list("").await);
        assert_eq!(status.code(), Code::Unauthenticated);
        let (status, _) = refused(stranger.match_file(&song, query("")).await);
        assert_eq!(status.code(), Code::Unauthenticated);
    }
    let log = server.log();
    assert!(log.contains("GetStats") || log.contains("List"));
    for secret in [reader, writer, "guessed-B3nV8"] {
        assert!(!log.contains(secret), "a token in the log");
    }
}

/// An authority with certificates for a server and a client.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Authority { issuer }
    }

    /// A certificate and its key, PEM.
    fn certify(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn certificate(&self) -> String {
        self.issuer.pem()
    }
}

/// Settings for TLS, with files in `directory`.
fn tls(authority: &Authority, directory: &Path, client_ca: bool) -> Vec<String> {
    let (certificate, key) = authority.certify();
    let file = |name: &str, content: &str| {
        std::fs::write(directory.join(name), content).unwrap();
        format!("tls.{name}={}", directory.join(name).display())
    };
    // The section is read whole with every assignment, so it must be given at once.
    file("certificate", &certificate);
    file("key", &key);
    file("client_ca", &authority.certificate());
    let path = |name: &str| directory.join(name).display().to_string();
    let mut section = format!(
        "tls={{ certificate = '{}', key = '{}'",
        path("certificate"),
        path("key")
    );
    if client_ca {
        section += &format!(", client_ca = '{}'", path("client_ca"));
    }
    vec![section + " }"]
}

async fn connect(
    server: &Server,
    trusted: &Authority,
    identity: Option<(String, String)>,
) -> Result<Client, ClientError> {
    let port = server.address.rsplit(':').next().unwrap();
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(trusted.certificate()))
        .domain_name("localhost");
    if let Some((certificate, key)) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}")).unwrap();
    Client::connect(endpoint.tls_config(tls).unwrap(), None).await
}

#[tokio::test]
async fn tls_keeps_strangers_out() {
    let (authority, impostor) = (Authority::new(), Authority::new());
    let files = tempfile::tempdir().unwrap();
    for client_ca in [false, true] {
        let settings = tls(&authority, files.path(), client_ca);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let server = Server::start(&settings);
        let check = async |trusted: &Authority, identity, fine: bool| {
            // A client learns that its certificate is refused when it first reads.
            let listed = match connect(&server, trusted, identity).await {
                Ok(mut client) => client.list("").await,
                Err(error) => Err(error),
            };
            assert_eq!(listed.is_ok(), fine, "{client_ca} {listed:?}");
        };
        check(&authority, Some(authority.certify()), true).await;
        check(&authority, None, !client_ca).await;
        check(&authority, Some(impostor.certify()), !client_ca).await;
        check(&impostor, None, false).await;
        let plain = server.endpoint();
        let listed = match Client::connect(plain, None).await {
            Ok(mut client) => client.list("").await,
            Err(error) => Err(error),
        };
        assert!(listed.is_err(), "spoken to in clear");
    }
}

/// Whether the server talks with a client that is so limited.
fn shakes_hands(server: &Server, limits: &[&str]) -> bool {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &server.address, "-alpn", "h2"]);
    let ended = client.args(limits).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    ended.status.success() && !told.contains("Cipher is (NONE)")
}

#[test]
fn only_modern_ciphers_are_spoken() {
    let files = tempfile::tempdir().unwrap();
    let settings = tls(&Authority::new(), files.path(), false);
    let server = Server::empty(&[&settings[0]]);
    let check = |limits: &[&str], fine: bool| {
        assert_eq!(shakes_hands(&server, limits), fine, "{limits:?}");
    };
    // The client itself must not be what refuses.
    let old = |cipher: &str| format!("{cipher}:@SECLEVEL=0");
    check(&["-tls1_3"], true);
    check(&["-tls1_2"], true);
    check(
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        true,
    );
    check(
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        true,
    );
    check(&["-tls1_1", "-cipher", &old("ALL")], false);
    check(&["-tls1", "-cipher", &old("ALL")], false);
    for weak in [
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-ECDSA-AES128-SHA256",
        "AES128-GCM-SHA256",
    ] {
        check(&["-tls1_2", "-cipher", &old(weak)], false);
    }
}

#[test]
fn no_log_is_so_long_that_it_holds_a_token() {
    let secret = "reading-Kq7mZ2xW";
    let tokens = format!(
        "tokens=[{{ name = 'r', role = 'read', hash = '{}' }}]",
        hash(secret)
    );
    let server = Server::talkative(&[&tokens]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for token in [secret, "guessed-B3nV8xxx"] {
            let mut client = Client::connect(server.endpoint(), Some(token))
                .await
                .unwrap();
            let listed = client.list("").await;
            assert_eq!(listed.is_ok(), token == secret);
        }
    });
    let log = server.log();
    assert!(log.contains("TRACE"), "not talkative");
    assert!(!log.contains("Kq7mZ2xW") && !log.contains("B3nV8xxx"));
}

#[test]
fn short_tokens_are_not_hashed() {
    for token in ["", "short"] {
        assert_eq!(hash(token), "");
    }
    assert_eq!(hash("reading-Kq7mZ2xW").len(), 64);
}
