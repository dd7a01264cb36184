//! Clients go on while coordinators are killed and started again. What was answered is there, what was refused is not,
//! and all coordinators have the same catalog to the byte.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;

use tidegate_catalog::{Action, Catalog, Command, PageRequest};
use tidegate_coordinator::raft::{Consistency, Metadata};
use tidegate_types::ErrorCode;
use tokio::runtime::Builder;

use crate::sandbox::{Node, Sandbox, create, eventually, name, options, pause};

const ROUNDS: u64 = 6;
const CLIENTS: u64 = 3;

/// What a client was told.
#[derive(Default)]
struct Told {
    /// Jobs that were created.
    created: Vec<String>,
    /// Jobs that may have been created.
    unknown: Vec<String>,
    /// Jobs whose second creation was answered with success, which must not be.
    twice: Vec<String>,
    refused: usize,
}

type Nodes = Arc<RwLock<BTreeMap<u64, Metadata>>>;

/// Creates jobs by whatever coordinator there is, some with request ids, and each that was answered again without.
fn client(number: u64, nodes: &Nodes, stop: &AtomicBool) -> Told {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut told = Told::default();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return told;
        }
        let node = {
            let nodes = nodes.read().unwrap();
            nodes.values().nth((number + n) as usize % nodes.len()).cloned()
        };
        let Some(node) = node else { continue };
        let job = format!("c{number}-{n}");
        let command = Command::new(n as i64, create(&job));
        let command = if n % 2 == 0 { command.with_request_id(job.clone()) } else { command };
        match runtime.block_on(node.propose(command)) {
            Ok(_) => {
                match runtime.block_on(node.propose(Command::new(0, create(&job)))) {
                    Ok(_) => told.twice.push(job.clone()),
                    Err(error) if error.code() == ErrorCode::AlreadyExists => told.refused += 1,
                    Err(_) => {}
                }
                told.created.push(job);
            }
            Err(error) if error.code() == ErrorCode::Unavailable => told.unknown.push(job),
            // Without a request id nothing is sent twice, so nobody else can have made it.
            Err(error) => panic!("{job}: {error}"),
        }
    }
    told
}

#[test]
fn nothing_is_lost_or_done_twice_while_coordinators_die() {
    let mut sandbox = Sandbox::start(3, options);
    let running = |sandbox: &Sandbox| -> BTreeMap<u64, Metadata> {
        sandbox.nodes.iter().map(|(id, node)| (*id, node.metadata.clone())).collect()
    };
    let nodes: Nodes = Arc::new(RwLock::new(running(&sandbox)));
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (nodes, stop) = (nodes.clone(), stop.clone());
            thread::spawn(move || client(number, &nodes, &stop))
        })
        .collect();
    for round in 0..ROUNDS {
        pause(300 + round * 70);
        // Mostly the leader, sometimes another.
        let victim = if round % 3 == 2 { 1 + round % 3 } else { sandbox.leader() };
        nodes.write().unwrap().remove(&victim);
        sandbox.kill(victim);
        pause(200 * (round % 4));
        sandbox.start_node(victim);
        sandbox.leader();
        *nodes.write().unwrap() = running(&sandbox);
    }
    stop.store(true, Ordering::Relaxed);
    let told: Vec<Told> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    sandbox.leader();
    judge(&sandbox, &told);
}

/// How many jobs there are.
fn jobs(node: &Node) -> usize {
    let count = |catalog: &Catalog| {
        let mut request = Some(PageRequest::first(1_000));
        let mut jobs = 0;
        while let Some(asked) = request {
            let page = catalog.list_jobs("default", &asked).unwrap();
            jobs += page.items.len();
            request = asked.after(&page);
        }
        jobs
    };
    node.read(Consistency::Stale, count).unwrap()
}

fn judge(sandbox: &Sandbox, told: &[Told]) {
    let node = sandbox.follower();
    let has = |job: &str| {
        node.read(Consistency::Stale, |c: &Catalog| c.job(&name(job)).is_some()).unwrap()
    };
    node.read(Consistency::Linearizable, |_| ()).unwrap();
    let created = told.iter().flat_map(|told| &told.created);
    let lost: Vec<_> = created.clone().filter(|job| !has(job)).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    let twice: Vec<_> = told.iter().flat_map(|told| &told.twice).collect();
    assert!(twice.is_empty(), "created twice: {twice:?}");
    let unknown: Vec<_> = told.iter().flat_map(|told| &told.unknown).collect();
    let there = unknown.iter().filter(|job| has(job)).count();
    let refused: usize = told.iter().map(|told| told.refused).sum();
    let (made, unsure) = (created.count(), unknown.len());
    println!(
        "{made} created, {refused} second creations refused, {unsure} unknown of which {there} exist"
    );
    assert!(made > 50);
    assert_eq!(jobs(node), made + there, "nothing else was created");
    node.propose(Action::CreateTenant { tenant: "last".to_owned(), description: String::new() })
        .unwrap();
    eventually("all are equal", || {
        let bytes =
            sandbox.nodes.values().map(|node| node.read(Consistency::Stale, Catalog::encode));
        let bytes: Vec<_> = bytes.map(Result::unwrap).collect();
        bytes.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
    });
}
