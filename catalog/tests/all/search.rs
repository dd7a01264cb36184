//! Search that follows the catalog.

use tidegate_catalog::{
    Action, Catalog, CatalogSearch, Command, DocumentKind, PageRequest, Refreshed, SearchFilter,
    TableAction,
};

use crate::tables;

fn names(search: &CatalogSearch, query: &str) -> Vec<String> {
    let filter = SearchFilter::default();
    let request = PageRequest::first(1_000);
    let found = search.search(query, &filter, |_| true, &request).unwrap();
    found.page.items.iter().map(|hit| hit.name.to_string()).collect()
}

fn apply(catalog: &mut Catalog, action: Action) {
    catalog.apply(Command::new(9_000, action)).unwrap();
}

fn describe(n: usize, description: &str) -> Action {
    Action::Table(Box::new(TableAction::UpdateTable {
        table: tables::table(n, 4),
        etag: None,
        description: Some(description.to_owned()),
        tags: None,
        definition: None,
        design: None,
    }))
}

#[test]
fn it_sees_what_is_created_changed_and_deleted() {
    let mut catalog = tables::filled(4, 40);
    let mut search = CatalogSearch::default();
    assert_eq!(search.refresh(&catalog), Refreshed::Everything);
    assert_eq!(search.len(), 40 + 5);
    assert_eq!(names(&search, "project number 3"), ["projects/p-0003"]);
    assert_eq!(names(&search, "orderEvents 000008"), [tables::table(8, 4).to_string()]);
    assert_eq!(names(&search, "物流").len(), 40, "in the comments of all");
    assert!(names(&search, "zebra").is_empty());

    apply(&mut catalog, describe(8, "stripes of the zebra"));
    apply(&mut catalog, describe(9, "zebras"));
    let (table, etag) = (tables::table(10, 4), None);
    let gone = table.to_string();
    apply(&mut catalog, Action::Table(Box::new(TableAction::DeleteTable { table, etag })));
    assert_eq!(search.behind(&catalog), Some(3));
    assert_eq!(search.refresh(&catalog), Refreshed::Changes(3));
    assert_eq!(search.refresh(&catalog), Refreshed::Changes(0));
    let (eight, nine) = (tables::table(8, 4).to_string(), tables::table(9, 4).to_string());
    assert_eq!(names(&search, "zebra"), [eight, nine], "the whole word first");
    assert!(!names(&search, "events").contains(&gone));

    let mut anew = CatalogSearch::default();
    anew.refresh(&catalog);
    for query in ["events", "daily", "订单", "team1", "customer"] {
        assert_eq!(names(&search, query), names(&anew, query), "{query}");
    }
}

#[test]
fn a_catalog_from_a_snapshot_is_read_anew_by_who_is_behind() {
    let mut catalog = tables::filled(2, 10);
    let (mut behind, mut current) = (CatalogSearch::default(), CatalogSearch::default());
    behind.refresh(&catalog);
    apply(&mut catalog, describe_of_two(3));
    current.refresh(&catalog);
    let back = Catalog::decode(&catalog.encode()).unwrap();
    assert_eq!(current.refresh(&back), Refreshed::Changes(0));
    assert_eq!(behind.refresh(&back), Refreshed::Everything);
    assert_eq!(names(&behind, "unicorn"), names(&current, "unicorn"));
    assert_eq!(names(&behind, "unicorn").len(), 1);
}

fn describe_of_two(n: usize) -> Action {
    Action::Table(Box::new(TableAction::UpdateTable {
        table: tables::table(n, 2),
        etag: None,
        description: Some("unicorn".to_owned()),
        tags: None,
        definition: None,
        design: None,
    }))
}

#[test]
fn only_what_is_asked_for_and_visible_is_found() {
    let catalog = tables::filled(3, 30);
    let mut search = CatalogSearch::default();
    search.refresh(&catalog);
    let find = |filter: &SearchFilter, visible: &str| {
        let request = PageRequest::first(1_000);
        let found = search.search("p", filter, |name| name.to_string().contains(visible), &request);
        found.unwrap().page.items
    };
    let projects = SearchFilter { kinds: vec![DocumentKind::Project], ..SearchFilter::default() };
    assert!(find(&projects, "").iter().all(|hit| hit.kind == DocumentKind::Project));
    assert_eq!(find(&projects, "").len(), 3);
    let of_one = SearchFilter { project: "p-0001".to_owned(), ..SearchFilter::default() };
    assert_eq!(find(&of_one, "").len(), 11);
    assert_eq!(find(&of_one, "paymentEvents_000001").len(), 1);
    assert_eq!(find(&SearchFilter::default(), "nowhere").len(), 0);
}
