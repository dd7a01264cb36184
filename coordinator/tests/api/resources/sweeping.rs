//! What is kept once, and what is swept away.

use std::time::Duration;

use tidegate_catalog::Action;
use tidegate_proto::v1 as api;

use super::files::*;
use crate::cluster::Cluster;

const HOUR: Duration = Duration::from_secs(3_600);

async fn delete(client: &mut Client, id: &str) {
    let name = format!("projects/default/resources/{id}");
    let delete = api::DeleteResourceRequest { name, ..Default::default() };
    client.delete_resource(delete).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn j8_the_same_bytes_are_kept_once_and_go_with_the_last_name() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(1).await;
    let content = rows(5 << 20, 3);
    for id in ["one", "two"] {
        upload(&mut client, id, "x.jsonl", &content).await.unwrap();
    }
    assert_eq!(cluster.files().len(), 4);
    cluster.turn(2 * HOUR);
    cluster.until("the second copy is gone", |c| c.resource_garbage_len() == 0).await;
    assert_eq!(cluster.files().len(), 2);
    delete(&mut client, "one").await;
    cluster.turn(2 * HOUR);
    assert_eq!(download(&mut client, "two", 0, 0).await.unwrap(), content);
    delete(&mut client, "two").await;
    assert_eq!(cluster.files().len(), 2, "downloads may still read it");
    cluster.turn(2 * HOUR);
    cluster.until("the bytes are gone", |c| c.resource_garbage_len() == 0).await;
    assert!(cluster.files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn j8_other_tenants_have_bytes_of_their_own() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(1).await;
    let tenant = Action::CreateTenant { tenant: "b".to_owned(), description: String::new() };
    cluster.propose(tenant).await;
    let create = Action::CreateProject {
        project: "theirs".to_owned(),
        tenant: "b".to_owned(),
        description: String::new(),
        services: None,
    };
    cluster.propose(create).await;
    let content = rows(1_000, 3);
    upload(&mut client, "one", "x.jsonl", &content).await.unwrap();
    let mut theirs = announce("one", "x.jsonl", &content);
    theirs.parent = "projects/theirs".to_owned();
    send(&mut client, theirs, &content, 0).await.unwrap();
    delete(&mut client, "one").await;
    cluster.turn(2 * HOUR);
    cluster.until("the bytes are gone", |c| c.resource_garbage_len() == 0).await;
    let files = cluster.files();
    assert_eq!(files.len(), 1);
    assert!(files[0].to_string_lossy().contains("/_resources/b/"), "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn j8_uploads_that_nobody_completes_go_with_their_bytes() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(1).await;
    let content = rows(5 << 20, 3);
    let early = send(&mut client, announce("x", "x.jsonl", &content), &content[..(4 << 20) + 1], 0);
    early.await.unwrap_err();
    assert_eq!(cluster.files().len(), 1);
    cluster.turn(25 * HOUR);
    cluster.until("it is given up", |c| c.uploads_of("default").next().is_none()).await;
    cluster.turn(2 * HOUR);
    cluster.until("the bytes are gone", |c| c.resource_garbage_len() == 0).await;
    assert!(cluster.files().is_empty());
}
