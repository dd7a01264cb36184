//! What a rule can demand, and whether a table's columns can have it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bounds::{Bounds, cut_to};
use crate::metadata::{is_date, is_number};
use crate::table::TableDefinition;

/// What rows must be like. Values are kept as texts; NULL is checked by [`RuleCheck::NotNull`] alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleCheck {
    /// None of these columns is NULL.
    NotNull {
        /// The columns.
        columns: Vec<String>,
    },
    /// No two rows have the same values in all of these columns.
    Unique {
        /// The columns.
        columns: Vec<String>,
    },
    /// Values of a column of numbers or moments are not less than one and not greater than another, as far as these are
    /// given.
    InRange {
        /// The column.
        column: String,
        /// The least value.
        min: Option<String>,
        /// The greatest value.
        max: Option<String>,
    },
    /// Texts of a column match an expression from beginning to end. That it is one is for who proposes it to see.
    Matches {
        /// The column.
        column: String,
        /// The regular expression.
        pattern: String,
    },
    /// Values of a column are among these.
    AcceptedValues {
        /// The column.
        column: String,
        /// The values.
        values: Vec<String>,
    },
    /// There are not fewer and not more rows than this, as far as these are given.
    RowCount {
        /// The fewest.
        min: Option<u64>,
        /// The most.
        max: Option<u64>,
        /// Within this time, in milliseconds; 0: in all of the table.
        window_ms: i64,
    },
    /// The latest moment in a column is not longer ago than this.
    Freshness {
        /// The column.
        column: String,
        /// In milliseconds.
        max_age_ms: i64,
    },
}

/// Bytes of what a summary says of columns and values.
const SUMMARY: usize = 500;

/// What is wrong, below `quality_rule.`.
pub(super) type Violation = (&'static str, String);

/// What values of a column are, as far as rules tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    Number,
    Text,
    Boolean,
    Date,
    Time,
    Timestamp,
    Other,
    /// Of a computed column: only the planner knows.
    Unknown,
}

impl RuleCheck {
    /// As it is written, such as `not_null`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotNull { .. } => "not_null",
            Self::Unique { .. } => "unique",
            Self::InRange { .. } => "in_range",
            Self::Matches { .. } => "matches",
            Self::AcceptedValues { .. } => "accepted_values",
            Self::RowCount { .. } => "row_count",
            Self::Freshness { .. } => "freshness",
        }
    }

    /// What it demands, in words, such as `in_range(amount, min 0)`.
    pub fn summary(&self) -> String {
        let bound = |what: &str, value: Option<String>| {
            value.map(|value| format!(", {what} {value}")).unwrap_or_default()
        };
        let more = match self {
            Self::NotNull { .. } | Self::Unique { .. } => String::new(),
            Self::InRange { min, max, .. } => {
                bound("min", min.clone()) + &bound("max", max.clone())
            }
            Self::Matches { pattern, .. } => format!(", '{pattern}'"),
            Self::AcceptedValues { values, .. } => format!(", {}", values.join(" | ")),
            Self::RowCount { min, max, window_ms } => {
                let of = |rows: &Option<u64>| rows.map(|rows| rows.to_string());
                let within = Some(window_ms).filter(|window| **window > 0);
                let within = bound("window_ms", within.map(ToString::to_string));
                bound("min", of(min)) + &bound("max", of(max)) + &within
            }
            Self::Freshness { max_age_ms, .. } => format!(", max_age_ms {max_age_ms}"),
        };
        let words = self.columns().join(", ") + &more;
        format!("{}({})", self.as_str(), cut_to(words.trim_start_matches(", ").to_owned(), SUMMARY))
    }

    /// Names of columns that it is about.
    pub fn columns(&self) -> &[String] {
        match self {
            Self::NotNull { columns } | Self::Unique { columns } => columns,
            Self::InRange { column, .. }
            | Self::Matches { column, .. }
            | Self::AcceptedValues { column, .. }
            | Self::Freshness { column, .. } => std::slice::from_ref(column),
            Self::RowCount { .. } => &[],
        }
    }

    /// What of it a table of this definition cannot have.
    pub(super) fn violations(&self, table: &TableDefinition) -> Vec<Violation> {
        let mut found = Vec::new();
        let field = match self {
            Self::NotNull { .. } => "check.not_null.columns",
            Self::Unique { .. } => "check.unique.columns",
            Self::InRange { .. } => "check.in_range.column",
            Self::Matches { .. } => "check.matches.column",
            Self::AcceptedValues { .. } => "check.accepted_values.column",
            Self::Freshness { .. } => "check.freshness.column",
            Self::RowCount { .. } => "check.row_count",
        };
        let mut wrong = |field: &'static str, why: String| found.push((field, why));
        let names: BTreeSet<&str> = self.columns().iter().map(String::as_str).collect();
        for name in &names {
            if !table.columns.iter().any(|column| column.name == *name) {
                let shown: String = name.chars().take(60).collect();
                wrong(field, format!("the table has no column '{shown}'"));
            }
        }
        if names.len() != self.columns().len() {
            wrong(field, "a column is named twice".to_owned());
        }
        let values = |name: &String| {
            let column = table.columns.iter().find(|column| column.name == *name);
            column.map_or(Values::Unknown, |column| Values::of(&column.ty))
        };
        let typed = |name: &String, wanted: &[Values], what: &str| {
            let of = values(name);
            let fits = of == Values::Unknown || wanted.contains(&of);
            (!fits).then(|| format!("column {name} has no {what}"))
        };
        let moments = [Values::Date, Values::Timestamp];
        match self {
            Self::NotNull { columns } | Self::Unique { columns } => {
                let most = Bounds::RULE_COLUMNS;
                if columns.is_empty() || columns.len() > most {
                    wrong(field, format!("name 1 to {most} columns, not {}", columns.len()));
                }
            }
            Self::InRange { column, min, max } => {
                let ordered = [Values::Number, Values::Date, Values::Time, Values::Timestamp];
                let why = typed(column, &ordered, "numbers or moments");
                why.into_iter().for_each(|why| wrong(field, why));
                in_range(values(column), min.as_deref(), max.as_deref(), &mut wrong);
            }
            Self::Matches { column, pattern } => {
                let why = typed(column, &[Values::Text], "texts");
                why.into_iter().for_each(|why| wrong(field, why));
                if pattern.is_empty() || pattern.len() > Bounds::PATTERN_BYTES {
                    let most = Bounds::PATTERN_BYTES;
                    wrong("check.matches.pattern", format!("an expression has 1 to {most} bytes"));
                }
            }
            Self::AcceptedValues { column, values: accepted } => {
                let field = "check.accepted_values.values";
                let (most, bytes) = (Bounds::RULE_VALUES, Bounds::LABEL_BYTES);
                if accepted.is_empty() || accepted.len() > most {
                    wrong(field, format!("name 1 to {most} values, not {}", accepted.len()));
                }
                let of = values(column);
                for value in accepted.iter().take(most) {
                    if value.len() > bytes {
                        wrong(field, format!("a value has at most {bytes} bytes"));
                    } else if let Some(why) = of.misfit(value) {
                        wrong(field, why);
                    }
                }
            }
            Self::RowCount { min, max, window_ms } => {
                if min.is_none() && max.is_none() {
                    wrong(field, "say how many rows: min, max or both".to_owned());
                }
                if let (Some(min), Some(max)) = (min, max)
                    && min > max
                {
                    wrong("check.row_count.min", format!("{min} is more than {max}"));
                }
                if !(0..=Bounds::RULE_AGE_MS).contains(window_ms) {
                    let most = Bounds::RULE_AGE_MS;
                    wrong("check.row_count.window_ms", format!("it is 0 to {most} milliseconds"));
                }
            }
            Self::Freshness { column, max_age_ms } => {
                let why = typed(column, &moments, "moments");
                why.into_iter().for_each(|why| wrong(field, why));
                if !(1..=Bounds::RULE_AGE_MS).contains(max_age_ms) {
                    let most = Bounds::RULE_AGE_MS;
                    wrong("check.freshness.max_age_ms", format!("it is 1 to {most} milliseconds"));
                }
            }
        }
        found.truncate(Bounds::VIOLATIONS);
        found
    }
}

/// What is wrong with the ends of a range.
fn in_range(
    of: Values,
    min: Option<&str>,
    max: Option<&str>,
    wrong: &mut impl FnMut(&'static str, String),
) {
    const MIN: &str = "check.in_range.min";
    if min.is_none() && max.is_none() {
        wrong("check.in_range", "say what is the least or the greatest value, or both".to_owned());
    }
    let mut fits = true;
    for (field, value) in [(MIN, min), ("check.in_range.max", max)] {
        if let Some(why) = value.and_then(|value| of.misfit(value)) {
            fits = false;
            wrong(field, why);
        }
    }
    let (Some(min), Some(max)) = (min, max) else { return };
    let number = |text: &str| text.parse::<f64>().ok();
    let swapped = match (number(min), number(max)) {
        (Some(low), Some(high)) => low > high,
        // Moments of one form are in the order of their texts.
        _ => of != Values::Number && min > max,
    };
    if fits && swapped {
        wrong(MIN, format!("{min} is more than {max}"));
    }
}

impl Values {
    /// Of a type of Flink SQL.
    fn of(ty: &str) -> Self {
        let word = ty.trim_start().split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        match word.into_iter().next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "" => Self::Unknown,
            "TINYINT" | "SMALLINT" | "INT" | "INTEGER" | "BIGINT" | "FLOAT" | "DOUBLE"
            | "DECIMAL" | "DEC" | "NUMERIC" => Self::Number,
            "CHAR" | "VARCHAR" | "STRING" => Self::Text,
            "BOOLEAN" => Self::Boolean,
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "TIMESTAMP" | "TIMESTAMP_LTZ" => Self::Timestamp,
            _ => Self::Other,
        }
    }

    /// Why a text is no value of it; none if it is one, or nobody knows.
    fn misfit(self, text: &str) -> Option<String> {
        let (fits, example) = match self {
            Self::Number => (is_number(text), "a number such as -1.5"),
            Self::Boolean => (matches!(text, "true" | "false"), "true or false"),
            Self::Date => (is_date(text), "a day such as 2026-01-31"),
            Self::Time => (is_time(text), "a time such as 23:59:59"),
            Self::Timestamp => (is_timestamp(text), "a moment such as 2026-01-31 23:59:59"),
            Self::Other => (false, "a value that can be compared with the column's"),
            Self::Text | Self::Unknown => return None,
        };
        let shown: String = text.chars().take(60).collect();
        (!fits).then(|| format!("'{shown}' is not {example}"))
    }
}

/// `HH:MM:SS`, with up to nine more digits.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = whole.split(':').collect();
    let below = |part: &str, most: u32| {
        part.len() == 2 && digits(part) && part.parse::<u32>().is_ok_and(|number| number < most)
    };
    let in_day = match parts.as_slice() {
        [hours, minutes, seconds] => below(hours, 24) && below(minutes, 60) && below(seconds, 60),
        _ => false,
    };
    in_day && digits(fraction) && fraction.len() <= 9
}

/// `YYYY-MM-DD HH:MM:SS`, with up to nine more digits.
fn is_timestamp(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(day, time)| is_date(day) && is_time(time))
}
