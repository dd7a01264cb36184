//! Finds all that is wrong with the parameters of a data source.

use std::collections::BTreeMap;

use super::parameters::Parameters;
use super::spec::{DataSourceSpec, Form, ParameterSpec};
use crate::lookup::nearest;
use crate::spec::OptionKind;
use crate::value;

mod combination;
mod form;

/// Longest value of a parameter.
pub const MAX_VALUE_BYTES: usize = 64 << 10;

/// Something that is wrong with one parameter. Values of secret parameters are in none of the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterViolation {
    /// The parameter, as it was named.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl ParameterViolation {
    fn new(field: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into(), help: help.into() }
    }
}

/// All that is wrong with the parameters of a data source, in the order of the form; what the type
/// does not know comes first. Empty: nothing is.
pub fn check(
    spec: &'static DataSourceSpec,
    values: &BTreeMap<String, String>,
) -> Vec<ParameterViolation> {
    let mut found = Vec::new();
    for name in values.keys().filter(|name| spec.parameter(name).is_none()) {
        found.push(unknown(spec, name));
    }
    let parameters = Parameters::new(spec, values);
    for parameter in spec.parameters {
        found.extend(fault(&parameters, parameter));
    }
    for violation in combination::check(&parameters) {
        // What is wrong by itself need not be wrong in company, too.
        if !found.iter().any(|other| other.field == violation.field) {
            found.push(violation);
        }
    }
    found
}

fn unknown(spec: &'static DataSourceSpec, name: &str) -> ParameterViolation {
    let names = || spec.parameters.iter().map(|parameter| parameter.name);
    let help = match nearest(name, names()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("its parameters are {}", names().collect::<Vec<_>>().join(", ")),
    };
    let shown: String = name.chars().take(100).collect();
    let message = format!("a data source of type '{}' has no parameter '{shown}'", spec.name);
    ParameterViolation::new(name, message, help)
}

fn fault(parameters: &Parameters<'_>, parameter: &ParameterSpec) -> Option<ParameterViolation> {
    let name = parameter.name;
    let given = parameters.given(name);
    if let Some(when) = parameter.when.filter(|_| !parameters.applies(parameter)) {
        given?;
        let words = when.values.join(" or ");
        return Some(ParameterViolation::new(
            name,
            format!("'{name}' has a meaning only where '{}' is {words}", when.parameter),
            format!("leave it out, or set '{}'", when.parameter),
        ));
    }
    let Some(text) = given else {
        let missing = parameter.required && parameter.default.is_none();
        return missing.then(|| {
            ParameterViolation::new(name, format!("'{name}' is missing"), parameter.help.en)
        });
    };
    if text.len() > MAX_VALUE_BYTES {
        let message = format!("'{name}' has {} bytes, more than {MAX_VALUE_BYTES}", text.len());
        return Some(ParameterViolation::new(name, message, "give a shorter value"));
    }
    let wrong = not_of_kind(parameter.kind, text).or_else(|| form::fault(parameter, text))?;
    let message = if parameter.secret {
        format!("'{name}' {}", wrong.what)
    } else {
        let shown: String = text.chars().take(100).collect();
        format!("'{name}': '{shown}' {}", wrong.what)
    };
    Some(ParameterViolation::new(
        name,
        message,
        wrong.help.unwrap_or_else(|| parameter.help.en.to_owned()),
    ))
}

/// What is wrong with a value: `is not a number`.
struct Wrong {
    what: String,
    help: Option<String>,
}

impl Wrong {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

fn not_of_kind(kind: OptionKind, text: &str) -> Option<Wrong> {
    match kind {
        OptionKind::Text | OptionKind::List => None,
        OptionKind::Integer { min, max } => {
            let fits = value::integer("", text).is_ok_and(|number| (min..=max).contains(&number));
            (!fits).then(|| Wrong::new(format!("is not a whole number from {min} to {max}")))
        }
        OptionKind::Float { min, max } => {
            let fits = value::float("", text).is_ok_and(|number| (min..=max).contains(&number));
            (!fits).then(|| Wrong::new(format!("is not a number from {min} to {max}")))
        }
        OptionKind::Boolean => {
            value::boolean("", text).err().map(|_| Wrong::new("is neither 'true' nor 'false'"))
        }
        OptionKind::Duration => value::duration("", text)
            .err()
            .map(|_| Wrong::new("is not a duration such as '10 s' or '500 ms'")),
        OptionKind::MemorySize => value::memory_size("", text)
            .err()
            .map(|_| Wrong::new("is not an amount of memory such as '64 mb'")),
        OptionKind::Character => {
            value::character("", text).err().map(|_| Wrong::new("is not one character"))
        }
        OptionKind::Map => {
            let pairs = text.split(',').all(|pair| pair.contains(':'));
            (!pairs).then(|| Wrong::new("is not a list key:value,key:value"))
        }
        OptionKind::Enum(words) => {
            if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                return None;
            }
            let wrong = Wrong::new(format!("is not one of {}", words.join(", ")));
            Some(match nearest(text, words.iter().copied()) {
                Some(near) => wrong.help(format!("did you mean '{near}'?")),
                None => wrong,
            })
        }
    }
}

/// Whether values of a form are over several lines.
fn has_lines(form: Form) -> bool {
    form == Form::Pem
}
