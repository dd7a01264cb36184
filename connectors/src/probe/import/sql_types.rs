//! Types of PostgreSQL and of MySQL by the names that the databases give them, as `docs/connectors/jdbc.md` says.

use tidegate_types::{SqlType, TimeAttribute, TypeKind};

const NONE: TimeAttribute = TimeAttribute::None;

/// A name with its arguments: `numeric(10,2)` is `numeric` with 10 and 2.
fn parts(native: &str) -> (String, Vec<u32>, String) {
    let lower = native.trim().to_ascii_lowercase();
    let Some((name, rest)) = lower.split_once('(') else {
        return (lower, Vec::new(), String::new());
    };
    let (arguments, behind) = rest.split_once(')').unwrap_or((rest, ""));
    let arguments = arguments.split(',').filter_map(|text| text.trim().parse().ok()).collect();
    (name.trim().to_owned(), arguments, behind.trim().to_owned())
}

fn decimal(arguments: &[u32], native: &str) -> Result<TypeKind, String> {
    let (precision, scale) = match arguments {
        [] => (38, 18),
        [precision] => (*precision, 0),
        [precision, scale, ..] => (*precision, *scale),
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            Ok(TypeKind::Decimal { precision, scale })
        }
        _ => Err(format!("{native} has more digits than the 38 of a DECIMAL")),
    }
}

fn timestamp(arguments: &[u32], default: u8, zoned: bool) -> TypeKind {
    let precision = arguments.first().and_then(|digits| u8::try_from(*digits).ok());
    let precision = precision.unwrap_or(default).min(9);
    if zoned {
        TypeKind::TimestampLtz { precision, attribute: NONE }
    } else {
        TypeKind::Timestamp { precision, attribute: NONE }
    }
}

/// A type of PostgreSQL, as `format_type` writes it; `class`: its `typtype`.
///
/// # Errors
/// Why there is none for it.
pub(crate) fn postgres(native: &str, class: &str) -> Result<TypeKind, String> {
    if let Some(element) = native.strip_suffix("[]") {
        let element = postgres(element, "b")?;
        return Ok(TypeKind::Array(Box::new(element.nullable())));
    }
    match class {
        "e" => return Ok(TypeKind::STRING),
        "c" => return Err("rows within rows are not read".to_owned()),
        "r" | "m" => return Err("ranges are not read".to_owned()),
        _ => {}
    }
    let (name, arguments, behind) = parts(native);
    let zoned = behind.starts_with("with time zone") || name.ends_with("with time zone");
    let first = name.split(" with").next().unwrap_or_default();
    Ok(match first {
        "smallint" => TypeKind::SmallInt,
        "integer" => TypeKind::Int,
        "bigint" => TypeKind::BigInt,
        "numeric" => {
            return decimal(&arguments, native).map_err(|why| format!("{why}: cast it in a view"));
        }
        "real" => TypeKind::Float,
        "double precision" => TypeKind::Double,
        "boolean" => TypeKind::Boolean,
        "date" => TypeKind::Date,
        "time" if zoned => TypeKind::STRING,
        "time" => TypeKind::Time { precision: 0 },
        "timestamp" => timestamp(&arguments, 6, zoned),
        "bytea" => TypeKind::BYTES,
        "point" | "line" | "lseg" | "box" | "path" | "polygon" | "circle" | "geometry"
        | "geography" => return Err("geometric types are not read".to_owned()),
        "oid" | "xid" | "cid" => TypeKind::BigInt,
        _ => TypeKind::STRING,
    })
}

/// A type of MySQL or MariaDB, as `column_type` of its information schema writes it.
///
/// # Errors
/// Why there is none for it.
pub(crate) fn mysql(native: &str) -> Result<TypeKind, String> {
    let (name, arguments, behind) = parts(native);
    let mut words = name.split(' ');
    let first = words.next().unwrap_or_default();
    let unsigned = behind.contains("unsigned") || words.any(|word| word == "unsigned");
    Ok(match (first, unsigned) {
        ("tinyint", _) if arguments == [1] => TypeKind::Boolean,
        ("boolean" | "bool", _) => TypeKind::Boolean,
        ("bit", _) if arguments == [1] || arguments.is_empty() => TypeKind::Boolean,
        ("bit", _) => return Err("bit strings are not read".to_owned()),
        ("tinyint", false) => TypeKind::TinyInt,
        ("smallint", false) | ("tinyint", true) | ("year", _) => TypeKind::SmallInt,
        ("int" | "integer" | "mediumint", false) | ("smallint" | "mediumint", true) => {
            TypeKind::Int
        }
        ("bigint", false) | ("int" | "integer", true) => TypeKind::BigInt,
        ("bigint", true) => TypeKind::Decimal { precision: 20, scale: 0 },
        ("decimal" | "numeric" | "dec" | "fixed", _) => {
            let arguments = if arguments.is_empty() { vec![10, 0] } else { arguments };
            return decimal(&arguments, native);
        }
        ("float", _) => TypeKind::Float,
        ("double" | "real", _) => TypeKind::Double,
        ("date", _) => TypeKind::Date,
        ("time", _) => TypeKind::Time { precision: 0 },
        ("datetime", _) => timestamp(&arguments, 0, false),
        ("timestamp", _) => timestamp(&arguments, 0, true),
        ("binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob", _) => {
            TypeKind::BYTES
        }
        (
            "char" | "varchar" | "text" | "tinytext" | "mediumtext" | "longtext" | "enum" | "set"
            | "json" | "uuid" | "inet4" | "inet6",
            _,
        ) => TypeKind::STRING,
        _ => return Err("this type is not read".to_owned()),
    })
}

/// A type with its nullability.
pub(crate) fn with_null(kind: Result<TypeKind, String>, nullable: bool) -> Result<SqlType, String> {
    kind.map(|kind| SqlType { kind, nullable })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: Result<TypeKind, String>) -> String {
        kind.map_or_else(|why| format!("none: {why}"), |kind| kind.nullable().to_string())
    }

    #[test]
    fn types_of_postgresql() {
        for (native, class, expected) in [
            ("integer", "b", "INT"),
            ("character varying(20)", "b", "STRING"),
            ("numeric(10,2)", "b", "DECIMAL(10, 2)"),
            ("numeric", "b", "DECIMAL(38, 18)"),
            ("timestamp without time zone", "b", "TIMESTAMP(6)"),
            ("timestamp(3) with time zone", "b", "TIMESTAMP_LTZ(3)"),
            ("timestamp with time zone", "b", "TIMESTAMP_LTZ(6)"),
            ("time without time zone", "b", "TIME(0)"),
            ("bigint[]", "b", "ARRAY<BIGINT>"),
            ("mood", "e", "STRING"),
            ("jsonb", "b", "STRING"),
            ("bytea", "b", "BYTES"),
        ] {
            assert_eq!(shown(postgres(native, class)), expected, "{native}");
        }
        for (native, class) in
            [("point", "b"), ("address", "c"), ("int4range", "r"), ("numeric(100,2)", "b")]
        {
            assert!(shown(postgres(native, class)).starts_with("none"), "{native}");
        }
    }

    #[test]
    fn types_of_mysql() {
        for (native, expected) in [
            ("tinyint(1)", "BOOLEAN"),
            ("tinyint(4)", "TINYINT"),
            ("tinyint(3) unsigned", "SMALLINT"),
            ("int(10) unsigned", "BIGINT"),
            ("int unsigned", "BIGINT"),
            ("bigint(20) unsigned", "DECIMAL(20, 0)"),
            ("mediumint(8) unsigned zerofill", "INT"),
            ("decimal(10,2)", "DECIMAL(10, 2)"),
            ("datetime(3)", "TIMESTAMP(3)"),
            ("timestamp", "TIMESTAMP_LTZ(0)"),
            ("enum('a','b')", "STRING"),
            ("varbinary(16)", "BYTES"),
            ("double", "DOUBLE"),
            ("year(4)", "SMALLINT"),
        ] {
            assert_eq!(shown(mysql(native)), expected, "{native}");
        }
        assert!(shown(mysql("geometry")).starts_with("none"));
        assert!(shown(mysql("decimal(65,30)")).starts_with("none"));
    }
}
