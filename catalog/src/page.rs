//! Pages of ordered lists, and the opaque tokens that lead from one to the next.

use std::fmt::Write;

use tidegate_types::Result;
use xxhash_rust::xxh3::xxh3_64;

use crate::bounds::invalid;

/// The most objects on a page; a larger wish gets this many.
pub const MAX_PAGE_SIZE: usize = 1_000;

/// Objects on a page for which nobody said a size.
const DEFAULT_PAGE_SIZE: usize = 50;

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The most objects on it; 0 means 50, and more than [`MAX_PAGE_SIZE`] means that.
    pub size: usize,
    /// Where it begins: [`Page::next`] of the page before, none for the first.
    pub token: Option<String>,
}

impl PageRequest {
    /// The first page, of this size.
    pub fn first(size: usize) -> Self {
        Self { size, token: None }
    }

    /// The page after one, of the same size; none after the last.
    pub fn after<T>(&self, page: &Page<T>) -> Option<Self> {
        let token = page.next.clone()?;
        Some(Self { size: self.size, token: Some(token) })
    }

    /// The most objects on it.
    pub fn bounded_size(&self) -> usize {
        match self.size {
            0 => DEFAULT_PAGE_SIZE,
            size => size.min(MAX_PAGE_SIZE),
        }
    }
}

/// A part of an ordered list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The objects, in order.
    pub items: Vec<T>,
    /// Leads to the next page; none if this is the last.
    pub next: Option<String>,
}

/// Cuts a page out of a list. `after` makes the rest of the list that follows a key; `list` names the list, so that a
/// token of another is refused.
pub(crate) fn page<T, I: Iterator<Item = (String, T)>>(
    list: &str,
    request: &PageRequest,
    after: impl FnOnce(Option<String>) -> Result<I>,
) -> Result<Page<T>> {
    let last = request.token.as_deref().map(|token| decode(list, token)).transpose()?;
    let mut rest = after(last)?;
    let mut items = Vec::new();
    let mut last = None;
    for (key, item) in rest.by_ref().take(request.bounded_size()) {
        items.push(item);
        last = Some(key);
    }
    let more = rest.next().is_some();
    Ok(Page { items, next: last.filter(|_| more).map(|key| encode(list, &key)) })
}

/// Fingerprint of list and key, then the key, all hexadecimal.
pub(crate) fn encode(list: &str, key: &str) -> String {
    let mut token = format!("{:016x}", fingerprint(list, key));
    for byte in key.bytes() {
        let _ = write!(token, "{byte:02x}");
    }
    token
}

/// The key of a token of a list; `INVALID_OPTION` if it is of another.
pub(crate) fn decode(list: &str, token: &str) -> Result<String> {
    let wrong = || invalid("the page token is not of this list: take it from the page before");
    if token.len() > 4_096 || !token.is_ascii() {
        return Err(wrong());
    }
    let (print, key) = token.split_at_checked(16).ok_or_else(wrong)?;
    let bytes: Option<Vec<u8>> = key
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2))
        .map(|pair| u8::from_str_radix(pair?, 16).ok())
        .collect();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
    let print = u64::from_str_radix(print, 16).map_err(|_| wrong())?;
    if print == fingerprint(list, &key) { Ok(key) } else { Err(wrong()) }
}

fn fingerprint(list: &str, key: &str) -> u64 {
    xxh3_64(format!("{list}\0{key}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(request: &PageRequest) -> Result<Page<u32>> {
        page("numbers", request, |after| {
            let from = after.map_or(0, |key| key.parse::<u32>().unwrap() + 1);
            Ok((from..10).map(|n| (n.to_string(), n)))
        })
    }

    #[test]
    fn pages_join_to_the_list() {
        for size in 1..12 {
            let mut request = Some(PageRequest::first(size));
            let mut all: Vec<u32> = Vec::new();
            while let Some(asked) = request {
                let page = numbers(&asked).unwrap();
                assert!(page.items.len() <= size && !page.items.is_empty());
                all.extend(&page.items);
                request = asked.after(&page);
            }
            assert_eq!(all, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn tokens_of_other_lists_and_nonsense_are_refused() {
        let token = numbers(&PageRequest::first(3)).unwrap().next.unwrap();
        let other = page("letters", &PageRequest { size: 3, token: Some(token.clone()) }, |_| {
            Ok(std::iter::empty::<(String, u8)>())
        });
        assert!(other.is_err());
        let mut changed = token.clone();
        changed.replace_range(0..1, if token.starts_with('0') { "1" } else { "0" });
        for token in ["", "zz", "é", &changed, &format!("{token}3")] {
            let request = PageRequest { size: 3, token: Some(token.to_owned()) };
            assert!(numbers(&request).is_err(), "{token}");
        }
    }
}
