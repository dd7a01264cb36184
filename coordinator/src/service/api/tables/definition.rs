//! A definition as the planner reads it: one CREATE TABLE statement, with placeholders for what the environment says.

use tidegate_catalog::{Column, TableDefinition, TableName};
use tidegate_connector_spec::data_source::{self as spec, DataSourceSpec};
use tidegate_connector_spec::{Required, connector};
use tidegate_planner::governed::{ColumnText, definition_text, describe_definition, schema_digest};
use tidegate_runtime::blocking::beside;
use tidegate_types::{Error, ErrorCode, Result};

use crate::service::api::data_sources::type_of;
use crate::service::api::fields::invalid;

/// Stands for the connector of types that jobs cannot use yet: it takes any columns.
const NO_CONNECTOR: &str = "blackhole";

/// The digest of a definition. Refuses one that the planner does not read, with the place in it.
pub(super) async fn check(
    name: &TableName,
    kind: &str,
    definition: &TableDefinition,
) -> Result<String> {
    let spec = type_of(kind)?;
    let of = |error: Error| error.context(format!("definition of {name}"));
    let statement = statement(name, spec, definition).map_err(of)?;
    let readable = !spec.connectors.is_empty();
    let described = beside("read a definition", move || {
        Ok::<_, Error>((describe_definition(&statement)?, schema_digest(&statement)?))
    });
    let (described, digest) = described.await?.map_err(of)?;
    match (described.unreadable, described.unwritable) {
        // One of both is enough: a table may be for reading or writing only.
        (Some(unreadable), Some(_)) if readable => Err(of(unreadable)),
        _ => Ok(digest),
    }
}

/// The statement of a definition.
///
/// # Errors
/// `INVALID_OPTION` for options that such a table cannot have.
pub(crate) fn statement(
    name: &TableName,
    spec: &'static DataSourceSpec,
    definition: &TableDefinition,
) -> Result<String> {
    let chosen = definition.options.get("connector").map(String::as_str);
    let connector_name = chosen.or(spec.connectors.first().copied()).unwrap_or(NO_CONNECTOR);
    if let Some(other) = chosen.filter(|name| !spec.connectors.contains(name)) {
        let message = format!("tables of type {} have no connector '{other}'", spec.name);
        return Err(invalid(message)
            .help(format!("use one of: {}", spec.connectors.join(", ")))
            .with_code(ErrorCode::InvalidOption));
    }
    let mut options = definition.options.clone();
    options.insert("connector".to_owned(), connector_name.to_owned());
    let own = spec::table_options(spec, connector_name);
    let all = connector(connector_name).map(|connector| connector.options).unwrap_or_default();
    // What it needs and the table cannot say, the data source says.
    for option in all.iter().filter(|option| option.required != Required::No) {
        let of_table = own.iter().any(|own| own.key == option.key);
        if !of_table && !options.contains_key(option.key) {
            options.insert(option.key.to_owned(), format!("${{{}}}", option.key));
        }
    }
    let columns: Vec<ColumnText<'_>> = definition.columns.iter().map(column).collect();
    let watermark = definition.watermark.as_ref();
    let watermark =
        watermark.map(|watermark| (watermark.column.as_str(), watermark.expression.as_str()));
    definition_text(name.table(), &columns, &definition.primary_key, watermark, &options)
}

fn column(column: &Column) -> ColumnText<'_> {
    ColumnText {
        name: &column.name,
        ty: &column.ty,
        expression: &column.expression,
        metadata: &column.metadata,
        is_virtual: column.is_virtual,
        comment: &column.comment,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidegate_catalog::WatermarkSpec;

    use super::*;

    fn definition() -> TableDefinition {
        let column = |name: &str, ty: &str| Column {
            name: name.to_owned(),
            ty: ty.to_owned(),
            ..Column::default()
        };
        let mut columns = vec![
            column("user id", "BIGINT NOT NULL"),
            column("ts", "TIMESTAMP(3)"),
            column("offset", "BIGINT"),
            column("day", ""),
        ];
        columns[0].comment = "it's who".to_owned();
        columns[2].metadata = "offset".to_owned();
        columns[2].is_virtual = true;
        columns[3].expression = "CAST(ts AS DATE)".to_owned();
        TableDefinition {
            columns,
            primary_key: Vec::new(),
            watermark: Some(WatermarkSpec {
                column: "ts".to_owned(),
                expression: "ts - INTERVAL '5' SECOND".to_owned(),
            }),
            options: BTreeMap::from([("format".to_owned(), "json".to_owned())]),
            digest: String::new(),
        }
    }

    fn name() -> TableName {
        TableName::new("p", "default", "clicks").unwrap()
    }

    #[tokio::test]
    async fn a_definition_is_a_statement_that_the_planner_reads() {
        check(&name(), "kafka", &definition()).await.unwrap();
        let text = statement(&name(), type_of("kafka").unwrap(), &definition()).unwrap();
        assert!(text.contains("'topic' = '${topic}'"), "{text}");
        assert!(text.contains("COMMENT 'it''s who'"), "{text}");
        // Jobs cannot use it yet; its columns are checked all the same.
        let mut plain = definition();
        plain.options.clear();
        plain.columns.retain(|column| column.metadata.is_empty());
        check(&name(), "redis", &plain).await.unwrap();
    }

    #[tokio::test]
    async fn mistakes_are_said_with_the_table() {
        let mut wrong = definition();
        wrong.columns[1].ty = "TIMESTEMP(3)".to_owned();
        let error = check(&name(), "kafka", &wrong).await.unwrap_err();
        assert!(
            error.to_string().contains("projects/p/databases/default/tables/clicks"),
            "{error}"
        );
        let mut wrong = definition();
        wrong.options.clear();
        let error = check(&name(), "kafka", &wrong).await.unwrap_err();
        assert!(error.to_string().contains("format"), "{error}");
        let error = check(&name(), "oracel", &definition()).await.unwrap_err();
        assert!(error.to_string().contains("'oracel' is no type"), "{error}");
        let mut wrong = definition();
        wrong.options.insert("connector".to_owned(), "jdbc".to_owned());
        let error = check(&name(), "kafka", &wrong).await.unwrap_err();
        assert!(error.to_string().contains("no connector 'jdbc'"), "{error}");
    }
}
