//! Taking bytes in: announced first, then part by part into the store, looked into when all are there.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tidegate_catalog::{
    Action, ChildName, Collection, Resource, ResourceAction, Scope, Upload, UploadSpec,
};
use tidegate_proto::status::from_status;
use tidegate_proto::v1 as api;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Streaming;

use super::{convert, name_of};
use crate::resources::PART;
use crate::resources::inspect::{Claim, check_name, inspect};
use crate::service::api::fields::{invalid, missing, project};
use crate::service::api::{Api, unknown};
use crate::service::call::caller_name;

/// How long the next piece of an upload may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

impl Api {
    /// Takes an upload, or goes on with one.
    pub(super) async fn uploaded(
        &self,
        mut pieces: Streaming<api::UploadResourceRequest>,
    ) -> Result<api::UploadResourceResponse> {
        let first = next(&mut pieces).await?;
        let mut first =
            first.ok_or_else(|| invalid("the stream has no message that says what comes"))?;
        let (name, spec) = self.announced(&mut first)?;
        self.shelf.store.check()?;
        let _permit = self.shelf.uploads.try_acquire().map_err(|_| {
            Error::new(ErrorCode::Unavailable, "too many uploads come at the same time")
                .help("try again in a while, or on another coordinator")
        })?;
        if let Some(there) = self.same_as_newest(&spec).await? {
            return Ok(there);
        }
        let upload = self.begun(&name, &spec, &first.request_id).await?;
        let Some(upload) = upload else {
            // The same call was answered before.
            return self.answered(&spec).await;
        };
        let received = self.shelf.store.received(&upload.place, spec.bytes).await?;
        let mut intake =
            Intake { api: self, upload: &upload, position: received, held: BytesMut::new() };
        intake.take(first.offset, first.data).await?;
        while let Some(piece) = next(&mut pieces).await? {
            intake.take(piece.offset, piece.data).await?;
        }
        intake.end().await?;
        self.complete(&upload).await?;
        self.answered(&spec).await
    }

    /// What the first message says.
    fn announced(&self, first: &mut api::UploadResourceRequest) -> Result<(ChildName, UploadSpec)> {
        let owner = Scope::Project(project(&first.parent)?);
        let kind = convert::kind(first.kind()).ok_or_else(|| missing("kind"))?;
        check_name(kind, &first.file_name)?;
        let id = self.id_or_new(&first.upload_id, &first.request_id, "upload");
        let name = ChildName::new(owner.clone(), Collection::Uploads, id)?;
        let resource = ChildName::new(owner, Collection::Resources, first.resource_id.clone())?;
        let spec = UploadSpec {
            resource,
            kind,
            folder: std::mem::take(&mut first.folder),
            description: std::mem::take(&mut first.description),
            file_name: std::mem::take(&mut first.file_name),
            sha256: std::mem::take(&mut first.sha256),
            bytes: first.size_bytes,
            uploader: caller_name(),
        };
        Ok((name, spec))
    }

    /// The answer for a content that is the newest version already: it makes no other.
    async fn same_as_newest(
        &self,
        spec: &UploadSpec,
    ) -> Result<Option<api::UploadResourceResponse>> {
        self.read(|catalog| {
            let there = catalog.resource(&spec.resource);
            Ok(there.filter(|there| is_newest(there, spec)).map(response))
        })
        .await
    }

    /// The upload, announced now or before; none if it was, and is complete.
    async fn begun(
        &self,
        name: &ChildName,
        spec: &UploadSpec,
        request_id: &str,
    ) -> Result<Option<Upload>> {
        let there = || self.read(|catalog| Ok(catalog.upload(name).cloned()));
        let upload = match there().await? {
            Some(upload) => Some(upload),
            None => {
                let begin =
                    ResourceAction::BeginUpload { upload: name.clone(), spec: spec.clone() };
                match self.apply(Action::Resource(Box::new(begin)), request_id).await {
                    // Somebody else has begun it meanwhile.
                    Err(error) if error.code() == ErrorCode::AlreadyExists => {}
                    begun => drop(begun?),
                }
                there().await?
            }
        };
        let same = |upload: &Upload| {
            let UploadSpec { resource, kind, file_name, sha256, bytes, .. } = &upload.spec;
            (resource, kind, file_name, sha256, bytes)
                == (&spec.resource, &spec.kind, &spec.file_name, &spec.sha256, &spec.bytes)
        };
        match upload {
            Some(other) if !same(&other) => {
                let message = format!("{name} is an upload of {}", describe(&other.spec));
                Err(Error::new(ErrorCode::AlreadyExists, message)
                    .help("go on with that one, cancel it, or use another id"))
            }
            upload => Ok(upload),
        }
    }

    /// Makes a version of an upload whose bytes are all there, or gives it up.
    async fn complete(&self, upload: &Upload) -> Result<()> {
        let (name, spec) = (upload.name.clone(), &upload.spec);
        let claim = Claim {
            kind: spec.kind,
            file_name: spec.file_name.clone(),
            sha256: spec.sha256.clone(),
            bytes: spec.bytes,
        };
        let _permit = self.shelf.inspections.acquire().await;
        let found = inspect(self.shelf.store.clone(), upload.place.clone(), claim).await;
        let format = match found {
            Ok(format) => format,
            Err(error) => {
                // Only what the content itself is to blame for ends the upload.
                if matches!(error.code(), ErrorCode::InvalidOption | ErrorCode::ResourceExhausted) {
                    let abandon = ResourceAction::AbandonUpload { upload: name };
                    let _ = self.attempt(Action::Resource(Box::new(abandon)), "").await;
                }
                return Err(error);
            }
        };
        let finish = ResourceAction::FinishUpload { upload: name, format };
        match self.apply(Action::Resource(Box::new(finish)), "").await {
            // Another call has completed it meanwhile; if not, the answer says so.
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            finished => finished.map(drop),
        }
    }

    /// What became of an upload that is complete.
    async fn answered(&self, spec: &UploadSpec) -> Result<api::UploadResourceResponse> {
        self.read(|catalog| {
            let there = catalog.resource(&spec.resource);
            let there =
                there.filter(|there| there.versions.iter().any(|v| v.sha256 == spec.sha256));
            there.map(response).ok_or_else(|| unknown(&spec.resource))
        })
        .await
    }

    /// How far an upload is.
    pub(super) async fn upload_progress(
        &self,
        request: api::GetUploadRequest,
    ) -> Result<api::Upload> {
        let name = name_of(&request.name, Collection::Uploads)?;
        let upload = self.read(|catalog| Ok(catalog.upload(&name).cloned())).await?;
        let upload = upload.ok_or_else(|| unknown(&name))?;
        let received = self.shelf.store.received(&upload.place, upload.spec.bytes).await?;
        Ok(convert::upload(&upload, received))
    }

    /// Gives an upload up.
    pub(super) async fn abandon_upload(
        &self,
        request: api::CancelUploadRequest,
    ) -> Result<api::CancelUploadResponse> {
        let upload = name_of(&request.name, Collection::Uploads)?;
        let abandon = ResourceAction::AbandonUpload { upload };
        self.apply(Action::Resource(Box::new(abandon)), &request.request_id).await?;
        Ok(api::CancelUploadResponse {})
    }
}

fn is_newest(resource: &Resource, spec: &UploadSpec) -> bool {
    let same = |newest: &tidegate_catalog::ResourceVersion| {
        newest.sha256 == spec.sha256 && newest.file_name == spec.file_name
    };
    resource.kind == spec.kind && resource.version(0).is_some_and(same)
}

fn response(resource: &Resource) -> api::UploadResourceResponse {
    api::UploadResourceResponse {
        resource: Some(convert::resource(resource)),
        version: resource.version(0).map(convert::version),
    }
}

fn describe(spec: &UploadSpec) -> String {
    format!("{} with {} bytes and the SHA-256 {}", spec.file_name, spec.bytes, spec.sha256)
}

/// The next message; none after the last.
async fn next(
    pieces: &mut Streaming<api::UploadResourceRequest>,
) -> Result<Option<api::UploadResourceRequest>> {
    match tokio::time::timeout(PATIENCE, pieces.message()).await {
        Ok(piece) => piece.map_err(|status| from_status(&status)),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            let message = format!("nothing of the upload came for {seconds} s");
            Err(Error::new(ErrorCode::Unavailable, message).help("go on with it under the same id"))
        }
    }
}

/// What comes, until it makes a part.
struct Intake<'a> {
    api: &'a Api,
    upload: &'a Upload,
    /// Bytes of the whole that are in the store; those that are held follow.
    position: u64,
    held: BytesMut,
}

impl Intake<'_> {
    fn end_of_held(&self) -> u64 {
        self.position + self.held.len() as u64
    }

    /// Takes bytes that begin at an offset of the whole; those that are there already are skipped.
    async fn take(&mut self, offset: u64, data: Vec<u8>) -> Result<()> {
        let (end, total) = (self.end_of_held(), self.upload.spec.bytes);
        if data.is_empty() {
            return Ok(());
        }
        if offset > end {
            let message = format!("bytes {end} to {offset} of {} are missing", self.upload.name);
            return Err(invalid(message).help("GetUpload says where to go on"));
        }
        let last = offset.saturating_add(data.len() as u64);
        if last > total {
            return Err(invalid(format!(
                "{} has {total} bytes as announced, and {last} came",
                self.upload.spec.file_name
            )));
        }
        let known = usize::try_from(end - offset).unwrap_or(usize::MAX).min(data.len());
        let mut rest = Bytes::from(data).slice(known..);
        while !rest.is_empty() {
            let room = usize::try_from(PART).unwrap_or(usize::MAX) - self.held.len();
            let piece = rest.split_to(room.min(rest.len()));
            self.held.extend_from_slice(&piece);
            if self.held.len() as u64 == PART {
                self.store().await?;
            }
        }
        Ok(())
    }

    async fn store(&mut self) -> Result<()> {
        // Where it was given up nothing may be written any more: what is there will be deleted.
        let name = &self.upload.name;
        let goes_on = self
            .api
            .metadata
            .peek(|catalog| catalog.upload(name).is_some_and(|now| now.place == self.upload.place));
        if !goes_on {
            let message = format!("{name} was completed or given up meanwhile");
            return Err(Error::new(ErrorCode::FailedPrecondition, message));
        }
        let bytes = self.held.split().freeze();
        let count = bytes.len() as u64;
        self.api.shelf.store.put(&self.upload.place, self.position / PART, bytes).await?;
        self.position += count;
        Ok(())
    }

    /// Writes the last part. `FAILED_PRECONDITION` if bytes are missing: what makes whole parts is kept.
    async fn end(mut self) -> Result<()> {
        let (end, total) = (self.end_of_held(), self.upload.spec.bytes);
        if end < total {
            let message = format!("{} has {} of {total} bytes", self.upload.name, self.position);
            return Err(Error::new(ErrorCode::FailedPrecondition, message)
                .help("go on with it under the same id, from there"));
        }
        if self.held.is_empty() { Ok(()) } else { self.store().await }
    }
}
