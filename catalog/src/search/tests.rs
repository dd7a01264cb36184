//! The index against a scan of all documents.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, DocumentKind, Field};
use super::find::{Found, MAX_LOOKS, MAX_WORDS, SearchFilter};
use super::index::{SearchIndex, by_parts};
use super::words::{Wanted, wanted, words_of};
use crate::name::ResourceName;
use crate::page::PageRequest;
use crate::table::TableName;

struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn text(&mut self, words: usize) -> String {
        const WORDS: [&str; 14] = [
            "order",
            "orders",
            "orderItems",
            "item",
            "a",
            "ab",
            "abc",
            "HTTPServer",
            "订单",
            "订单明细",
            "明细表",
            "单",
            "x_1",
            "Überblick",
        ];
        let texts: Vec<_> = (0..words).map(|_| WORDS[self.below(WORDS.len())]).collect();
        texts.join([" ", "", ", "][self.below(3)])
    }
}

impl SearchIndex {
    /// Whether the same words are in the same documents.
    fn same_as(&self, other: &Self) -> bool {
        let words = |index: &Self| -> Vec<_> {
            let words = index.words.iter();
            words.map(|(text, word)| (text.clone(), word.found_in.clone())).collect()
        };
        self.entries == other.entries && words(self) == words(other)
    }
}

type Texts = Vec<(Field, String)>;

fn named(n: usize) -> ResourceName {
    const PROJECTS: [&str; 3] = ["p", "p-a", "q"];
    let project = PROJECTS[n % 3];
    match n / 3 {
        0 => ResourceName::Project(project.to_owned()),
        n => TableName::new(project, "default", &format!("t{n}")).unwrap().into(),
    }
}

fn document<'a>(name: &ResourceName, texts: &'a Texts) -> Document<'a> {
    let kind = DocumentKind::of(name).unwrap();
    let texts = texts.iter().map(|(field, text)| (*field, text.as_str())).collect();
    Document { name: name.clone(), kind, texts }
}

/// The best rank of a word, by the definition.
fn rank(texts: &Texts, wanted: &Wanted) -> Option<u8> {
    let mut fields: BTreeMap<String, u8> = BTreeMap::new();
    for (field, text) in texts {
        for word in words_of(text) {
            let best = fields.entry(word).or_insert(u8::MAX);
            *best = (*best).min(*field as u8);
        }
    }
    let ranks = fields.iter().filter_map(|(word, field)| match () {
        () if *word == wanted.text => Some(field * 2),
        () if wanted.prefix && word.starts_with(&wanted.text) => Some(field * 2 + 1),
        () => None,
    });
    ranks.min()
}

fn scan(all: &BTreeMap<String, (ResourceName, Texts)>, query: &str) -> Vec<(u8, ResourceName)> {
    let wanted = wanted(query).unwrap();
    let worst = |texts: &Texts| {
        let ranks: Option<Vec<u8>> = wanted.iter().map(|word| rank(texts, word)).collect();
        ranks.and_then(|ranks| ranks.into_iter().max())
    };
    let found = all.values().filter_map(|(name, texts)| Some((worst(texts)?, name.clone())));
    let mut found: Vec<_> = found.collect();
    found.sort_by(|(a, x), (b, y)| a.cmp(b).then(by_parts(&x.to_string(), &y.to_string())));
    found
}

fn all_pages(search: impl Fn(&PageRequest) -> Found, size: usize) -> Vec<(u8, ResourceName)> {
    let mut request = Some(PageRequest::first(size));
    let mut all = Vec::new();
    while let Some(asked) = request {
        let found = search(&asked);
        assert!(found.page.items.len() <= size && found.looked_at <= MAX_LOOKS);
        request = asked.after(&found.page);
        all.extend(found.page.items.into_iter().map(|hit| {
            assert_eq!(Some(hit.kind), DocumentKind::of(&hit.name));
            (hit.field as u8 * 2 + u8::from(!hit.exact), hit.name)
        }));
    }
    all
}

#[test]
fn results_are_those_of_a_scan() {
    let mut hits = 0;
    for seed in 0..40 {
        let mut random = Seeded(seed);
        let mut index = SearchIndex::default();
        let mut all = BTreeMap::new();
        for _ in 0..120 {
            let name = named(random.below(60));
            if random.below(4) == 0 {
                index.remove(&name);
                all.remove(&name.to_string());
            } else {
                let fields = (0..random.below(5)).map(|_| Field::ALL[random.below(4)]);
                let fields: Vec<_> = fields.collect();
                let text = |field| {
                    let words = 1 + random.below(4);
                    (field, random.text(words))
                };
                let texts: Texts = fields.into_iter().map(text).collect();
                index.insert(&document(&name, &texts));
                all.insert(name.to_string(), (name, texts));
            }
            assert_eq!(index.len(), all.len());
        }
        for _ in 0..60 {
            let words = 1 + random.below(3);
            let mut query = random.text(words);
            let keep = 1 + random.below(query.chars().count());
            query = query.chars().take(keep).collect();
            if wanted(&query).is_err() {
                continue;
            }
            let size = 1 + random.below(7);
            let expected = scan(&all, &query);
            hits += expected.len();
            let everything = |request: &PageRequest| {
                index.search(&query, &SearchFilter::default(), |_| true, request).unwrap()
            };
            assert_eq!(all_pages(everything, size), expected, "{query}");

            let filter = SearchFilter { kinds: vec![DocumentKind::Table], project: "p".to_owned() };
            let odd = |name: &ResourceName| name.to_string().len() % 2 == 1;
            let some = |request: &PageRequest| {
                index.search(&query, &filter, |name| odd(name), request).unwrap()
            };
            let fits =
                |name: &ResourceName| name.to_string().starts_with("projects/p/") && odd(name);
            let expected: Vec<_> = expected.into_iter().filter(|(_, name)| fits(name)).collect();
            assert_eq!(all_pages(some, size), expected, "{query} of p");
        }
        let built = SearchIndex::of(all.values().map(|(name, texts)| document(name, texts)));
        assert!(built.same_as(&index), "built at once");
        for (name, _) in all.values() {
            index.remove(name);
        }
        assert!(index.is_empty() && index.words.is_empty(), "nothing is left behind");
    }
    assert!(hits > 10_000, "{hits}");
}

/// Tables whose names all begin alike and go on differently, described as `common`.
fn many(count: usize) -> SearchIndex {
    let mut index = SearchIndex::default();
    for n in 0..count {
        let name = TableName::new("p", "default", &format!("t{n:05}")).unwrap();
        let id = name.table().to_owned();
        let texts = vec![(Field::Name, id), (Field::Description, "common".to_owned())];
        index.insert(&document(&name.into(), &texts));
    }
    index
}

#[test]
fn beginnings_of_very_many_words_find_all_of_them() {
    let index = many(MAX_WORDS * 3);
    let filter = SearchFilter::default();
    let search = |query: &'static str| {
        let (index, filter) = (&index, &filter);
        all_pages(move |page| index.search(query, filter, |_| true, page).unwrap(), 100)
    };
    for query in ["t", "common t", "t0 common", "t common"] {
        let found: BTreeSet<_> = search(query).into_iter().map(|(_, name)| name).collect();
        assert_eq!(
            found.len(),
            if query.ends_with(" common") { 0 } else { index.len() },
            "{query}"
        );
    }
    assert_eq!(search("common t0000").len(), 10);
}

#[test]
fn a_page_of_what_is_hidden_ends_and_leads_on() {
    let index = many(MAX_LOOKS + 500);
    let filter = SearchFilter::default();
    let visible = |name: &ResourceName| name.to_string().ends_with("/t10400");
    let search = |request: &PageRequest| {
        index.search("common", &filter, |name| visible(name), request).unwrap()
    };
    let first = PageRequest::first(10);
    let found = search(&first);
    assert_eq!((found.page.items.len(), found.looked_at), (0, MAX_LOOKS));
    let found = search(&first.after(&found.page).unwrap());
    assert_eq!((found.page.items.len(), found.looked_at), (1, 500));
    assert_eq!(found.page.next, None);
}

#[test]
fn tokens_of_other_searches_are_refused() {
    let index = many(10);
    let filter = SearchFilter::default();
    let search = |query, filter: &SearchFilter, request: &PageRequest| {
        index.search(query, filter, |_| true, request)
    };
    let first = PageRequest::first(3);
    let next = first.after(&search("common", &filter, &first).unwrap().page).unwrap();
    assert!(search("common", &filter, &next).is_ok());
    assert!(search("t0", &filter, &next).is_err());
    let other = SearchFilter { project: "p".to_owned(), ..filter.clone() };
    assert!(search("common", &other, &next).is_err());
    let error = search(" - ", &filter, &first).unwrap_err();
    assert!(error.to_string().contains("no letter and no digit"), "{error}");
}
