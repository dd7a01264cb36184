//! Which account has which role where.

use tidegate_catalog::{AccountName, Action, RoleAction, RoleAssignment, Scope};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::role_service_server::RoleService;
use tidegate_security::{Level, Policy};
use tidegate_types::{Error, ErrorCode, Result};

use crate::service::api::Api;
use crate::service::api::convert::time;
use crate::service::api::fields::{invalid, missing, page, serve};
use crate::service::call::caller_name;

impl Api {
    async fn list_roles(&self, _: api::ListRolesRequest) -> Result<api::ListRolesResponse> {
        let roles = Policy::shipped()?.roles().map(|(name, spec)| api::Role {
            role: name.to_owned(),
            title_en: spec.title.en.clone(),
            title_zh: spec.title.zh.clone(),
            summary_en: spec.summary.en.clone(),
            summary_zh: spec.summary.zh.clone(),
            assignable: spec.assignable.iter().map(|level| level.as_str().to_owned()).collect(),
            permissions: spec.grants.texts().to_vec(),
        });
        Ok(api::ListRolesResponse { roles: roles.collect() })
    }

    async fn list_role_assignments(
        &self,
        request: api::ListRoleAssignmentsRequest,
    ) -> Result<api::ListRoleAssignmentsResponse> {
        let scope: Scope = request.scope.parse()?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_assignments(&scope, &page)?;
            Ok(api::ListRoleAssignmentsResponse {
                assignments: found.items.iter().map(assignment).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn assign_role(&self, request: api::AssignRoleRequest) -> Result<api::RoleAssignment> {
        let (account, scope, role) = parts(request.assignment)?;
        let level = match &scope {
            Scope::System => Level::System,
            Scope::Tenant(_) => Level::Tenant,
            Scope::Project(_) => Level::Project,
        };
        let spec = Policy::shipped()?.role(&role);
        if !spec.is_some_and(|spec| spec.assignable.contains(&level)) {
            let roles = Policy::shipped()?.roles();
            let fitting = roles.filter(|(_, spec)| spec.assignable.contains(&level));
            let names: Vec<&str> = fitting.map(|(name, _)| name).collect();
            return Err(Error::new(
                ErrorCode::InvalidOption,
                format!("'{role}' is no role that can be given in {scope}"),
            )
            .help(format!("use one of {}", names.join(", "))));
        }
        let assign = RoleAction::Assign {
            account: account.clone(),
            scope: scope.clone(),
            role: role.clone(),
            creator: caller_name(),
        };
        self.apply(Action::Role(assign), "").await?;
        self.read(|catalog| {
            let mut given = catalog.roles_of(&account);
            let given = given.find(|given| given.scope == scope && given.role == role);
            given.map(assignment).ok_or_else(|| {
                let message = format!("role {role} of {account} was taken back meanwhile");
                Error::new(ErrorCode::Conflict, message)
            })
        })
        .await
    }

    async fn revoke_role(
        &self,
        request: api::RevokeRoleRequest,
    ) -> Result<api::RevokeRoleResponse> {
        let (account, scope, role) = parts(request.assignment)?;
        self.apply(Action::Role(RoleAction::Revoke { account, scope, role }), "").await?;
        Ok(api::RevokeRoleResponse {})
    }
}

fn parts(assignment: Option<api::RoleAssignment>) -> Result<(AccountName, Scope, String)> {
    let api::RoleAssignment { role, scope, account, .. } =
        assignment.ok_or_else(|| missing("assignment"))?;
    if role.is_empty() {
        return Err(invalid("the field 'assignment.role' is missing"));
    }
    Ok((account.parse()?, scope.parse()?, role))
}

/// A role that an account has.
pub(super) fn assignment(given: &RoleAssignment) -> api::RoleAssignment {
    api::RoleAssignment {
        role: given.role.clone(),
        scope: given.scope.to_string(),
        account: given.account.to_string(),
        create_time: time(given.created_ms),
        creator: given.creator.clone(),
    }
}

serve!(RoleService {
    list_roles(ListRolesRequest) -> ListRolesResponse;
    list_role_assignments(ListRoleAssignmentsRequest) -> ListRoleAssignmentsResponse;
    assign_role(AssignRoleRequest) -> RoleAssignment;
    revoke_role(RevokeRoleRequest) -> RevokeRoleResponse;
});
