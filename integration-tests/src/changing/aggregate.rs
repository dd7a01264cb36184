//! GROUP BY in all forms, DISTINCT, and aggregates of aggregates.

use super::relation::{Both, Field, Maker, Relation, Select};
use crate::value::ColumnType;

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Under GROUP BY.
    Group,
    /// In front of OVER.
    Frame,
    /// In a subquery that is a value.
    Value,
}

/// An aggregate call.
pub(super) struct Call {
    /// In Flink's SQL.
    pub(super) flink: String,
    /// For the oracle; of an average sum and count, as its own has another type.
    oracle: Vec<String>,
    pub(super) ty: ColumnType,
    pub(super) exact: bool,
}

impl Call {
    fn plain(text: String, ty: ColumnType, exact: bool) -> Self {
        Self { oracle: vec![text.clone()], flink: text, ty, exact }
    }

    /// In both dialects, each call followed by the text of its dialect.
    pub(super) fn both(&self, more: &Both) -> Both {
        let call = |index: usize| format!("{}{}", self.oracle[index], more.oracle);
        let ty = if self.ty == ColumnType::Double { "DOUBLE" } else { "BIGINT" };
        let oracle = match self.oracle.len() {
            1 => call(0),
            _ => format!("CAST({} AS {ty}) / NULLIF(CAST({} AS {ty}), 0)", call(0), call(1)),
        };
        Both { flink: format!("{}{}", self.flink, more.flink), oracle }
    }
}

impl Maker<'_> {
    /// A random call over columns of an item.
    pub(super) fn call(&mut self, alias: &str, input: &Relation, place: Place) -> Call {
        let filter = match place != Place::Value && self.prng.chance(20) {
            true => format!(" FILTER (WHERE {})", self.predicate(alias, input)),
            false => String::new(),
        };
        let grouped = place == Place::Group;
        if grouped
            && self.prng.chance(12)
            && let Some(call) = self.composed(alias, input, &filter)
        {
            return call;
        }
        let distinct = if grouped && self.prng.chance(25) { "DISTINCT " } else { "" };
        let count = |text: String| Call::plain(text, ColumnType::BigInt, true);
        let any = self.prng.pick(&input.fields).clone();
        let name = format!("{alias}.{}", any.name);
        match self.prng.below(7) {
            0 => return count(format!("COUNT(*){filter}")),
            1 => return count(format!("COUNT({distinct}{name}){filter}")),
            2 => return extreme("MIN", &any, &format!("{name}){filter}")),
            3 => return extreme("MAX", &any, &format!("{name}){filter}")),
            _ => {}
        }
        let Some(field) = self.pick(input, Field::is_summable) else {
            return count(format!("COUNT({distinct}{name}){filter}"));
        };
        let rest = format!("({distinct}{alias}.{}){filter}", field.name);
        let (sum, counted) = (format!("SUM{rest}"), format!("COUNT{rest}"));
        let average = matches!(field.ty, ColumnType::Int | ColumnType::BigInt | ColumnType::Double);
        if average && self.prng.chance(35) {
            let exact = field.ty != ColumnType::Double;
            let flink = format!("AVG{rest}");
            return Call { flink, oracle: vec![sum, counted], ty: field.ty, exact };
        }
        let ty = match field.ty {
            ColumnType::Decimal(_, scale) => ColumnType::Decimal(38, scale),
            ty => ty,
        };
        Call::plain(sum, ty, true)
    }

    /// A call that the oracle puts together of others: a variance, or the length of a list.
    fn composed(&mut self, alias: &str, input: &Relation, filter: &str) -> Option<Call> {
        if self.prng.chance(50) {
            let text = self.pick(input, |field| field.ty == ColumnType::Text)?;
            let name = format!("{alias}.{}", text.name);
            let separator = *self.prng.pick(&[",", "", ", "]);
            let lengths = format!("SUM(CHARACTER_LENGTH({name})){filter}");
            let between = format!("(COUNT({name}){filter} - 1) * {}", separator.len());
            return Some(Call {
                flink: format!("CHAR_LENGTH(LISTAGG({name}, '{separator}'){filter})"),
                oracle: vec![format!("CAST({lengths} + {between} AS INT)")],
                ty: ColumnType::Int,
                exact: true,
            });
        }
        // Keys of this type are too large for the digits of a DOUBLE.
        let small = |field: &Field| field.is_summable() && field.ty != ColumnType::BigInt;
        let field = self.pick(input, small)?;
        let functions = ["VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP"];
        let function = *self.prng.pick(&functions);
        // Only the last digits depend on the order; no value lies between two roundings by this factor.
        let name = format!("CAST({alias}.{} AS DOUBLE)", field.name);
        let text = format!("ROUND({function}({name}){filter} * 0.7310585786300049E0, 3)");
        Some(Call::plain(text, ColumnType::Double, false))
    }

    /// Aggregates by some keys, or of all rows.
    pub(super) fn group(&mut self, input: &Relation, most_keys: usize) -> Relation {
        let keys = self.keys(input, most_keys);
        let mut select = Select::default();
        let key: Vec<String> =
            keys.iter().map(|field| self.keep(&mut select, "a", field)).collect();
        self.calls(&mut select, input);
        let names: Vec<String> = keys.iter().map(|key| format!("a.{}", key.name)).collect();
        let condition = match self.prng.chance(20) {
            true => format!(" WHERE {}", self.predicate("a", input)),
            false => String::new(),
        };
        let by = match names.is_empty() {
            true => String::new(),
            false => format!(" GROUP BY {}", names.join(", ")),
        };
        let mut made_of =
            input.with(if keys.is_empty() { "aggregate of all" } else { "GROUP BY" }, None);
        if input.has("GROUP BY") || input.has("aggregate of all") {
            made_of.push("aggregate of aggregates");
        }
        let mut having = String::new();
        if !keys.is_empty() && self.prng.chance(20) {
            let limit = self.prng.between(1, 3);
            having = format!(" HAVING COUNT(*) > {limit}");
            made_of.push("HAVING");
        }
        let rest = input.item("a").map(|item| format!("FROM {item}{condition}{by}{having}"));
        let rows = input.rows.min(6_usize.pow(keys.len() as u32));
        self.aggregated(input, select, &rest, rows, Some(key), made_of)
    }

    pub(super) fn calls(&mut self, select: &mut Select, input: &Relation) {
        for _ in 0..=self.prng.below(4) {
            let call = self.call("a", input, Place::Group);
            self.add(select, &call.both(&Both::same("")), call.ty, call.exact);
        }
    }

    fn aggregated(
        &mut self,
        input: &Relation,
        select: Select,
        rest: &Both,
        rows: usize,
        key: Option<Vec<String>>,
        made_of: Vec<&'static str>,
    ) -> Relation {
        let rows = rows.min(input.rows.max(1) * 4);
        Relation { key, ..self.made(select, rest, false, rows, made_of) }
    }

    /// GROUPING SETS, ROLLUP and CUBE.
    pub(super) fn grouping_sets(&mut self, input: &Relation) -> Relation {
        let mut keys = self.keys(input, 3);
        if keys.is_empty() {
            keys.extend(self.pick(input, Field::is_key));
        }
        if keys.is_empty() {
            return self.group(input, 1);
        }
        let mut select = Select::default();
        for key in &keys {
            self.keep(&mut select, "a", key);
        }
        let names: Vec<String> = keys.iter().map(|key| format!("a.{}", key.name)).collect();
        let mut bits = Vec::new();
        for name in &names {
            let call = Both {
                flink: format!("GROUPING({name})"),
                oracle: format!("CAST(GROUPING({name}) AS BIGINT)"),
            };
            bits.push(self.add(&mut select, &call, ColumnType::BigInt, true));
        }
        let all = names.join(", ");
        if self.prng.chance(30) {
            let call = Both {
                flink: format!("GROUPING_ID({all})"),
                oracle: format!("CAST(GROUPING({all}) AS BIGINT)"),
            };
            self.add(&mut select, &call, ColumnType::BigInt, true);
        }
        self.calls(&mut select, input);
        let by = match self.prng.below(3) {
            0 => format!("ROLLUP ({all})"),
            1 => format!("CUBE ({all})"),
            _ => {
                let sets = names.iter().take(names.len() - 1).map(|name| format!("({name}), "));
                format!("GROUPING SETS (({all}), {}())", sets.collect::<String>())
            }
        };
        let rest = input.item("a").map(|item| format!("FROM {item} GROUP BY {by}"));
        // The oracle has the row of the empty set even if there is nothing.
        let rest = Both { oracle: format!("{} HAVING COUNT(*) > 0", rest.oracle), ..rest };
        let made_of = input.with("GROUPING SETS", None);
        self.aggregated(input, select, &rest, input.rows * 2, None, made_of)
    }

    /// SELECT DISTINCT.
    pub(super) fn distinct(&mut self, input: &Relation) -> Relation {
        let mut fields = self.keys(input, 3);
        if fields.is_empty() {
            fields.push(input.fields[0].clone());
        }
        let mut select = Select::default();
        let key = fields.iter().map(|field| self.keep(&mut select, "a", field)).collect();
        let rest = input.item("a").map(|item| format!("FROM {item}"));
        let query = select.query(&rest);
        let distinct = |sql: &str| sql.replacen("SELECT", "SELECT DISTINCT", 1);
        let rows = input.rows.min(6_usize.pow(fields.len() as u32));
        let made_of = input.with("SELECT DISTINCT", None);
        let relation = self.aggregated(input, select, &rest, rows, Some(key), made_of);
        Relation { flink: distinct(&query.flink), oracle: distinct(&query.oracle), ..relation }
    }
}

/// A call of an aggregate that takes the smallest or largest value.
fn extreme(function: &str, field: &Field, rest: &str) -> Call {
    Call::plain(format!("{function}({rest}"), field.ty, field.exact)
}
