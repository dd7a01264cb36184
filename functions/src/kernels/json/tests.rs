//! JSON functions, one by one.

use tidegate_plan::Expr;
use tidegate_types::TypeKind;

use crate::testing::{call, failure, int, null, over, show, some, text, type_of};

fn value(json: Expr, path: &str, returning: &str, empty: &str, error: &str) -> Expr {
    let nothing = || null(TypeKind::STRING);
    let clauses = [path, returning, empty, error].map(text);
    let args = std::iter::once(json).chain(clauses).chain([nothing(), nothing()]);
    call("JSON_VALUE", args.collect())
}

#[test]
fn values_by_path() {
    let texts = [Some(r#"{"a":1.50}"#), Some("{}"), Some("oops"), None];
    let of = |path| over(&texts, |s| value(s, path, "STRING", "NULL", "NULL"));
    assert_eq!(of("$.a"), [Some("1.50".to_owned()), None, None, None]);
    let typed = value(text(r#"{"a":7}"#), "lax $.a", "INT", "NULL", "NULL");
    assert_eq!((type_of(&typed).as_str(), show(&typed).as_deref()), ("INT", Some("7")));
    let failing = value(text("{}"), "strict $.a", "STRING", "NULL", "ERROR");
    assert!(failure(&failing).to_string().contains("'a'"));
}

#[test]
fn kinds_of_json() {
    let texts = [Some("{}"), Some("[1]"), Some("1"), Some("x"), None];
    let of = |name| over(&texts, |s| call(name, vec![s]));
    assert_eq!(of("IS JSON VALUE"), some(["TRUE", "TRUE", "TRUE", "FALSE", "FALSE"]));
    assert_eq!(of("IS JSON OBJECT"), some(["TRUE", "FALSE", "FALSE", "FALSE", "FALSE"]));
    assert_eq!(of("IS JSON ARRAY"), some(["FALSE", "TRUE", "FALSE", "FALSE", "FALSE"]));
    assert_eq!(of("IS JSON SCALAR"), some(["FALSE", "FALSE", "TRUE", "FALSE", "FALSE"]));
}

#[test]
fn construction() {
    let object = call(
        "JSON_OBJECT",
        vec![text("vr"), text("NULL"), text("k"), text("a\"b"), text("j"), text("[1]")],
    );
    assert_eq!(show(&object).as_deref(), Some(r#"{"j":[1],"k":"a\"b"}"#));
    let array = |on_null| {
        let args = vec![text("vv"), text(on_null), int(1), null(TypeKind::Int)];
        show(&call("JSON_ARRAY", args))
    };
    assert_eq!(array("NULL").as_deref(), Some("[1,null]"));
    assert_eq!(array("ABSENT").as_deref(), Some("[1]"));
    let row = call("ROW", vec![int(1), text("x")]);
    let row = call("JSON_STRING", vec![row]);
    assert_eq!(show(&row).as_deref(), Some(r#"{"EXPR$0":1,"EXPR$1":"x"}"#));
    assert!(failure(&call("$JSON", vec![text("{")])).to_string().contains("not JSON"));
}

#[test]
fn quoting_goes_both_ways() {
    let got = over(&[Some("a\"b/中\n"), None], |s| call("JSON_QUOTE", vec![s]));
    assert_eq!(got, [Some("\"a\\\"b\\/\\u4e2d\\n\"".to_owned()), None]);
    let back = over(&[Some("a\"b/中\n😀")], |s| {
        call("JSON_UNQUOTE", vec![call("JSON_QUOTE", vec![s])])
    });
    assert_eq!(back, some(["a\"b/中\n😀"]));
    let other = over(&[Some("abc"), Some("\"a"), Some("{}")], |s| call("JSON_UNQUOTE", vec![s]));
    assert_eq!(other, some(["abc", "\"a", "{}"]));
}
