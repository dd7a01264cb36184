//! `table.optimizer.distinct-agg.split.enabled`: DISTINCT aggregates of few, large groups in two steps,
//! so that the values of a group are spread over all subtasks.
//!
//! ```text
//! COUNT(DISTINCT v), SUM(x) GROUP BY k
//!   → $SUM0(c), SUM(s) GROUP BY k  over  COUNT(DISTINCT v) AS c, SUM(x) AS s GROUP BY k, bucket of v
//! ```
//!
//! Only groupings with one distinct column and functions whose partial results add up are split.

use tidegate_plan::{AggregateCall, AggregateFunction, Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Field, TypeKind};

use super::map_inputs;
use crate::algebra::{Group, RelOp, Relation};

/// Name of the column of buckets.
const BUCKET: &str = "$bucket";

/// Splits the groupings of a query.
pub(crate) fn split(relation: Relation, buckets: i64) -> Relation {
    let relation = map_inputs(relation, &mut |input| split(input, buckets));
    let schema = relation.schema;
    match relation.op {
        RelOp::Group { input, group } => match distinct_column(&group) {
            Some(column) => grouped(*input, group, &schema, column, buckets),
            None => Relation { op: RelOp::Group { input, group }, schema },
        },
        op => Relation { op, schema },
    }
}

/// The column of which a grouping counts each value once, if it can be split.
fn distinct_column(group: &Group) -> Option<usize> {
    let adds_up = |call: &AggregateCall| match call.function {
        AggregateFunction::Count => true,
        AggregateFunction::Sum | AggregateFunction::Sum0 => {
            !call.distinct || call.argument.is_some()
        }
        AggregateFunction::Min | AggregateFunction::Max => true,
        _ => false,
    };
    let is_distinct = |call: &&AggregateCall| {
        call.distinct && !matches!(call.function, AggregateFunction::Min | AggregateFunction::Max)
    };
    let mut columns = group.calls.iter().filter(is_distinct).map(|call| call.argument);
    let column = columns.next()??;
    let one = columns.all(|other| other == Some(column));
    (one && !group.keys.contains(&column) && group.calls.iter().all(adds_up)).then_some(column)
}

fn grouped(
    input: Relation,
    group: Group,
    schema: &[Field],
    column: usize,
    buckets: i64,
) -> Relation {
    let mut exprs = input.identity();
    let number = Literal { value: Scalar::Integer(buckets), ty: TypeKind::Int.not_null() };
    let bucket_type = TypeKind::Int.not_null();
    let arguments = vec![input.column(column), Expr::Literal(number)];
    let bucket = Expr::call("$BUCKET", arguments, bucket_type.clone());
    exprs.push(NamedExpr { name: BUCKET.to_owned(), expr: bucket });
    let place = exprs.len() - 1;
    let input = input.project(exprs);

    let keys = group.keys.len();
    let mut partial_keys = group.keys.clone();
    partial_keys.push(place);
    let mut partial_schema: Vec<Field> = schema[..keys].to_vec();
    partial_schema.push(Field::new(BUCKET, bucket_type));
    partial_schema.extend(schema[keys..].iter().cloned());
    let partial = Group { keys: partial_keys, calls: group.calls.clone(), ttl: group.ttl };
    let partial = Relation {
        op: RelOp::Group { input: Box::new(input), group: partial },
        schema: partial_schema,
    };

    let calls = group.calls.into_iter().enumerate().map(|(index, call)| AggregateCall {
        function: match call.function {
            AggregateFunction::Count => AggregateFunction::Sum0,
            other => other,
        },
        argument: Some(keys + 1 + index),
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: call.name,
        ty: call.ty,
    });
    let group = Group { keys: (0..keys).collect(), calls: calls.collect(), ttl: group.ttl };
    Relation { op: RelOp::Group { input: Box::new(partial), group }, schema: schema.to_vec() }
}
