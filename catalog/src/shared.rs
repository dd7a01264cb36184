//! How maps of shared objects are stored: as plain maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::persistent::PersistentMap;

/// A map whose values a copy of the catalog shares until one of them changes.
pub(crate) type SharedMap<K, V> = PersistentMap<K, Arc<V>>;

/// Writes the values behind the pointers.
pub(crate) fn serialize<K: Ord + Serialize, V: Serialize, S: Serializer>(
    map: &SharedMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_map(Some(map.len()))?;
    for (key, value) in map.iter() {
        out.serialize_entry(key, value.as_ref())?;
    }
    out.end()
}

/// Maps whose keys are no texts: as the list of their values, which know their keys.
pub(crate) mod listed {
    use super::*;

    /// A value that knows its key.
    pub(crate) trait Keyed<K> {
        /// Its key.
        fn key(&self) -> K;
    }

    /// Writes the values.
    pub(crate) fn serialize<K: Ord, V: Serialize, S: Serializer>(
        map: &SharedMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.values().map(Arc::as_ref))
    }

    /// Reads the values.
    pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<SharedMap<K, V>, D::Error>
    where
        K: Ord,
        V: Deserialize<'de> + Keyed<K>,
        D: Deserializer<'de>,
    {
        let values = Vec::<V>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|value| (value.key(), Arc::new(value))).collect())
    }
}

/// Reads a plain map.
pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<SharedMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let plain = BTreeMap::<K, V>::deserialize(deserializer)?;
    Ok(plain.into_iter().map(|(key, value)| (key, Arc::new(value))).collect())
}

/// A change of something that may be nothing: absent, changed to nothing (`null`), or to something. For fields of type
/// `Option<Option<T>>` with `default` and `skip_serializing_if = "Option::is_none"`.
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
