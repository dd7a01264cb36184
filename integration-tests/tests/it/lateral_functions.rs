//! Functions with a body in SQL whose arguments are columns of other tables, against their bodies computed here.

use anyhow::{Result, ensure};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::rows::json_folder;
use tidegate_integration_tests::tidegate::Run;

const WORDS: &[&str] = &["a", "", "tide", "gate", "ebb", "中文", "flood"];
const LINES: usize = 400;
const PRICES: usize = 90;

fn line(id: usize) -> String {
    let words = (0..id % 5).map(|place| WORDS[(id * 3 + place * 5) % WORDS.len()]);
    words.collect::<Vec<_>>().join(" ")
}

fn write(folder: &CaseFolder, name: &str, rows: impl Iterator<Item = String>) -> Result<()> {
    std::fs::create_dir_all(folder.join(name))?;
    Ok(std::fs::write(folder.join(&format!("{name}/0.json")), rows.collect::<String>())?)
}

/// The rows of an output as lines, sorted.
fn rows(folder: &CaseFolder, name: &str, columns: &[&str]) -> Result<Vec<String>> {
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let rows = json_folder(&folder.join(name), &columns)?.into_iter();
    let rows = rows.map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(","));
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    Ok(rows)
}

#[test]
fn functions_of_columns_give_the_rows_of_their_bodies() -> Result<()> {
    let folder = CaseFolder::new("lateral-functions")?;
    write(
        &folder,
        "lines",
        (0..LINES).map(|id| format!("{{\"id\": {id}, \"line\": \"{}\"}}\n", line(id))),
    )?;
    write(
        &folder,
        "prices",
        (0..PRICES).map(|n| format!("{{\"of\": {}, \"price\": {n}}}\n", n % 40)),
    )?;
    let table = |name: &str, columns: &str, path: &str| {
        format!(
            "CREATE TABLE {name} ({columns}) WITH ('connector'='filesystem', 'path'='${{DIR}}/{path}', 'format'='json');\n"
        )
    };
    let script = [
        table("lines", "id INT, line STRING", "lines"),
        table("prices", "`of` INT, price INT", "prices"),
        table("words", "id INT, word STRING, size INT", "words"),
        table("sold", "id INT, price INT", "sold"),
        "CREATE FUNCTION words_of(line STRING, least INT DEFAULT 1) RETURNS TABLE (word STRING, size INT)
           RETURN SELECT w, CHAR_LENGTH(w) FROM UNNEST(SPLIT(line, ' ')) AS u(w) WHERE CHAR_LENGTH(w) >= least;
         CREATE FUNCTION prices_of(id INT) RETURNS TABLE (price INT)
           RETURN SELECT p.price FROM prices AS p WHERE p.`of` = prices_of.id;
         INSERT INTO words SELECT id, word, size FROM lines, LATERAL TABLE(words_of(line, 3));
         INSERT INTO sold SELECT id, price FROM lines JOIN LATERAL TABLE(prices_of(id + 1)) AS p ON price > 20;\n"
            .to_owned(),
    ]
    .concat();
    Run::new(folder.path(), "job", &script)?
        .define("DIR", &folder.text())
        .parallelism(3)
        .set("execution.batch-size", "16")
        .finish()?
        .success()?;
    let mut expected: Vec<String> = Vec::new();
    for id in 0..LINES {
        for word in line(id).split(' ').filter(|word| word.chars().count() >= 3) {
            expected.push(format!("{id},{word},{}", word.chars().count()));
        }
    }
    expected.sort();
    let words = rows(&folder, "words", &["id", "word", "size"])?;
    ensure!(words == expected && !words.is_empty(), "{words:?} instead of {expected:?}");
    let sold = (0..LINES).flat_map(|id| {
        let of = (21..PRICES).filter(move |price| price % 40 == id + 1);
        of.map(move |price| format!("{id},{price}"))
    });
    let mut expected: Vec<String> = sold.collect();
    expected.sort();
    let sold = rows(&folder, "sold", &["id", "price"])?;
    ensure!(sold == expected && !sold.is_empty(), "{sold:?} instead of {expected:?}");
    folder.succeed();
    Ok(())
}
