//! The parts in which a table is read: `scan.partition.*`.

use tidegate_connector_spec::Options;
use tidegate_types::{Error, ErrorCode, Result};

use super::address::Address;
use super::name;

/// The one part of a table that is not divided.
const WHOLE: &str = "table";

/// Ranges of a column, or the whole table.
pub(super) struct Parts {
    column: String,
    /// First and last value of each range; none for the whole table.
    ranges: Vec<(i64, i64)>,
}

impl Parts {
    /// From a table's options, which were validated: all four or none.
    ///
    /// # Errors
    /// `INVALID_OPTION` for values that are no numbers.
    pub(super) fn new(options: &Options) -> Result<Self> {
        let column = options.text("scan.partition.column").unwrap_or_default().to_owned();
        let number = |key| options.integer(key);
        let (Some(count), Some(from), Some(to)) = (
            number("scan.partition.num")?,
            number("scan.partition.lower-bound")?,
            number("scan.partition.upper-bound")?,
        ) else {
            return Ok(Self { column, ranges: Vec::new() });
        };
        Ok(Self { column, ranges: ranges(from, to, count) })
    }

    /// Names of the parts, which say all about them.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> {
        let whole = self.ranges.is_empty().then(|| WHOLE.to_owned());
        whole.into_iter().chain(self.ranges.iter().map(|(from, to)| format!("{from}..{to}")))
    }

    /// ` WHERE` a row is in a part.
    ///
    /// # Errors
    /// `CORRUPT` for what is no name of a part.
    pub(super) fn condition(&self, address: &Address, id: &str) -> Result<String> {
        if id == WHOLE {
            return Ok(String::new());
        }
        let range = id
            .split_once("..")
            .and_then(|(from, to)| Some((from.parse::<i64>().ok()?, to.parse::<i64>().ok()?)));
        let Some((from, to)) = range else {
            let message = format!("'{id}' is no part of a table of jdbc");
            return Err(Error::new(ErrorCode::Corrupt, message));
        };
        let column = name::column(&self.column, address.product);
        Ok(format!(" WHERE {column} BETWEEN {from} AND {to}"))
    }
}

/// At most `count` ranges that hold `from..=to` together, the longer ones first, as Flink divides them.
fn ranges(from: i64, to: i64, count: i64) -> Vec<(i64, i64)> {
    let (from, to) = (i128::from(from), i128::from(to));
    let values = to - from + 1;
    let count = i128::from(count).min(values).max(1);
    let (length, longer) = (values / count, values % count);
    let mut next = from;
    let range = |index: i128| {
        let first = next;
        next += length + i128::from(index < longer);
        (i64::try_from(first).ok()?, i64::try_from(next - 1).ok()?).into()
    };
    (0..count).map_while(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_long_as_each_other_but_for_one() {
        assert_eq!(ranges(1, 10, 3), [(1, 4), (5, 7), (8, 10)]);
        assert_eq!(ranges(-5, -4, 9), [(-5, -5), (-4, -4)]);
        assert_eq!(ranges(7, 7, 1), [(7, 7)]);
        assert_eq!(ranges(i64::MIN, i64::MAX, 2), [(i64::MIN, -1), (0, i64::MAX)]);
    }
}
