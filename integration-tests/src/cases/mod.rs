//! Seeded random cases: tables of records, and window queries over them in Flink's SQL with the same
//! question in DataFusion's.

pub mod aggregate;
pub mod query;
pub mod table;
pub mod window;

pub use query::{Question, question};
pub use table::{Lateness, Table};

/// An interval literal of so many milliseconds, in Flink's SQL.
pub fn interval(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let size = millis.abs();
    match size {
        _ if size > 0 && size % 86_400_000 == 0 => {
            format!("INTERVAL '{sign}{}' DAY", size / 86_400_000)
        }
        _ if size >= 60_000 && size % 60_000 == 0 => {
            format!("INTERVAL '{sign}{}' MINUTE", size / 60_000)
        }
        _ => {
            let digits = (size / 1_000).to_string().len().max(2);
            let fraction =
                if size % 1_000 == 0 { String::new() } else { format!(".{:03}", size % 1_000) };
            format!("INTERVAL '{sign}{}{fraction}' SECOND({digits})", size / 1_000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::interval;

    #[test]
    fn intervals_fit_their_unit() {
        assert_eq!(interval(500), "INTERVAL '0.500' SECOND(2)");
        assert_eq!(interval(-3_000), "INTERVAL '-3' SECOND(2)");
        assert_eq!(interval(120_000), "INTERVAL '2' MINUTE");
        assert_eq!(interval(100_001), "INTERVAL '100.001' SECOND(3)");
        assert_eq!(interval(86_400_000), "INTERVAL '1' DAY");
    }
}
