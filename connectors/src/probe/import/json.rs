//! Columns of records in JSON, from a sample of them.
//!
//! What was seen of a field is put together over all records: whole numbers and fractions are DOUBLE, values
//! that do not go together are STRING, objects are rows of all fields that were seen. Texts that all are dates or
//! timestamps in the notation that the format reads by default are such columns.

use std::borrow::Cow;

use tidegate_json::tree::{Kind, NodeId, Nodes, Tree};
use tidegate_types::{Field, TimeAttribute, TypeKind};

use super::Description;

/// Deepest value in a value that is looked at.
const DEEPEST: usize = 20;
/// Most fields of one object.
const MOST_FIELDS: usize = 500;

/// What was seen of a value.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Nothing,
    Boolean,
    Integer,
    /// More digits than a BIGINT has.
    Long,
    Fraction,
    Date,
    /// Digits of the fraction.
    Timestamp(u8),
    Text,
    Array(Box<Seen>),
    Object(Vec<(String, Seen)>),
    /// Values that do not go together.
    Mixed,
}

/// A sample.
#[derive(Debug)]
pub(crate) struct Sample {
    root: Seen,
    nodes: Nodes,
    /// Records that were objects.
    pub(crate) records: usize,
    /// Records that were not.
    pub(crate) failed: usize,
}

impl Default for Sample {
    fn default() -> Self {
        Self { root: Seen::Nothing, nodes: Nodes::default(), records: 0, failed: 0 }
    }
}

impl Sample {
    /// Looks at one more record.
    pub(crate) fn add(&mut self, record: &[u8]) {
        let text = std::str::from_utf8(record).ok();
        let seen = text.and_then(|text| {
            let tree = self.nodes.read(text).ok()?;
            matches!(tree.kind(Tree::ROOT), Kind::Object(_)).then(|| look(&tree, Tree::ROOT, 0))
        });
        match seen {
            Some(seen) => {
                let before = std::mem::replace(&mut self.root, Seen::Nothing);
                self.root = together(before, seen);
                self.records += 1;
            }
            None => self.failed += 1,
        }
    }

    /// The columns.
    pub(crate) fn describe(self) -> Description {
        let mut found = Description::default();
        let Seen::Object(fields) = self.root else { return found };
        for (name, seen) in fields {
            let native = native(&seen);
            found.add(&name, native, kind(&seen).map(TypeKind::nullable), None, false);
        }
        found.options.insert("format".to_owned(), "json".to_owned());
        found.sampled = Some(self.records);
        found
    }
}

fn look(tree: &Tree<'_>, node: NodeId, depth: usize) -> Seen {
    match tree.kind(node) {
        Kind::Object(_) | Kind::Array(_) if depth >= DEEPEST => Seen::Mixed,
        Kind::Object(_) => {
            let members: Vec<(Cow<'_, str>, NodeId)> = tree.distinct_members(node);
            let members = members.into_iter().take(MOST_FIELDS);
            let seen = members.map(|(name, node)| (name.into_owned(), look(tree, node, depth + 1)));
            Seen::Object(seen.collect())
        }
        Kind::Array(_) => {
            let elements = tree.elements(node).map(|node| look(tree, node, depth + 1));
            Seen::Array(Box::new(elements.fold(Seen::Nothing, together)))
        }
        Kind::Null => Seen::Nothing,
        Kind::Boolean(_) => Seen::Boolean,
        Kind::String { .. } => text(&tree.string(node)),
        Kind::Decimal => Seen::Fraction,
        Kind::Integer if tree.raw(node).parse::<i64>().is_ok() => Seen::Integer,
        Kind::Integer if tree.raw(node).len() <= 20 => Seen::Long,
        Kind::Integer => Seen::Fraction,
    }
}

/// `2026-01-31`, `2026-01-31 12:00:00.123`, or any other text.
fn text(text: &str) -> Seen {
    let fits = |shape: &str| {
        let digit = |(byte, sign): (u8, u8)| {
            if sign == b'0' { byte.is_ascii_digit() } else { byte == sign }
        };
        text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(digit)
    };
    if text.len() == 10 && fits("0000-00-00") {
        return Seen::Date;
    }
    if !fits("0000-00-00 00:00:00") {
        return Seen::Text;
    }
    match text.get(19..) {
        Some("") => Seen::Timestamp(0),
        Some(rest) => {
            let digits = rest.strip_prefix('.').unwrap_or_default();
            let fits =
                (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            if fits { Seen::Timestamp(digits.len() as u8) } else { Seen::Text }
        }
        None => Seen::Text,
    }
}

/// What two values together are.
fn together(a: Seen, b: Seen) -> Seen {
    match (a, b) {
        (Seen::Nothing, other) | (other, Seen::Nothing) => other,
        (a, b) if a == b => a,
        (Seen::Integer, Seen::Long) | (Seen::Long, Seen::Integer) => Seen::Long,
        (Seen::Integer | Seen::Long, Seen::Fraction)
        | (Seen::Fraction, Seen::Integer | Seen::Long) => Seen::Fraction,
        (Seen::Timestamp(a), Seen::Timestamp(b)) => Seen::Timestamp(a.max(b)),
        (
            Seen::Date | Seen::Timestamp(_) | Seen::Text,
            Seen::Date | Seen::Timestamp(_) | Seen::Text,
        ) => Seen::Text,
        (Seen::Array(a), Seen::Array(b)) => Seen::Array(Box::new(together(*a, *b))),
        (Seen::Object(mut all), Seen::Object(more)) => {
            for (name, seen) in more {
                let full = all.len() >= MOST_FIELDS;
                match all.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => {
                        let before = std::mem::replace(known, Seen::Nothing);
                        *known = together(before, seen);
                    }
                    None if !full => all.push((name, seen)),
                    None => {}
                }
            }
            Seen::Object(all)
        }
        _ => Seen::Mixed,
    }
}

fn kind(seen: &Seen) -> Result<TypeKind, String> {
    Ok(match seen {
        Seen::Nothing => {
            return Err("only null was seen: give the column a type by hand".to_owned());
        }
        Seen::Boolean => TypeKind::Boolean,
        Seen::Integer => TypeKind::BigInt,
        Seen::Long => TypeKind::Decimal { precision: 20, scale: 0 },
        Seen::Fraction => TypeKind::Double,
        Seen::Date => TypeKind::Date,
        Seen::Timestamp(digits) => TypeKind::Timestamp {
            precision: if *digits <= 3 { 3 } else { *digits },
            attribute: TimeAttribute::None,
        },
        Seen::Text | Seen::Mixed => TypeKind::STRING,
        Seen::Array(element) if **element == Seen::Nothing => {
            return Err("only empty lists were seen: give the column a type by hand".to_owned());
        }
        Seen::Array(element) => TypeKind::Array(Box::new(kind(element)?.nullable())),
        Seen::Object(fields) => {
            // A field of which nothing is known is left out of the row; another record may have it.
            let known = fields.iter().filter_map(|(name, seen)| {
                kind(seen).ok().map(|kind| Field::new(name, kind.nullable()))
            });
            let known: Vec<Field> = known.collect();
            if known.is_empty() {
                return Err(
                    "only empty objects were seen: give the column a type by hand".to_owned()
                );
            }
            TypeKind::Row(known)
        }
    })
}

fn native(seen: &Seen) -> &'static str {
    match seen {
        Seen::Nothing => "null",
        Seen::Boolean => "boolean",
        Seen::Integer | Seen::Long | Seen::Fraction => "number",
        Seen::Date | Seen::Timestamp(_) | Seen::Text => "string",
        Seen::Array(_) => "array",
        Seen::Object(_) => "object",
        Seen::Mixed => "mixed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(records: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut sample = Sample::default();
        records.iter().for_each(|record| sample.add(record.as_bytes()));
        let found = sample.describe();
        let columns = found.columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect();
        (columns, found.unmapped.into_iter().map(|one| one.name).collect())
    }

    #[test]
    fn columns_in_the_order_of_the_records_with_types_that_hold_all_of_them() {
        let (found, unknown) = columns(&[
            r#"{"id":1,"name":"a","at":"2026-01-02 03:04:05","day":"2026-01-02","none":null,"x":1}"#,
            r#"{"id":2,"price":1,"at":"2026-01-02 03:04:05.123456","day":"2026-01-03","tags":["a"],"x":"y"}"#,
            r#"{"id":18446744073709551615,"price":2.5,"day":"soon","r":{"a":1},"tags":[],"list":[]}"#,
            r#"{"r":{"b":true,"c":null},"ok":false}"#,
        ]);
        let expected = [
            "id DECIMAL(20, 0)",
            "name STRING",
            "at TIMESTAMP(6)",
            "day STRING",
            "x STRING",
            "price DOUBLE",
            "tags ARRAY<STRING>",
            "r ROW<`a` BIGINT, `b` BOOLEAN>",
            "ok BOOLEAN",
        ];
        assert_eq!(found, expected);
        assert_eq!(unknown, ["none", "list"]);
    }

    #[test]
    fn what_is_no_object_is_counted() {
        let mut sample = Sample::default();
        for record in ["[1]", "1", "", "{", "{\"a\":1}", "a,b"] {
            sample.add(record.as_bytes());
        }
        sample.add(b"\xff");
        assert_eq!((sample.records, sample.failed), (1, 6));
    }

    #[test]
    fn deep_and_wide_records_are_bounded() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        let wide: Vec<String> = (0..2000).map(|n| format!("\"f{n}\":1")).collect();
        let (found, _) = columns(&[&deep, &format!("{{{}}}", wide.join(","))]);
        assert!(found.len() <= MOST_FIELDS);
    }
}
