//! Aggregate calls in both dialects. AVG is asked of the oracle as sum and count and divided here by
//! Flink's rules, because DataFusion's has other types.

use anyhow::{Context, Result};

use super::table::{Column, Table};
use crate::prng::Prng;
use crate::value::{ColumnType, decimal};

/// An aggregate call.
#[derive(Debug, Clone)]
pub struct Aggregate {
    function: &'static str,
    argument: Option<Column>,
    distinct: bool,
    filter: Option<String>,
}

/// How a column of the result comes from the oracle's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// As it is.
    Plain,
    /// Milliseconds that stand for a timestamp.
    Millis,
    /// Sum and count of values of this type.
    Average(ColumnType),
}

impl Aggregate {
    /// A random call over a table's columns.
    pub fn random(table: &Table, prng: &mut Prng) -> Self {
        let numeric: Vec<&Column> =
            table.values.iter().filter(|column| column.ty.is_numeric()).collect();
        let any: Vec<&Column> = table.keys.iter().chain(&table.values).collect();
        let (function, argument) = match prng.below(7) {
            0 => ("COUNT", None),
            1 => ("COUNT", Some(*prng.pick(&any))),
            2 => ("SUM", Some(*prng.pick(&numeric))),
            3 => ("AVG", Some(*prng.pick(&numeric))),
            4 => ("MIN", Some(*prng.pick(&any))),
            _ => ("MAX", Some(*prng.pick(&any))),
        };
        let distinct = argument.is_some() && prng.chance(25);
        let filter = prng.chance(20).then(|| predicate(table, prng));
        Self { function, argument: argument.cloned(), distinct, filter }
    }

    /// `COUNT(*)`.
    pub fn count() -> Self {
        Self { function: "COUNT", argument: None, distinct: false, filter: None }
    }

    /// `SUM(column)`.
    pub fn sum(column: &Column) -> Self {
        Self { function: "SUM", argument: Some(column.clone()), distinct: false, filter: None }
    }

    /// The type of the result by Flink's rules.
    pub fn ty(&self) -> ColumnType {
        let argument = self.argument.as_ref().map_or(ColumnType::BigInt, |column| column.ty);
        match (self.function, argument) {
            ("COUNT", _) => ColumnType::BigInt,
            ("SUM", ColumnType::Decimal(_, scale)) => ColumnType::Decimal(38, scale),
            ("AVG", ColumnType::Decimal(_, scale)) => ColumnType::Decimal(38, scale.max(6)),
            (_, ty) => ty,
        }
    }

    /// The call in Flink's SQL.
    pub fn flink(&self) -> String {
        self.call(self.function)
    }

    /// The call or calls in the oracle's SQL.
    pub fn oracle(&self) -> Vec<String> {
        match self.function {
            "AVG" => vec![self.call("SUM"), self.call("COUNT")],
            function => vec![self.call(function)],
        }
    }

    /// What to make of the oracle's columns.
    pub fn answer(&self) -> Answer {
        match (self.function, &self.argument) {
            ("AVG", Some(column)) => Answer::Average(column.ty),
            _ => Answer::Plain,
        }
    }

    fn call(&self, function: &str) -> String {
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let argument = self.argument.as_ref().map_or("*", |column| &column.name);
        let filter = self
            .filter
            .as_ref()
            .map(|filter| format!(" FILTER (WHERE {filter})"))
            .unwrap_or_default();
        format!("{function}({distinct}{argument}){filter}")
    }
}

/// A condition on a row that means the same in both dialects.
pub fn predicate(table: &Table, prng: &mut Prng) -> String {
    match prng.below(4) {
        0 => format!("id % 3 <> {}", prng.below(3)),
        1 => format!("{} IS NOT NULL", table.values[prng.below(table.values.len())].name),
        2 => format!("{} IS NULL", table.keys[prng.below(table.keys.len())].name),
        _ => format!("{} > {}", table.values[0].name, prng.between(-20, 20)),
    }
}

/// Flink's average: integers are cut towards zero, decimals get at least 6 digits, rounded half up.
///
/// # Errors
/// If sum or count are no such numbers.
pub fn average(ty: ColumnType, sum: Option<&str>, count: Option<&str>) -> Result<Option<String>> {
    let (Some(sum), Some(count)) = (sum, count) else {
        return Ok(None);
    };
    let count: i128 = count.parse()?;
    if count == 0 {
        return Ok(None);
    }
    Ok(Some(match ty {
        ColumnType::Double => format!("{:?}", sum.parse::<f64>()? / count as f64),
        ColumnType::Decimal(_, scale) => {
            let target = scale.max(6);
            let digits = sum.replace('.', "");
            let unscaled: i128 = digits.parse().with_context(|| format!("sum '{sum}'"))?;
            let dividend = unscaled * 10_i128.pow((target - scale) as u32);
            let rounded = (2 * dividend.abs() + count) / (2 * count) * dividend.signum();
            decimal(rounded, target as u32)
        }
        _ => (sum.parse::<i128>()? / count).to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_rounded_as_flink_does() {
        let average =
            |ty, sum: &str, count: &str| average(ty, Some(sum), Some(count)).unwrap().unwrap();
        assert_eq!(average(ColumnType::Int, "-7", "2"), "-3");
        assert_eq!(average(ColumnType::Decimal(10, 1), "0.1", "3"), "0.033333");
        assert_eq!(average(ColumnType::Decimal(10, 1), "-0.2", "3"), "-0.066667");
        assert_eq!(average(ColumnType::Double, "1", "4"), "0.25");
        assert_eq!(super::average(ColumnType::Int, None, Some("0")).unwrap(), None);
    }
}
