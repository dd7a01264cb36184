//! How long commands and reads take. Prints, asserts no times: run with `--nocapture` to see them.

use std::sync::Arc;

use futures::future::join_all;
use tidegate_catalog::Command;
use tidegate_coordinator::raft::Consistency;

use crate::sandbox::{Sandbox, create, options, timed};

const COMMANDS: u32 = 200;

#[test]
fn commands_and_reads() {
    for size in [1, 3] {
        let sandbox = Sandbox::start(size, options);
        let leader = &sandbox.nodes[&sandbox.leader()];
        let ((), one) = timed(|| {
            for n in 0..COMMANDS {
                leader.create(&format!("a{n}")).unwrap();
            }
        });
        let metadata = Arc::new(leader.metadata.clone());
        let (answers, many) = timed(|| {
            leader.run(join_all((0..COMMANDS).map(|n| {
                let metadata = metadata.clone();
                async move { metadata.propose(Command::new(1, create(&format!("b{n}")))).await }
            })))
        });
        assert!(answers.iter().all(Result::is_ok));
        let ((), reads) = timed(|| {
            for _ in 0..COMMANDS {
                leader.read(Consistency::Linearizable, |_| ()).unwrap();
            }
        });
        println!(
            "{size} coordinators: a command {:?}, {COMMANDS} at once {:?} each, a linearizable read {:?}",
            one / COMMANDS,
            many / COMMANDS,
            reads / COMMANDS
        );
    }
}
