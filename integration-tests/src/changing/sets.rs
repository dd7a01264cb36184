//! UNION, INTERSECT, EXCEPT; VALUES; UNNEST.

use super::relation::{Both, Field, Maker, Relation, Select};
use crate::value::ColumnType;

impl Maker<'_> {
    /// A set operation over columns that both sides have.
    pub(super) fn set(&mut self, left: &Relation, right: &Relation) -> Option<Relation> {
        let mut pairs: Vec<(Field, Field)> = Vec::new();
        for _ in 0..=self.prng.below(3) {
            // The oracle fails over rows that are numbered by the same column twice.
            let other = |(l, r): &(Field, Field)| {
                pairs.iter().all(|(left, right)| left.name != l.name && right.name != r.name)
            };
            let pair = self.pair(left, right).filter(other);
            pairs.extend(pair);
        }
        if pairs.is_empty() {
            return None;
        }
        let fields: Vec<Field> = pairs
            .iter()
            .map(|(l, r)| Field { name: self.name(), ty: l.ty, exact: l.exact && r.exact })
            .collect();
        let list = |alias: &str, side: &dyn Fn(&(Field, Field)) -> String| {
            let columns = pairs.iter().zip(&fields);
            let columns: Vec<String> = columns
                .map(|(pair, field)| format!("{alias}.{} AS {}", side(pair), field.name))
                .collect();
            columns.join(", ")
        };
        let left_list = list("l", &|pair| pair.0.name.clone());
        let right_list = list("r", &|pair| pair.1.name.clone());
        let l = left.item("l").map(|item| format!("SELECT {left_list} FROM {item}"));
        let r = right.item("r").map(|item| format!("SELECT {right_list} FROM {item}"));
        let (word, name) = *self.prng.pick(&[
            ("UNION ALL", "UNION ALL"),
            ("UNION", "UNION"),
            ("INTERSECT", "INTERSECT"),
            ("INTERSECT ALL", "INTERSECT ALL"),
            ("EXCEPT", "EXCEPT"),
            ("EXCEPT ALL", "EXCEPT ALL"),
        ]);
        let oracle = match word {
            "UNION ALL" | "UNION" => format!("{} {word} {}", l.oracle, r.oracle),
            _ => counted(&fields, word, &l.oracle, &r.oracle),
        };
        let append = left.append && right.append && word == "UNION ALL";
        Some(Relation {
            flink: format!("{} {word} {}", l.flink, r.flink),
            oracle,
            fields,
            append,
            time: None,
            rows: left.rows + right.rows,
            key: None,
            unique: None,
            made_of: left.with(name, Some(right)),
        })
    }

    /// A join with a list of values.
    pub(super) fn values(&mut self, input: &Relation) -> Relation {
        let mut select = Select::default();
        self.keep_most(&mut select, "a", input);
        let number = self.pick(input, |field| {
            matches!(field.ty, ColumnType::Int | ColumnType::BigInt) && field.exact
        });
        let count = self.prng.between(1, 4);
        let list: Vec<String> =
            (0..count).map(|n| format!("({}, {n})", self.prng.between(-3, 6))).collect();
        let on = match number {
            Some(field) => format!("a.{} = x.n", field.name),
            None => "x.m < 2".to_owned(),
        };
        self.add(&mut select, &Both::same("x.m"), ColumnType::Int, true);
        let kind = *self.prng.pick(&["JOIN", "LEFT JOIN"]);
        let list = list.join(", ");
        let rest = input
            .item("a")
            .map(|item| format!("FROM {item} {kind} (VALUES {list}) AS x(n, m) ON {on}"));
        let made_of = input.with("VALUES", None);
        self.made(select, &rest, false, input.rows * 4, made_of)
    }

    /// Elements of arrays that are made of columns, or of an aggregate.
    pub(super) fn unnest(&mut self, input: &Relation) -> Relation {
        let Some(field) = self.pick(input, |field| field.ty != ColumnType::Timestamp) else {
            return self.calc(input);
        };
        let of_array = input.fields.iter().find(|other| other.ty == field.ty).cloned();
        let other = of_array.unwrap_or_else(|| field.clone());
        let element = self.name();
        let (mut select, kept) = (Select::default(), self.keys(input, 2));
        let mut list: Vec<String> = Vec::new();
        for key in &kept {
            let name = self.keep(&mut select, "a", key);
            list.push(format!("a.{} AS {name}", key.name));
        }
        let exact = field.exact && other.exact;
        select.fields.push(Field { name: element.clone(), ty: field.ty, exact });
        let start: String = list.iter().map(|column| format!("{column}, ")).collect();
        let keys: Vec<String> = kept.iter().map(|key| format!("a.{}", key.name)).collect();
        let item = input.item("a");
        if self.prng.chance(50) {
            let flink = format!(
                "SELECT {start}u.e AS {element} FROM {} CROSS JOIN UNNEST(ARRAY[a.{}, a.{}]) AS u(e)",
                item.flink, field.name, other.name
            );
            let one =
                |name: &str| format!("SELECT {start}a.{name} AS {element} FROM {}", item.oracle);
            let oracle = format!("{} UNION ALL {}", one(&field.name), one(&other.name));
            let made_of = input.with("UNNEST", None);
            let made = self.made(select, &Both::same(""), input.append, input.rows * 2, made_of);
            return Relation { flink, oracle, ..made };
        }
        let grouped: String = match keys.is_empty() {
            true => String::new(),
            false => format!(" GROUP BY {}", keys.join(", ")),
        };
        let (inner, outer): (Vec<String>, Vec<String>) = select.fields[..kept.len()]
            .iter()
            .zip(&kept)
            .map(|(new, old)| {
                (format!("a.{} AS {}, ", old.name, new.name), format!("g.{}, ", new.name))
            })
            .unzip();
        let flink = format!(
            "SELECT {}u.e AS {element} FROM (SELECT {}ARRAY_AGG(a.{}) AS ar FROM {}{grouped}) AS g CROSS JOIN UNNEST(g.ar) AS u(e)",
            outer.concat(),
            inner.concat(),
            field.name,
            item.flink
        );
        let oracle = format!("SELECT {start}a.{} AS {element} FROM {}", field.name, item.oracle);
        let made_of = input.with("UNNEST of ARRAY_AGG", None);
        let made = self.made(select, &Both::same(""), false, input.rows, made_of);
        Relation { flink, oracle, ..made }
    }
}

/// INTERSECT and EXCEPT [ALL] by counting: the n-th of equal rows of one side meets the n-th of the other.
fn counted(fields: &[Field], word: &str, left: &str, right: &str) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let all = names.join(", ");
    let numbered = |rows: &str| {
        format!(
            "SELECT *, ROW_NUMBER() OVER (PARTITION BY {all} ORDER BY 1) AS nth FROM ({rows}) AS s"
        )
    };
    let (left, right) = match word.ends_with("ALL") {
        true => (numbered(left), numbered(right)),
        false => {
            let distinct =
                |rows: &str| format!("SELECT DISTINCT {all}, 1 AS nth FROM ({rows}) AS s");
            (distinct(left), distinct(right))
        }
    };
    let kind = if word.starts_with("INTERSECT") { "SEMI" } else { "ANTI" };
    let on = names.iter().map(|name| format!("(p.{name} IS NOT DISTINCT FROM q.{name})"));
    let on = on.collect::<Vec<_>>().join(" AND ");
    let columns =
        names.iter().map(|name| format!("p.{name} AS {name}")).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {columns} FROM ({left}) AS p LEFT {kind} JOIN ({right}) AS q ON {on} AND p.nth = q.nth"
    )
}
