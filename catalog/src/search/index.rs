//! The words of all documents, with where they stand.
//!
//! Memory: a word of a document takes 4 bytes with the document and 8 with the word, about twice that with what trees
//! leave free; a word that no document had takes some 250 bytes more, a document its name and some 150 bytes. A document
//! has at most [`DOCUMENT_WORDS`] words, so the bound is that of the catalog: number of objects times that.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::{Document, DocumentKind, Field};
use super::words::{Wanted, words_of};
use crate::name::ResourceName;

/// The most different words of a document. Those of names go first, then tags, description, columns.
pub(super) const DOCUMENT_WORDS: usize = 4_096;

/// A full-text index over [`Document`]s. What it costs: to put a document in or take it out, the number of its words
/// times the logarithm of the number of documents; to search, see [`SearchIndex::search`].
#[derive(Debug, Default)]
pub struct SearchIndex {
    pub(super) entries: BTreeSet<Posting>,
    pub(super) words: BTreeMap<Arc<str>, Word>,
    /// Words by their numbers; empty for numbers that are free.
    texts: Vec<Arc<str>>,
    free: Vec<u32>,
}

/// A word that documents have.
#[derive(Debug)]
pub(super) struct Word {
    number: u32,
    /// Documents by the first field that has the word.
    pub(super) found_in: [BTreeSet<Posting>; Field::ALL.len()],
}

/// A document as it is kept.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: ResourceName,
    pub(super) text: Box<str>,
    pub(super) kind: Option<DocumentKind>,
    /// Number of a word times the number of fields, plus the field; ascending.
    words: Box<[u32]>,
}

/// A document in an ordered set: by the parts of its name.
#[derive(Debug, Clone)]
pub(super) struct Posting(pub(super) Arc<Entry>);

impl SearchIndex {
    /// How many documents it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// An index of documents of different names: what inserting one after the other makes, in less time and memory.
    pub fn of<'a>(documents: impl Iterator<Item = Document<'a>>) -> Self {
        let mut index = Self::default();
        let mut entries: Vec<_> = documents.map(|document| index.entry(&document)).collect();
        entries.sort_unstable();
        entries.dedup();
        let mut found_in: Vec<[Vec<Posting>; Field::ALL.len()]> = Vec::new();
        found_in.resize_with(index.texts.len(), Default::default);
        for posting in &entries {
            for packed in &posting.0.words {
                let (number, field) = unpack(*packed);
                found_in[number as usize][field].push(posting.clone());
            }
        }
        for word in index.words.values_mut() {
            let lists = std::mem::take(&mut found_in[word.number as usize]);
            word.found_in = lists.map(|list| list.into_iter().collect());
        }
        index.entries = entries.into_iter().collect();
        index
    }

    /// Puts a document in, or in the place of the one of its name.
    pub fn insert(&mut self, document: &Document<'_>) {
        self.remove(&document.name);
        let posting = self.entry(document);
        for packed in &posting.0.words {
            let (number, field) = unpack(*packed);
            if let Some(word) = self.words.get_mut(&self.texts[number as usize]) {
                word.found_in[field].insert(posting.clone());
            }
        }
        self.entries.insert(posting);
    }

    /// A document as it is kept; its words have numbers from now on.
    fn entry(&mut self, document: &Document<'_>) -> Posting {
        let mut found: BTreeMap<String, Field> = BTreeMap::new();
        for field in Field::ALL {
            let texts = document.texts.iter().filter(|(of, _)| *of == field);
            for word in texts.flat_map(|(_, text)| words_of(text)) {
                if found.len() < DOCUMENT_WORDS {
                    found.entry(word).or_insert(field);
                }
            }
        }
        let numbers = found.iter().map(|(word, field)| (self.number_of(word), *field));
        let mut words: Vec<u32> = numbers.map(|(number, field)| pack(number, field)).collect();
        words.sort_unstable();
        Posting(Arc::new(Entry {
            text: document.name.to_string().into(),
            name: document.name.clone(),
            kind: Some(document.kind),
            words: words.into(),
        }))
    }

    /// Takes a document out, if it is in.
    pub fn remove(&mut self, name: &ResourceName) {
        let Some(Posting(entry)) = self.entries.take(&Posting::at(name.to_string())) else {
            return;
        };
        for packed in &entry.words {
            let (number, field) = unpack(*packed);
            let text = self.texts[number as usize].clone();
            let Some(word) = self.words.get_mut(&text) else { continue };
            word.found_in[field].remove(&Posting(entry.clone()));
            if word.found_in.iter().all(BTreeSet::is_empty) {
                self.words.remove(&text);
                self.texts[number as usize] = Arc::from("");
                self.free.push(number);
            }
        }
    }

    /// The number of a word, which gets one if it has none.
    fn number_of(&mut self, text: &str) -> u32 {
        if let Some(word) = self.words.get(text) {
            return word.number;
        }
        let text: Arc<str> = Arc::from(text);
        let number = self.free.pop().unwrap_or(self.texts.len() as u32);
        match self.texts.get_mut(number as usize) {
            Some(place) => *place = text.clone(),
            None => self.texts.push(text.clone()),
        }
        self.words.insert(text, Word { number, found_in: Default::default() });
        number
    }

    /// How well a document has a word: the field times two, plus one if only the beginning of a word is it.
    pub(super) fn rank(&self, entry: &Entry, wanted: &Wanted) -> Option<u8> {
        let exact = self.words.get(wanted.text.as_str()).and_then(|word| {
            let least = pack(word.number, Field::Name);
            let at = entry.words.partition_point(|packed| *packed < least);
            let (number, field) = unpack(*entry.words.get(at)?);
            (number == word.number).then_some(field as u8 * 2)
        });
        if !wanted.prefix {
            return exact;
        }
        let begins = entry.words.iter().filter_map(|packed| {
            let (number, field) = unpack(*packed);
            let text = &self.texts[number as usize];
            text.starts_with(&wanted.text).then_some(field as u8 * 2 + 1)
        });
        exact.into_iter().chain(begins).min()
    }
}

fn pack(number: u32, field: Field) -> u32 {
    number * Field::ALL.len() as u32 + field as u32
}

fn unpack(packed: u32) -> (u32, usize) {
    let fields = Field::ALL.len() as u32;
    (packed / fields, (packed % fields) as usize)
}

impl Posting {
    /// Where a document of this name is, or would be.
    pub(super) fn at(name: String) -> Self {
        let words = Box::default();
        let nowhere = ResourceName::Project(String::new());
        Self(Arc::new(Entry { name: nowhere, text: name.into(), kind: None, words }))
    }
}

impl Ord for Posting {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        // What is in a project stands together, although `-` comes before `/`.
        by_parts(&self.0.text, &other.0.text)
    }
}

/// Compares names part by part.
pub(super) fn by_parts(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).position(|(a, b)| a != b);
    let Some(at) = same else { return a.len().cmp(&b.len()) };
    match (a[at], b[at]) {
        (b'/', _) => Ordering::Less,
        (_, b'/') => Ordering::Greater,
        (a, b) => a.cmp(&b),
    }
}

impl PartialOrd for Posting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Posting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Posting {}
