//! Files to upload, and how that is done.

use std::io::{Cursor, Write};

use sha2::{Digest, Sha256};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::resource::Kind;
use tidegate_proto::v1::resource_service_client::ResourceServiceClient;
use tonic::Status;
use tonic::transport::Channel;

pub(crate) type Client = ResourceServiceClient<Channel>;

/// Bytes of a message.
pub(crate) const PIECE: usize = 1 << 20;

/// Text of about so many bytes that cannot be packed well.
pub(crate) fn rows(bytes: usize, seed: u32) -> Vec<u8> {
    let (mut text, mut n) = (Vec::with_capacity(bytes + 40), seed);
    while text.len() < bytes {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        writeln!(text, "{{\"id\":{n},\"name\":\"row {}\"}}", n >> 3).unwrap();
    }
    text
}

/// A zip archive of one entry.
pub(crate) fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

/// The first message of an upload.
pub(crate) fn announce(id: &str, file_name: &str, content: &[u8]) -> api::UploadResourceRequest {
    let package = [".zip", ".jar", ".wasm"].iter().any(|end| file_name.ends_with(end));
    let kind = if package { Kind::Package } else { Kind::TestData };
    api::UploadResourceRequest {
        parent: "projects/default".to_owned(),
        resource_id: id.to_owned(),
        upload_id: format!("of-{id}"),
        kind: kind.into(),
        file_name: file_name.to_owned(),
        sha256: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
        size_bytes: content.len() as u64,
        ..Default::default()
    }
}

/// Messages with what follows an offset.
pub(crate) fn pieces(content: &[u8], offset: usize) -> Vec<api::UploadResourceRequest> {
    let piece = |(number, data): (usize, &[u8])| api::UploadResourceRequest {
        offset: (offset + number * PIECE) as u64,
        data: data.to_vec(),
        ..Default::default()
    };
    content[offset..].chunks(PIECE).enumerate().map(piece).collect()
}

/// Uploads what follows an offset.
pub(crate) async fn send(
    client: &mut Client,
    first: api::UploadResourceRequest,
    content: &[u8],
    offset: usize,
) -> Result<api::UploadResourceResponse, Status> {
    let messages: Vec<_> = std::iter::once(first).chain(pieces(content, offset)).collect();
    client.upload_resource(tokio_stream::iter(messages)).await.map(tonic::Response::into_inner)
}

/// Uploads a whole file.
pub(crate) async fn upload(
    client: &mut Client,
    id: &str,
    file_name: &str,
    content: &[u8],
) -> Result<api::UploadResourceResponse, Status> {
    send(client, announce(id, file_name, content), content, 0).await
}

/// Downloads a version from an offset on.
pub(crate) async fn download(
    client: &mut Client,
    id: &str,
    version: u64,
    offset: u64,
) -> Result<Vec<u8>, Status> {
    let name = format!("projects/default/resources/{id}");
    let request = api::DownloadResourceRequest { name, version, offset };
    let mut stream = client.download_resource(request).await?.into_inner();
    let mut content = Vec::new();
    while let Some(piece) = stream.message().await? {
        assert_eq!(piece.offset, offset + content.len() as u64);
        content.extend(piece.data);
    }
    Ok(content)
}

/// Reason of an error, as machines read it.
pub(crate) fn reason(status: &Status) -> String {
    use tonic_types::StatusExt;
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}
