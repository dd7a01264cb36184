//! Uploading and downloading.

use std::time::Duration;

use tidegate_catalog::{Action, Quota, ServiceKind, TenancyAction};
use tidegate_proto::v1 as api;
use tokio_stream::StreamExt;
use tonic::Code;

use super::files::*;
use crate::cluster::Cluster;

async fn progress(client: &mut Client, id: &str) -> Option<u64> {
    let name = format!("projects/default/uploads/of-{id}");
    match client.get_upload(api::GetUploadRequest { name }).await {
        Ok(upload) => Some(upload.into_inner().received_bytes),
        Err(status) if status.code() == Code::NotFound => None,
        Err(status) => panic!("{status}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn j8_what_is_uploaded_is_downloaded_version_by_version() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(1).await;
    let contents = [rows(10 << 20, 1), rows(3_000, 2)];
    for (number, content) in (1..).zip(&contents) {
        let uploaded = upload(&mut client, "clicks", "clicks.jsonl", content).await.unwrap();
        let version = uploaded.version.unwrap();
        assert_eq!((version.number, version.format.as_str()), (number, "jsonl"));
        assert_eq!(version.size_bytes, content.len() as u64);
    }
    // The same once more makes no other version, and needs no bytes.
    let first = announce("clicks", "clicks.jsonl", &contents[1]);
    let again = client.upload_resource(tokio_stream::iter([first])).await.unwrap().into_inner();
    assert_eq!(again.resource.unwrap().versions.len(), 2);
    assert_eq!(download(&mut client, "clicks", 0, 0).await.unwrap(), contents[1]);
    assert_eq!(download(&mut client, "clicks", 1, 0).await.unwrap(), contents[0]);
    let from = 5_000_000;
    assert_eq!(
        download(&mut client, "clicks", 1, from).await.unwrap(),
        contents[0][from as usize..]
    );
    let end = contents[0].len() as u64;
    assert!(download(&mut client, "clicks", 1, end).await.unwrap().is_empty());
    assert_eq!(
        download(&mut client, "clicks", 1, end + 1).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(download(&mut client, "clicks", 9, 0).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(download(&mut client, "other", 0, 0).await.unwrap_err().code(), Code::NotFound);

    let list = |search: &str| api::ListResourcesRequest {
        parent: "projects/default".to_owned(),
        search: search.to_owned(),
        ..Default::default()
    };
    assert_eq!(client.list_resources(list("CLICK")).await.unwrap().into_inner().resources.len(), 1);
    assert!(client.list_resources(list("none")).await.unwrap().into_inner().resources.is_empty());
    let name = "projects/default/resources/clicks".to_owned();
    let mut resource = client
        .get_resource(api::GetResourceRequest { name: name.clone() })
        .await
        .unwrap()
        .into_inner();
    resource.description = "rows to try with".to_owned();
    let update =
        api::UpdateResourceRequest { resource: Some(resource.clone()), ..Default::default() };
    let updated = client.update_resource(update.clone()).await.unwrap().into_inner();
    assert_eq!(updated.description, "rows to try with");
    // With the etag of before.
    assert_eq!(reason(&client.update_resource(update).await.unwrap_err()), "CONFLICT");
    let delete = api::DeleteResourceRequest { name, version: 1, ..Default::default() };
    client.delete_resource(delete).await.unwrap();
    assert_eq!(download(&mut client, "clicks", 1, 0).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(download(&mut client, "clicks", 2, 0).await.unwrap(), contents[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn j8_an_upload_that_breaks_off_goes_on_at_another_coordinator() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let content = rows(14 << 20, 7);
    let first = announce("big", "big.jsonl", &content);
    // Ten pieces come and then nothing: the connection breaks.
    let sent: Vec<_> = std::iter::once(first.clone()).chain(pieces(&content, 0)).take(11).collect();
    let mut client = cluster.client(leader).await;
    let stream = tokio_stream::iter(sent).chain(tokio_stream::pending());
    let call = tokio::time::timeout(Duration::from_secs(600), client.upload_resource(stream));
    tokio::select! {
        answered = call => panic!("{answered:?}"),
        () = async {
            let mut other = cluster.client(leader % 3 + 1).await;
            while progress(&mut other, "big").await != Some(8 << 20) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        } => {}
    }
    drop(client);
    cluster.stop(leader).await;
    let other = *cluster.nodes.keys().next().unwrap();
    cluster.leader().await;
    let mut client = cluster.client(other).await;
    let there = progress(&mut client, "big").await.unwrap();
    assert_eq!(there, 8 << 20);
    // Another file under this id is refused, and does no harm.
    let foreign = rows(100, 9);
    let refused = send(&mut client, announce("big", "big.jsonl", &foreign), &foreign, 0).await;
    assert_eq!(refused.unwrap_err().code(), Code::AlreadyExists);
    // With a gap.
    let gap = send(&mut client, first.clone(), &content, (9 << 20) + 1).await.unwrap_err();
    assert!(gap.message().contains("are missing"), "{gap}");
    // Less than all: what makes whole parts is kept.
    let cut = &content[..13 << 20];
    let early = send(&mut client, first.clone(), cut, 8 << 20).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    assert!(early.message().contains(&format!("has {} of", 12 << 20)), "{early}");
    assert_eq!(progress(&mut client, "big").await, Some(12 << 20));
    // From before where it stands: what is there is skipped.
    let done = send(&mut client, first.clone(), &content, 7 << 20).await.unwrap();
    assert_eq!(done.version.unwrap().number, 1);
    assert_eq!(progress(&mut client, "big").await, None);
    // Whoever did not hear the answer asks again.
    let again = client.upload_resource(tokio_stream::iter([first])).await.unwrap().into_inner();
    assert_eq!(again.resource.unwrap().versions.len(), 1);
    assert_eq!(download(&mut client, "big", 0, 0).await.unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn j8_what_is_refused_leaves_no_upload() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(1).await;
    let content = rows(100, 1);
    // One in the other: each is small, what they unpack to is not.
    let zeros = zip("zeros", &vec![0; 96 << 20]);
    let bomb = zip("nested.zip", &zip("zeros", &zeros.repeat(1_000)));
    let flat = upload(&mut client, "flat", "flat.zip", &zeros).await.unwrap_err();
    assert_eq!(reason(&flat), "RESOURCE_EXHAUSTED");
    assert!(flat.message().contains("unpacks to more than 200 times"), "{flat}");
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    // What the inner archive unpacks to is not looked into: it stays packed.
    upload(&mut client, "nested", "nested.zip", &bomb).await.unwrap();
    let outward = upload(&mut client, "x", "x.zip", &zip("../x", b"x")).await.unwrap_err();
    assert!(outward.message().contains("leads out of the folder"), "{outward}");
    let wrong = upload(&mut client, "x", "x.jar", b"no jar").await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    let mut lie = announce("x", "x.jsonl", &content);
    lie.sha256 = "0".repeat(64);
    let lie = send(&mut client, lie, &content, 0).await.unwrap_err();
    assert!(lie.message().contains("announced was 0000"), "{lie}");
    let mut longer = content.clone();
    longer.extend(b"{}");
    let more = send(&mut client, announce("x", "x.jsonl", &content), &longer, 0).await.unwrap_err();
    assert!(more.message().contains("as announced"), "{more}");
    let name = "projects/default/uploads/of-x".to_owned();
    let cancel = api::CancelUploadRequest { name, ..Default::default() };
    client.cancel_upload(cancel.clone()).await.unwrap();
    assert_eq!(client.cancel_upload(cancel).await.unwrap_err().code(), Code::NotFound);
    let nothing = client.upload_resource(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let mut large = announce("x", "x.jsonl", &content);
    large.size_bytes = (1 << 30) + 1;
    assert_eq!(
        reason(&send(&mut client, large, &content, 0).await.unwrap_err()),
        "RESOURCE_EXHAUSTED"
    );
    let mut elsewhere = announce("x", "x.jsonl", &content);
    elsewhere.parent = "projects/none".to_owned();
    assert_eq!(send(&mut client, elsewhere, &content, 0).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(cluster.read(|catalog| catalog.uploads_of("default").count()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn j8_a_quota_is_kept() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(1).await;
    let quota = Quota { resource_bytes: 10_000, ..Quota::default() };
    let (project, service) = ("default".to_owned(), ServiceKind::DataManagement);
    let update = TenancyAction::UpdateService { project, service, etag: None, quota };
    cluster.propose(Action::Tenancy(update)).await;
    upload(&mut client, "a", "a.jsonl", &rows(6_000, 1)).await.unwrap();
    let over = upload(&mut client, "b", "b.jsonl", &rows(6_000, 2)).await.unwrap_err();
    assert_eq!(reason(&over), "QUOTA_EXCEEDED");
    assert!(over.message().contains("its quota is 10000"), "{over}");
    assert_eq!(cluster.files().len(), 1, "nothing of it was stored");
}
