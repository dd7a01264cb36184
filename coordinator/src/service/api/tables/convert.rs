//! Between messages of the API and tables of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_catalog::{
    ChildName, Collection, Column, Database, Design, Environment, Publication, PublicationState,
    ResourceName, Table, TableDefinition, Topic, WatermarkSpec,
};
use tidegate_proto::v1 as api;
use tidegate_types::Result;

use crate::service::api::approvals::environment;
use crate::service::api::convert::time;
use crate::service::api::fields::{invalid, missing};

/// The name of a data source.
pub(super) fn data_source(text: &str) -> Result<ChildName> {
    match text.parse()? {
        ResourceName::Child(name) if name.collection() == Collection::DataSources => Ok(name),
        _ => Err(invalid(format!("'{text}' is not the name of a data source"))),
    }
}

/// The name of a database.
pub(super) fn database(text: &str) -> Result<ChildName> {
    match text.parse()? {
        ResourceName::Child(name) if name.collection() == Collection::Databases => Ok(name),
        _ => Err(invalid(format!("'{text}' is not the name of a database"))),
    }
}

/// Words by which something is found.
pub(super) fn tags(tags: Vec<String>) -> BTreeSet<String> {
    tags.into_iter().map(|tag| tag.trim().to_owned()).collect()
}

/// How a topic is created.
pub(super) fn topic(topic: Option<api::publication::Topic>) -> Topic {
    let api::publication::Topic { partitions, replication_factor, retention_ms } =
        topic.unwrap_or_default();
    Topic { partitions, replication_factor, retention_ms }
}

/// Where a table is in design, of its publications; others cannot be given.
pub(super) fn design(publications: &[api::Publication]) -> Result<Option<Design>> {
    let mut found = None;
    for publication in publications {
        match publication.environment() {
            api::Environment::Design => {
                found = Some(Design {
                    data_source: data_source(&publication.data_source)?,
                    physical_name: publication.physical_name.clone(),
                });
            }
            api::Environment::Unspecified => return Err(missing("publications.environment")),
            // What was read may be given back.
            api::Environment::Test | api::Environment::Production => {}
        }
    }
    Ok(found)
}

/// A definition.
pub(super) fn definition(definition: api::TableDefinition) -> TableDefinition {
    let column = |column: api::table_definition::Column| Column {
        name: column.name,
        ty: column.r#type,
        comment: column.comment,
        expression: column.expression,
        metadata: column.metadata,
        is_virtual: column.r#virtual,
    };
    let watermark = definition.watermark.map(|watermark| WatermarkSpec {
        column: watermark.column,
        expression: watermark.expression,
    });
    let options: BTreeMap<String, String> = definition.options.into_iter().collect();
    TableDefinition {
        columns: definition.columns.into_iter().map(column).collect(),
        primary_key: definition.primary_key,
        watermark,
        options,
        digest: String::new(),
    }
}

fn definition_message(definition: &TableDefinition) -> api::TableDefinition {
    let column = |column: &Column| api::table_definition::Column {
        name: column.name.clone(),
        r#type: column.ty.clone(),
        comment: column.comment.clone(),
        expression: column.expression.clone(),
        metadata: column.metadata.clone(),
        r#virtual: column.is_virtual,
    };
    let watermark = definition.watermark.as_ref();
    api::TableDefinition {
        columns: definition.columns.iter().map(column).collect(),
        primary_key: definition.primary_key.clone(),
        watermark: watermark.map(|watermark| api::table_definition::Watermark {
            column: watermark.column.clone(),
            expression: watermark.expression.clone(),
        }),
        options: definition.options.clone().into_iter().collect(),
    }
}

fn publication_message(at: Environment, publication: &Publication) -> api::Publication {
    use api::publication::State;
    let state = match publication.state {
        PublicationState::Ready => State::Ready,
        PublicationState::Applying => State::Applying,
        PublicationState::Failed => State::Failed,
    };
    let Topic { partitions, replication_factor, retention_ms } = publication.topic;
    let topic = (publication.topic != Topic::default()).then_some(api::publication::Topic {
        partitions,
        replication_factor,
        retention_ms,
    });
    api::Publication {
        environment: environment(at).into(),
        data_source: publication.data_source.to_string(),
        physical_name: publication.physical_name.clone(),
        publish_time: time(publication.published_ms),
        approval: publication.approval.as_ref().map(ToString::to_string).unwrap_or_default(),
        state: state.into(),
        message: publication.message.clone(),
        topic,
        definition: publication.definition.as_ref().map(definition_message),
    }
}

/// A database.
pub(super) fn database_message(database: &Database) -> api::Database {
    let publications = database.publications.iter();
    api::Database {
        name: database.name.to_string(),
        description: database.description.clone(),
        tags: database.tags.iter().cloned().collect(),
        owner: database.owner.clone(),
        publications: publications.map(|(at, there)| publication_message(*at, there)).collect(),
        create_time: time(database.created_ms),
        update_time: time(database.updated_ms),
        etag: database.revision.to_string(),
    }
}

/// A table with what is there and what is on its way.
pub(in crate::service::api) fn table_message(table: &Table) -> api::Table {
    let there = table.publications.iter().chain(&table.next);
    let in_test = table.publications.get(&Environment::Test);
    let in_test = in_test.and_then(|test| test.definition.as_ref());
    api::Table {
        name: table.name.to_string(),
        r#type: table.kind.clone(),
        description: table.description.clone(),
        tags: table.tags.iter().cloned().collect(),
        owner: table.owner.clone(),
        definition: Some(definition_message(&table.definition)),
        publications: there.map(|(at, there)| publication_message(*at, there)).collect(),
        create_time: time(table.created_ms),
        update_time: time(table.updated_ms),
        etag: table.revision.to_string(),
        changed_since_test: in_test.is_some_and(|test| *test != table.definition),
    }
}
