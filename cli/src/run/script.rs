//! Reading a script: variables, settings, statements, plans.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use tidegate_plan::settings::Settings;
use tidegate_planner::{JobPlan, Planned, Rows, Session, parse_script};
use tidegate_types::error::ResultExt;
use tidegate_types::{Error, ErrorCode, JobId, Result};

use super::plan_file;
use crate::args::Run;

/// Largest script that is read.
const MAX_BYTES: u64 = 16 << 20;

/// What a script comes to, in its order.
pub(crate) struct Script {
    /// The steps.
    pub(crate) steps: Vec<Step>,
}

/// A step of a script.
pub(crate) enum Step {
    /// Print rows.
    Print(Rows),
    /// Run a job in the background.
    Insert(NamedJob),
    /// Run a job to its end, printing what its operators did.
    Analyze(NamedJob),
    /// Run a query to its end, printing its rows.
    Select(NamedJob),
}

/// A job with its id, unique within the script.
pub(crate) struct NamedJob {
    /// Id, from the pipeline's name or the file's, and the first insert's.
    pub(crate) id: JobId,
    /// Plan.
    pub(crate) plan: JobPlan,
}

/// Reads, substitutes, parses and plans the script.
///
/// # Errors
/// What is wrong with the file, a variable, an option, or a statement, with its place.
pub(crate) fn prepare(arguments: &Run) -> Result<Script> {
    let text = read(&arguments.file)?;
    let text = substitute(&text, &arguments.variables)?;
    let mut settings = Settings::new();
    if let Some(directory) = &arguments.checkpoint_dir {
        settings.set("execution.checkpointing.dir", directory)?;
    }
    for (key, value) in &arguments.settings {
        settings.set(key, value).context(|| format!("--set {key}"))?;
    }
    if let Some(parallelism) = arguments.parallelism {
        settings.set("parallelism.default", &parallelism.to_string())?;
    }
    let mut session = Session::new(settings)?.with_default_time_zone(&machine_zone())?;
    let stem = arguments
        .file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .filter(|stem| *stem != "-")
        .unwrap_or("script")
        .to_owned();
    let mut steps = Vec::new();
    let mut taken = BTreeMap::new();
    for statement in parse_script(&text)? {
        match session.plan(&statement)? {
            Planned::Done(message) => tracing::info!(message, "statement done"),
            Planned::Rows(rows) => steps.push(Step::Print(rows)),
            Planned::Job(plan) => {
                let job = name(&stem, *plan, &mut taken);
                steps.push(if job.plan.query.is_some() {
                    Step::Select(job)
                } else {
                    Step::Insert(job)
                });
            }
            Planned::Analyze(plan) => {
                steps.push(Step::Analyze(name(&stem, *plan, &mut taken)));
            }
            Planned::PlanFile(file) => {
                let stored = plan_file::apply(*file).map_err(|error| error.at(statement.span))?;
                if let Some(plan) = stored {
                    steps.push(Step::Insert(name(&stem, plan, &mut taken)));
                }
            }
        }
    }
    Ok(Script { steps })
}

fn name(stem: &str, plan: JobPlan, taken: &mut BTreeMap<String, u32>) -> NamedJob {
    let base = plan.settings.get("pipeline.name").unwrap_or(stem);
    let base = match (plan.settings.get("pipeline.name"), plan.inserts.first()) {
        (None, Some(insert)) => format!("{base}-{insert}"),
        _ => base.to_owned(),
    };
    let count = taken.entry(base.clone()).or_insert(0);
    *count += 1;
    let name = if *count == 1 { base } else { format!("{base}-{count}") };
    NamedJob { id: JobId::from_name(&name), plan }
}

/// Reads a script.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`, `RESOURCE_EXHAUSTED` if it is too large, `SQL_SYNTAX` if it is not UTF-8.
pub(crate) fn read(path: &Path) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorCode::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorCode::PermissionDenied,
            _ => ErrorCode::InvalidOption,
        };
        Error::new(code, format!("read script {}: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(unreadable)?)
    };
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::new(
            ErrorCode::ResourceExhausted,
            format!("script {} is larger than {} MB", path.display(), MAX_BYTES >> 20),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Error::new(
            ErrorCode::SqlSyntax,
            format!("script {} is not UTF-8: byte {place} does not fit", path.display()),
        )
    })
}

/// Replaces `${VAR}`; `$${` stands for `${`.
///
/// # Errors
/// `INVALID_OPTION` for a variable that has no value, with its line.
pub(crate) fn substitute(text: &str, variables: &[(String, String)]) -> Result<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            result.push_str(&rest[..start - 1]);
            result.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        result.push_str(&rest[..start]);
        let line = text[..text.len() - rest.len() + start].matches('\n').count() + 1;
        let name_and_rest = &rest[start + 2..];
        let Some(end) = name_and_rest.find('}') else {
            return Err(Error::new(
                ErrorCode::SqlSyntax,
                format!("line {line}: '${{' is not closed by '}}'"),
            ));
        };
        let name = name_and_rest[..end].trim();
        let value = variables.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
        let Some(value) = value else {
            return Err(Error::new(
                ErrorCode::InvalidOption,
                format!("line {line}: the variable '{name}' has no value"),
            )
            .help(format!("give it one: --define {name}=…")));
        };
        result.push_str(value);
        rest = &name_and_rest[end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

/// The zone of this machine: `TZ`, else UTC.
fn machine_zone() -> String {
    let named = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned());
    named
        .filter(|zone| tidegate_functions::Zone::parse(zone).is_ok())
        .unwrap_or_else(|| "UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use super::substitute;

    #[test]
    fn variables_are_replaced_and_missing_ones_named_with_their_line() {
        let variables = [("N".to_owned(), "5".to_owned())];
        assert_eq!(substitute("a ${N} $${N} ${ N }", &variables).unwrap(), "a 5 ${N} 5");
        let error = substitute("a\nb ${M}", &variables).unwrap_err().to_string();
        assert!(
            error.contains("line 2") && error.contains("'M'") && error.contains("--define M="),
            "{error}"
        );
        assert!(substitute("${N", &variables).is_err());
    }
}
