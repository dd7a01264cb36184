//! Random patterns over random rows, in random batches, with checkpoints, restores and rescaling in between:
//! against an oracle that tries every way to read the rows.

mod oracle;
mod random;
mod state;

use tidegate_plan::operator::{
    AfterMatch, MatchRecognize as Plan, Operator as PlanOperator, PatternAggregate,
    PatternVariable, RowReference,
};
use tidegate_plan::{
    AggregateCall, AggregateFunction as F, ChangelogMode, Expr, Literal, NamedExpr, Node,
    PlanSettings, RowKind, Scalar, Schema,
};
use tidegate_types::{Field, SqlType, TimeAttribute, TypeKind};

use super::MatchRecognize;
use crate::operator::Operator;
use crate::testing::{Replay, Subject, node, schema};

/// What a row must meet to be of a variable.
#[derive(Debug, Clone)]
enum Condition {
    Below(i64),
    Above(i64),
    /// Above `LAST(variable.v, offset)`, of all rows if there is no variable.
    AboveLast(Option<usize>, u64),
    BelowFirst(Option<usize>, u64),
    SumBelow(Option<usize>, i64),
    CountBelow(Option<usize>, i64),
    /// Fails where v is 0: 12 / v > n.
    Quotient(i64),
    Both(Box<Condition>, Box<Condition>),
}

#[derive(Debug, Clone)]
struct Variable {
    min: u32,
    max: Option<u32>,
    greedy: bool,
    condition: Option<Condition>,
}

#[derive(Debug, Clone)]
struct Pattern {
    variables: Vec<Variable>,
    skip: AfterMatch,
    within: Option<i64>,
    /// Whether rows of one time are ordered by v, descending.
    sorted: bool,
    /// Whether rows come in the order of processing time.
    clock: bool,
    /// Whether rows are partitioned by their key.
    keyed: bool,
}

/// A row: key, time in ms, value, number.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    key: Option<i64>,
    time: i64,
    v: Option<i64>,
    id: i64,
}

impl Row {
    fn values(&self) -> (RowKind, Vec<Option<i64>>) {
        (RowKind::Insert, vec![self.key, Some(self.time), self.v, Some(self.id)])
    }
}

/// Key, time, v, id.
fn input() -> Schema {
    schema(&[
        TypeKind::BigInt.nullable(),
        TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event).not_null(),
        TypeKind::BigInt.nullable(),
        TypeKind::BigInt.not_null(),
    ])
}

const WIDTH: usize = 4;
const V: usize = 2;
const ID: usize = 3;

fn bigint() -> SqlType {
    TypeKind::BigInt.nullable()
}

fn call(function: F, argument: Option<usize>) -> AggregateCall {
    AggregateCall {
        function,
        argument,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: function.name().to_owned(),
        ty: bigint(),
    }
}

fn number(value: i64) -> Expr {
    Expr::Literal(Literal { value: Scalar::Integer(value), ty: TypeKind::BigInt.not_null() })
}

/// Builds a plan; aggregates stand behind a number of references that is not known yet.
struct Builder {
    references: Vec<RowReference>,
    aggregates: Vec<PatternAggregate>,
}

const AGGREGATES: usize = 1000;

impl Builder {
    fn reference(
        &mut self,
        variable: Option<usize>,
        column: usize,
        first: bool,
        offset: u64,
    ) -> Expr {
        self.references.push(RowReference { variable, column, first, offset });
        Expr::column(WIDTH + self.references.len() - 1, bigint())
    }

    fn aggregate(&mut self, variable: Option<usize>, call: AggregateCall) -> Expr {
        self.aggregates.push(PatternAggregate { variable, call });
        Expr::column(AGGREGATES + self.aggregates.len() - 1, bigint())
    }

    fn condition(&mut self, condition: &Condition) -> Expr {
        let compare = |name: &str, left: Expr, right: Expr| {
            Expr::call(name, vec![left, right], TypeKind::Boolean.nullable())
        };
        let v = || Expr::column(V, bigint());
        match condition {
            Condition::Below(bound) => compare("<", v(), number(*bound)),
            Condition::Above(bound) => compare(">", v(), number(*bound)),
            Condition::AboveLast(variable, offset) => {
                compare(">", v(), self.reference(*variable, V, false, *offset))
            }
            Condition::BelowFirst(variable, offset) => {
                compare("<", v(), self.reference(*variable, V, true, *offset))
            }
            Condition::SumBelow(variable, bound) => {
                compare("<", self.aggregate(*variable, call(F::Sum, Some(V))), number(*bound))
            }
            Condition::CountBelow(variable, bound) => {
                compare("<", self.aggregate(*variable, call(F::Count, None)), number(*bound))
            }
            Condition::Quotient(bound) => {
                let quotient = Expr::call("/", vec![number(12), v()], bigint());
                compare(">", quotient, number(*bound))
            }
            Condition::Both(left, right) => {
                let both = vec![self.condition(left), self.condition(right)];
                Expr::call("AND", both, TypeKind::Boolean.nullable())
            }
        }
    }
}

/// The plan of a pattern. Measures: the number of the first row, the rows of each variable, the sum of v, and the
/// time of the match, if rows are in order of event time.
fn plan(pattern: &Pattern) -> (Plan, Schema) {
    let mut builder = Builder { references: Vec::new(), aggregates: Vec::new() };
    let variables = pattern.variables.iter().enumerate().map(|(index, variable)| PatternVariable {
        name: format!("V{index}"),
        min: variable.min,
        max: variable.max,
        greedy: variable.greedy,
        condition: variable.condition.as_ref().map(|one| builder.condition(one)),
    });
    let variables: Vec<PatternVariable> = variables.collect();
    let mut exprs = vec![builder.reference(None, ID, true, 0)];
    for variable in 0..variables.len() {
        exprs.push(builder.aggregate(Some(variable), call(F::Count, None)));
    }
    exprs.push(builder.aggregate(None, call(F::Sum, Some(V))));
    let ty = input()[1].ty.clone();
    let references = builder.references.len();
    if !pattern.clock {
        exprs.push(Expr::column(WIDTH + references + builder.aggregates.len(), ty));
    }
    let placed = |mut expr: Expr| {
        expr.remap_columns(&|column| match column {
            AGGREGATES.. => column - AGGREGATES + WIDTH + references,
            _ => column,
        });
        expr
    };
    let named = |(index, expr): (usize, Expr)| NamedExpr { name: format!("m{index}"), expr };
    let measures: Vec<NamedExpr> = exprs.into_iter().map(placed).enumerate().map(named).collect();
    let order = match pattern.sorted {
        true => vec![tidegate_plan::operator::SortKey {
            column: V,
            descending: true,
            nulls_first: false,
        }],
        false => Vec::new(),
    };
    let plan = Plan {
        keys: if pattern.keyed { vec![0] } else { Vec::new() },
        time: (!pattern.clock).then_some(1),
        order,
        variables: variables
            .into_iter()
            .map(|one| PatternVariable { condition: one.condition.map(placed), ..one })
            .collect(),
        references: builder.references,
        computed: Vec::new(),
        aggregates: builder.aggregates,
        measures,
        skip: pattern.skip,
        within_ms: pattern.within.map(i64::unsigned_abs),
    };
    let key = pattern.keyed.then(|| input()[0].clone());
    let measures = plan.measures.iter();
    let measures = measures.map(|one| Field::new(one.name.clone(), one.expr.ty().clone()));
    let output = key.into_iter().chain(measures).collect();
    (plan, output)
}

fn nodes(plan: &Plan, output: &Schema) -> (Node, Node) {
    let below = node(PlanOperator::Union, input(), ChangelogMode::APPEND, None);
    let operator = PlanOperator::MatchRecognize(plan.clone());
    (below, node(operator, output.clone(), ChangelogMode::APPEND, Some(vec![0])))
}

fn operator(plan: &Plan, output: &Schema) -> MatchRecognize {
    let (below, node) = nodes(plan, output);
    MatchRecognize::new(plan, &node, &[&below], &PlanSettings::default()).unwrap()
}

fn subject<'a>(plan: &'a Plan, output: &'a Schema) -> Subject<'a> {
    let make = || Box::new(operator(plan, output)) as Box<dyn Operator>;
    let replay = Replay::new(ChangelogMode::APPEND, None);
    let route = (!plan.keys.is_empty()).then(|| plan.keys.clone());
    Subject::new(make, vec![route], &["rows", "candidates"], replay)
}
