//! What joins do to columns and rows: what is compared decides which rows there are.

use super::TableRef;
use super::flow::{Column, Flow};
use crate::operator::{JoinKind, JoinOn, LookupJoin, LookupKey, MultiJoin};

/// A join of two inputs. `pairs`: further columns of the left and the right side that are compared.
pub(super) fn joined(
    kind: JoinKind,
    on: &JoinOn,
    pairs: &[[usize; 2]],
    inputs: &[&Flow],
) -> Option<Flow> {
    let [left, right] = inputs else { return None };
    let width = left.columns.len();
    let mut flow = Flow::beside(inputs);
    let of_left = on.left_keys.iter().copied().chain(pairs.iter().map(|pair| pair[0]));
    let of_right = on.right_keys.iter().copied().chain(pairs.iter().map(|pair| pair[1]));
    let by = of_left.chain(of_right.map(|column| width + column)).collect::<Vec<_>>();
    if by.iter().any(|column| *column >= width + right.columns.len()) {
        return None;
    }
    flow.decide(by)?;
    flow.filter(on.condition.as_ref())?;
    if !kind.has_right_columns() {
        flow.columns.truncate(width);
    }
    Some(flow)
}

pub(super) fn multi_joined(join: &MultiJoin, inputs: &[&Flow]) -> Option<Flow> {
    let mut flow = Flow::beside(inputs);
    for (input, keys) in inputs.iter().zip(&join.keys) {
        flow.decide_by(input.merged(keys.iter().copied())?);
    }
    for condition in &join.conditions {
        flow.filter(Some(condition))?;
    }
    Some(flow)
}

pub(super) fn looked_up(join: &LookupJoin, input: &Flow) -> Option<Flow> {
    let table = TableRef::of(&join.table);
    let width = input.columns.len();
    // What the condition sees: the input's columns, then what is read.
    let mut seen = input.clone();
    seen.columns.extend(join.read.iter().map(|field| Column::of(&table, &field.name)));
    seen.tables.insert(table);
    for (column, key) in &join.keys {
        let with = match key {
            LookupKey::Column(column) => Some(*column),
            LookupKey::Constant(_) => None,
        };
        seen.decide(with.into_iter().chain([width + column]))?;
    }
    seen.filter(join.condition.as_ref())?;
    let output = join.output.iter().map(|column| width + column);
    let columns = (0..width).chain(output).map(|index| seen.columns.get(index).cloned());
    Some(Flow { columns: columns.collect::<Option<_>>()?, ..seen })
}
