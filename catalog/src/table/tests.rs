//! A table's way: design, test, production; and what stands in it.

use tidegate_types::ErrorCode;

use super::*;
use crate::approval::tests::{World, decide, person, source};
use crate::{
    Action, ApprovalState, ApprovalView, ChildName, Command, Quota, ServiceKind, TenancyAction,
};

fn definition(columns: &[&str]) -> TableDefinition {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        ty: "BIGINT".to_owned(),
        ..Column::default()
    };
    TableDefinition {
        columns: columns.iter().map(column).collect(),
        options: BTreeMap::from([("format".to_owned(), "json".to_owned())]),
        ..TableDefinition::default()
    }
}

fn topic() -> TableName {
    TableName::new("p", DEFAULT_DATABASE, "clicks").unwrap()
}

fn create(name: &TableName, kind: &str) -> Action {
    Action::Table(Box::new(TableAction::CreateTable {
        table: name.clone(),
        kind: kind.to_owned(),
        description: "what people click".to_owned(),
        tags: BTreeSet::from(["web".to_owned()]),
        owner: person("dev").to_string(),
        definition: Box::new(definition(&["a"])),
        design: None,
    }))
}

fn update(name: &TableName, columns: &[&str]) -> Action {
    Action::Table(Box::new(TableAction::UpdateTable {
        table: name.clone(),
        etag: None,
        description: None,
        tags: None,
        definition: Some(Box::new(definition(columns))),
        design: None,
    }))
}

fn publish(name: &TableName, environment: Environment, data_source: Option<ChildName>) -> Action {
    Action::Table(Box::new(TableAction::PublishTable {
        table: name.clone(),
        etag: None,
        environment,
        data_source,
        physical_name: format!("{}-{environment}", name.table()),
        topic: Topic { partitions: 3, ..Topic::default() },
        requester: person("dev").to_string(),
        reason: String::new(),
    }))
}

fn unpublish(name: &TableName, environment: Environment) -> Action {
    let (table, etag) = (name.clone(), None);
    Action::Table(Box::new(TableAction::UnpublishTable { table, etag, environment }))
}

/// A world with a Kafka and a MySQL that can be used.
fn world() -> World {
    let mut world = World::new();
    for kind in ["kafka", "mysql"] {
        let data_source = world.data_source(kind, kind);
        let approval = world.ask(&data_source);
        world.apply(decide(&approval, "global", true));
    }
    world
}

/// Says of everything that is to be created outside that it is there, or why not.
fn settle(world: &mut World, failure: Option<&str>) -> usize {
    let wanted: Vec<Ready> = world
        .catalog
        .applying()
        .map(|(table, environment, publication)| Ready {
            table: table.name.clone(),
            environment,
            publication: Box::new(publication.clone()),
            failure: failure.map(str::to_owned),
        })
        .collect();
    let count = wanted.len();
    for ready in wanted {
        world.apply(Action::Table(Box::new(TableAction::SetReady(ready))));
    }
    count
}

fn columns_in(world: &World, environment: Environment) -> Vec<String> {
    let table = world.catalog.table(&topic()).unwrap();
    let there = table.publications.get(&environment).and_then(|there| there.definition.clone());
    there.unwrap_or_default().columns.into_iter().map(|column| column.name).collect()
}

fn approved(world: &mut World, action: Action) {
    let approval: ChildName = world.apply(action).parse().unwrap();
    world.apply(decide(&approval, "data", true));
}

#[test]
fn d1_d2_d5_a_topic_goes_from_design_through_test_to_production() {
    let mut world = world();
    world.apply(create(&topic(), "kafka"));
    let kafka = Some(source("kafka"));
    let early = publish(&topic(), Environment::Production, kafka.clone());
    assert_eq!(world.refuse(early.clone()), ErrorCode::FailedPrecondition, "not before test");
    let approval: ChildName =
        world.apply(publish(&topic(), Environment::Test, kafka.clone())).parse().unwrap();
    assert_eq!(world.listed("data", ApprovalView::Pending), [3]);
    // What is approved is what was seen.
    world.apply(update(&topic(), &["a", "b"]));
    world.apply(decide(&approval, "data", true));
    assert_eq!(columns_in(&world, Environment::Test).len(), 0, "the topic is not there yet");
    assert_eq!(world.refuse(early.clone()), ErrorCode::FailedPrecondition);
    assert_eq!(settle(&mut world, None), 1);
    assert_eq!(columns_in(&world, Environment::Test), ["a"]);
    approved(&mut world, early);
    settle(&mut world, None);
    assert_eq!(columns_in(&world, Environment::Production), ["a"], "as it is in test");
    let table = world.catalog.table(&topic()).unwrap();
    assert_eq!(table.publications[&Environment::Production].physical_name, "clicks-production");
}

#[test]
fn d6_a_rejected_publication_changes_nothing() {
    let mut world = world();
    world.apply(create(&topic(), "kafka"));
    let publish = publish(&topic(), Environment::Test, Some(source("kafka")));
    let approval: ChildName = world.apply(publish).parse().unwrap();
    world.apply(decide(&approval, "data", false));
    assert_eq!(world.state(&approval), ApprovalState::Rejected);
    let table = world.catalog.table(&topic()).unwrap();
    assert!(table.publications.is_empty() && table.next.is_empty());
}

#[test]
fn what_is_there_stays_until_what_takes_its_place_is_ready() {
    let mut world = world();
    world.apply(create(&topic(), "kafka"));
    let again = || publish(&topic(), Environment::Test, Some(source("kafka")));
    approved(&mut world, again());
    settle(&mut world, None);
    world.apply(update(&topic(), &["a", "b"]));
    approved(&mut world, again());
    settle(&mut world, Some("the broker says no"));
    assert_eq!(columns_in(&world, Environment::Test), ["a"]);
    let table = world.catalog.table(&topic()).unwrap();
    assert_eq!(table.next[&Environment::Test].message, "the broker says no");
    assert_eq!(settle(&mut world, None), 1, "it is tried again");
    assert_eq!(columns_in(&world, Environment::Test), ["a", "b"]);
    let stale = Ready {
        table: topic(),
        environment: Environment::Test,
        publication: Box::new(
            world.catalog.table(&topic()).unwrap().publications[&Environment::Test].clone(),
        ),
        failure: None,
    };
    let stale = Action::Table(Box::new(TableAction::SetReady(stale)));
    assert_eq!(world.refuse(stale), ErrorCode::Fenced);
}

#[test]
fn a_table_is_in_a_data_source_of_its_type_that_its_project_may_use() {
    let mut world = world();
    world.apply(create(&topic(), "kafka"));
    let test = |data_source: &str| publish(&topic(), Environment::Test, Some(source(data_source)));
    assert_eq!(world.refuse(test("mysql")), ErrorCode::FailedPrecondition);
    assert_eq!(world.refuse(test("none")), ErrorCode::NotFound);
    world.data_source("draft", "kafka");
    assert_eq!(world.refuse(test("draft")), ErrorCode::FailedPrecondition);
    let nowhere = publish(&topic(), Environment::Test, None);
    assert_eq!(
        world.refuse(nowhere),
        ErrorCode::NotFound,
        "topics are in no database of their own"
    );
}

#[test]
fn d2_a_database_is_published_and_its_tables_are_where_it_is() {
    let mut world = world();
    let name: ChildName = "projects/p/databases/shop".parse().unwrap();
    let database = |environment: Environment| {
        Action::Table(Box::new(TableAction::PublishDatabase {
            database: "projects/p/databases/shop".parse().unwrap(),
            environment,
            data_source: source("mysql"),
            physical_name: "shop_1".to_owned(),
            requester: person("data").to_string(),
            reason: String::new(),
        }))
    };
    world.apply(Action::Table(Box::new(TableAction::CreateDatabase {
        database: name.clone(),
        description: String::new(),
        tags: BTreeSet::new(),
        owner: person("data").to_string(),
    })));
    let orders = TableName::new("p", "shop", "orders").unwrap();
    world.apply(create(&orders, "mysql"));
    let code = world.refuse(publish(&orders, Environment::Test, None));
    assert_eq!(code, ErrorCode::FailedPrecondition, "its database is not there");
    assert_eq!(world.refuse(database(Environment::Production)), ErrorCode::FailedPrecondition);
    let approval: ChildName = world.apply(database(Environment::Test)).parse().unwrap();
    world.apply(decide(&approval, "global", true));
    approved(&mut world, publish(&orders, Environment::Test, None));
    assert_eq!(settle(&mut world, None), 0, "tables of databases are not created");
    let table = world.catalog.table(&orders).unwrap();
    assert_eq!(table.publications[&Environment::Test].data_source, source("mysql"));
    let delete = || {
        Action::Table(Box::new(TableAction::DeleteDatabase { database: name.clone(), etag: None }))
    };
    assert_eq!(world.refuse(delete()), ErrorCode::FailedPrecondition);
    let (data_source, etag) = (source("mysql"), None);
    let gone = crate::DataSourceAction::Delete { data_source, etag };
    assert_eq!(world.refuse(Action::DataSource(Box::new(gone))), ErrorCode::FailedPrecondition);
    world.apply(unpublish(&orders, Environment::Test));
    let delete_table = TableAction::DeleteTable { table: orders, etag: None };
    world.apply(Action::Table(Box::new(delete_table)));
    world.apply(delete());
    assert_eq!(world.catalog.users_of(&source("mysql")).count(), 0);
}

#[test]
fn a_table_leaves_its_environments_backwards_and_then_it_can_be_deleted() {
    let mut world = world();
    world.apply(create(&topic(), "kafka"));
    for environment in [Environment::Test, Environment::Production] {
        approved(&mut world, publish(&topic(), environment, Some(source("kafka"))));
        settle(&mut world, None);
    }
    let delete =
        || Action::Table(Box::new(TableAction::DeleteTable { table: topic(), etag: None }));
    let refused = ErrorCode::FailedPrecondition;
    assert_eq!(world.refuse(unpublish(&topic(), Environment::Test)), refused);
    assert_eq!(world.refuse(delete()), refused);
    world.apply(unpublish(&topic(), Environment::Production));
    assert_eq!(world.refuse(unpublish(&topic(), Environment::Production)), refused);
    world.apply(unpublish(&topic(), Environment::Test));
    world.apply(delete());
    assert!(world.catalog.table(&topic()).is_none());
}

#[test]
fn d4_tables_are_listed_by_environment_type_words_and_owner() {
    let mut world = world();
    world.apply(create(&topic(), "kafka"));
    world.apply(create(&TableName::new("p", DEFAULT_DATABASE, "visits").unwrap(), "kafka"));
    approved(&mut world, publish(&topic(), Environment::Test, Some(source("kafka"))));
    settle(&mut world, None);
    let list = |filter: TableFilter| -> Vec<String> {
        let page = world.catalog.list_tables("p", None, &filter, &crate::PageRequest::first(10));
        page.unwrap().items.iter().map(|table| table.name.table().to_owned()).collect()
    };
    let any = TableFilter::default();
    assert_eq!(list(any.clone()), ["clicks", "visits"]);
    assert_eq!(
        list(TableFilter { environment: Some(Environment::Test), ..any.clone() }),
        ["clicks"]
    );
    assert_eq!(list(TableFilter { search: "visit".to_owned(), ..any.clone() }), ["visits"]);
    assert_eq!(list(TableFilter { search: "web".to_owned(), ..any.clone() }).len(), 2);
    assert!(list(TableFilter { kind: "mysql".to_owned(), ..any.clone() }).is_empty());
    assert!(list(TableFilter { owner: "nobody".to_owned(), ..any }).is_empty());
}

#[test]
fn tables_have_a_quota_and_odd_definitions_are_refused() {
    let mut world = world();
    world.apply(Action::Tenancy(TenancyAction::UpdateService {
        project: "p".to_owned(),
        service: ServiceKind::DataManagement,
        etag: None,
        quota: Quota { tables: 1, ..Quota::default() },
    }));
    world.apply(create(&topic(), "kafka"));
    let second = TableName::new("p", DEFAULT_DATABASE, "visits").unwrap();
    assert_eq!(world.refuse(create(&second, "kafka")), ErrorCode::QuotaExceeded);
    for columns in [&[][..], &["a", "a"], &[""]] {
        assert_eq!(
            world.refuse(update(&topic(), columns)),
            ErrorCode::InvalidOption,
            "{columns:?}"
        );
    }
}

#[test]
fn commands_that_take_something_away_are_not_those_that_leave_it() {
    let update = |design: Option<Option<Design>>| {
        Command::new(
            1,
            Action::Table(Box::new(TableAction::UpdateTable {
                table: topic(),
                etag: None,
                description: None,
                tags: None,
                definition: None,
                design,
            })),
        )
    };
    let there = Design { data_source: source("kafka"), physical_name: "clicks".to_owned() };
    for design in [None, Some(None), Some(Some(there))] {
        let command = update(design);
        assert_eq!(Command::decode(&command.encode()).unwrap(), command);
    }
}
