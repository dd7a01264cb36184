//! From a resource to a file.

use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest, Sha256};
use tidegate_proto::status::from_status;
use tidegate_proto::v1 as api;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Tries, client, hexadecimal, of_file, show};
use crate::args::{ClientOptions, OutputFormat};
use crate::client::connection::answer;
use crate::client::output;

/// Download a version of a resource. Its checksum is checked before the file is there.
#[derive(Debug, Args)]
pub(in crate::client) struct Arguments {
    /// Id of the resource, or its full name.
    name: String,
    /// Number of the version; by default the newest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    version: u64,
    /// The file to write, `-` for standard output; by default as the file was called that was uploaded.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

/// What is being written.
struct Target {
    /// None: standard output.
    path: Option<PathBuf>,
    out: Box<dyn AsyncWrite + Unpin>,
    /// Takes the place of `path` when it is whole.
    written: Option<tempfile::TempPath>,
}

/// Downloads a file.
pub(super) async fn run(options: &ClientOptions, arguments: &Arguments) -> Result<()> {
    let name = match arguments.name.contains('/') {
        true => arguments.name.clone(),
        false => format!("projects/{}/resources/{}", options.project, arguments.name),
    };
    let mut request = api::DownloadResourceRequest { name, version: arguments.version, offset: 0 };
    let (mut target, mut hash) = (None, Sha256::new());
    let mut head: Option<api::resource::Version> = None;
    let mut tries = Tries::new();
    loop {
        let once = async {
            let mut client = client(options).await?;
            let mut pieces = answer(client.download_resource(request.clone()).await)?;
            while let Some(piece) = pieces.message().await.map_err(|e| from_status(&e))? {
                if let (None, Some(version)) = (&head, piece.version) {
                    // What is asked for again must be the same.
                    request.version = version.number;
                    target = Some(Target::open(arguments, &version.file_name).await?);
                    head = Some(version);
                }
                if let (Some(target), Some(head)) = (&mut target, &head) {
                    target.write(&piece.data).await?;
                    hash.update(&piece.data);
                    request.offset += piece.data.len() as u64;
                    show(&head.file_name, request.offset, head.size_bytes);
                }
            }
            Ok(())
        };
        match once.await {
            Ok(()) => break,
            Err(error) => tries.again(request.offset, error).await?,
        }
    }
    let (Some(target), Some(head)) = (target, head) else {
        return Err(Error::internal("the coordinator did not say which version it sends"));
    };
    let found = hexadecimal(hash);
    if found != head.sha256 {
        let message =
            format!("what came has the SHA-256 {found}, {} has {}", request.name, head.sha256);
        return Err(Error::new(ErrorCode::Corrupt, message).help("download it again"));
    }
    let place = target.close().await?;
    match (place, options.output) {
        // Nothing else may be on standard output.
        (None, _) => Ok(()),
        (Some(_), OutputFormat::Json) => output::json(&head),
        (Some(path), OutputFormat::Table) => output::lines(&format!(
            "{} (version {}, {} bytes)",
            path.display(),
            head.number,
            head.size_bytes
        )),
    }
}

impl Target {
    async fn open(arguments: &Arguments, file_name: &str) -> Result<Self> {
        // Whatever a server says, it is a name in this folder.
        let own = Path::new(file_name).file_name().unwrap_or_default();
        let path = arguments.file.clone().unwrap_or_else(|| PathBuf::from(own));
        if path.as_os_str() == "-" {
            return Ok(Self { path: None, out: Box::new(tokio::io::stdout()), written: None });
        }
        if !arguments.force && path.exists() {
            let message = format!("{} is there already", path.display());
            return Err(Error::new(ErrorCode::AlreadyExists, message)
                .help("name another with --file, or write over it with --force"));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let failed = |error: std::io::Error| of_file(&path, &error);
        let (file, written) = tempfile::NamedTempFile::new_in(folder).map_err(failed)?.into_parts();
        let out = Box::new(File::from_std(file));
        Ok(Self { path: Some(path), out, written: Some(written) })
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        of_file(self.path.as_deref().unwrap_or(Path::new("standard output")), error)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self.out.write_all(bytes).await {
            Ok(()) => Ok(()),
            // Not passing: a full disk does not empty itself.
            Err(error) => {
                let message = self.failed(&error).to_string();
                Err(Error::new(ErrorCode::ResourceExhausted, message))
            }
        }
    }

    /// The file, which is there now.
    async fn close(mut self) -> Result<Option<PathBuf>> {
        if let Err(error) = self.out.flush().await {
            return Err(self.failed(&error));
        }
        if let (Some(path), Some(written)) = (&self.path, self.written.take()) {
            written.persist(path).map_err(|error| of_file(path, &error.error))?;
        }
        Ok(self.path)
    }
}
