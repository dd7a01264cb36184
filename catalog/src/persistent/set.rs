//! The set.

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeBounds;

use super::PersistentMap;

/// A set in the order of its elements.
pub(crate) struct PersistentSet<T: Ord>(PersistentMap<T, ()>);

impl<T: Ord> PersistentSet<T> {
    /// How many elements it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The least element.
    pub(crate) fn first(&self) -> Option<&T> {
        self.0.first().map(|(element, ())| element)
    }

    /// All elements.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.keys()
    }

    /// The elements between two. Panics, as the standard library's does, if the first is greater.
    pub(crate) fn range<Q: Ord + ?Sized, R: RangeBounds<Q>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = &T>
    where
        T: Borrow<Q>,
    {
        self.0.range(range).map(|(element, ())| element)
    }

    /// Puts an element in.
    pub(crate) fn insert(&mut self, element: T) {
        self.0.insert(element, ());
    }
}

impl<T: Ord + Clone> PersistentSet<T> {
    /// Takes an element out.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, element: &Q)
    where
        T: Borrow<Q>,
    {
        self.0.remove(element);
    }

    /// Takes the least element out.
    pub(crate) fn pop_first(&mut self) -> Option<T> {
        self.0.pop_first().map(|(element, ())| element)
    }

    /// Keeps only some; looks at all.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let gone: Vec<T> = self.iter().filter(|element| !keep(element)).cloned().collect();
        for element in &gone {
            self.remove(element);
        }
    }
}

impl<T: Ord> Clone for PersistentSet<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Ord> Default for PersistentSet<T> {
    fn default() -> Self {
        Self(PersistentMap::new())
    }
}

impl<T: Ord> PartialEq for PersistentSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Ord> Eq for PersistentSet<T> {}

impl<T: Ord + fmt::Debug> fmt::Debug for PersistentSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T: Ord> FromIterator<T> for PersistentSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self(elements.into_iter().map(|element| (element, ())).collect())
    }
}

impl<T: Ord> Extend<T> for PersistentSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        for element in elements {
            self.insert(element);
        }
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for PersistentSet<T> {
    fn from(elements: [T; N]) -> Self {
        elements.into_iter().collect()
    }
}
