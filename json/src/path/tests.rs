//! Paths on one text.

use super::Path;
use crate::tree::{Nodes, Tree};

const TEXT: &str = r#"{
    "a": {"b": [10, 2.50, "x"], "b c": null},
    "books": [
        {"name": "one", "price": 5, "tags": ["s", "t"]},
        {"name": "Two", "price": 15.5, "tags": []}
    ]
}"#;

fn find(path: &str) -> Result<String, String> {
    let mut nodes = Nodes::default();
    let tree: Tree<'_> = nodes.read(TEXT).map_err(|fault| fault.message.clone())?;
    let found = Path::parse(path)?.find(&tree)?;
    let mut out = String::new();
    found.write(&tree, &mut out);
    Ok(out)
}

#[test]
fn definite_paths() {
    for (path, wanted) in [
        ("$.a.b[0]", "10"),
        ("a.b[0]", "10"),
        ("$['a']['b'][-1]", "\"x\""),
        ("$.a['b c']", "null"),
        ("$.a.b.length()", "3"),
        ("$.a.keys()", "[\"b\",\"b c\"]"),
    ] {
        assert_eq!(find(path).as_deref(), Ok(wanted), "{path}");
        assert!(Path::parse(path).unwrap().is_definite(), "{path}");
    }
    assert!(find("$.x").is_err());
    assert!(find("$.a.b[3]").is_err());
    assert!(find("$.a.b.c").is_err());
    assert!(find("$.none[*]").is_err());
    assert!(find("$.a[0,1]").is_err());
}

#[test]
fn indefinite_paths() {
    for (path, wanted) in [
        ("$.a.b[*]", "[10,2.50,\"x\"]"),
        ("$.a.b[0,2,9]", "[10,\"x\"]"),
        ("$.a.b[1:]", "[2.50,\"x\"]"),
        ("$.a.b[:-1]", "[10,2.50]"),
        ("$..price", "[5,15.5]"),
        ("$.books[*].name", "[\"one\",\"Two\"]"),
        ("$.books[0]['name','price']", "{\"name\":\"one\",\"price\":5}"),
        ("$..none", "[]"),
        ("$.books[*].price.sum()", "20.5"),
    ] {
        assert_eq!(find(path).as_deref(), Ok(wanted), "{path}");
    }
}

#[test]
fn filters() {
    let named = |filter: &str| find(&format!("$.books[?({filter})].name"));
    for (filter, wanted) in [
        ("@.price > 10", "[\"Two\"]"),
        ("@.price == 5", "[\"one\"]"),
        ("@.name == 'one' || @.price >= 15.5", "[\"one\",\"Two\"]"),
        ("@.name =~ /t.*/i && !(@.price < 1)", "[\"Two\"]"),
        ("@.name in ['one', 'three']", "[\"one\"]"),
        ("@.tags contains 's'", "[\"one\"]"),
        ("@.tags size 2", "[\"one\"]"),
        ("@.tags empty true", "[\"Two\"]"),
        ("@.missing", "[]"),
        ("@.price > $.a.b[0]", "[\"Two\"]"),
    ] {
        assert_eq!(named(filter).as_deref(), Ok(wanted), "{filter}");
    }
}

#[test]
fn malformed_paths_are_refused() {
    for path in ["", "$.", "$[", "$..", "$.a b", "$['a", "$[x]", "$.a[?(@.b =)]", "$.f()", "$$"] {
        assert!(Path::parse(path).is_err(), "{path}");
    }
    assert!(Path::parse(&format!("$[?({}@.a)]", "(".repeat(500))).is_err());
}
