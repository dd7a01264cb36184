//! The conditions of variables: what depends on the row alone is computed for whole batches beforehand.

use arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::operator::MatchRecognize;
use tidegate_plan::{Expr, PlanSettings, Schema};
use tidegate_types::{Result, TypeKind};

use super::context::RowContext;
use super::internal;

/// The condition of a variable.
pub(super) struct Condition {
    /// The part that depends on the row alone, over `Conditions::read`.
    local: Option<Evaluator>,
    /// The rest.
    rest: Option<RowContext>,
    /// All of it, for batches of which the first part fails on some row that may never be tested.
    whole: Option<RowContext>,
}

/// The conditions of a pattern.
pub(super) struct Conditions {
    all: Vec<Condition>,
    /// Input columns that the first parts read.
    pub(super) read: Vec<usize>,
    schema: SchemaRef,
}

/// What is known of the rows of a batch before candidates are looked at.
#[derive(Default)]
pub(super) struct Masks {
    /// By row a bit per variable: the row may be of it.
    pub(super) rows: Vec<u64>,
    /// A bit per variable: what the rows say of it is all of its condition.
    pub(super) decided: u64,
    /// A bit per variable whose condition could not be computed for the batch.
    failed: u64,
}

impl Masks {
    /// Whether no condition looks at other rows.
    pub(super) fn decide_all(&self, variables: usize) -> bool {
        self.decided.count_ones() as usize == variables
    }
}

impl Conditions {
    /// The conditions of a plan node.
    ///
    /// # Errors
    /// What compiling an expression fails with.
    pub(super) fn new(
        plan: &MatchRecognize,
        input: &Schema,
        schema: &SchemaRef,
        settings: &PlanSettings,
    ) -> Result<Self> {
        let split: Vec<(Vec<Expr>, Vec<Expr>)> = plan
            .variables
            .iter()
            .map(|variable| {
                let mut parts = Vec::new();
                variable.condition.iter().for_each(|whole| conjuncts(whole, &mut parts));
                parts.into_iter().partition(|part| part.columns().iter().all(|c| *c < input.len()))
            })
            .collect();
        let mut read: Vec<usize> =
            split.iter().flat_map(|(local, _)| local.iter().flat_map(Expr::columns)).collect();
        read.sort_unstable();
        read.dedup();
        let mut all = Vec::with_capacity(split.len());
        for ((local, rest), variable) in split.into_iter().zip(&plan.variables) {
            let local = conjunction(local).map(|mut expr| {
                expr.remap_columns(&|index| read.binary_search(&index).unwrap_or(index));
                Evaluator::compile(&expr, settings)
            });
            let local = local.transpose()?;
            let context =
                |expr: &Expr| RowContext::new(std::iter::once(expr), plan, input, settings);
            let rest = conjunction(rest).as_ref().map(context).transpose()?;
            let whole = match &local {
                Some(_) => variable.condition.as_ref().map(context).transpose()?,
                None => None,
            };
            all.push(Condition { local, rest, whole });
        }
        let fields: Vec<_> = read.iter().map(|column| schema.fields()[*column].clone()).collect();
        Ok(Self { all, read, schema: Arc::new(arrow::datatypes::Schema::new(fields)) })
    }

    /// What the rows of a batch say by themselves; `columns` are those of [`Conditions::read`].
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn masks(
        &self,
        columns: Vec<arrow::array::ArrayRef>,
        rows: usize,
        context: &EvalContext,
    ) -> Result<Masks> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(internal)?;
        let mut masks = Masks { rows: vec![0; rows], ..Masks::default() };
        let mut everywhere = 0;
        for (variable, condition) in self.all.iter().enumerate() {
            let bit = 1 << variable;
            let local = condition.local.as_ref().map(|one| one.evaluate_filter(&batch, context));
            match local {
                Some(Ok(holds)) => {
                    set_bits(&mut masks.rows, &holds, bit);
                    masks.decided |= if condition.rest.is_none() { bit } else { 0 };
                }
                // A row may be the reason that no candidate is ever asked about.
                Some(Err(_)) => {
                    everywhere |= bit;
                    masks.failed |= bit;
                }
                None => {
                    everywhere |= bit;
                    masks.decided |= if condition.rest.is_none() { bit } else { 0 };
                }
            }
        }
        if everywhere != 0 {
            masks.rows.iter_mut().for_each(|row| *row |= everywhere);
        }
        Ok(masks)
    }

    /// The expression that decides about a variable's rows where the masks do not.
    pub(super) fn open(&mut self, variable: usize, masks: &Masks) -> Option<&mut RowContext> {
        let condition = &mut self.all[variable];
        match masks.failed & (1 << variable) != 0 {
            false => condition.rest.as_mut(),
            true => condition.whole.as_mut(),
        }
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        let contexts = self.all.iter().flat_map(|one| [&one.rest, &one.whole]).flatten();
        contexts.map(RowContext::memory_size).sum()
    }
}

fn set_bits(rows: &mut [u64], holds: &BooleanArray, bit: u64) {
    if holds.true_count() == holds.len() {
        rows.iter_mut().for_each(|row| *row |= bit);
        return;
    }
    for place in holds.values().set_indices() {
        rows[place] |= bit;
    }
}

/// The operands of nested ANDs.
fn conjuncts(expr: &Expr, parts: &mut Vec<Expr>) {
    match expr {
        Expr::Call { function, args, .. } if function.name == "AND" => {
            args.iter().for_each(|part| conjuncts(part, parts));
        }
        other => parts.push(other.clone()),
    }
}

fn conjunction(parts: Vec<Expr>) -> Option<Expr> {
    parts
        .into_iter()
        .reduce(|left, right| Expr::call("AND", vec![left, right], TypeKind::Boolean.nullable()))
}
