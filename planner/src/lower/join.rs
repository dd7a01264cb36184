//! Join nodes: keys, residual conditions, and what each form of join needs.

use tidegate_connector_spec::Role;
use tidegate_plan::operator::{
    IntervalJoin, Join, JoinKind, JoinOn, LookupJoin, TemporalJoin, WindowJoin,
};
use tidegate_plan::{Exchange, Expr, Input, Operator};
use tidegate_types::{Error, Field, Result};

use super::looked_up::{
    Looked, looked_up, lookup_key, masked_columns, nothing, output_of, over_read,
};
use super::source::{check, plan_table};
use super::{Draft, Lowering, forward};
use crate::algebra::{self, JoinForm, LookupOptions, Relation};
use crate::optimize::conjunction;
use crate::optimize::join::equality;
use crate::optimize::join_time::expiry;

impl Lowering<'_> {
    pub(super) fn join(
        &mut self,
        left: Relation,
        right: Relation,
        join: algebra::Join,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let span = join.span;
        let joined = match join.form.clone() {
            JoinForm::Lookup { options } => self.lookup_join(left, right, join, &options, schema),
            form => self.stream_join(left, right, join, form, schema),
        };
        joined.map_err(|error| error.at(span))
    }

    fn stream_join(
        &mut self,
        left: Relation,
        right: Relation,
        join: algebra::Join,
        form: JoinForm,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let regular = matches!(form, JoinForm::Undecided | JoinForm::Regular);
        if regular && let Some(node) = self.multi_join(&left, &right, &join, &schema)? {
            return Ok(node);
        }
        let width = left.schema.len();
        let right_width = right.schema.len();
        let expiry = expiry(&left, &right, &join.on);
        let kind = join.kind;
        let on = join_on(join.on, width);
        let (left, right) = (self.relation(left)?, self.relation(right)?);
        let append = self.facts[left].is_append() && self.facts[right].is_append();
        let ttl = join.ttl.map(|hint| self.ttl(hint));
        let ttl = if ttl == [0, 0] { Vec::new() } else { ttl.to_vec() };
        let evicts = self.settings.boolean("table.optimizer.join-time-eviction");
        let (left_keys, right_keys) = (on.left_keys.clone(), on.right_keys.clone());
        let operator = match form {
            JoinForm::Undecided | JoinForm::Regular => {
                // What was forgotten can neither be taken back nor be a partner of what is.
                let expiry = if append && evicts { expiry } else { [None, None] };
                Operator::Join(Join { kind, on, expiry })
            }
            JoinForm::Interval { times, event, lower, upper } => {
                let times = event.then_some(times);
                Operator::IntervalJoin(IntervalJoin { kind, on, times, lower, upper })
            }
            JoinForm::Window { starts, ends, event } => {
                Operator::WindowJoin(WindowJoin { kind, on, starts, ends, event })
            }
            JoinForm::Temporal { times } => {
                self.check_versions(right, &on, kind)?;
                Operator::TemporalJoin(TemporalJoin { kind, on, times })
            }
            JoinForm::Lookup { .. } => return Err(Error::internal("a lookup is no stream join")),
        };
        let identity = self.identities[left].join(&self.identities[right], &operator);
        let id = identity.rows.word("join");
        let exchange = |keys: Vec<usize>| match keys.is_empty() {
            true => Exchange::Single,
            false => Exchange::Hash { keys },
        };
        let inputs = vec![
            Input { node: left, exchange: exchange(left_keys) },
            Input { node: right, exchange: exchange(right_keys) },
        ];
        let draft = Draft::new(operator, inputs, schema, identity, id);
        self.add(Draft { ttl, right_width, ..draft })
    }

    /// A versioned table has one row per key: the key must be what is compared.
    fn check_versions(&self, right: usize, on: &JoinOn, kind: JoinKind) -> Result<()> {
        if !matches!(kind, JoinKind::Inner | JoinKind::Left) {
            return Err(Error::unsupported(
                "a temporal join other than INNER and LEFT is not supported",
            ));
        }
        let by_key = |key: &Vec<usize>| key.iter().all(|column| on.right_keys.contains(column));
        if self.facts[right].keys.iter().any(by_key) {
            return Ok(());
        }
        Err(Error::unsupported(
            "a temporal join needs the whole key of the versioned table in its condition",
        )
        .help("declare PRIMARY KEY (…) NOT ENFORCED, or deduplicate in a view, and compare all of its columns by ="))
    }

    fn lookup_join(
        &mut self,
        left: Relation,
        right: Relation,
        join: algebra::Join,
        options: &LookupOptions,
        schema: Vec<Field>,
    ) -> Result<usize> {
        if !matches!(join.kind, JoinKind::Inner | JoinKind::Left) {
            return Err(Error::unsupported(
                "a lookup join other than INNER and LEFT is not supported",
            ));
        }
        let width = left.schema.len();
        let Looked { table, read, columns, filter } = looked_up(right)?;
        check(&table, Role::Source)?;
        let node = self.relation(left)?;
        // Over the input's columns, then those that are read.
        let mut on: Vec<Expr> = join.on;
        for condition in &mut on {
            *condition = over_read(std::mem::replace(condition, nothing()), &columns, width);
        }
        on.extend(filter.into_iter().map(|mut condition| {
            condition.remap_columns(&|index| index + width);
            condition
        }));
        let (mut keys, mut rest) = (Vec::new(), Vec::new());
        for condition in on {
            match lookup_key(&condition, width) {
                Some(key) => keys.push(key),
                None => rest.push(condition),
            }
        }
        if keys.is_empty() {
            let masked = table.governed.as_ref().is_some_and(|governed| !governed.masks.is_empty());
            return Err(Error::unsupported(format!(
                "the join with table {} needs a condition that one of its columns equals a column",
                table.name
            ))
            .help(match masked {
                true => "write ON left.x = table.key, of a key that you read without a mask",
                false => "write ON left.x = table.key",
            }));
        }
        let asynchronous = options.asynchronous.unwrap_or(true);
        let mode = self.settings.get("table.exec.async-lookup.output-mode");
        let unordered = mode.is_some_and(|mode| mode.eq_ignore_ascii_case("ALLOW_UNORDERED"));
        let capacity = self.settings.integer("table.exec.async-lookup.buffer-capacity");
        let timeout = self.settings.duration("table.exec.async-lookup.timeout");
        let timeout = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let lookup = LookupJoin {
            kind: join.kind,
            table: plan_table(&table),
            read,
            keys,
            condition: conjunction::join(rest),
            output: output_of(&columns),
            asynchronous,
            ordered: options.ordered.unwrap_or(!unordered) || !self.facts[node].is_append(),
            capacity: options
                .capacity
                .or(capacity.and_then(|n| u32::try_from(n).ok()))
                .unwrap_or(100),
            timeout_ms: options.timeout_ms.or(timeout).unwrap_or(180_000),
            retry: options.retry,
        };
        let identity = self.identities[node].lookup(&lookup);
        let id = identity.rows.word("lookup-join");
        let Some(masked) = masked_columns(&columns, &lookup, &schema, width) else {
            let operator = Operator::LookupJoin(lookup);
            return self.add(Draft::new(operator, forward(node), schema, identity, id));
        };
        // Values come as they are, and are masked right behind the join.
        let operator = Operator::LookupJoin(lookup);
        let joined = self.add(Draft::new(operator, forward(node), masked.joined, identity, id))?;
        self.calc_of(joined, None, masked.projection)
    }
}

/// Equalities of columns become keys, the rest a condition.
pub(super) fn join_on(conditions: Vec<Expr>, width: usize) -> JoinOn {
    let mut on = JoinOn {
        left_keys: Vec::new(),
        right_keys: Vec::new(),
        null_safe: Vec::new(),
        condition: None,
    };
    let mut rest = Vec::new();
    for condition in conditions {
        match equality(&condition, width) {
            Some((Expr::Column { index: a, .. }, Expr::Column { index: b, .. }, null_safe)) => {
                on.left_keys.push(*a);
                on.right_keys.push(b - width);
                on.null_safe.push(null_safe);
            }
            _ => rest.push(condition),
        }
    }
    on.condition = conjunction::join(rest);
    on
}
