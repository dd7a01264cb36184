//! Patterns, as recorded from Flink 2.3.

use super::*;
use crate::datetime::civil::Fields;

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
    for bad in ["bogus", "'open", "ddd", "zzzz", "V", "yyyy]", "yyyy{", "XXXXXX"] {
        assert!(Pattern::compile(bad, Flavor::Modern).is_err(), "{bad}");
    }
}

#[test]
fn optional_parts_are_read_and_written() {
    let read = |text| parse("yyyy-MM-dd[ HH:mm[:ss[.SSS]]][ XXX]", Flavor::Modern, text);
    assert_eq!(read("2024-02-29").as_deref(), Some("2024-02-29 00:00:00.000000"));
    assert_eq!(read("2024-02-29 12:34").as_deref(), Some("2024-02-29 12:34:00.000000"));
    assert_eq!(read("2024-02-29 12:34:56.789").as_deref(), Some("2024-02-29 12:34:56.789000"));
    assert_eq!(read("2024-02-29 12:34 +02:00").as_deref(), Some("2024-02-29 12:34:00.000000"));
    assert_eq!(read("2024-02-29 12"), None);
    assert_eq!(format("yyyy[-MM[-dd]]"), "2024-02-29");
    assert_eq!(format("yyyy[ XXX][-MM"), "2024-02");
    let nested = "[".repeat(MAX_DEPTH + 1);
    assert!(Pattern::compile(&nested, Flavor::Modern).is_err());
    assert_eq!(Pattern::compile("yyyy[MM]", Flavor::Legacy).map(|_| ()), Ok(()));
}

#[test]
fn zones_are_read() {
    let read = |pattern, flavor, text| {
        Pattern::compile(pattern, flavor).unwrap().parse_zoned(text).map(|z| z.offset_ms)
    };
    let hours = |hours: i64| Some(Some(hours * 3_600_000));
    let modern = |pattern, text| read(pattern, Flavor::Modern, text);
    assert_eq!(modern("HH XXX", "12 +02:00"), hours(2));
    assert_eq!(modern("HH XXX", "12 Z"), hours(0));
    assert_eq!(modern("HH XXX", "12 +0200"), None);
    assert_eq!(modern("HH x", "12 -08"), hours(-8));
    assert_eq!(modern("HH x", "12 Z"), None);
    assert_eq!(modern("HH X", "12 +0530").map(|o| o.map(|o| o / 60_000)), Some(Some(330)));
    assert_eq!(modern("HH Z", "12 +0200"), hours(2));
    assert_eq!(modern("HH VV", "12 Europe/Berlin"), Some(None));
    assert_eq!(modern("HH VV", "12 Mars/Olympus"), None);
    let legacy = |pattern, text| read(pattern, Flavor::Legacy, text);
    assert_eq!(legacy("HH Z", "12 -0800"), hours(-8));
    assert_eq!(legacy("HH z", "12 PDT"), hours(-7));
    assert_eq!(legacy("HH z", "12 GMT+02:00"), hours(2));
    assert_eq!(legacy("HH X", "12 +99"), None);
}

#[test]
fn zones_are_written_by_the_old_class_only() {
    let write = |pattern, zone, utc| {
        let mut out = String::new();
        let zone = crate::datetime::zone::Zone::parse(zone).unwrap();
        Pattern::compile(pattern, Flavor::Legacy).unwrap().format_in(utc, &zone, &mut out);
        out
    };
    assert_eq!(write("HH Z", "Asia/Shanghai", 0), "08 +0800");
    assert_eq!(write("HH XXX", "UTC", 0), "00 Z");
    assert_eq!(write("HH X", "-03:30", 0), "20 -03");
    assert_eq!(write("HH XX z", "Europe/Berlin", 0), "01 +0100 CET");
    assert_eq!(write("z", "+08:00", 0), "GMT+08:00");
    let modern = Pattern::compile("HH XXX", Flavor::Modern).unwrap();
    assert!(modern.check_writable().unwrap_err().contains("'X'"));
}
