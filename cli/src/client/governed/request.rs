//! From arguments to a request.

use clap::ArgMatches;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MethodDescriptor, Value};
use tidegate_types::{Error, ErrorCode, Result};

use super::arguments::{self, Argument, Form, Position};
use super::command::{POSITION, REQUEST};
use super::names;
use crate::security::read;

/// The request of a method as the command line says.
///
/// # Errors
/// `INVALID_OPTION` with the argument that is not what its field needs.
pub(super) fn request(method: &MethodDescriptor, matches: &ArgMatches) -> Result<DynamicMessage> {
    let mut request = match matches.get_one::<String>(REQUEST) {
        Some(file) => from_json(method, file)?,
        None => DynamicMessage::new(method.input()),
    };
    let noun = arguments::noun(method);
    let text = |id: &str| {
        let known = matches.try_get_one::<String>(id).ok().flatten();
        known.cloned().unwrap_or_default()
    };
    let (tenant, project, database) = (text("tenant"), text("project"), text("database"));
    let full = |given: &str| names::full(&noun, given, &tenant, &project, &database);
    if let Some(given) = matches.try_get_one::<String>(POSITION).ok().flatten() {
        match arguments::position(method) {
            Position::Name(way) => set(&mut request, &way, Value::String(full(given))),
            Position::Id(field) => set(&mut request, &[field], Value::String(given.clone())),
            Position::None => {}
        }
    }
    if let Some(field) = method.input().get_field_by_name("parent") {
        let parent = match text("parent") {
            given if !given.is_empty() => Some(given),
            _ => default_parent(&noun, method, matches, &tenant, &project, &database),
        };
        if let Some(parent) = parent {
            set(&mut request, &[field], Value::String(parent));
        }
    }
    let mut paths = Vec::new();
    for argument in arguments::arguments(method) {
        if let Some(value) = value(&argument, matches)? {
            set(&mut request, &argument.way, value);
            // An etag says what was seen, it is not changed.
            paths.extend(Some(path(&argument)).filter(|path| path != "etag"));
        }
    }
    if let Some(mask) = method.input().get_field_by_name("update_mask")
        && !request.has_field(&mask)
        && let Kind::Message(kind) = mask.kind()
    {
        let mut value = DynamicMessage::new(kind);
        let fields = paths.into_iter().map(Value::String).collect();
        value.set_field_by_name("paths", Value::List(fields));
        request.set_field(&mask, Value::Message(value));
    }
    if let Some(field) = method.input().get_field_by_name("request_id")
        && !request.has_field(&field)
    {
        // The same call again, if its answer is lost, is not done twice.
        let id = format!("cli-{:016x}", tidegate_job_control::driver::random());
        request.set_field(&field, Value::String(id));
    }
    Ok(request)
}

fn default_parent(
    noun: &str,
    method: &MethodDescriptor,
    matches: &ArgMatches,
    tenant: &str,
    project: &str,
    database: &str,
) -> Option<String> {
    match (noun, method.name()) {
        ("project", _) => Some(format!("tenants/{tenant}")),
        ("audit", _) => Some("system".to_owned()),
        ("service-account", name) if name.ends_with("Key") => {
            let account = matches.try_get_one::<String>("account").ok().flatten()?;
            Some(names::full(noun, account, tenant, project, database))
        }
        _ => names::parent(noun, tenant, project, database),
    }
}

/// What `update_mask` calls a field.
fn path(argument: &Argument) -> String {
    let inner = argument.way.iter().skip(1).map(FieldDescriptor::name);
    inner.collect::<Vec<_>>().join(".")
}

fn from_json(method: &MethodDescriptor, file: &str) -> Result<DynamicMessage> {
    let text = match file {
        "-" => std::io::read_to_string(std::io::stdin()).map_err(|error| {
            Error::new(ErrorCode::Unavailable, format!("read standard input: {error}"))
        })?,
        path => read(std::path::Path::new(path))?,
    };
    json(method.input(), &text, "--request")
}

fn json(kind: prost_reflect::MessageDescriptor, text: &str, flag: &str) -> Result<DynamicMessage> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let wrong = |error: serde_json::Error| {
        Error::new(ErrorCode::InvalidOption, format!("{flag}: {error}"))
            .help(format!("it is a {} as JSON", kind.name()))
    };
    let message = DynamicMessage::deserialize(kind.clone(), &mut reader).map_err(wrong)?;
    reader.end().map_err(wrong)?;
    Ok(message)
}

fn value(argument: &Argument, matches: &ArgMatches) -> Result<Option<Value>> {
    let id = argument.flag.as_str();
    let Some(field) = argument.way.last() else { return Ok(None) };
    if argument.form == Form::Flag {
        let given = matches.try_get_one::<bool>(id).ok().flatten();
        return Ok(given.map(|given| Value::Bool(*given)));
    }
    let Some(texts) = matches.try_get_many::<String>(id).ok().flatten() else { return Ok(None) };
    let texts: Vec<&String> = texts.collect();
    let Some(first) = texts.first() else { return Ok(None) };
    let wrong = |why: &str| Error::new(ErrorCode::InvalidOption, format!("--{id}: {why}"));
    Ok(Some(match argument.form {
        Form::Flag => return Ok(None),
        Form::One => scalar(field, first).ok_or_else(|| wrong("it is no number"))?,
        Form::Many => {
            let values = texts.iter().map(|text| scalar(field, text));
            let values: Option<Vec<Value>> = values.collect();
            Value::List(values.ok_or_else(|| wrong("it is no number"))?)
        }
        Form::Pairs => {
            let mut map = std::collections::HashMap::new();
            for text in texts {
                let (key, value) = text.split_once('=').ok_or_else(|| wrong("write KEY=VALUE"))?;
                map.insert(MapKey::String(key.to_owned()), Value::String(value.to_owned()));
            }
            Value::Map(map)
        }
        Form::Time => match field.kind() {
            Kind::Message(kind) => {
                Value::Message(json(kind, &format!("\"{first}\""), &format!("--{id}"))?)
            }
            _ => return Ok(None),
        },
        Form::Json => match field.kind() {
            Kind::Message(kind) if field.is_list() => {
                // One object, or a list of them.
                let text = if first.trim_start().starts_with('[') {
                    (*first).clone()
                } else {
                    format!("[{first}]")
                };
                let items: Vec<serde_json::Value> =
                    serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
                let messages = items.iter().map(|item| {
                    json(kind.clone(), &item.to_string(), &format!("--{id}")).map(Value::Message)
                });
                Value::List(messages.collect::<Result<_>>()?)
            }
            Kind::Message(kind) => Value::Message(json(kind, first, &format!("--{id}"))?),
            _ => return Ok(None),
        },
    }))
}

fn scalar(field: &FieldDescriptor, text: &str) -> Option<Value> {
    Some(match field.kind() {
        Kind::String => Value::String(text.to_owned()),
        Kind::Bool => Value::Bool(text.parse().ok()?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(text.parse().ok()?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(text.parse().ok()?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(text.parse().ok()?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(text.parse().ok()?),
        Kind::Float => Value::F32(text.parse().ok()?),
        Kind::Double => Value::F64(text.parse().ok()?),
        Kind::Bytes => Value::Bytes(text.as_bytes().to_vec().into()),
        Kind::Enum(kind) => {
            let value =
                kind.values().find(|value| names::kebab(&value.name().to_lowercase()) == text)?;
            Value::EnumNumber(value.number())
        }
        Kind::Message(_) => return None,
    })
}

fn set(message: &mut DynamicMessage, way: &[FieldDescriptor], value: Value) {
    let Some((first, rest)) = way.split_first() else { return };
    if rest.is_empty() {
        message.set_field(first, value);
        return;
    }
    if let Value::Message(inner) = message.get_field_mut(first) {
        set(inner, rest, value);
    }
}
