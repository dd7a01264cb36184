//! What there is in a tenant: search, tables with all that is known of them, lineage.

use tidegate_catalog::{
    ApprovalState, Asker, Catalog, ChildName, Collection, ColumnAccess, ColumnMask, DocumentKind,
    Field, Hit, LineageEdge, ResourceName, Scope, SearchFilter, Table, TableName, TableUser,
    TenantTableFilter,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::catalog_service_server::CatalogService;
use tidegate_runtime::blocking::beside;
use tidegate_security::Policy;
use tidegate_types::{Error, Result};

use super::access::{message as grant_message, rights_message};
use super::approvals::{environment as shown, stored};
use super::data_sources::type_of;
use super::fields::{invalid, page, project, serve, tenant};
use super::metadata;
use super::tables::table_message;
use super::{Api, unknown};
use crate::service::call::{CurrentCall, signed_in};
use crate::service::gate::Place;

/// Jobs that a lineage goes over where nobody says, and at most.
const DEPTH: u32 = 3;
const MOST_DEPTH: u32 = 10;
/// Grants of a table that its page has; the rest is listed in pages.
const GRANTS: usize = 100;
/// Relations of a table that its page has; the rest is listed in pages.
const RELATIONS: usize = 100;
/// Whoever has it sees the grants of a table.
const SEES_GRANTS: &str = "grants.list";

impl Api {
    async fn search_catalog(
        &self,
        request: api::SearchCatalogRequest,
    ) -> Result<api::SearchCatalogResponse> {
        let tenant = tenant(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        let kinds = request.kinds().map(kind).collect::<Result<_>>()?;
        let project = match request.in_project.as_str() {
            "" => String::new(),
            name => project(name)?,
        };
        let filter = SearchFilter { kinds, project };
        // What the caller was told before is applied here then.
        self.read(|_| Ok(())).await?;
        let (metadata, searching) = (self.metadata.clone(), self.searching.clone());
        let search = move || {
            searching.search(&metadata, |search, catalog| {
                let visible = |name: &ResourceName| is_visible(catalog, &tenant, name);
                let found = search.search(&request.query, &filter, visible, &page)?;
                Ok::<_, Error>(api::SearchCatalogResponse {
                    hits: found.page.items.iter().map(|hit| hit_message(catalog, hit)).collect(),
                    next_page_token: found.page.next.unwrap_or_default(),
                })
            })
        };
        beside("search the catalog", search).await?
    }

    async fn list_catalog_tables(
        &self,
        request: api::ListCatalogTablesRequest,
    ) -> Result<api::ListCatalogTablesResponse> {
        let environment = stored(request.environment());
        let tenant = tenant(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        let project = match request.in_project.as_str() {
            "" => String::new(),
            name => project(name)?,
        };
        let data_source = match request.data_source.as_str() {
            "" => None,
            name => Some(data_source(name)?),
        };
        let filter = TenantTableFilter {
            project,
            environment,
            kind: request.r#type,
            data_source,
            tag: request.tag,
        };
        self.read(|catalog| {
            let found = catalog.list_tenant_tables(&tenant, &filter, &page)?;
            Ok(api::ListCatalogTablesResponse {
                tables: found.items.iter().map(|table| table_message(table)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn get_table_detail(
        &self,
        request: api::GetTableDetailRequest,
    ) -> Result<api::TableDetail> {
        let name: TableName = request.name.parse()?;
        let (caller, now_ms) = (CurrentCall::get().map(|call| call.caller), self.clock.now_ms());
        let account = signed_in().ok().map(|of| of.account);
        let policy = Policy::shipped()?;
        self.read(|catalog| {
            let (table, tenant) = open_table(catalog, &name)?;
            let place = Place::of_name(catalog, &name.to_string())?;
            let manages = caller.as_ref().is_none_or(|of| of.may(policy, SEES_GRANTS, &place));
            let asker = match &account {
                Some(account) => Asker::Person(account),
                None => Asker::Job { project: name.project(), account: None },
            };
            let access = catalog.access(table, asker, now_ms);
            let spec = type_of(&table.kind)?;
            let about = ResourceName::Table(name.clone());
            let pending = catalog.approvals_about(&about).filter(|approval| {
                let mine = account.as_ref().is_some_and(|of| approval.requester == of.to_string());
                mine && approval.state == ApprovalState::Pending
            });
            let grants = catalog.grants_on(&name).filter(|_| manages).take(GRANTS);
            let users = catalog.users_of_table(tenant, &name);
            Ok(api::TableDetail {
                table: Some(table_message(table)),
                my_permissions: access.permissions.iter().map(ToString::to_string).collect(),
                my_columns: access.columns.iter().map(column_message).collect(),
                permissions: spec.permissions.iter().map(|one| one.name().to_owned()).collect(),
                column_permissions: spec.column_grants,
                public: table.public.as_ref().map(rights_message),
                grants: grants.map(grant_message).collect(),
                usages: users.iter().map(usage_message).collect(),
                my_pending_approvals: pending.map(|approval| approval.name.to_string()).collect(),
                attached_tags: catalog.tags_on(&about).map(|tag| tag.name.to_string()).collect(),
                relations: metadata::relations_of(catalog, &about, RELATIONS),
                quality_rules: metadata::rules_on(catalog, &name),
            })
        })
        .await
    }

    async fn get_lineage(&self, request: api::GetLineageRequest) -> Result<api::Lineage> {
        let name: TableName = request.name.parse()?;
        let depth = match request.depth {
            0 => DEPTH,
            depth if depth <= MOST_DEPTH => depth,
            depth => return Err(invalid(format!("depth {depth} is more than {MOST_DEPTH}"))),
        };
        let catalog = self.read(|catalog| Ok(catalog.clone())).await?;
        let told = move || {
            let (_, tenant) = open_table(&catalog, &name)?;
            let lineage = catalog.lineage(tenant, &name, depth);
            let edges = lineage.edges.iter();
            Ok::<_, Error>(api::Lineage {
                edges: edges.map(|edge| edge_message(edge, request.columns)).collect(),
                cut: lineage.is_cut,
            })
        };
        beside("follow the lineage of a table", told).await?
    }
}

/// A table of a project that is open, and its tenant.
fn open_table<'a>(catalog: &'a Catalog, name: &TableName) -> Result<(&'a Table, &'a str)> {
    let project = catalog.project(name.project());
    let project = project.filter(|project| project.archived_ms.is_none());
    let found = project.and_then(|project| Some((catalog.table(name)?, project.tenant.as_str())));
    found.ok_or_else(|| unknown(name))
}

/// Whether something that is found is of a tenant, and its project open.
fn is_visible(catalog: &Catalog, tenant: &str, name: &ResourceName) -> bool {
    if let ResourceName::Child(child) = name
        && let Scope::Tenant(of) = child.owner()
    {
        return of == tenant;
    }
    let id = match name {
        ResourceName::Project(id) => Some(id.as_str()),
        ResourceName::Table(table) => Some(table.project()),
        ResourceName::Child(child) => match child.owner() {
            Scope::Project(id) => Some(id.as_str()),
            Scope::Tenant(_) | Scope::System => None,
        },
        _ => None,
    };
    let project = id.and_then(|id| catalog.project(id));
    project.is_some_and(|project| project.tenant == tenant && project.archived_ms.is_none())
}

fn data_source(name: &str) -> Result<ChildName> {
    match name.parse()? {
        ResourceName::Child(name) if name.collection() == Collection::DataSources => Ok(name),
        _ => Err(invalid(format!("'{name}' is not the name of a data source"))),
    }
}

fn kind(kind: api::search_catalog_request::Kind) -> Result<DocumentKind> {
    use api::search_catalog_request::Kind;
    match kind {
        Kind::Unspecified => Err(invalid("kinds: one of them is none")),
        Kind::Project => Ok(DocumentKind::Project),
        Kind::DataSource => Ok(DocumentKind::DataSource),
        Kind::Database => Ok(DocumentKind::Database),
        Kind::Table => Ok(DocumentKind::Table),
        Kind::BusinessData => Ok(DocumentKind::BusinessData),
    }
}

fn hit_message(catalog: &Catalog, hit: &Hit) -> api::search_catalog_response::Hit {
    use api::search_catalog_request::Kind;
    let (r#type, description, mut tags): (_, _, Vec<String>) = match &hit.name {
        ResourceName::Project(id) => {
            let found = catalog.project(id).map(|found| found.description.clone());
            (String::new(), found.unwrap_or_default(), Vec::new())
        }
        ResourceName::Table(name) => catalog.table(name).map_or_else(Default::default, |found| {
            let tags = found.tags.iter().cloned().collect();
            (found.kind.clone(), found.description.clone(), tags)
        }),
        ResourceName::Child(name) => match (catalog.data_source(name), catalog.database(name)) {
            (Some(found), _) => (found.kind.clone(), found.description.clone(), Vec::new()),
            (_, Some(found)) => {
                let tags = found.tags.iter().cloned().collect();
                (String::new(), found.description.clone(), tags)
            }
            (None, None) => metadata::found(catalog, name),
        },
        _ => Default::default(),
    };
    tags.extend(catalog.tags_on(&hit.name).map(|tag| tag.title.clone()));
    let kind = match hit.kind {
        DocumentKind::Project => Kind::Project,
        DocumentKind::DataSource => Kind::DataSource,
        DocumentKind::Database => Kind::Database,
        DocumentKind::Table => Kind::Table,
        DocumentKind::BusinessData => Kind::BusinessData,
    };
    let found_in = match hit.field {
        Field::Name => "name",
        Field::Tag => "tag",
        Field::Description => "description",
        Field::Comment => "column",
    };
    api::search_catalog_response::Hit {
        name: hit.name.to_string(),
        kind: kind.into(),
        r#type,
        description,
        tags,
        found_in: found_in.to_owned(),
        exact: hit.exact,
    }
}

fn column_message((name, access): (&String, &ColumnAccess)) -> api::table_detail::MyColumn {
    use api::rights::Mask;
    let (mask, denied) = match access {
        ColumnAccess::Masked(ColumnMask::Null) => (Mask::Null, false),
        ColumnAccess::Masked(ColumnMask::Hash) => (Mask::Hash, false),
        ColumnAccess::Masked(ColumnMask::Partial) => (Mask::Partial, false),
        ColumnAccess::Denied => (Mask::Unspecified, true),
    };
    api::table_detail::MyColumn { name: name.clone(), mask: mask.into(), denied }
}

fn usage_message(user: &TableUser<'_>) -> api::table_detail::Usage {
    let tables = user.run.and_then(|run| run.tables.as_ref());
    let running_in = tables.map(|tables| shown(tables.environment)).unwrap_or_default();
    api::table_detail::Usage {
        version: user.version.name.to_string(),
        reads: user.reads,
        writes: user.writes,
        running_in: running_in.into(),
    }
}

fn edge_message(
    ((from, to), edge): (&(TableName, TableName), &LineageEdge),
    columns: bool,
) -> api::lineage::Edge {
    let column = |flow: &tidegate_catalog::ColumnFlow| api::lineage::ColumnEdge {
        from: flow.from.clone(),
        to: flow.to.clone(),
        direct: flow.direct,
    };
    api::lineage::Edge {
        from: from.to_string(),
        to: to.to_string(),
        jobs: edge.jobs.iter().map(ToString::to_string).collect(),
        columns: edge.columns.iter().filter(|_| columns).map(column).collect(),
    }
}

serve!(CatalogService {
    search_catalog(SearchCatalogRequest) -> SearchCatalogResponse;
    list_catalog_tables(ListCatalogTablesRequest) -> ListCatalogTablesResponse;
    get_table_detail(GetTableDetailRequest) -> TableDetail;
    get_lineage(GetLineageRequest) -> Lineage;
});
