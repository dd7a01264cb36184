//! Answers: as JSON, or as a table of what people look for first.

use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, ReflectMessage, SerializeOptions, Value,
};
use tidegate_types::{Error, Result};

use crate::args::OutputFormat;
use crate::client::output::{self, lines, table};

/// Columns at most.
const COLUMNS: usize = 8;
/// Characters of a value at most.
const WIDTH: usize = 60;
/// What people do not look for.
const LEFT_OUT: [&str; 6] = ["etag", "hash", "update_time", "create_time", "call", "creator"];

/// Prints an answer.
///
/// # Errors
/// `UNAVAILABLE` if standard output is closed.
pub(super) fn answer(message: &DynamicMessage, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return lines(&json(message, true)?);
    }
    if let Some(text) = super::preview::shown(message) {
        return lines(&text);
    }
    let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
    let listed = fields.iter().find(|field| {
        field.is_list() && matches!(field.kind(), Kind::Message(_)) && fields.len() <= 3
    });
    if let Some(field) = listed {
        let value = message.get_field(field);
        let items = value.as_list().unwrap_or_default();
        let items: Vec<&DynamicMessage> = items.iter().filter_map(Value::as_message).collect();
        let more = message.get_field_by_name("next_page_token");
        let more = more.as_deref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let empty = format!("there are no {}", field.name().replace('_', " "));
        let mut text = rows(&items, &empty);
        if !more.is_empty() {
            text.push_str(&format!("\nmore: --page-token {more}"));
        }
        return lines(&text);
    }
    let mut text = String::new();
    describe(&mut text, "", message);
    lines(if text.is_empty() { "done" } else { text.trim_end() })
}

/// Prints a message of a stream, as one line of JSON.
///
/// # Errors
/// `UNAVAILABLE` if standard output is closed.
pub(super) fn line(message: &DynamicMessage) -> Result<()> {
    lines(&json(message, false)?)
}

fn json(message: &DynamicMessage, pretty: bool) -> Result<String> {
    let options =
        SerializeOptions::new().skip_default_fields(false).stringify_64_bit_integers(false);
    let mut text = Vec::new();
    let written = match pretty {
        true => {
            let mut serializer = serde_json::Serializer::pretty(&mut text);
            message.serialize_with_options(&mut serializer, &options)
        }
        false => {
            let mut serializer = serde_json::Serializer::new(&mut text);
            message.serialize_with_options(&mut serializer, &options)
        }
    };
    written.map_err(|error| Error::internal(format!("print an answer: {error}")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn rows(items: &[&DynamicMessage], empty: &str) -> String {
    let Some(first) = items.first() else { return empty.to_owned() };
    let shown = |field: &FieldDescriptor| {
        let plain = !field.is_map()
            && (!matches!(field.kind(), Kind::Message(message) if message.full_name() != "google.protobuf.Timestamp"));
        plain
            && !LEFT_OUT.contains(&field.name())
            && items.iter().any(|item| !text(field, item.get_field(field).as_ref()).is_empty())
    };
    let fields: Vec<FieldDescriptor> =
        first.descriptor().fields().filter(shown).take(COLUMNS).collect();
    let names: Vec<String> =
        fields.iter().map(|field| field.name().replace('_', " ").to_uppercase()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let row = |item: &&DynamicMessage| {
        let values = fields.iter().map(|field| text(field, item.get_field(field).as_ref()));
        values.map(|value| shortened(&value)).collect()
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    table(&names, &rows, empty)
}

fn shortened(value: &str) -> String {
    let line = value.replace(['\n', '\r'], " ");
    match line.chars().count() > WIDTH {
        true => line.chars().take(WIDTH - 1).chain(['…']).collect(),
        false => line,
    }
}

/// All fields that are set, each on a line, those of inner messages below them.
fn describe(text_: &mut String, indent: &str, message: &DynamicMessage) {
    for field in message.descriptor().fields() {
        let value = message.get_field(&field);
        let name = field.name().replace('_', " ");
        match (field.kind(), value.as_ref()) {
            (Kind::Message(kind), Value::Message(inner))
                if kind.full_name() != "google.protobuf.Timestamp" =>
            {
                if message.has_field(&field) {
                    text_.push_str(&format!("{indent}{name}:\n"));
                    describe(text_, &format!("{indent}  "), inner);
                }
            }
            (Kind::Message(_), Value::List(items)) => {
                for item in items.iter().filter_map(Value::as_message) {
                    text_.push_str(&format!("{indent}{name}:\n"));
                    describe(text_, &format!("{indent}  "), item);
                }
            }
            (_, value) => {
                let shown = text(&field, value);
                if !shown.is_empty() {
                    text_.push_str(&format!("{indent}{name}: {shown}\n"));
                }
            }
        }
    }
}

/// A value as people read it; empty if it is not set.
fn text(field: &FieldDescriptor, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => String::new(),
        Value::U32(0) | Value::U64(0) | Value::I32(0) | Value::I64(0) => String::new(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::F32(number) => format!("{number:.1}"),
        Value::F64(number) => format!("{number:.1}"),
        Value::EnumNumber(0) => String::new(),
        Value::EnumNumber(number) => match field.kind() {
            Kind::Enum(kind) => {
                kind.get_value(*number).map(|value| value.name().to_lowercase()).unwrap_or_default()
            }
            _ => number.to_string(),
        },
        Value::List(items) if field.cardinality() == Cardinality::Repeated => {
            let texts: Vec<String> = items.iter().map(|item| text(field, item)).collect();
            texts.join(", ")
        }
        Value::Map(map) => {
            let mut pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}={}",
                        key.as_str().unwrap_or_default(),
                        value.as_str().unwrap_or_default()
                    )
                })
                .collect();
            pairs.sort();
            pairs.join(", ")
        }
        Value::Message(message) => match message.get_field_by_name("seconds").as_deref() {
            Some(Value::I64(0)) | None => String::new(),
            Some(Value::I64(seconds)) => {
                output::time(Some(&prost_types::Timestamp { seconds: *seconds, nanos: 0 }))
            }
            Some(_) => String::new(),
        },
        Value::Bytes(_) | Value::List(_) => String::new(),
    }
}
