//! `likeness.v1.ReferenceService`.

use crate::clerk::Added;
use crate::engine::Media;
use crate::gate::Caller;
use crate::proto::reference_service_server::ReferenceService;
use crate::proto::{
    AddOptions, AddOutcome, AddRequest, AddResponse, GetRequest, GetResponse, GetStatsRequest,
    GetStatsResponse, ListRequest, ListResponse, RemoveRequest, RemoveResponse,
};
use crate::refusal::{invalid, refuse};
use crate::service::Service;
use crate::upload;
use likeness::core::Density;
use tonic::{Code, Request, Response, Status, Streaming};

/// Longest name of a reference, bytes.
const MAX_NAME: usize = 1024;
/// References on a page, if the client does not say.
const PAGE: usize = 100;
/// Most references on a page, and most that are removed at a time.
const MAX_PAGE: usize = 1000;

#[tonic::async_trait]
impl ReferenceService for Service {
    async fn add(
        &self,
        request: Request<Streaming<AddRequest>>,
    ) -> Result<Response<AddResponse>, Status> {
        let caller = Caller::of(&request);
        let answer = self.add_one(request.into_inner());
        self.observe("Add", &caller, answer).await
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let caller = Caller::of(&request);
        let answer = self.get_one(request.into_inner());
        self.observe("Get", &caller, answer).await
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let caller = Caller::of(&request);
        let answer = self.page(request.into_inner());
        self.observe("List", &caller, answer).await
    }

    async fn remove(
        &self,
        request: Request<RemoveRequest>,
    ) -> Result<Response<RemoveResponse>, Status> {
        let caller = Caller::of(&request);
        let answer = self.remove_some(request.into_inner());
        self.observe("Remove", &caller, answer).await
    }

    async fn get_stats(
        &self,
        request: Request<GetStatsRequest>,
    ) -> Result<Response<GetStatsResponse>, Status> {
        let caller = Caller::of(&request);
        let answer = self.sums(request.into_inner());
        self.observe("GetStats", &caller, answer).await
    }
}

impl Service {
    async fn add_one(&self, mut stream: Streaming<AddRequest>) -> Result<AddResponse, Status> {
        let options: AddOptions = upload::options(&mut stream, self.spool.idle()).await?;
        let held = self.shelf.get(&options.library)?;
        let identifier = options.identifier;
        if identifier.is_empty() || identifier.len() > MAX_NAME {
            let message = format!("an identifier has 1 to {MAX_NAME} bytes");
            return Err(invalid(message));
        }
        let upload = self.spool.receive(&mut stream).await?;
        let media = Media {
            audio: !options.skip_audio,
            video: !options.skip_video,
        };
        let decoding = self
            .engine
            .fingerprint(&upload, &identifier, Density::Reference, media);
        let decoded = decoding.await?;
        if let Some(reason) = decoded.truncated
            && !options.allow_truncated
        {
            let message = format!("{identifier}: {reason}; not added");
            return Err(refuse(Code::InvalidArgument, "truncated", message));
        }
        drop(upload);
        let directory = self.spool.directory();
        let adding = held
            .clerk
            .add(identifier.clone(), &decoded.fingerprint, directory);
        Ok(match adding.await? {
            Added::New { duration, replaced } => AddResponse {
                outcome: match replaced {
                    true => AddOutcome::Replaced.into(),
                    false => AddOutcome::Added.into(),
                },
                identifier,
                duration,
            },
            Added::AlreadyThere { identifier } => AddResponse {
                outcome: AddOutcome::AlreadyThere.into(),
                identifier,
                duration: 0.0,
            },
        })
    }

    async fn get_one(&self, request: GetRequest) -> Result<GetResponse, Status> {
        let held = self.shelf.get(&request.library)?;
        let name = request.identifier.clone();
        let found = held.read(move |library| {
            library
                .references()
                .find(|reference| reference.identifier == name)
        });
        let found = found.await?.ok_or_else(|| {
            let message = format!("there is no reference {:?}", request.identifier);
            refuse(Code::NotFound, "no_reference", message)
        })?;
        Ok(GetResponse {
            reference: Some(found.into()),
        })
    }

    async fn page(&self, request: ListRequest) -> Result<ListResponse, Status> {
        let held = self.shelf.get(&request.library)?;
        let size = match request.page_size as usize {
            0 => PAGE,
            size => size.min(MAX_PAGE),
        };
        // The number of the last reference of the page before: numbers rise, and none comes back.
        let after: Option<u32> = match request.page_token.as_str() {
            "" => None,
            token => Some(
                token
                    .parse()
                    .map_err(|_| invalid("not a token of a page"))?,
            ),
        };
        let mut references = held
            .read(move |library| {
                let rest = library
                    .references()
                    .filter(|reference| after.is_none_or(|after| reference.id.0 > after));
                rest.take(size + 1).collect::<Vec<_>>()
            })
            .await?;
        let more = references.len() > size;
        references.truncate(size);
        let last = references.last().filter(|_| more);
        Ok(ListResponse {
            next_page_token: last.map_or_else(String::new, |last| last.id.0.to_string()),
            references: references.into_iter().map(Into::into).collect(),
        })
    }

    async fn remove_some(&self, request: RemoveRequest) -> Result<RemoveResponse, Status> {
        let held = self.shelf.get(&request.library)?;
        if request.identifiers.len() > MAX_PAGE {
            return Err(invalid(format!("at most {MAX_PAGE} at a time")));
        }
        let removed = held.clerk.remove(request.identifiers).await?;
        Ok(RemoveResponse { removed })
    }

    async fn sums(&self, request: GetStatsRequest) -> Result<GetStatsResponse, Status> {
        let held = self.shelf.get(&request.library)?;
        let stats = held.read(|library| library.stats()).await?;
        Ok(GetStatsResponse {
            library: held.name.clone(),
            references: stats.references as u64,
            removed: stats.removed as u64,
            duration: stats.duration,
            audio_duration: stats.audio_duration,
            video_duration: stats.video_duration,
            audio_postings: stats.audio_postings,
            video_postings: stats.video_postings,
            fingerprint_bytes: stats.fingerprint_bytes,
            file_bytes: stats.file_bytes,
            generation: stats.generation,
            format_version: stats.format_version,
            libraries: self.shelf.names().cloned().collect(),
        })
    }
}
