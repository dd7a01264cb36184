//! Names of tables and columns, as each database takes them.

use tidegate_types::{Error, ErrorCode, Result};

use super::address::Product;

/// A table's name in a statement: `table`, `schema.table`, `"a.b"."Table"`. Parts can be quoted as the database
/// quotes them; what is not is quoted here.
///
/// # Errors
/// `INVALID_OPTION` for a part that is empty, or quotes that do not close it.
pub(super) fn table(text: &str, product: Product) -> Result<String> {
    let wrong = |what: &str| {
        Error::new(ErrorCode::InvalidOption, format!("option 'table-name': {text:?} {what}"))
            .help(format!("write table or schema.table; {0}a.b{0} is one name", quote(product)))
    };
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let (part, behind) = match unquoted(rest, product) {
            Some((inner, behind)) => (exact(&inner, product), behind),
            None if rest.starts_with(quote(product)) => {
                return Err(wrong("has a quote that is not closed"));
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (column(&rest[..end], product), &rest[end..])
            }
        };
        // `""` or "``": nothing is in the quotes.
        if part.len() <= 2 {
            return Err(wrong("has an empty part"));
        }
        parts.push(part);
        match behind.strip_prefix('.') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(parts.join(".")),
            None => return Err(wrong("goes on behind a closing quote")),
        }
    }
}

/// A column's name in a statement. In PostgreSQL plain names are folded to lower case, as where nothing quotes them
/// (Flink's connector does not); a name in quotes means what is in them.
pub(super) fn column(text: &str, product: Product) -> String {
    if product == Product::MySql {
        return exact(text, product);
    }
    if let Some((inner, "")) = unquoted(text, product) {
        return exact(&inner, product);
    }
    let plain = text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    exact(&if plain { text.to_ascii_lowercase() } else { text.to_owned() }, product)
}

fn quote(product: Product) -> char {
    match product {
        Product::Postgres => '"',
        Product::MySql => '`',
    }
}

/// In quotes, from which nothing can break out.
fn exact(text: &str, product: Product) -> String {
    let quote = quote(product);
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        out.push(c);
        if c == quote {
            out.push(c);
        }
    }
    out.push(quote);
    out
}

/// What is in the quotes with which a text begins, and what comes behind them; `None` if it does not begin with a
/// quote or does not close it.
fn unquoted(text: &str, product: Product) -> Option<(String, &str)> {
    let quote = quote(product);
    let mut rest = text.strip_prefix(quote)?;
    let mut inner = String::new();
    loop {
        let (before, behind) = rest.split_once(quote)?;
        inner.push_str(before);
        match behind.strip_prefix(quote) {
            Some(next) => {
                inner.push(quote);
                rest = next;
            }
            None => return Some((inner, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_with_and_without_quotes() {
        for (text, postgres, mysql) in [
            ("users", r#""users""#, "`users`"),
            ("Shop.Users", r#""shop"."users""#, "`Shop`.`Users`"),
            ("größe$1", r#""größe$1""#, "`größe$1`"),
            ("a b", r#""a b""#, "`a b`"),
            (r#"My."x.Y""#, r#""my"."x.Y""#, "`My`.`\"x`.`Y\"`"),
            (r#""a""b".c"#, r#""a""b"."c""#, "`\"a\"\"b\"`.`c`"),
            ("`a``.b`", r#""`a``"."b`""#, "`a``.b`"),
        ] {
            assert_eq!(table(text, Product::Postgres).as_deref().ok(), Some(postgres), "{text}");
            assert_eq!(table(text, Product::MySql).as_deref().ok(), Some(mysql), "{text}");
        }
    }

    #[test]
    fn a_name_cannot_bring_a_statement_with_it() {
        for text in [r#""a"; DROP TABLE b; --""#, r#""a"#, r#""a" b"#, "", ".", "a..b", "a."] {
            assert!(table(text, Product::Postgres).is_err(), "{text}");
        }
        assert!(table("`a`; DROP TABLE b", Product::MySql).is_err());
        assert_eq!(
            column(r#""a"; DROP TABLE b; --""#, Product::Postgres),
            r#""""a""; DROP TABLE b; --""""#
        );
        assert_eq!(column("a`; --", Product::MySql), "`a``; --`");
        assert_eq!(column(r#""userId""#, Product::Postgres), r#""userId""#);
        assert_eq!(column("userId", Product::Postgres), r#""userid""#);
    }
}
