//! Who may call what, as the `.proto` files say: a permission for every method of the public API, the role of the caller
//! for every service between nodes. The build makes this table too, and fails where something is not said.
//!
//! Not here: who has which permission.

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};

/// What a caller must have or be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A permission, such as `jobs.start`.
    Permission(String),
    /// A node with this role: `coordinator` or `worker`.
    Peer(String),
}

/// A method of a service.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its name: `tidegate.v1.JobService/StartJob`.
    pub name: String,
    /// Who may call it.
    pub access: Access,
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

    /// What an encoded request is about, and its `request_id`: the name of the object, or of the parent with the id that
    /// the object is to have. Empty where the request does not say, or is none.
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
        let (name, parent) = (text("name"), text("parent"));
        let resource = match (name.is_empty(), parent.is_empty()) {
            (false, _) => name,
            (true, false) => {
                let children = [("job_id", "jobs"), ("savepoint_id", "savepoints")];
                let child = children.iter().find_map(|(field, kind)| {
                    Some(text(field)).filter(|id| !id.is_empty()).map(|id| format!("/{kind}/{id}"))
                });
                parent + &child.unwrap_or_default()
            }
            // UpdateJob names the job inside of the job, members of the cluster have numbers.
            (true, true) => match message.get_field_by_name("job").as_deref() {
                Some(Value::Message(job)) => job
                    .get_field_by_name("name")
                    .and_then(|name| name.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                _ => Some(text("id"))
                    .filter(|id| !id.is_empty())
                    .map_or_else(String::new, |id| format!("coordinators/{id}")),
            },
        };
        Subject { resource, request_id }
    }
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The name of the object.
    pub resource: String,
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
            methods.insert(format!("/{name}"), Method { name, access, input, takes_stream });
        }
    }
    Ok(methods)
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
