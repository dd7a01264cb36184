//! What a chain does with watermarks that an operator holds back, and with output that waits.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use tidegate_runtime::ManualClock;
use tidegate_types::{Epoch, MAX_WATERMARK, OperatorId};

use super::*;
use crate::element::{BarrierKind, Changes};

/// Holds watermarks back and emits each row of a batch by itself, one per call.
struct Slow {
    delay: i64,
    rows: Option<Changes>,
}

impl Operator for Slow {
    fn process(&mut self, _input: usize, changes: Changes, _out: &mut Output) -> Result<()> {
        assert!(self.rows.is_none(), "what waits goes first");
        self.rows = Some(changes);
        Ok(())
    }

    fn is_pending(&self) -> bool {
        self.rows.is_some()
    }

    fn watermark_delay(&self) -> i64 {
        self.delay
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let Some(rows) = self.rows.take() else { return Ok(Progress::Done) };
        out.emit(rows.slice(0, 1));
        self.rows = (rows.len() > 1).then(|| rows.slice(1, rows.len() - 1));
        Ok(if self.rows.is_some() { Progress::More } else { Progress::Done })
    }
}

#[derive(Debug, PartialEq)]
enum Seen {
    Rows(usize),
    Watermark(Watermark),
}

struct Last(Arc<Mutex<Vec<Seen>>>);

impl Operator for Last {
    fn process(&mut self, _input: usize, changes: Changes, _out: &mut Output) -> Result<()> {
        self.0.lock().unwrap().push(Seen::Rows(changes.len()));
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.0.lock().unwrap().push(Seen::Watermark(watermark));
        Ok(())
    }
}

fn node(id: u64, operator: Box<dyn Operator>, next: Vec<usize>) -> ChainNode {
    ChainNode {
        id: Some(OperatorId(id)),
        name: format!("node {id}"),
        stage: Stage::Operator(operator),
        next,
        metrics: Arc::default(),
        files: StateFiles::default(),
    }
}

fn rows(count: i64) -> Element {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
    Element::Batch(Changes::append(RecordBatch::try_from_iter([("n", column)]).unwrap()))
}

#[tokio::test]
async fn watermarks_stay_behind_operators_that_emit_older_rows() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slow = |delay| Box::new(Slow { delay, rows: None });
    let nodes = vec![
        node(1, slow(10), vec![1]),
        node(2, slow(5), vec![2]),
        node(3, Box::new(Last(seen.clone())), vec![]),
    ];
    let mut chain = Chain::new(nodes, vec![0], ManualClock::at(0), Arc::default());
    assert_eq!(chain.delays(), [0, 10, 15]);
    for element in [rows(3), Element::Watermark(100), rows(1)] {
        chain.push(0, element).await.unwrap();
    }
    let barrier = Barrier { epoch: Epoch(1), kind: BarrierKind::Checkpoint };
    chain.push(0, Element::Barrier(barrier)).await.unwrap();
    chain.push(0, Element::Watermark(MAX_WATERMARK)).await.unwrap();
    let snapshots = chain.take_snapshots();
    let watermarks: Vec<_> = snapshots.iter().map(|snapshot| snapshot.watermark).collect();
    assert_eq!(watermarks, [100, 90, 85]);
    let expected = [
        Seen::Rows(1),
        Seen::Rows(1),
        Seen::Rows(1),
        Seen::Watermark(85),
        Seen::Rows(1),
        Seen::Watermark(MAX_WATERMARK),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}
