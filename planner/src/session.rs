//! A session: settings, tables and views, changed by statements in the order of a script.
//!
//! Here are settings and what runs; `definition`, `function`, `namespace`, `like`, `table_as` and `alter`
//! change the catalog, `show` tells what is in it.

mod alter;
mod definition;
mod function;
mod like;
mod namespace;
mod partition;
mod show;
mod table_as;

use std::sync::Arc;

use tidegate_functions::Zone;
use tidegate_plan::settings::{self, Settings};
use tidegate_plan::{MiniBatch, PlanSettings, Schema, StreamGraph};
use tidegate_types::key_group::DEFAULT_KEY_GROUPS;
use tidegate_types::{Error, Result, Span};

use crate::bind::{self, Binder};
use crate::catalog::{Catalog, Namespace, Object, Table};
use crate::governed::{self, Found, GovernedCatalogs, GovernedTables, Purpose};
use crate::lower::{self, SinkTarget, Target};
use crate::parser::ast::{
    Explain, Insert, PlanFileStatement, QueryText, Statement, StatementKind, TableName,
};
use crate::plan_file::{Existing, PlanAction, PlanFile};
use crate::{explain, optimize};

/// Plans statements one after the other.
#[derive(Debug, Clone)]
pub struct Session {
    settings: Settings,
    catalog: Catalog,
    /// The database in use.
    here: Namespace,
    default_time_zone: String,
}

/// What a statement comes to.
#[derive(Debug, Clone)]
pub enum Planned {
    /// It is done; a message for people.
    Done(String),
    /// It answers with rows.
    Rows(Rows),
    /// It runs.
    Job(Box<JobPlan>),
    /// It runs, and the answer is [`crate::analyzed`] with what its operators did.
    Analyze(Box<JobPlan>),
    /// It stores a plan in a file or runs one from there.
    PlanFile(Box<PlanFile>),
}

/// The answer of SHOW, DESCRIBE, SET and EXPLAIN. An empty text stands where Flink has NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Column names.
    pub columns: Vec<String>,
    /// Values as text, as wide as `columns`.
    pub rows: Vec<Vec<String>>,
}

/// A job to run.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// The plan.
    pub graph: StreamGraph,
    /// Names of the inserts, as their sinks have them; [`crate::COLLECT`] for a SELECT.
    pub inserts: Vec<String>,
    /// The columns of a SELECT; its rows go to the sink with connector [`crate::COLLECT`].
    pub query: Option<Schema>,
    /// The session's settings when the job was planned.
    pub settings: Settings,
}

impl JobPlan {
    /// Whether the rows of the job's first sink may be updated or deleted.
    pub fn is_changing(&self) -> bool {
        let sinks = self.graph.nodes.iter();
        let mut inputs = sinks
            .filter(|node| matches!(node.operator, tidegate_plan::Operator::Sink(_)))
            .filter_map(|node| self.graph.nodes.get(node.inputs.first()?.node));
        inputs.next().is_some_and(|node| !node.changelog.is_append())
    }
}

impl Session {
    /// A session without tables. `table.local-time-zone` = `default` is UTC: see
    /// [`Session::with_default_time_zone`].
    ///
    /// # Errors
    /// `INVALID_OPTION` if a setting that plans depend on does not fit.
    pub fn new(settings: Settings) -> Result<Self> {
        let session = Self {
            settings,
            catalog: Catalog::new(),
            here: Namespace::default(),
            default_time_zone: "UTC".to_owned(),
        };
        session.plan_settings()?;
        Ok(session)
    }

    /// Sets what `table.local-time-zone` = `default` means: the machine's zone.
    ///
    /// # Errors
    /// `INVALID_OPTION` if it is no time zone.
    pub fn with_default_time_zone(mut self, zone: &str) -> Result<Self> {
        Zone::parse(zone)?;
        self.default_time_zone = zone.to_owned();
        Ok(self)
    }

    /// Lets names that the script does not define stand for governed tables, as a job of `project` sees them. Names
    /// without a database are then those of the project's database [`FIRST_DATABASE`](crate::governed::FIRST_DATABASE),
    /// `database.table` is of the project, `project.database.table` of any.
    ///
    /// # Errors
    /// `NOT_FOUND` if the provider does not know the project; its own errors.
    pub fn with_governed_tables(
        mut self,
        tables: Arc<dyn GovernedTables>,
        project: &str,
    ) -> Result<Self> {
        self.catalog.govern(GovernedCatalogs::new(tables, project))?;
        Ok(self)
    }

    /// The settings as they are now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The tables and views as they are now.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Applies a statement, or plans it if it runs.
    ///
    /// # Errors
    /// `SQL_SEMANTIC`, `UNSUPPORTED`, `INVALID_OPTION`, … with the place in the script.
    pub fn plan(&mut self, statement: &Statement) -> Result<Planned> {
        self.plan_kind(statement).map_err(|error| error.at(statement.span))
    }

    fn plan_kind(&mut self, statement: &Statement) -> Result<Planned> {
        match &statement.kind {
            StatementKind::CreateTable(create) => self.create_table(create, statement.span),
            StatementKind::CreateTableAs(create) => self.create_table_as(create),
            StatementKind::CreateView(create) => self.create_view(create),
            StatementKind::CreateFunction(create) => self.create_function(create),
            StatementKind::AlterFunction(altered) => self.alter_function(altered),
            StatementKind::Namespace(statement) => self.namespace_statement(statement),
            StatementKind::Drop(drop) => self.drop_object(drop),
            StatementKind::AlterTable(alter) => self.alter_table(alter, statement.span),
            StatementKind::AlterView(alter) => self.alter_view(alter),
            StatementKind::Set(setting) => self.set(setting.as_ref(), statement.span),
            StatementKind::Reset(key) => self.reset(key.as_deref(), statement.span),
            StatementKind::Insert(insert) => self.job(std::slice::from_ref(insert)),
            StatementKind::StatementSet(inserts) if inserts.is_empty() => {
                Err(bind::semantic("the statement set has no INSERT", statement.span))
            }
            StatementKind::StatementSet(inserts) => self.job(inserts),
            StatementKind::Query(query) => self.select(query),
            StatementKind::Explain(explain) => self.explain(explain),
            StatementKind::PlanFile(statement) => self.plan_file(statement),
            StatementKind::Show(show) => self.show(show, statement.span),
            StatementKind::Describe(described) => self.describe(described).map(Planned::Rows),
            StatementKind::Use(used) => self.use_statement(used, statement.span),
        }
    }

    fn set(&mut self, setting: Option<&(String, String)>, span: Span) -> Result<Planned> {
        let Some((key, value)) = setting else {
            let rows =
                self.settings.iter().map(|(key, value)| vec![key.to_owned(), value.to_owned()]);
            return Ok(Planned::Rows(Rows {
                columns: vec!["key".to_owned(), "value".to_owned()],
                rows: rows.collect(),
            }));
        };
        let mut changed = self.settings.clone();
        changed.set(key, value).map_err(|error| error.at(span))?;
        let before = std::mem::replace(&mut self.settings, changed);
        if let Err(error) = self.plan_settings() {
            self.settings = before;
            return Err(error.at(span));
        }
        Ok(Planned::Done(format!("{key} = {value}")))
    }

    fn reset(&mut self, key: Option<&str>, span: Span) -> Result<Planned> {
        if let Some(key) = key
            && settings::lookup(key).is_none()
        {
            // The registry knows the nearest key.
            settings::validate(key, "").map_err(|error| error.at(span))?;
        }
        self.settings.reset(key);
        Ok(done(key.map_or("all settings are reset", |_| "the setting is reset")))
    }

    /// A job of one or several INSERTs.
    fn job(&self, inserts: &[Insert]) -> Result<Planned> {
        let plan_settings = self.plan_settings()?;
        let mut targets = Vec::with_capacity(inserts.len());
        for insert in inserts {
            let mut binder = self.binder(&insert.query, &plan_settings);
            let bound = bind::insert::insert(&mut binder, insert, self.drops_nulls())?;
            targets.push((bound.relation.clone(), SinkTarget::Table(Box::new(bound))));
        }
        let late = self.late_table(inserts)?;
        self.finish(targets, &plan_settings, None, late)
    }

    /// Whether rows with NULL where a table takes none are left out, else they fail the job.
    fn drops_nulls(&self) -> bool {
        let setting = self.settings.get("table.exec.sink.not-null-enforcer");
        setting.is_some_and(|setting| setting.eq_ignore_ascii_case("DROP"))
    }

    fn select(&self, query: &QueryText) -> Result<Planned> {
        let plan_settings = self.plan_settings()?;
        let relation = self.binder(query, &plan_settings).whole_query(&query.query)?;
        let schema = relation.schema.clone();
        self.finish(vec![(relation, SinkTarget::Collect)], &plan_settings, Some(schema), None)
    }

    /// The table that late rows of windows go to, and the place of the job that it is for.
    fn late_table(&self, inserts: &[Insert]) -> Result<Option<(Arc<Table>, Span)>> {
        let name = self.settings.get(optimize::LATE_ROWS).map(str::trim);
        let (Some(name), Some(insert)) = (name, inserts.first()) else { return Ok(None) };
        let span = insert.span;
        // A name may have dots in it; else they stand between its parts.
        let whole = TableName { parts: vec![name.to_owned()], span };
        let name = match self.catalog.get(&self.here.path(name)) {
            Some(_) => whole,
            None => {
                let parts = name.split('.').map(|part| part.trim().to_owned()).collect();
                TableName { parts, span }
            }
        };
        let context = |error: Error| error.context(format!("'{}'", optimize::LATE_ROWS));
        match self.named(&name, Purpose::Write).map_err(context)?.object {
            Some(Object::Table(table)) => Ok(Some((table, span))),
            _ => Err(context(self.no_such("table", &name)?)),
        }
    }

    fn finish(
        &self,
        targets: Vec<(crate::algebra::Relation, SinkTarget)>,
        plan_settings: &PlanSettings,
        query: Option<Schema>,
        late: Option<(Arc<Table>, Span)>,
    ) -> Result<Planned> {
        let (relations, mut sinks): (Vec<_>, Vec<_>) = targets.into_iter().unzip();
        let late_table = late.as_ref().map(|(table, _)| table);
        let splits = self.settings.boolean("table.optimizer.distinct-agg.split.enabled");
        let buckets = self.settings.integer("table.optimizer.distinct-agg.split.bucket-num");
        let buckets = buckets.filter(|_| splits);
        let relations = optimize::optimize(relations, plan_settings, buckets, late_table)?;
        relations.iter().try_for_each(governed::check)?;
        if let Some((table, span)) = late {
            sinks.extend(relations[sinks.len()..].iter().map(|relation| {
                let (table, relation) = (Arc::clone(&table), relation.clone());
                let insert = bind::insert::BoundInsert {
                    table,
                    relation,
                    overwrite: false,
                    on_conflict: None,
                    span,
                };
                SinkTarget::Table(Box::new(insert))
            }));
        }
        let targets = relations
            .into_iter()
            .zip(sinks)
            .map(|(relation, sink)| Target { relation, sink })
            .collect();
        let (graph, inserts) = lower::lower(targets, plan_settings, &self.settings)?;
        let settings = self.settings.clone();
        Ok(Planned::Job(Box::new(JobPlan { graph, inserts, query, settings })))
    }

    fn plan_file(&mut self, statement: &PlanFileStatement) -> Result<Planned> {
        let action = match &statement.compiled {
            None => PlanAction::Execute { settings: self.settings.clone() },
            Some(compiled) => {
                let Planned::Job(job) = self.plan(compiled)? else {
                    return Err(Error::internal("an INSERT was planned as something else"));
                };
                let existing = match self.settings.boolean("table.plan.force-recompile") {
                    true => Existing::Replace,
                    false if statement.if_not_exists || statement.execute => Existing::Keep,
                    false => Existing::Refuse,
                };
                PlanAction::Compile { job, existing, execute: statement.execute }
            }
        };
        let path = statement.path.clone();
        Ok(Planned::PlanFile(Box::new(PlanFile { path, action })))
    }

    fn explain(&self, explain: &Explain) -> Result<Planned> {
        let runs = matches!(
            explain.statement.kind,
            StatementKind::Query(_)
                | StatementKind::Insert(_)
                | StatementKind::StatementSet(_)
                | StatementKind::CreateTableAs(_)
        );
        // What is analyzed writes its rows, and the table would not be there.
        let makes = matches!(explain.statement.kind, StatementKind::CreateTableAs(_));
        if makes && explain.analyze {
            let message = "EXPLAIN ANALYZE takes a query, an INSERT or a statement set";
            let error = bind::semantic(message, explain.statement.span);
            return Err(error.help("create the table first, then analyze an INSERT into it"));
        }
        if !runs {
            return Err(bind::semantic(
                "EXPLAIN takes a query, an INSERT, a CREATE TABLE … AS or a statement set",
                explain.statement.span,
            ));
        }
        // A table that the statement makes is not to stay.
        let Planned::Job(job) = self.clone().plan(&explain.statement)? else {
            return Err(Error::internal("a query was planned as something else"));
        };
        if explain.analyze {
            return Ok(Planned::Analyze(Box::new(discarding(*job))));
        }
        let text = match explain.json {
            true => tidegate_plan::encoding::encode(&job.graph)?,
            false => explain::explain(&job.graph),
        };
        Ok(Planned::Rows(Rows { columns: vec!["result".to_owned()], rows: vec![vec![text]] }))
    }

    /// What a name stands for in a use of it.
    fn named(&self, name: &TableName, purpose: Purpose) -> Result<Found> {
        self.catalog.named(name, &self.here, purpose, &self.plan_settings()?)
    }

    /// What a full name stands for, where no script names it.
    pub(crate) fn governed_table(
        &self,
        parts: Vec<String>,
        purpose: Purpose,
    ) -> Result<Option<Object>> {
        let span = Span { line: 1, column: 1, end_line: 1, end_column: 1 };
        Ok(self.named(&TableName { parts, span }, purpose)?.object)
    }

    /// Tables of a database that are seen.
    pub(crate) fn governed_names(&self, project: &str, database: &str) -> Vec<String> {
        self.catalog.governed_names(&Namespace::new(project, database)).unwrap_or_default()
    }

    fn binder<'a>(&'a self, query: &'a QueryText, settings: &'a PlanSettings) -> Binder<'a> {
        Binder::new(&self.catalog, &self.here, settings, &query.hints, query.span)
    }

    /// The settings that the meaning of plans depends on.
    pub(crate) fn plan_settings(&self) -> Result<PlanSettings> {
        let zone = match self.settings.get("table.local-time-zone") {
            None | Some("default") => self.default_time_zone.clone(),
            Some(zone) => zone.to_owned(),
        };
        Zone::parse(&zone)?;
        let groups = self.settings.integer("pipeline.max-parallelism");
        let key_groups = groups.and_then(|n| u16::try_from(n).ok()).unwrap_or(DEFAULT_KEY_GROUPS);
        let mini_batch = self.settings.boolean("table.exec.mini-batch.enabled").then(|| {
            let latency = self.settings.duration("table.exec.mini-batch.allow-latency");
            let size = self.settings.integer("table.exec.mini-batch.size").unwrap_or(-1);
            MiniBatch {
                latency_ms: latency.unwrap_or_default().as_millis() as u64,
                size: u64::try_from(size).unwrap_or(u64::MAX),
            }
        });
        Ok(PlanSettings { time_zone: zone, key_groups, mini_batch })
    }
}

/// The job of a query, without its rows.
fn discarding(mut job: JobPlan) -> JobPlan {
    let sinks = job.graph.nodes.iter_mut().filter_map(|node| match &mut node.operator {
        tidegate_plan::Operator::Sink(sink) if job.query.is_some() => Some(sink),
        _ => None,
    });
    for sink in sinks {
        sink.table.options.insert("connector".to_owned(), "blackhole".to_owned());
    }
    job
}

fn done(message: &str) -> Planned {
    Planned::Done(message.to_owned())
}
