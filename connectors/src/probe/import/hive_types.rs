//! Types of Hive by their names, as a metastore keeps them.

use tidegate_types::{Field, TimeAttribute, TypeKind};

/// Deepest type in a type that is looked at.
const DEEPEST: usize = 20;

/// A type such as `map<string,array<int>>`.
///
/// # Errors
/// Why there is none for it.
pub(crate) fn kind(text: &str) -> Result<TypeKind, String> {
    let mut rest = text;
    let kind = parse(&mut rest, 0)?;
    if rest.is_empty() { Ok(kind) } else { Err(format!("'{text}' is not understood")) }
}

fn parse(rest: &mut &str, depth: usize) -> Result<TypeKind, String> {
    if depth > DEEPEST {
        return Err("types lie too deep within each other".to_owned());
    }
    let end = rest.find(['<', '>', ',', '(', ':']).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let name = name.trim().to_ascii_lowercase();
    *rest = behind;
    Ok(match name.as_str() {
        "boolean" => TypeKind::Boolean,
        "tinyint" => TypeKind::TinyInt,
        "smallint" => TypeKind::SmallInt,
        "int" | "integer" => TypeKind::Int,
        "bigint" => TypeKind::BigInt,
        "float" => TypeKind::Float,
        "double" | "double precision" => TypeKind::Double,
        "string" => TypeKind::STRING,
        "varchar" | "char" => {
            arguments(rest)?;
            TypeKind::STRING
        }
        "binary" => TypeKind::BYTES,
        "date" => TypeKind::Date,
        "timestamp" => TypeKind::Timestamp { precision: 9, attribute: TimeAttribute::None },
        "timestamp with local time zone" => {
            TypeKind::TimestampLtz { precision: 9, attribute: TimeAttribute::None }
        }
        "decimal" => match arguments(rest)?.as_slice() {
            [] => TypeKind::Decimal { precision: 10, scale: 0 },
            [precision @ 1..=38] => TypeKind::Decimal { precision: *precision, scale: 0 },
            [precision @ 1..=38, scale] if scale <= precision => {
                TypeKind::Decimal { precision: *precision, scale: *scale }
            }
            _ => return Err("a DECIMAL has at most 38 digits".to_owned()),
        },
        "array" => {
            expect(rest, '<')?;
            let element = parse(rest, depth + 1)?;
            expect(rest, '>')?;
            TypeKind::Array(Box::new(element.nullable()))
        }
        "map" => {
            expect(rest, '<')?;
            let key = parse(rest, depth + 1)?;
            expect(rest, ',')?;
            let value = parse(rest, depth + 1)?;
            expect(rest, '>')?;
            TypeKind::Map(Box::new(key.not_null()), Box::new(value.nullable()))
        }
        "struct" => row(rest, depth)?,
        other => return Err(format!("there is no type for '{other}'")),
    })
}

fn row(rest: &mut &str, depth: usize) -> Result<TypeKind, String> {
    expect(rest, '<')?;
    let mut fields = Vec::new();
    loop {
        let (name, behind) =
            rest.split_once(':').ok_or_else(|| "a field has no type".to_owned())?;
        *rest = behind;
        let kind = parse(rest, depth + 1)?;
        fields.push(Field::new(name.trim(), kind.nullable()));
        if expect(rest, ',').is_err() {
            expect(rest, '>')?;
            return Ok(TypeKind::Row(fields));
        }
    }
}

fn expect(rest: &mut &str, sign: char) -> Result<(), String> {
    let behind = rest.trim_start().strip_prefix(sign);
    *rest = behind.ok_or_else(|| format!("'{sign}' is missing"))?;
    Ok(())
}

fn arguments(rest: &mut &str) -> Result<Vec<u8>, String> {
    if expect(rest, '(').is_err() {
        return Ok(Vec::new());
    }
    let (inside, behind) = rest.split_once(')').ok_or_else(|| "')' is missing".to_owned())?;
    *rest = behind;
    Ok(inside.split(',').map(|text| text.trim().parse().unwrap_or(u8::MAX)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_their_names() {
        for (text, expected) in [
            ("bigint", "BIGINT"),
            ("varchar(20)", "STRING"),
            ("decimal(10,2)", "DECIMAL(10, 2)"),
            ("array<map<string,int>>", "ARRAY<MAP<STRING NOT NULL, INT>>"),
            ("struct<a:int,b:struct<c:string>>", "ROW<`a` INT, `b` ROW<`c` STRING>>"),
        ] {
            assert_eq!(kind(text).unwrap().nullable().to_string(), expected, "{text}");
        }
        for text in
            ["uniontype<int,string>", "array<int", "array<int>>", "decimal(77)", "struct<a>", ""]
        {
            assert!(kind(text).is_err(), "{text}");
        }
        assert!(kind(&"array<".repeat(1000)).is_err());
    }
}
