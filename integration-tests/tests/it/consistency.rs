//! What `docs/consistency.md` promises, by the example of money that is moved between accounts: whatever
//! the balances are, they add up to 0. What a checkpoint makes visible is the result of whole transfers,
//! at any parallelism, whatever operators have in common, and after kills and restores.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::interrupted::{Course, Job, Source, Stop};
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::replay::{Change, files, replay};
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::heavy;

use crate::number;

const RUNS: u64 = 8;
const FILES: usize = 12;
const TRANSFERS: usize = 40;
const ACCOUNTS: usize = 7;

/// Each transfer as two movements of one account.
const BY_UNION: &str = "CREATE TEMPORARY VIEW balances AS SELECT account, SUM(amount) AS balance FROM \
    (SELECT payee AS account, amount FROM transfers UNION ALL SELECT payer, -amount FROM transfers) AS movements \
    GROUP BY account";
/// Credits and debits by themselves, then joined, as in the recorded answer of Flink.
const BY_JOIN: &str = "CREATE TEMPORARY VIEW credits AS SELECT payee AS account, SUM(amount) AS credit FROM transfers GROUP BY payee;\n\
    CREATE TEMPORARY VIEW debits AS SELECT payer AS account, SUM(amount) AS debit FROM transfers GROUP BY payer;\n\
    CREATE TEMPORARY VIEW balances AS SELECT COALESCE(credits.account, debits.account) AS account, \
    COALESCE(credit, 0) - COALESCE(debit, 0) AS balance FROM credits FULL JOIN debits ON credits.account = debits.account";

/// A run: transfers, how balances are computed, and what happens on the way.
struct Bank {
    folder: CaseFolder,
    by_join: bool,
    settings: String,
    transfers: Vec<[i64; 3]>,
    course: Course,
}

#[test]
fn every_checkpoint_shows_whole_transfers() -> Result<()> {
    let _heavy = heavy();
    let first = number("TIDEGATE_TEST_SEED", 1)?;
    let mut seen = 0;
    for seed in first..first + RUNS {
        let bank = Bank::random(seed)?;
        let place = bank.folder.path().display().to_string();
        seen += bank
            .check()
            .with_context(|| format!("TIDEGATE_TEST_SEED={seed}, {:?}, {place}", bank.course))?;
        bank.folder.succeed();
    }
    eprintln!("{seen} states of all balances were visible, each with the sum 0");
    ensure!(seen > 2 * RUNS as usize, "too few states were visible to tell: {seen}");
    Ok(())
}

impl Bank {
    fn random(seed: u64) -> Result<Self> {
        let mut prng = Prng::new(seed);
        let account = |prng: &mut Prng| prng.below(ACCOUNTS) as i64;
        let transfers = (0..FILES * TRANSFERS)
            .map(|_| [account(&mut prng), account(&mut prng), prng.between(1, 20)])
            .collect();
        let mini_batch = prng.chance(40);
        let settings = format!(
            "SET 'pipeline.name' = 'bank';\nSET 'execution.batch-size' = '{}';\n\
             SET 'table.exec.mini-batch.enabled' = '{mini_batch}';\n\
             SET 'table.exec.mini-batch.allow-latency' = '5 s';\n\
             SET 'table.exec.mini-batch.size' = '{}';\n\
             SET 'table.optimizer.agg-phase-strategy' = '{}';\n",
            prng.pick(&[1, 7, 8192]),
            prng.pick(&[3, 1000]),
            prng.pick(&["ONE_PHASE", "TWO_PHASE"]),
        );
        let stops: &[Stop] = match seed % 4 {
            0 => &[],
            1 => &[Stop::Kill],
            2 => &[Stop::Savepoint],
            _ => &[Stop::Kill, Stop::Savepoint],
        };
        Ok(Self {
            folder: CaseFolder::new(&format!("bank-{seed}"))?,
            by_join: seed.is_multiple_of(2),
            settings,
            transfers,
            course: Course {
                stops: stops.to_vec(),
                unbounded: true,
                parallelism: [1 + prng.below(4), 1 + prng.below(4)],
                pause: Duration::from_millis(prng.between(0, 60) as u64),
                wave: Duration::from_millis(40),
                interval: "20 ms",
            },
        })
    }

    fn script(&self, monitor: bool) -> String {
        let more = if monitor { ", 'source.monitor-interval'='5 ms'" } else { "" };
        let sink = |name: &str, columns: &str, format: &str| {
            format!(
                "CREATE TABLE {name} ({columns}) WITH ('connector'='filesystem', 'path'='${{DIR}}/out/{name}', \
                 'format'='{format}', 'sink.parallelism'='1');\n"
            )
        };
        format!(
            "{}CREATE TABLE transfers (id BIGINT, payer BIGINT, payee BIGINT, amount BIGINT) WITH \
             ('connector'='filesystem', 'path'='${{DIR}}/in/transfers', 'format'='json'{more});\n{}{}{}{};\n\
             EXECUTE STATEMENT SET BEGIN\nINSERT INTO seen SELECT id FROM transfers;\n\
             INSERT INTO balance SELECT account, balance FROM balances;\n\
             INSERT INTO total SELECT COALESCE(SUM(balance), 0) FROM balances;\nEND;\n",
            self.settings,
            sink("seen", "id BIGINT", "json"),
            sink("balance", "account BIGINT, balance BIGINT", "debezium-json"),
            sink("total", "total BIGINT", "debezium-json"),
            if self.by_join { BY_JOIN } else { BY_UNION },
        )
    }

    fn sources(&self) -> Vec<Source> {
        let line = |(id, [payer, payee, amount]): (usize, &[i64; 3])| {
            format!("{{\"id\":{id},\"payer\":{payer},\"payee\":{payee},\"amount\":{amount}}}\n")
        };
        let lines: Vec<String> = self.transfers.iter().enumerate().map(line).collect();
        let files = lines.chunks(TRANSFERS).map(<[String]>::concat).collect();
        vec![Source { name: "transfers".to_owned(), files }]
    }

    /// Runs it; how many states were visible.
    fn check(&self) -> Result<usize> {
        let seen = || {
            let rows = json_folder(&self.folder.join("out/seen"), &["id".to_owned()])?;
            ensure!(rows.len() <= self.transfers.len(), "transfers come twice");
            Ok(rows.len() == self.transfers.len())
        };
        Job {
            folder: &self.folder,
            script: &|monitor| self.script(monitor),
            sources: self.sources(),
            all_seen: &seen,
        }
        .run(&self.course)?;
        let total = self.states("total", &["total"], |rows| {
            ensure!(rows.len() <= 1, "there are {} totals", rows.len());
            let values: Vec<i64> = rows.iter().map(|row| row[0]).collect();
            ensure!(values.iter().all(|total| *total == 0), "the total is {values:?}");
            Ok(())
        })?;
        let mut last = BTreeMap::new();
        let balances = self.states("balance", &["account", "balance"], |rows| {
            last = rows.iter().map(|row| (row[0], row[1])).collect();
            ensure!(last.len() == rows.len(), "an account has two balances: {rows:?}");
            let sum: i64 = last.values().sum();
            ensure!(sum == 0, "balances add up to {sum}: {last:?}");
            Ok(())
        })?;
        let mut expected: BTreeMap<i64, i64> = BTreeMap::new();
        for [payer, payee, amount] in &self.transfers {
            *expected.entry(*payer).or_default() -= amount;
            *expected.entry(*payee).or_default() += amount;
        }
        ensure!(last == expected, "balances end as {last:?}, not as {expected:?}");
        ensure!(total > 0, "no total came");
        Ok(balances)
    }

    /// Judges the table of a sink as it is whenever a checkpoint has made something visible.
    fn states(
        &self,
        sink: &str,
        columns: &[&str],
        mut judge: impl FnMut(&[Vec<i64>]) -> Result<()>,
    ) -> Result<usize> {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut changes: Vec<Change> = Vec::new();
        let files = files(&self.folder.join(&format!("out/{sink}")), &columns)?;
        let number = |value: &Option<String>| {
            let text = value.as_ref().ok_or_else(|| anyhow!("a value is NULL"))?;
            Ok(text.parse::<i64>()?)
        };
        for (index, file) in files.iter().enumerate() {
            changes.extend(file.iter().cloned());
            let rows = replay(&changes, None)?;
            let rows = rows.iter().map(|row| row.iter().map(number).collect::<Result<Vec<i64>>>());
            let rows = rows.collect::<Result<Vec<_>>>();
            rows.and_then(|rows| judge(&rows))
                .with_context(|| format!("after file {index} of {} in {sink}", files.len()))?;
        }
        Ok(files.len())
    }
}
