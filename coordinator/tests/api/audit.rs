//! Audit records that are sealed: found and exported as if they were still there, and not altered without notice.

use std::path::PathBuf;

use tidegate_catalog::{Action, AuditAction, Call, Origin, Outcome};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::audit_service_client::AuditServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::cluster::Cluster;

/// Records of one command.
const BATCH: usize = 1_000;

/// Records that are the same in every cluster.
async fn record(cluster: &Cluster, from: usize, count: usize) {
    for batch in (from..from + count).collect::<Vec<_>>().chunks(BATCH) {
        let call = |n: &usize| Call {
            origin: Origin {
                call: format!("call-{n}"),
                principal: format!("tenants/default/users/u{}", n % 7),
                method: "tidegate.v1.JobService/StartJob".to_owned(),
                resource: format!("projects/default/jobs/j{n}"),
                request_id: String::new(),
                address: "10.0.0.1:1".to_owned(),
            },
            outcome: Outcome::Denied,
            reason: "PERMISSION_DENIED".to_owned(),
            left_out: 0,
        };
        let calls = batch.iter().map(call).collect();
        let action = Action::Audit(AuditAction::Record { calls });
        // Later than anything else that happens here.
        cluster.propose_at(9_000_000_000_000 + batch[0] as i64, action).await;
    }
}

async fn sealed(cluster: &Cluster, segments: usize) {
    cluster.until("records are sealed", |c| c.audit_segments().len() == segments).await;
}

async fn client(cluster: &Cluster) -> AuditServiceClient<Channel> {
    AuditServiceClient::new(cluster.channel(1).await)
}

async fn list(
    client: &mut AuditServiceClient<Channel>,
    request: api::ListAuditRecordsRequest,
) -> Result<Vec<u64>, Status> {
    let mut request = api::ListAuditRecordsRequest { parent: "system".into(), ..request };
    let mut numbers = Vec::new();
    loop {
        let page = client.list_audit_records(request.clone()).await?.into_inner();
        numbers.extend(page.records.iter().map(|record| record.number));
        if page.next_page_token.is_empty() {
            return Ok(numbers);
        }
        request.page_token = page.next_page_token;
    }
}

async fn export(
    client: &mut AuditServiceClient<Channel>,
    from: u64,
    limit: u64,
) -> Result<Vec<api::AuditRecord>, Status> {
    let request = api::ExportAuditRecordsRequest { from, limit };
    let mut stream = client.export_audit_records(request).await?.into_inner();
    let mut records = Vec::new();
    while let Some(record) = stream.message().await? {
        records.push(record);
    }
    Ok(records)
}

fn segments(cluster: &Cluster) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(cluster.shared("_audit")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_records_are_listed_and_exported_as_before() {
    let cluster = Cluster::start(1).await;
    record(&cluster, 0, 10_000).await;
    assert!(!cluster.shared("_audit").exists());
    record(&cluster, 10_000, 7_000).await;
    sealed(&cluster, 2).await;
    assert_eq!(cluster.read(|c| (c.audit_len(), c.last_audit().0)).await, (7_000, 17_000));
    let mut client = client(&cluster).await;
    let all: Vec<u64> = (1..=17_000).collect();
    let exported = export(&mut client, 0, 0).await.unwrap();
    assert!(exported.iter().map(|record| record.number).eq(all.iter().copied()));
    // Within a segment, over the border of two, and over that to the catalog.
    for (from, limit) in [(3, 10), (4_990, 20), (9_990, 1_000), (16_999, 0)] {
        let some = export(&mut client, from, limit).await.unwrap();
        let to = if limit == 0 { 17_000 } else { from + limit - 1 };
        assert_eq!(some, exported[from as usize - 1..to as usize], "{from}, {limit}");
    }
    let every = api::ListAuditRecordsRequest { page_size: 1_000, ..Default::default() };
    let listed = list(&mut client, every).await.unwrap();
    assert!(listed.iter().rev().copied().eq(all.iter().copied()));
    // Few of many: records 5, 12, … are of this one, of all of which none is left out.
    let of_one = api::ListAuditRecordsRequest {
        page_size: 333,
        principal: "tenants/default/users/u4".to_owned(),
        ..Default::default()
    };
    let wanted: Vec<u64> = all.iter().rev().copied().filter(|n| (n - 1) % 7 == 4).collect();
    assert_eq!(list(&mut client, of_one).await.unwrap(), wanted);
    let one = api::ListAuditRecordsRequest {
        resource_prefix: "projects/default/jobs/j123".to_owned(),
        ..Default::default()
    };
    let found = list(&mut client, one).await.unwrap();
    // j123, j1230 to j1239, j12300 to j12399.
    assert_eq!(found.len(), 111);
    assert_eq!(found.last(), Some(&124));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_is_found_out_and_named() {
    let cluster = Cluster::start(1).await;
    record(&cluster, 0, 16_000).await;
    sealed(&cluster, 2).await;
    let mut client = client(&cluster).await;
    let files = segments(&cluster);
    let whole = std::fs::read(&files[0]).unwrap();
    let text = String::from_utf8(zstd::decode_all(whole.as_slice()).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let forged = text.replacen("users/u3", "users/u4", 1);
    let dropped = [&lines[..100], &lines[101..]].concat().join("\n");
    let shorter = lines[..4_000].join("\n");
    let name = files[0].file_name().unwrap().to_str().unwrap();
    let altered = [
        (zstd::encode_all(forged.as_bytes(), 1).unwrap(), "record 4 does not have the hash"),
        (zstd::encode_all(dropped.as_bytes(), 1).unwrap(), "record 101 is missing"),
        (zstd::encode_all(shorter.as_bytes(), 1).unwrap(), "ends before record 5000"),
        (whole[..whole.len() / 2].to_vec(), "not as they were sealed"),
        (std::fs::read(&files[1]).unwrap(), "record 1 is missing"),
    ];
    for (bytes, why) in altered {
        std::fs::write(&files[0], bytes).unwrap();
        let error = export(&mut client, 1, 0).await.unwrap_err();
        assert_eq!(error.code(), Code::DataLoss, "{error}");
        assert!(error.message().contains(name) && error.message().contains(why), "{error}");
        let everything = api::ListAuditRecordsRequest { page_size: 1_000, ..Default::default() };
        let error = list(&mut client, everything).await.unwrap_err();
        assert!(error.message().contains(name), "{error}");
        // What is not in it is read all the same.
        assert_eq!(export(&mut client, 5_001, 0).await.unwrap().len(), 11_000);
    }
    std::fs::remove_file(&files[0]).unwrap();
    let error = export(&mut client, 1, 0).await.unwrap_err();
    assert!(error.message().contains("it is not there"), "{error}");
    std::fs::write(&files[0], &whole).unwrap();
    assert_eq!(export(&mut client, 1, 0).await.unwrap().len(), 16_000);
}

/// A leader may end before it has written all of a segment, and before it has said that it did.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_ends_before_it_seals_does_no_harm() {
    let first = Cluster::start(1).await;
    record(&first, 0, 10_500).await;
    sealed(&first, 1).await;
    let written = segments(&first);
    assert_eq!(written.len(), 1);
    let (name, bytes) = (written[0].file_name().unwrap(), std::fs::read(&written[0]).unwrap());

    for left in [bytes.clone(), bytes[..bytes.len() / 2].to_vec(), Vec::new()] {
        let next = Cluster::start(1).await;
        std::fs::create_dir_all(next.shared("_audit")).unwrap();
        std::fs::write(next.shared("_audit").join(name), &left).unwrap();
        record(&next, 0, 10_500).await;
        sealed(&next, 1).await;
        // What was whole is used; beside what was not there is another.
        let files = segments(&next);
        assert_eq!(files.len(), if left == bytes { 1 } else { 2 });
        let whole = files.iter().filter(|file| std::fs::read(file).unwrap() == bytes).count();
        assert_eq!(whole, 1);
        let exported = export(&mut client(&next).await, 0, 0).await.unwrap();
        assert_eq!(exported.len(), 10_500);
    }
}
