//! Finding grants.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::{Grant, Grantee};
use crate::bounds::invalid;
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::state::{Catalog, not_found};
use crate::table::TableName;

/// Which grants are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// To projects, or to persons; none: both.
    pub projects: Option<bool>,
}

impl Catalog {
    /// A grant.
    pub fn grant(&self, name: &ChildName) -> Option<&Grant> {
        if name.collection() != Collection::Grants {
            return None;
        }
        let found = self.grants.grants.get(&name.id().parse::<u64>().ok()?)?;
        (found.name == *name).then_some(found.as_ref())
    }

    /// Whether there is a grant that has ended.
    pub fn has_ended_grants(&self, now_ms: i64) -> bool {
        self.index.ending_grants.first().is_some_and(|(expires, _)| *expires <= now_ms)
    }

    /// The whitelist of a table, oldest first.
    pub fn grants_on(&self, table: &TableName) -> impl Iterator<Item = &Grant> {
        let from = (table.clone(), 0);
        let table = table.clone();
        let rest = self.index.grants_on.range(from..);
        let rest = rest.take_while(move |(other, _)| *other == table);
        rest.filter_map(|(_, number)| self.grants.grants.get(number)).map(Arc::as_ref)
    }

    /// What somebody was granted, newest first.
    pub fn list_grants_to(
        &self,
        grantee: &Grantee,
        request: &PageRequest,
    ) -> Result<Page<Arc<Grant>>> {
        page(&format!("{grantee}/granted"), request, |after| {
            let below = after.map(|key| key.parse::<u64>()).transpose();
            let below = below.map_err(|_| invalid("the page token names no number"))?;
            let key = |number: u64| (grantee.clone(), number);
            let range = (Bound::Included(key(0)), Bound::Excluded(key(below.unwrap_or(u64::MAX))));
            let rest = self.index.grants_to.range(range).rev();
            let rest = rest.filter_map(|(_, number)| self.grants.grants.get(number));
            Ok(rest.map(|grant| (grant.number.to_string(), grant.clone())))
        })
    }

    /// The whitelist of a table in pages, newest first; `NOT_FOUND` if there is no such table.
    pub fn list_grants_on(
        &self,
        table: &TableName,
        filter: &GrantFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<Grant>>> {
        if self.table(table).is_none() {
            return Err(not_found(&ResourceName::Table(table.clone())));
        }
        page(&format!("{table}/grants"), request, |after| {
            let below = after.map(|key| key.parse::<u64>()).transpose();
            let below = below.map_err(|_| invalid("the page token names no number"))?;
            let key = |number: u64| (table.clone(), number);
            let range = (Bound::Included(key(0)), Bound::Excluded(key(below.unwrap_or(u64::MAX))));
            let rest = self.index.grants_on.range(range).rev();
            let rest = rest.filter_map(|(_, number)| self.grants.grants.get(number));
            let takes = |grant: &Grant| {
                filter
                    .projects
                    .is_none_or(|projects| projects == matches!(grant.grantee, Grantee::Project(_)))
            };
            let rest = rest.filter(move |grant| takes(grant));
            Ok(rest.map(|grant| (grant.number.to_string(), grant.clone())))
        })
    }
}
