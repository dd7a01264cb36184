//! Lookups in, and scans of, tables of real PostgreSQL and MariaDB servers, by the real binary; judged by nested loops over
//! the same rows, by the servers' own statistics, and by what their own clients put there.

mod caches;
mod joins;
mod keys;
mod outages;
mod refusals;
mod scans;
mod types;

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tidegate_integration_tests::clock::wait_until;
use tidegate_integration_tests::compare::Row;
use tidegate_integration_tests::databases::{Database, Product};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::{Process, Run};

/// Longest wait for rows to come through.
const PATIENCE: Duration = Duration::from_secs(40);

/// Runs a test on both databases, side by side.
fn both(test: impl Fn(&Database) -> Result<()> + Sync) -> Result<()> {
    products(|product| test(&Database::shared(product)?))
}

/// The same with the name only.
fn products(test: impl Fn(Product) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let tests = [Product::Postgres, Product::MariaDb].map(|product| {
            let test = &test;
            (product, scope.spawn(move || test(product)))
        });
        for (product, test) in tests {
            let outcome = test.join().map_err(|_| anyhow!("the test panicked"))?;
            outcome.with_context(|| format!("{product:?}"))?;
        }
        Ok(())
    })
}

/// A job whose input is JSON files in a folder, and whose outputs are folders of JSON files.
struct Case {
    folder: CaseFolder,
    /// Columns of the input `e`.
    columns: String,
    /// Further options of the input.
    more: String,
    /// Everything before the INSERTs.
    tables: String,
    outputs: Vec<(String, String)>,
}

impl Case {
    /// An input that ends, with these columns.
    fn new(name: &str, columns: &str) -> Result<Self> {
        let folder = CaseFolder::new(name)?;
        std::fs::create_dir_all(folder.join("in"))?;
        let (tables, outputs) = (String::new(), Vec::new());
        Ok(Self { folder, columns: columns.to_owned(), more: String::new(), tables, outputs })
    }

    /// The input does not end: files are read as they come.
    fn watched(mut self) -> Self {
        self.more = ", 'source.monitor-interval'='20 ms'".to_owned();
        self
    }

    /// Adds a statement in front.
    fn with(mut self, statement: &str) -> Self {
        self.tables.push_str(&format!("{statement};\n"));
        self
    }

    /// Adds an output with columns of which the query gives the rows.
    fn output(mut self, name: &str, columns: &str, query: &str) -> Self {
        let place = self.folder.join(&format!("out/{name}")).display().to_string();
        self.tables.push_str(&format!(
            "CREATE TABLE o_{name} ({columns}) WITH ('connector'='filesystem', 'path'='{place}', 'format'='json');\n"
        ));
        self.outputs.push((name.to_owned(), query.to_owned()));
        self
    }

    /// Puts rows where the input reads them, as one file.
    fn put(&self, file: &str, rows: &[String]) -> Result<()> {
        put(&self.folder.join("in"), file, rows)
    }

    fn script(&self) -> String {
        let inserts: Vec<String> = self
            .outputs
            .iter()
            .map(|(name, query)| format!("INSERT INTO o_{name} {query};\n"))
            .collect();
        format!(
            "SET 'restart-strategy.type' = 'none';\nSET 'pipeline.name' = 'case';\nCREATE TABLE e ({}, pt AS PROCTIME()) WITH ('connector'='filesystem', \
             'path'='{}', 'format'='json'{});\n{}EXECUTE STATEMENT SET BEGIN\n{}END;\n",
            self.columns,
            self.folder.join("in").display(),
            self.more,
            self.tables,
            inserts.concat()
        )
    }

    fn run(&self, name: &str) -> Result<Run> {
        self.run_at(1, name)
    }

    fn run_at(&self, parallelism: usize, name: &str) -> Result<Run> {
        let run = Run::new(self.folder.path(), name, &self.script())?.parallelism(parallelism);
        Ok(run.timeout(Duration::from_secs(60)))
    }

    /// Rows that are visible in an output, sorted.
    fn rows(&self, name: &str, columns: &[&str]) -> Result<Vec<Row>> {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let mut rows = json_folder(&self.folder.join(&format!("out/{name}")), &columns)?;
        rows.sort();
        Ok(rows)
    }

    /// Waits until an output has so many rows.
    fn wait_for(
        &self,
        process: &mut Process,
        name: &str,
        columns: &[&str],
        count: usize,
    ) -> Result<Vec<Row>> {
        wait_until(&format!("{count} rows of {name}"), PATIENCE, || {
            process.must_run()?;
            Ok(self.rows(name, columns)?.len() >= count)
        })?;
        self.rows(name, columns)
    }

    /// Fails unless an output has exactly these rows.
    fn must_have(&self, name: &str, columns: &[&str], expected: Vec<Row>) -> Result<()> {
        same(name, self.rows(name, columns)?, expected)
    }
}

/// Puts a file of lines into a folder, whole.
fn put(folder: &Path, file: &str, rows: &[String]) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let hidden = folder.join(format!(".{file}"));
    std::fs::write(&hidden, rows.iter().map(|row| format!("{row}\n")).collect::<String>())?;
    std::fs::rename(hidden, folder.join(file))?;
    Ok(())
}

fn same(name: &str, mut rows: Vec<Row>, mut expected: Vec<Row>) -> Result<()> {
    rows.sort();
    expected.sort();
    if rows == expected {
        return Ok(());
    }
    let of = |rows: &[Row]| rows.iter().cloned().collect::<BTreeSet<Row>>();
    let (seen, wanted) = (of(&rows), of(&expected));
    let missing: Vec<&Row> = wanted.difference(&seen).take(5).collect();
    let extra: Vec<&Row> = seen.difference(&wanted).take(5).collect();
    bail!(
        "{name}: {} rows, {} expected; missing {missing:?}, not expected {extra:?}",
        rows.len(),
        expected.len()
    )
}

/// Values as a row of text.
fn row(values: &[Option<&dyn ToString>]) -> Row {
    values.iter().map(|value| value.map(ToString::to_string)).collect()
}
