//! Rules: what columns can have, who approves, and that they go with their table.

use tidegate_types::ErrorCode;

use super::*;
use crate::approval::tests::{World, decide, person};
use crate::{
    Action, ApprovalState, Column, DEFAULT_DATABASE, EntryFilter, PageRequest, Scope, TableAction,
    TableDefinition,
};

fn orders() -> TableName {
    TableName::new("p", DEFAULT_DATABASE, "orders").unwrap()
}

fn definition(columns: &[(&str, &str)]) -> TableDefinition {
    let column = |(name, ty): &(&str, &str)| Column {
        name: (*name).to_owned(),
        ty: (*ty).to_owned(),
        expression: if ty.is_empty() { "1 + 1".to_owned() } else { String::new() },
        ..Column::default()
    };
    TableDefinition { columns: columns.iter().map(column).collect(), ..TableDefinition::default() }
}

fn world() -> World {
    let mut world = World::new();
    let columns = [
        ("id", "BIGINT NOT NULL"),
        ("amount", "DECIMAL(10, 2)"),
        ("email", "VARCHAR(100)"),
        ("day", "DATE"),
        ("at", "TIMESTAMP(3)"),
        ("paid", "BOOLEAN"),
        ("parts", "ARRAY<INT>"),
        ("sum", ""),
    ];
    world.apply(Action::Table(Box::new(TableAction::CreateTable {
        table: orders(),
        kind: "kafka".to_owned(),
        description: String::new(),
        tags: Default::default(),
        owner: person("dev").to_string(),
        definition: Box::new(definition(&columns)),
        design: None,
    })));
    world
}

fn rule(id: &str) -> ChildName {
    format!("projects/p/qualityRules/{id}").parse().unwrap()
}

fn content(check: RuleCheck) -> Box<QualityRuleContent> {
    Box::new(QualityRuleContent {
        title: "Rule".to_owned(),
        description: String::new(),
        severity: Severity::Error,
        enabled: true,
        check,
    })
}

fn create(id: &str, check: RuleCheck) -> Action {
    Action::Quality(Box::new(QualityAction::Create {
        rule: rule(id),
        table: orders(),
        content: content(check),
        owner: person("dev").to_string(),
    }))
}

fn publish(id: &str) -> Action {
    Action::Quality(Box::new(QualityAction::Publish {
        rule: rule(id),
        etag: None,
        requester: person("dev").to_string(),
        reason: String::new(),
    }))
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn between(column: &str, min: Option<&str>, max: Option<&str>) -> RuleCheck {
    let own = |text: Option<&str>| text.map(str::to_owned);
    RuleCheck::InRange { column: column.to_owned(), min: own(min), max: own(max) }
}

fn among(column: &str, values: &[&str]) -> RuleCheck {
    RuleCheck::AcceptedValues { column: column.to_owned(), values: own(values) }
}

fn matching(column: &str, pattern: &str) -> RuleCheck {
    RuleCheck::Matches { column: column.to_owned(), pattern: pattern.to_owned() }
}

fn rows(min: Option<u64>, max: Option<u64>, window_ms: i64) -> RuleCheck {
    RuleCheck::RowCount { min, max, window_ms }
}

fn fresh(column: &str, max_age_ms: i64) -> RuleCheck {
    RuleCheck::Freshness { column: column.to_owned(), max_age_ms }
}

#[test]
fn rules_fit_the_columns_of_their_table() {
    let mut world = world();
    let good = [
        RuleCheck::NotNull { columns: own(&["id", "email"]) },
        RuleCheck::Unique { columns: own(&["id", "day"]) },
        between("amount", Some("-1.5"), Some("10")),
        between("amount", None, Some("10")),
        between("day", Some("2026-01-01"), Some("2026-12-31")),
        between("at", Some("2026-01-01 00:00:00"), Some("2026-01-01 00:00:00.5")),
        between("sum", Some("9"), Some("10")),
        matching("email", "[^@]+@[^@]+"),
        matching("sum", "x"),
        among("paid", &["true"]),
        among("email", &["a", "b"]),
        rows(Some(1), None, 60_000),
        rows(Some(1), Some(1), 0),
        fresh("at", 1),
        fresh("day", 86_400_000),
    ];
    for (number, check) in good.into_iter().enumerate() {
        world.apply(create(&format!("good-{number}"), check));
    }
    for (check, field) in [
        (RuleCheck::NotNull { columns: own(&["none"]) }, "not_null.columns"),
        (RuleCheck::NotNull { columns: own(&[]) }, "not_null.columns"),
        (RuleCheck::Unique { columns: own(&["id", "id"]) }, "unique.columns"),
        (between("email", Some("a"), None), "in_range.column"),
        (between("parts", Some("1"), None), "in_range.column"),
        (between("amount", None, None), "in_range"),
        (between("amount", Some("x"), None), "in_range.min"),
        (between("amount", Some("10"), Some("9")), "in_range.min"),
        (between("day", Some("2026-02-01"), Some("2026-01-01")), "in_range.min"),
        (between("at", Some("2026-01-01"), None), "in_range.min"),
        (between("at", None, Some("2026-01-01 24:00:00")), "in_range.max"),
        (matching("id", "x"), "matches.column"),
        (matching("email", ""), "matches.pattern"),
        (among("email", &[]), "accepted_values.values"),
        (among("id", &["1", "one"]), "accepted_values.values"),
        (rows(None, None, 0), "row_count"),
        (rows(Some(2), Some(1), 0), "row_count.min"),
        (rows(Some(2), None, -1), "row_count.window_ms"),
        (fresh("id", 1), "freshness.column"),
        (fresh("at", 0), "freshness.max_age_ms"),
    ] {
        let error = world.attempt(create("bad", check.clone())).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidOption, "{check:?}");
        let fields: Vec<&str> = error.fields().iter().map(|one| one.field.as_str()).collect();
        assert!(fields.contains(&format!("quality_rule.check.{field}").as_str()), "{fields:?}");
    }
    let elsewhere = Action::Quality(Box::new(QualityAction::Create {
        rule: rule("bad"),
        table: TableName::new("default", DEFAULT_DATABASE, "orders").unwrap(),
        content: content(rows(Some(1), None, 0)),
        owner: person("dev").to_string(),
    }));
    assert_eq!(world.refuse(elsewhere), ErrorCode::NotFound);
}

#[test]
fn rules_are_said_in_words() {
    for (check, words) in [
        (RuleCheck::Unique { columns: own(&["id", "day"]) }, "unique(id, day)"),
        (between("id", Some("1"), Some("9")), "in_range(id, min 1, max 9)"),
        (matching("email", ".+"), "matches(email, '.+')"),
        (among("id", &["1", "2"]), "accepted_values(id, 1 | 2)"),
        (rows(Some(1), None, 60), "row_count(min 1, window_ms 60)"),
        (fresh("at", 5), "freshness(at, max_age_ms 5)"),
    ] {
        assert_eq!(check.summary(), words);
    }
    let long = among("email", &["x"; 1_000]);
    assert!(long.summary().len() < 600);
}

#[test]
fn b4_the_projects_data_administrator_approves_rules_as_they_were_asked_for() {
    let mut world = world();
    world.apply(create("amounts", between("amount", Some("0"), None)));
    let approval: ChildName = world.apply(publish("amounts")).parse().unwrap();
    let asked = world.catalog.approval(&approval).unwrap().subject.summary();
    assert_eq!(asked, "publish projects/p/qualityRules/amounts: in_range(amount, min 0)");
    assert_eq!(world.refuse(decide(&approval, "global", true)), ErrorCode::PermissionDenied);
    let stricter = || {
        Action::Quality(Box::new(QualityAction::Update {
            rule: rule("amounts"),
            etag: None,
            title: None,
            description: None,
            severity: None,
            enabled: None,
            check: Some(between("amount", Some("1"), None)),
        }))
    };
    world.apply(stricter());
    world.apply(decide(&approval, "data", true));
    let seen = |world: &World| {
        let found = world.catalog.quality_rule(&rule("amounts")).unwrap();
        found.entry.seen(true).map(|content| content.check.clone())
    };
    assert_eq!(seen(&world), Some(between("amount", Some("0"), None)));
    let approval: ChildName = world.apply(publish("amounts")).parse().unwrap();
    world.apply(decide(&approval, "data", false));
    assert_eq!(world.state(&approval), ApprovalState::Rejected);
    assert_eq!(seen(&world), Some(between("amount", Some("0"), None)));
    world.apply(Action::Quality(Box::new(QualityAction::Unpublish {
        rule: rule("amounts"),
        etag: None,
    })));
    assert_eq!(seen(&world), None);
    let published = EntryFilter { published: true, ..EntryFilter::default() };
    let filter = QualityRuleFilter { entry: published, ..QualityRuleFilter::default() };
    let project = Scope::Project("p".to_owned());
    let listed = world.catalog.list_quality_rules(&project, &filter, &PageRequest::first(10));
    assert!(listed.unwrap().items.is_empty());
}

#[test]
fn columns_that_go_are_said_and_rules_go_with_their_table() {
    let mut world = world();
    world.apply(create("amounts", between("amount", Some("0"), None)));
    let approval: ChildName = world.apply(publish("amounts")).parse().unwrap();
    world.apply(Action::Table(Box::new(TableAction::UpdateTable {
        table: orders(),
        etag: None,
        description: None,
        tags: None,
        definition: Some(Box::new(definition(&[("id", "BIGINT")]))),
        design: None,
    })));
    let found = world.catalog.quality_rule(&rule("amounts")).unwrap();
    let misfit = world.catalog.rule_misfit(found, &found.entry.draft);
    assert_eq!(misfit, "the table has no column 'amount'");
    assert_eq!(world.refuse(decide(&approval, "data", true)), ErrorCode::InvalidOption);
    let delete = TableAction::DeleteTable { table: orders(), etag: None };
    world.apply(Action::Table(Box::new(delete)));
    assert!(world.catalog.quality_rule(&rule("amounts")).is_none());
    assert_eq!(world.catalog.rules_on(&orders()).count(), 0);
    assert_eq!(world.state(&approval), ApprovalState::Withdrawn);
}
