//! Text functions, as recorded from Flink 2.3.

use tidegate_plan::Expr;
use tidegate_types::TypeKind;

use crate::testing::{call, int, null, over, show, some, text, try_call, type_of};

const SAMPLES: [Option<&str>; 6] =
    [Some(""), Some("a"), Some("Hello, World"), Some("äöü ß"), Some("😀x"), None];

fn each(make: impl Fn(Expr) -> Expr) -> Vec<Option<String>> {
    let mut values = over(&SAMPLES, make);
    assert_eq!(values.pop(), Some(None), "NULL gives NULL");
    values
}

fn value(name: &str, args: Vec<Expr>) -> Option<String> {
    show(&call(name, args))
}

#[test]
fn case_and_order() {
    assert_eq!(each(|s| call("UPPER", vec![s])), some(["", "A", "HELLO, WORLD", "ÄÖÜ SS", "😀X"]));
    assert_eq!(each(|s| call("LOWER", vec![s])), some(["", "a", "hello, world", "äöü ß", "😀x"]));
    assert_eq!(each(|s| call("REVERSE", vec![s])), some(["", "a", "dlroW ,olleH", "ß üöä", "x😀"]));
    assert_eq!(each(|s| call("INITCAP", vec![s])), some(["", "A", "Hello, World", "äöü ß", "😀X"]));
    let words = value("INITCAP", vec![text("hello wORLD-foo_bar 1a")]);
    assert_eq!(words.as_deref(), Some("Hello World-Foo_Bar 1a"));
    assert_eq!(type_of(&call("UPPER", vec![text("a")])), "CHAR(1) NOT NULL");
}

#[test]
fn trimming_takes_sets_of_characters() {
    let trim = |flag, set, source| value("TRIM", vec![text(flag), text(set), text(source)]);
    assert_eq!(trim("BOTH", " ", "  a b  ").as_deref(), Some("a b"));
    assert_eq!(trim("LEADING", "x", "xxaxx").as_deref(), Some("axx"));
    assert_eq!(trim("TRAILING", "x", "xxaxx").as_deref(), Some("xxa"));
    assert_eq!(trim("BOTH", "xy", "xyxaxyy").as_deref(), Some("a"));
    assert_eq!(trim("BOTH", "", " a ").as_deref(), Some(" a "));
    assert_eq!(value("LTRIM", vec![text("  a ")]).as_deref(), Some("a "));
    assert_eq!(value("RTRIM", vec![text("axyx"), text("xy")]).as_deref(), Some("a"));
    assert_eq!(value("BTRIM", vec![text("xyaxy"), text("yx")]).as_deref(), Some("a"));
    assert!(try_call("TRIM", vec![text("SIDE"), text(" "), text("a")]).is_err());
    assert_eq!(type_of(&call("LTRIM", vec![text("abc")])), "VARCHAR(3) NOT NULL");
}

#[test]
fn substrings_count_from_both_ends() {
    let part = |from, length| value("SUBSTRING", vec![text("hello"), int(from), int(length)]);
    assert_eq!(part(2, 3).as_deref(), Some("ell"));
    assert_eq!(part(0, 2).as_deref(), Some("he"));
    assert_eq!(part(-3, 2).as_deref(), Some("ll"));
    assert_eq!(part(-10, 3).as_deref(), Some(""));
    assert_eq!(part(10, 3).as_deref(), Some(""));
    assert_eq!(part(2, 0).as_deref(), Some(""));
    assert_eq!(part(2, -1), None);
    assert_eq!(part(2, i32::MAX).as_deref(), Some("ello"));
    assert_eq!(each(|s| call("SUBSTR", vec![s, int(-2)])), some(["", "", "ld", " ß", "😀x"]));
    assert_eq!(each(|s| call("SUBSTRING", vec![s, int(2)])), some(["", "", "ello, World", "öü ß", "x"]));
    assert_eq!(type_of(&call("SUBSTRING", vec![text("abc"), int(1)])), "VARCHAR(3)");
}

#[test]
fn ends_of_texts() {
    assert_eq!(each(|s| call("LEFT", vec![s, int(2)])), some(["", "a", "He", "äö", "😀x"]));
    assert_eq!(each(|s| call("RIGHT", vec![s, int(2)])), some(["", "a", "ld", " ß", "😀x"]));
    assert_eq!(value("LEFT", vec![text("hello"), int(-1)]).as_deref(), Some(""));
    assert_eq!(value("RIGHT", vec![text("hello"), int(0)]).as_deref(), Some(""));
    assert_eq!(each(|s| call("CHAR_LENGTH", vec![s])), some(["0", "1", "12", "5", "2"]));
}

#[test]
fn joining() {
    assert_eq!(each(|s| call("||", vec![s.clone(), s])), {
        some(["", "aa", "Hello, WorldHello, World", "äöü ßäöü ß", "😀x😀x"])
    });
    assert_eq!(type_of(&call("||", vec![text("a"), text("bc")])), "CHAR(3) NOT NULL");
    assert_eq!(value("CONCAT", vec![text("a"), null(TypeKind::STRING)]), None);
    let joined = value("CONCAT_WS", vec![text("-"), text("a"), null(TypeKind::STRING), text("b")]);
    assert_eq!(joined.as_deref(), Some("a-b"));
    assert_eq!(value("CONCAT_WS", vec![null(TypeKind::STRING), text("a")]), None);
    let got = over(&[Some("x"), None], |s| call("CONCAT_WS", vec![text(","), s, text("z")]));
    assert_eq!(got, some(["x,z", "z"]));
    assert!(try_call("CONCAT", vec![text("a"), int(1)]).is_err());
}

#[test]
fn replacing() {
    let replace = |a, b, c| value("REPLACE", vec![text(a), text(b), text(c)]);
    assert_eq!(replace("aXbX", "X", "yy").as_deref(), Some("ayybyy"));
    assert_eq!(replace("abc", "", "x").as_deref(), Some("xaxbxcx"));
    assert_eq!(replace("aaa", "aa", "b").as_deref(), Some("ba"));
    let translated = value("TRANSLATE", vec![text("abc"), text("ab"), text("x")]);
    assert_eq!(translated.as_deref(), Some("xc"));
}

#[test]
fn parts_between_separators() {
    let part = |source, index| value("SPLIT_INDEX", vec![text(source), text(","), int(index)]);
    assert_eq!(part("a,b,c", 0).as_deref(), Some("a"));
    assert_eq!(part("a,,c", 1).as_deref(), Some(""));
    assert_eq!(part("a,b,c", 3), None);
    assert_eq!(part("a,b,c", -1), None);
    assert_eq!(part("", 0), None);
}

#[test]
fn counting_a_character_is_never_null() {
    let got = over(&[Some("banana"), Some(""), None], |s| call("COUNT_CHAR", vec![s, text("a")]));
    assert_eq!(got, some(["3", "0", "0"]));
}
