//! Random questions about tables that change, against DataFusion in batch over the same records:
//! several parallelisms, batch sizes and settings, with savepoints and kills on the way.
//!
//! Twenty questions go into one run, as the INSERTs of one statement set. What comes out is read as
//! changes and replayed strictly, so that taking back what is not there is found too. Late rows are
//! compared only where it is decided which are late: one file, one subtask, a watermark after every row.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate_integration_tests::cases::Lateness;
use tidegate_integration_tests::changing::{Input, Maker, Question, Schema};
use tidegate_integration_tests::compare::{Row, canonical_row, difference};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::interrupted::{Course, Job, Source, Stop};
use tidegate_integration_tests::oracle::Oracle;
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::replay::{Change, changes, replay};
use tidegate_integration_tests::rows::text_files;
use tidegate_integration_tests::seeds::Seeds;
use tidegate_integration_tests::tidegate::heavy;

use crate::number;

const QUESTIONS: usize = 20;

/// One run: inputs, questions and settings, all from the seed.
struct Pack {
    seed: u64,
    folder: CaseFolder,
    inputs: Vec<Input>,
    questions: Vec<Question>,
    /// Which of them are asked.
    asked: Vec<usize>,
    settings: Vec<(&'static str, String)>,
    course: Course,
}

#[test]
fn random_changing_tables_agree_with_datafusion() -> Result<()> {
    let _heavy = heavy();
    let only = number("TIDEGATE_TEST_QUESTION", u64::MAX)?;
    let seeds = Seeds::new(
        number("TIDEGATE_TEST_SEED", 1)?,
        number("TIDEGATE_TEST_CASES", 300)?,
        QUESTIONS as u64,
        number("TIDEGATE_TEST_MINUTES", 0)?,
    );
    eprintln!("{}", seeds.plan());
    let (failures, counts) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let seeds = seeds.each(number("TIDEGATE_TEST_JOBS", 1)?, |seed| {
        let asked = (0..QUESTIONS).filter(|index| only == u64::MAX || *index as u64 == only);
        let (found, made_of) = ask(seed, asked.collect());
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        made_of.iter().for_each(|step| *counts.entry(*step).or_insert(0_u64) += 1);
        found.iter().for_each(|text| eprintln!("\n{text}"));
        failures.fetch_add(found.len(), Ordering::Relaxed);
    });
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    counts.iter().for_each(|(step, count)| eprintln!("{count:6} {step}"));
    let failures = failures.into_inner();
    eprintln!("{}, {failures} failures", seeds.done());
    ensure!(failures == 0, "{failures} failures, see above");
    Ok(())
}

/// What is found by one seed, and the steps of its questions.
fn ask(seed: u64, asked: Vec<usize>) -> (Vec<String>, Vec<&'static str>) {
    let pack = match Pack::random(seed, asked) {
        Ok(pack) => pack,
        Err(error) => return (vec![format!("seed {seed}: {error:#}")], Vec::new()),
    };
    let questions = pack.asked.iter().map(|index| &pack.questions[*index]);
    let made_of = questions.flat_map(|question| question.made_of.clone()).collect();
    let found = pack.check().or_else(|error| pack.blame(&error));
    let found = found.unwrap_or_else(|error| vec![format!("{}\n{error:#}", pack.heading())]);
    if found.is_empty() {
        pack.folder.succeed();
    }
    (found, made_of)
}

/// Settings that must not change any table in the end.
fn settings(late: bool, prng: &mut Prng) -> Vec<(&'static str, String)> {
    let batch_size = if late { 1 } else { *prng.pick(&[1, 3, 16, 100, 8192]) };
    let mut settings = vec![
        ("pipeline.name", "tables".to_owned()),
        ("table.local-time-zone", "UTC".to_owned()),
        ("execution.batch-size", batch_size.to_string()),
        ("execution.micro-batch.size", "50".to_owned()),
        ("execution.micro-batch.interval", "20 ms".to_owned()),
    ];
    let mut set = |name, value: &str| settings.push((name, value.to_owned()));
    if !late && prng.chance(20) {
        set("execution.mode", "micro-batch");
    }
    if prng.chance(35) {
        set("table.exec.mini-batch.enabled", "true");
        let latency = *prng.pick(&["1 ms", "20 ms", "5 s"]);
        let size = *prng.pick(&["2", "7", "1000"]);
        set("table.exec.mini-batch.allow-latency", latency);
        set("table.exec.mini-batch.size", size);
    }
    if prng.chance(50) {
        let phases = *prng.pick(&["ONE_PHASE", "TWO_PHASE"]);
        set("table.optimizer.agg-phase-strategy", phases);
    }
    if prng.chance(20) {
        set("table.optimizer.distinct-agg.split.enabled", "true");
    }
    for (name, value) in [
        ("table.exec.sink.upsert-materialize", "FORCE"),
        ("table.optimizer.multi-join.enabled", "true"),
        ("table.optimizer.incremental-agg-enabled", "false"),
        ("table.optimizer.join-time-eviction", "false"),
        ("table.optimizer.reuse-sub-plan-enabled", "false"),
    ] {
        if prng.chance(15) {
            settings.push((name, value.to_owned()));
        }
    }
    settings
}

impl Pack {
    fn random(seed: u64, asked: Vec<usize>) -> Result<Self> {
        let mut prng = Prng::new(seed);
        let late = prng.chance(12);
        let schema = Schema::random(&mut prng.fork());
        let settings = settings(late, &mut prng.fork());
        let interval = *prng.pick(&["30 ms", "100 ms"]);
        let course = Course {
            stops: match prng.below(8) {
                _ if late => vec![],
                0 | 1 => vec![Stop::Kill],
                2 => vec![Stop::Kill, Stop::Kill],
                3 | 4 => vec![Stop::Savepoint],
                5 => vec![Stop::Savepoint, Stop::Kill],
                _ => vec![],
            },
            unbounded: !late && prng.chance(50),
            parallelism: if late { [1, 1] } else { [1 + prng.below(4), 1 + prng.below(4)] },
            pause: Duration::from_millis(prng.between(0, 100) as u64),
            wave: Duration::from_millis(prng.between(0, 25) as u64),
            interval,
        };
        let unbounded = course.unbounded || !course.stops.is_empty();
        let mut inputs = Vec::new();
        for name in ["a0", "a1", "a2"] {
            let lateness = match (late, name) {
                (true, _) => Lateness::Late,
                (_, "a0") => Lateness::Far,
                _ => *prng.pick(&[Lateness::Far, Lateness::Bounded, Lateness::Bounded]),
            };
            inputs.push(Input::append(name, &schema, lateness, &mut prng.fork()));
        }
        inputs.push(Input::changing("b0", &schema, &mut prng.fork()));
        inputs.push(Input::changing("b1", &schema, &mut prng.fork()));
        let lateness = if unbounded { Lateness::Far } else { Lateness::Bounded };
        let versions = Input::versions("h0", &schema, lateness, &mut prng.fork());
        // What changes nothing is dropped then, so how much is to come cannot be told while files come; and
        // a deletion has the time of the version that it ends.
        let mut settings = settings;
        if !unbounded && inputs.iter().all(|i| i.is_append() || i.declared) && prng.chance(60) {
            settings.push(("table.exec.source.cdc-events-duplicate", "true".to_owned()));
        } else {
            inputs.push(versions);
        }
        inputs.push(Input::ordered("h1", &schema, lateness, &mut prng.fork()));
        let start = seed as usize * QUESTIONS;
        let questions = (0..QUESTIONS)
            .map(|index| {
                Maker::new(&inputs, schema.spacing, unbounded, prng.fork())
                    .question(start + index, late)
            })
            .collect();
        let folder = CaseFolder::new(&format!("tables-{seed}"))?;
        Ok(Self { seed, folder, inputs, questions, asked, settings, course })
    }

    fn heading(&self) -> String {
        format!(
            "seed {}, {:?}, {:?}, folder {}",
            self.seed,
            self.course,
            self.settings,
            self.folder.path().display()
        )
    }

    fn about(&self, index: usize) -> String {
        format!(
            "{}\nrepeat: cargo xtask differential --seed {} --cases {QUESTIONS} --question {index}\n\
             o{index}, {}: {}\noracle: {}",
            self.heading(),
            self.seed,
            self.questions[index].made_of.join(", "),
            self.questions[index].flink,
            self.questions[index].oracle,
        )
    }

    /// Runs everything and compares; what differs, each with the query.
    fn check(&self) -> Result<Vec<String>> {
        self.run()?;
        let oracle = Oracle::new()?;
        for input in &self.inputs {
            oracle.table(&input.table.name, input.batch()?)?;
        }
        let mut found = Vec::new();
        for index in &self.asked {
            let error = match self.judge(*index, &oracle) {
                Ok(difference) => difference,
                Err(error) => Some(format!("{error:#}")),
            };
            found.extend(error.map(|text| format!("{}\n{text}", self.about(*index))));
        }
        Ok(found)
    }

    fn judge(&self, index: usize, oracle: &Oracle) -> Result<Option<String>> {
        let question = &self.questions[index];
        let shapes = question.shapes();
        let written = changes(&self.folder.join(&format!("out/o{index}")), question.columns())?;
        let canonical = |(added, row): &Change| Ok((*added, canonical_row(&shapes, row)?));
        let written = written.iter().map(canonical).collect::<Result<Vec<Change>>>()?;
        let actual = replay(&written, question.key.as_deref())?;
        if let Some(place) = question.ordered {
            let times: Vec<&Option<String>> = written.iter().map(|(_, row)| &row[place]).collect();
            ensure!(times.is_sorted(), "rows are out of order: {times:?}");
        }
        let expected: Vec<Row> = question.ask(oracle)?;
        Ok(difference("DataFusion", &expected, &actual))
    }

    /// Which questions a run fails by: those that fail alone, without stops; else all of them.
    fn blame(&self, error: &anyhow::Error) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for index in &self.asked {
            let course = Course { stops: Vec::new(), unbounded: false, ..self.course.clone() };
            let alone = Self { asked: vec![*index], course, ..Self::random(self.seed, vec![])? };
            match alone.check() {
                Ok(differences) if differences.is_empty() => alone.folder.succeed(),
                Ok(differences) => found.extend(differences),
                Err(error) => found.push(format!("{}\n{error:#}", alone.about(*index))),
            }
        }
        if found.is_empty() {
            found.push(format!("{}\nno question fails alone\n{error:#}", self.heading()));
        }
        Ok(found)
    }

    fn run(&self) -> Result<()> {
        let source = |input: &Input| Source {
            name: input.table.name.clone(),
            files: input.files().to_vec(),
        };
        let job = Job {
            folder: &self.folder,
            script: &|monitor| self.script(monitor),
            sources: self.inputs.iter().map(source).collect(),
            all_seen: &|| self.all_seen(),
        };
        job.run(&self.course)
    }

    /// Whether all changes of all inputs have come out; none may come twice.
    fn all_seen(&self) -> Result<bool> {
        for input in &self.inputs {
            let name = &input.table.name;
            let mut lines = 0;
            for (_, text) in text_files(&self.folder.join(&format!("out/seen_{name}")))? {
                lines += text.lines().count();
            }
            ensure!(lines <= input.changes, "{name} has {} changes, {lines} came", input.changes);
            if lines < input.changes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The script; with `monitor` its sources wait for more files and never end.
    fn script(&self, monitor: bool) -> String {
        let mut statements: Vec<String> =
            self.settings.iter().map(|(name, value)| format!("SET '{name}' = '{value}'")).collect();
        let unbounded = self.course.unbounded || !self.course.stops.is_empty();
        let mut inserts = String::new();
        for input in &self.inputs {
            let name = &input.table.name;
            let mut more = String::new();
            if monitor {
                more.push_str(", 'source.monitor-interval'='10 ms'");
            }
            if input.is_sequential(unbounded) {
                // Files that come one by one are in the order of time only if one subtask reads them.
                more.push_str(", 'scan.parallelism'='1'");
            }
            statements.push(input.ddl(&format!("${{DIR}}/in/{name}"), &more));
            statements.extend(input.view());
            // The whole rows, so that no change is equal to none.
            let columns: Vec<String> = input
                .table
                .columns()
                .iter()
                .map(|column| format!("{} {}", column.name, column.ty.sql()))
                .collect();
            let format = if input.is_append() { "json" } else { "debezium-json" };
            statements.push(format!(
                "CREATE TABLE seen_{name} ({}) WITH ('connector'='filesystem', \
                 'path'='${{DIR}}/out/seen_{name}', 'format'='{format}')",
                columns.join(", ")
            ));
            inserts.push_str(&format!("INSERT INTO seen_{name} SELECT * FROM {name};\n"));
        }
        for index in &self.asked {
            let question = &self.questions[*index];
            statements.push(question.sink(&format!("o{index}"), &format!("${{DIR}}/out/o{index}")));
            inserts.push_str(&format!("INSERT INTO o{index} {};\n", question.flink));
        }
        format!("{};\nEXECUTE STATEMENT SET BEGIN\n{inserts}END;\n", statements.join(";\n"))
    }
}
