//! Random window queries over random tables: the binary against DataFusion in batch, and a share of
//! them against real Flink, at several parallelisms, batch sizes and execution modes, some with a
//! savepoint or a kill in the middle and a restore at another parallelism.
//!
//! Twenty questions go into one run, as the INSERTs of one statement set. Late rows are compared only
//! where it is decided which are late: one file, one subtask, a watermark after every row.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tidegate_integration_tests::cases::{Lateness, Question, Table, question};
use tidegate_integration_tests::compare::{Row, canonical_row, difference};
use tidegate_integration_tests::flink;
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::interrupted::{Course, Job, Source, Stop};
use tidegate_integration_tests::oracle::Oracle;
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::seeds::Seeds;
use tidegate_integration_tests::tidegate::heavy;

use crate::number;

const QUESTIONS: u64 = 20;
const TABLES: usize = 4;
/// Of so many runs one is compared with Flink as well, besides all with late rows.
const FLINK_SHARE: u64 = 3;

/// One run: tables, questions and settings, all from the seed.
struct Pack {
    seed: u64,
    folder: CaseFolder,
    tables: Vec<Table>,
    questions: Vec<(usize, Question)>,
    batch_size: u32,
    micro_batch: bool,
    parallelism: [usize; 2],
    stop: Option<Stop>,
    pause: Duration,
}

/// What came of a run.
#[derive(Default)]
struct Found {
    /// What differs, each with the query.
    differences: Vec<String>,
    /// Questions that Flink was asked too.
    asked: usize,
    /// And answered.
    answered: usize,
}

#[test]
fn random_windows_agree_with_datafusion_and_flink() -> Result<()> {
    let _heavy = heavy();
    let mut seeds = Seeds::new(
        number("TIDEGATE_TEST_SEED", 1)?,
        number("TIDEGATE_TEST_CASES", 240)?,
        QUESTIONS,
        number("TIDEGATE_TEST_MINUTES", 0)?,
    );
    eprintln!("{}", seeds.plan());
    let (mut failures, mut asked, mut answered) = (Vec::new(), 0, 0);
    for seed in seeds.by_ref() {
        let pack = Pack::random(seed)?;
        match pack.check() {
            Ok(found) => {
                asked += found.asked;
                answered += found.answered;
                match found.differences.is_empty() {
                    true => pack.folder.succeed(),
                    false => failures.extend(found.differences),
                }
            }
            Err(error) => failures.push(format!("{}\n{error:?}", pack.heading())),
        }
    }
    eprintln!("{}", seeds.done());
    eprintln!("{asked} of them were asked of Flink too, it answered {answered}");
    ensure!(
        answered * 10 >= asked * 9,
        "Flink refuses too many queries: {answered} of {asked} answered"
    );
    ensure!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
    Ok(())
}

impl Pack {
    fn random(seed: u64) -> Result<Self> {
        let mut prng = Prng::new(seed);
        let late = prng.chance(25);
        let lateness = |prng: &mut Prng| match late {
            true => Lateness::Late,
            false => *prng.pick(&[Lateness::Far, Lateness::Bounded]),
        };
        let tables: Vec<Table> = (0..TABLES)
            .map(|index| {
                let lateness = lateness(&mut prng);
                Table::random(&format!("t{index}"), lateness, &mut prng.fork())
            })
            .collect();
        let questions = (0..QUESTIONS as usize)
            .map(|index| {
                let table = index % TABLES;
                (table, question(&format!("w{index}"), &tables[table], &mut prng.fork()))
            })
            .collect();
        let parallelism = [1 + prng.below(4), 1 + prng.below(4)];
        let stop = *prng.pick(&[None, None, Some(Stop::Savepoint), Some(Stop::Kill)]);
        Ok(Self {
            seed,
            folder: CaseFolder::new(&format!("windows-{seed}"))?,
            tables,
            questions,
            batch_size: if late { 1 } else { *prng.pick(&[1, 3, 16, 100, 8192]) },
            micro_batch: !late && prng.chance(40),
            parallelism: if late { [1, 1] } else { parallelism },
            stop: if late { None } else { stop },
            pause: Duration::from_millis(prng.between(0, 300) as u64),
        })
    }

    fn asks_flink(&self) -> bool {
        self.seed.is_multiple_of(FLINK_SHARE) || self.tables[0].lateness == Lateness::Late
    }

    fn heading(&self) -> String {
        format!(
            "seed {}, parallelism {:?}, batch size {}, micro-batch {}, {:?}, folder {}\n\
             repeat: TIDEGATE_TEST_SEED={} TIDEGATE_TEST_CASES={QUESTIONS} cargo xtask test -- -p tidegate-integration-tests random_windows",
            self.seed,
            self.parallelism,
            self.batch_size,
            self.micro_batch,
            self.stop,
            self.folder.path().display(),
            self.seed,
        )
    }

    /// Runs everything and compares.
    fn check(&self) -> Result<Found> {
        self.run()?;
        let oracle = Oracle::new()?;
        for table in &self.tables {
            oracle.table(&table.name, table.batch()?)?;
        }
        let flink = self.asks_flink().then(|| self.ask_flink()).transpose()?;
        let mut found = Found::default();
        for (index, (_, question)) in self.questions.iter().enumerate() {
            let actual = self
                .output(index, question)
                .with_context(|| format!("read the output o{index}"))?;
            let compare = |name: &str, expected: &[Row]| {
                let text = difference(name, expected, &actual)?;
                let views = question.views.join("\n");
                Some(format!("{}\no{index}: {views}\n{}\n{text}", self.heading(), question.flink))
            };
            if let Some(expected) = question.ask(&oracle)? {
                found.differences.extend(compare("DataFusion", &expected));
            }
            let flink = flink.as_ref().filter(|_| question.flink_is_right);
            found.asked += usize::from(flink.is_some());
            if let Some(rows) = flink.and_then(|answers| answers[index].as_ref()) {
                let shapes = question.shapes();
                let expected = rows.iter().map(|row| canonical_row(&shapes, row));
                let expected = expected.collect::<Result<Vec<Row>>>()?;
                found.differences.extend(compare("Flink", &expected));
                found.answered += 1;
            }
        }
        Ok(found)
    }

    fn output(&self, index: usize, question: &Question) -> Result<Vec<Row>> {
        let (columns, shapes) = (question.columns(), question.shapes());
        let rows = json_folder(&self.folder.join(&format!("out/o{index}")), &columns)?;
        rows.iter().map(|row| canonical_row(&shapes, row)).collect()
    }

    fn run(&self) -> Result<()> {
        let source = |table: &Table| Source {
            name: table.name.clone(),
            files: table.files.iter().map(|rows| table.json(rows.clone())).collect(),
        };
        let job = Job {
            folder: &self.folder,
            script: &|monitor| self.script(monitor),
            sources: self.tables.iter().map(source).collect(),
            all_seen: &|| self.all_seen(),
        };
        job.run(&Course {
            stops: self.stop.into_iter().collect(),
            unbounded: false,
            parallelism: self.parallelism,
            pause: self.pause,
            wave: Duration::ZERO,
            interval: "100 ms",
        })
    }

    /// Whether the ids of all rows have come out; none may come twice.
    fn all_seen(&self) -> Result<bool> {
        for (index, table) in self.tables.iter().enumerate() {
            let rows =
                json_folder(&self.folder.join(&format!("out/seen{index}")), &["id".to_owned()])?;
            ensure!(rows.len() <= table.rows.len(), "{} has rows twice", table.name);
            if rows.len() < table.rows.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The script; with `monitor` its sources wait for more files and never end.
    fn script(&self, monitor: bool) -> String {
        let mode = if self.micro_batch { "micro-batch" } else { "continuous" };
        let mut statements = vec![
            "SET 'pipeline.name' = 'windows'".to_owned(),
            format!("SET 'execution.batch-size' = '{}'", self.batch_size),
            format!("SET 'execution.mode' = '{mode}'"),
            "SET 'execution.micro-batch.size' = '50'".to_owned(),
            "SET 'execution.micro-batch.interval' = '20 ms'".to_owned(),
        ];
        let more = if monitor { ", 'source.monitor-interval'='30 ms'" } else { "" };
        statements.extend(
            self.tables.iter().map(|table| table.ddl(&format!("${{DIR}}/in/{}", table.name), more)),
        );
        let mut inserts = String::new();
        for (index, table) in self.tables.iter().enumerate() {
            statements.push(format!(
                "CREATE TABLE seen{index} (id BIGINT) WITH ('connector'='filesystem', \
                 'path'='${{DIR}}/out/seen{index}', 'format'='json')"
            ));
            inserts.push_str(&format!("INSERT INTO seen{index} SELECT id FROM {};\n", table.name));
        }
        for (index, (_, question)) in self.questions.iter().enumerate() {
            statements.extend(question.views.iter().cloned());
            statements.push(question.sink(&format!("o{index}"), &format!("${{DIR}}/out/o{index}")));
            inserts.push_str(&format!("INSERT INTO o{index} {};\n", question.flink));
        }
        format!("{};\nEXECUTE STATEMENT SET BEGIN\n{inserts}END;\n", statements.join(";\n"))
    }

    /// Flink's answers, by question; none where it refuses the query.
    fn ask_flink(&self) -> Result<Vec<Option<Vec<Row>>>> {
        let mut script = flink::Script {
            // A watermark after every row that moves it, and none by the clock.
            settings: vec![("pipeline.auto-watermark-interval".to_owned(), "0 ms".to_owned())],
            ..flink::Script::default()
        };
        for table in &self.tables {
            let file = format!("{}.json", table.name);
            script.statements.push(table.ddl(&format!("${{DIR}}/{file}"), ""));
            script.files.push((file, table.json(0..table.rows.len())));
        }
        let mut queries = Vec::new();
        for (_, question) in &self.questions {
            script.statements.extend(question.views.iter().cloned());
            queries.push(script.statements.len());
            script.statements.push(question.flink.clone());
        }
        let answers = flink::run(&script)?;
        let mut asked = Vec::new();
        for (index, (answer, statement)) in answers.into_iter().zip(&script.statements).enumerate()
        {
            match answer {
                Ok(rows) if queries.contains(&index) => asked.push(Some(rows)),
                // Flink has defects of its own in rare queries.
                Err(message) if queries.contains(&index) => {
                    eprintln!("Flink refuses {statement}\n  {message}");
                    asked.push(None);
                }
                Ok(_) => {}
                Err(message) => bail!("Flink refuses {statement}\n{message}"),
            }
        }
        Ok(asked)
    }
}
