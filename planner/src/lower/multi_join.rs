//! Chains of inner joins by one key as one operator, which keeps the inputs and nothing between them.

use tidegate_plan::operator::{JoinKind, JoinOn, MAX_MULTI_JOIN_INPUTS, MultiJoin};
use tidegate_plan::{Exchange, Expr, Input, NamedExpr, Operator};
use tidegate_types::{Field, Result};

use super::identity::Identity;
use super::join::join_on;
use super::{Draft, Lowering};
use crate::algebra::{Join, JoinForm, RelOp, Relation};
use crate::bind::select::unique_names;
use crate::optimize::conjunction;
use crate::optimize::join_time::expiry;

/// Joins from the left whose inputs are all equal in one key.
struct Chain<'a> {
    inputs: Vec<&'a Relation>,
    /// Per input the columns of the key, in one order.
    keys: Vec<Vec<usize>>,
    /// The first column of each input among those of all, and the number of these.
    starts: Vec<usize>,
    width: usize,
    /// Which of them the columns of the last join are.
    columns: Vec<usize>,
    /// What must hold besides, over the columns of all.
    conditions: Vec<Expr>,
}

impl Lowering<'_> {
    /// The node of a chain of joins of three or more inputs that a join ends; `None` if it ends none, or
    /// if rows of an input are updated or deleted.
    pub(super) fn multi_join(
        &mut self,
        left: &Relation,
        right: &Relation,
        join: &Join,
        schema: &[Field],
    ) -> Result<Option<usize>> {
        if !self.settings.boolean("table.optimizer.multi-join.enabled") {
            return Ok(None);
        }
        let chain = match self.chain(left, right, join) {
            Some(chain) if chain.inputs.len() > 2 => chain,
            _ => return Ok(None),
        };
        let mut nodes = Vec::with_capacity(chain.inputs.len());
        for input in &chain.inputs {
            // Where it is for nothing the joins of two will find this very node.
            let node = self.relation((*input).clone())?;
            if !self.facts[node].is_append() {
                return Ok(None);
            }
            nodes.push(node);
        }
        let fields = chain.fields();
        let exchange = |keys: &Vec<usize>| Exchange::Hash { keys: keys.clone() };
        let inputs = nodes.iter().zip(&chain.keys);
        let inputs = inputs.map(|(node, keys)| Input { node: *node, exchange: exchange(keys) });
        let inputs = inputs.collect();
        let join = MultiJoin { keys: chain.keys, conditions: chain.conditions };
        let identities: Vec<&Identity> = nodes.iter().map(|node| &self.identities[*node]).collect();
        let identity = Identity::multi_join(&identities, &join);
        let id = identity.rows.word("join");
        let operator = Operator::MultiJoin(join);
        let node = self.add(Draft::new(operator, inputs, fields.clone(), identity, id))?;
        if chain.columns.iter().copied().eq(0..chain.width) {
            return Ok(Some(node));
        }
        let named = chain.columns.iter().zip(schema).map(|(column, field)| NamedExpr {
            name: field.name.clone(),
            expr: Expr::Column { index: *column, ty: fields[*column].ty.clone() },
        });
        self.calc_of(node, None, named.collect()).map(Some)
    }

    fn chain<'a>(&self, left: &'a Relation, right: &'a Relation, join: &Join) -> Option<Chain<'a>> {
        let regular = matches!(join.form, JoinForm::Undecided | JoinForm::Regular);
        if !regular || join.kind != JoinKind::Inner || join.ttl.map(|hint| self.ttl(hint)) != [0, 0]
        {
            return None;
        }
        // Rows that time forgets need joins of their own.
        let evicts = self.settings.boolean("table.optimizer.join-time-eviction");
        if evicts && expiry(left, right, &join.on) != [None, None] {
            return None;
        }
        let on = join_on(join.on.clone(), left.schema.len());
        if on.left_keys.is_empty() || on.null_safe.contains(&true) {
            return None;
        }
        let longer = self.below(left).and_then(|chain| chain.extended(right, &on));
        longer.or_else(|| Chain::of(left, &on).extended(right, &on))
    }

    /// The chain that a relation ends, below a choice of columns.
    fn below<'a>(&self, relation: &'a Relation) -> Option<Chain<'a>> {
        match &relation.op {
            RelOp::Join { left, right, join } => self.chain(left, right, join),
            RelOp::Project { input, exprs } => {
                let chain = self.below(input)?;
                let column = |named: &NamedExpr| match &named.expr {
                    Expr::Column { index, .. } => chain.columns.get(*index).copied(),
                    _ => None,
                };
                let columns = exprs.iter().map(column).collect::<Option<_>>()?;
                Some(Chain { columns, ..chain })
            }
            _ => None,
        }
    }
}

impl<'a> Chain<'a> {
    /// The first input alone.
    fn of(first: &'a Relation, on: &JoinOn) -> Self {
        let width = first.schema.len();
        Self {
            inputs: vec![first],
            keys: vec![on.left_keys.clone()],
            starts: vec![0],
            width,
            columns: (0..width).collect(),
            conditions: Vec::new(),
        }
    }

    /// The columns of all inputs. Times of joined rows are in no order.
    fn fields(&self) -> Vec<Field> {
        let all = || self.inputs.iter().flat_map(|input| &input.schema);
        let names: Vec<String> = all().map(|field| field.name.clone()).collect();
        let fields = unique_names(&names).into_iter().zip(all());
        fields.map(|(name, field)| Field::new(name, field.ty.clone().materialized())).collect()
    }

    /// With one more input, if its key is equal to that of the inputs so far.
    fn extended(mut self, right: &'a Relation, on: &JoinOn) -> Option<Self> {
        let parts = self.keys[0].len();
        if on.left_keys.len() != parts || self.inputs.len() == MAX_MULTI_JOIN_INPUTS {
            return None;
        }
        let mut keys = vec![None; parts];
        for (left, right) in on.left_keys.iter().zip(&on.right_keys) {
            let column = self.columns[*left];
            let input = self.starts.partition_point(|start| *start <= column) - 1;
            let own = column - self.starts[input];
            let part = self.keys[input].iter().position(|key| *key == own)?;
            keys[part] = Some(*right);
        }
        self.keys.push(keys.into_iter().collect::<Option<_>>()?);
        self.inputs.push(right);
        self.starts.push(self.width);
        self.columns.extend(self.width..self.width + right.schema.len());
        self.width += right.schema.len();
        for mut condition in on.condition.clone().map(conjunction::split).unwrap_or_default() {
            condition.remap_columns(&|column| self.columns[column]);
            self.conditions.push(condition);
        }
        Some(self)
    }
}
