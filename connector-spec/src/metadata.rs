//! The metadata columns of a table: those of its connector, and what its format knows beside the row.

use std::collections::BTreeMap;

use crate::connector::connector;
use crate::format::format;
use crate::lookup::find;
use crate::spec::MetadataSpec;

/// What stands before the keys of metadata that the format of the values gives.
pub const VALUE_METADATA_PREFIX: &str = "value.";

/// The keys that `METADATA FROM` may name in a table with these options. What a format says beside the row can be read
/// where values have a format of their own (`value.format`), with the prefix `value.`; it comes first, as in Flink.
pub fn metadata(options: &BTreeMap<String, String>) -> Vec<(String, &'static MetadataSpec)> {
    let Some(spec) = options.get("connector").and_then(|name| connector(name)) else {
        return Vec::new();
    };
    let named = ["format", "value.format"].iter().find_map(|key| options.get(*key));
    let of_values = named.filter(|_| find(spec.options, "value.format").is_some());
    let of_format = of_values.and_then(|name| format(name)).map_or(&[][..], |spec| spec.metadata);
    let of_format =
        of_format.iter().map(|known| (format!("{VALUE_METADATA_PREFIX}{}", known.key), known));
    of_format.chain(spec.metadata.iter().map(|known| (known.key.to_owned(), known))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(options: &[(&str, &str)]) -> Vec<String> {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        metadata(&options).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn formats_add_keys_where_values_have_a_format_of_their_own() {
        let canal = keys(&[("connector", "kafka"), ("value.format", "canal-json")]);
        assert_eq!(canal[..2], ["value.database", "value.table"]);
        assert!(canal.contains(&"topic".to_owned()));
        let plain = keys(&[("connector", "kafka"), ("format", "json")]);
        assert_eq!(plain.first().map(String::as_str), Some("topic"));
        let files = keys(&[("connector", "filesystem"), ("format", "canal-json")]);
        assert!(files.iter().all(|key| key.starts_with("file.")), "{files:?}");
        assert!(keys(&[("connector", "nope")]).is_empty());
    }
}
