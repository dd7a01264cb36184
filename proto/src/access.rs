//! Who may call what, as the `.proto` files say: a permission for every method of the public API, the role of the caller
//! for every service between nodes. The build makes this table too, and fails where something is not said.
//!
//! Not here: who has which permission.

use std::collections::BTreeMap;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};

/// What a caller must have or be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A permission, such as `jobs.start`.
    Permission(String),
    /// A node with this role: `coordinator` or `worker`.
    Peer(String),
}

/// Where a caller must have the permission of a method.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Everywhere.
    System,
    /// Somewhere.
    Any,
    /// In the tenant or project that the resource name begins with which stands in this field: the way to it.
    Field(Vec<FieldDescriptor>),
}

/// A method of a service.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its name: `tidegate.v1.JobService/StartJob`.
    pub name: String,
    /// Who may call it.
    pub access: Access,
    /// Where a caller must have the permission; [`Scope::Any`] between nodes.
    pub scope: Scope,
    /// What it takes.
    pub input: MessageDescriptor,
    /// Whether it takes a stream of that.
    pub takes_stream: bool,
}

/// Verbs of permissions that change nothing.
const READING: [&str; 2] = ["get", "list"];

impl Method {
    /// Whether it changes something.
    pub fn mutates(&self) -> bool {
        match &self.access {
            Access::Permission(permission) => {
                let verb = permission.rsplit('.').next();
                verb.is_none_or(|verb| !READING.contains(&verb))
            }
            Access::Peer(_) => false,
        }
    }

    /// What an encoded request is about, and its `request_id`: the resource that its scope's field names, or below it
    /// the one that it gives an id to. Empty where the request does not say, or is none.
    pub fn subject(&self, request: &[u8]) -> Subject {
        let Ok(message) = DynamicMessage::decode(self.input.clone(), request) else {
            return Subject::default();
        };
        let text = |field: &str| match message.get_field_by_name(field).as_deref() {
            Some(Value::String(text)) => text.clone(),
            Some(Value::U64(number)) if *number > 0 => number.to_string(),
            _ => String::new(),
        };
        let request_id = text("request_id");
        let scope = match &self.scope {
            Scope::Field(way) => text_at(&message, way),
            // Members of the cluster have numbers.
            Scope::System | Scope::Any => [text("name"), text("account"), text("tenant_id")]
                .into_iter()
                .find(|text| !text.is_empty())
                .or_else(|| {
                    Some(text("id"))
                        .filter(|id| !id.is_empty())
                        .map(|id| format!("coordinators/{id}"))
                })
                .unwrap_or_default(),
        };
        let child = CHILDREN.iter().find_map(|(field, collection)| {
            Some(text(field)).filter(|id| !id.is_empty()).map(|id| format!("/{collection}/{id}"))
        });
        let resource = match child {
            Some(child) if self.names_parent() => scope.clone() + &child,
            _ => scope.clone(),
        };
        Subject { resource, scope, request_id }
    }

    /// Whether the scope is what the object will be created in.
    fn names_parent(&self) -> bool {
        matches!(&self.scope, Scope::Field(way) if way.len() == 1 && way[0].name() == "parent")
    }
}

/// Fields that give an id to what is created, and the collection that it comes into.
const CHILDREN: [(&str, &str); 17] = [
    ("job_id", "jobs"),
    ("savepoint_id", "savepoints"),
    ("user_id", "users"),
    ("service_account_id", "serviceAccounts"),
    ("project_id", "projects"),
    ("service_id", "services"),
    ("data_source_id", "dataSources"),
    ("database_id", "databases"),
    ("table_id", "tables"),
    ("category_id", "categories"),
    ("meta_model_id", "metaModels"),
    ("business_data_id", "businessData"),
    ("relation_id", "relations"),
    ("tag_id", "tags"),
    ("quality_rule_id", "qualityRules"),
    ("resource_id", "resources"),
    ("hook_id", "hooks"),
];

/// The text at the end of a way through messages.
fn text_at(message: &DynamicMessage, way: &[FieldDescriptor]) -> String {
    let Some((first, rest)) = way.split_first() else { return String::new() };
    match message.get_field(first).as_ref() {
        Value::String(text) if rest.is_empty() => text.clone(),
        Value::Message(inner) => text_at(inner, rest),
        _ => String::new(),
    }
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The name of the object.
    pub resource: String,
    /// The name that says in which tenant or project it is.
    pub scope: String,
    /// Its `request_id`.
    pub request_id: String,
}

/// Every method that is served, by its path: `/tidegate.v1.JobService/StartJob`.
///
/// # Errors
/// Which method does not say who may call it, or in a way that is not known.
pub fn table(descriptors: &[u8]) -> Result<BTreeMap<String, Method>, String> {
    let pool = DescriptorPool::decode(descriptors).map_err(|error| error.to_string())?;
    let option = |name: &str| {
        let found = pool.get_extension_by_name(name).ok_or(format!("{name} is not declared"))?;
        match found.kind() {
            Kind::String => Ok(found),
            _ => Err(format!("{name} is not a string")),
        }
    };
    let (permission, peer) =
        (option("tidegate.v1.permission")?, option("tidegate.internal.v1.peer")?);
    let place = option("tidegate.v1.scope")?;
    let mut methods = BTreeMap::new();
    for service in pool.services() {
        let options = service.options();
        let role = options.get_extension(&peer).as_str().unwrap_or_default().to_owned();
        for method in service.methods() {
            let name = format!("{}/{}", service.full_name(), method.name());
            let options = method.options();
            let needed = options.get_extension(&permission).as_str().unwrap_or_default().to_owned();
            let access = match (role.as_str(), needed.as_str()) {
                ("", "") => return Err(format!("{name} has no option tidegate.v1.permission")),
                ("", needed) if is_permission(needed) => Access::Permission(needed.to_owned()),
                ("", needed) => return Err(format!("{name}: '{needed}' is not a permission")),
                ("coordinator" | "worker", "") => Access::Peer(role.clone()),
                (role, "") => return Err(format!("{name}: '{role}' is no role of a node")),
                _ => return Err(format!("{name} has a permission and a role")),
            };
            let (input, takes_stream) = (method.input(), method.is_client_streaming());
            let place = options.get_extension(&place).as_str().unwrap_or_default().to_owned();
            let scope = match &access {
                Access::Permission(_) => scope(&place, &input)
                    .map_err(|why| format!("{name}: option tidegate.v1.scope: {why}"))?,
                Access::Peer(_) => Scope::Any,
            };
            methods.insert(format!("/{name}"), Method { name, access, scope, input, takes_stream });
        }
    }
    Ok(methods)
}

/// Names of the services of the public API, such as `tidegate.v1.JobService`.
///
/// # Errors
/// If the descriptors cannot be read.
pub fn public_services(descriptors: &[u8]) -> Result<Vec<String>, String> {
    let pool = DescriptorPool::decode(descriptors).map_err(|error| error.to_string())?;
    let names = pool.services().map(|service| service.full_name().to_owned());
    Ok(names.filter(|name| name.starts_with("tidegate.v1.")).collect())
}

/// A scope from its text.
fn scope(text: &str, input: &MessageDescriptor) -> Result<Scope, String> {
    match text {
        "" => return Err("there is none".to_owned()),
        "*" => return Ok(Scope::Any),
        "system" => return Ok(Scope::System),
        _ => {}
    }
    let mut way = Vec::new();
    let mut message = Some(input.clone());
    for part in text.split('.') {
        let field = message.as_ref().and_then(|message| message.get_field_by_name(part));
        let field = field.ok_or_else(|| format!("{} has no field '{text}'", input.full_name()))?;
        message = match field.kind() {
            Kind::Message(inner) if field.cardinality() != prost_reflect::Cardinality::Repeated => {
                Some(inner)
            }
            _ => None,
        };
        way.push(field);
    }
    match way.last().map(|field| (field.kind(), field.is_list())) {
        Some((Kind::String, false)) => Ok(Scope::Field(way)),
        _ => Err(format!("'{text}' is no text")),
    }
}

/// Whether it is of the form `things.verb`.
fn is_permission(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text.split_once('.').is_some_and(|(things, verb)| word(things) && word(verb))
}

#[cfg(test)]
#[path = "access/tests.rs"]
mod tests;
