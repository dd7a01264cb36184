//! What files say of projects, as a list of items, each with its place.

use std::path::Path;

use serde_json::{Map, Value as Json};
use tidegate_types::Result;

use super::calls::message;
use super::fields::{self, Source, Taken, list, needed, object, plain};
use super::variables::{Variables, line};
use super::yaml::{Node, Place, Value};
use crate::run::read_script;

/// What an item is, in the order in which they are brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Project,
    Service,
    Role,
    DataSource,
    Database,
    DatabasePublication,
    Table,
    TablePublication,
    Grant,
    Job,
}

impl Kind {
    /// As it is called in sentences.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Service => "service",
            Self::Role => "role",
            Self::DataSource => "data source",
            Self::Database | Self::DatabasePublication => "database",
            Self::Table | Self::TablePublication => "table",
            Self::Grant => "grant",
            Self::Job => "job",
        }
    }
}

/// Something that a file wants to be there.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// Id of the project.
    pub(super) project: String,
    /// Its full name; of roles and grants one that no other has.
    pub(super) name: String,
    /// Its id for people.
    pub(super) id: String,
    pub(super) place: Place,
    /// Given fields of its message, as JSON.
    pub(super) fields: Map<String, Json>,
    pub(super) more: More,
}

/// What is no field of the message of an item.
#[derive(Debug, Clone)]
pub(super) enum More {
    Nothing,
    Project {
        /// `tenants/{tenant}`; none: not said.
        tenant: Option<String>,
        /// Ids.
        services: Vec<String>,
    },
    DataSource {
        publish: bool,
    },
    Publication {
        /// `TEST` or `PRODUCTION`.
        environment: &'static str,
    },
    Job {
        /// Fields of `CreateVersionRequest`; none: no script.
        version: Option<Map<String, Json>>,
        start: bool,
    },
}

const SECTIONS: [&str; 10] = [
    "project",
    "tenant",
    "services",
    "roles",
    "data_sources",
    "dataSources",
    "databases",
    "tables",
    "grants",
    "jobs",
];

/// The items of a document.
///
/// # Errors
/// `INVALID_OPTION` with the place of what is wrong.
pub(super) fn items(
    document: Node,
    default_tenant: &str,
    base: &Path,
    variables: &Variables,
) -> Result<Vec<Item>> {
    let place = document.place.clone();
    let project = source("Project", Some(&["description", "settings"]))?;
    let mut taken = object(document, "a document", &[project], &SECTIONS)?;
    let id = needed(taken.more("project"), "the document", "project", &place)?;
    let id = plain(&id, "project")?;
    let id = id.strip_prefix("projects/").unwrap_or(&id).to_owned();
    let tenant = taken.more("tenant").map(|node| plain(&node, "tenant")).transpose()?;
    let tenant = tenant.map(|id| id.strip_prefix("tenants/").unwrap_or(&id).to_owned());
    let of = Document {
        tenant: tenant.clone().unwrap_or_else(|| default_tenant.to_owned()),
        project: id.clone(),
        base,
        variables,
    };
    let mut items = Vec::new();
    let mut services = Vec::new();
    for node in list(taken.more("services"), "services")? {
        let service = of.service(node)?;
        services.push(service.id.clone());
        items.push(service);
    }
    let own =
        of.item(Kind::Project, &id, format!("projects/{id}"), place, taken.fields.swap_remove(0));
    let tenant = tenant.map(|id| format!("tenants/{id}"));
    items.insert(0, Item { more: More::Project { tenant, services }, ..own });
    for node in list(taken.more("roles"), "roles")? {
        items.push(of.role(node)?);
    }
    let sources = taken.more("data_sources").or_else(|| taken.more("dataSources"));
    for node in list(sources, "data_sources")? {
        items.push(of.data_source(node)?);
    }
    for node in list(taken.more("databases"), "databases")? {
        of.published(&mut items, node, Kind::Database)?;
    }
    for node in list(taken.more("tables"), "tables")? {
        of.published(&mut items, node, Kind::Table)?;
    }
    for node in list(taken.more("grants"), "grants")? {
        items.push(of.grant(node)?);
    }
    for node in list(taken.more("jobs"), "jobs")? {
        items.push(of.job(node)?);
    }
    Ok(items)
}

fn source(name: &str, fields: Option<&'static [&'static str]>) -> Result<Source> {
    Ok(Source { message: message(name)?, fields })
}

struct Document<'a> {
    tenant: String,
    project: String,
    /// Scripts are beside the file.
    base: &'a Path,
    variables: &'a Variables,
}

impl Document<'_> {
    fn item(
        &self,
        kind: Kind,
        id: &str,
        name: String,
        place: Place,
        fields: Map<String, Json>,
    ) -> Item {
        let (project, id) = (self.project.clone(), id.to_owned());
        Item { kind, project, name, id, place, fields, more: More::Nothing }
    }

    /// The full name of something: what has a `/` is one.
    fn full(&self, pattern: &str, id: &str) -> String {
        match id.contains('/') {
            true => id.to_owned(),
            false => format!(
                "{}/{id}",
                pattern.replace("{project}", &self.project).replace("{tenant}", &self.tenant)
            ),
        }
    }

    /// `table`, `database.table`, or a full name.
    fn table(&self, id: &str) -> String {
        match id.split_once('.') {
            Some((database, table)) => {
                self.full(&format!("projects/{{project}}/databases/{database}/tables"), table)
            }
            None => self.full("projects/{project}/databases/default/tables", id),
        }
    }

    fn account(&self, id: &str) -> String {
        self.full("tenants/{tenant}/users", id)
    }

    fn service(&self, node: Node) -> Result<Item> {
        let place = node.place.clone();
        let (id, fields) = match &node.value {
            Value::Text { text, .. } => (text.clone(), Map::new()),
            _ => {
                let mut taken =
                    object(node, "a service", &[source("Service", Some(&["quota"]))?], &["id"])?;
                (id(&mut taken, "the service", &place)?, taken.fields.swap_remove(0))
            }
        };
        Ok(self.item(
            Kind::Service,
            &id,
            self.full("projects/{project}/services", &id),
            place,
            fields,
        ))
    }

    fn role(&self, node: Node) -> Result<Item> {
        let place = node.place.clone();
        let fields = source("RoleAssignment", Some(&["role", "account"]))?;
        let mut taken = object(node, "a role", &[fields], &[])?;
        let mut fields = taken.fields.swap_remove(0);
        let role = needed(string(&fields, "role"), "the role", "role", &place)?;
        let account =
            self.account(&needed(string(&fields, "account"), "the role", "account", &place)?);
        fields.insert("account".to_owned(), account.clone().into());
        fields.insert("scope".to_owned(), format!("projects/{}", self.project).into());
        let name = format!("projects/{} {role} {account}", self.project);
        let id = format!("{role} of {account}");
        Ok(self.item(Kind::Role, &id, name, place, fields))
    }

    fn data_source(&self, node: Node) -> Result<Item> {
        let place = node.place.clone();
        let given = &["type", "description", "parameters", "shared_with", "shared_with_all"];
        let mut taken = object(
            node,
            "a data source",
            &[source("DataSource", Some(given))?],
            &["id", "publish"],
        )?;
        let id = id(&mut taken, "the data source", &place)?;
        let publish =
            taken.more("publish").map(|node| fields::flag(&node, "publish")).transpose()?;
        let mut fields = taken.fields.swap_remove(0);
        if let Some(Json::Array(projects)) = fields.get_mut("sharedWith") {
            for project in projects {
                let full = project.as_str().map(|id| self.full("projects", id));
                *project = full.unwrap_or_default().into();
            }
        }
        let name = self.full("projects/{project}/dataSources", &id);
        let item = self.item(Kind::DataSource, &id, name, place, fields);
        Ok(Item { more: More::DataSource { publish: publish.unwrap_or(false) }, ..item })
    }

    /// A database or table, and where it is published.
    fn published(&self, items: &mut Vec<Item>, node: Node, kind: Kind) -> Result<()> {
        let place = node.place.clone();
        let (message, given, more, publication): (
            _,
            &'static [&'static str],
            &'static [&'static str],
            _,
        ) = match kind {
            Kind::Database => (
                "Database",
                &["description", "tags"],
                &["id", "publish"],
                Kind::DatabasePublication,
            ),
            _ => (
                "Table",
                &["type", "description", "tags", "definition"],
                &["id", "database", "publish"],
                Kind::TablePublication,
            ),
        };
        let what = format!("the {}", kind.noun());
        let mut taken = object(node, &what, &[source(message, Some(given))?], more)?;
        let id = id(&mut taken, &what, &place)?;
        if kind == Kind::Database && id == "default" {
            let message = "every project has the database default, of which nothing can be changed";
            return Err(place
                .error(message)
                .help("leave it out; tables are in it unless they say another"));
        }
        let database = taken.more("database").map(|node| plain(&node, "database")).transpose()?;
        let (id, name) = match (kind, database) {
            (Kind::Database, _) => (id.clone(), self.full("projects/{project}/databases", &id)),
            (_, Some(database)) if database != "default" => {
                (format!("{database}.{id}"), self.table(&format!("{database}.{id}")))
            }
            _ => (id.clone(), self.table(&id)),
        };
        let publish = taken.more("publish");
        items.push(self.item(kind, &id, name.clone(), place, taken.fields.swap_remove(0)));
        let Some(publish) = publish else { return Ok(()) };
        let mut taken = object(publish, "'publish'", &[], &["test", "production"])?;
        for (key, environment) in [("test", "TEST"), ("production", "PRODUCTION")] {
            let Some(node) = taken.more(key) else { continue };
            let place = node.place.clone();
            let (message, given): (_, &'static [&'static str]) = match kind {
                Kind::Database => {
                    ("PublishDatabaseRequest", &["data_source", "physical_name", "reason"])
                }
                _ => ("PublishTableRequest", &["data_source", "physical_name", "topic", "reason"]),
            };
            let node = match node.value {
                // Everything by default.
                Value::Null => Node { value: Value::Map(Vec::new()), place: node.place },
                _ => node,
            };
            let mut taken =
                object(node, &format!("'{key}'"), &[source(message, Some(given))?], &[])?;
            let mut fields = taken.fields.swap_remove(0);
            if let Some(source) = string(&fields, "dataSource") {
                fields.insert(
                    "dataSource".to_owned(),
                    self.full("projects/{project}/dataSources", &source).into(),
                );
            }
            let item =
                self.item(publication, &format!("{id} in {key}"), name.clone(), place, fields);
            items.push(Item { more: More::Publication { environment }, ..item });
        }
        Ok(())
    }

    fn grant(&self, node: Node) -> Result<Item> {
        let place = node.place.clone();
        let given = source("Grant", Some(&["table", "grantee", "rights"]))?;
        let mut taken = object(node, "a grant", &[given], &[])?;
        let mut fields = taken.fields.swap_remove(0);
        let table = self.table(&needed(string(&fields, "table"), "the grant", "table", &place)?);
        let grantee =
            self.account(&needed(string(&fields, "grantee"), "the grant", "grantee", &place)?);
        if !fields.contains_key("rights") {
            return Err(place
                .error("the grant has no 'rights'")
                .help("write rights: {permissions: [select]}"));
        }
        fields.insert("table".to_owned(), table.clone().into());
        fields.insert("grantee".to_owned(), grantee.clone().into());
        let short = table.rsplit('/').next().unwrap_or(&table);
        let id = format!("of {short} to {grantee}");
        Ok(self.item(Kind::Grant, &id, format!("{table} {grantee}"), place, fields))
    }

    fn job(&self, node: Node) -> Result<Item> {
        let place = node.place.clone();
        let job = source("Job", Some(&["description", "labels", "priority"]))?;
        let version = source(
            "CreateVersionRequest",
            Some(&["sql", "settings", "parallelism", "environment"]),
        )?;
        let mut taken = object(node, "a job", &[job, version], &["id", "file", "start"])?;
        let id = id(&mut taken, "the job", &place)?;
        let start = taken.more("start").map(|node| fields::flag(&node, "start")).transpose()?;
        let mut version = taken.fields.swap_remove(1);
        if let Some(node) = taken.more("file") {
            if version.contains_key("sql") {
                return Err(node.place.error("a job has 'file' or 'sql', not both"));
            }
            let path = self.base.join(plain(&node, "file")?);
            let sql = read_script(&path).map_err(|error| error.context(node.place.to_string()))?;
            let at = |byte: usize| format!("{}:{}", path.display(), line(&sql, byte));
            version.insert("sql".to_owned(), self.variables.replaced(&sql, at)?.into());
        }
        let scripted = version.contains_key("sql");
        let start = start.unwrap_or(false);
        if !scripted && (start || version.keys().any(|key| key != "environment")) {
            return Err(place
                .error("the job has no script")
                .help("name its 'file', or write it as 'sql'"));
        }
        let name = self.full("projects/{project}/jobs", &id);
        let item = self.item(Kind::Job, &id, name, place, taken.fields.swap_remove(0));
        Ok(Item { more: More::Job { version: scripted.then_some(version), start }, ..item })
    }
}

fn id(taken: &mut Taken, what: &str, place: &Place) -> Result<String> {
    let node = needed(taken.more("id"), what, "id", place)?;
    let id = plain(&node, "id")?;
    match id.is_empty() || id.contains('/') {
        true => Err(node
            .place
            .error(format!("'{id}' is no id"))
            .help("write the id alone, not the full name")),
        false => Ok(id),
    }
}

fn string(fields: &Map<String, Json>, name: &str) -> Option<String> {
    fields.get(name).and_then(Json::as_str).map(str::to_owned)
}

/// Puts items into their order. Refuses what is there twice.
///
/// # Errors
/// `INVALID_OPTION` with both places.
pub(super) fn ordered(items: Vec<Item>) -> Result<Vec<Item>> {
    let mut all: Vec<Item> = Vec::new();
    let mut seen: std::collections::BTreeMap<(Kind, String, String), usize> =
        std::collections::BTreeMap::new();
    for item in items {
        let key = (item.kind, item.name.clone(), item.id.clone());
        match seen.get(&key) {
            // Several documents may be about one project.
            Some(_) if item.kind == Kind::Project && item.says_nothing() => {}
            Some(&at) => {
                let (noun, before) = (item.kind.noun(), &all[at].place);
                return Err(item
                    .place
                    .error(format!("the {noun} {} is there already, at {before}", item.id)));
            }
            None => {
                seen.insert(key, all.len());
                all.push(item);
            }
        }
    }
    all.sort_by_key(|item| item.kind);
    Ok(all)
}

impl Item {
    fn says_nothing(&self) -> bool {
        let more = match &self.more {
            More::Project { services, .. } => services.is_empty(),
            _ => true,
        };
        self.fields.is_empty() && more
    }
}
