//! E12: the Nexmark queries over a governed table of which bids are masked.

use std::path::Path;

use tidegate_types::ErrorCode;

use super::masks::assert_hidden;
use super::{Shop, access, try_job};
use crate::governed::{ColumnAccess, Mask};
use crate::parse_script;
use crate::tests::lineage::nexmark::with_values;

#[test]
fn e12_no_query_sees_what_is_masked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/nexmark");
    let read = |name: &str| with_values(&std::fs::read_to_string(folder.join(name)).unwrap());
    let ddl = parse_script(&read("ddl.sql")).unwrap();
    let (views, tables): (Vec<_>, Vec<_>) =
        ddl.into_iter().partition(|statement| statement.text.contains("CREATE VIEW"));
    let (mut planned, mut refused) = (Vec::new(), Vec::new());
    for number in 0..=23 {
        let mut shop = Shop::new();
        shop.add("my-project", "default", "datagen", &tables[0].text);
        let masked = [("bid", ColumnAccess::Masked(Mask::Null))];
        shop.table_mut(["my-project", "default", "datagen"]).columns = access(&masked);
        let mut session = shop.session();
        for view in &views {
            session.plan(view).unwrap();
        }
        let query = read(&format!("q{number}.sql"));
        match try_job(&mut session, &query) {
            Ok(plan) => {
                assert_hidden(&plan, "bid", &query);
                planned.push(number);
            }
            // The events' time is that of bids, too.
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::PermissionDenied, "q{number}: {error}");
                assert!(error.to_string().contains("event time"), "q{number}: {error}");
                refused.push(number);
            }
        }
    }
    assert_eq!((planned.len(), refused.len()), (17, 7), "{planned:?} {refused:?}");
}
