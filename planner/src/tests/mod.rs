//! Tests of the planner from SQL text to plans.

mod cast_table;
mod catalogs;
mod changelogs;
mod constructs;
mod errors;
mod evaluation;
mod function_table;
mod functions;
mod governed;
mod identity;
mod identity_patterns;
mod lateral_functions;
mod lineage;
mod multi_joins;
mod mutation;
mod patterns;
mod plans;
mod recorded;
mod recorded_values;
mod sinks;
mod statements;
mod windows;

use crate::{Planned, Session, explain, parse_script};

/// Plans a script; the plans of its jobs and the rows of its answers as text, or the error.
fn plan(script: &str) -> String {
    match try_plan(script) {
        Ok(text) => text,
        Err(error) => format!("{} {error}\n", error.code().as_str()),
    }
}

fn try_plan(script: &str) -> tidegate_types::Result<String> {
    let mut session = Session::new(Default::default())?;
    let mut text = String::new();
    for statement in parse_script(script)? {
        match session.plan(&statement)? {
            Planned::Done(_) | Planned::PlanFile(_) | Planned::Analyze(_) => {}
            Planned::Rows(rows) => {
                for row in std::iter::once(&rows.columns).chain(&rows.rows) {
                    text.push_str(&row.join(" | "));
                    text.push('\n');
                }
            }
            Planned::Job(job) => text.push_str(&explain(&job.graph)),
        }
    }
    Ok(text)
}
