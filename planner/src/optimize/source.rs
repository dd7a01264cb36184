//! What goes into a source: conditions that its connector applies, and the columns that it reads.

use tidegate_connector_spec::{Options, Projection};
use tidegate_plan::operator::MetadataColumn;
use tidegate_plan::{Expr, NamedExpr, PlanSettings, Scalar};
use tidegate_types::{Field, TypeKind};

use super::conjunction::{combine, join, split, substitute};
use super::map_inputs;
use super::need::{Moved, Moves, Need, add, rewrite};
use super::prune::ScanNeeds;
use super::simplify::simplify;
use crate::algebra::{RelOp, Relation, Scan};
use crate::catalog::Table;

/// Moves conditions that connectors apply from the filters above scans into the scans.
///
/// Scans of one table become one source. Where their conditions differ, the source gets what any
/// of them lets through, and every reader keeps its own filter.
pub(super) fn push_filters(queries: &mut [Relation], settings: &PlanSettings) {
    let mut found: Vec<(Scan, Vec<Vec<Expr>>)> = Vec::new();
    for query in queries.iter() {
        collect(query, &[], &mut found);
    }
    for query in queries.iter_mut() {
        let taken = std::mem::replace(query, Relation::empty());
        *query = apply(taken, &found, settings);
    }
}

/// Lists, per scan, the conditions of each of its readers that the connector can apply.
fn collect(relation: &Relation, above: &[Expr], found: &mut Vec<(Scan, Vec<Vec<Expr>>)>) {
    match &relation.op {
        RelOp::Scan(scan) => {
            let pushable: Vec<Expr> =
                above.iter().filter(|c| is_pushable(c, scan)).cloned().collect();
            match found.iter_mut().find(|(known, _)| known == scan.as_ref()) {
                Some((_, readers)) => readers.push(pushable),
                None => found.push((scan.as_ref().clone(), vec![pushable])),
            }
        }
        RelOp::Filter { input, predicate } => collect(input, &split(predicate.clone()), found),
        _ => relation.inputs().into_iter().for_each(|input| collect(input, &[], found)),
    }
}

fn apply(
    relation: Relation,
    found: &[(Scan, Vec<Vec<Expr>>)],
    settings: &PlanSettings,
) -> Relation {
    let schema = relation.schema;
    match relation.op {
        RelOp::Filter { input, predicate } => {
            if let RelOp::Scan(scan) = &input.op
                && let Some((_, readers)) = found.iter().find(|(known, _)| known == scan.as_ref())
            {
                return apply_to_scan(scan, &input.schema, predicate, readers, settings);
            }
            Relation {
                op: RelOp::Filter { input: Box::new(apply(*input, found, settings)), predicate },
                schema,
            }
        }
        op => map_inputs(Relation { op, schema }, &mut |input| apply(input, found, settings)),
    }
}

fn apply_to_scan(
    scan: &Scan,
    schema: &[Field],
    predicate: Expr,
    readers: &[Vec<Expr>],
    settings: &PlanSettings,
) -> Relation {
    let mut scan = scan.clone();
    let first = readers.first().cloned().unwrap_or_default();
    let alike = readers.iter().all(|conditions| *conditions == first);
    let (mut kept, pushed) = if alike {
        let (pushed, kept): (Vec<Expr>, Vec<Expr>) =
            split(predicate).into_iter().partition(|condition| first.contains(condition));
        (kept, pushed)
    } else {
        (split(predicate), any_of(readers).into_iter().collect())
    };
    scan.pushed =
        pushed.iter().map(|condition| substitute(condition.clone(), &scan.projection)).collect();
    if alike {
        assume(&mut scan, settings);
        kept = kept
            .into_iter()
            .map(|condition| simplify(condition, settings))
            .flat_map(split)
            .collect();
    }
    let relation = Relation { op: RelOp::Scan(Box::new(scan)), schema: schema.to_vec() };
    match join(kept) {
        Some(predicate) => relation.filter(predicate),
        None => relation,
    }
}

/// What lets through every row that some reader wants; none if one of them wants all.
fn any_of(readers: &[Vec<Expr>]) -> Option<Expr> {
    let mut each: Vec<Expr> = Vec::new();
    for conditions in readers {
        let condition = join(conditions.clone())?;
        if !each.contains(&condition) {
            each.push(condition);
        }
    }
    combine("OR", each)
}

/// With `column = constant` applied by the source, the column is that constant in all rows.
fn assume(scan: &mut Scan, settings: &PlanSettings) {
    for condition in scan.pushed.clone() {
        let Expr::Call { function, args, .. } = &condition else {
            continue;
        };
        if let ("=", [Expr::Column { index, ty }, Expr::Literal(literal)]) =
            (function.name.as_str(), args.as_slice())
            && literal.ty.same_kind(ty)
            && literal.value != Scalar::Null
        {
            for named in &mut scan.projection {
                let assumed = replace(named.expr.clone(), *index, literal);
                named.expr = simplify(assumed, settings);
            }
        }
    }
}

fn replace(expr: Expr, column: usize, literal: &tidegate_plan::Literal) -> Expr {
    match expr {
        Expr::Column { index, .. } if index == column => Expr::Literal(literal.clone()),
        mut other => {
            for child in other.children_mut() {
                let part = std::mem::replace(child, Expr::column(0, TypeKind::Null.nullable()));
                *child = replace(part, column, literal);
            }
            other
        }
    }
}

/// Whether the connector promises to apply the condition: comparisons of its filter columns with constants.
fn is_pushable(condition: &Expr, scan: &Scan) -> bool {
    let filter_columns =
        connector_of(&scan.table).map_or(&[][..], |options| options.connector().filter_columns);
    let columns = condition.columns();
    !columns.is_empty()
        && is_simple(condition)
        && columns.iter().all(|column| {
            let Some(Expr::Column { index, .. }) =
                scan.projection.get(*column).map(|named| &named.expr)
            else {
                return false;
            };
            scan.read.get(*index).is_some_and(|field| filter_columns.contains(&field.name.as_str()))
        })
}

fn is_simple(condition: &Expr) -> bool {
    let Expr::Call { function, args, .. } = condition else {
        return false;
    };
    match function.name.as_str() {
        "AND" | "OR" => args.iter().all(is_simple),
        "=" | "<" | "<=" | ">" | ">=" | "IN" => {
            args.iter().all(|arg| matches!(arg, Expr::Column { .. } | Expr::Literal(_)))
        }
        _ => false,
    }
}

fn connector_of(table: &Table) -> Option<Options> {
    Options::new(table.options.clone()).ok()
}

/// How much the connector and its format can leave out.
fn projection_of(table: &Table) -> Projection {
    connector_of(table).and_then(|options| options.projection().ok()).unwrap_or(Projection::None)
}

/// The scan with only what its readers need.
pub(super) fn reduce(mut scan: Scan, schema: Vec<Field>, needs: &ScanNeeds) -> (Relation, Moves) {
    let mut outputs = needs.columns.clone();
    let watermark = scan.watermark.take().filter(|_| needs.watermark);
    if let Some((column, expr)) = &watermark {
        outputs[*column] = Need::All;
        add(expr, &Need::All, &mut outputs);
    }
    if !outputs.iter().any(Need::is_needed)
        && let Some(column) = cheapest(&scan)
    {
        outputs[column] = Need::All;
    }
    let reads = read_needs(&scan, &mut outputs);
    let read_moves = reduce_reads(&mut scan, &reads);
    scan.pushed =
        scan.pushed.into_iter().map(|condition| rewrite(condition, &read_moves)).collect();
    let (mut projection, mut fields, mut moves) =
        (Vec::new(), Vec::new(), Vec::with_capacity(schema.len()));
    for ((named, field), need) in scan.projection.into_iter().zip(schema).zip(&outputs) {
        if !need.is_needed() {
            moves.push(None);
            continue;
        }
        let ty = match need {
            Need::Fields(_) => need.reduce(&field.ty),
            _ => field.ty,
        };
        let expr = rewrite(named.expr, &read_moves);
        moves.push(Some(Moved { index: projection.len(), ty: ty.clone(), need: need.clone() }));
        projection.push(NamedExpr { name: named.name, expr });
        fields.push(Field::new(field.name, ty));
    }
    scan.projection = projection;
    scan.watermark = watermark.map(|(column, expr)| {
        let place = moves.get(column).and_then(Option::as_ref).map_or(0, |moved| moved.index);
        (place, rewrite(expr, &moves))
    });
    (Relation { op: RelOp::Scan(Box::new(scan)), schema: fields }, moves)
}

/// What is needed of the columns that the connector produces. Where a ROW cannot be read in part,
/// or is computed, `outputs` is widened to all of it.
fn read_needs(scan: &Scan, outputs: &mut [Need]) -> Vec<Need> {
    let able = projection_of(&scan.table);
    let mut reads = vec![Need::No; scan.read.len() + scan.metadata.len()];
    for (named, need) in scan.projection.iter().zip(outputs.iter_mut()) {
        let passed_on =
            matches!(&named.expr, Expr::Column { index, .. } if *index < scan.read.len());
        if able < Projection::Nested || !passed_on {
            *need = need.whole();
        }
        if need.is_needed() {
            add(&named.expr, need, &mut reads);
        }
    }
    for condition in &scan.pushed {
        add(condition, &Need::All, &mut reads);
    }
    for need in &mut reads[..scan.read.len()] {
        match able {
            Projection::None => *need = Need::All,
            Projection::Columns => *need = need.whole(),
            Projection::Nested => {}
        }
    }
    if scan.table.governed.is_some()
        && !reads.iter().any(Need::is_needed)
        && let Some(first) = reads.first_mut()
    {
        // Of columns that are all masked to NULL there are as many as there are rows.
        *first = Need::All;
    }
    // Outputs that pass a column on show all that is read of it.
    for (named, output) in scan.projection.iter().zip(outputs.iter_mut()) {
        if let Expr::Column { index, .. } = &named.expr
            && output.is_needed()
        {
            *output = reads[*index].clone();
        }
    }
    reads
}

/// Reduces what is read, and says where each column went.
fn reduce_reads(scan: &mut Scan, reads: &[Need]) -> Moves {
    let width = scan.read.len();
    let mut moves: Moves = Vec::with_capacity(reads.len());
    let mut read = Vec::new();
    for (field, need) in scan.read.iter().zip(reads) {
        moves.push(need.is_needed().then(|| {
            let ty = need.reduce(&field.ty);
            read.push(Field::new(field.name.clone(), ty.clone()));
            Moved { index: read.len() - 1, ty, need: need.clone() }
        }));
    }
    let mut metadata: Vec<MetadataColumn> = Vec::new();
    for (column, need) in scan.metadata.iter().zip(&reads[width..]) {
        moves.push(need.is_needed().then(|| {
            metadata.push(column.clone());
            Moved {
                index: read.len() + metadata.len() - 1,
                ty: column.field.ty.clone(),
                need: Need::All,
            }
        }));
    }
    (scan.read, scan.metadata) = (read, metadata);
    moves
}

/// The output that costs least to read, for queries that only count rows: a column that is needed
/// for a condition already, else a short one of fixed width.
fn cheapest(scan: &Scan) -> Option<usize> {
    let pushed: Vec<usize> = scan.pushed.iter().flat_map(Expr::columns).collect();
    let cost = |kind: &TypeKind| match kind {
        TypeKind::Boolean
        | TypeKind::TinyInt
        | TypeKind::SmallInt
        | TypeKind::Int
        | TypeKind::Date => 1,
        TypeKind::BigInt | TypeKind::Float | TypeKind::Double => 2,
        TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } | TypeKind::Decimal { .. } => 3,
        TypeKind::Char { .. } | TypeKind::VarChar { .. } => 4,
        _ => 5,
    };
    let governed = scan.table.governed.as_ref();
    let readable = scan.projection.iter().enumerate().filter(|(_, named)| {
        // Nobody may be refused for a column that the query does not name.
        governed.is_none_or(|governed| !governed.denied.contains(&named.name))
    });
    let columns = readable.filter_map(|(output, named)| match &named.expr {
        Expr::Column { index, .. } if pushed.contains(index) => Some((0, output)),
        Expr::Column { ty, .. } => Some((cost(&ty.kind), output)),
        Expr::Literal(_) => Some((if scan.pushed.is_empty() { 9 } else { 0 }, output)),
        Expr::Call { .. } if governed.is_some() => Some((10, output)),
        _ => None,
    });
    columns.min_by_key(|(cost, output)| (*cost, *output)).map(|(_, output)| output)
}
