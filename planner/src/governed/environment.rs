//! A plan for an environment: governed tables get the options that they have there.

use std::collections::BTreeMap;

use tidegate_connector_spec::{Role, validate, waits_to_announce};
use tidegate_plan::operator::Table;
use tidegate_plan::{Operator, StreamGraph};
use tidegate_types::{Error, ErrorCode, Result};

use super::placeholder::is_placeholder;

type Options = BTreeMap<String, String>;

/// Options that say what the plan was made for: they are the same in every environment.
const PLANNED: &[&str] = &["connector", "format", "key.format", "value.format"];

/// Puts the options of an environment, by reference, in the place of those that governed tables were planned with;
/// options that a statement gave by a hint stand over them. Tables of the script stay as they are, references that the
/// plan does not use are ignored. The options hold values of secrets then: the result is to be run, not kept.
///
/// The plan is changed only if all of its tables fit. What it was made from stays as it was planned: parallelism of scans and
/// sinks, the time after which an idle source holds nothing back.
///
/// # Errors
/// With the name of the table: `FAILED_PRECONDITION` if it has no options in the environment or a placeholder was left
/// among them, `INCOMPATIBLE` if its connector or a format is another than the plan was made for, `INVALID_OPTION` and
/// `UNSUPPORTED` if the connector does not take the options for what the plan does.
pub fn bind_environment(
    graph: &mut StreamGraph,
    environment: &BTreeMap<String, Options>,
) -> Result<()> {
    let mut bound = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        if let Some((table, role)) = table_of(&node.operator)
            && table.governed.is_some()
        {
            let options = options_in(table, role, environment)
                .map_err(|error| error.context(format!("table {}", table.name)))?;
            bound.push((index, options));
        }
    }
    for (index, options) in bound {
        if let Some(table) = table_of_mut(&mut graph.nodes[index].operator) {
            table.options = options;
        }
    }
    Ok(())
}

fn table_of(operator: &Operator) -> Option<(&Table, Role)> {
    match operator {
        Operator::Source(source) => Some((&source.table, Role::Source)),
        Operator::LookupJoin(join) => Some((&join.table, Role::Source)),
        Operator::Sink(sink) => Some((&sink.table, Role::Sink)),
        _ => None,
    }
}

fn table_of_mut(operator: &mut Operator) -> Option<&mut Table> {
    match operator {
        Operator::Source(source) => Some(&mut source.table),
        Operator::LookupJoin(join) => Some(&mut join.table),
        Operator::Sink(sink) => Some(&mut sink.table),
        _ => None,
    }
}

fn options_in(
    table: &Table,
    role: Role,
    environment: &BTreeMap<String, Options>,
) -> Result<Options> {
    let governed = table.governed.as_deref();
    let Some((governed, own)) = governed.and_then(|g| Some((g, environment.get(&g.reference)?)))
    else {
        let message = "it is not published in the environment that the job is started in";
        return Err(Error::new(ErrorCode::FailedPrecondition, message)
            .help("publish it there first, or start the job in another environment"));
    };
    for key in PLANNED {
        let (planned, there) = (table.options.get(*key), own.get(*key));
        if planned != there {
            let shown = |value: Option<&String>| {
                value.map_or("none".to_owned(), |value| format!("'{value}'"))
            };
            let message = format!(
                "the job was planned for the option '{key}' = {}, in this environment it is {}",
                shown(planned),
                shown(there)
            );
            return Err(Error::new(ErrorCode::Incompatible, message)
                .help("publish the same definition there, or submit the job again"));
        }
    }
    let mut options = own.clone();
    options.extend(governed.hints.clone());
    if let Some((key, _)) = options.iter().find(|(_, value)| is_placeholder(value)) {
        let message = format!("the option '{key}' has no value in this environment");
        return Err(Error::new(ErrorCode::FailedPrecondition, message)
            .help("set it in the table's data source or publication"));
    }
    validate(&options, role)?;
    if role == Role::Sink && waits_to_announce(&options) && !waits_to_announce(&table.options) {
        let message = "partitions are announced later than their files in this environment, the job was planned without that";
        return Err(Error::new(ErrorCode::Incompatible, message)
            .help("submit the job again, so that one subtask writes the table"));
    }
    Ok(options)
}
