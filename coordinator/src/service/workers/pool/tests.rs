//! Who is there, whose word counts, and that no slot is given twice.

use tidegate_checkpoint::task::Report;
use tidegate_types::TaskId;

use super::*;

const JOB: &str = "projects/default/jobs/j";

fn task(index: u32) -> SubtaskId {
    SubtaskId { task: TaskId(0), index }
}

fn info(name: &str, incarnation: u64) -> WorkerInfo {
    WorkerInfo {
        name: name.to_owned(),
        incarnation,
        shuffle_address: "127.0.0.1:1".to_owned(),
        slots: 2,
        labels: BTreeMap::new(),
    }
}

fn running(attempt: u64, states: &[(u32, State)]) -> wire::RunStatus {
    let of = |(index, state): &(u32, State)| wire::TaskStatus {
        subtask: Some(tasks::subtask_to_wire(task(*index))),
        state: (*state).into(),
    };
    let tasks = states.iter().map(of).collect();
    wire::RunStatus { job: JOB.to_owned(), attempt, tasks, facts: Some(wire::RunFacts::default()) }
}

fn event(attempt: u64, index: u32, kind: ReportKind) -> TaskEvent {
    TaskEvent { attempt: Attempt(attempt), report: Report { subtask: task(index), kind } }
}

#[tokio::test]
async fn a_newer_stream_of_a_worker_replaces_the_older_and_an_older_process_is_refused() {
    let pool = WorkerPool::default();
    pool.lead(7);
    let (first, mut commands) = pool.register(7, info("a", 5), &[]).unwrap();
    let (second, mut newer) = pool.register(7, info("a", 5), &[]).unwrap();
    assert!(commands.recv().await.is_none(), "the older stream ends");
    let acknowledge = || Command::Acknowledge(wire::Acknowledge { sequence: 1 });
    assert_eq!(pool.tell("a", first, acknowledge()).unwrap_err().code(), ErrorCode::Unavailable);
    pool.tell("a", second, acknowledge()).unwrap();
    assert_eq!(newer.recv().await.unwrap().term, 7, "commands bear the leader's term");
    assert_eq!(pool.register(7, info("a", 4), &[]).unwrap_err().code(), ErrorCode::Fenced);
    pool.disconnected("a", first, Duration::ZERO);
    assert!(pool.session("a").is_some(), "the end of an older stream means nothing");
    pool.disconnected("a", second, Duration::from_secs(3));
    assert_eq!(pool.gone()[0].1, Duration::from_secs(3));
}

#[tokio::test]
async fn what_is_found_of_a_run_is_what_was_registered_and_reported_since() {
    let pool = WorkerPool::default();
    pool.lead(7);
    let starting = [(0, State::Ready), (1, State::Starting)];
    let (session, _commands) = pool.register(7, info("a", 1), &[running(3, &starting)]).unwrap();
    let (events, mut received) = mpsc::channel(4);
    assert_eq!(pool.route(JOB, Attempt(3), events).states[&task(1)], State::Starting);
    pool.report("a", session, JOB, event(3, 1, ReportKind::Ready)).await;
    pool.report("a", session, JOB, event(3, 0, ReportKind::Ended)).await;
    assert!(matches!(received.recv().await.unwrap().report.kind, ReportKind::Ready));
    let found = pool.find(JOB, Attempt(3));
    assert_eq!(found.states, BTreeMap::from([(task(0), State::Ended), (task(1), State::Ready)]));
    assert_eq!(found.slots(), BTreeMap::from([("a".to_owned(), 2)]));
    assert!(pool.find(JOB, Attempt(2)).states.is_empty(), "another attempt is another run");
    pool.disconnected("a", session, Duration::ZERO);
    assert!(pool.find(JOB, Attempt(3)).workers.is_empty());
}

#[tokio::test]
async fn a_question_ends_with_the_answer_or_with_the_stream() {
    let pool = WorkerPool::default();
    pool.lead(7);
    let (session, mut commands) = pool.register(7, info("a", 1), &[]).unwrap();
    let end = |request| {
        Command::EndRun(wire::EndRun { request, job: JOB.to_owned(), attempt: 1, orderly: false })
    };
    let answered = async {
        let Some(Command::EndRun(end)) = commands.recv().await.unwrap().command else {
            panic!("another command came");
        };
        let failure = wire::Failure { code: "FENCED".to_owned(), ..wire::Failure::default() };
        let result = Some(wire::answer::Result::Failure(failure));
        pool.answer("a", session, wire::Answer { request: end.request, result });
    };
    let (asked, ()) = tokio::join!(pool.ask("a", session, end), answered);
    assert_eq!(asked.unwrap_err().code(), ErrorCode::Fenced);
    let gone = async { pool.disconnected("a", session, Duration::ZERO) };
    let (asked, ()) = tokio::join!(pool.ask("a", session, end), gone);
    assert_eq!(asked.unwrap_err().code(), ErrorCode::Unavailable);
}

#[test]
fn slots_are_given_once() {
    let pool = WorkerPool::default();
    pool.lead(7);
    let _a = pool.register(7, info("a", 1), &[]).unwrap();
    let take = |job: &str, wanted: u32| {
        pool.reserve(job, |workers| {
            let (worker, used) = &workers[0];
            if worker.slots - used < wanted {
                return Err(*used);
            }
            Ok(((), BTreeMap::from([(worker.name.clone(), wanted)])))
        })
    };
    take("x", 1).unwrap();
    take("y", 1).unwrap();
    assert_eq!(take("z", 1), Err(2));
    take("x", 1).unwrap();
    pool.unroute("y");
    take("z", 1).unwrap();
    assert_eq!(pool.used_slots(), BTreeMap::from([("a".to_owned(), 2)]));
    pool.resign();
    assert!(pool.used_slots().is_empty() && pool.session("a").is_none());
    let late = pool.register(7, info("a", 1), &[]).unwrap_err();
    assert_eq!(late.code(), ErrorCode::Unavailable, "nobody would look at its stream any more");
    pool.lead(8);
    assert!(pool.register(7, info("a", 1), &[]).is_err());
    assert!(pool.register(8, info("a", 1), &[]).is_ok());
}
