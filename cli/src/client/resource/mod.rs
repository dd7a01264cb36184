//! `tidegate resource upload` and `download`: the methods that take and give streams. What breaks off goes on where it
//! was, with whichever coordinator answers.

mod download;
mod upload;

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use sha2::{Digest, Sha256};
use tidegate_proto::v1::resource_service_client::ResourceServiceClient;
use tidegate_types::{Error, ErrorCode, Result};

use super::connection::{Calls, Connection};
use crate::args::ClientOptions;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(3_600);
/// How often it is tried again without getting any further.
const TRIES: u32 = 5;
/// How long to wait before that.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of an answer at most.
const MESSAGE_BYTES: usize = 8 << 20;

/// What is moved.
pub(super) enum Transfer {
    /// A file to the cluster.
    Upload(upload::Arguments),
    /// A file from the cluster.
    Download(download::Arguments),
}

/// Adds the commands to those of resources.
pub(super) fn with_transfers(group: Command) -> Command {
    let upload = upload::Arguments::augment_args(Command::new("upload"));
    let download = download::Arguments::augment_args(Command::new("download"));
    group.subcommand(upload).subcommand(download)
}

impl Transfer {
    /// From the command line, if it names one.
    pub(super) fn of(matches: &ArgMatches) -> Option<Result<(ClientOptions, Self)>> {
        let ("resource", group) = matches.subcommand()? else { return None };
        let (verb, matches) = group.subcommand()?;
        let wrong = |error: clap::Error| Error::internal(format!("arguments: {error}"));
        let transfer = match verb {
            "upload" => upload::Arguments::from_arg_matches(matches).map(Self::Upload),
            "download" => download::Arguments::from_arg_matches(matches).map(Self::Download),
            _ => return None,
        };
        let options = ClientOptions::from_arg_matches(matches);
        Some(options.and_then(|options| Ok((options, transfer?))).map_err(wrong))
    }

    /// Moves it and says so.
    ///
    /// # Errors
    /// What the server says, or the file.
    pub(super) async fn run(&self, options: &ClientOptions) -> Result<()> {
        match self {
            Self::Upload(arguments) => upload::run(options, arguments).await,
            Self::Download(arguments) => download::run(options, arguments).await,
        }
    }
}

async fn client(options: &ClientOptions) -> Result<ResourceServiceClient<Calls>> {
    let connection = Connection::open_for(options, false, CALL).await?;
    Ok(ResourceServiceClient::new(connection.calls()).max_decoding_message_size(MESSAGE_BYTES))
}

/// Counts tries that come no further.
struct Tries {
    left: u32,
    reached: u64,
}

impl Tries {
    fn new() -> Self {
        Self { left: TRIES, reached: 0 }
    }

    /// Waits before the next one, which begins at `reached`.
    ///
    /// # Errors
    /// The one that ended the last try, if it would be of no use.
    async fn again(&mut self, reached: u64, error: Error) -> Result<()> {
        let passing = matches!(error.code(), ErrorCode::Unavailable | ErrorCode::Cancelled);
        if reached > self.reached {
            *self = Self { left: TRIES, reached };
        }
        self.left = self.left.saturating_sub(1);
        if !passing || self.left == 0 {
            return Err(error);
        }
        eprintln!("\n{error}: trying again from byte {reached}");
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Says on a terminal how far it is.
fn show(what: &str, done: u64, total: u64) {
    if std::io::stderr().is_terminal() {
        let percent = (done.saturating_mul(100)).checked_div(total).unwrap_or(100);
        let end = if done >= total { "\n" } else { "" };
        eprint!("\r{what}: {done} of {total} bytes ({percent} %){end}");
    }
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn of_file(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorCode::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorCode::PermissionDenied,
        _ => ErrorCode::Unavailable,
    };
    Error::new(code, format!("{}: {error}", path.display()))
}
