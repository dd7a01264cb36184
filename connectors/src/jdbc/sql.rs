//! The statements: names and values as each database writes them.

use arrow::array::ArrayRef;
use tidegate_types::{Error, Field, Result, TypeKind};

use super::address::{Address, Product};
use crate::format::text::cells::{Cells, Values};
use crate::format::text::datetime::{Style, write_date, write_time, write_timestamp};
use crate::format::text::number::{write_double, write_float, write_integer, write_plain_decimal};

/// `SELECT … FROM …` of the columns that are read.
pub(super) fn select(address: &Address, read: &[Field]) -> String {
    let column = |field: &Field| {
        let name = name(&field.name, address.product);
        // A cast takes the padding from CHAR(n), and gives UUIDs and the like a text.
        let cast = address.product == Product::Postgres && is_text(&field.ty.kind);
        if cast { format!("{name}::text") } else { name }
    };
    let columns: Vec<String> = read.iter().map(column).collect();
    let columns = if columns.is_empty() { "1".to_owned() } else { columns.join(", ") };
    let table: Vec<String> =
        address.table.split('.').map(|part| name(part, address.product)).collect();
    format!("SELECT {columns} FROM {}", table.join("."))
}

/// ` ORDER BY` columns.
pub(super) fn order_by(address: &Address, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| name(column, address.product)).collect();
    if columns.is_empty() { String::new() } else { format!(" ORDER BY {}", columns.join(", ")) }
}

fn is_text(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::Char { .. } | TypeKind::VarChar { .. })
}

/// A name of a column or table. In PostgreSQL plain ones are folded to lower case, as where nothing quotes them (Flink's
/// connector does not); ones in quotes stay as they are.
fn name(text: &str, product: Product) -> String {
    if product == Product::MySql {
        return format!("`{}`", text.replace('`', "``"));
    }
    if text.len() > 2 && text.starts_with('"') && text.ends_with('"') {
        return text.to_owned();
    }
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let text = if plain { text.to_ascii_lowercase() } else { text.replace('"', "\"\"") };
    format!("\"{text}\"")
}

/// ` WHERE` the key columns are among some keys.
pub(super) struct Condition {
    product: Product,
    /// `k IN (`, or `(k1, k2) IN (`.
    begin: String,
    kinds: Vec<Field>,
}

impl Condition {
    /// For key columns.
    ///
    /// # Errors
    /// `UNSUPPORTED` for types that have no literals.
    pub(super) fn new(product: Product, columns: &[Field]) -> Result<Self> {
        for field in columns {
            if matches!(
                field.ty.kind,
                TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_)
            ) {
                return Err(Error::unsupported(format!(
                    "column '{}' of type {} cannot be the key of a lookup",
                    field.name, field.ty
                )));
            }
        }
        let names: Vec<String> = columns.iter().map(|field| name(&field.name, product)).collect();
        let begin = match names.as_slice() {
            [one] => format!(" WHERE {one} IN ("),
            all => format!(" WHERE ({}) IN (", all.join(", ")),
        };
        Ok(Self { product, begin, kinds: columns.to_vec() })
    }

    /// The condition for keys `from..to`, one array per column.
    ///
    /// # Errors
    /// `INTERNAL` for arrays of other types.
    pub(super) fn write(&self, keys: &[ArrayRef], from: usize, to: usize) -> Result<String> {
        let cells = keys.iter().zip(&self.kinds);
        let cells: Vec<Cells<'_>> = cells
            .map(|(array, field)| Cells::new(array.as_ref(), &field.ty))
            .collect::<Result<_>>()?;
        let mut out = self.begin.clone().into_bytes();
        for row in from..to {
            out.extend_from_slice(if row > from { b", " } else { b"" });
            if cells.len() > 1 {
                out.push(b'(');
            }
            for (index, cell) in cells.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b", " } else { b"" });
                literal(cell, row, self.product, &mut out);
            }
            if cells.len() > 1 {
                out.push(b')');
            }
        }
        out.push(b')');
        String::from_utf8(out).map_err(|_| Error::internal("a statement is no text"))
    }
}

/// A value that the database compares with a column as if it were of the column's type.
fn literal(cells: &Cells<'_>, row: usize, product: Product, out: &mut Vec<u8>) {
    if cells.is_null(row) {
        return out.extend_from_slice(b"NULL");
    }
    let postgres = product == Product::Postgres;
    // PostgreSQL gives a quoted literal the type of what it is compared with.
    let quoted = |out: &mut Vec<u8>, write: &mut dyn FnMut(&mut Vec<u8>)| {
        out.push(b'\'');
        write(out);
        out.push(b'\'');
    };
    match &cells.values {
        Values::Boolean(values) => {
            let word = match (values.value(row), postgres) {
                (true, true) => "TRUE",
                (false, true) => "FALSE",
                (true, false) => "1",
                (false, false) => "0",
            };
            out.extend_from_slice(word.as_bytes());
        }
        Values::TinyInt(values) => write_integer(i64::from(values[row]), out),
        Values::SmallInt(values) => write_integer(i64::from(values[row]), out),
        Values::Int(values) => write_integer(i64::from(values[row]), out),
        Values::BigInt(values) => write_integer(values[row], out),
        Values::Float(values) => match (postgres, values[row].is_finite()) {
            (true, _) => quoted(out, &mut |out| write_float(values[row], out)),
            (false, true) => write_float(values[row], out),
            (false, false) => out.extend_from_slice(b"NULL"),
        },
        Values::Double(values) => match (postgres, values[row].is_finite()) {
            (true, _) => quoted(out, &mut |out| write_double(values[row], out)),
            (false, true) => write_double(values[row], out),
            (false, false) => out.extend_from_slice(b"NULL"),
        },
        Values::Decimal { values, scale } => write_plain_decimal(values[row], *scale, out),
        Values::Text(values) => text(values.value(row), postgres, out),
        Values::Bytes(values) => {
            out.extend_from_slice(if postgres { b"'\\x" } else { b"X'" });
            hex(values.value(row), out);
            out.push(b'\'');
        }
        Values::Date(values) => quoted(out, &mut |out| write_date(values[row], out)),
        Values::Time(values) => quoted(out, &mut |out| write_time(values[row], out)),
        Values::Timestamp { values, per_second, zoned } => quoted(out, &mut |out| {
            write_timestamp(values[row], *per_second, false, Style::Sql, out);
            // The session's zone is UTC.
            if *zoned && postgres {
                out.extend_from_slice(b"+00");
            }
        }),
        // Refused when the condition was made.
        Values::Null | Values::Array { .. } | Values::Map { .. } | Values::Row(_) => {
            out.extend_from_slice(b"NULL");
        }
    }
}

fn text(value: &str, postgres: bool, out: &mut Vec<u8>) {
    if !postgres {
        // Hexadecimal digits mean the same in every SQL mode and character set.
        if value.is_empty() {
            return out.extend_from_slice(b"''");
        }
        out.extend_from_slice(b"_utf8mb4 X'");
        hex(value.as_bytes(), out);
        return out.push(b'\'');
    }
    // No text of PostgreSQL holds a zero byte.
    if value.contains('\0') {
        return out.extend_from_slice(b"NULL");
    }
    out.push(b'\'');
    for byte in value.bytes() {
        out.extend_from_slice(if byte == b'\'' { b"''" } else { std::slice::from_ref(&byte) });
    }
    out.push(b'\'');
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryViewArray, Int64Array, StringViewArray};

    use super::*;

    fn condition(product: Product) -> String {
        let columns = [
            Field::new("Id", TypeKind::BigInt.nullable()),
            Field::new("a b`\"", TypeKind::STRING.nullable()),
            Field::new("x", TypeKind::BYTES.nullable()),
        ];
        let keys: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![-1, 2, 3])),
            Arc::new(StringViewArray::from(vec!["it's \\ a", "", "nul\0"])),
            Arc::new(BinaryViewArray::from_iter_values([&b"\x00\xff"[..], b"", b"'"])),
        ];
        Condition::new(product, &columns).unwrap().write(&keys, 0, 3).unwrap()
    }

    #[test]
    fn names_and_values_cannot_end_what_they_stand_in() {
        assert_eq!(
            condition(Product::Postgres),
            r#" WHERE ("id", "a b`""", "x") IN ((-1, 'it''s \ a', '\x00ff'), (2, '', '\x'), (3, NULL, '\x27'))"#
        );
        assert_eq!(
            condition(Product::MySql),
            r#" WHERE (`Id`, `a b``"`, `x`) IN ((-1, _utf8mb4 X'69742773205c2061', X'00ff'), (2, '', X''), (3, _utf8mb4 X'6e756c00', X'27'))"#
        );
    }
}
