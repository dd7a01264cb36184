//! Columns of records in CSV, from a sample of them. Records have no names of columns: those are `f0`, `f1`, ….

use tidegate_types::{TimeAttribute, TypeKind};

use super::Description;

/// Letters that stand between fields, by how likely they are.
const DELIMITERS: [u8; 4] = *b",\t;|";

/// The columns of these records; `None`: they are not CSV of one shape.
pub(crate) fn describe(records: &[Vec<u8>]) -> Option<Description> {
    let lines: Vec<&str> =
        records.iter().filter_map(|record| std::str::from_utf8(record).ok()).collect();
    if lines.is_empty() || lines.len() < records.len() {
        return None;
    }
    let delimiter = DELIMITERS.into_iter().find(|delimiter| {
        let mut counts = lines.iter().map(|line| fields(line, *delimiter).len());
        counts.next().is_some_and(|first| first > 1 && counts.all(|count| count == first))
    })?;
    let rows: Vec<Vec<String>> = lines.iter().map(|line| fields(line, delimiter)).collect();
    let mut found = Description::default();
    for column in 0..rows.first().map_or(0, Vec::len) {
        let values = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
        let kind = kind(values);
        found.add(&format!("f{column}"), "text", Ok(kind.nullable()), None, false);
    }
    found.options.insert("format".to_owned(), "csv".to_owned());
    if delimiter != b',' {
        let shown =
            if delimiter == b'\t' { "\\t".to_owned() } else { char::from(delimiter).to_string() };
        found.options.insert("csv.field-delimiter".to_owned(), shown);
    }
    found.sampled = Some(rows.len());
    Some(found)
}

/// The fields of a line; quotes protect delimiters, and a doubled quote is one.
fn fields(line: &str, delimiter: u8) -> Vec<String> {
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            c if !quoted && c == char::from(delimiter) => all.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    all.push(field);
    all
}

fn kind<'a>(values: impl Iterator<Item = &'a str> + Clone) -> TypeKind {
    let known = || values.clone().map(str::trim).filter(|value| !value.is_empty());
    if known().next().is_none() {
        return TypeKind::STRING;
    }
    let all = |fits: &dyn Fn(&str) -> bool| known().all(fits);
    let number = |value: &str| {
        value.parse::<f64>().is_ok_and(f64::is_finite)
            && value.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
    };
    if all(&|value| value.parse::<i64>().is_ok()) {
        TypeKind::BigInt
    } else if all(&number) {
        TypeKind::Double
    } else if all(&|value| ["true", "false"].contains(&value.to_ascii_lowercase().as_str())) {
        TypeKind::Boolean
    } else if all(&|value| value.len() == 10 && is_date(value)) {
        TypeKind::Date
    } else if all(&|value| {
        value.len() >= 19 && is_date(value) && value.as_bytes()[10] == b' ' && value.len() <= 29
    }) {
        TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }
    } else {
        TypeKind::STRING
    }
}

fn is_date(value: &str) -> bool {
    let shape =
        |(byte, sign): (u8, u8)| if sign == b'0' { byte.is_ascii_digit() } else { byte == sign };
    value.len() >= 10 && value.bytes().zip(*b"0000-00-00").all(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(lines: &[&str]) -> Option<(Vec<String>, Option<String>)> {
        let records: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        let found = describe(&records)?;
        let types = found.columns.iter().map(|column| column.ty.to_string()).collect();
        Some((types, found.options.get("csv.field-delimiter").cloned()))
    }

    #[test]
    fn columns_by_their_values() {
        let (types, delimiter) = columns(&[
            "1,2.5,\"a,b\",true,2026-01-01,2026-01-01 00:00:00.5,",
            "-2,3,\"c\"\"d\",FALSE,2026-01-02,2026-01-01 00:00:00,",
        ])
        .unwrap();
        let expected = ["BIGINT", "DOUBLE", "STRING", "BOOLEAN", "DATE", "TIMESTAMP(3)", "STRING"];
        assert_eq!(types, expected);
        assert_eq!(delimiter, None);
        let (types, delimiter) = columns(&["a;1", "b;x"]).unwrap();
        assert_eq!(types, ["STRING", "STRING"]);
        assert_eq!(delimiter.as_deref(), Some(";"));
    }

    #[test]
    fn what_has_no_shape_is_no_csv() {
        assert_eq!(columns(&["a,b", "a,b,c"]), None);
        assert_eq!(columns(&["just text"]), None);
        assert_eq!(columns(&[]), None);
        assert!(describe(&[vec![0xff, b',', 1]]).is_none());
    }
}
