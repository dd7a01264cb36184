//! From YAML to messages: which fields there are, and of which types, the description of the API says.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json};
use tidegate_types::{Error, Result};

use super::calls::parsed;
use super::yaml::{Key, Node, Place, Value};

/// How alike a word must be to be proposed, 0 to 1.
const ALIKE: f64 = 0.75;

/// Fields of a message that a file may give, by their names.
pub(super) struct Source {
    pub(super) message: MessageDescriptor,
    /// None: all.
    pub(super) fields: Option<&'static [&'static str]>,
}

/// What an object of a file gives.
pub(super) struct Taken {
    /// For each source its fields, as its JSON.
    pub(super) fields: Vec<Map<String, Json>>,
    /// What is in no message.
    pub(super) more: Vec<(Key, Node)>,
}

impl Taken {
    /// Takes what is in no message.
    pub(super) fn more(&mut self, name: &str) -> Option<Node> {
        let at = self.more.iter().position(|(key, _)| key.text == name)?;
        Some(self.more.swap_remove(at).1)
    }
}

/// Reads a map: fields of the messages, and `more`.
///
/// # Errors
/// `INVALID_OPTION` with the place of a field that there is not, or that has another type.
pub(super) fn object(
    node: Node,
    what: &str,
    sources: &[Source],
    more: &[&'static str],
) -> Result<Taken> {
    let Value::Map(entries) = node.value else {
        let kind = node.kind();
        return Err(node.place.error(format!("{what} is a map, and this is {kind}")));
    };
    let mut taken =
        Taken { fields: sources.iter().map(|_| Map::new()).collect(), more: Vec::new() };
    'entries: for (key, value) in entries {
        if more.contains(&key.text.as_str()) {
            taken.more.push((key, value));
            continue;
        }
        for (source, fields) in sources.iter().zip(&mut taken.fields) {
            let Some(field) = source.field(&key.text) else { continue };
            let read = self::value(&field, value, &key)?;
            if fields.insert(field.json_name().to_owned(), read).is_some() {
                return Err(key.place.error(format!("'{}' is there twice", field.name())));
            }
            continue 'entries;
        }
        let known = sources.iter().flat_map(Source::names);
        let known: Vec<String> = known.chain(more.iter().map(|&name| name.to_owned())).collect();
        return Err(unknown(&key, what, &known));
    }
    Ok(taken)
}

impl Source {
    fn field(&self, key: &str) -> Option<FieldDescriptor> {
        let mut fields = self.message.fields();
        let found = fields.find(|field| field.name() == key || field.json_name() == key)?;
        let allowed = self.fields.is_none_or(|fields| fields.contains(&found.name()));
        allowed.then_some(found)
    }

    fn names(&self) -> Vec<String> {
        let fields = self.message.fields().map(|field| field.name().to_owned());
        fields.filter(|name| self.fields.is_none_or(|all| all.contains(&name.as_str()))).collect()
    }
}

/// An error about a key that there is not.
pub(super) fn unknown(key: &Key, what: &str, known: &[String]) -> Error {
    let error = key.place.error(format!("{what} has no field '{}'", key.text));
    let names = known.join(", ");
    match alike(&key.text, known) {
        Some(name) => error.help(format!("did you mean '{name}'? its fields are: {names}")),
        None => error.help(format!("its fields are: {names}")),
    }
}

fn alike<'a>(word: &str, known: &'a [String]) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let scored = known.iter().map(|one| (strsim::jaro_winkler(&word, one), one.as_str()));
    let (score, best) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= ALIKE).then_some(best)
}

fn value(field: &FieldDescriptor, node: Node, key: &Key) -> Result<Json> {
    let name = field.name().to_owned();
    if field.is_map() {
        let Value::Map(entries) = node.value else { return Err(wrong(&node, &name, "a map: {}")) };
        let mut map = Map::new();
        for (key, value) in entries {
            let text = text(&value, &format!("{name}.{}", key.text))?;
            map.insert(key.text, Json::String(text));
        }
        return Ok(Json::Object(map));
    }
    if field.is_list() {
        let Value::List(items) = node.value else { return Err(wrong(&node, &name, "a list: []")) };
        let items = items.into_iter().map(|item| single(field, item, key));
        return Ok(Json::Array(items.collect::<Result<_>>()?));
    }
    single(field, node, key)
}

fn wrong(node: &Node, name: &str, wanted: &str) -> Error {
    node.place.error(format!("{name} is {}", node.kind())).help(format!("write {wanted}"))
}

fn text(node: &Node, name: &str) -> Result<String> {
    match &node.value {
        Value::Text { text, .. } => Ok(text.clone()),
        _ => Err(wrong(node, name, "a single value; \"\" is an empty one")),
    }
}

/// A text of a field that is in no message.
pub(super) fn plain(node: &Node, name: &str) -> Result<String> {
    text(node, name)
}

/// Yes or no of a field that is in no message.
pub(super) fn flag(node: &Node, name: &str) -> Result<bool> {
    match text(node, name)?.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(node.place.error(format!("{name} is true or false"))),
    }
}

fn single(field: &FieldDescriptor, node: Node, key: &Key) -> Result<Json> {
    let name = field.name();
    if let Kind::Message(kind) = field.kind() {
        if matches!(node.value, Value::Null) && !field.is_list() {
            return Ok(Json::Null);
        }
        if kind.full_name().starts_with("google.protobuf.") {
            let json = Json::String(text(&node, name)?);
            let read = parsed(&kind, &json).map_err(|error| {
                let message = format!("{name} is no time: {}", error.message());
                node.place.error(message).help("write it as 2030-01-31T12:00:00Z")
            })?;
            return super::calls::whole(&read);
        }
        let all = [Source { message: kind.clone(), fields: None }];
        let what = format!("'{}'", key.text);
        let place = node.place.clone();
        let mut taken = object(node, &what, &all, &[])?;
        let fields = Json::Object(taken.fields.swap_remove(0));
        return match field.is_list() {
            // An element of a list is as a whole what it is.
            true => {
                super::calls::whole(&parsed(&kind, &fields).map_err(|e| place.error(e.message()))?)
            }
            false => Ok(fields),
        };
    }
    let written = text(&node, name)?;
    scalar(&field.kind(), &written).ok_or_else(|| {
        let Value::Text { text, expanded } = &node.value else {
            return wrong(&node, name, "a value");
        };
        let shown =
            if *expanded { "the value of the variable".to_owned() } else { format!("'{text}'") };
        let error = node.place.error(format!("{name}: {shown} is {}", not_a(&field.kind())));
        match field.kind() {
            Kind::Enum(kind) => error.help(format!("use one of: {}", words(&kind).join(", "))),
            _ => error,
        }
    })
}

fn not_a(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "neither true nor false",
        Kind::Enum(_) => "none of its words",
        _ => "no number that it can be",
    }
}

fn scalar(kind: &Kind, text: &str) -> Option<Json> {
    Some(match kind {
        Kind::String => Json::String(text.to_owned()),
        Kind::Bool => Json::Bool(text.parse().ok()?),
        Kind::Uint32 | Kind::Fixed32 => text.parse::<u32>().ok()?.into(),
        Kind::Uint64 | Kind::Fixed64 => text.parse::<u64>().ok()?.into(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => text.parse::<i32>().ok()?.into(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => text.parse::<i64>().ok()?.into(),
        Kind::Float | Kind::Double => text.parse::<f64>().ok()?.into(),
        Kind::Enum(kind) => {
            let wanted = text.to_lowercase().replace('-', "_");
            let mut values = kind.values();
            let found = values.find(|value| {
                value.name().to_lowercase() == wanted || word(kind, value.name()) == wanted
            })?;
            Json::String(found.name().to_owned())
        }
        Kind::Bytes | Kind::Message(_) => return None,
    })
}

/// `PRIORITY_HIGH` of `Priority` as `high`.
fn word(kind: &EnumDescriptor, name: &str) -> String {
    let prefix = format!("{}_", kind.name().to_lowercase());
    let name = name.to_lowercase();
    name.strip_prefix(&prefix).unwrap_or(&name).to_owned()
}

fn words(kind: &EnumDescriptor) -> Vec<String> {
    let values = kind.values().filter(|value| value.number() != 0);
    values.map(|value| word(kind, value.name())).collect()
}

/// A list of a file.
///
/// # Errors
/// `INVALID_OPTION` if it is none.
pub(super) fn list(node: Option<Node>, name: &str) -> Result<Vec<Node>> {
    match node {
        None => Ok(Vec::new()),
        Some(Node { value: Value::List(items), .. }) => Ok(items),
        Some(node) => Err(wrong(&node, name, "a list: each element begins with '-'")),
    }
}

/// What must be there.
///
/// # Errors
/// `INVALID_OPTION` if it is not.
pub(super) fn needed<T>(value: Option<T>, what: &str, name: &str, place: &Place) -> Result<T> {
    value.ok_or_else(|| place.error(format!("{what} has no '{name}'")))
}
