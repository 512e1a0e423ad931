//! From start to end of the service.

use crate::access::Access;
use crate::admin;
use crate::args::Args;
use crate::door;
use crate::gate::GateLayer;
use crate::handover;
use crate::notify::notify;
use crate::proto::match_service_server::MatchServiceServer;
use crate::proto::reference_service_server::ReferenceServiceServer;
use crate::service::Service;
use crate::settings::{LogFormat, Settings, SettingsError, Tls, seconds};
use crate::shelf::Shelf;
use crate::telemetry::Telemetry;
use likeness::{Directory, Library, LibraryError, Place, StoreError};
use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Router;
use tonic::transport::{self, Certificate, Server, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::layer::util::{Identity, Stack};
use tracing_subscriber::EnvFilter;

/// Largest frame of HTTP/2: a chunk of an upload need not come in many.
const FRAME: u32 = 256 << 10;
/// Longest TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often idle connections are asked whether they are alive, and for how long.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));
/// What is shorter could be guessed.
const SHORTEST_TOKEN: usize = 16;
/// Those who watch the health see that it has changed before the watch ends.
const LAST_LOOK: Duration = Duration::from_millis(200);

/// Why the service could not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A library cannot be used.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A file or directory that the settings name.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An address that cannot be listened at.
    #[error("{address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// TLS, HTTP/2.
    #[error("transport: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptions of the services.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The service that was asked for is not ready.
    #[error("not ready: {0}")]
    NotReady(String),
    /// Threads, signals, standard streams.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Finds the place of a library that is no directory, by its address; `None` for a directory.
pub type FindStore<'a> = &'a dyn Fn(&str) -> Option<Result<Arc<dyn Place>, LibraryError>>;

/// Does what the command line says; serves until SIGTERM or SIGINT. `stores` knows where libraries may
/// be besides in directories.
///
/// # Errors
/// The service could not be started. Once it serves, it ends in good order.
pub fn run(args: &Args, stores: FindStore<'_>) -> Result<(), ServeError> {
    if args.hash_token {
        return Ok(hash_token()?);
    }
    let settings = args.settings()?;
    if args.check {
        return check(&settings, stores);
    }
    if args.probe {
        return admin::probe(settings.admin_listen).map_err(ServeError::NotReady);
    }
    log_to_stderr(settings.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let places = places(&settings, stores)?;
    let served = runtime.block_on(serve(&settings, places));
    // What still runs belongs to nobody any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

fn hash_token() -> io::Result<()> {
    let mut token = String::new();
    io::stdin().read_line(&mut token)?;
    let token = token.trim();
    if token.len() < SHORTEST_TOKEN {
        let message = format!("a token has {SHORTEST_TOKEN} characters or more");
        return Err(io::Error::other(message));
    }
    println!("{}", blake3::hash(token.as_bytes()).to_hex());
    Ok(())
}

/// Checks everything that can be checked without serving.
fn check(settings: &Settings, stores: FindStore<'_>) -> Result<(), ServeError> {
    Access::new(&settings.tokens)?;
    if let Some(tls) = &settings.tls {
        Server::builder().tls_config(tls_config(tls)?)?;
    }
    check_spool(&settings.spool)?;
    for (name, place) in places(settings, stores)? {
        let shown = &place;
        match Library::open_at(&*place) {
            Ok(library) => {
                let references = library.stats().references;
                println!("library {name}: {shown}, {references} references");
            }
            Err(LibraryError::Missing { path }) => {
                check_creatable(&path)?;
                println!("library {name}: {shown}, to be created");
            }
            Err(error) => return Err(error.into()),
        }
    }
    println!("the settings are good");
    Ok(())
}

/// The libraries' places, by name.
fn places(
    settings: &Settings,
    stores: FindStore<'_>,
) -> Result<BTreeMap<String, Arc<dyn Place>>, LibraryError> {
    let place = |(name, path): (&String, &PathBuf)| {
        let address = path.to_str().filter(|path| path.contains("://"));
        let place: Arc<dyn Place> = match (address, address.and_then(stores)) {
            (_, Some(store)) => store?,
            // No directory of such a name is made by mistake.
            (Some(address), None) => {
                let scheme = address.split("://").next().unwrap_or_default();
                return Err(LibraryError::Store(StoreError::Remote {
                    place: format!("library {name}"),
                    reason: format!("this program knows no stores on {scheme:?}"),
                }));
            }
            (None, None) => Arc::new(Directory(path.clone())),
        };
        Ok((name.clone(), place))
    };
    settings.libraries.iter().map(place).collect()
}

/// What tells these libraries from others.
fn serving(places: &BTreeMap<String, Arc<dyn Place>>) -> handover::Serving {
    let mut hash = blake3::Hasher::new();
    for (name, place) in places {
        // However the directory was written; a link counts as what it is called.
        let place = place.to_string();
        let place = std::path::absolute(&place).unwrap_or(place.into());
        hash.update(format!("{name}={}\n", place.display()).as_bytes());
    }
    *hash.finalize().as_bytes()
}

/// Whether a directory that is not there yet could be made, by making one beside where it would lie.
fn check_creatable(directory: &Path) -> Result<(), ServeError> {
    let absolute = std::path::absolute(directory)?;
    let above = absolute.ancestors().find(|above| above.exists());
    let made = tempfile::tempdir_in(above.unwrap_or(&absolute));
    made.map(drop).map_err(|source| ServeError::File {
        path: directory.to_owned(),
        source,
    })
}

fn check_spool(spool: &Path) -> Result<(), ServeError> {
    let written = tempfile::tempfile_in(spool).and_then(|mut file| file.write_all(b"x"));
    written.map_err(|source| ServeError::File {
        path: spool.to_owned(),
        source,
    })
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_env("LIKENESS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(false)
        .with_writer(io::stderr);
    // Whoever embeds the service may have a log of its own already.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

fn tls_config(tls: &Tls) -> Result<ServerTlsConfig, ServeError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| ServeError::File {
            path: path.clone(),
            source,
        })
    };
    let identity = transport::Identity::from_pem(read(&tls.certificate)?, read(&tls.key)?);
    let config = ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE);
    Ok(match &tls.client_ca {
        Some(path) => config.client_ca_root(Certificate::from_pem(read(path)?)),
        None => config,
    })
}

async fn serve(
    settings: &Settings,
    places: BTreeMap<String, Arc<dyn Place>>,
) -> Result<(), ServeError> {
    check_spool(&settings.spool)?;
    let (limits, retry) = (&settings.limits, seconds(settings.limits.retry_s));
    let shelf = Arc::new(Shelf::open(&places, limits.queue, retry)?);
    let telemetry = Arc::new(Telemetry::new());
    let draining = CancellationToken::new();
    end_on_signals(draining.clone())?;
    if let Some(address) = settings.admin_listen {
        let router = admin::router(telemetry.clone(), shelf.clone(), draining.clone());
        let listener =
            door::bind(address).map_err(|source| ServeError::Listen { address, source })?;
        tracing::info!(address = %listener.local_addr()?, "metrics and health");
        tokio::spawn(axum::serve(listener, router).into_future());
    }
    let (health, health_service) = tonic_health::server::health_reporter();
    report(&health, ServingStatus::Serving).await;
    let service = Service::new(settings, shelf, telemetry, draining.clone());
    let router = router(settings, service)?.add_service(health_service);

    let address = settings.listen;
    let listener = door::open(address, serving(&places), &draining)
        .map_err(|source| ServeError::Listen { address, source })?;
    let address = listener.local_addr()?;
    println!("serving on {address}");
    io::stdout().flush()?;
    tracing::info!(%address, "serving");
    notify("READY=1");
    tokio::spawn(say_goodbye(health, draining.clone()));
    let connections = door::connections(listener, limits.connections, draining.clone());
    // The end of the connections is the signal for those that are open to finish.
    let served = router.serve_with_incoming_shutdown(connections, pending());
    let drain = settings.drain_s;
    tokio::select! {
        served = served => served?,
        () = out_of_time(&draining, seconds(drain)) => {
            tracing::warn!("not everything in flight was done within {drain} s");
        }
    }
    tracing::info!("ended");
    Ok(())
}

/// Everything that is served but health, behind the gate.
fn router(
    settings: &Settings,
    service: Service,
) -> Result<Router<Stack<GateLayer, Identity>>, ServeError> {
    let access = Access::new(&settings.tokens)?;
    warn_of_open_door(settings, &access);
    let limits = &settings.limits;
    let mut server = Server::builder()
        .max_concurrent_streams(limits.streams_per_connection)
        .max_frame_size(FRAME)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1));
    if let Some(tls) = &settings.tls {
        server = server.tls_config(tls_config(tls)?)?;
    }
    // A chunk of the largest size comes with a few bytes around it.
    let message = (limits.message_mib << 20) + (64 << 10);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(crate::proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let router = server
        .layer(GateLayer::new(access, limits, service.telemetry.clone()))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(MatchServiceServer::new(service.clone()).max_decoding_message_size(message))
        .add_service(ReferenceServiceServer::new(service).max_decoding_message_size(message));
    Ok(router)
}

fn warn_of_open_door(settings: &Settings, access: &Access) {
    let guarded = settings
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_ca.is_some());
    if access.is_open() && !guarded && !settings.listen.ip().is_loopback() {
        tracing::warn!(
            "whoever reaches {} may do everything: no tokens are set",
            settings.listen
        );
    }
    if !access.is_open() && settings.tls.is_none() && !settings.listen.ip().is_loopback() {
        tracing::warn!("tokens are sent in clear: no TLS is set");
    }
}

fn end_on_signals(draining: CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining");
        notify("STOPPING=1");
        draining.cancel();
    });
    Ok(())
}

async fn out_of_time(draining: &CancellationToken, drain: Duration) {
    draining.cancelled().await;
    tokio::time::sleep(drain).await;
}

/// Names under which the health can be asked; the empty one stands for all.
const SERVICES: [&str; 3] = [
    "",
    "likeness.v1.MatchService",
    "likeness.v1.ReferenceService",
];

async fn report(health: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// Tells that the service is about to end, and ends the watches, which would hold it up.
async fn say_goodbye(mut health: HealthReporter, draining: CancellationToken) {
    draining.cancelled().await;
    report(&health, ServingStatus::NotServing).await;
    tokio::time::sleep(LAST_LOOK).await;
    for service in SERVICES {
        health.clear_service_status(service).await;
    }
}
