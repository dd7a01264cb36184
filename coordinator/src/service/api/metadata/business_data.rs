//! Business data.

use tidegate_catalog::{
    Action, BusinessData, BusinessDataAction, BusinessDataContent, BusinessDataFilter, Catalog,
    ChildName, Collection, MetadataAction, Publish, ResourceName, Scope, Subject,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::business_data_service_server::BusinessDataService;
use tidegate_types::Result;

use super::{
    Standing, entry_filter, name_in, new_name, optional, pending, seen_etag, sees_drafts, standing,
};
use crate::service::api::Api;
use crate::service::api::fields::{Mask, etag, missing, page, serve};
use crate::service::call::caller_name;

const COLLECTION: Collection = Collection::BusinessData;
/// Who has it sees drafts.
pub(super) const READ: &str = "business_data.get";

fn action(action: BusinessDataAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::BusinessData(action)))
}

impl Api {
    async fn business_data(&self, name: &ChildName) -> Result<api::BusinessData> {
        self.seen(name, READ, |catalog, drafts| {
            message(catalog, catalog.business_data(name)?, drafts)
        })
        .await
    }

    async fn create_business_data(
        &self,
        request: api::CreateBusinessDataRequest,
    ) -> Result<api::BusinessData> {
        let name = new_name(&request.parent, COLLECTION, request.business_data_id)?;
        let given = request.business_data.ok_or_else(|| missing("business_data"))?;
        let field = "business_data.meta_model";
        let create = BusinessDataAction::Create {
            business_data: name.clone(),
            model: name_in(field, &given.meta_model, Collection::MetaModels)?,
            title: given.title,
            description: given.description,
            values: given.values.into_iter().collect(),
            editor: caller_name(),
        };
        self.apply(action(create), &request.request_id).await?;
        self.business_data(&name).await
    }

    async fn get_business_data(
        &self,
        request: api::GetBusinessDataRequest,
    ) -> Result<api::BusinessData> {
        self.business_data(&name_in("name", &request.name, COLLECTION)?).await
    }

    async fn list_business_data(
        &self,
        request: api::ListBusinessDataRequest,
    ) -> Result<api::ListBusinessDataResponse> {
        let owner: Scope = request.parent.parse()?;
        let entry = entry_filter(request.published, &request.search, &request.owner)?;
        let model = optional("meta_model", &request.meta_model, Collection::MetaModels)?;
        let tag = optional("tag", &request.tag, Collection::Tags)?;
        let mut filter = BusinessDataFilter { entry, model, tag };
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            filter.entry.published |= !sees_drafts(catalog, READ, &owner);
            let drafts = !filter.entry.published;
            let found = catalog.list_business_data(&owner, &filter, &page)?;
            let data = found.items.iter().filter_map(|data| message(catalog, data, drafts));
            Ok(api::ListBusinessDataResponse {
                business_data: data.collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_business_data(
        &self,
        request: api::UpdateBusinessDataRequest,
    ) -> Result<api::BusinessData> {
        let given = request.business_data.ok_or_else(|| missing("business_data"))?;
        let name = name_in("business_data.name", &given.name, COLLECTION)?;
        let mask = Mask::new(request.update_mask, &["title", "description", "values"])?;
        let update = BusinessDataAction::Update {
            business_data: name.clone(),
            etag: etag(&given.etag)?,
            title: mask.has("title").then_some(given.title),
            description: mask.has("description").then_some(given.description),
            values: mask.has("values").then(|| given.values.into_iter().collect()),
            editor: caller_name(),
        };
        self.apply(action(update), &request.request_id).await?;
        self.business_data(&name).await
    }

    async fn delete_business_data(
        &self,
        request: api::DeleteBusinessDataRequest,
    ) -> Result<api::DeleteBusinessDataResponse> {
        let delete = BusinessDataAction::Delete {
            business_data: name_in("name", &request.name, COLLECTION)?,
            etag: etag(&request.etag)?,
            editor: caller_name(),
        };
        self.apply(action(delete), &request.request_id).await?;
        Ok(api::DeleteBusinessDataResponse {})
    }

    async fn publish_business_data(
        &self,
        request: api::PublishBusinessDataRequest,
    ) -> Result<api::Approval> {
        let publish = BusinessDataAction::Publish {
            business_data: name_in("name", &request.name, COLLECTION)?,
            etag: seen_etag(&request.etag)?,
            requester: caller_name(),
            reason: request.reason,
        };
        self.ask_to_publish(action(publish), &request.request_id).await
    }

    async fn unpublish_business_data(
        &self,
        request: api::UnpublishBusinessDataRequest,
    ) -> Result<api::BusinessData> {
        let name = name_in("name", &request.name, COLLECTION)?;
        let unpublish = BusinessDataAction::Unpublish {
            business_data: name.clone(),
            etag: etag(&request.etag)?,
            editor: caller_name(),
        };
        self.apply(action(unpublish), &request.request_id).await?;
        self.business_data(&name).await
    }
}

fn content_message(content: &BusinessDataContent) -> api::BusinessData {
    api::BusinessData {
        title: content.title.clone(),
        description: content.description.clone(),
        values: content.values.clone().into_iter().collect(),
        ..api::BusinessData::default()
    }
}

/// Business data with their draft, or as everybody sees them; none if nobody does.
fn message(catalog: &Catalog, data: &BusinessData, drafts: bool) -> Option<api::BusinessData> {
    let seen = data.entry.seen(!drafts)?;
    let published = data.entry.seen(true).filter(|_| drafts);
    let Standing {
        state,
        pending_approval,
        publish_time,
        approval,
        create_time,
        update_time,
        etag,
    } = standing(catalog, &data.entry, drafts);
    let tags = catalog.tags_on(&ResourceName::Child(data.entry.name.clone()));
    let asked = pending(catalog, &data.entry.name).filter(|_| drafts);
    let asked = asked.and_then(|approval| match &approval.subject {
        Subject::Publish(Publish::BusinessData { content, .. }) => Some(content.as_ref()),
        _ => None,
    });
    Some(api::BusinessData {
        name: data.entry.name.to_string(),
        meta_model: data.model.to_string(),
        owner: data.entry.owner.clone(),
        state,
        pending_approval,
        create_time,
        update_time,
        etag,
        publish_time,
        approval,
        problem: catalog.misfit(data, seen),
        attached_tags: tags.map(|tag| tag.name.to_string()).collect(),
        published_version: published.map(|published| Box::new(content_message(published))),
        pending_version: asked.map(|asked| Box::new(content_message(asked))),
        ..content_message(seen)
    })
}

serve!(BusinessDataService {
    create_business_data(CreateBusinessDataRequest) -> BusinessData;
    get_business_data(GetBusinessDataRequest) -> BusinessData;
    list_business_data(ListBusinessDataRequest) -> ListBusinessDataResponse;
    update_business_data(UpdateBusinessDataRequest) -> BusinessData;
    delete_business_data(DeleteBusinessDataRequest) -> DeleteBusinessDataResponse;
    publish_business_data(PublishBusinessDataRequest) -> Approval;
    unpublish_business_data(UnpublishBusinessDataRequest) -> BusinessData;
});
