//! Which changes a table of given options reads or takes.

use std::collections::BTreeMap;

use crate::connector::connector;
use crate::format::format;
use crate::spec::{Changes, Role};

/// The changes of a table with these options: the connector's, or all where its format says the kind
/// of each record. Unknown connectors are append-only.
pub fn changes(options: &BTreeMap<String, String>, role: Role) -> Changes {
    let Some(spec) = options.get("connector").and_then(|name| connector(name)) else {
        return Changes::Append;
    };
    let named = ["format", "value.format"].iter().find_map(|key| options.get(*key));
    let format = named.filter(|_| !spec.formats.is_empty()).and_then(|name| format(name));
    match (spec.changes, format) {
        (Changes::Append, Some(format)) if format.changelog => Changes::All,
        // What takes any change gives none by itself.
        (Changes::All | Changes::WithoutOld, _) if role == Role::Source => Changes::Append,
        (changes, _) => changes,
    }
}
