//! Finding: documents that have all words, best first, page by page.
//!
//! Documents of one rank are found by going through the postings of the word that has the fewest, in the order of names;
//! the words of each document say the rest. So a place in the results is a rank and a name.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeSet, BinaryHeap, btree_set};
use std::ops::Bound;

use tidegate_types::Result;

use super::document::{DocumentKind, Field};
use super::index::{Entry, Posting, SearchIndex, by_parts};
use super::words::{Wanted, wanted};
use crate::bounds::invalid;
use crate::name::ResourceName;
use crate::page::{self, Page, PageRequest};

/// The most documents that are looked at for a page.
pub const MAX_LOOKS: usize = 10_000;

/// Where more words than this begin with what is looked for, all documents are gone through.
pub(super) const MAX_WORDS: usize = 256;

const RANKS: u8 = Field::ALL.len() as u8 * 2;

/// What is not looked for; what is empty excludes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// Only these.
    pub kinds: Vec<DocumentKind>,
    /// Only this project and what is in it.
    pub project: String,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its name.
    pub name: ResourceName,
    /// What it is.
    pub kind: DocumentKind,
    /// Where it has the word that it has worst.
    pub field: Field,
    /// Whether it has all words, not only beginnings of some.
    pub exact: bool,
}

/// A page of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The hits. If there is a next page, this one may have fewer than were asked for, even none.
    pub page: Page<Hit>,
    /// How many documents were looked at, at most [`MAX_LOOKS`].
    pub looked_at: usize,
}

/// Where a word stands.
struct Places<'a> {
    wanted: &'a Wanted,
    /// Documents that have the word itself, by field.
    exact: Vec<(u8, &'a BTreeSet<Posting>)>,
    /// Documents that have words which begin with it; none if these words are too many.
    begun: Option<Vec<(u8, &'a BTreeSet<Posting>)>>,
}

impl SearchIndex {
    /// Documents that have all words of a query, of its last word the beginning. First come those that have every word
    /// in their names, then tags, descriptions, columns: what a document has worst counts. Among these, whole words come
    /// before beginnings, then names decide. `visible` is asked for each document that would be on the page.
    /// `INVALID_OPTION` for a query without words or with too many, and for a token of another search.
    ///
    /// What it costs: for one word, what is on the page, and what is hidden or filtered out between; for several, what
    /// the rarest of them has, in the worst case; for a beginning of more than 256 words, all documents. Never more than
    /// [`MAX_LOOKS`] documents: then the page ends there and its token leads on.
    pub fn search(
        &self,
        query: &str,
        filter: &SearchFilter,
        mut visible: impl FnMut(&ResourceName) -> bool,
        request: &PageRequest,
    ) -> Result<Found> {
        let wanted = wanted(query)?;
        let SearchFilter { kinds, project } = filter;
        let list = format!("search {project} {kinds:?} {query}");
        let mut place = request.token.as_deref().map(|token| position(&list, token)).transpose()?;
        let places: Vec<Places<'_>> = wanted.iter().map(|word| self.places(word)).collect();
        let mut found = Vec::new();
        let (mut last, mut looked_at) = (None, 0);
        let first = place.as_ref().map_or(0, |(rank, _)| *rank);
        for rank in first..RANKS {
            let after = place.take().map(|(_, name)| name);
            if !places.iter().any(|places| places.may_have(rank)) {
                continue;
            }
            for entry in self.candidates(&places, rank, project, after) {
                if looked_at == MAX_LOOKS {
                    return Ok(Found { page: ended(&list, found, last), looked_at });
                }
                looked_at += 1;
                let asked_for =
                    kinds.is_empty() || entry.kind.is_some_and(|of| kinds.contains(&of));
                let fits = asked_for && self.has_rank(entry, &wanted, rank) && visible(&entry.name);
                let Some(kind) = entry.kind.filter(|_| fits) else {
                    // A full page ends at its last hit, another where it gave up.
                    if found.len() < request.bounded_size() {
                        last = Some((rank, &*entry.text));
                    }
                    continue;
                };
                if found.len() == request.bounded_size() {
                    return Ok(Found { page: ended(&list, found, last), looked_at });
                }
                last = Some((rank, &*entry.text));
                let field = Field::ALL[usize::from(rank / 2)];
                found.push(Hit {
                    name: entry.name.clone(),
                    kind,
                    field,
                    exact: rank.is_multiple_of(2),
                });
            }
        }
        Ok(Found { page: Page { items: found, next: None }, looked_at })
    }

    /// Whether a document has all words, the worst at this rank.
    fn has_rank(&self, entry: &Entry, wanted: &[Wanted], rank: u8) -> bool {
        let mut ranks = wanted.iter().map(|word| self.rank(entry, word).filter(|of| *of <= rank));
        ranks.try_fold(0, |worst, of_word| Some(worst.max(of_word?))) == Some(rank)
    }

    fn places<'a>(&'a self, wanted: &'a Wanted) -> Places<'a> {
        let text = wanted.text.as_str();
        let lists = |found_in: &'a [BTreeSet<Posting>], begun: u8| {
            let ranked = found_in.iter().zip((0..).step_by(2)).filter(|(list, _)| !list.is_empty());
            ranked.map(move |(list, rank)| (rank + begun, list))
        };
        let exact = self.words.get(text).into_iter().flat_map(|word| lists(&word.found_in, 0));
        let mut begun = Some(Vec::new());
        if wanted.prefix {
            let after = (Bound::Excluded(text), Bound::Unbounded);
            let words = self.words.range::<str, _>(after);
            let mut words = words.take_while(|(word, _)| word.starts_with(text));
            let near = words.by_ref().take(MAX_WORDS).flat_map(|(_, w)| lists(&w.found_in, 1));
            let near: Vec<_> = near.collect();
            begun = words.next().is_none().then_some(near);
        }
        Places { wanted, exact: exact.collect(), begun }
    }

    /// Documents, in the order of names after one, among which are all that have a rank.
    fn candidates<'a>(
        &'a self,
        places: &[Places<'a>],
        rank: u8,
        project: &'a str,
        after: Option<String>,
    ) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let alone = places.len() == 1;
        let lists = places.iter().map(|places| match places.lists(rank, alone) {
            Some(lists) => lists,
            None => vec![&self.entries],
        });
        let fewest = lists.min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>());
        let prefix = format!("projects/{project}");
        let from = match after {
            Some(name) if project.is_empty() || by_parts(&name, &prefix).is_ge() => {
                Bound::Excluded(Posting::at(name))
            }
            _ if project.is_empty() => Bound::Unbounded,
            _ => Bound::Included(Posting::at(prefix.clone())),
        };
        let merged = Merged::new(&fewest.unwrap_or_default(), &from);
        merged.take_while(move |entry| {
            let rest = entry.text.strip_prefix(prefix.as_str());
            project.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

impl<'a> Places<'a> {
    /// Whether a document may have the word at this rank.
    fn may_have(&self, rank: u8) -> bool {
        let is = |(of, _): &(u8, _)| *of == rank;
        let begun = self.begun.as_ref().map_or(rank % 2 == 1, |begun| begun.iter().any(is));
        begun || self.exact.iter().any(is)
    }

    /// Lists that have, together, all documents that have the word at this rank, or better unless it is the only word.
    /// None means that all documents are to be looked at.
    fn lists(&self, rank: u8, alone: bool) -> Option<Vec<&'a BTreeSet<Posting>>> {
        let fits = |of: u8| if alone { of == rank } else { of <= rank };
        let needs_begun = self.wanted.prefix && if alone { rank % 2 == 1 } else { rank > 0 };
        let begun: &[_] = match &self.begun {
            None if needs_begun => return None,
            None => &[],
            Some(begun) => begun,
        };
        let lists = self.exact.iter().chain(begun).filter(|(of, _)| fits(*of));
        Some(lists.map(|(_, list)| *list).collect())
    }
}

/// Several ordered sets as one.
struct Merged<'a> {
    lists: Vec<btree_set::Range<'a, Posting>>,
    heads: BinaryHeap<Reverse<(&'a Posting, usize)>>,
}

impl<'a> Merged<'a> {
    fn new(sets: &[&'a BTreeSet<Posting>], from: &Bound<Posting>) -> Self {
        let from = (from.as_ref(), Bound::Unbounded);
        let mut lists: Vec<_> = sets.iter().map(|set| set.range::<Posting, _>(from)).collect();
        let heads = lists.iter_mut().enumerate();
        let heads = heads.filter_map(|(n, list)| list.next().map(|head| Reverse((head, n))));
        let heads = heads.collect();
        Self { lists, heads }
    }

    fn pop(&mut self) -> Option<&'a Posting> {
        let mut head = self.heads.peek_mut()?;
        let Reverse((posting, n)) = *head;
        match self.lists[n].next() {
            Some(next) => *head = Reverse((next, n)),
            None => drop(PeekMut::pop(head)),
        }
        Some(posting)
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = &'a Entry;

    fn next(&mut self) -> Option<&'a Entry> {
        let least = self.pop()?;
        while self.heads.peek().is_some_and(|Reverse((next, _))| *next == least) {
            self.pop();
        }
        Some(&least.0)
    }
}

/// A page after which there may be more.
fn ended(list: &str, items: Vec<Hit>, last: Option<(u8, &str)>) -> Page<Hit> {
    let next = last.map(|(rank, name)| page::encode(list, &format!("{rank} {name}")));
    Page { items, next }
}

fn position(list: &str, token: &str) -> Result<(u8, String)> {
    let key = page::decode(list, token)?;
    let place = key.split_once(' ').and_then(|(rank, name)| Some((rank.parse().ok()?, name)));
    let (rank, name) = place.ok_or_else(|| invalid("the page token names no place in a search"))?;
    Ok((rank, name.to_owned()))
}
