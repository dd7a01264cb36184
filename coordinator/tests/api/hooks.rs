//! Hooks: told by a worker, signed, again until they listen, also by the next leader.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_catalog::{
    Action, DataPermission, GrantAction, Grantee, Rights, TableAction, TableDefinition, TableName,
};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::worker_service_client::WorkerServiceClient;
use tidegate_proto::v1 as api;
use tidegate_proto::v1::hook_service_client::HookServiceClient;
use tidegate_security::signature::hmac_sha256;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::cluster::Cluster;

const SECRET: &str = "canary-5f1d2c-secret";

/// A worker that answers posts as it is told to, and nothing else.
struct Poster {
    posts: Arc<Mutex<Vec<wire::probe::Post>>>,
    status: Arc<Mutex<u32>>,
    task: JoinHandle<()>,
}

impl Poster {
    async fn attach(cluster: &Cluster, status: u32) -> Self {
        let (posts, status) = (Arc::default(), Arc::new(Mutex::new(status)));
        let mut client = WorkerServiceClient::new(cluster.channel(cluster.leader().await).await);
        let (outgoing, messages) = mpsc::channel(8);
        let register = wire::Register {
            worker: "poster".to_owned(),
            incarnation: 1,
            shuffle_address: "127.0.0.1:1".to_owned(),
            slots: 1,
            ..Default::default()
        };
        let say = |message| wire::WorkerMessage { message: Some(message) };
        use wire::worker_message::Message;
        outgoing.send(say(Message::Register(register))).await.unwrap();
        let mut commands = client.attach(ReceiverStream::new(messages)).await.unwrap().into_inner();
        let (kept, answered): (Arc<Mutex<Vec<wire::probe::Post>>>, _) =
            (Arc::clone(&posts), status.clone());
        let task = tokio::spawn(async move {
            while let Some(Ok(command)) = commands.next().await {
                let Some(wire::worker_command::Command::Probe(probe)) = command.command else {
                    continue;
                };
                let Some(wire::probe::What::Post(post)) = probe.what else { continue };
                kept.lock().unwrap().push(post);
                let status = *answered.lock().unwrap();
                let posted = wire::Posted { status, detail: "said".to_owned() };
                let answer = wire::Answer {
                    request: probe.request,
                    result: Some(wire::answer::Result::Posted(posted)),
                };
                if outgoing.send(say(Message::Answer(answer))).await.is_err() {
                    return;
                }
            }
        });
        Self { posts, status, task }
    }

    async fn until(&self, count: usize) -> Vec<wire::probe::Post> {
        for _ in 0..400 {
            let posts = self.posts.lock().unwrap().clone();
            if posts.len() >= count {
                return posts;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("told only {} times", self.posts.lock().unwrap().len());
    }
}

fn hook(secret: &str) -> api::Hook {
    api::Hook {
        url: "https://chat.example/in".to_owned(),
        events: vec!["grant.given".to_owned(), "grant.revoked".to_owned()],
        secret: secret.to_owned(),
        ..Default::default()
    }
}

async fn create(
    client: &mut HookServiceClient<Channel>,
    id: &str,
    hook: api::Hook,
) -> Result<api::Hook, Status> {
    let request = api::CreateHookRequest {
        parent: "tenants/default".to_owned(),
        hook_id: id.to_owned(),
        hook: Some(hook),
        ..Default::default()
    };
    client.create_hook(request).await.map(tonic::Response::into_inner)
}

async fn deliveries(client: &mut HookServiceClient<Channel>, id: &str) -> Vec<api::Delivery> {
    let name = format!("tenants/default/hooks/{id}");
    let request = api::ListDeliveriesRequest { name, ..Default::default() };
    client.list_deliveries(request).await.unwrap().into_inner().deliveries
}

/// Two projects with a table in the first.
async fn world(cluster: &Cluster) {
    for project in ["p", "q"] {
        let create = Action::CreateProject {
            project: project.to_owned(),
            tenant: "default".to_owned(),
            description: String::new(),
            services: None,
        };
        cluster.propose(create).await;
    }
    let create = TableAction::CreateTable {
        table: table(),
        kind: "kafka".to_owned(),
        description: String::new(),
        tags: BTreeSet::new(),
        owner: "tenants/default/users/ann".to_owned(),
        definition: Box::new(TableDefinition {
            columns: vec![tidegate_catalog::Column {
                name: "a".to_owned(),
                ty: "STRING".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        design: None,
    };
    cluster.propose(Action::Table(Box::new(create))).await;
}

fn table() -> TableName {
    TableName::new("p", "default", "clicks").unwrap()
}

async fn grant(cluster: &Cluster) {
    let give = GrantAction::Give {
        table: table(),
        grantee: Grantee::Project("q".to_owned()),
        rights: Rights {
            permissions: BTreeSet::from([DataPermission::Select]),
            columns: None,
            expires_ms: None,
        },
        creator: "tenants/default/users/ann".to_owned(),
    };
    cluster.propose(Action::Grant(give)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_told_signed_and_again_until_they_listen() {
    let cluster = Cluster::start(1).await;
    world(&cluster).await;
    let mut client = HookServiceClient::new(cluster.channel(1).await);
    let made = create(&mut client, "chat", hook(SECRET)).await.unwrap();
    assert!(made.has_secret && !made.disabled);
    assert!(!format!("{made:?}").contains(SECRET));
    grant(&cluster).await;
    // Without a worker it waits, and that is nobody's attempt.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waiting = deliveries(&mut client, "chat").await;
    assert_eq!((waiting[0].attempts, waiting[0].state), (0, api::delivery::State::Pending.into()));

    let poster = Poster::attach(&cluster, 503).await;
    let posts = poster.until(1).await;
    cluster
        .until("it is known", |c| c.due_deliveries(i64::MAX - 1).any(|(d, _)| d.attempts == 1))
        .await;
    assert_eq!(deliveries(&mut client, "chat").await[0].detail, "503 said");
    *poster.status.lock().unwrap() = 204;
    cluster.turn(Duration::from_secs(10));
    cluster.until("it was taken", |c| c.due_deliveries(i64::MAX - 1).next().is_none()).await;
    let told = &deliveries(&mut client, "chat").await[0];
    assert_eq!((told.attempts, told.state), (2, api::delivery::State::Delivered.into()));
    let again = poster.until(2).await;
    for post in [&posts[0], &again[1]] {
        assert_eq!(post.url, "https://chat.example/in");
        let header = |name: &str| post.headers.get(name).cloned().unwrap_or_default();
        assert_eq!(header("tidegate-delivery"), "1");
        assert_eq!(header("tidegate-event"), "grant.given");
        let body = String::from_utf8(post.body.clone()).unwrap();
        assert_eq!(body, told.body);
        let parts: BTreeMap<String, String> = header("tidegate-signature")
            .split(',')
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(parts["v1"], hmac_sha256(SECRET, &format!("{}.{body}", parts["t"])));
        assert!(body.contains("\"grantee\":\"projects/q\""), "{body}");
        assert!(!format!("{post:?}").contains(SECRET), "the secret stays here");
    }
    let stored = cluster.read(|catalog| catalog.encode()).await;
    assert!(!String::from_utf8_lossy(&stored).contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_leader_tells_what_was_not_told() {
    let mut cluster = Cluster::start(3).await;
    world(&cluster).await;
    let leader = cluster.leader().await;
    let mut client = HookServiceClient::new(cluster.channel(leader).await);
    create(&mut client, "chat", hook("")).await.unwrap();
    // The worker has heard it, and is gone before it says so.
    let poster = Poster::attach(&cluster, 204).await;
    poster.task.abort();
    grant(&cluster).await;
    cluster.stop(leader).await;
    cluster.leader().await;
    let poster = Poster::attach(&cluster, 204).await;
    let posts = poster.until(1).await;
    assert_eq!(posts[0].headers["tidegate-delivery"], "1");
    assert!(!posts[0].headers.contains_key("tidegate-signature"));
    cluster.until("it was taken", |c| c.due_deliveries(i64::MAX - 1).next().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_changed_and_refused() {
    let cluster = Cluster::start(1).await;
    let mut client = HookServiceClient::new(cluster.channel(1).await);
    let code = |result: Result<api::Hook, Status>| result.unwrap_err().code();
    let bad = |spoil: fn(&mut api::Hook)| {
        let mut hook = hook("");
        spoil(&mut hook);
        hook
    };
    for spoil in [
        (|hook| hook.url = "file:///etc/passwd".to_owned()) as fn(&mut api::Hook),
        |hook| hook.url = "https://ann:x@chat.example/".to_owned(),
        |hook| hook.events.clear(),
        |hook| hook.events.push("everything".to_owned()),
        |hook| hook.secret = "short".to_owned(),
    ] {
        assert_eq!(code(create(&mut client, "chat", bad(spoil)).await), Code::InvalidArgument);
    }
    let elsewhere = bad(|hook| hook.only_project = "projects/none".to_owned());
    assert_eq!(code(create(&mut client, "chat", elsewhere).await), Code::NotFound);
    let made = create(&mut client, "chat", hook(SECRET)).await.unwrap();
    assert_eq!(code(create(&mut client, "chat", hook("")).await), Code::AlreadyExists);
    // What is not given stays, the secret too.
    let mut changed = made.clone();
    changed.description = "the chat".to_owned();
    let update = api::UpdateHookRequest { hook: Some(changed), ..Default::default() };
    let updated = client.update_hook(update.clone()).await.unwrap().into_inner();
    assert!(updated.has_secret && updated.description == "the chat");
    assert_eq!(
        code(client.update_hook(update).await.map(tonic::Response::into_inner)),
        Code::Aborted
    );
    let none = api::UpdateHookRequest {
        hook: Some(api::Hook { name: made.name.clone(), disabled: true, ..Default::default() }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["secret".to_owned(), "disabled".to_owned()],
        }),
        ..Default::default()
    };
    let updated = client.update_hook(none).await.unwrap().into_inner();
    assert!(!updated.has_secret && updated.disabled && updated.url == made.url);
    let parent = "tenants/default".to_owned();
    let list = api::ListHooksRequest { parent, ..Default::default() };
    assert_eq!(client.list_hooks(list).await.unwrap().into_inner().hooks, [updated]);
    let delete = api::DeleteHookRequest { name: made.name.clone(), ..Default::default() };
    client.delete_hook(delete).await.unwrap();
    let get = api::GetHookRequest { name: made.name };
    assert_eq!(client.get_hook(get).await.unwrap_err().code(), Code::NotFound);
}
