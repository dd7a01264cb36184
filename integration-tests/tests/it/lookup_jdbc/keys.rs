//! Texts as keys: such as try to end a statement, and such as the database cannot hold.

use anyhow::{Result, ensure};
use serde_json::json;
use tidegate_integration_tests::databases::{Database, Product};

use super::{Case, both, row};

/// What is in the table, as keys of themselves.
const STORED: [&str; 16] = [
    "it's",
    "back\\slash",
    "\\'",
    "x' OR '1'='1",
    "'; DROP TABLE gone; --",
    "\"quoted\"",
    "`tick`",
    "percent % and _",
    "",
    " ",
    "line\nbreak\ttab\r",
    "$$ $1 ? :a @b",
    "/* comment */ -- #",
    "größe €",
    "中文 😀",
    "Case",
];

/// What is not.
const ABSENT: [&str; 6] = ["nul\0", "\0", "case", "CASE", "\u{1}", "x"];

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The text as a literal, whose digits mean the same whatever is in it.
fn literal(database: &Database, text: &str) -> String {
    match database.product {
        Product::Postgres => format!("convert_from('\\x{}', 'UTF8')", hex(text)),
        Product::MariaDb => format!("_utf8mb4 X'{}'", hex(text)),
    }
}

#[test]
fn hostile_texts_find_what_is_there_and_harm_nothing() -> Result<()> {
    both(|database| {
        let table = database.unique("texts");
        let rows: Vec<String> = (STORED.iter().enumerate())
            .map(|(number, text)| format!("({}, {number})", literal(database, text)))
            .collect();
        database.execute(&format!(
            "CREATE TABLE {table} (k VARCHAR(100){}, v INT); INSERT INTO {table} VALUES {}",
            if database.product == Product::MariaDb { " CHARACTER SET utf8mb4" } else { "" },
            rows.join(", ")
        ))?;
        let join = "SELECT e.id, t.v FROM e LEFT JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.k";
        let case = Case::new("jdbc-texts", "id INT, k STRING")?
            .with(&format!("CREATE TABLE t (k STRING, v INT) WITH ({})", database.options(&table)))
            .output("texts", "id INT, v INT", join);
        // Longer than a statement takes of other keys.
        let long = "'\\".repeat(700_000);
        let words = STORED.iter().chain(&ABSENT).copied().chain([long.as_str()]);
        let words: Vec<(usize, &str)> = words.enumerate().collect();
        let lines: Vec<String> =
            words.iter().map(|(id, word)| json!({"id": id, "k": word}).to_string()).collect();
        case.put("0.json", &lines)?;
        case.run("texts")?.finish()?.success()?;
        let expected = words.iter().map(|(id, _)| {
            let there = *id < STORED.len();
            row(&[Some(id), there.then_some(id as &dyn ToString)])
        });
        case.must_have("texts", &["id", "v"], expected.collect())?;
        let count = database.execute(&format!("SELECT COUNT(*) FROM {table}"))?;
        ensure!(count == [STORED.len().to_string()], "the table has {count:?} rows");
        case.folder.succeed();
        Ok(())
    })
}

/// A key that the column cannot hold finds nothing, and the keys beside it what they find.
#[test]
fn keys_that_no_column_holds_find_nothing() -> Result<()> {
    both(|database| {
        let table = database.unique("narrow");
        let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let (types, good) = match database.product {
            Product::Postgres => ("u UUID, s VARCHAR(20)", uuid),
            Product::MariaDb => ("u VARCHAR(40) CHARACTER SET latin1, s VARCHAR(20)", uuid),
        };
        database.execute(&format!(
            "CREATE TABLE {table} ({types}); INSERT INTO {table} VALUES ('{good}', 'found')"
        ))?;
        let case = Case::new("jdbc-narrow", "id INT, k STRING")?
            .with(&format!(
                "CREATE TABLE t (u STRING, s STRING) WITH ({})",
                database.options(&table)
            ))
            .output(
                "narrow",
                "id INT, s STRING",
                "SELECT e.id, t.s FROM e LEFT JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.u",
            );
        let words = ["no uuid", good, "中文", "", "😀", "it's", "1", "2", "3"];
        let lines: Vec<String> = (words.iter().enumerate())
            .map(|(id, word)| json!({"id": id, "k": word}).to_string())
            .collect();
        case.put("0.json", &lines)?;
        case.run("narrow")?.finish()?.success()?;
        let expected = (0..words.len())
            .map(|id| row(&[Some(&id), (id == 1).then_some(&"found" as &dyn ToString)]));
        case.must_have("narrow", &["id", "s"], expected.collect())?;
        case.folder.succeed();
        Ok(())
    })
}

/// Names with capitals, blanks, quotes and reserved words; a table in a schema of its own.
#[test]
fn names_are_quoted() -> Result<()> {
    both(|database| {
        let schema = database.unique("Odd schema");
        let (create, name, columns) = match database.product {
            Product::Postgres => (
                format!(
                    r#"CREATE SCHEMA "{schema}"; CREATE TABLE "{schema}"."The.Table" ("select" INT, "userId" INT, "a "" b" INT, plain INT);
                    INSERT INTO "{schema}"."The.Table" VALUES (1, 2, 3, 4)"#
                ),
                format!(r#""{schema}"."The.Table""#),
                r#"`select` INT, `"userId"` INT, `a " b` INT, Plain INT"#,
            ),
            Product::MariaDb => (
                format!(
                    "CREATE DATABASE `{schema}`; CREATE TABLE `{schema}`.`The.Table` (`select` INT, `userId` INT, `a \" b` INT, plain INT);
                    INSERT INTO `{schema}`.`The.Table` VALUES (1, 2, 3, 4)"
                ),
                format!("`{schema}`.`The.Table`"),
                r#"`select` INT, `userId` INT, `a " b` INT, Plain INT"#,
            ),
        };
        database.execute(&create)?;
        let user = if database.product == Product::Postgres { r#"`"userId"`"# } else { "userId" };
        let query = format!(
            r#"SELECT t.`select`, t.{user}, t.`a " b`, t.Plain FROM e JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.k = t.`select`"#
        );
        let case = Case::new("jdbc-names", "k INT")?
            .with(&format!("CREATE TABLE t ({columns}) WITH ({})", database.options(&name)))
            .output("names", "a INT, b INT, c INT, d INT", &query);
        case.put("0.json", &["{\"k\":1}".to_owned(), "{\"k\":2}".to_owned()])?;
        case.run("names")?.finish()?.success()?;
        let expected = row(&[Some(&1), Some(&2), Some(&3), Some(&4)]);
        case.must_have("names", &["a", "b", "c", "d"], vec![expected])?;
        case.folder.succeed();
        Ok(())
    })
}
