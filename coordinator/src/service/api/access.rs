//! Who may do what with the rows of tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_catalog::{
    Action, ColumnMask, DataPermission, Grant, GrantAction, GrantFilter, Grantee, PageRequest,
    ResourceName, Rights, Scope, TableName,
};
use tidegate_connector_spec::data_source::DataSourceSpec;
use tidegate_proto::v1 as api;
use tidegate_proto::v1::access_service_server::AccessService;
use tidegate_types::{Error, Result};

use super::convert::time;
use super::data_sources::type_of;
use super::fields::{invalid, milliseconds, missing, page, serve};
use super::{Api, unknown};
use crate::service::call::{caller_name, signed_in};

/// Stands for the caller's own account.
const ME: &str = "me";
/// Grants that one answer about the caller's own access has at most.
const OWN_GRANTS: usize = 1_000;
/// Grantees of one call.
const GRANTEES: usize = 100;

impl Api {
    async fn request_access(
        &self,
        request: api::RequestAccessRequest,
    ) -> Result<api::RequestAccessResponse> {
        let table: TableName = request.name.parse()?;
        let rights = self.rights(&table, request.rights).await?;
        let mut approvals = Vec::new();
        for (number, grantee) in grantees(request.grantees)?.into_iter().enumerate() {
            let ask = GrantAction::Request {
                table: table.clone(),
                grantee,
                rights: rights.clone(),
                requester: caller_name(),
                reason: request.reason.clone(),
            };
            let asked = self.apply(Action::Grant(ask), &nth(&request.request_id, number)).await?;
            match asked.name {
                ResourceName::Child(name) => approvals.push(self.approval(&name).await?),
                _ => return Err(Error::internal("an approval has another kind of name")),
            }
        }
        Ok(api::RequestAccessResponse { approvals })
    }

    async fn list_my_access(
        &self,
        _: api::ListMyAccessRequest,
    ) -> Result<api::ListMyAccessResponse> {
        let of = signed_in()?;
        self.read(|catalog| {
            let projects = catalog.roles_of(&of.account).filter_map(|given| match &given.scope {
                Scope::Project(id) => Some(Grantee::Project(id.clone())),
                Scope::System | Scope::Tenant(_) => None,
            });
            let projects: BTreeSet<Grantee> = projects.collect();
            let own = Grantee::Account(of.account.clone());
            let mut found: Vec<Arc<Grant>> = Vec::new();
            for grantee in projects.iter().chain([&own]) {
                let first = PageRequest::first(OWN_GRANTS);
                found.extend(catalog.list_grants_to(grantee, &first)?.items);
            }
            found.sort_by_key(|grant| std::cmp::Reverse(grant.number));
            found.truncate(OWN_GRANTS);
            let grants = found.iter().map(|grant| message(grant)).collect();
            Ok(api::ListMyAccessResponse { grants })
        })
        .await
    }

    async fn grant_access(
        &self,
        request: api::GrantAccessRequest,
    ) -> Result<api::GrantAccessResponse> {
        let table: TableName = request.name.parse()?;
        let rights = self.rights(&table, request.rights).await?;
        let mut grants = Vec::new();
        for (number, grantee) in grantees(request.grantees)?.into_iter().enumerate() {
            let give = GrantAction::Give {
                table: table.clone(),
                grantee,
                rights: rights.clone(),
                creator: caller_name(),
            };
            let given = self.apply(Action::Grant(give), &nth(&request.request_id, number)).await?;
            let ResourceName::Child(name) = given.name else {
                return Err(Error::internal("a grant has another kind of name"));
            };
            let found = self.read(|catalog| Ok(catalog.grant(&name).map(message))).await?;
            grants.push(found.ok_or_else(|| unknown(&name))?);
        }
        Ok(api::GrantAccessResponse { grants })
    }

    async fn list_table_grants(
        &self,
        request: api::ListTableGrantsRequest,
    ) -> Result<api::ListTableGrantsResponse> {
        use api::list_table_grants_request::Kind;
        let projects = match request.kind() {
            Kind::Unspecified => None,
            Kind::Project => Some(true),
            Kind::Account => Some(false),
        };
        let table: TableName = request.name.parse()?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_grants_on(&table, &GrantFilter { projects }, &page)?;
            Ok(api::ListTableGrantsResponse {
                grants: found.items.iter().map(|grant| message(grant)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn revoke_grant(
        &self,
        request: api::RevokeGrantRequest,
    ) -> Result<api::RevokeGrantResponse> {
        let grant = match request.name.parse()? {
            ResourceName::Child(name) => name,
            _ => return Err(invalid(format!("'{}' is not the name of a grant", request.name))),
        };
        self.apply(Action::Grant(GrantAction::Revoke { grant }), &request.request_id).await?;
        Ok(api::RevokeGrantResponse {})
    }

    async fn set_public_access(
        &self,
        request: api::SetPublicAccessRequest,
    ) -> Result<api::SetPublicAccessResponse> {
        let table: TableName = request.name.parse()?;
        let given = request.rights.unwrap_or_default();
        let rights = match given.permissions.is_empty() {
            true => None,
            false => Some(self.rights(&table, Some(given)).await?),
        };
        let set = GrantAction::SetPublic { table: table.clone(), rights };
        self.apply(Action::Grant(set), &request.request_id).await?;
        self.read(|catalog| {
            let found = catalog.table(&table).ok_or_else(|| unknown(&table))?;
            let rights = found.public.as_ref().map(rights_message);
            Ok(api::SetPublicAccessResponse { rights })
        })
        .await
    }

    /// Rights, if a table of its type can give them.
    async fn rights(&self, table: &TableName, rights: Option<api::Rights>) -> Result<Rights> {
        let given = rights.ok_or_else(|| missing("rights"))?;
        let kind =
            self.read(|catalog| Ok(catalog.table(table).map(|table| table.kind.clone()))).await?;
        let spec = type_of(&kind.ok_or_else(|| unknown(table))?)?;
        let mut permissions = BTreeSet::new();
        for text in &given.permissions {
            permissions.insert(permission(spec, text)?);
        }
        let columns = match given.columns.as_slice() {
            [] => None,
            columns if !spec.column_grants => {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let noun = spec.table.name();
                return Err(invalid(format!(
                    "single columns of a {noun} of {} cannot be granted: {}",
                    spec.name,
                    names.join(", ")
                ))
                .help("ask for the whole of it"));
            }
            columns => Some(columns.iter().map(column).collect::<BTreeMap<_, _>>()),
        };
        let expires_ms = milliseconds("rights.expire_time", given.expire_time)?;
        Ok(Rights { permissions, columns, expires_ms })
    }
}

fn permission(spec: &DataSourceSpec, text: &str) -> Result<DataPermission> {
    let permission: DataPermission = text.parse()?;
    if spec.permissions.iter().any(|one| one.name() == permission.as_str()) {
        return Ok(permission);
    }
    let names: Vec<&str> = spec.permissions.iter().map(|one| one.name()).collect();
    let noun = spec.table.name();
    Err(invalid(format!("'{text}' is nothing that a {noun} of {} can grant", spec.name))
        .help(format!("use {}", names.join(" or "))))
}

fn column(column: &api::rights::Column) -> (String, Option<ColumnMask>) {
    use api::rights::Mask;
    let mask = match column.mask() {
        Mask::Unspecified => None,
        Mask::Null => Some(ColumnMask::Null),
        Mask::Hash => Some(ColumnMask::Hash),
        Mask::Partial => Some(ColumnMask::Partial),
    };
    (column.name.clone(), mask)
}

/// To whom; `me` is the caller.
fn grantees(names: Vec<String>) -> Result<Vec<Grantee>> {
    if names.is_empty() {
        return Err(missing("grantees").help("name accounts or projects; `me` is the caller"));
    }
    if names.len() > GRANTEES {
        return Err(invalid(format!("{} grantees are more than {GRANTEES}", names.len())));
    }
    let grantee = |name: &String| match name.as_str() {
        ME => Ok(Grantee::Account(signed_in()?.account)),
        name => name.parse(),
    };
    let all: BTreeSet<Grantee> = names.iter().map(grantee).collect::<Result<_>>()?;
    Ok(all.into_iter().collect())
}

/// The request id of a part of a call.
fn nth(request_id: &str, number: usize) -> String {
    match request_id {
        "" => String::new(),
        id => format!("{id}/{number}"),
    }
}

pub(super) fn rights_message(rights: &Rights) -> api::Rights {
    use api::rights::Mask;
    let column = |(name, mask): (&String, &Option<ColumnMask>)| api::rights::Column {
        name: name.clone(),
        mask: match mask {
            None => Mask::Unspecified,
            Some(ColumnMask::Null) => Mask::Null,
            Some(ColumnMask::Hash) => Mask::Hash,
            Some(ColumnMask::Partial) => Mask::Partial,
        }
        .into(),
    };
    api::Rights {
        permissions: rights.permissions.iter().map(ToString::to_string).collect(),
        columns: rights.columns.iter().flatten().map(column).collect(),
        expire_time: rights.expires_ms.and_then(time),
    }
}

pub(super) fn message(grant: &Grant) -> api::Grant {
    api::Grant {
        name: grant.name.to_string(),
        table: grant.table.to_string(),
        grantee: grant.grantee.to_string(),
        rights: Some(rights_message(&grant.rights)),
        approval: grant.approval.as_ref().map(ToString::to_string).unwrap_or_default(),
        creator: grant.creator.clone(),
        create_time: time(grant.created_ms),
    }
}

serve!(AccessService {
    request_access(RequestAccessRequest) -> RequestAccessResponse;
    list_my_access(ListMyAccessRequest) -> ListMyAccessResponse;
    grant_access(GrantAccessRequest) -> GrantAccessResponse;
    list_table_grants(ListTableGrantsRequest) -> ListTableGrantsResponse;
    revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse;
    set_public_access(SetPublicAccessRequest) -> SetPublicAccessResponse;
});
