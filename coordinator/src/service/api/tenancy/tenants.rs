//! Tenants.

use tidegate_catalog::{Action, TenancyAction, Tenant};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::tenant_service_server::TenantService;
use tidegate_security::Policy;
use tidegate_types::Result;

use crate::service::api::convert::time;
use crate::service::api::fields::{etag, missing, page, serve, tenant};
use crate::service::api::{Api, unknown};
use crate::service::call::CurrentCall;
use crate::service::gate::Place;

impl Api {
    async fn tenant(&self, id: &str) -> Result<api::Tenant> {
        self.read(|catalog| {
            let found = catalog.tenant(id).map(message);
            found.ok_or_else(|| unknown(&format!("tenants/{id}")))
        })
        .await
    }

    async fn create_tenant(&self, request: api::CreateTenantRequest) -> Result<api::Tenant> {
        let id = request.tenant_id;
        let description = request.tenant.unwrap_or_default().description;
        let create = Action::CreateTenant { tenant: id.clone(), description };
        self.apply(create, &request.request_id).await?;
        self.tenant(&id).await
    }

    async fn get_tenant(&self, request: api::GetTenantRequest) -> Result<api::Tenant> {
        self.tenant(&tenant(&request.name)?).await
    }

    async fn list_tenants(
        &self,
        request: api::ListTenantsRequest,
    ) -> Result<api::ListTenantsResponse> {
        let page = page(request.page_size, &request.page_token)?;
        let policy = Policy::shipped()?;
        let caller = CurrentCall::get().map(|call| call.caller);
        let all =
            caller.as_ref().is_none_or(|caller| caller.may(policy, "tenants.list", &Place::System));
        if !all {
            let own = caller.as_ref().and_then(|caller| caller.signed_in());
            let own = own.map(|of| of.account.tenant().to_owned());
            let tenants = match own {
                Some(id) => vec![self.tenant(&id).await?],
                None => Vec::new(),
            };
            return Ok(api::ListTenantsResponse { tenants, next_page_token: String::new() });
        }
        self.read(|catalog| {
            let found = catalog.list_tenants(&page)?;
            Ok(api::ListTenantsResponse {
                tenants: found.items.iter().map(|tenant| message(tenant)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_tenant(&self, request: api::UpdateTenantRequest) -> Result<api::Tenant> {
        let given = request.tenant.ok_or_else(|| missing("tenant"))?;
        let id = tenant(&given.name)?;
        let update = TenancyAction::UpdateTenant {
            tenant: id.clone(),
            etag: etag(&given.etag)?,
            description: given.description,
        };
        self.apply(Action::Tenancy(update), &request.request_id).await?;
        self.tenant(&id).await
    }

    async fn delete_tenant(
        &self,
        request: api::DeleteTenantRequest,
    ) -> Result<api::DeleteTenantResponse> {
        let tenant = tenant(&request.name)?;
        self.apply(
            Action::DeleteTenant { tenant, etag: etag(&request.etag)? },
            &request.request_id,
        )
        .await?;
        Ok(api::DeleteTenantResponse {})
    }
}

fn message(tenant: &Tenant) -> api::Tenant {
    api::Tenant {
        name: format!("tenants/{}", tenant.id),
        description: tenant.description.clone(),
        create_time: time(tenant.created_ms),
        etag: tenant.revision.to_string(),
    }
}

serve!(TenantService {
    create_tenant(CreateTenantRequest) -> Tenant;
    get_tenant(GetTenantRequest) -> Tenant;
    list_tenants(ListTenantsRequest) -> ListTenantsResponse;
    update_tenant(UpdateTenantRequest) -> Tenant;
    delete_tenant(DeleteTenantRequest) -> DeleteTenantResponse;
});
