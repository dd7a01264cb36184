//! Random window queries over random tables: the binary against DataFusion in batch, and a share of
//! them against real Flink, at several parallelisms, batch sizes and execution modes, some with a
//! savepoint or a kill in the middle and a restore at another parallelism.
//!
//! Twenty questions go into one run, as the INSERTs of one statement set. Late rows are compared only
//! where it is decided which are late: one file, one subtask, a watermark after every row.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tidegate_integration_tests::cases::{Lateness, Question, Table, question};
use tidegate_integration_tests::checkpoints::wait_for;
use tidegate_integration_tests::clock::{pause, wait_until};
use tidegate_integration_tests::compare::{Row, canonical_row, difference};
use tidegate_integration_tests::flink;
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::oracle::Oracle;
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::{Process, Run, heavy};

use crate::number;

const QUESTIONS: u64 = 20;
const TABLES: usize = 4;
/// Of so many runs one is compared with Flink as well, besides all with late rows.
const FLINK_SHARE: u64 = 3;

/// What happens on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Middle {
    Nothing,
    /// Stop with a savepoint, restore from it.
    Savepoint,
    /// Kill, restore from the newest checkpoint.
    Kill,
}

/// One run: tables, questions and settings, all from the seed.
struct Pack {
    seed: u64,
    folder: CaseFolder,
    tables: Vec<Table>,
    questions: Vec<(usize, Question)>,
    batch_size: u32,
    micro_batch: bool,
    parallelism: [usize; 2],
    middle: Middle,
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
    let cases = number("TIDEGATE_TEST_CASES", 240)?;
    let first = number("TIDEGATE_TEST_SEED", 1)?;
    let packs = cases.div_ceil(QUESTIONS);
    eprintln!("{} random cases, seeds {first} to {}", packs * QUESTIONS, first + packs - 1);
    let (mut failures, mut asked, mut answered) = (Vec::new(), 0, 0);
    for seed in first..first + packs {
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
    eprintln!("{asked} of them were asked of Flink too, it answered {answered}");
    ensure!(
        answered * 10 >= asked * 9,
        "Flink refuses too many queries: {answered} of {asked} answered"
    );
    ensure!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
    Ok(())
}

/// Stops a job as Ctrl-C does; its savepoint.
fn stop(process: Process) -> Result<String> {
    process.interrupt()?;
    process.wait()?.success()?.savepoint()
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
        let middle =
            *prng.pick(&[Middle::Nothing, Middle::Nothing, Middle::Savepoint, Middle::Kill]);
        Ok(Self {
            seed,
            folder: CaseFolder::new(&format!("windows-{seed}"))?,
            tables,
            questions,
            batch_size: if late { 1 } else { *prng.pick(&[1, 3, 16, 100, 8192]) },
            micro_batch: !late && prng.chance(40),
            parallelism: if late { [1, 1] } else { parallelism },
            middle: if late { Middle::Nothing } else { middle },
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
            self.middle,
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
        if self.middle == Middle::Nothing {
            self.put_files(|_, _| true)?;
            return self.process("run", false, self.parallelism[0])?.finish()?.success().map(drop);
        }
        let checkpoints = self.folder.join("checkpoints");
        let place = checkpoints.display().to_string();
        self.put_files(|index, count| index < count.div_ceil(2))?;
        let start = |name: &str, parallelism: usize, restore: Option<&str>| -> Result<Process> {
            let run = self.process(name, true, parallelism)?.checkpoints(&place, "100 ms");
            run.restore(restore).start()
        };
        let mut first = start("first", self.parallelism[0], None)?;
        wait_for(&mut first, &checkpoints, &Default::default(), 1)?;
        pause(self.pause);
        let restore = match self.middle {
            Middle::Savepoint => stop(first)?,
            _ => {
                ensure!(first.kill()?, "an unbounded job ended by itself");
                place.clone()
            }
        };
        let mut second = start("second", self.parallelism[1], Some(&restore))?;
        self.put_files(|index, count| index >= count.div_ceil(2))?;
        wait_until("all rows", Duration::from_secs(60), || {
            second.must_run()?;
            self.all_seen()
        })?;
        // A bounded source reads what the savepoint knows of, and its end is the end of all windows.
        let savepoint = stop(second)?;
        let last = self.process("last", false, self.parallelism[0])?.restore(Some(&savepoint));
        last.finish()?.success().map(drop)
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

    fn process(&self, name: &str, monitor: bool, parallelism: usize) -> Result<Run> {
        let run = Run::new(self.folder.path(), name, &self.script(monitor))?;
        Ok(run.define("DIR", &self.folder.text()).parallelism(parallelism))
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

    fn put_files(&self, wanted: impl Fn(usize, usize) -> bool) -> Result<()> {
        for table in &self.tables {
            let folder = self.folder.join(&format!("in/{}", table.name));
            std::fs::create_dir_all(&folder)?;
            for (index, rows) in table.files.iter().enumerate() {
                if wanted(index, table.files.len()) {
                    // A running job must not see half of a file.
                    let hidden = folder.join(format!(".{index}"));
                    std::fs::write(&hidden, table.json(rows.clone()))?;
                    std::fs::rename(hidden, folder.join(format!("{index}.json")))?;
                }
            }
        }
        Ok(())
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
