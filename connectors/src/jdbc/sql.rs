//! The statements: `SELECT … FROM …`, the order of a scan, and the condition of a lookup.

use arrow::array::ArrayRef;
use tidegate_types::{Error, Field, Result, TypeKind};

use super::address::{Address, Product};
use super::{literal, name};
use crate::format::text::cells::Cells;

/// Most keys in one statement.
pub(super) const KEYS: usize = 500;
/// Bytes after which a statement takes no more keys; servers refuse those of 16 MiB and more unless they are told
/// otherwise.
const BYTES: usize = 1 << 20;

/// `SELECT … FROM …` of the columns that are read.
pub(super) fn select(address: &Address, read: &[Field]) -> String {
    let columns: Vec<String> = read.iter().map(|field| column(field, address.product)).collect();
    let columns = if columns.is_empty() { "1".to_owned() } else { columns.join(", ") };
    format!("SELECT {columns} FROM {}", address.from)
}

fn column(field: &Field, product: Product) -> String {
    let name = name::column(&field.name, product);
    match (product, &field.ty.kind) {
        // A cast takes the padding from CHAR(n), and gives UUIDs and the like a text.
        (Product::Postgres, kind) if is_text(kind) => format!("{name}::text"),
        (Product::Postgres, TypeKind::Array(element)) if is_text(&element.kind) => {
            format!("{name}::text[]")
        }
        // As texts they have six digits, too few to tell them apart.
        (Product::MySql, TypeKind::Float) => format!("{name} + 0e0"),
        _ => name,
    }
}

fn is_text(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::Char { .. } | TypeKind::VarChar { .. })
}

/// ` ORDER BY`: rows that a reader has had come first again as long as nobody changes them. By the primary key, or else
/// by all that is read: rows that are the same then are the same to the reader.
pub(super) fn order_by(address: &Address, primary_key: &[String], read: &[Field]) -> String {
    let by: Vec<String> = match primary_key {
        [] => (1..=read.len()).map(|place| place.to_string()).collect(),
        key => key.iter().map(|column| name::column(column, address.product)).collect(),
    };
    if by.is_empty() { String::new() } else { format!(" ORDER BY {}", by.join(", ")) }
}

/// ` WHERE` the key columns are among some keys.
pub(super) struct Condition {
    product: Product,
    /// `k IN (`, or `(k1, k2) IN (`.
    begin: String,
    columns: Vec<Field>,
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
                TypeKind::Array(_)
                    | TypeKind::Map(..)
                    | TypeKind::Multiset(_)
                    | TypeKind::Row(_)
                    | TypeKind::Structured { .. }
            ) {
                return Err(Error::unsupported(format!(
                    "column '{}' of type {} cannot be the key of a lookup",
                    field.name, field.ty
                )));
            }
        }
        let names: Vec<String> =
            columns.iter().map(|field| name::column(&field.name, product)).collect();
        let begin = match names.as_slice() {
            [one] => format!(" WHERE {one} IN ("),
            all => format!(" WHERE ({}) IN (", all.join(", ")),
        };
        Ok(Self { product, begin, columns: columns.to_vec() })
    }

    /// The condition for keys from `from` on (one array per column), at most to `to` and to what a statement holds,
    /// but for one key at least; with it the key that comes next.
    ///
    /// # Errors
    /// `INTERNAL` for arrays of other types.
    pub(super) fn write(
        &self,
        keys: &[ArrayRef],
        from: usize,
        to: usize,
    ) -> Result<(String, usize)> {
        let cells = keys.iter().zip(&self.columns);
        let cells: Vec<Cells<'_>> = cells
            .map(|(array, field)| Cells::new(array.as_ref(), &field.ty))
            .collect::<Result<_>>()?;
        let mut out = self.begin.clone().into_bytes();
        let mut next = from;
        while next < to.min(from + KEYS) && (next == from || out.len() < BYTES) {
            out.extend_from_slice(if next > from { b", " } else { b"" });
            if cells.len() > 1 {
                out.push(b'(');
            }
            for (index, cell) in cells.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b", " } else { b"" });
                literal::write(cell, next, self.product, &mut out);
            }
            if cells.len() > 1 {
                out.push(b')');
            }
            next += 1;
        }
        out.push(b')');
        let text = String::from_utf8(out);
        Ok((text.map_err(|_| Error::internal("a statement is no text"))?, next))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryViewArray, Date32Array, Int64Array, StringViewArray};

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
        Condition::new(product, &columns).unwrap().write(&keys, 0, 3).unwrap().0
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

    #[test]
    fn statements_have_a_bound() {
        let of = |kind: TypeKind| {
            Condition::new(Product::MySql, &[Field::new("k", kind.nullable())]).unwrap()
        };
        let many: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(0..2_000))];
        assert_eq!(of(TypeKind::BigInt).write(&many, 0, 2_000).unwrap().1, KEYS);
        assert_eq!(of(TypeKind::BigInt).write(&many, 1_900, 2_000).unwrap().1, 2_000);
        let long = "x".repeat(300_000);
        let long: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from(vec![long.as_str(); 5]))];
        let (text, next) = of(TypeKind::STRING).write(&long, 0, 5).unwrap();
        assert_eq!((next, text.len() < BYTES + 600_100), (2, true));
        assert_eq!(of(TypeKind::STRING).write(&long, 4, 5).unwrap().1, 5);
    }

    #[test]
    fn dates_that_no_database_has_equal_nothing() {
        let columns = [Field::new("d", TypeKind::Date.nullable())];
        let keys: Vec<ArrayRef> =
            vec![Arc::new(Date32Array::from(vec![i32::MIN, 0, 2_932_896, 2_932_897]))];
        let condition = Condition::new(Product::Postgres, &columns).unwrap();
        assert_eq!(
            condition.write(&keys, 0, 4).unwrap().0,
            r#" WHERE "d" IN (NULL, '1970-01-01', '9999-12-31', NULL)"#
        );
    }
}
