//! Text functions, as recorded from Flink 2.3.

use tidegate_plan::Expr;

use crate::testing::{call, int, over, show, some, text, try_call, type_of};

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
    assert_eq!(
        each(|s| call("SUBSTRING", vec![s, int(2)])),
        some(["", "", "ello, World", "öü ß", "x"])
    );
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
