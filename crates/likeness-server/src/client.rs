//! A client for Rust programs. Other languages generate theirs from `proto/`.
//!
//! When the service ends a connection in good order, as it does when another process takes its place,
//! a call may just then wait to be sent on it. tonic gives such a call up; as the service never saw it,
//! this client sends it on the next connection.

use crate::proto::match_service_client::MatchServiceClient;
use crate::proto::reference_service_client::ReferenceServiceClient;
use crate::proto::{
    self, AddOptions, AddRequest, AddResponse, GetStatsRequest, GetStatsResponse, ListRequest,
    LiveOptions, MatchFingerprintRequest, MatchLiveRequest, MatchLiveResponse, MatchOptions,
    MatchRequest, Reference, RemoveRequest,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use likeness::core::report::MatchReport;
use std::error::Error as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;
use tokio::fs::File;
use tokio_util::io::ReaderStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

/// Bytes of a chunk.
const CHUNK: usize = 256 << 10;
/// How often a call is sent that the service has not seen.
const ATTEMPTS: usize = 5;
/// Largest answer: a report may be long.
const MAX_ANSWER: usize = 64 << 20;

/// Why a call failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The service cannot be reached.
    #[error("{0}")]
    Transport(#[from] tonic::transport::Error),
    /// It answered with an error; `tonic_types::StatusExt` reads the details.
    #[error("{}: {}", .0.code(), .0.message())]
    Status(#[from] Box<Status>),
    /// A file that was to be sent cannot be read.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The token cannot be sent as metadata.
    #[error("a token has visible ASCII characters only")]
    Token,
    /// The answer lacks what it must have.
    #[error("an answer without content")]
    Empty,
}

impl From<Status> for ClientError {
    fn from(status: Status) -> ClientError {
        ClientError::Status(Box::new(status))
    }
}

/// Makes a call, and makes it again if it was not sent.
async fn send<T, F>(call: impl Fn() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    for _ in 1..ATTEMPTS {
        match call().await {
            Err(error) if was_not_sent(&error) => {}
            answer => return answer,
        }
    }
    call().await
}

/// Whether a call ended while it waited for a connection: nothing of it has left this process.
fn was_not_sent(error: &ClientError) -> bool {
    let ClientError::Status(status) = error else {
        return false;
    };
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(transport) = error.downcast_ref::<hyper::Error>() {
            return transport.is_canceled();
        }
        cause = error.source();
    }
    false
}

/// Sends a token with every call.
#[derive(Clone)]
struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Guarded = InterceptedService<Channel, Bearer>;

/// A connection to the service; cheap to clone.
#[derive(Clone)]
pub struct Client {
    matching: MatchServiceClient<Guarded>,
    references: ReferenceServiceClient<Guarded>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects, with a bearer token if one is given.
    ///
    /// # Errors
    /// The service cannot be reached, or the token cannot be sent.
    pub async fn connect(endpoint: Endpoint, token: Option<&str>) -> Result<Client, ClientError> {
        let bearer = |token: &str| {
            let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
                .parse()
                .map_err(|_| ClientError::Token)?;
            value.set_sensitive(true);
            Ok::<_, ClientError>(value)
        };
        let bearer = Bearer(token.map(bearer).transpose()?);
        let channel = endpoint.connect().await?;
        let matching = MatchServiceClient::with_interceptor(channel.clone(), bearer.clone());
        let references = ReferenceServiceClient::with_interceptor(channel, bearer);
        Ok(Client {
            matching: matching.max_decoding_message_size(MAX_ANSWER),
            references: references.max_decoding_message_size(MAX_ANSWER),
        })
    }

    /// What a file shows.
    ///
    /// # Errors
    /// The file cannot be read, or the service refuses it.
    pub async fn match_file(
        &mut self,
        path: &Path,
        options: MatchOptions,
    ) -> Result<MatchReport, ClientError> {
        let answer = send(|| async {
            let first = proto::match_request::Payload::Options(options.clone());
            let chunks = chunks(File::open(path).await?).map(proto::match_request::Payload::Chunk);
            let messages = stream::once(async { first }).chain(chunks);
            let messages = messages.map(|payload| MatchRequest {
                payload: Some(payload),
            });
            Ok(self.matching.clone().r#match(messages).await?)
        });
        let report = answer.await?.into_inner().report;
        Ok(report.ok_or(ClientError::Empty)?.into())
    }

    /// What a fingerprint file's content shows.
    ///
    /// # Errors
    /// The service refuses it.
    pub async fn match_fingerprint(
        &mut self,
        fingerprint: Bytes,
        options: MatchOptions,
    ) -> Result<MatchReport, ClientError> {
        let request = MatchFingerprintRequest {
            options: Some(options),
            fingerprint,
        };
        let answer = send(|| async {
            let mut matching = self.matching.clone();
            Ok(matching.match_fingerprint(request.clone()).await?)
        });
        let report = answer.await?.into_inner().report;
        Ok(report.ok_or(ClientError::Empty)?.into())
    }

    /// Matches chunks of media while they come; the events tell what is found.
    ///
    /// # Errors
    /// The service refuses the stream.
    pub async fn match_live(
        &mut self,
        options: LiveOptions,
        chunks: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Streaming<MatchLiveResponse>, ClientError> {
        // What was not sent has not been asked for chunks.
        let chunks = Arc::new(Mutex::new(Box::pin(chunks)));
        let answer = send(|| async {
            let first = proto::match_live_request::Payload::Options(options.clone());
            let chunks = chunks.clone();
            let chunks = stream::poll_fn(move |context| {
                let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
                chunks.as_mut().poll_next(context)
            });
            let chunks = chunks.map(proto::match_live_request::Payload::Chunk);
            let messages = stream::once(async { first }).chain(chunks);
            let messages = messages.map(|payload| MatchLiveRequest {
                payload: Some(payload),
            });
            Ok(self.matching.clone().match_live(messages).await?)
        });
        Ok(answer.await?.into_inner())
    }

    /// Adds a reference; it is durable when this returns.
    ///
    /// # Errors
    /// The file cannot be read, or the service refuses it.
    pub async fn add_file(
        &mut self,
        path: &Path,
        options: AddOptions,
    ) -> Result<AddResponse, ClientError> {
        let answer = send(|| async {
            let first = proto::add_request::Payload::Options(options.clone());
            let chunks = chunks(File::open(path).await?).map(proto::add_request::Payload::Chunk);
            let messages = stream::once(async { first }).chain(chunks);
            let messages = messages.map(|payload| AddRequest {
                payload: Some(payload),
            });
            Ok(self.references.clone().add(messages).await?)
        });
        Ok(answer.await?.into_inner())
    }

    /// All references of a library.
    ///
    /// # Errors
    /// The service refuses it.
    pub async fn list(&mut self, library: &str) -> Result<Vec<Reference>, ClientError> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListRequest {
                library: library.to_owned(),
                page_size: 0,
                page_token,
            };
            let page = send(|| async {
                let mut references = self.references.clone();
                Ok(references.list(request.clone()).await?)
            });
            let page = page.await?.into_inner();
            all.extend(page.references);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Removes references; tells which there were.
    ///
    /// # Errors
    /// The service refuses it.
    pub async fn remove(
        &mut self,
        library: &str,
        identifiers: Vec<String>,
    ) -> Result<Vec<String>, ClientError> {
        let request = RemoveRequest {
            library: library.to_owned(),
            identifiers,
        };
        let answer = send(|| async {
            let mut references = self.references.clone();
            Ok(references.remove(request.clone()).await?)
        });
        Ok(answer.await?.into_inner().removed)
    }

    /// Sums over a library.
    ///
    /// # Errors
    /// The service refuses it.
    pub async fn stats(&mut self, library: &str) -> Result<GetStatsResponse, ClientError> {
        let request = GetStatsRequest {
            library: library.to_owned(),
        };
        let answer = send(|| async {
            let mut references = self.references.clone();
            Ok(references.get_stats(request.clone()).await?)
        });
        Ok(answer.await?.into_inner())
    }
}

/// A file's bytes. What cannot be read ends the upload early, and the service sees a file that
/// breaks off.
fn chunks(file: File) -> impl Stream<Item = Bytes> + Send + 'static {
    let parts = ReaderStream::with_capacity(file, CHUNK);
    futures_util::StreamExt::take_while(parts, |part| std::future::ready(part.is_ok()))
        .filter_map(|part| std::future::ready(part.ok()))
}
