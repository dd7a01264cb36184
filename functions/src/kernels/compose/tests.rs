//! Joining and splitting, as recorded from Flink 2.3.

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
