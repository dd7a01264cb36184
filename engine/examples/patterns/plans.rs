//! The patterns that are measured. Rows: key, time, value from 0 to 999, number.

use tidegate_plan::operator::{
    AfterMatch, Calc, MatchRecognize, Operator, PatternAggregate, PatternVariable, RowReference,
};
use tidegate_plan::{
    AggregateCall, AggregateFunction, ChangelogMode, Exchange, Expr, Input, Literal, NamedExpr,
    Node, Scalar, Schema,
};
use tidegate_types::{Field, OperatorId, TimeAttribute, TypeKind};

const WIDTH: usize = 4;
const VALUE: usize = 2;
const ID: usize = 3;

/// What a pattern looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// No pattern: `WHERE v > 998 AND v < 500`.
    Filter,
    /// `A B`, where no row is an A.
    Never,
    /// `A B* C` within 10 s, where one row in 100 is an A.
    Rare,
    /// `A B`, where half of the rows are either.
    Pairs,
    /// `A DOWN+ UP`: the next row below, and then above, the one before.
    FallsAndRises,
    /// `A B* C`, where B and C are compared with A, which one row in 50 is.
    FarBack,
    /// `A+ B`, where A is below an average of 300.
    Average,
}

/// Columns of the rows.
pub(crate) fn input() -> Schema {
    let time = TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event);
    vec![
        Field::new("k", TypeKind::BigInt.not_null()),
        Field::new("ts", time.not_null()),
        Field::new("v", TypeKind::BigInt.not_null()),
        Field::new("id", TypeKind::BigInt.not_null()),
    ]
}

fn number(value: i64) -> Expr {
    Expr::Literal(Literal { value: Scalar::Integer(value), ty: TypeKind::BigInt.not_null() })
}

fn compare(name: &str, left: Expr, right: Expr) -> Expr {
    Expr::call(name, vec![left, right], TypeKind::Boolean.nullable())
}

fn column(index: usize) -> Expr {
    Expr::column(index, TypeKind::BigInt.nullable())
}

fn value(name: &str, bound: i64) -> Expr {
    compare(name, column(VALUE), number(bound))
}

/// The filter and its columns.
pub(crate) fn filter() -> (Calc, Schema) {
    let condition = compare("AND", value(">", 998), value("<", 500));
    let columns = input().into_iter().enumerate();
    let projection = columns
        .map(|(index, field)| NamedExpr { name: field.name, expr: Expr::column(index, field.ty) })
        .collect();
    (Calc { filter: Some(condition), projection }, input())
}

/// A pattern with the nodes of its input and itself.
pub(crate) fn pattern(shape: Shape, event: bool) -> (MatchRecognize, Node, Node) {
    let variable = |name: &str, min: u32, max: Option<u32>, condition: Option<Expr>| {
        let greedy = max != Some(min);
        PatternVariable { name: name.to_owned(), min, max, greedy, condition }
    };
    let one = |name: &str, condition| variable(name, 1, Some(1), condition);
    let last = |variable, offset| RowReference { variable, column: VALUE, first: false, offset };
    // What every match gives: the numbers of its first and last rows.
    let row = |first| RowReference { variable: None, column: ID, first, offset: 0 };
    let mut references = vec![row(true), row(false)];
    let mut aggregates = Vec::new();
    let own = |index: usize| column(WIDTH + index);
    let mut within_ms = None;
    let variables = match shape {
        Shape::Filter | Shape::Never => {
            let never = compare("AND", value(">", 998), value("<", 500));
            vec![one("A", Some(never)), one("B", None)]
        }
        Shape::Rare => {
            within_ms = Some(10_000);
            vec![
                one("A", Some(value("<", 10))),
                variable("B", 0, None, Some(value("<", 900))),
                one("C", Some(value(">", 990))),
            ]
        }
        Shape::Pairs => vec![one("A", Some(value("<", 500))), one("B", Some(value(">=", 500)))],
        Shape::FallsAndRises => {
            references.extend([last(None, 1)]);
            vec![
                one("A", None),
                variable("DOWN", 1, None, Some(compare("<", column(VALUE), own(2)))),
                one("UP", Some(compare(">", column(VALUE), own(2)))),
            ]
        }
        Shape::FarBack => {
            references.push(last(Some(0), 0));
            let below = compare(
                "<",
                column(VALUE),
                Expr::call("+", vec![own(2), number(900)], TypeKind::BigInt.nullable()),
            );
            let above = compare(
                ">",
                column(VALUE),
                Expr::call("+", vec![own(2), number(980)], TypeKind::BigInt.nullable()),
            );
            vec![
                one("A", Some(value("<", 20))),
                variable("B", 0, None, Some(below)),
                one("C", Some(above)),
            ]
        }
        Shape::Average => {
            let call = AggregateCall {
                function: AggregateFunction::Avg,
                argument: Some(VALUE),
                parameters: Vec::new(),
                distinct: false,
                filter: None,
                name: "average".to_owned(),
                ty: TypeKind::BigInt.nullable(),
            };
            aggregates.push(PatternAggregate { variable: Some(0), call });
            let average = compare("<", own(2), number(300));
            vec![variable("A", 1, None, Some(average)), one("B", None)]
        }
    };
    let named = |name: &str, index| NamedExpr { name: name.to_owned(), expr: own(index) };
    let plan = MatchRecognize {
        keys: vec![0],
        time: event.then_some(1),
        order: Vec::new(),
        variables,
        references,
        computed: Vec::new(),
        aggregates,
        measures: vec![named("first", 0), named("last", 1)],
        skip: AfterMatch::PastLastRow,
        within_ms,
    };
    let output = vec![
        Field::new("k", TypeKind::BigInt.not_null()),
        Field::new("first", TypeKind::BigInt.nullable()),
        Field::new("last", TypeKind::BigInt.nullable()),
    ];
    let below = node(Operator::Union, input());
    let own = node(Operator::MatchRecognize(plan.clone()), output);
    (plan, below, own)
}

fn node(operator: Operator, schema: Schema) -> Node {
    Node {
        id: OperatorId(1),
        name: operator.kind().to_owned(),
        operator,
        inputs: vec![Input { node: 0, exchange: Exchange::Hash { keys: vec![0] } }],
        schema,
        changelog: ChangelogMode::APPEND,
        upsert_key: None,
        state_ttl_ms: Vec::new(),
        parallelism: None,
    }
}
