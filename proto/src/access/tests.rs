//! The table of the shipped files, and files that the build refuses.

use prost::Message;

use super::*;
use crate::v1 as api;

fn shipped() -> BTreeMap<String, Method> {
    table(crate::DESCRIPTORS).unwrap()
}

/// Compiles one more file beside the shipped ones.
fn with(service: &str) -> Result<BTreeMap<String, Method>, String> {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "syntax = \"proto3\"; package tidegate.v1; import \"tidegate/v1/permission.proto\";
         import \"tidegate/internal/v1/peer.proto\"; message Nothing {{}} {service}"
    );
    std::fs::write(folder.path().join("more.proto"), text).unwrap();
    let shipped = env!("CARGO_MANIFEST_DIR");
    let mut compiler = protox::Compiler::new([folder.path(), shipped.as_ref()]).unwrap();
    compiler.include_imports(true).open_file("more.proto").unwrap();
    table(&compiler.encode_file_descriptor_set())
}

#[test]
fn every_method_says_who_may_call_it() {
    let methods = shipped();
    let start = &methods["/tidegate.v1.JobService/StartJob"];
    assert_eq!(start.access, Access::Permission("jobs.start".to_owned()));
    assert!(start.mutates() && !methods["/tidegate.v1.JobService/ListJobs"].mutates());
    let peer = |path: &str| methods[path].access.clone();
    assert_eq!(peer("/tidegate.internal.v1.Raft/Vote"), Access::Peer("coordinator".to_owned()));
    let attach = "/tidegate.internal.v1.WorkerService/Attach";
    assert_eq!(peer(attach), Access::Peer("worker".to_owned()));
    assert!(methods.len() > 30, "{}", methods.len());
}

#[test]
fn a_method_that_does_not_say_it_is_refused() {
    let rpc = "rpc Drop(Nothing) returns (Nothing)";
    let refused = |service: &str| with(service).unwrap_err();
    let error = refused(&format!("service More {{ {rpc}; }}"));
    assert_eq!(error, "tidegate.v1.More/Drop has no option tidegate.v1.permission");
    let error =
        refused(&format!("service More {{ {rpc} {{ option (permission) = \"Drop it\"; }} }}"));
    assert!(error.contains("'Drop it' is not a permission"), "{error}");
    let role = "option (tidegate.internal.v1.peer) = \"anybody\";";
    let error = refused(&format!("service More {{ {role} {rpc}; }}"));
    assert!(error.contains("'anybody' is no role"), "{error}");
    let both = "option (tidegate.internal.v1.peer) = \"worker\";";
    let error = refused(&format!(
        "service More {{ {both} {rpc} {{ option (permission) = \"things.drop\"; option (scope) = \"system\"; }} }}"
    ));
    assert!(error.contains("a permission and a role"), "{error}");
    let good = with(&format!(
        "service More {{ {rpc} {{ option (permission) = \"things.drop\"; option (scope) = \"system\"; }} }}"
    ));
    assert!(good.unwrap()["/tidegate.v1.More/Drop"].mutates());
}

#[test]
fn requests_say_what_they_are_about() {
    let methods = shipped();
    let about = |method: &str, request: Vec<u8>| {
        let subject = methods[&format!("/tidegate.v1.{method}")].subject(&request);
        (subject.resource, subject.request_id)
    };
    let start = api::StartJobRequest {
        name: "projects/p/jobs/j".into(),
        request_id: "r1".into(),
        ..Default::default()
    };
    let expected = ("projects/p/jobs/j".to_owned(), "r1".to_owned());
    assert_eq!(about("JobService/StartJob", start.encode_to_vec()), expected);
    let submit = api::SubmitJobRequest {
        parent: "projects/p".into(),
        job_id: "j".into(),
        request_id: "r1".into(),
        ..Default::default()
    };
    assert_eq!(about("JobService/SubmitJob", submit.encode_to_vec()), expected);
    let job = api::Job { name: "projects/p/jobs/j".into(), ..Default::default() };
    let update = api::UpdateJobRequest { job: Some(job), ..Default::default() };
    let (resource, _) = about("JobService/UpdateJob", update.encode_to_vec());
    assert_eq!(resource, "projects/p/jobs/j");
    let add = api::AddCoordinatorRequest { id: 4, address: "h:1".into() };
    let (resource, _) = about("ClusterService/AddCoordinator", add.encode_to_vec());
    assert_eq!(resource, "coordinators/4");
    assert_eq!(about("JobService/StartJob", b"\xff\xff".to_vec()).0, "");
}
