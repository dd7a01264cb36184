//! Values as literals, which a database compares with a column as if they were of the column's type.

use super::address::Product;
use crate::format::text::cells::{Cells, Values};
use crate::format::text::datetime::{Style, write_date, write_time, write_timestamp};
use crate::format::text::number::{write_double, write_float, write_integer, write_plain_decimal};

/// Days of 0001-01-01 and 9999-12-31: what both databases can write.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// Appends the value of a row. What the database cannot hold is NULL, which equals nothing.
pub(super) fn write(cells: &Cells<'_>, row: usize, product: Product, out: &mut Vec<u8>) {
    if cells.is_null(row) {
        return null(out);
    }
    let postgres = product == Product::Postgres;
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
            (true, _) => quoted(out, |out| write_float(values[row], out)),
            // MySQL compares with the value itself, not with what its shortest text means.
            (false, true) => write_double(f64::from(values[row]), out),
            (false, false) => null(out),
        },
        Values::Double(values) => match (postgres, values[row].is_finite()) {
            (true, _) => quoted(out, |out| write_double(values[row], out)),
            (false, true) => write_double(values[row], out),
            (false, false) => null(out),
        },
        Values::Decimal { values, scale } => write_plain_decimal(values[row], *scale, out),
        Values::Text(values) => text(values.value(row), postgres, out),
        Values::Bytes(values) => {
            out.extend_from_slice(if postgres { b"'\\x" } else { b"X'" });
            hex(values.value(row), out);
            out.push(b'\'');
        }
        Values::Date(values) if DAYS.contains(&i64::from(values[row])) => {
            quoted(out, |out| write_date(values[row], out));
        }
        Values::Time(values) => quoted(out, |out| write_time(values[row], out)),
        Values::Timestamp { values, per_second, zoned }
            if DAYS.contains(&values[row].div_euclid(per_second * 86_400)) =>
        {
            quoted(out, |out| {
                write_timestamp(values[row], *per_second, false, Style::Sql, out);
                // The session's zone is UTC.
                if *zoned && postgres {
                    out.extend_from_slice(b"+00");
                }
            });
        }
        Values::Date(_) | Values::Timestamp { .. } => null(out),
        // Refused when the condition was made.
        Values::Null | Values::Array { .. } | Values::Map { .. } | Values::Row(_) => null(out),
    }
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"NULL");
}

/// PostgreSQL gives a quoted literal the type of what it is compared with.
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'\'');
    write(out);
    out.push(b'\'');
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
        return null(out);
    }
    quoted(out, |out| {
        for byte in value.bytes() {
            out.extend_from_slice(if byte == b'\'' { b"''" } else { std::slice::from_ref(&byte) });
        }
    });
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}
