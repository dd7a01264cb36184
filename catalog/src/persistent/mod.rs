//! Ordered maps and sets that are copied at once, whatever is in them: copies share their trees, and a change copies the
//! path to what it changes, where that is shared.
//!
//! They have the part of the interface of the standard library's trees that the catalog uses, over red-black trees of
//! `rpds`. Differences: nothing hands out all values for change, and a lookup for change copies the key if the entry is
//! shared.

mod set;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeBounds;

use rpds::RedBlackTreeMapSync;

pub(crate) use set::PersistentSet;

/// A map in the order of its keys.
pub(crate) struct PersistentMap<K: Ord, V>(RedBlackTreeMapSync<K, V>);

impl<K: Ord, V> PersistentMap<K, V> {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.0.size()
    }

    /// Whether it has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Whether it has a key.
    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// The entry with the least key.
    pub(crate) fn first(&self) -> Option<(&K, &V)> {
        self.0.first()
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter()
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.keys()
    }

    /// All values, by their keys.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.values()
    }

    /// The entries between two keys. Panics, as the standard library's does, if the first is greater.
    pub(crate) fn range<Q: Ord + ?Sized, R: RangeBounds<Q>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.0.range(range)
    }

    /// Sets the value of a key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.0.insert_mut(key, value);
    }
}

impl<K: Ord + Clone, V: Clone> PersistentMap<K, V> {
    /// The value of a key for a change. Nothing is copied if the key is not there.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if !self.0.contains_key(key) {
            return None;
        }
        self.0.get_mut(key)
    }

    /// The value of a key for a change: the type's own if there was none.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        if !self.0.contains_key(&key) {
            self.0.insert_mut(key.clone(), V::default());
        }
        self.0.get_mut(&key).expect("it was just looked for, and put there if it was not")
    }

    /// Takes a key out; answers its value.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let value = self.0.get(key)?.clone();
        self.0.remove_mut(key);
        Some(value)
    }

    /// Takes the least key out.
    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        let (key, value) = self.0.first().map(|(key, value)| (key.clone(), value.clone()))?;
        self.0.remove_mut(&key);
        Some((key, value))
    }
}

impl<K: Ord, V> Clone for PersistentMap<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Ord, V> Default for PersistentMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for PersistentMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (self.0.ptr_eq(&other.0) || self.iter().eq(other.iter()))
    }
}

impl<K: Ord, V: Eq> Eq for PersistentMap<K, V> {}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for PersistentMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for PersistentMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for PersistentMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}
