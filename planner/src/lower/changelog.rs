//! Which changes the edges of a plan carry.
//!
//! Upwards, as nodes are added ([`facts`]): whether a node's rows are updated or deleted, and which
//! columns tell its rows apart. Downwards, when all readers are known ([`settle`]): whether the old
//! content of updated rows (`-U`) is needed, and whether every change is or only the last of a batch. A
//! reader that finds old rows by key does not need `-U`; one that reads versions needs every change.

use tidegate_connector_spec::{Changes, Role, changes};
use tidegate_plan::operator::{JoinKind, Table};
use tidegate_plan::window::WindowShape;
use tidegate_plan::{
    ChangelogMode, Exchange, Expr, Input, NamedExpr, Node, Operator, RowKind, Updates,
};
use tidegate_types::{Error, ErrorCode, OperatorId, Result};

use super::Draft;

/// What is known of a node's output.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Whether rows are updated.
    pub(super) updates: bool,
    /// Whether rows are deleted.
    pub(super) deletes: bool,
    /// Whether each `-U` is followed by its `+U`, so that it can be left out.
    paired: bool,
    /// Sets of columns, each of which tells the rows apart, and whose changes come in order; the best first.
    pub(super) keys: Vec<Vec<usize>>,
    /// The node below (or this one) that makes the changes.
    origin: Option<usize>,
}

impl Facts {
    /// Whether rows only come and never change.
    pub(super) fn is_append(&self) -> bool {
        !self.updates && !self.deletes
    }
}

/// The facts of a node that is about to be added.
///
/// # Errors
/// `UNSUPPORTED` if it cannot read changes that its input makes.
pub(super) fn facts(draft: &Draft, nodes: &[Node], known: &[Facts]) -> Result<Facts> {
    let inputs: Vec<&Facts> = draft.inputs.iter().map(|input| &known[input.node]).collect();
    let own = nodes.len();
    check_inputs(draft, nodes, &inputs)?;
    let mut facts = changes_of(draft, &inputs);
    facts.keys = keys_of(draft, &inputs);
    let below = inputs.iter().find_map(|facts| facts.origin);
    facts.origin = match facts.is_append() {
        true => None,
        false if passes_changes(&draft.operator) => below.or(Some(own)),
        false => Some(own),
    };
    Ok(facts)
}

/// Whether an operator hands the changes of its input on instead of making its own.
fn passes_changes(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Calc(_)
            | Operator::Union
            | Operator::Expand(_)
            | Operator::Unnest(_)
            | Operator::WindowTvf(_)
            | Operator::LateRows(_)
            | Operator::DropUpdateBefore
            | Operator::LookupJoin(_)
            | Operator::Sink(_)
    )
}

fn check_inputs(draft: &Draft, nodes: &[Node], inputs: &[&Facts]) -> Result<()> {
    let append_only = match &draft.operator {
        Operator::WindowTvf(tvf) if matches!(tvf.shape, WindowShape::Session { .. }) => inputs,
        Operator::WindowRank(_)
        | Operator::TemporalSort(_)
        | Operator::MatchRecognize(_)
        | Operator::Deduplicate(_)
        | Operator::FromChangelog(_)
        | Operator::IntervalJoin(_)
        | Operator::WindowJoin(_) => inputs,
        Operator::OverAggregate(over)
            if !matches!(over.order, tidegate_plan::operator::OverOrder::Columns { .. }) =>
        {
            inputs
        }
        _ => &[],
    };
    let Some(changing) = append_only.iter().find(|facts| !facts.is_append()) else {
        return Ok(());
    };
    let maker = changing.origin.map_or("an operator below", |origin| nodes[origin].name.as_str());
    let message = format!(
        "{} reads inserted rows only, but {maker} updates or deletes rows that it has sent",
        draft.operator.kind()
    );
    Err(Error::unsupported(message).help(match draft.operator {
        Operator::WindowTvf(_) => {
            "aggregate by the session's window_start, window_end and exactly the columns of PARTITION BY"
        }
        Operator::WindowRank(_) => {
            "use windows before what updates rows: aggregate by window instead of without, or deduplicate by window"
        }
        Operator::FromChangelog(_) => "its rows are changes already: use them as they are, or make rows of them by TO_CHANGELOG",
        _ => "aggregate or join by window instead, so that rows are final when they come",
    }))
}

/// Whether a table's rows are updated and deleted when it is read.
fn source_changes(table: &Table) -> (bool, bool) {
    let changing = changes(&table.options, Role::Source) != Changes::Append;
    (changing, changing)
}

fn changes_of(draft: &Draft, inputs: &[&Facts]) -> Facts {
    let any_updates = inputs.iter().any(|facts| facts.updates);
    let any_deletes = inputs.iter().any(|facts| facts.deletes);
    let all_paired = inputs.iter().all(|facts| facts.paired);
    let make =
        |updates: bool, deletes: bool| Facts { updates, deletes, paired: true, ..Facts::default() };
    let pass = || Facts {
        updates: any_updates,
        deletes: any_deletes,
        paired: all_paired,
        ..Facts::default()
    };
    match &draft.operator {
        Operator::Source(source) => {
            let (updates, deletes) = source_changes(&source.table);
            make(updates, deletes)
        }
        // An updated row may pass before and not after, or the other way round.
        Operator::Calc(calc) => Facts { paired: all_paired && calc.filter.is_none(), ..pass() },
        // A row and its update may be in different windows.
        Operator::Unnest(_) | Operator::WindowTvf(_) | Operator::LateRows(_) => {
            Facts { paired: false, ..pass() }
        }
        Operator::GroupAggregate(_) => {
            let all_append = inputs.iter().all(|facts| facts.is_append());
            let distinct = matches!(&draft.operator, Operator::GroupAggregate(group) if group.aggregates.is_empty());
            // Distinct rows come once; they go only if the last of them goes.
            make(!(distinct && all_append), !all_append)
        }
        // Results are final when they come; with results before or after the window's end they change, and
        // windows can lose all rows that they had.
        Operator::WindowAggregate(aggregate) => {
            let all_append = inputs.iter().all(|facts| facts.is_append());
            make(aggregate.emit.is_some(), aggregate.emit.is_some() && !all_append)
        }
        Operator::OverAggregate(over) => match over.order {
            tidegate_plan::operator::OverOrder::Columns { .. } => make(true, true),
            _ => make(false, false),
        },
        // The first rows that come stay the first.
        Operator::Rank(rank) if rank.order.is_empty() && inputs.iter().all(|f| f.is_append()) => {
            make(false, false)
        }
        Operator::Rank(_) => make(true, true),
        Operator::Deduplicate(deduplicate) => make(deduplicate.keep_last, false),
        Operator::Join(join) => match join.kind {
            JoinKind::Inner | JoinKind::Semi => Facts { paired: true, ..pass() },
            JoinKind::Left | JoinKind::Right | JoinKind::Full | JoinKind::Anti => make(true, true),
        },
        Operator::ChangelogNormalize(_) | Operator::UpsertMaterialize(_) => make(true, true),
        Operator::ToChangelog(_) => make(false, false),
        // Nobody knows what its rows will say.
        Operator::FromChangelog(_) => Facts { paired: false, ..make(true, true) },
        // Old and new contents wait for times of their own.
        Operator::TemporalJoin(_) => {
            Facts { paired: false, ..make(inputs[0].updates, inputs[0].deletes) }
        }
        _ => pass(),
    }
}

/// The keys of an input whose changes stay in order behind the exchange: those that say to which subtask a
/// row goes. The row that replaces another of any other key may come from another subtask, and overtake it.
fn arriving(input: &Input, facts: &Facts) -> Vec<Vec<usize>> {
    let stays = |key: &&Vec<usize>| match &input.exchange {
        Exchange::Hash { keys } => keys.iter().all(|column| key.contains(column)),
        _ => true,
    };
    facts.keys.iter().filter(stays).cloned().collect()
}

/// Which columns tell the rows of the output apart.
fn keys_of(draft: &Draft, inputs: &[&Facts]) -> Vec<Vec<usize>> {
    let arriving = |place: usize| match (draft.inputs.get(place), inputs.get(place)) {
        (Some(input), Some(facts)) => arriving(input, facts),
        _ => Vec::new(),
    };
    let first = || arriving(0);
    let mut keys = match &draft.operator {
        Operator::Source(source) => source_key(source),
        Operator::Calc(calc) => projected(&first(), &calc.projection),
        Operator::WindowAggregate(aggregate) => {
            let columns = aggregate.keys.len() + aggregate.aggregates.len();
            if columns == draft.schema.len() {
                // Which window a result is of cannot be told.
                return Vec::new();
            }
            vec![(0..aggregate.keys.len()).chain(columns..draft.schema.len()).collect()]
        }
        Operator::GroupAggregate(group) => vec![(0..group.keys.len()).collect()],
        Operator::Rank(rank) => {
            let mut keys = first();
            if rank.to == 1 {
                keys.insert(0, rank.keys.clone());
            } else if rank.rank_column.is_some()
                && rank.function == tidegate_plan::operator::RankFunction::RowNumber
            {
                let place = rank.keys.iter().copied().chain([draft.schema.len() - 1]);
                keys.insert(0, place.collect());
            }
            keys
        }
        Operator::Deduplicate(deduplicate) => vec![deduplicate.keys.clone()],
        Operator::ChangelogNormalize(normalize) => vec![normalize.keys.clone()],
        Operator::UpsertMaterialize(materialize) => vec![materialize.keys.clone()],
        Operator::Join(join) => {
            join_keys(inputs, [arriving(0), arriving(1)], join.kind, &join.on, draft)
        }
        Operator::OverAggregate(_)
        | Operator::TemporalSort(_)
        | Operator::DropUpdateBefore
        | Operator::LateRows(_)
        | Operator::WindowRank(_)
        | Operator::TemporalJoin(_)
        | Operator::Sink(_) => first(),
        _ => Vec::new(),
    };
    keys.dedup();
    keys.truncate(8);
    keys
}

/// The primary key, if all of its columns are read.
fn source_key(source: &tidegate_plan::operator::Source) -> Vec<Vec<usize>> {
    let place = |name: &String| {
        let read = source.read.iter().position(|field| field.name == *name)?;
        source.projection.iter().position(|named| match &named.expr {
            Expr::Column { index, .. } => *index == read,
            // A digest, the mask of a key that stays one, tells rows apart as the text does.
            Expr::Call { function, args, .. } => {
                source.table.governed.is_some()
                    && function.name == "SHA256"
                    && matches!(args.as_slice(), [Expr::Column { index, .. }] if *index == read)
            }
            _ => false,
        })
    };
    let key: Option<Vec<usize>> = source.table.primary_key.iter().map(place).collect();
    key.filter(|key| !key.is_empty()).into_iter().collect()
}

fn projected(keys: &[Vec<usize>], projection: &[NamedExpr]) -> Vec<Vec<usize>> {
    let place = |column: &usize| {
        projection
            .iter()
            .position(|named| matches!(&named.expr, Expr::Column { index, .. } if index == column))
    };
    keys.iter().filter_map(|key| key.iter().map(place).collect()).collect()
}

/// Rows of a join are told apart by the keys of both sides, one of which stays in order; by one side's alone,
/// if the other side has at most one partner for each of its rows.
fn join_keys(
    inputs: &[&Facts],
    arriving: [Vec<Vec<usize>>; 2],
    kind: JoinKind,
    on: &tidegate_plan::operator::JoinOn,
    draft: &Draft,
) -> Vec<Vec<usize>> {
    let [left, right] = inputs else { return Vec::new() };
    let [from_left, from_right] = arriving;
    if !kind.has_right_columns() {
        return from_left;
    }
    let unique = |facts: &Facts, columns: &[usize]| {
        facts.keys.iter().any(|key| key.iter().all(|column| columns.contains(column)))
    };
    let width = draft.schema.len() - draft.right_width;
    let of_right =
        |key: &Vec<usize>| key.iter().map(|column| column + width).collect::<Vec<usize>>();
    let (one_left, one_right) = (unique(left, &on.left_keys), unique(right, &on.right_keys));
    let mut keys = Vec::new();
    // A padded row has no partner's key: it is told apart by its own side only.
    if one_right && !kind.keeps_right() {
        keys.extend(from_left.iter().cloned());
    }
    if one_left && !kind.keeps_left() {
        keys.extend(from_right.iter().map(of_right));
    }
    for a in &left.keys {
        let with = right.keys.iter().filter(|b| from_left.contains(a) || from_right.contains(b));
        keys.extend(with.map(|b| [a.clone(), of_right(b)].concat()));
    }
    keys
}

/// The nodes with their changelog modes; where the old content of updated rows comes and is not wanted,
/// it is dropped.
pub(super) fn settle(mut nodes: Vec<Node>, facts: &[Facts], mini_batch: bool) -> Vec<Node> {
    let mut needed = vec![false; nodes.len()];
    for index in (0..nodes.len()).rev() {
        for (place, input) in nodes[index].inputs.iter().enumerate() {
            needed[input.node] |= needs_before(&nodes[index], place, needed[index], facts);
        }
    }
    for index in 0..nodes.len() {
        let updates = match (facts[index].updates, makes_changes(&nodes[index].operator)) {
            (false, _) => Updates::None,
            (true, true) if needed[index] => Updates::BeforeAndAfter,
            (true, true) => Updates::After,
            (true, false) => own_updates(&nodes[index], &nodes),
        };
        nodes[index].changelog = ChangelogMode { updates, deletes: facts[index].deletes };
    }
    keep_versions(&mut nodes, mini_batch);
    drop_unwanted(nodes, facts)
}

/// Where a temporal join reads versions, or a log of changes is made, what makes them lets out each of them.
fn keep_versions(nodes: &mut [Node], mini_batch: bool) {
    let mut read = vec![false; nodes.len()];
    for index in (0..nodes.len()).rev() {
        let passes = read[index] && passes_changes(&nodes[index].operator);
        let versions = match nodes[index].operator {
            Operator::TemporalJoin(_) => Some(1),
            Operator::ToChangelog(_) => Some(0),
            _ => None,
        };
        for (place, input) in nodes[index].inputs.iter().enumerate() {
            read[input.node] |= passes || versions == Some(place);
        }
        match &mut nodes[index].operator {
            Operator::Deduplicate(deduplicate) => {
                deduplicate.each_change = read[index] && deduplicate.keep_last;
            }
            Operator::ChangelogNormalize(normalize) => normalize.each_change = read[index],
            // A mini-batch is asked for so that changes are put together.
            Operator::GroupAggregate(group) if read[index] && !mini_batch => {
                (group.each_change, group.two_phase) = (true, false);
            }
            _ => {}
        }
    }
}

/// Whether a node needs the old content of updated rows of an input; `own`: whether its readers do.
fn needs_before(node: &Node, place: usize, own: bool, facts: &[Facts]) -> bool {
    let input = &facts[node.inputs[place].node];
    if !input.updates {
        return false;
    }
    match &node.operator {
        Operator::Sink(sink) => wants_old(&sink.table),
        Operator::Calc(calc) => own || calc.filter.is_some(),
        Operator::Union | Operator::Expand(_) => own,
        Operator::ToChangelog(to) => to.code(RowKind::UpdateBefore).is_some(),
        Operator::ChangelogNormalize(_) => false,
        Operator::Join(join) => {
            // Of a row whose other columns are compared too the old content is elsewhere.
            let keys = [&join.on.left_keys, &join.on.right_keys][place];
            let same = |key: &Vec<usize>| {
                key.iter().all(|column| keys.contains(column))
                    && keys.iter().all(|column| key.contains(column))
            };
            own || !input.keys.iter().any(same)
        }
        Operator::TemporalJoin(_) => place == 0,
        _ => true,
    }
}

/// What a sink takes.
pub(super) fn sink_changes(table: &Table) -> Changes {
    match table.options.get("connector").map(String::as_str) {
        Some(super::COLLECT) => Changes::All,
        _ => changes(&table.options, Role::Sink),
    }
}

/// Whether a sink is to be sent the old content of updated rows.
fn wants_old(table: &Table) -> bool {
    !matches!(sink_changes(table), Changes::Upsert | Changes::WithoutOld)
}

/// Whether an operator decides itself whether it sends old content.
fn makes_changes(operator: &Operator) -> bool {
    !passes_changes(operator)
        && !matches!(operator, Operator::Source(_) | Operator::FromChangelog(_))
}

/// Updates as they come from the inputs, or from outside.
fn own_updates(node: &Node, nodes: &[Node]) -> Updates {
    match &node.operator {
        Operator::Source(source) => match changes(&source.table.options, Role::Source) {
            Changes::Append => Updates::None,
            Changes::Upsert | Changes::WithoutOld => Updates::After,
            Changes::All => Updates::BeforeAndAfter,
        },
        Operator::DropUpdateBefore => Updates::After,
        Operator::FromChangelog(_) => Updates::BeforeAndAfter,
        _ => {
            let below = node.inputs.iter().map(|input| nodes[input.node].changelog.updates);
            below.max().unwrap_or_default()
        }
    }
}

/// Puts a node that drops old content before sinks that find old rows by key.
fn drop_unwanted(nodes: Vec<Node>, facts: &[Facts]) -> Vec<Node> {
    let mut result: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut moved = Vec::with_capacity(nodes.len());
    for (index, mut node) in nodes.into_iter().enumerate() {
        let below = node.inputs.first().map(|input| (input.node, moved[input.node]));
        node.inputs.iter_mut().for_each(|input| input.node = moved[input.node]);
        if let (Operator::Sink(sink), Some((old, place))) = (&node.operator, below)
            && !wants_old(&sink.table)
            && facts[old].paired
            && result[place].changelog.updates == Updates::BeforeAndAfter
        {
            let from: &Node = &result[place];
            let dropping = Node {
                id: OperatorId(node.id.0.rotate_left(17) ^ 0x5bd1_e995),
                name: "DropUpdateBefore".to_owned(),
                operator: Operator::DropUpdateBefore,
                inputs: vec![Input { node: place, exchange: Exchange::Forward }],
                schema: from.schema.clone(),
                changelog: ChangelogMode { updates: Updates::After, ..from.changelog },
                upsert_key: from.upsert_key.clone(),
                state_ttl_ms: Vec::new(),
                parallelism: from.parallelism,
            };
            result.push(dropping);
            node.inputs[0].node = result.len() - 1;
            node.changelog.updates = Updates::After;
        }
        debug_assert_eq!(moved.len(), index);
        moved.push(result.len());
        result.push(node);
    }
    result
}

/// Checks that a sink takes the changes of its input; returns the key by which they must be brought into
/// order first, if they must.
///
/// # Errors
/// `UNSUPPORTED` with the operator that makes changes which the sink cannot take.
pub(super) fn check_sink(
    table: &Table,
    input: &Facts,
    nodes: &[Node],
    key: Option<Vec<usize>>,
) -> Result<Option<Vec<usize>>> {
    if input.is_append() {
        return Ok(None);
    }
    let maker = input.origin.map_or("an operator below", |origin| nodes[origin].name.as_str());
    let connector = table.options.get("connector").map_or("", String::as_str);
    match (sink_changes(table), key) {
        (Changes::Append, _) => {
            let kinds = if input.deletes { "updates and deletes" } else { "updates" };
            let message = format!(
                "table '{}' takes inserted rows only, but {maker} sends {kinds}",
                table.name
            );
            let help = match connector {
                "kafka" => {
                    "use connector 'upsert-kafka' with a PRIMARY KEY, or a format such as 'debezium-json'"
                }
                "filesystem" => {
                    "aggregate by window, so that rows are final, or use a format such as 'debezium-json'"
                }
                _ => {
                    "aggregate by window, so that rows are final, or use a sink that takes updates"
                }
            };
            Err(Error::unsupported(message).help(help))
        }
        (Changes::Upsert, None) => {
            let message = format!(
                "table '{}' takes updates by key, but declares no PRIMARY KEY; {maker} sends updates",
                table.name
            );
            Err(Error::new(ErrorCode::SqlSemantic, message)
                .help("declare PRIMARY KEY (…) NOT ENFORCED in its CREATE TABLE"))
        }
        (Changes::Upsert | Changes::WithoutOld | Changes::All, Some(key)) => {
            let ordered = input.keys.iter().any(|known| known.iter().all(|c| key.contains(c)));
            Ok((!ordered).then_some(key))
        }
        (Changes::WithoutOld | Changes::All, None) => Ok(None),
    }
}
