//! Relations: what they can say, who sees them, and what becomes of them when an end goes.

use tidegate_types::ErrorCode;

use super::super::*;
use super::people::{self, Office, data, name};
use crate::approval::tests::{decide, person};
use crate::{
    Action, ApprovalState, Column, DEFAULT_DATABASE, EntryFilter, PageRequest, Scope, TableAction,
    TableDefinition, TableName,
};

fn orders() -> TableName {
    TableName::new("p", DEFAULT_DATABASE, "orders").unwrap()
}

fn column(name: &str) -> RelationEnd {
    RelationEnd::Table { table: orders(), column: Some(name.to_owned()) }
}

fn relation(id: &str) -> ChildName {
    name("projects/p/relations", id)
}

fn create(of: ChildName, kind: RelationKind, target: RelationEnd) -> Action {
    people::relations(RelationAction::Create {
        relation: of,
        content: Box::new(RelationContent {
            kind,
            source: data("customer-id"),
            target,
            description: String::new(),
        }),
        owner: person("dev").to_string(),
    })
}

fn publish(of: &ChildName) -> Action {
    people::relations(RelationAction::Publish {
        relation: of.clone(),
        etag: None,
        requester: person("dev").to_string(),
        reason: String::new(),
    })
}

fn seen(office: &Office) -> usize {
    let entry = EntryFilter { published: true, ..EntryFilter::default() };
    let filter = RelationFilter { entry, ..RelationFilter::default() };
    let owner = Scope::Project("p".to_owned());
    let page = office.catalog.list_relations(&owner, &filter, &PageRequest::first(10));
    page.unwrap().items.len()
}

/// An office with two pieces of business data that everybody sees, and a table.
fn office() -> Office {
    let mut office = Office::new();
    office.published_model("term", &[]);
    office.published_data("customer-id", "term");
    office.published_data("person", "term");
    office.table("orders");
    office
}

#[test]
fn b4_business_data_lead_to_columns_and_to_others_once_that_is_approved() {
    let mut office = office();
    let (describes, is_part) = (relation("describes-id"), relation("part"));
    office.apply(create(describes.clone(), RelationKind::Describes, column("id")));
    let person_ = RelationEnd::BusinessData(data("person"));
    office.apply(create(is_part.clone(), RelationKind::PartOf, person_.clone()));
    assert_eq!(seen(&office), 0);
    for of in [&describes, &is_part] {
        let approval: ChildName = office.apply(publish(of)).parse().unwrap();
        assert_eq!(office.refuse(decide(&approval, "data", true)), ErrorCode::PermissionDenied);
        office.apply(decide(&approval, "asset", true));
    }
    assert_eq!(seen(&office), 2);
    let of_end = |end: crate::ResourceName| {
        let filter = RelationFilter { end: Some(end), ..RelationFilter::default() };
        let owner = Scope::Project("p".to_owned());
        let page = office.catalog.list_relations(&owner, &filter, &PageRequest::first(10));
        page.unwrap().items.iter().map(|one| one.entry.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of_end(orders().into()), [describes]);
    assert_eq!(of_end(data("person").into()), [is_part]);
    assert_eq!(of_end(data("customer-id").into()).len(), 2);
}

#[test]
fn relations_that_say_nothing_are_refused() {
    let mut office = office();
    let made = |kind, target| create(relation("r"), kind, target);
    let table = |project: &str| RelationEnd::Table {
        table: TableName::new(project, DEFAULT_DATABASE, "orders").unwrap(),
        column: None,
    };
    let own = RelationEnd::BusinessData(data("customer-id"));
    office.tenant("rival");
    office.project("theirs", "rival");
    office.table_in("theirs", "orders");
    office.project("q", "default");
    office.table_in("q", "orders");
    for (kind, target, code) in [
        (RelationKind::SameAs, table("p"), ErrorCode::InvalidOption),
        (RelationKind::SameAs, own, ErrorCode::InvalidOption),
        (RelationKind::Describes, column("none"), ErrorCode::InvalidOption),
        (RelationKind::Describes, table("q"), ErrorCode::NotFound),
        (RelationKind::Describes, table("theirs"), ErrorCode::NotFound),
        (RelationKind::PartOf, RelationEnd::BusinessData(data("none")), ErrorCode::NotFound),
    ] {
        let error = office.attempt(made(kind, target.clone())).unwrap_err();
        assert_eq!((error.code(), error.fields().len()), (code, 1), "{target}: {error}");
    }
    office.apply(made(RelationKind::Describes, table("p")));
    let twin = create(relation("twin"), RelationKind::Describes, table("p"));
    assert_eq!(office.refuse(twin), ErrorCode::AlreadyExists);
    // One of the tenant leads to tables of all its projects, and of no other's.
    let of_tenant = |id: &str| name("tenants/default/relations", id);
    office.apply(create(of_tenant("r"), RelationKind::Describes, table("q")));
    let foreign = create(of_tenant("s"), RelationKind::Describes, table("theirs"));
    assert_eq!(office.refuse(foreign), ErrorCode::NotFound);
}

#[test]
fn relations_say_what_they_have_lost_and_drafts_go_with_it() {
    let mut office = office();
    let (seen_one, asked, draft) = (relation("seen"), relation("asked"), relation("draft"));
    office.apply(create(seen_one.clone(), RelationKind::Describes, column("id")));
    office.apply(create(asked.clone(), RelationKind::Describes, column("email")));
    let all = RelationEnd::Table { table: orders(), column: None };
    office.apply(create(draft.clone(), RelationKind::RelatedTo, all));
    let approval: ChildName = office.apply(publish(&seen_one)).parse().unwrap();
    office.apply(decide(&approval, "asset", true));
    let approval: ChildName = office.apply(publish(&asked)).parse().unwrap();
    // A column that goes breaks what leads to it, one that comes back mends it.
    let columns = |names: &[&str]| {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            ty: "STRING".to_owned(),
            ..Column::default()
        };
        let columns = names.iter().map(column).collect();
        Action::Table(Box::new(TableAction::UpdateTable {
            table: orders(),
            etag: None,
            description: None,
            tags: None,
            definition: Some(Box::new(TableDefinition { columns, ..TableDefinition::default() })),
            design: None,
        }))
    };
    office.apply(columns(&["email"]));
    let broken = |office: &Office| {
        let found = office.catalog.relation(&relation("seen")).unwrap();
        office.catalog.broken(found)
    };
    assert!(broken(&office).contains("no column id"));
    assert_eq!(seen(&office), 0);
    assert_eq!(office.refuse(decide(&approval, "data", true)), ErrorCode::PermissionDenied);
    office.apply(columns(&["id", "email"]));
    assert_eq!(seen(&office), 1);
    office.delete_table("orders");
    assert!(broken(&office).contains("was deleted"));
    assert_eq!(office.state(&approval), ApprovalState::Withdrawn);
    assert!(office.catalog.relation(&asked).is_none() && office.catalog.relation(&draft).is_none());
    // Another table of the same name is another table.
    office.table("orders");
    assert_eq!(seen(&office), 0);
    let again = people::relations(RelationAction::Update {
        relation: seen_one.clone(),
        etag: None,
        kind: Some(RelationKind::RelatedTo),
        description: None,
    });
    office.apply(again);
    assert_eq!(office.refuse(publish(&seen_one)), ErrorCode::FailedPrecondition);
    office.apply(people::relations(RelationAction::Delete { relation: seen_one, etag: None }));
    assert_eq!(seen(&office), 0);
}

#[test]
fn a_relation_is_seen_with_what_it_leads_from() {
    let mut office = office();
    let of = relation("seen");
    office.apply(create(of.clone(), RelationKind::Describes, column("id")));
    let approval: ChildName = office.apply(publish(&of)).parse().unwrap();
    office.apply(decide(&approval, "asset", true));
    assert_eq!(seen(&office), 1);
    office.apply(people::business_data(BusinessDataAction::Unpublish {
        business_data: data("customer-id"),
        etag: None,
        editor: person("biz").to_string(),
    }));
    assert_eq!(seen(&office), 0);
    office.apply(people::delete_data("customer-id"));
    let found = office.catalog.relation(&of).unwrap();
    assert_eq!(found.lost, Some(data("customer-id").into()));
    office.apply(Action::CreateProject {
        project: "empty".to_owned(),
        tenant: "default".to_owned(),
        description: String::new(),
        services: None,
    });
    office.published_data("name", "term");
    let content = RelationContent {
        kind: RelationKind::PartOf,
        source: data("name"),
        target: RelationEnd::BusinessData(data("person")),
        description: String::new(),
    };
    office.apply(people::relations(RelationAction::Create {
        relation: name("projects/empty/relations", "r"),
        content: Box::new(content),
        owner: person("dev").to_string(),
    }));
    let delete = Action::DeleteProject { project: "empty".to_owned(), etag: None };
    assert_eq!(office.refuse(delete), ErrorCode::FailedPrecondition, "it has a relation");
}
