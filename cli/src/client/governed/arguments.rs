//! Which fields of a request are arguments, and how they are written.

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use super::names::{self, kebab};

/// Fields of requests that are made of other arguments, or by the command line itself.
const MADE: [&str; 4] = ["request_id", "update_mask", "name", "parent"];
/// Fields of things that servers set; nobody gives them.
const ANSWERED: [&str; 25] = [
    "create_time",
    "update_time",
    "archive_time",
    "locked_until_time",
    "must_change_password",
    "state",
    "secret_parameters",
    "owner",
    "pending_approval",
    "changed_since_test",
    "tenant",
    "used",
    "keys",
    "creator",
    "versions",
    "has_secret",
    "lost",
    "publish_time",
    "approval",
    "message",
    "problem",
    "published_version",
    "pending_version",
    "attached_tags",
    "name",
];

/// Verbs whose requests have a message that describes the thing itself.
const DESCRIBING: [&str; 4] = ["Create", "Update", "Assign", "Revoke"];

/// How a field is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One text, number or word.
    One,
    /// Several.
    Many,
    /// `KEY=VALUE`, several.
    Pairs,
    /// A flag with an optional `=false`.
    Flag,
    /// RFC 3339.
    Time,
    /// JSON.
    Json,
}

/// An argument: a field, and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Argument {
    /// `--this`
    pub(super) flag: String,
    /// The fields that lead to it, itself last.
    pub(super) way: Vec<FieldDescriptor>,
    /// How it is written.
    pub(super) form: Form,
}

/// What a method takes by position: a name, or the id of what it creates.
#[derive(Debug, Clone)]
pub(super) enum Position {
    /// The name of something.
    Name(Vec<FieldDescriptor>),
    /// The id of something new.
    Id(FieldDescriptor),
    /// Nothing.
    None,
}

/// The message within a request that describes the thing itself, such as `table` of `CreateTableRequest`.
pub(super) fn resource(method: &MethodDescriptor) -> Option<FieldDescriptor> {
    let creates = DESCRIBING.iter().any(|verb| method.name().starts_with(verb));
    let mut fields = method.input().fields().collect::<Vec<_>>().into_iter();
    fields.find(|field| {
        creates
            && field.cardinality() != Cardinality::Repeated
            && matches!(field.kind(), Kind::Message(message) if is_own(&message))
            && field.name() != "update_mask"
    })
}

fn is_own(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("tidegate.v1.")
}

/// What a method takes by position.
pub(super) fn position(method: &MethodDescriptor) -> Position {
    let input = method.input();
    let id =
        input.fields().find(|field| field.name().ends_with("_id") && field.name() != "request_id");
    if let Some(id) = id.filter(|_| method.name().starts_with("Create")) {
        return Position::Id(id);
    }
    if let Some(name) = input.get_field_by_name("name") {
        return Position::Name(vec![name]);
    }
    let of_resource = resource(method).and_then(|field| match field.kind() {
        Kind::Message(message) => Some(vec![field.clone(), message.get_field_by_name("name")?]),
        _ => None,
    });
    of_resource.map_or(Position::None, Position::Name)
}

/// All arguments of a method that have a flag.
pub(super) fn arguments(method: &MethodDescriptor) -> Vec<Argument> {
    let mut found = Vec::new();
    let resource = resource(method);
    for field in method.input().fields() {
        let positional = matches!(position(method), Position::Id(id) if id == field);
        let own = Some(&field) == resource.as_ref();
        if positional || (MADE.contains(&field.name()) && !own) {
            continue;
        }
        match field.kind() {
            Kind::Message(message) if own => {
                for inner in message.fields().filter(|inner| !ANSWERED.contains(&inner.name())) {
                    add(&mut found, "", &[field.clone(), inner], 0);
                }
            }
            _ => add(&mut found, "", &[field], 0),
        }
    }
    // The same name may come from the request and from what it is about: the former counts.
    let mut seen = std::collections::BTreeSet::new();
    found.sort_by_key(|argument| argument.way.len());
    found.retain(|argument| seen.insert(argument.flag.clone()));
    found
}

fn add(found: &mut Vec<Argument>, prefix: &str, way: &[FieldDescriptor], depth: usize) {
    let Some(field) = way.last() else { return };
    let flag = format!("{prefix}{}", kebab(field.name()));
    let form = form(field);
    if form == Form::Json
        && field.cardinality() != Cardinality::Repeated
        && depth < 2
        && let Kind::Message(message) = field.kind()
    {
        for inner in message.fields().filter(|inner| !ANSWERED.contains(&inner.name())) {
            let mut way = way.to_vec();
            way.push(inner);
            add(found, &format!("{flag}-"), &way, depth + 1);
        }
        return;
    }
    // What leads nowhere special is called as in its message: `--description`.
    found.push(Argument { flag, way: way.to_vec(), form });
}

fn form(field: &FieldDescriptor) -> Form {
    let several = field.cardinality() == Cardinality::Repeated;
    match field.kind() {
        Kind::Message(message) if field.is_map() => {
            let _ = message;
            Form::Pairs
        }
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => Form::Time,
        Kind::Message(_) => Form::Json,
        Kind::Bool => Form::Flag,
        _ if several => Form::Many,
        _ => Form::One,
    }
}

/// The noun of a method, for the names of what it is about.
pub(super) fn noun(method: &MethodDescriptor) -> String {
    names::of(method).0
}
