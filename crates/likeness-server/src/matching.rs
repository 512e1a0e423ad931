//! `likeness.v1.MatchService`.

use crate::engine::{Media, with_truncation};
use crate::gate::Caller;
use crate::live;
use crate::proto::match_service_server::MatchService;
use crate::proto::{
    MatchFingerprintRequest, MatchFingerprintResponse, MatchLiveRequest, MatchLiveResponse,
    MatchOptions, MatchRequest, MatchResponse,
};
use crate::refusal::{bad_fingerprint, internal};
use crate::service::Service;
use crate::upload;
use likeness::core::{Density, Fingerprint};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

impl From<&MatchOptions> for Media {
    fn from(options: &MatchOptions) -> Media {
        Media {
            audio: !options.skip_audio,
            video: !options.skip_video,
        }
    }
}

#[tonic::async_trait]
impl MatchService for Service {
    async fn r#match(
        &self,
        request: Request<Streaming<MatchRequest>>,
    ) -> Result<Response<MatchResponse>, Status> {
        let caller = Caller::of(&request);
        let answer = self.match_upload(request.into_inner());
        self.observe("Match", &caller, answer).await
    }

    async fn match_fingerprint(
        &self,
        request: Request<MatchFingerprintRequest>,
    ) -> Result<Response<MatchFingerprintResponse>, Status> {
        let caller = Caller::of(&request);
        let answer = self.match_made(request.into_inner());
        self.observe("MatchFingerprint", &caller, answer).await
    }

    type MatchLiveStream = ReceiverStream<Result<MatchLiveResponse, Status>>;

    async fn match_live(
        &self,
        request: Request<Streaming<MatchLiveRequest>>,
    ) -> Result<Response<Self::MatchLiveStream>, Status> {
        let caller = Caller::of(&request);
        let events = live::begin(self.clone(), caller, request.into_inner())?;
        Ok(Response::new(events))
    }
}

impl Service {
    async fn match_upload(
        &self,
        mut stream: Streaming<MatchRequest>,
    ) -> Result<MatchResponse, Status> {
        let options: MatchOptions = upload::options(&mut stream, self.spool.idle()).await?;
        let held = self.shelf.get(&options.library)?;
        let upload = self.spool.receive(&mut stream).await?;
        let name = query_name(&options);
        let media = Media::from(&options);
        let decoding = self
            .engine
            .fingerprint(&upload, &name, Density::Query, media);
        let decoded = decoding.await?;
        drop(upload);
        let report = self
            .engine
            .look_up(&held, name, decoded.fingerprint, Default::default())
            .await?;
        Ok(MatchResponse {
            report: Some(with_truncation(report, decoded.truncated).into()),
        })
    }

    async fn match_made(
        &self,
        request: MatchFingerprintRequest,
    ) -> Result<MatchFingerprintResponse, Status> {
        let options = request.options.unwrap_or_default();
        let held = self.shelf.get(&options.library)?;
        let bytes = request.fingerprint;
        let decoding = tokio::task::spawn_blocking(move || Fingerprint::decode(&bytes));
        let fingerprint = decoding.await.map_err(internal)?;
        let fingerprint = fingerprint.map_err(|error| bad_fingerprint(&error))?;
        let fingerprint = self.engine.accept(fingerprint, Media::from(&options))?;
        let name = query_name(&options);
        let report = self
            .engine
            .look_up(&held, name, fingerprint, Default::default())
            .await?;
        Ok(MatchFingerprintResponse {
            report: Some(report.into()),
        })
    }
}

/// What a query is called in reports and errors.
fn query_name(options: &MatchOptions) -> String {
    match options.query.as_str() {
        "" => "query".to_owned(),
        name => name.chars().take(1024).collect(),
    }
}
