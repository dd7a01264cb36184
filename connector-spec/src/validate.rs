//! Checks the options of a table against what its connector and formats take.

use std::collections::BTreeMap;

use tidegate_types::{Error, ErrorCode, Result};

use crate::connector::{common_source_options, connector, connectors};
use crate::lookup::{find, nearest};
use crate::spec::{Changes, ConnectorSpec, FormatSpec, OptionKind, OptionSpec, Role};
use crate::value;

mod filesystem;
mod jdbc;
mod kafka;

type Values = BTreeMap<String, String>;

/// Checks the options of a table that is used in `role`. Needs nothing but the options: whether
/// columns fit or a topic exists is found out later.
///
/// # Errors
/// `INVALID_OPTION` or `UNSUPPORTED` for the first thing that is wrong, with its name and, for a
/// misspelt one, the likely right name.
pub fn validate(options: &Values, role: Role) -> Result<()> {
    let spec = named_connector(options)?;
    check_role(spec, role)?;
    let formats = used_formats(spec, options)?;
    for (key, text) in options.iter().filter(|(key, _)| *key != "connector") {
        let option =
            described(spec, &formats, key).ok_or_else(|| unknown_option(spec, &formats, key))?;
        check_value(option, key, text)?;
    }
    for option in spec.options.iter().filter(|option| option.required.by(role)) {
        if !options.contains_key(option.key) {
            let message = format!("connector '{}' needs the option '{}'", spec.name, option.key);
            return Err(invalid(message).help(option.help.en));
        }
    }
    match spec.name {
        "kafka" => kafka::check(options, role),
        "upsert-kafka" => kafka::check_upsert(options, role),
        "jdbc" => jdbc::check(options),
        "filesystem" => filesystem::check(options, role),
        _ => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}

/// The connector that the options name.
pub(crate) fn named_connector(options: &Values) -> Result<&'static ConnectorSpec> {
    let names = || connectors().iter().map(|spec| spec.name);
    let known = || names().collect::<Vec<_>>().join(", ");
    let Some(name) = options.get("connector") else {
        return Err(
            invalid("the option 'connector' is missing").help(format!("it is one of {}", known()))
        );
    };
    connector(name).ok_or_else(|| {
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("the connectors are {}", known()),
        };
        invalid(format!("there is no connector '{name}'")).help(help)
    })
}

fn check_role(spec: &ConnectorSpec, role: Role) -> Result<()> {
    let (possible, verb) = match role {
        Role::Source => (spec.source, "read from"),
        Role::Sink => (spec.sink, "written to"),
    };
    if possible {
        return Ok(());
    }
    let others = connectors().iter().filter(|spec| match role {
        Role::Source => spec.source,
        Role::Sink => spec.sink,
    });
    let others: Vec<&str> = others.map(|spec| spec.name).collect();
    Err(invalid(format!("connector '{}' cannot be {verb}", spec.name))
        .help(format!("those that can be are {}", others.join(", "))))
}

/// The formats that the options name, each with the prefix of its options.
fn used_formats(
    spec: &'static ConnectorSpec,
    options: &Values,
) -> Result<Vec<(String, &'static FormatSpec)>> {
    if spec.formats.is_empty() {
        return Ok(Vec::new());
    }
    let mut used = Vec::new();
    for key in ["format", "value.format", "key.format"] {
        let Some(name) = options.get(key) else {
            continue;
        };
        let prefix = key.strip_suffix("format").unwrap_or_default();
        if !prefix.is_empty() && find(spec.options, key).is_none() {
            continue;
        }
        let known = spec.formats.contains(&name.as_str());
        let format =
            crate::format(name).filter(|_| known).ok_or_else(|| unknown_format(name, spec))?;
        used.push((format!("{prefix}{name}."), format));
    }
    Ok(used)
}

/// The error for a format that does not exist or that the connector does not have.
pub(crate) fn unknown_format(name: &str, spec: &ConnectorSpec) -> Error {
    let known = spec.formats.join(", ");
    let error = invalid(format!("connector '{}' has no format '{name}'", spec.name));
    if spec.changes == Changes::Upsert && crate::format(name).is_some_and(|known| known.changelog) {
        return error.help(format!(
            "a record without value is its deletion; use connector 'kafka' for records of '{name}', or one of {known}"
        ));
    }
    match nearest(name, spec.formats.iter().copied()) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None if known.is_empty() => error.help("it takes no format"),
        None => error.help(format!("its formats are {known}")),
    }
}

fn described(
    spec: &'static ConnectorSpec,
    formats: &[(String, &'static FormatSpec)],
    key: &str,
) -> Option<&'static OptionSpec> {
    let exact = spec.options.iter().find(|option| option.key == key);
    let of_format = || {
        formats.iter().find_map(|(prefix, format)| find(format.options, key.strip_prefix(prefix)?))
    };
    let common = || {
        if spec.source { find(common_source_options(), key) } else { None }
    };
    exact.or_else(of_format).or_else(common).or_else(|| find(spec.options, key))
}

fn unknown_option(
    spec: &'static ConnectorSpec,
    formats: &[(String, &'static FormatSpec)],
    key: &str,
) -> Error {
    let known = known_keys(spec, formats);
    let error = invalid(format!("connector '{}' has no option '{key}'", spec.name));
    if let Some((format, _)) = key.split_once('.').filter(|(first, _)| spec.formats.contains(first))
        && !formats.iter().any(|(prefix, _)| key.starts_with(prefix.as_str()))
    {
        let used: Vec<_> = formats.iter().map(|(prefix, _)| prefix.trim_end_matches('.')).collect();
        return error.help(match used.as_slice() {
            [] => format!("set 'format' = '{format}' first"),
            used => format!("the table's formats take options with the prefix {}", used.join(", ")),
        });
    }
    match nearest(key, known.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None => error.help(format!("its options are {}", known.join(", "))),
    }
}

fn known_keys(spec: &ConnectorSpec, formats: &[(String, &'static FormatSpec)]) -> Vec<String> {
    let mut keys: Vec<String> = spec.options.iter().map(|option| option.key.to_owned()).collect();
    for (prefix, format) in formats {
        keys.extend(format.options.iter().map(|option| format!("{prefix}{}", option.key)));
    }
    if spec.source {
        keys.extend(common_source_options().iter().map(|option| option.key.to_owned()));
    }
    keys
}

/// Checks the text of one option.
pub(crate) fn check_value(option: &OptionSpec, key: &str, text: &str) -> Result<()> {
    let shown = if option.secret { "…" } else { text };
    match option.kind {
        OptionKind::Text | OptionKind::List => {}
        OptionKind::Integer { min, max } => {
            let value = value::integer(key, text)?;
            if value < min || value > max {
                return Err(invalid(out_of_range(
                    key,
                    shown,
                    &min,
                    (max < i64::MAX).then_some(&max),
                )));
            }
        }
        OptionKind::Float { min, max } => {
            let value = value::float(key, text)?;
            if value < min || value > max {
                return Err(invalid(out_of_range(key, shown, &min, Some(&max))));
            }
        }
        OptionKind::Boolean => drop(value::boolean(key, text)?),
        OptionKind::Duration => drop(value::duration(key, text)?),
        OptionKind::MemorySize => drop(value::memory_size(key, text)?),
        OptionKind::Character => drop(value::character(key, text)?),
        OptionKind::Enum(words) => {
            if !words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                let error = invalid(format!(
                    "option '{key}': '{shown}' is not one of {}",
                    words.join(", ")
                ));
                return Err(match nearest(text, words.iter().copied()) {
                    Some(near) => error.help(format!("did you mean '{near}'?")),
                    None => error,
                });
            }
        }
        OptionKind::Map => {
            if text.split(',').any(|pair| !pair.contains(':')) {
                return Err(invalid(format!(
                    "option '{key}': '{shown}' is not a list key:value,key:value"
                )));
            }
        }
    }
    match option.unsupported {
        Some(refused)
            if !refused.except.iter().any(|fine| fine.eq_ignore_ascii_case(text.trim())) =>
        {
            Err(Error::unsupported(format!("option '{key}' = '{shown}' is not supported"))
                .help(refused.reason))
        }
        _ => Ok(()),
    }
}

fn out_of_range<T: std::fmt::Display>(key: &str, text: &str, min: &T, max: Option<&T>) -> String {
    match max {
        Some(max) => format!("option '{key}': {text} is not between {min} and {max}"),
        None => format!("option '{key}': {text} is less than {min}"),
    }
}

#[cfg(test)]
mod tests;
