//! Where the rows and columns of a graph's sinks come from.
//!
//! Of a table level: which sources each sink gets rows from. Of columns: of each column of a sink, the source columns
//! that its value is computed from (`direct`), and those that only decide which rows there are, or in which order
//! (`indirect`): conditions, keys of joins and groups, sort keys.
//!
//! `flow` holds what is known of the columns between two operators, `operators` and `joins` what each operator does to
//! it. Every operator says so itself: one that is new does not build before it does.

mod flow;
mod joins;
mod operators;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

use self::flow::Flow;
use crate::graph::StreamGraph;
use crate::operator::{Operator, Sink, Table};

/// A table as lineage names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableRef {
    /// One that the catalog governs, by its reference.
    Governed(String),
    /// One that the script declares, by its name in the plan.
    Inline(String),
}

/// A column of a source table, or its rows as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The table.
    pub table: TableRef,
    /// The column by its name in the table; none: that there are rows at all, as `COUNT(*)` sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// What a column of a sink comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnLineage {
    /// Its name in the sink.
    pub column: String,
    /// What its values are computed from; nothing: constants, the clock, random numbers.
    pub direct: BTreeSet<Origin>,
    /// What decides which rows there are or what stands in this column, beside values themselves. A column of a source
    /// can be both.
    pub indirect: BTreeSet<Origin>,
}

/// What a sink comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkLineage {
    /// Name of the insert, of which two may be into one table.
    pub insert: String,
    /// The table; for the rows of a SELECT the inline table `collect`.
    pub table: TableRef,
    /// The tables that rows or looked-up values come from.
    pub sources: BTreeSet<TableRef>,
    /// Its columns, in order.
    pub columns: Vec<ColumnLineage>,
}

impl TableRef {
    /// A table of a plan.
    pub fn of(table: &Table) -> Self {
        match table.reference() {
            Some(reference) => Self::Governed(reference.to_owned()),
            None => Self::Inline(table.name.clone()),
        }
    }
}

/// The lineage of every sink, in the graph's order.
///
/// # Errors
/// `INTERNAL` if an operator refers to a column that its input does not have.
pub fn lineage(graph: &StreamGraph) -> Result<Vec<SinkLineage>> {
    let mut flows: Vec<Flow> = Vec::with_capacity(graph.nodes.len());
    let mut sinks = Vec::new();
    for node in &graph.nodes {
        let inputs: Option<Vec<&Flow>> =
            node.inputs.iter().map(|input| flows.get(input.node)).collect();
        let flow = inputs
            .and_then(|inputs| operators::through(&node.operator, &inputs, node.schema.len()))
            .filter(|flow| flow.columns.len() == node.schema.len())
            .ok_or_else(|| {
                Error::internal(format!("the lineage of plan node {} is not known", node.name))
            })?;
        if let Operator::Sink(sink) = &node.operator {
            let names = node.schema.iter().map(|field| field.name.as_str());
            sinks.push(of_sink(sink, names, &flow));
        }
        flows.push(flow);
    }
    Ok(sinks)
}

fn of_sink<'n>(sink: &Sink, names: impl Iterator<Item = &'n str>, flow: &Flow) -> SinkLineage {
    let column = |(name, column): (&str, &flow::Column)| {
        let named = |origin: &&Origin| origin.column.is_some();
        ColumnLineage {
            column: name.to_owned(),
            direct: column.direct.clone(),
            indirect: column.indirect.union(&flow.rows).filter(named).cloned().collect(),
        }
    };
    SinkLineage {
        insert: sink.insert.clone(),
        table: TableRef::of(&sink.table),
        sources: flow.tables.clone(),
        columns: names.zip(&flow.columns).map(column).collect(),
    }
}
