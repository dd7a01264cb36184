//! Attributes of meta-models, and whether a value fits one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bounds::Bounds;
use crate::child_name::{ChildName, Collection, check_sql_id};
use crate::name::ResourceName;

/// An attribute of a meta-model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its id within the model: letters, digits and `_`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// What its values mean.
    pub help: String,
    /// Whether there must be a value.
    pub required: bool,
    /// What its values are.
    pub ty: AttributeType,
}

/// What values of an attribute are. They are kept as texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AttributeType {
    /// Any text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// One of these.
    Enum(Vec<String>),
    /// The name of business data, of this model if one is named.
    Reference(Option<ChildName>),
}

/// A place that a mistake is in, and what is to be done.
pub(super) type Violation = (String, String);

impl Attribute {
    /// What is wrong with it, whatever else there is.
    pub(super) fn check(&self, place: &str, found: &mut Vec<Violation>) {
        let mut wrong = |field: &str, why: String| found.push((format!("{place}.{field}"), why));
        if let Err(error) = check_sql_id("attribute", &self.id) {
            wrong("id", error.message().to_owned());
        }
        for (field, text, most) in [
            ("title", &self.title, Bounds::TITLE_BYTES),
            ("help", &self.help, Bounds::DESCRIPTION_BYTES),
        ] {
            if text.len() > most {
                wrong(field, format!("it has {} bytes, more than {most}", text.len()));
            }
        }
        let AttributeType::Enum(choices) = &self.ty else { return };
        if choices.is_empty() || choices.len() > Bounds::CHOICES {
            let most = Bounds::CHOICES;
            wrong("choices", format!("name 1 to {most} choices, not {}", choices.len()));
        }
        let mut seen = BTreeSet::new();
        for choice in choices {
            if choice.trim().is_empty() || choice.len() > Bounds::LABEL_BYTES {
                wrong("choices", format!("a choice has 1 to {} bytes", Bounds::LABEL_BYTES));
            } else if !seen.insert(choice) {
                wrong("choices", format!("'{choice}' is there twice"));
            }
        }
    }

    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        let choices = match &self.ty {
            AttributeType::Enum(choices) => choices.iter().map(String::len).sum(),
            _ => 0,
        };
        self.id.len() + self.title.len() + self.help.len() + choices
    }
}

impl AttributeType {
    /// As it is written, such as `text`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Enum(_) => "enum",
            Self::Reference(_) => "reference",
        }
    }

    /// Refuses a value, with what it should be. Whether what a reference names is there is not looked at.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        if value.len() > Bounds::VALUE_BYTES {
            return Err(format!("it has {} bytes, more than {}", value.len(), Bounds::VALUE_BYTES));
        }
        let shown: String = value.chars().take(60).collect();
        let fits = match self {
            Self::Text => true,
            Self::Integer => value.parse::<i64>().is_ok(),
            Self::Number => is_number(value),
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Date => is_date(value),
            Self::Enum(choices) => {
                return match choices.iter().any(|choice| choice == value) {
                    true => Ok(()),
                    false => Err(format!("'{shown}' is none of its choices: {}", listed(choices))),
                };
            }
            Self::Reference(_) => referenced(value).is_some(),
        };
        let wanted = match self {
            Self::Integer => "a whole number",
            Self::Number => "a number such as -1.5",
            Self::Boolean => "true or false",
            Self::Date => "a day such as 2026-01-31",
            _ => "the full name of business data, such as tenants/t/businessData/customer",
        };
        if fits { Ok(()) } else { Err(format!("'{shown}' is not {wanted}")) }
    }
}

/// Some words of a list.
fn listed(words: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<&str> = words.iter().take(SHOWN).map(String::as_str).collect();
    let more = if words.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The business data that a text names.
pub(super) fn referenced(value: &str) -> Option<ChildName> {
    match value.parse() {
        Ok(ResourceName::Child(name)) if name.collection() == Collection::BusinessData => {
            Some(name)
        }
        _ => None,
    }
}

/// Whether it is a decimal number: no words, no infinity.
pub(crate) fn is_number(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    text.chars().all(plain) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether it is a day of the calendar, `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let number = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten()
    };
    let parts = (text.get(..4), text.get(5..7), text.get(8..));
    let (Some(year), Some(month), Some(day)) = parts else { return false };
    let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    year >= 1 && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_the_type_of_their_attribute() {
        let choices = || AttributeType::Enum(vec!["low".to_owned(), "high".to_owned()]);
        for (ty, good, bad) in [
            (AttributeType::Integer, &["-1", "9223372036854775807"][..], &["", "1.0", "x"][..]),
            (AttributeType::Number, &["-1.5", "1e3", "7"], &["", "NaN", "inf", "infinity", "1,5"]),
            (AttributeType::Boolean, &["true", "false"], &["TRUE", "1", ""]),
            (
                AttributeType::Date,
                &["2024-02-29", "0001-12-31"],
                &["2023-02-29", "2024-13-01", "2024-1-1", "0000-01-01", "2024-01-0é"],
            ),
            (choices(), &["low"], &["LOW", ""]),
            (
                AttributeType::Reference(None),
                &["tenants/t/businessData/a", "projects/p/businessData/a"],
                &["a", "tenants/t/users/a"],
            ),
        ] {
            for value in good {
                assert_eq!(ty.check(value), Ok(()), "{ty:?}");
            }
            for value in bad {
                assert!(ty.check(value).is_err(), "{ty:?}: {value}");
            }
        }
        assert!(AttributeType::Text.check(&"x".repeat(Bounds::VALUE_BYTES + 1)).is_err());
        assert!(choices().check("x").unwrap_err().contains("low, high"));
    }
}
