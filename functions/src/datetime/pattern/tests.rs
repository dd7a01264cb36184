//! Patterns, as recorded from Flink 2.3.

use super::*;

fn sample() -> Fields {
    let (year, month, day) = (2024, 2, 29);
    Fields { year, month, day, hour: 12, minute: 34, second: 56, nanos: 789_000_000 }
}

fn format(pattern: &str) -> String {
    let mut out = String::new();
    Pattern::compile(pattern, Flavor::Modern).unwrap().format(&sample(), &mut out);
    out
}

fn parse(pattern: &str, flavor: Flavor, text: &str) -> Option<String> {
    let moment = Pattern::compile(pattern, flavor).unwrap().parse(text)?;
    let fields = Fields::from_epoch(moment.seconds, moment.nanos);
    let mut out = String::new();
    Pattern::compile("yyyy-MM-dd HH:mm:ss.SSSSSS", Flavor::Modern)
        .unwrap()
        .format(&fields, &mut out);
    Some(out)
}

#[test]
fn writes_as_java_does() {
    assert_eq!(format("yyyy-MM-dd HH:mm:ss.SSS"), "2024-02-29 12:34:56.789");
    assert_eq!(format("yy/M/d h:m:s a"), "24/2/29 12:34:56 PM");
    assert_eq!(format("EEEE MMM"), "Thursday Feb");
    assert_eq!(format("D w Q QQQ"), "60 9 1 Q1");
    assert_eq!(format("'T'''"), "T'");
    assert_eq!(format(""), "");
}

#[test]
fn reads_as_java_does() {
    let modern = |pattern, text| parse(pattern, Flavor::Modern, text);
    assert_eq!(
        modern("yyyyMMddHHmmss", "20240229123456").as_deref(),
        Some("2024-02-29 12:34:56.000000")
    );
    assert_eq!(
        modern("yyyy-MM-dd'T'HH:mm:ss'Z'", "2024-02-29T12:34:56Z").as_deref(),
        Some("2024-02-29 12:34:56.000000")
    );
    assert_eq!(
        modern("yyyy-MM-dd HH:mm:ss.SSSSSS", "2024-02-29 12:34:56.123456").as_deref(),
        Some("2024-02-29 12:34:56.123456")
    );
    assert_eq!(modern("yyyy-MM-dd", "2023-02-29").as_deref(), Some("2023-02-28 00:00:00.000000"));
    assert_eq!(
        modern("d MMM yyyy h a", "1 Mar 2024 3 PM").as_deref(),
        Some("2024-03-01 15:00:00.000000")
    );
    assert_eq!(modern("yyyy-MM-dd", "2024-13-01"), None);
    assert_eq!(modern("yyyy-MM-dd", "2024-01-01 "), None);
}

#[test]
fn the_old_class_is_lenient() {
    let legacy = |text| parse("yyyy-MM-dd HH:mm:ss", Flavor::Legacy, text);
    assert_eq!(legacy("2024-02-29 12:34:56.789").as_deref(), Some("2024-02-29 12:34:56.000000"));
    assert_eq!(legacy("2024-13-01 00:00:00").as_deref(), Some("2025-01-01 00:00:00.000000"));
    assert_eq!(legacy("2024-02-29"), None);
    assert_eq!(legacy("x"), None);
}

#[test]
fn wrong_patterns_are_refused() {
    for bad in ["bogus", "'open", "ddd", "z"] {
        assert!(Pattern::compile(bad, Flavor::Modern).is_err(), "{bad}");
    }
}
