//! Hints behind SELECT: state TTL per input, and how a table is looked up.

use sqlparser::ast::Select;
use tidegate_plan::operator::LookupRetry;
use tidegate_types::quantity::parse_duration;
use tidegate_types::{Error, ErrorCode, Result};

use super::Binder;
use super::scope::Scope;
use crate::algebra::LookupOptions;
use crate::parser::tokens::Hint;

impl Binder<'_> {
    /// The hints behind the SELECT keyword.
    pub(super) fn hints_of(&self, select: &Select) -> Vec<Hint> {
        let end = select.select_token.0.span.end;
        let place = (end.line as u32, end.column as u32);
        self.read.borrow_mut().insert(place);
        self.hints.get(&place).cloned().unwrap_or_default()
    }

    /// Checks that hints name tables of FROM, and are made as they must be.
    ///
    /// # Errors
    /// `SQL_SEMANTIC` for a hint that names none, `INVALID_OPTION` for one with the wrong parts.
    pub(super) fn check_hints(&self, scope: &Scope) -> Result<()> {
        let mut known: Vec<&str> =
            scope.columns.iter().filter_map(|column| column.qualifier.as_deref()).collect();
        known.dedup();
        let joined = known.iter().any(|name| Some(name) != known.first());
        for hint in &self.select_hints {
            let named: Vec<&String> = match hint.name {
                "STATE_TTL" => {
                    for (table, value) in &hint.options {
                        millis(hint, &format!("STATE_TTL of '{table}'"), value)?;
                    }
                    hint.options.iter().map(|(table, _)| table).collect()
                }
                "LOOKUP" => {
                    let table = hint.options.iter().filter(|(key, _)| key == "table");
                    let table: Vec<&String> = table.map(|(_, table)| table).collect();
                    if table.is_empty() {
                        return Err(invalid(hint, "LOOKUP needs 'table' = 'name or alias'"));
                    }
                    table
                }
                // How a join is to be run: nothing of streams depends on it, yet it must be about a join.
                "BROADCAST" | "SHUFFLE_HASH" | "SHUFFLE_MERGE" | "NEST_LOOP" | "MULTI_JOIN" => {
                    if let Some((key, _)) = hint.options.iter().find(|(_, value)| !value.is_empty())
                    {
                        let message =
                            format!("{} takes names of tables, not '{key}' = …", hint.name);
                        return Err(invalid(hint, &message));
                    }
                    hint.options.iter().map(|(table, _)| table).filter(|_| joined).collect()
                }
                _ => Vec::new(),
            };
            let is_known = |name: &&String| known.iter().any(|table| names_table(name, table));
            if let Some(unknown) = named.into_iter().find(|name| !is_known(name)) {
                let message = format!("the hint {} names no table of FROM: '{unknown}'", hint.name);
                let error = Error::new(ErrorCode::SqlSemantic, message).at(hint.span);
                let advice = crate::suggest::advice(unknown, known.iter().copied(), "there are");
                return Err(match advice {
                    Some(advice) => error.help(advice),
                    None => error,
                });
            }
        }
        Ok(())
    }

    /// The state TTL that the SELECT under way asks for rows of any of these tables, in ms.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it is no duration.
    pub(super) fn state_ttl(&self, scope: &Scope) -> Result<Option<u64>> {
        let named = |name: &str| {
            let mut tables = scope.columns.iter().filter_map(|column| column.qualifier.as_deref());
            tables.any(|table| names_table(name, table))
        };
        for hint in self.select_hints.iter().filter(|hint| hint.name == "STATE_TTL") {
            if let Some((_, value)) = hint.options.iter().find(|(table, _)| named(table)) {
                return Ok(Some(millis(hint, "STATE_TTL", value)?));
            }
        }
        Ok(None)
    }

    /// What the SELECT under way says about looking up a table.
    ///
    /// # Errors
    /// `INVALID_OPTION` for an unknown option or a value that does not fit.
    pub(super) fn lookup_options(&self, scope: &Scope) -> Result<LookupOptions> {
        let mut options = LookupOptions::default();
        let lookups = self.select_hints.iter().filter(|hint| hint.name == "LOOKUP");
        for hint in lookups {
            let table = hint.options.iter().find(|(key, _)| key == "table");
            let Some((_, table)) = table else {
                return Err(invalid(hint, "LOOKUP needs 'table' = 'name or alias'"));
            };
            let mut tables = scope.columns.iter().filter_map(|column| column.qualifier.as_deref());
            let meant = tables.any(|known| names_table(table, known));
            if meant {
                options = lookup(hint)?;
            }
        }
        Ok(options)
    }
}

/// Whether a name in a hint is that of a table; catalog and database may stand before it.
fn names_table(name: &str, table: &str) -> bool {
    name == table || name.rsplit_once('.').is_some_and(|(_, last)| last == table)
}

fn lookup(hint: &Hint) -> Result<LookupOptions> {
    let mut options = LookupOptions::default();
    let (mut predicate, mut delay, mut attempts) = (None, None, None);
    for (key, value) in &hint.options {
        let wrong = || invalid(hint, &format!("LOOKUP: '{key}' = '{value}' does not fit"));
        match key.as_str() {
            "table" => {}
            "async" => options.asynchronous = Some(value.parse().map_err(|_| wrong())?),
            "output-mode" => {
                options.ordered = Some(match value.to_ascii_lowercase().as_str() {
                    "ordered" => true,
                    "allow_unordered" => false,
                    _ => return Err(wrong()),
                });
            }
            "capacity" => {
                let capacity = value.parse().ok().filter(|n| (1..=100_000).contains(n));
                options.capacity = Some(capacity.ok_or_else(wrong)?);
            }
            "timeout" => options.timeout_ms = Some(millis(hint, key, value)?),
            "retry-predicate" if value == "lookup_miss" => predicate = Some(()),
            "retry-strategy" if value == "fixed_delay" => {}
            "fixed-delay" => delay = Some(millis(hint, key, value)?),
            "max-attempts" => attempts = Some(value.parse::<u32>().map_err(|_| wrong())?),
            "retry-predicate" | "retry-strategy" => return Err(wrong()),
            _ => return Err(invalid(hint, &format!("LOOKUP has no option '{key}'"))),
        }
    }
    options.retry = match (predicate, delay, attempts) {
        (None, None, None) => None,
        (Some(()), Some(delay_ms), Some(max_attempts)) => {
            Some(LookupRetry { delay_ms, max_attempts })
        }
        _ => {
            return Err(invalid(
                hint,
                "LOOKUP: a retry needs 'retry-predicate', 'retry-strategy', 'fixed-delay' and 'max-attempts'",
            ));
        }
    };
    Ok(options)
}

fn millis(hint: &Hint, key: &str, value: &str) -> Result<u64> {
    let duration = parse_duration(value)
        .map_err(|error| invalid(hint, &format!("{key} = '{value}': {error}")))?;
    Ok(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn invalid(hint: &Hint, message: &str) -> Error {
    Error::new(ErrorCode::InvalidOption, message).at(hint.span)
}
