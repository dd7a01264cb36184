//! EXPLAIN: a stream graph as a tree per sink, in the manner of Flink's optimized execution plan.

mod expression;
mod match_recognize;
mod operator;
mod state;
mod updating;

use tidegate_plan::window::WindowTime;
use tidegate_plan::{Exchange, Operator, StreamGraph};
use tidegate_types::Field;

/// The plan as text: sinks at the top, sources at the bottom; what several branches read is
/// printed once and referred to by number.
pub fn explain(graph: &StreamGraph) -> String {
    analyzed(graph, &[])
}

/// As [`explain`], with what each node did behind its line, by index.
pub fn analyzed(graph: &StreamGraph, done: &[String]) -> String {
    let title = if done.is_empty() { "Optimized" } else { "Analyzed" };
    let mut printer = Printer {
        graph,
        done,
        text: format!("== {title} Execution Plan ==\n"),
        shared: vec![None; graph.nodes.len()],
    };
    let mut number = 0;
    for index in 0..graph.nodes.len() {
        if graph.consumers(index).count() > 1 {
            number += 1;
            printer.define(index, number);
        }
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        if matches!(node.operator, Operator::Sink(_)) {
            printer.node(index, "", "");
            printer.text.push('\n');
        }
    }
    printer.text.truncate(printer.text.trim_end().len());
    printer.text.push('\n');
    printer.text.push_str(&state::section(graph));
    printer.text
}

struct Printer<'a> {
    graph: &'a StreamGraph,
    done: &'a [String],
    text: String,
    /// Numbers of nodes with several readers.
    shared: Vec<Option<usize>>,
}

impl Printer<'_> {
    /// Prints a node that several branches read, under its number.
    fn define(&mut self, index: usize, number: usize) {
        self.node(index, "", "");
        if let Some(end) = self.text.strip_suffix('\n') {
            self.text.truncate(end.len());
        }
        self.text.push_str(&format!("\n    (reuse_id=[{number}])\n\n"));
        if let Some(slot) = self.shared.get_mut(index) {
            *slot = Some(number);
        }
    }

    fn node(&mut self, index: usize, first: &str, rest: &str) {
        let Some(node) = self.graph.nodes.get(index) else {
            return;
        };
        if let Some(number) = self.shared.get(index).copied().flatten() {
            self.text.push_str(&format!("{first}Reused(reference_id=[{number}])\n"));
            return;
        }
        let inputs: Vec<&[Field]> = node
            .inputs
            .iter()
            .filter_map(|input| self.graph.nodes.get(input.node))
            .map(|input| input.schema.as_slice())
            .collect();
        let line = operator::line(node, &inputs);
        let done = self.done.get(index).map_or(String::new(), |done| format!(" {done}"));
        self.text.push_str(&format!("{first}{line}{done}\n"));
        for (position, input) in node.inputs.iter().enumerate() {
            let last = position + 1 == node.inputs.len();
            let (branch, below) = if last { ("+- ", "   ") } else { (":- ", ":  ") };
            let (first, rest) = (format!("{rest}{branch}"), format!("{rest}{below}"));
            let exchange = self.exchange(input.node, &input.exchange);
            self.input(index, input.node, exchange, &first, &rest);
        }
    }

    /// The input of a node, below its exchange and, for two-phase aggregates, the local phase.
    fn input(
        &mut self,
        reader: usize,
        node: usize,
        exchange: Option<String>,
        first: &str,
        rest: &str,
    ) {
        let Some(exchange) = exchange else {
            return self.node(node, first, rest);
        };
        self.text.push_str(&format!("{first}{exchange}\n"));
        let (first, rest) = (format!("{rest}+- "), format!("{rest}   "));
        let local = self.graph.nodes.get(reader).and_then(|reader| match &reader.operator {
            Operator::WindowAggregate(aggregate) if aggregate.two_phase => {
                let input = self.graph.nodes.get(node).map(|node| node.schema.as_slice());
                Some(operator::local_aggregate(aggregate, input.unwrap_or_default()))
            }
            _ => None,
        });
        match local {
            Some(local) => {
                self.text.push_str(&format!("{first}{local}\n"));
                self.node(node, &format!("{rest}+- "), &format!("{rest}   "));
            }
            None => self.node(node, &first, &rest),
        }
    }

    fn exchange(&self, input: usize, exchange: &Exchange) -> Option<String> {
        let schema =
            self.graph.nodes.get(input).map(|node| node.schema.as_slice()).unwrap_or_default();
        let distribution = match exchange {
            Exchange::Forward => return None,
            Exchange::Hash { keys } => format!("hash[{}]", operator::names(keys, schema)),
            Exchange::Rebalance => "rebalance".to_owned(),
            Exchange::Broadcast => "broadcast".to_owned(),
            Exchange::Single => "single".to_owned(),
        };
        Some(format!("Exchange(distribution=[{distribution}])"))
    }
}

/// The column that gives a window its time, for messages.
fn time_name(time: &WindowTime, input: &[Field]) -> String {
    let name =
        |column: &usize| input.get(*column).map_or("?", |field| field.name.as_str()).to_owned();
    match time {
        WindowTime::Event { column } => format!("time_col=[{}]", name(column)),
        WindowTime::Processing => "time_col=[PROCTIME()]".to_owned(),
        WindowTime::Attached { start, end } | WindowTime::AttachedProcessing { start, end } => {
            format!("win_start=[{}], win_end=[{}]", name(start), name(end))
        }
    }
}
