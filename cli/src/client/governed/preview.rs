//! Rows of a preview as a table for people.

use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage};
use serde_json::Value;
use tidegate_proto::v1::PreviewTableResponse;
use tidegate_proto::v1::preview_table_response::End;

use crate::client::output::table;

/// The text of an answer, if it is a preview.
pub(super) fn shown(message: &DynamicMessage) -> Option<String> {
    if message.descriptor().full_name() != "tidegate.v1.PreviewTableResponse" {
        return None;
    }
    let preview = PreviewTableResponse::decode(message.encode_to_vec().as_slice()).ok()?;
    let changing = preview.rows.iter().any(|row| row.kind != "+I");
    let name = |column: &tidegate_proto::v1::preview_table_response::Column| match column.mask() {
        tidegate_proto::v1::rights::Mask::Unspecified => column.name.clone(),
        _ => format!("{} (masked)", column.name),
    };
    let names: Vec<String> = changing
        .then(|| "op".to_owned())
        .into_iter()
        .chain(preview.columns.iter().map(name))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let row = |row: &tidegate_proto::v1::preview_table_response::Row| {
        let object: Value = serde_json::from_str(&row.json).unwrap_or_default();
        let value = |name: &str| match &object[name] {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let values = preview.columns.iter().map(|column| value(&column.name));
        changing.then(|| row.kind.clone()).into_iter().chain(values).collect()
    };
    let rows: Vec<Vec<String>> = preview.rows.iter().map(row).collect();
    let environment = preview.environment().as_str_name().to_lowercase();
    let mut text = table(&names, &rows, "there are no rows");
    let end = match preview.end() {
        End::Rows => "there may be more: --limit",
        End::Bytes => "there is more than a preview holds",
        End::Time => "more may come: --timeout-seconds",
        End::Unspecified | End::Input => "that is all",
    };
    text.push_str(&format!("\n{} rows of {environment}, {end}", preview.rows.len()));
    if !preview.left_out.is_empty() {
        text.push_str(&format!("; not yours to see: {}", preview.left_out.join(", ")));
    }
    Some(text)
}
