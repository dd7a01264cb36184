//! A session: settings, tables and views, changed by statements in the order of a script.

use std::sync::Arc;

use tidegate_functions::Zone;
use tidegate_plan::settings::{self, Settings};
use tidegate_plan::{MiniBatch, PlanSettings, Schema, StreamGraph};
use tidegate_types::key_group::DEFAULT_KEY_GROUPS;
use tidegate_types::{Error, ErrorCode, Result, Span};

use crate::bind::{self, Binder};
use crate::catalog::{Catalog, Object, View};
use crate::lower::{self, SinkTarget, Target};
use crate::parser::ast::{
    CreateTable, CreateView, Drop, Explain, Insert, ObjectKind, PlanFileStatement, QueryText,
    Statement, StatementKind, TableName,
};
use crate::plan_file::{Existing, PlanAction, PlanFile};
use crate::{describe, explain, optimize};

/// Plans statements one after the other.
#[derive(Debug, Clone)]
pub struct Session {
    settings: Settings,
    catalog: Catalog,
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

/// The answer of SHOW, DESCRIBE, SET and EXPLAIN.
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
        let session =
            Self { settings, catalog: Catalog::new(), default_time_zone: "UTC".to_owned() };
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
            StatementKind::CreateTable(create) => self.create_table(create, statement),
            StatementKind::CreateView(create) => self.create_view(create, statement),
            StatementKind::CreateFunction { name, class } => create_function(name, class),
            StatementKind::Drop(drop) => self.drop_object(drop),
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
            StatementKind::ShowTables => Ok(names("table name", self.catalog.names())),
            StatementKind::ShowViews => Ok(names("view name", self.catalog.view_names())),
            StatementKind::ShowCreate(kind, name) => self.show_create(*kind, name),
            StatementKind::Describe(name) => self.describe(name),
        }
    }

    fn create_table(&mut self, create: &CreateTable, statement: &Statement) -> Result<Planned> {
        let settings = self.plan_settings()?;
        if !self.is_free(&create.name, create.if_not_exists)? {
            return Ok(done("the table exists already"));
        }
        let table = bind::table::table(create, &statement.text, &settings, statement.span)?;
        let name = table.name.clone();
        self.catalog.insert(name.clone(), Object::Table(Arc::new(table)));
        Ok(Planned::Done(format!("table {name} created")))
    }

    fn create_view(&mut self, create: &CreateView, statement: &Statement) -> Result<Planned> {
        let settings = self.plan_settings()?;
        if !self.is_free(&create.name, create.if_not_exists)? {
            return Ok(done("the view exists already"));
        }
        let relation = self.binder(&create.query, &settings).query(&create.query.query)?;
        if !create.columns.is_empty() && create.columns.len() != relation.schema.len() {
            let message = format!(
                "the view names {} columns, its query has {}",
                create.columns.len(),
                relation.schema.len()
            );
            return Err(bind::semantic(message, create.name.span));
        }
        let name = create.name.resolve()?.to_owned();
        let view = View {
            name: name.clone(),
            columns: create.columns.iter().map(|column| column.value.clone()).collect(),
            query: create.query.clone(),
            text: statement.text.clone(),
        };
        self.catalog.insert(name.clone(), Object::View(Arc::new(view)));
        Ok(Planned::Done(format!("view {name} created")))
    }

    /// Whether a name may be given to something new.
    fn is_free(&self, name: &TableName, if_not_exists: bool) -> Result<bool> {
        let resolved = name.resolve()?;
        let Some(object) = self.catalog.get(resolved) else {
            return Ok(true);
        };
        if if_not_exists {
            return Ok(false);
        }
        let noun = kind_of(object).noun();
        let message = format!("there is a {noun} '{resolved}' already");
        Err(Error::new(ErrorCode::AlreadyExists, message)
            .at(name.span)
            .help(format!("use IF NOT EXISTS, or DROP {} first", noun.to_uppercase())))
    }

    fn drop_object(&mut self, drop: &Drop) -> Result<Planned> {
        let name = drop.name.resolve()?;
        let noun = drop.kind.noun();
        match self.catalog.get(name).map(kind_of) {
            Some(kind) if kind == drop.kind => {
                self.catalog.remove(name);
                Ok(Planned::Done(format!("{noun} {name} dropped")))
            }
            Some(kind) => Err(bind::semantic(
                format!("'{name}' is a {}, not a {noun}", kind.noun()),
                drop.name.span,
            )),
            None if drop.if_exists => Ok(Planned::Done(format!("there is no {noun} {name}"))),
            None => Err(self.no_such(noun, name, drop.name.span)),
        }
    }

    fn no_such(&self, noun: &str, name: &str, span: Span) -> Error {
        let error =
            Error::new(ErrorCode::NotFound, format!("there is no {noun} '{name}'")).at(span);
        match crate::suggest::advice(name, self.catalog.names(), "there are") {
            Some(advice) => error.help(advice),
            None => error,
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
            let bound = bind::insert::insert(&mut binder, insert)?;
            targets.push((bound.relation.clone(), SinkTarget::Table(Box::new(bound))));
        }
        self.finish(targets, &plan_settings, None)
    }

    fn select(&self, query: &QueryText) -> Result<Planned> {
        let plan_settings = self.plan_settings()?;
        let relation = self.binder(query, &plan_settings).query(&query.query)?;
        let schema = relation.schema.clone();
        self.finish(vec![(relation, SinkTarget::Collect)], &plan_settings, Some(schema))
    }

    fn finish(
        &self,
        targets: Vec<(crate::algebra::Relation, SinkTarget)>,
        plan_settings: &PlanSettings,
        query: Option<Schema>,
    ) -> Result<Planned> {
        let (relations, sinks): (Vec<_>, Vec<_>) = targets.into_iter().unzip();
        let relations = optimize::optimize(relations, plan_settings)?;
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

    fn explain(&mut self, explain: &Explain) -> Result<Planned> {
        let runs = matches!(
            explain.statement.kind,
            StatementKind::Query(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_)
        );
        if !runs {
            return Err(bind::semantic(
                "EXPLAIN takes a query, an INSERT or a statement set",
                explain.statement.span,
            ));
        }
        let Planned::Job(job) = self.plan(&explain.statement)? else {
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

    fn show_create(&self, kind: ObjectKind, name: &TableName) -> Result<Planned> {
        let resolved = name.resolve()?;
        let text = match (kind, self.catalog.get(resolved)) {
            (ObjectKind::Table, Some(Object::Table(table))) => table.text.clone(),
            (ObjectKind::View, Some(Object::View(view))) => view.text.clone(),
            _ => return Err(self.no_such(kind.noun(), resolved, name.span)),
        };
        Ok(Planned::Rows(Rows { columns: vec!["result".to_owned()], rows: vec![vec![text]] }))
    }

    fn describe(&self, name: &TableName) -> Result<Planned> {
        let resolved = name.resolve()?;
        match self.catalog.get(resolved) {
            Some(Object::Table(table)) => Ok(Planned::Rows(describe::table(table))),
            Some(Object::View(view)) => {
                let settings = self.plan_settings()?;
                let relation = self.binder(&view.query, &settings).query(&view.query.query)?;
                Ok(Planned::Rows(describe::view(view, &relation.schema)))
            }
            None => Err(self.no_such("table or view", resolved, name.span)),
        }
    }

    fn binder<'a>(&'a self, query: &'a QueryText, settings: &'a PlanSettings) -> Binder<'a> {
        Binder::new(&self.catalog, settings, &query.hints, query.span)
    }

    /// The settings that the meaning of plans depends on.
    fn plan_settings(&self) -> Result<PlanSettings> {
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

/// Classes of functions that are built in, and the functions.
const BUILT_IN_CLASSES: &[(&str, &str)] =
    &[("com.github.nexmark.flink.udf.CountChar", "COUNT_CHAR")];

/// A function of a class: code in other languages does not run yet, what is built in does.
fn create_function(name: &TableName, class: &str) -> Result<Planned> {
    let last = name.parts.last().map(String::as_str).unwrap_or_default();
    let known = BUILT_IN_CLASSES.iter().find(|(known, _)| *known == class);
    match known {
        Some((_, function)) if last.eq_ignore_ascii_case(function) => {
            Ok(Planned::Done(format!("function {last} is the built-in {function}")))
        }
        _ => Err(bind::unsupported(&format!("the function {last} of class {class}"), name.span)
            .help("user code does not run yet; use built-in functions")),
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

fn kind_of(object: &Object) -> ObjectKind {
    match object {
        Object::Table(_) => ObjectKind::Table,
        Object::View(_) => ObjectKind::View,
    }
}

fn done(message: &str) -> Planned {
    Planned::Done(message.to_owned())
}

fn names<'a>(column: &str, names: impl Iterator<Item = &'a str>) -> Planned {
    let rows = names.map(|name| vec![name.to_owned()]).collect();
    Planned::Rows(Rows { columns: vec![column.to_owned()], rows })
}
