//! Java's regular expressions in the syntax of the `regex` crate.
//!
//! Translated: classes such as `\d` and `\w`, which are ASCII only in Java; `\b`; quotations
//! `\Q…\E`; POSIX classes `\p{Alpha}`; the end `\Z`. Look-around, back references and possessive
//! quantifiers do not exist there: expressions with them are left to a backtracking engine (`pattern`).

use regex::{Regex, RegexBuilder};

/// Largest compiled program, in bytes.
const LARGEST_PROGRAM: usize = 10 << 20;

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternError {
    /// Java would refuse it too.
    Invalid(String),
    /// Java has it, this engine does not.
    Unsupported(String),
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(reason) => f.write_str(reason),
            Self::Unsupported(what) => write!(f, "{what} are not supported"),
        }
    }
}

/// Compiles an expression that is in the crate's own syntax.
pub(in crate::kernels) fn compile(expression: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(expression).size_limit(LARGEST_PROGRAM).build().map_err(|error| {
        // The last line of the message says what is wrong; the others show where.
        let message = error.to_string();
        let reason = message.lines().last().unwrap_or("it cannot be compiled");
        PatternError::Invalid(reason.trim_start_matches("error: ").to_owned())
    })
}

/// Compiles an expression of Java.
pub(super) fn compile_java(expression: &str) -> Result<Regex, PatternError> {
    compile(&translate(expression, false)?)
}

/// An expression of Java for the backtracking engine, which has the same syntax otherwise.
pub(super) fn backtracking(expression: &str) -> Result<String, PatternError> {
    translate(expression, true)
}

fn translate(expression: &str, backtracks: bool) -> Result<String, PatternError> {
    let mut out = String::with_capacity(expression.len() + 16);
    let mut characters = expression.chars().peekable();
    let mut in_class = 0_usize;
    let mut after_quantifier = false;
    // `(?s)`: the dot is any character.
    let flags =
        |group: &str| group.split([')', ':']).next().is_some_and(|flags| flags.contains('s'));
    let single_line = expression
        .split("(?")
        .skip(1)
        .any(|group| !group.starts_with(['<', '=', '!', '>']) && flags(group));
    while let Some(c) = characters.next() {
        let quantifies = in_class == 0 && matches!(c, '*' | '+' | '?' | '}');
        match c {
            '\\' => translate_escape(&mut characters, in_class > 0, backtracks, &mut out)?,
            '+' if after_quantifier && in_class == 0 && !backtracks => {
                return Err(PatternError::Unsupported("possessive quantifiers".to_owned()));
            }
            '(' if in_class == 0 && characters.peek() == Some(&'?') => {
                out.push('(');
                if !backtracks {
                    check_group(&characters)?;
                }
            }
            '[' => {
                in_class += 1;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            // Java's dot stops at more ends of lines.
            '.' if in_class == 0 && !single_line => {
                out.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]");
            }
            ']' if in_class > 0 => {
                in_class -= 1;
                out.push(']');
            }
            other => out.push(other),
        }
        after_quantifier = quantifies && !after_quantifier;
    }
    Ok(out)
}

/// Refuses look-around and atomic groups.
fn check_group(ahead: &std::iter::Peekable<std::str::Chars<'_>>) -> Result<(), PatternError> {
    let start: String = ahead.clone().take(3).collect();
    let unsupported = |what: &str| Err(PatternError::Unsupported(what.to_owned()));
    match start.as_str() {
        s if s.starts_with("?=") || s.starts_with("?!") => unsupported("look-ahead groups"),
        "?<=" | "?<!" => unsupported("look-behind groups"),
        s if s.starts_with("?>") => unsupported("atomic groups"),
        _ => Ok(()),
    }
}

fn translate_escape(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    in_class: bool,
    backtracks: bool,
    out: &mut String,
) -> Result<(), PatternError> {
    let Some(c) = characters.next() else {
        return Err(PatternError::Invalid("it ends with a backslash".to_owned()));
    };
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[a-zA-Z_0-9]"),
        'W' => out.push_str("[^a-zA-Z_0-9]"),
        's' => out.push_str(r"[ \t\n\x0B\f\r]"),
        'S' => out.push_str(r"[^ \t\n\x0B\f\r]"),
        'h' => out.push_str(r"[ \t\xA0]"),
        'b' | 'B' if !in_class && backtracks => out.extend(['\\', c]),
        'b' if !in_class => out.push_str(r"(?-u:\b)"),
        'B' if !in_class => out.push_str(r"(?-u:\B)"),
        'Z' if !in_class => out.push_str(r"(?:\r?\n)?\z"),
        'R' if !in_class => out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])"),
        'e' => out.push_str(r"\x1B"),
        'Q' => quote(characters, out),
        'E' => {}
        'p' | 'P' => translate_property(c, characters, out),
        '1'..='9' | 'k' if backtracks => out.extend(['\\', c]),
        '1'..='9' | 'k' => {
            return Err(PatternError::Unsupported("back references".to_owned()));
        }
        'G' => {
            return Err(PatternError::Unsupported("matches that continue (\\G)".to_owned()));
        }
        '0' => out.push_str(r"\x00"),
        // Escapes that mean the same on both sides.
        't' | 'n' | 'r' | 'f' | 'a' | 'x' | 'u' | 'A' | 'z' => out.extend(['\\', c]),
        c if c.is_ascii_alphabetic() => {
            return Err(PatternError::Invalid(format!("it has the unknown escape \\{c}")));
        }
        c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
    }
    Ok(())
}

/// Everything up to `\E` stands for itself.
fn quote(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    while let Some(c) = characters.next() {
        if c == '\\' && characters.next_if_eq(&'E').is_some() {
            return;
        }
        out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }
}

/// POSIX names are ASCII classes; other properties have the same names on both sides.
fn translate_property(
    letter: char,
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    out: &mut String,
) {
    let mut name = String::new();
    if characters.next_if_eq(&'{').is_some() {
        name.extend(characters.by_ref().take_while(|c| *c != '}'));
    } else {
        name.extend(characters.next());
    }
    let posix = match name.as_str() {
        "Lower" | "Upper" | "ASCII" | "Alpha" | "Digit" | "Alnum" | "Punct" | "Graph" | "Print"
        | "Blank" | "Cntrl" | "XDigit" | "Space" => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    match posix {
        Some(posix) if letter == 'p' => out.push_str(&format!("[[:{posix}:]]")),
        Some(posix) => out.push_str(&format!("[[:^{posix}:]]")),
        None => {
            // Java writes blocks and scripts with a prefix.
            let plain = name.strip_prefix("Is").unwrap_or(&name);
            out.push_str(&format!("\\{letter}{{{plain}}}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(expression: &str, text: &str) -> bool {
        compile_java(expression).unwrap().is_match(text)
    }

    #[test]
    fn classes_are_ascii_as_in_java() {
        assert!(is_match(r"^\d+$", "123") && !is_match(r"\d", "٣"));
        assert!(is_match(r"^\w$", "a") && !is_match(r"\w", "ä"));
        assert!(is_match(r"^[\w-]+$", "a-b"));
        assert!(is_match(r"^[^\d]+$", "ab") && !is_match(r"^[^\d]+$", "a1"));
        assert!(is_match(r"\bfoo\b", "a foo b"));
        assert!(is_match(r"^\p{Alpha}\p{Lu}$", "aB"));
        assert!(is_match(r"^\Qa.b\E.$", "a.bc") && !is_match(r"\Qa.b\E", "axb"));
    }

    #[test]
    fn what_the_engine_lacks_is_named() {
        let error = |expression| compile_java(expression).unwrap_err().to_string();
        assert_eq!(error("(?=a)b"), "look-ahead groups are not supported");
        assert_eq!(error("(?<!a)b"), "look-behind groups are not supported");
        assert_eq!(error(r"(a)\1"), "back references are not supported");
        assert_eq!(error("a++"), "possessive quantifiers are not supported");
        assert!(is_match("(?<name>a+?)b", "aab"));
        assert!(is_match("(?i:A)", "a"));
        assert!(matches!(compile_java("("), Err(PatternError::Invalid(_))));
    }
}
