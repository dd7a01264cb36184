//! Reading the bytes of resources.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tidegate_catalog::Collection;
use tidegate_proto::status::to_status;
use tidegate_proto::v1 as api;
use tidegate_types::{Error, Result};
use tonic::Status;

use super::{convert, name_of};
use crate::resources::PART;
use crate::service::api::fields::invalid;
use crate::service::api::{Api, unknown};

/// Bytes of a message.
const PIECE: usize = 1 << 20;

/// A content piece by piece.
pub(super) type Pieces =
    Pin<Box<dyn Stream<Item = Result<api::DownloadResourceResponse, Status>> + Send>>;

impl Api {
    /// The bytes of a version from an offset on, read part by part as they are taken.
    pub(super) async fn pieces(&self, request: api::DownloadResourceRequest) -> Result<Pieces> {
        let name = name_of(&request.name, Collection::Resources)?;
        let (version, place) = self
            .read(|catalog| {
                let resource = catalog.resource(&name).ok_or_else(|| unknown(&name))?;
                let version = resource.version(request.version);
                let missing = || unknown(&format!("version {} of {name}", request.version));
                let version = version.ok_or_else(missing)?;
                let content = catalog.content(resource, version);
                let gone = || Error::internal(format!("{name} has no content"));
                Ok((version.clone(), content.ok_or_else(gone)?.place.clone()))
            })
            .await?;
        let total = version.bytes;
        if request.offset > total {
            let message =
                format!("offset {} is behind the {total} bytes of {name}", request.offset);
            return Err(invalid(message));
        }
        let head = api::DownloadResourceResponse {
            version: Some(convert::version(&version)),
            offset: request.offset,
            data: Vec::new(),
        };
        let store = self.shelf.store.clone();
        let parts = stream::try_unfold(request.offset, move |offset| {
            let (store, place) = (store.clone(), place.clone());
            async move {
                if offset >= total {
                    return Ok::<_, Status>(None);
                }
                let part = store.read(&place, offset / PART, total).await;
                let part = part.map_err(|error| to_status(&error))?;
                let skipped = usize::try_from(offset % PART).unwrap_or(usize::MAX);
                let bytes = part.slice(skipped.min(part.len())..);
                let next = (offset / PART + 1) * PART;
                Ok(Some((messages(offset, &bytes), next)))
            }
        });
        let parts = parts.map_ok(stream::iter).try_flatten();
        Ok(stream::once(async { Ok(head) }).chain(parts).boxed())
    }
}

fn messages(offset: u64, bytes: &Bytes) -> Vec<Result<api::DownloadResourceResponse, Status>> {
    let piece = |(number, data): (usize, &[u8])| {
        let offset = offset + (number * PIECE) as u64;
        Ok(api::DownloadResourceResponse { version: None, offset, data: data.to_vec() })
    };
    bytes.chunks(PIECE).enumerate().map(piece).collect()
}
