//! Calls of the API by the names of their methods, with messages as JSON.

use std::time::Duration;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::{Map, Value as Json};
use tidegate_proto::dynamic::DynamicCodec;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;

use crate::client::connection::{Connection, answer};
use crate::client::output::DESCRIPTORS;

/// Bytes of an answer at most.
const MESSAGE_BYTES: usize = 32 << 20;
/// How often a call is made whose answer is lost.
const ATTEMPTS: u32 = 5;
/// Time before the second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// Rows of a page.
const PAGE: u32 = 1_000;

/// The description of the API.
pub(super) fn pool() -> Result<&'static DescriptorPool> {
    DESCRIPTORS.as_ref().ok_or_else(|| Error::internal("the API has no description"))
}

/// The description of a message of the API.
pub(super) fn message(name: &str) -> Result<MessageDescriptor> {
    let found = pool()?.get_message_by_name(&format!("tidegate.v1.{name}"));
    found.ok_or_else(|| Error::internal(format!("no message {name}")))
}

/// A message as JSON with all fields that have a value by default, too.
pub(super) fn whole(message: &DynamicMessage) -> Result<Json> {
    let options =
        SerializeOptions::new().skip_default_fields(false).stringify_64_bit_integers(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| Error::internal(format!("a message as JSON: {error}")))
}

/// A message of JSON.
///
/// # Errors
/// `INVALID_OPTION` with what is no such message.
pub(super) fn parsed(kind: &MessageDescriptor, json: &Json) -> Result<DynamicMessage> {
    DynamicMessage::deserialize(kind.clone(), json)
        .map_err(|error| Error::new(ErrorCode::InvalidOption, error.to_string()))
}

/// Makes calls; those that change something have a request id, with which they are safe to be made again.
pub(super) struct Caller<'a>(pub(super) &'a Connection);

impl Caller<'_> {
    /// Calls `Service.Method`.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn call(&self, method: &str, mut request: Json) -> Result<Json> {
        let (service, name) = method.split_once('.').unwrap_or((method, ""));
        let found = pool()?.get_service_by_name(&format!("tidegate.v1.{service}"));
        let found = found.and_then(|service| service.methods().find(|one| one.name() == name));
        let method = found.ok_or_else(|| Error::internal(format!("no method {method}")))?;
        if method.input().get_field_by_name("request_id").is_some() {
            let id = format!("apply-{:016x}", tidegate_job_control::driver::random());
            request["requestId"] = Json::String(id);
        }
        let request = parsed(&method.input(), &request)?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::try_from(path)
            .map_err(|error| Error::internal(format!("path of a method: {error}")))?;
        let mut attempt = 0;
        loop {
            match self.once(path.clone(), method.output(), request.clone()).await {
                Err(error) if error.code() == ErrorCode::Unavailable && attempt + 1 < ATTEMPTS => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
                    attempt += 1;
                }
                answered => return whole(&answered?),
            }
        }
    }

    async fn once(
        &self,
        path: PathAndQuery,
        output: MessageDescriptor,
        request: DynamicMessage,
    ) -> Result<DynamicMessage> {
        let mut client = Grpc::new(self.0.calls()).max_decoding_message_size(MESSAGE_BYTES);
        client.ready().await.map_err(|error| {
            let message = format!("the coordinator is not reached: {error}");
            Error::new(ErrorCode::Unavailable, message)
        })?;
        answer(client.unary(Request::new(request), path, DynamicCodec(output)).await)
    }

    /// What has a name; none if it is not there.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn get(&self, method: &str, name: &str) -> Result<Option<Json>> {
        let mut request = Map::new();
        request.insert("name".to_owned(), Json::String(name.to_owned()));
        match self.call(method, Json::Object(request)).await {
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// All that is listed, over all pages, in the field of the answer that has this name.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn list(&self, method: &str, request: Json, field: &str) -> Result<Vec<Json>> {
        let mut all = Vec::new();
        let mut request = request;
        request["pageSize"] = PAGE.into();
        loop {
            let mut page = self.call(method, request.clone()).await?;
            if let Json::Array(found) = page[field].take() {
                all.extend(found);
            }
            match page["nextPageToken"].take() {
                Json::String(next) if !next.is_empty() => request["pageToken"] = next.into(),
                _ => return Ok(all),
            }
        }
    }
}
