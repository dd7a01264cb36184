//! Types: each is read back by a scan and by a lookup as what the database holds, and finds its own row as a key.

use anyhow::{Result, ensure};
use tidegate_integration_tests::databases::Product;
use tidegate_integration_tests::databases::Product::{MariaDb, Postgres};

use super::{Case, both, row};

/// A column: its type in the database, a value there, its type here, and the value as JSON has it.
type Column = (&'static str, &'static str, &'static str, &'static str);

const POSTGRES: [Column; 25] = [
    ("SMALLINT", "-32768", "SMALLINT", "-32768"),
    ("SMALLSERIAL", "7", "SMALLINT", "7"),
    ("INTEGER", "-2147483648", "INT", "-2147483648"),
    ("SERIAL", "8", "INT", "8"),
    ("BIGINT", "9223372036854775807", "BIGINT", "9223372036854775807"),
    ("BIGSERIAL", "9", "BIGINT", "9"),
    ("REAL", "0.1", "FLOAT", "0.1"),
    ("DOUBLE PRECISION", "1e-300", "DOUBLE", "1.0E-300"),
    (
        "NUMERIC(38, 10)",
        "-1234567890123456789012345678.0123456789",
        "DECIMAL(38, 10)",
        "-1234567890123456789012345678.0123456789",
    ),
    ("NUMERIC(10, 2)", "12.50", "DECIMAL(10, 2)", "12.5"),
    ("BOOLEAN", "TRUE", "BOOLEAN", "true"),
    ("DATE", "'0001-01-01'", "DATE", "0001-01-01"),
    ("TIME", "'23:59:59'", "TIME", "23:59:59"),
    ("TIMESTAMP(6)", "'9999-12-31 23:59:59.999999'", "TIMESTAMP(6)", "9999-12-31 23:59:59.999999"),
    ("TIMESTAMP(3)", "'1969-12-31 23:59:59.5'", "TIMESTAMP(3)", "1969-12-31 23:59:59.5"),
    ("TIMESTAMPTZ", "'2024-03-31 02:30:00.25+05'", "TIMESTAMP_LTZ(3)", "2024-03-30 21:30:00.25Z"),
    ("CHAR(5)", "'ab'", "STRING", "ab"),
    ("VARCHAR(20)", "'größe ''x'''", "STRING", "größe 'x'"),
    ("TEXT", "'中文😀'", "STRING", "中文😀"),
    ("BYTEA", "'\\x00ff27'", "BYTES", "AP8n"),
    (
        "UUID",
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        "STRING",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    ("JSONB", "'{\"a\": [1, null]}'", "STRING", "{\"a\": [1, null]}"),
    ("INTERVAL", "'1 day'", "STRING", "1 day"),
    ("INET", "'10.0.0.0/8'", "STRING", "10.0.0.0/8"),
    (
        "VARCHAR(4)[]",
        "ARRAY['a', 'b,\"c', NULL, 'NULL']",
        "ARRAY<STRING>",
        "[a, b,\"c, NULL, NULL]",
    ),
];

const MARIADB: [Column; 29] = [
    ("TINYINT", "-128", "TINYINT", "-128"),
    ("TINYINT UNSIGNED", "255", "SMALLINT", "255"),
    ("SMALLINT", "-32768", "SMALLINT", "-32768"),
    ("SMALLINT UNSIGNED", "65535", "INT", "65535"),
    ("MEDIUMINT", "-8388608", "INT", "-8388608"),
    ("INT", "2147483647", "INT", "2147483647"),
    ("INT UNSIGNED", "4294967295", "BIGINT", "4294967295"),
    ("BIGINT", "-9223372036854775808", "BIGINT", "-9223372036854775808"),
    ("BIGINT UNSIGNED", "18446744073709551615", "DECIMAL(20, 0)", "18446744073709551615"),
    ("FLOAT", "0.123456789", "FLOAT", "0.12345679"),
    ("DOUBLE", "1e-300", "DOUBLE", "1.0E-300"),
    (
        "DECIMAL(38, 10)",
        "-1234567890123456789012345678.0123456789",
        "DECIMAL(38, 10)",
        "-1234567890123456789012345678.0123456789",
    ),
    ("BOOLEAN", "TRUE", "BOOLEAN", "true"),
    ("BIT(1)", "b'1'", "BOOLEAN", "true"),
    ("DATE", "'1000-01-01'", "DATE", "1000-01-01"),
    ("TIME", "'23:59:59'", "TIME", "23:59:59"),
    ("DATETIME(6)", "'9999-12-31 23:59:59.999999'", "TIMESTAMP(6)", "9999-12-31 23:59:59.999999"),
    ("DATETIME", "'1969-12-31 23:59:59'", "TIMESTAMP(0)", "1969-12-31 23:59:59"),
    ("TIMESTAMP(3)", "FROM_UNIXTIME(1711830600.25)", "TIMESTAMP_LTZ(3)", "2024-03-30 20:30:00.25Z"),
    ("YEAR", "2024", "SMALLINT", "2024"),
    ("CHAR(5)", "'ab'", "STRING", "ab"),
    ("VARCHAR(20)", "'größe ''x'''", "STRING", "größe 'x'"),
    ("TEXT CHARACTER SET utf8mb4", "'中文😀'", "STRING", "中文😀"),
    ("ENUM('a', 'b')", "'b'", "STRING", "b"),
    ("JSON", "'{\"a\": [1, null]}'", "STRING", "{\"a\": [1, null]}"),
    ("BINARY(3)", "X'00ff27'", "BYTES", "AP8n"),
    ("VARBINARY(3)", "X'00ff27'", "BYTES", "AP8n"),
    ("BLOB", "X'00ff27'", "BYTES", "AP8n"),
    ("VARCHAR(20) CHARACTER SET latin1", "'größe'", "STRING", "größe"),
];

/// Whether a value can be compared with the column in the database.
fn is_key(product: Product, column: &Column) -> bool {
    match product {
        // An array is no key here.
        Postgres => !column.2.starts_with("ARRAY"),
        MariaDb => true,
    }
}

#[test]
fn each_type_is_read_back_and_finds_its_row() -> Result<()> {
    both(|database| {
        let columns: &[Column] = if database.product == Postgres { &POSTGRES } else { &MARIADB };
        let list = |text: &dyn Fn(usize, &Column) -> String| {
            let parts = columns.iter().enumerate().map(|(number, column)| text(number, column));
            parts.collect::<Vec<String>>().join(", ")
        };
        let table = database.unique("types");
        // The second row has NULL wherever the database lets it.
        let values = list(&|_, column| column.1.to_owned());
        let nullable = |column: &Column| !column.0.ends_with("SERIAL");
        let nulls = list(&|_, column| {
            if nullable(column) { "NULL".to_owned() } else { column.1.to_owned() }
        });
        let typed = list(&|number, column| {
            format!(
                "c{number} {} {}",
                column.0,
                match column.0 {
                    // Else it is NOT NULL and follows the clock.
                    "TIMESTAMP(3)" if database.product == MariaDb => "NULL",
                    _ => "",
                }
            )
        });
        database.execute(&format!(
            "CREATE TABLE {table} (id INT, {typed}); INSERT INTO {table} VALUES (1, {values}), (2, {nulls})"
        ))?;
        let here = list(&|number, column| format!("c{number} {}", column.2));
        let output = list(&|number, column| {
            let ty = if column.2.starts_with("ARRAY") { "STRING" } else { column.2 };
            format!("c{number} {ty}")
        });
        let read = list(&|number, column| match column.2 {
            ty if ty.starts_with("ARRAY") => format!("CAST(t.c{number} AS STRING)"),
            _ => format!("t.c{number}"),
        });
        let options = database.options(&table);
        let mut case = Case::new("jdbc-types", "id INT")?
            .with(&format!("CREATE TABLE t (id INT, {here}) WITH ({options})"))
            .with("CREATE VIEW s AS SELECT *, PROCTIME() AS pt FROM t")
            .output("scanned", &format!("id INT, {output}"), &format!("SELECT t.id, {read} FROM t"))
            .output(
                "found",
                &format!("id INT, {output}"),
                &format!(
                    "SELECT e.id, {read} FROM e JOIN t FOR SYSTEM_TIME AS OF e.pt ON e.id = t.id"
                ),
            );
        let keys = columns.iter().enumerate().filter(|(_, c)| is_key(database.product, c));
        let keys: Vec<(usize, &Column)> = keys.collect();
        for (number, _) in &keys {
            case = case.output(
                &format!("c{number}"),
                "id INT, other INT",
                &format!("SELECT s.id, t.id FROM s JOIN t FOR SYSTEM_TIME AS OF s.pt ON s.c{number} = t.c{number} WHERE s.id = 1"),
            );
        }
        case.put("0.json", &["{\"id\":1}".to_owned(), "{\"id\":2}".to_owned()])?;
        case.run("types")?.finish()?.success()?;
        let names: Vec<String> = (0..columns.len()).map(|number| format!("c{number}")).collect();
        let names: Vec<&str> = ["id"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let expected = [1, 2].map(|id| {
            let mut values = vec![Some(id.to_string())];
            values.extend(
                columns
                    .iter()
                    .map(|column| (id == 1 || !nullable(column)).then(|| column.3.to_owned())),
            );
            values
        });
        for output in ["scanned", "found"] {
            let rows = case.rows(output, &names)?;
            ensure!(rows.len() == 2, "{output}: {} rows", rows.len());
            for (row, expected) in rows.iter().zip(&expected) {
                for (place, (value, expected)) in row.iter().zip(expected).enumerate() {
                    let column = place.checked_sub(1).map(|place| columns[place]);
                    ensure!(value == expected, "{output}, {column:?}: {value:?}");
                }
            }
        }
        for (number, column) in keys {
            let rows = case.rows(&format!("c{number}"), &["id", "other"])?;
            let own = row(&[Some(&1), Some(&1)]);
            ensure!(rows.contains(&own), "as a key {column:?} finds {rows:?}");
            let only = rows.len() == 1 || !nullable(column);
            ensure!(only, "as a key {column:?} finds {rows:?}");
        }
        case.folder.succeed();
        Ok(())
    })
}
