//! Rows of text as a table for people, printed as they come: widths are fitted to the first rows
//! and grow when they must.

use std::fmt::Write;

/// Widest column; longer values are cut, with an ellipsis.
const MAX_WIDTH: usize = 60;

/// A table being printed.
pub(crate) struct TextTable {
    names: Vec<String>,
    widths: Vec<usize>,
    started: bool,
}

impl TextTable {
    /// A table with these columns.
    pub(crate) fn new(names: Vec<String>) -> Self {
        let widths = names.iter().map(|name| width(name)).collect();
        Self { names, widths, started: false }
    }

    /// Rows, behind the header if they are the first.
    pub(crate) fn rows(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            for (column, value) in row.iter().enumerate() {
                self.widths[column] = self.widths[column].max(width(value)).min(MAX_WIDTH);
            }
        }
        let mut text = String::new();
        if !std::mem::replace(&mut self.started, true) {
            self.rule(&mut text);
            self.line(&mut text, &self.names);
            self.rule(&mut text);
        }
        rows.iter().for_each(|row| self.line(&mut text, row));
        text
    }

    /// The end of the table.
    pub(crate) fn end(&mut self, count: u64) -> String {
        let mut text = if self.started { String::new() } else { self.rows(&[]) };
        self.rule(&mut text);
        let _ = writeln!(text, "{count} row{}", if count == 1 { "" } else { "s" });
        text
    }

    fn rule(&self, text: &mut String) {
        for width in &self.widths {
            let _ = write!(text, "+{}", "-".repeat(width + 2));
        }
        text.push_str("+\n");
    }

    fn line(&self, text: &mut String, values: &[String]) {
        for (value, target) in values.iter().zip(&self.widths) {
            let shown = cut(value, *target);
            let _ = write!(text, "| {shown}{} ", " ".repeat(target - width(&shown)));
        }
        text.push_str("|\n");
    }
}

/// Columns on a terminal: two for wide East Asian characters and emoji.
fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match c as u32 {
        0..=0x1F | 0x300..=0x36F | 0x200B..=0x200D | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

fn cut(value: &str, limit: usize) -> String {
    let single: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if width(&single) <= limit {
        return single;
    }
    let mut used = 0;
    let mut kept = String::new();
    for c in single.chars() {
        used += char_width(c);
        if used > limit.saturating_sub(1) {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_with_wide_characters() {
        let mut table = TextTable::new(vec!["a".into(), "名".into()]);
        let text = table.rows(&[vec!["1".into(), "中文".into()]]) + &table.end(1);
        assert_eq!(
            text,
            "+---+------+\n| a | 名   |\n+---+------+\n| 1 | 中文 |\n+---+------+\n1 row\n"
        );
    }

    #[test]
    fn long_values_are_cut() {
        let mut table = TextTable::new(vec!["a".into()]);
        let text = table.rows(&[vec!["x".repeat(100)]]);
        assert!(text.contains(&format!("{}…", "x".repeat(MAX_WIDTH - 1))), "{text}");
    }
}
