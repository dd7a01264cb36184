//! Texts as words, the same for what is found and for what is looked for.
//!
//! A word is a run of letters and digits, in lower case; `orderItems` is `order`, `items` and `orderitems`. Chinese and
//! Japanese have no spaces: there, every two characters that stand together are a word, and the last one alone.

use tidegate_types::Result;

use crate::bounds::{self, invalid};

/// The most bytes of what is looked for.
const QUERY_BYTES: usize = 1 << 10;

/// The most words of what is looked for.
const QUERY_WORDS: usize = 32;

/// Characters of a word that count: what follows is not looked at.
const WORD_CHARS: usize = 64;

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) text: String,
    /// Whether words that begin with it will do.
    pub(super) prefix: bool,
}

/// A piece of a text.
enum Run {
    /// Letters and digits.
    Letters(Vec<char>),
    /// Characters that are words by themselves.
    Ideographs(Vec<char>),
}

/// The words of a text that something is found by.
pub(super) fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in runs(text) {
        match run {
            Run::Letters(letters) => {
                let parts = parts(&letters);
                if parts.len() > 1 {
                    words.push(lower(&letters));
                }
                words.extend(parts.into_iter().map(lower));
            }
            Run::Ideographs(characters) => {
                words.extend(characters.windows(2).map(lower));
                words.extend(characters.last().map(|last| lower(std::slice::from_ref(last))));
            }
        }
    }
    words
}

/// What is looked for, as words. `INVALID_OPTION` if there is none in it, or too many.
pub(super) fn wanted(query: &str) -> Result<Vec<Wanted>> {
    bounds::text("what is looked for", query, QUERY_BYTES)?;
    let mut wanted = Vec::new();
    let runs = runs(query);
    let last = runs.len().saturating_sub(1);
    for (n, run) in runs.iter().enumerate() {
        let of = |text: &[char], prefix| Wanted { text: lower(text), prefix };
        match run {
            Run::Letters(letters) => {
                let parts = parts(letters);
                let end = parts.len().saturating_sub(1);
                let words = parts.iter().enumerate();
                wanted.extend(words.map(|(m, part)| of(part, n == last && m == end)));
            }
            Run::Ideographs(characters) if characters.len() == 1 => {
                wanted.push(of(characters, true));
            }
            Run::Ideographs(characters) => {
                wanted.extend(characters.windows(2).map(|pair| of(pair, false)));
            }
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    match wanted.len() {
        0 => Err(invalid("what is looked for has no letter and no digit")),
        1..=QUERY_WORDS => Ok(wanted),
        many => Err(invalid(format!("{many} words are looked for, more than {QUERY_WORDS}"))),
    }
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut joined = false;
    for c in text.chars() {
        match runs.last_mut().filter(|_| joined) {
            Some(Run::Ideographs(run)) if is_ideograph(c) => run.push(c),
            Some(Run::Letters(run)) if c.is_alphanumeric() && !is_ideograph(c) => run.push(c),
            _ if is_ideograph(c) => runs.push(Run::Ideographs(vec![c])),
            _ if c.is_alphanumeric() => runs.push(Run::Letters(vec![c])),
            _ => {
                joined = false;
                continue;
            }
        }
        joined = true;
    }
    runs
}

/// The parts of `orderItems` and `HTTPServer`.
fn parts(letters: &[char]) -> Vec<&[char]> {
    let mut parts = Vec::new();
    let mut from = 0;
    for at in 1..letters.len() {
        let (before, here) = (letters[at - 1], letters[at]);
        let next_is_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if here.is_uppercase() && (!before.is_uppercase() || next_is_small) {
            parts.push(&letters[from..at]);
            from = at;
        }
    }
    parts.push(&letters[from..]);
    parts
}

fn lower(letters: &[char]) -> String {
    letters.iter().flat_map(|c| c.to_lowercase()).take(WORD_CHARS).collect()
}

/// Han characters, Hiragana and Katakana.
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_words() {
        let case = |text: &str, words: &str| assert_eq!(words_of(text).join(" "), words, "{text}");
        case("", "");
        case(" -- ", "");
        case("Order items, 2024", "order items 2024");
        case("order_items.v2", "order items v2");
        case("orderItems", "orderitems order items");
        case("HTTPServer2Log", "httpserver2log http server2 log");
        case("Überblick", "überblick");
        case("订单", "订单 单");
        case("订单明细表", "订单 单明 明细 细表 表");
        case("订", "订");
        case("按day统计", "按 day 统计 计");
        case(&"x".repeat(70), &"x".repeat(64));
    }

    #[test]
    fn only_the_last_word_may_go_on() {
        let case = |query: &str, words: &str| {
            let text =
                |word: &Wanted| format!("{}{}", word.text, if word.prefix { "*" } else { "" });
            let wanted = wanted(query).unwrap();
            assert_eq!(wanted.iter().map(text).collect::<Vec<_>>().join(" "), words, "{query}");
        };
        case("order it", "it* order");
        case("orderIt ", "it* order");
        case("a a a", "a a*");
        case("订单明", "单明 订单");
        case("订", "订*");
        case("订 items", "items* 订*");
        assert!(wanted(" _ ").is_err());
        assert!(wanted(&"a1 ".repeat(400)).is_err());
        let many: Vec<String> = (0..33).map(|n| format!("w{n}")).collect();
        assert!(wanted(&many.join(" ")).unwrap_err().to_string().contains("33 words"));
    }
}
