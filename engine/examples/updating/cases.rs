//! What is measured.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, StringViewArray};
use tidegate_engine::Changes;
use tidegate_engine::deduplicate::deduplicate as operator;
use tidegate_engine::group::GroupAggregate;
use tidegate_engine::operator::Operator;
use tidegate_engine::rank::Rank;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{self as plan, Operator as PlanOperator, SortKey};
use tidegate_plan::{
    AggregateCall, AggregateFunction, ChangelogMode, Exchange, Input, Node, PlanSettings, RowKind,
    Schema, Updates,
};
use tidegate_types::{Field, OperatorId, Result, SqlType, TypeKind};

/// Rows of a batch.
const BATCH: usize = 4096;
/// Rows in all batches at most, which are then given again.
const ROWS: usize = 4 << 20;

type Make = Box<dyn Fn() -> Result<Box<dyn Operator>>>;

/// A case.
pub(crate) struct Case {
    /// What is measured.
    pub(crate) name: String,
    /// Makes the operator.
    pub(crate) make: Make,
    /// Its input, given over and over.
    pub(crate) batches: Vec<Changes>,
    /// Batches before the measurement.
    pub(crate) warm: usize,
}

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    let keys = [1_000u64, 100_000, 2_000_000];
    let both = Updates::BeforeAndAfter;
    let sizes = keys.into_iter().flat_map(move |keys| {
        let simple =
            || vec![call(AggregateFunction::Count, None), call(AggregateFunction::Sum, Some(1))];
        let append = ChangelogMode::APPEND;
        [
            aggregate("count, sum; upserts", keys, simple(), append, Updates::After, false),
            aggregate("count, sum; with old rows", keys, simple(), append, both, false),
            aggregate(
                "count, sum; retracting",
                keys,
                simple(),
                ChangelogMode::RETRACT,
                both,
                false,
            ),
            aggregate("count, sum by text", keys, simple(), append, Updates::After, true),
            aggregate(
                "max; retracting",
                keys,
                vec![call(AggregateFunction::Max, Some(1))],
                ChangelogMode::RETRACT,
                both,
                false,
            ),
            aggregate(
                "count distinct",
                keys,
                vec![AggregateCall { distinct: true, ..call(AggregateFunction::Count, Some(1)) }],
                append,
                Updates::After,
                false,
            ),
            rank(keys),
            deduplicate(keys),
        ]
    });
    sizes.map(|case| case())
}

type Later = Box<dyn FnOnce() -> Case>;

fn input(text: bool) -> Schema {
    let key = if text { TypeKind::STRING } else { TypeKind::BigInt };
    let field = |name: &str, kind: TypeKind| Field::new(name, kind.nullable());
    vec![field("k", key), field("v", TypeKind::BigInt), field("w", TypeKind::BigInt)]
}

fn call(function: AggregateFunction, argument: Option<usize>) -> AggregateCall {
    AggregateCall {
        function,
        argument,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: "a".into(),
        ty: TypeKind::BigInt.nullable(),
    }
}

fn node(operator: PlanOperator, schema: Schema, changelog: ChangelogMode) -> Node {
    Node {
        id: OperatorId(1),
        name: String::new(),
        operator,
        inputs: vec![Input { node: 0, exchange: Exchange::Hash { keys: vec![0] } }],
        schema,
        changelog,
        upsert_key: Some(vec![0]),
        state_ttl_ms: Vec::new(),
        parallelism: None,
    }
}

fn below(text: bool, mode: ChangelogMode) -> Node {
    Node { upsert_key: None, ..node(PlanOperator::Union, input(text), mode) }
}

/// splitmix64
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Random rows; if they retract, each batch's second half takes back the first half of the one before.
fn batches(keys: u64, text: bool, retracts: bool) -> Vec<Changes> {
    let mut state = 7;
    let schema = arrow_schema(&input(text));
    let count = ROWS / BATCH;
    let mut earlier: Vec<[i64; 3]> = Vec::new();
    (0..count)
        .map(|_| {
            let fresh = if retracts { BATCH / 2 } else { BATCH };
            let mut rows: Vec<[i64; 3]> = (0..fresh)
                .map(|_| {
                    let value = (random(&mut state) % 10_000) as i64;
                    [(random(&mut state) % keys) as i64, value, random(&mut state) as i64 >> 20]
                })
                .collect();
            if retracts {
                let fresh = rows.clone();
                rows.append(&mut earlier);
                earlier = fresh;
            }
            let column = |index: usize| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row[index])))
            };
            let key: ArrayRef = match text {
                false => column(0),
                true => {
                    let texts = rows.iter().map(|row| format!("the key number {}", row[0]));
                    Arc::new(StringViewArray::from_iter_values(texts))
                }
            };
            let batch = RecordBatch::try_new(schema.clone(), vec![key, column(1), column(2)]);
            let kinds = (0..rows.len()).map(|row| match row < BATCH / 2 {
                true => RowKind::Insert as i8,
                false => RowKind::Delete as i8,
            });
            let kinds = retracts.then(|| Int8Array::from_iter_values(kinds));
            Changes { kinds, rows: batch.expect("columns are as the schema says") }
        })
        .collect()
}

fn warm(keys: u64) -> usize {
    (keys as usize * 3).div_ceil(BATCH).max(50)
}

fn aggregate(
    name: &str,
    keys: u64,
    calls: Vec<AggregateCall>,
    mode: ChangelogMode,
    updates: Updates,
    text: bool,
) -> Later {
    let name = format!("{keys} keys: {name}");
    Box::new(move || {
        let plan = plan::GroupAggregate {
            keys: vec![0],
            aggregates: calls,
            two_phase: false,
            each_change: false,
        };
        let types = plan.aggregates.iter().map(|call| call.ty.clone());
        let key = input(text)[0].ty.clone();
        let types: Vec<SqlType> = std::iter::once(key).chain(types).collect();
        let schema = types.iter().map(|ty| Field::new("c", ty.clone())).collect();
        let output = ChangelogMode { updates, deletes: !mode.is_append() };
        let node = node(PlanOperator::GroupAggregate(plan.clone()), schema, output);
        let make: Make = Box::new(move || {
            let below = below(text, mode);
            Ok(Box::new(GroupAggregate::new(&plan, &node, &[&below], &PlanSettings::default())?))
        });
        Case { name, make, batches: batches(keys, text, !mode.is_append()), warm: warm(keys) }
    })
}

fn rank(keys: u64) -> Later {
    Box::new(move || {
        let plan = plan::Rank {
            function: plan::RankFunction::RowNumber,
            keys: vec![0],
            order: vec![SortKey { column: 2, descending: true, nulls_first: false }],
            from: 1,
            to: 10,
            rank_column: None,
        };
        let mode = ChangelogMode::RETRACT;
        let node = node(PlanOperator::Rank(plan.clone()), input(false), mode);
        let make: Make = Box::new(move || {
            let below = below(false, ChangelogMode::APPEND);
            Ok(Box::new(Rank::new(&plan, &node, &[&below], &PlanSettings::default())?))
        });
        let batches = batches(keys, false, false);
        Case { name: format!("{keys} keys: top 10"), make, batches, warm: warm(keys) }
    })
}

fn deduplicate(keys: u64) -> Later {
    Box::new(move || {
        let plan =
            plan::Deduplicate { keys: vec![0], time: None, keep_last: true, each_change: false };
        let mode = ChangelogMode { updates: Updates::BeforeAndAfter, deletes: false };
        let node = node(PlanOperator::Deduplicate(plan.clone()), input(false), mode);
        let make: Make = Box::new(move || {
            let below = below(false, ChangelogMode::APPEND);
            operator(&plan, &node, &[&below], &PlanSettings::default())
        });
        let batches = batches(keys, false, false);
        Case { name: format!("{keys} keys: last row"), make, batches, warm: warm(keys) }
    })
}
