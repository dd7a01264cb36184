//! From a file to a resource.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::resource::Kind;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Tries, client, hexadecimal, of_file, show};
use crate::args::{ClientOptions, OutputFormat};
use crate::client::connection::answer;
use crate::client::output;

/// Bytes of a message.
const PIECE: usize = 1 << 20;
/// Messages that wait to be sent.
const WAITING: usize = 4;
/// How names of files of test data end that are no packages.
const DATA: [&str; 9] =
    [".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".avro", ".parquet", ".orc"];

/// Upload a package or test data, as a new resource or the next version of one. What breaks off goes on when the same
/// command is given again.
#[derive(Debug, Args)]
pub(in crate::client) struct Arguments {
    /// The file.
    file: PathBuf,
    /// Id of the resource; by default made of the file's name.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// What it is for; by default what the file's name says.
    #[arg(long, value_enum)]
    kind: Option<ResourceKind>,
    /// Where a new resource is shown, parts separated by `/`.
    #[arg(long, value_name = "FOLDER", default_value = "")]
    folder: String,
    /// What a new resource is.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
}

/// What a resource is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ResourceKind {
    /// Code: jar, zip, whl, tar.gz, wasm, py, js.
    Package,
    /// Rows: json, csv, avro, parquet, orc and the like.
    TestData,
}

/// Uploads a file.
pub(super) async fn run(options: &ClientOptions, arguments: &Arguments) -> Result<()> {
    let path = arguments.file.as_path();
    let (sha256, total) = digest(path).await?;
    let first = announcement(options, arguments, sha256, total)?;
    let name = format!("{}/uploads/{}", first.parent, first.upload_id);
    let mut tries = Tries::new();
    let uploaded = loop {
        let mut reached = tries.reached;
        let once = async {
            let mut client = client(options).await?;
            let progress = client.get_upload(api::GetUploadRequest { name: name.clone() }).await;
            reached = match answer(progress) {
                Ok(upload) => upload.received_bytes,
                Err(error) if error.code() == ErrorCode::NotFound => 0,
                Err(error) => return Err(error),
            };
            let (messages, sending) = mpsc::channel(WAITING);
            let read = read(path, first.clone(), reached, messages);
            let call = client.upload_resource(ReceiverStream::new(sending).fuse());
            let (read, answered) = tokio::join!(read, call);
            // An answer that came before the end says why.
            let answered = answer(answered)?;
            read.map(|()| answered)
        };
        match once.await {
            Ok(uploaded) => break uploaded,
            Err(error) => tries.again(reached, error).await?,
        }
    };
    if options.output == OutputFormat::Json {
        return output::json(&uploaded);
    }
    let name = uploaded.resource.map(|resource| resource.name).unwrap_or_default();
    let version = uploaded.version.unwrap_or_default();
    let api::resource::Version { number, format, size_bytes, sha256, .. } = version;
    output::lines(&format!(
        "{name} version {number} ({format}, {size_bytes} bytes, SHA-256 {sha256})"
    ))
}

fn announcement(
    options: &ClientOptions,
    arguments: &Arguments,
    sha256: String,
    total: u64,
) -> Result<api::UploadResourceRequest> {
    let file_name = arguments.file.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        let message = format!("{} has no name that is text", arguments.file.display());
        Error::new(ErrorCode::InvalidOption, message)
    })?;
    let kind = match arguments.kind {
        Some(ResourceKind::Package) => Kind::Package,
        Some(ResourceKind::TestData) => Kind::TestData,
        None => kind_of(file_name),
    };
    let resource_id = arguments.id.clone().unwrap_or_else(|| id_of(file_name));
    let short: String = resource_id.chars().take(40).collect();
    let upload_id = format!("{}-{}", short.trim_end_matches('-'), &sha256[..16]);
    Ok(api::UploadResourceRequest {
        parent: format!("projects/{}", options.project),
        resource_id,
        upload_id,
        kind: kind.into(),
        file_name: file_name.to_owned(),
        sha256,
        size_bytes: total,
        folder: arguments.folder.clone(),
        description: arguments.description.clone(),
        ..Default::default()
    })
}

/// What a file is for, by its name.
fn kind_of(file_name: &str) -> Kind {
    let name = file_name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match DATA.iter().any(|end| name.ends_with(end)) {
        true => Kind::TestData,
        false => Kind::Package,
    }
}

/// An id from a file's name: up to its first dot, with `-` for what ids do not have.
fn id_of(file_name: &str) -> String {
    let stem = file_name.trim_start_matches('.').split('.').next().unwrap_or_default();
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let id: String = stem.chars().map(plain).take(63).collect();
    id.trim_matches('-').to_owned()
}

/// SHA-256 and length of a file.
async fn digest(path: &Path) -> Result<(String, u64)> {
    let failed = |error: std::io::Error| of_file(path, &error);
    let mut file = File::open(path).await.map_err(failed)?;
    let (mut hash, mut total) = (Sha256::new(), 0);
    let mut buffer = vec![0; PIECE];
    loop {
        let count = file.read(&mut buffer).await.map_err(failed)?;
        if count == 0 {
            return Ok((hexadecimal(hash), total));
        }
        hash.update(&buffer[..count]);
        total += count as u64;
    }
}

/// Reads a file from an offset on into messages; ends early if nobody takes them any more.
async fn read(
    path: &Path,
    first: api::UploadResourceRequest,
    from: u64,
    messages: mpsc::Sender<api::UploadResourceRequest>,
) -> Result<()> {
    let failed = |error: std::io::Error| of_file(path, &error);
    let total = first.size_bytes;
    if messages.send(first).await.is_err() {
        return Ok(());
    }
    let mut file = File::open(path).await.map_err(failed)?;
    file.seek(std::io::SeekFrom::Start(from)).await.map_err(failed)?;
    let mut offset = from;
    let shown = path.display().to_string();
    loop {
        let mut data = Vec::with_capacity(PIECE);
        (&mut file).take(PIECE as u64).read_to_end(&mut data).await.map_err(failed)?;
        if data.is_empty() {
            return Ok(());
        }
        let count = data.len() as u64;
        let message = api::UploadResourceRequest { offset, data, ..Default::default() };
        if messages.send(message).await.is_err() {
            return Ok(());
        }
        offset += count;
        show(&shown, offset, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j8_ids_and_kinds_come_from_names() {
        assert_eq!(id_of("My UDF_1.2.jar"), "my-udf-1");
        assert_eq!(id_of(".hidden.csv"), "hidden");
        assert_eq!(id_of("é.csv"), "");
        for (name, kind) in [
            ("a.jar", Kind::Package),
            ("a.tar.gz", Kind::Package),
            ("A.CSV", Kind::TestData),
            ("a.json.gz", Kind::TestData),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }
}
