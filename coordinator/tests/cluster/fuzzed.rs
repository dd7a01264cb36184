//! Random requests to every method of the public API: whatever they say, the answer is no internal error, and nothing
//! panics.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    MethodDescriptor, Value,
};
use tidegate_coordinator::CheckpointFolders;
use tidegate_coordinator::raft::NodeOptions;
use tidegate_coordinator::raft::network::TcpConnector;
use tidegate_coordinator::service::{Coordinator, CoordinatorOptions, Formation, Security};
use tidegate_proto::dynamic::DynamicCodec;
use tidegate_runtime::SystemClock;
use tidegate_security::envelope::Keyring;
use tokio::net::TcpListener;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// Requests per method.
const ROUNDS: usize = 40;
/// Longest call; streams that go on are let go.
const PATIENCE: Duration = Duration::from_secs(3);
/// Names and tokens that were answered and are asked with again.
const REMEMBERED: usize = 400;

/// A small generator (SplitMix64): the same seed gives the same requests.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// Makes requests, and remembers what was answered.
struct Fuzzer {
    random: Seeded,
    known: Vec<String>,
    /// Whether this request is to get far: plain words, small numbers.
    plain: bool,
}

const SCRIPT: &str = "CREATE TABLE a (x INT) WITH ('connector' = 'datagen'); CREATE TABLE b (x INT) WITH ('connector' = 'blackhole'); INSERT INTO b SELECT x FROM a;";

const NAMES: &[&str] = &[
    "projects/default",
    "tenants/default",
    "projects/p1",
    "tenants/t1",
    "projects/default/jobs/j1",
    "projects/default/jobs/j1/versions/1",
    "projects/default/jobs/j1/runs/1",
    "projects/default/dataSources/d1",
    "projects/default/databases/default",
    "projects/default/databases/-",
    "projects/default/databases/default/tables/t1",
    "projects/default/grants/1",
    "projects/default/services/stream-compute",
    "tenants/default/approvals/1",
    "tenants/default/users/u1",
    "tenants/default/serviceAccounts/s1",
    "operations/1",
    "workers/w1",
    "sessions/1",
    "projects/default/savepoints/s1",
    "projects/../jobs/x",
    "projects//jobs/",
    "/",
    "projects/ä/jobs/ö",
];

const TEXTS: &[&str] = &[
    "",
    "x",
    "d1",
    "t1",
    "kafka",
    "mysql",
    "select",
    "18446744073709551615",
    "-1",
    "0",
    "me",
    "BIGINT NOT NULL",
    "DECIMAL(99, 98)",
    "INSERT INTO b SELECT x FROM a",
    SCRIPT,
    "SELECT ((((((((((((((((((((1",
    "\u{0}\u{1}\u{7f}",
    "日本語 ١٢٣ 🦀",
    "' OR 1=1; --",
    "../../etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "page:AAAA",
    "{\"a\":",
];

impl Fuzzer {
    fn text(&mut self, field: &FieldDescriptor) -> String {
        let name = field.name();
        if self.plain {
            let words: &[&str] = match name {
                "etag" | "page_token" | "request_id" | "search" => &[""],
                "parent" => &["projects/default", "tenants/default", "projects/default/jobs/j1"],
                "name" => return self.named(),
                "type" => &["kafka", "mysql", "filesystem"],
                "sql" => &[SCRIPT],
                "password" | "new_password" => &["Battery-staple-42"],
                _ => &["x", "j1", "select", "tenants/default/users/u1"],
            };
            return self.random.pick(words).to_owned();
        }
        if name.ends_with("_id") && self.random.below(3) > 0 {
            return self.random.pick(&["j1", "d1", "t1", "u1", "p1", "s1"]).to_owned();
        }
        match self.random.below(12) {
            0..=4 if !self.known.is_empty() => {
                let at = self.random.below(self.known.len());
                self.known[at].clone()
            }
            0..=7 => self.random.pick(NAMES).to_owned(),
            8 => "x".repeat(self.random.below(70_000)),
            _ => self.random.pick(TEXTS).to_owned(),
        }
    }

    fn named(&mut self) -> String {
        match self.known.len() {
            0 => self.random.pick(NAMES).to_owned(),
            count => self.known[self.random.below(count)].clone(),
        }
    }

    fn number(&mut self) -> i64 {
        if self.plain {
            return self.random.below(4) as i64;
        }
        const NUMBERS: [i64; 12] =
            [0, 1, 2, 10, 100, 4_096, -1, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN, 7];
        NUMBERS[self.random.below(NUMBERS.len())]
    }

    fn single(&mut self, field: &FieldDescriptor, kind: &Kind, depth: usize) -> Value {
        match kind {
            Kind::Bool => Value::Bool(self.random.below(2) == 0),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.number() as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.number()),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.number() as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.number() as u64),
            Kind::Float => Value::F32(f32::NAN),
            Kind::Double => Value::F64(self.number() as f64),
            Kind::String => Value::String(self.text(field)),
            Kind::Bytes => Value::Bytes(vec![7; self.random.below(5_000)].into()),
            Kind::Enum(_) if self.plain => Value::EnumNumber(self.random.below(3) as i32),
            Kind::Enum(_) => Value::EnumNumber([0, 1, 2, 3, 4, 99, -5][self.random.below(7)]),
            Kind::Message(message) => Value::Message(self.message(message, depth + 1)),
        }
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        if depth > 5 {
            return message;
        }
        for field in descriptor.fields() {
            if self.random.below(4) == 0 {
                continue;
            }
            let kind = field.kind();
            let value = match (field.is_map(), field.cardinality()) {
                (true, _) => {
                    let Kind::Message(entry) = &kind else { continue };
                    let of = entry.map_entry_value_field();
                    let pairs = (0..self.random.below(4)).map(|_| {
                        let key = self.random.pick(&["password", "host", "format", "k", ""]);
                        (MapKey::String(key.to_owned()), self.single(&of, &of.kind(), depth))
                    });
                    Value::Map(pairs.collect())
                }
                (false, Cardinality::Repeated) => {
                    let items =
                        (0..self.random.below(4)).map(|_| self.single(&field, &kind, depth));
                    Value::List(items.collect())
                }
                (false, _) => self.single(&field, &kind, depth),
            };
            message.set_field(&field, value);
        }
        message
    }

    /// Remembers names, etags and tokens.
    fn remember(&mut self, message: &DynamicMessage) {
        for (field, value) in message.fields() {
            match value {
                Value::String(text) if !text.is_empty() && text.len() < 200 => {
                    let wanted = ["name", "etag", "next_page_token", "table", "upload"];
                    if wanted.contains(&field.name()) && self.known.len() < REMEMBERED {
                        self.known.push(text.clone());
                    }
                }
                Value::Message(inner) => self.remember(inner),
                Value::List(items) => {
                    items.iter().filter_map(Value::as_message).for_each(|item| self.remember(item));
                }
                _ => {}
            }
        }
    }
}

/// Calls a method, whichever way it streams; what was answered first.
async fn call(
    channel: &Channel,
    method: &MethodDescriptor,
    requests: Vec<DynamicMessage>,
) -> Result<Option<DynamicMessage>, Status> {
    let mut client = Grpc::new(channel.clone());
    let unavailable = |error| Status::unavailable(format!("not ready: {error}"));
    client.ready().await.map_err(unavailable)?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path.parse().unwrap();
    let codec = DynamicCodec(method.output());
    let first = requests[0].clone();
    let stream = tokio_stream::iter(requests);
    match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => {
            let answer = client.unary(Request::new(first), path, codec).await?;
            Ok(Some(answer.into_inner()))
        }
        (false, true) => {
            let answer = client.server_streaming(Request::new(first), path, codec).await?;
            answer.into_inner().message().await
        }
        (true, false) => {
            let answer = client.client_streaming(Request::new(stream), path, codec).await?;
            Ok(Some(answer.into_inner()))
        }
        (true, true) => {
            let answer = client.streaming(Request::new(stream), path, codec).await?;
            answer.into_inner().message().await
        }
    }
}

async fn coordinator(folder: &std::path::Path) -> Coordinator {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let keyring = Keyring::parse(&Keyring::line("k1", &[7; 32])).unwrap();
    let options = CoordinatorOptions {
        node: NodeOptions::new(1, "fuzzed"),
        formation: Formation::Initial(BTreeMap::from([(1, address)])),
        data: folder.join("data"),
        folders: CheckpointFolders {
            checkpoints: Some(folder.join("checkpoints").display().to_string()),
            savepoints: None,
        },
        security: Security { open: true, keyring: Some(keyring), ..Security::default() },
    };
    let (connector, clock) = (Arc::new(TcpConnector::default()), SystemClock::shared());
    Coordinator::start(options, listener, connector, clock).await.unwrap()
}

#[test]
fn random_requests_to_every_method_are_answered_without_internal_errors() {
    let panics: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = panics.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        seen.lock().unwrap().push(panic.to_string());
        before(panic);
    }));
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let codes = runtime.block_on(async {
        let coordinator = coordinator(folder.path()).await;
        let address = format!("http://{}", coordinator.address());
        let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
        let pool = DescriptorPool::decode(tidegate_proto::DESCRIPTORS).unwrap();
        let mut fuzzer = Fuzzer { random: Seeded(0x7ade_9a7e), known: Vec::new(), plain: false };
        let mut codes: BTreeMap<String, usize> = BTreeMap::new();
        let methods: Vec<MethodDescriptor> = pool
            .services()
            .filter(|service| service.full_name().starts_with("tidegate.v1."))
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .collect();
        for round in 0..ROUNDS {
            for method in &methods {
                // Each takes seconds to find out that nobody is there.
                if method.name() == "AddCoordinator" && round > 0 {
                    continue;
                }
                fuzzer.plain = round % 2 == 1;
                let count =
                    if method.is_client_streaming() { fuzzer.random.below(3) + 1 } else { 1 };
                let requests: Vec<DynamicMessage> =
                    (0..count).map(|_| fuzzer.message(&method.input(), 0)).collect();
                let shown = format!(
                    "{:?}",
                    requests.iter().map(Message::encode_to_vec).collect::<Vec<_>>()
                );
                let Ok(answer) =
                    tokio::time::timeout(PATIENCE, call(&channel, method, requests)).await
                else {
                    continue;
                };
                let code = match answer {
                    Ok(answer) => {
                        answer.iter().for_each(|message| fuzzer.remember(message));
                        Code::Ok
                    }
                    Err(status) => {
                        let bad = [Code::Internal, Code::Unknown, Code::DataLoss];
                        assert!(
                            !bad.contains(&status.code()),
                            "round {round}, {}: {status}: {:.400}",
                            method.full_name(),
                            shown
                        );
                        status.code()
                    }
                };
                *codes.entry(format!("{code:?}")).or_default() += 1;
            }
        }
        assert!(methods.len() > 100, "only {} methods", methods.len());
        codes
    });
    // What still waits for others is let go.
    runtime.shutdown_background();
    println!("answers by code: {codes:?}");
    let panics = panics.lock().unwrap().clone();
    assert!(panics.is_empty(), "{panics:?}");
    assert!(codes.get("Ok").is_some_and(|count| *count > 200), "{codes:?}");
}
