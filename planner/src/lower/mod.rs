//! Optimized algebra → plan nodes: exchanges, parallelism, names and stable operator ids.
//!
//! Equal parts of the queries of a job become one node. Ids come from `identity`: from what a node
//! computes, not from where it stands or what else the script does.

mod changelog;
mod changelog_rows;
mod emit;
mod identity;
mod join;
mod looked_up;
mod match_recognize;
mod multi_join;
mod name;
mod sink;
mod source;
mod updating;
mod windowed;

pub use sink::COLLECT;
pub(crate) use source::check_metadata;
pub(crate) use updating::frame_text;

use std::collections::{BTreeMap, HashMap};

use tidegate_connector_spec::{Changes, Role, changes};
use tidegate_plan::operator::{Calc, Values};
use tidegate_plan::settings::Settings;
use tidegate_plan::{
    ChangelogMode, Exchange, Expr, Input, NamedExpr, Node, Operator, PlanSettings, StreamGraph,
};
use tidegate_types::{Error, ErrorCode, Field, OperatorId, Result};

use crate::algebra::{RelOp, Relation, Scan};
use crate::bind::insert::BoundInsert;
use changelog::Facts;
use identity::{Digest, Identity};

/// A query with the place its rows go to.
pub(crate) struct Target {
    pub(crate) relation: Relation,
    pub(crate) sink: SinkTarget,
}

/// Where rows go.
pub(crate) enum SinkTarget {
    /// A table.
    Table(Box<BoundInsert>),
    /// The caller: a SELECT.
    Collect,
}

/// Makes the graph of a job, and the names of its inserts.
///
/// # Errors
/// `INVALID_OPTION` where a table's options do not fit its use.
pub(crate) fn lower(
    targets: Vec<Target>,
    plan_settings: &PlanSettings,
    settings: &Settings,
) -> Result<(StreamGraph, Vec<String>)> {
    let mut lowering = Lowering {
        settings,
        nodes: Vec::new(),
        identities: Vec::new(),
        facts: Vec::new(),
        known: HashMap::new(),
        ids: BTreeMap::new(),
    };
    let mut inserts: Vec<String> = Vec::new();
    for target in targets {
        let input = lowering.relation(target.relation)?;
        inserts.push(lowering.sink(target.sink, input, &inserts)?);
    }
    let nodes =
        changelog::settle(lowering.nodes, &lowering.facts, plan_settings.mini_batch.is_some());
    let graph = StreamGraph { settings: plan_settings.clone(), nodes };
    graph.validate()?;
    Ok((graph, inserts))
}

struct Lowering<'a> {
    settings: &'a Settings,
    nodes: Vec<Node>,
    /// What each node computes, beside `nodes`.
    identities: Vec<Identity>,
    /// What is known of its changes, beside `nodes`.
    facts: Vec<Facts>,
    /// Nodes by their content, to share equal ones.
    known: HashMap<String, usize>,
    /// How often an id was wanted.
    ids: BTreeMap<u64, u64>,
}

/// A node that is about to be added.
struct Draft {
    operator: Operator,
    inputs: Vec<Input>,
    schema: Vec<Field>,
    identity: Identity,
    /// What its id comes from.
    id: Digest,
    parallelism: Option<u32>,
    /// State TTL per input in ms; empty where there is none.
    ttl: Vec<u64>,
    /// How many of a join's columns are the right side's.
    right_width: usize,
}

impl Draft {
    /// A node with its own parallelism left to the job, and no TTL.
    fn new(
        operator: Operator,
        inputs: Vec<Input>,
        schema: Vec<Field>,
        identity: Identity,
        id: Digest,
    ) -> Self {
        Self {
            operator,
            inputs,
            schema,
            identity,
            id,
            parallelism: None,
            ttl: Vec::new(),
            right_width: 0,
        }
    }
}

impl Lowering<'_> {
    fn relation(&mut self, relation: Relation) -> Result<usize> {
        let schema = relation.schema;
        match relation.op {
            RelOp::Scan(scan) => self.scan(*scan, schema),
            RelOp::Values(rows) => self.values(rows, schema),
            RelOp::Project { input, exprs } => match input.op {
                RelOp::Filter { input, predicate } => self.calc(*input, Some(predicate), exprs),
                op => self.calc(Relation { op, schema: input.schema }, None, exprs),
            },
            RelOp::Filter { input, predicate } => {
                let identity = input.identity();
                self.calc(*input, Some(predicate), identity)
            }
            RelOp::Union { inputs } => self.union(inputs, schema),
            RelOp::WindowTvf { input, tvf } => self.window_tvf(*input, tvf, schema),
            RelOp::Aggregate { input, aggregate } => {
                self.window_aggregate(*input, aggregate, schema)
            }
            RelOp::WindowRank { input, rank } => self.window_rank(*input, rank, schema),
            RelOp::Group { input, group } => self.group(*input, group, schema),
            RelOp::Expand { input, projections } => self.expand(*input, projections, schema),
            RelOp::Rank { input, rank } => self.rank(*input, rank, schema),
            RelOp::Over { input, over } => self.over(*input, over, schema),
            RelOp::Sort { input, sort } => self.sort(*input, sort, schema),
            RelOp::Match { input, pattern } => self.match_recognize(*input, *pattern, schema),
            RelOp::Gate { input, keys } => self.gate(*input, &keys),
            RelOp::Late { input, late } => self.late_rows(*input, late),
            RelOp::ToChangelog { input, changelog, timed } => {
                self.changelog_rows(*input, changelog, timed, schema)
            }
            RelOp::FromChangelog { input, changelog } => {
                self.changelog_of_rows(*input, changelog, schema)
            }
            RelOp::Unnest { input, unnest } => self.unnest(*input, unnest, schema),
            RelOp::Join { left, right, join } => self.join(*left, *right, join, schema),
            RelOp::Number { number, .. } => {
                Err(Error::internal("a row number was not planned").at(number.span))
            }
        }
    }

    /// A scan; rows that come as updates by key are completed.
    fn scan(&mut self, scan: Scan, schema: Vec<Field>) -> Result<usize> {
        let table = scan.table.clone();
        let upserts = match changes(&table.options, Role::Source) {
            Changes::Upsert => true,
            Changes::All if self.settings.boolean("table.exec.source.cdc-events-duplicate") => {
                if let Some(governed) = &table.governed {
                    governed.check_key(&table, true)?;
                }
                !table.primary_key.is_empty()
            }
            Changes::All => false,
            Changes::Append | Changes::WithoutOld => false,
        };
        let source = self.source(scan, schema)?;
        if !upserts {
            return Ok(source);
        }
        let Some(keys) = self.facts[source].keys.first().cloned() else {
            let message =
                format!("table {}: rows that come as updates need a PRIMARY KEY", table.name);
            return Err(Error::new(ErrorCode::SqlSemantic, message)
                .help("declare PRIMARY KEY (…) NOT ENFORCED"));
        };
        self.normalize(source, keys)
    }

    /// Adds a node, or finds an equal one.
    fn add(&mut self, draft: Draft) -> Result<usize> {
        let content = serde_json::to_string(&(
            &draft.operator,
            &draft.inputs,
            &draft.schema,
            draft.parallelism,
            &draft.ttl,
        ))
        .map_err(|error| Error::internal(format!("encode plan node: {error}")))?;
        if let Some(known) = self.known.get(&content) {
            return Ok(*known);
        }
        let facts = changelog::facts(&draft, &self.nodes, &self.facts)?;
        let id = self.id(draft.id);
        let inputs: Vec<&[Field]> =
            draft.inputs.iter().map(|input| self.nodes[input.node].schema.as_slice()).collect();
        let name = name::of(&draft.operator, &inputs, &draft.schema);
        self.nodes.push(Node {
            id,
            name,
            operator: draft.operator,
            inputs: draft.inputs,
            schema: draft.schema,
            // Known when all readers are.
            changelog: ChangelogMode::APPEND,
            upsert_key: facts.keys.first().cloned(),
            state_ttl_ms: draft.ttl,
            parallelism: draft.parallelism,
        });
        self.facts.push(facts);
        self.identities.push(draft.identity);
        self.known.insert(content, self.nodes.len() - 1);
        Ok(self.nodes.len() - 1)
    }

    /// The id of a digest; a repeated digest is told apart by its number.
    fn id(&mut self, digest: Digest) -> OperatorId {
        let count = self.ids.entry(digest.value()).or_insert(0);
        let number = *count;
        *count += 1;
        if number == 0 {
            OperatorId(digest.value())
        } else {
            OperatorId(digest.number(number).value())
        }
    }

    fn values(
        &mut self,
        rows: Vec<Vec<tidegate_plan::Literal>>,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let identity = Identity::values(&rows, schema.len());
        let id = identity.rows.word("values");
        let operator = Operator::Values(Values { rows });
        self.add(Draft::new(operator, Vec::new(), schema, identity, id))
    }

    fn calc(
        &mut self,
        input: Relation,
        filter: Option<Expr>,
        projection: Vec<NamedExpr>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        self.calc_of(node, filter, projection)
    }

    fn calc_of(
        &mut self,
        node: usize,
        filter: Option<Expr>,
        projection: Vec<NamedExpr>,
    ) -> Result<usize> {
        let below = &self.identities[node];
        let identity = below.calc(filter.as_ref(), &projection);
        let id = identity
            .columns
            .iter()
            .fold(identity.rows.word("calc"), |id, column| id.digest(*column));
        let schema = crate::algebra::schema_of(&projection);
        let operator = Operator::Calc(Calc { filter, projection });
        self.add(Draft::new(operator, forward(node), schema, identity, id))
    }

    fn union(&mut self, inputs: Vec<Relation>, schema: Vec<Field>) -> Result<usize> {
        let nodes =
            inputs.into_iter().map(|input| self.relation(input)).collect::<Result<Vec<_>>>()?;
        let below: Vec<&Identity> = nodes.iter().map(|node| &self.identities[*node]).collect();
        let identity = Identity::union(&below, schema.len());
        let id = identity.rows.word("union");
        let inputs =
            nodes.into_iter().map(|node| Input { node, exchange: Exchange::Forward }).collect();
        self.add(Draft::new(Operator::Union, inputs, schema, identity, id))
    }
}

fn forward(node: usize) -> Vec<Input> {
    vec![Input { node, exchange: Exchange::Forward }]
}

/// By key, or to one subtask where there is none.
fn keyed(node: usize, keys: &[usize]) -> Vec<Input> {
    let exchange = match keys {
        [] => Exchange::Single,
        keys => Exchange::Hash { keys: keys.to_vec() },
    };
    vec![Input { node, exchange }]
}
