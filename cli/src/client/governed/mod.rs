//! Commands that are made from the description of the API: one for each method of the services of the governed catalog,
//! with its documentation as help and its fields as arguments. What the API can do, the command line can, too.
//!
//! `table create orders --type kafka …` is `TableService.CreateTable`: the noun is a command, the verb a command of it.

mod arguments;
mod command;
mod names;
mod preview;
mod print;
mod request;

use clap::{ArgMatches, FromArgMatches};
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tidegate_types::{Error, Result};
use tonic::Request;
use tonic::client::Grpc;

use super::connection::{Connection, answer};
use crate::args::ClientOptions;
pub(crate) use command::with_api;
use tidegate_proto::dynamic::DynamicCodec;

/// Bytes of an answer at most.
const MESSAGE_BYTES: usize = 32 << 20;

/// Whether the command line names such a command.
pub(crate) fn is_of_api(matches: &ArgMatches) -> bool {
    command::method(matches).is_some() || super::resource::Transfer::of(matches).is_some()
}

/// A call as the command line says.
pub(crate) struct Call {
    /// What every command of the client takes.
    pub(crate) options: ClientOptions,
    method: MethodDescriptor,
    request: DynamicMessage,
}

impl Call {
    /// From the command line.
    ///
    /// # Errors
    /// `INVALID_OPTION` for arguments that are not what their fields need.
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self> {
        let (method, matches) =
            command::method(matches).ok_or_else(|| Error::internal("no such command"))?;
        let options = ClientOptions::from_arg_matches(matches)
            .map_err(|error| Error::internal(format!("arguments of the client: {error}")))?;
        let request = request::request(&method, matches)?;
        Ok(Self { options, method, request })
    }

    /// Makes the call and prints the answer.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn run(&self, connection: &mut Connection) -> Result<()> {
        let path = format!("/{}/{}", self.method.parent_service().full_name(), self.method.name());
        let path = tonic::codegen::http::uri::PathAndQuery::try_from(path)
            .map_err(|error| Error::internal(format!("path of a method: {error}")))?;
        let mut client = Grpc::new(connection.calls()).max_decoding_message_size(MESSAGE_BYTES);
        client.ready().await.map_err(|error| {
            let message = format!("the coordinator is not reached: {error}");
            Error::new(tidegate_types::ErrorCode::Unavailable, message)
        })?;
        let codec = DynamicCodec(self.method.output());
        let request = Request::new(self.request.clone());
        if self.method.is_server_streaming() {
            let mut stream = answer(client.server_streaming(request, path, codec).await)?;
            while let Some(message) = stream
                .message()
                .await
                .map_err(|status| tidegate_proto::status::from_status(&status))?
            {
                print::line(&message)?;
            }
            return Ok(());
        }
        let answered = answer(client.unary(request, path, codec).await)?;
        print::answer(&answered, connection.format)
    }
}
