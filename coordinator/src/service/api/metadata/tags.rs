//! Tags.

use tidegate_catalog::{
    Action, Catalog, ChildName, Collection, MetadataAction, ResourceName, Scope, Tag, TagAction,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::tag_service_server::TagService;
use tidegate_types::Result;

use super::{business_data, name_in, new_name, sees_drafts};
use crate::service::api::convert::time;
use crate::service::api::fields::{Mask, etag, missing, page, serve, tenant};
use crate::service::api::{Api, unknown};
use crate::service::call::caller_name;

const COLLECTION: Collection = Collection::Tags;

fn action(action: TagAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::Tag(action)))
}

impl Api {
    async fn tag(&self, name: &ChildName) -> Result<api::Tag> {
        self.read(|catalog| catalog.tag(name).map(message).ok_or_else(|| unknown(name))).await
    }

    async fn create_tag(&self, request: api::CreateTagRequest) -> Result<api::Tag> {
        let name = new_name(&request.parent, COLLECTION, request.tag_id)?;
        let given = request.tag.ok_or_else(|| missing("tag"))?;
        let (title, description) = (given.title, given.description);
        let create = TagAction::Create { tag: name.clone(), title, description };
        self.apply(action(create), &request.request_id).await?;
        self.tag(&name).await
    }

    async fn get_tag(&self, request: api::GetTagRequest) -> Result<api::Tag> {
        self.tag(&name_in("name", &request.name, COLLECTION)?).await
    }

    async fn list_tags(&self, request: api::ListTagsRequest) -> Result<api::ListTagsResponse> {
        let owner = Scope::Tenant(tenant(&request.parent)?);
        let object = match request.object.as_str() {
            "" => None,
            object => Some(object.parse::<ResourceName>()?),
        };
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            // Nobody learns from a tag that something is there.
            if let Some(object) = object.as_ref().filter(|object| !is_visible(catalog, object)) {
                return Err(unknown(object));
            }
            let found = catalog.list_tags(&owner, object.as_ref(), &page)?;
            Ok(api::ListTagsResponse {
                tags: found.items.iter().map(|tag| message(tag)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_tag(&self, request: api::UpdateTagRequest) -> Result<api::Tag> {
        let given = request.tag.ok_or_else(|| missing("tag"))?;
        let name = name_in("tag.name", &given.name, COLLECTION)?;
        let mask = Mask::new(request.update_mask, &["title", "description"])?;
        let update = TagAction::Update {
            tag: name.clone(),
            etag: etag(&given.etag)?,
            title: mask.has("title").then_some(given.title),
            description: mask.has("description").then_some(given.description),
        };
        self.apply(action(update), &request.request_id).await?;
        self.tag(&name).await
    }

    async fn delete_tag(&self, request: api::DeleteTagRequest) -> Result<api::DeleteTagResponse> {
        let tag = name_in("name", &request.name, COLLECTION)?;
        let etag = etag(&request.etag)?;
        let delete = TagAction::Delete { tag, etag, force: request.force };
        self.apply(action(delete), &request.request_id).await?;
        Ok(api::DeleteTagResponse {})
    }

    async fn attach_tag(&self, request: api::AttachTagRequest) -> Result<api::AttachTagResponse> {
        let tag = name_in("name", &request.name, COLLECTION)?;
        let (object, creator) = (object(&request.object)?, caller_name());
        let attach = TagAction::Attach { tag, object, creator };
        self.apply(action(attach), &request.request_id).await?;
        Ok(api::AttachTagResponse {})
    }

    async fn detach_tag(&self, request: api::DetachTagRequest) -> Result<api::DetachTagResponse> {
        let tag = name_in("name", &request.name, COLLECTION)?;
        let detach = TagAction::Detach { tag, object: object(&request.object)? };
        self.apply(action(detach), &request.request_id).await?;
        Ok(api::DetachTagResponse {})
    }

    async fn list_tagged_objects(
        &self,
        request: api::ListTaggedObjectsRequest,
    ) -> Result<api::ListTaggedObjectsResponse> {
        let tag = name_in("name", &request.name, COLLECTION)?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let visible = |object: &ResourceName| is_visible(catalog, object);
            let found = catalog.list_tagged(&tag, &page, visible)?;
            Ok(api::ListTaggedObjectsResponse {
                objects: found.items.iter().map(ToString::to_string).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }
}

fn object(text: &str) -> Result<ResourceName> {
    let help = "name a table, a database or business data in full";
    text.parse::<ResourceName>().map_err(|error| error.field("object", help).help(help))
}

/// Whether the caller sees that something is there: everybody of the tenant finds tables and databases of projects that are
/// open, and business data that are published.
fn is_visible(catalog: &Catalog, object: &ResourceName) -> bool {
    let may = |permission: &str, scope: &Scope| sees_drafts(catalog, permission, scope);
    let in_catalog = |id: &str| {
        let is_open = catalog.project(id).is_some_and(|project| project.archived_ms.is_none());
        is_open && may("catalog.get", &Scope::Project(id.to_owned()))
    };
    match object {
        ResourceName::Table(name) => catalog.table(name).is_some() && in_catalog(name.project()),
        ResourceName::Child(name) if name.collection() == Collection::Databases => {
            let Scope::Project(id) = name.owner() else { return false };
            catalog.database(name).is_some() && in_catalog(id)
        }
        ResourceName::Child(name) => catalog.business_data(name).is_some_and(|data| {
            may(business_data::READ, name.owner())
                || (may("catalog.get", name.owner()) && data.entry.published.is_some())
        }),
        _ => false,
    }
}

fn message(tag: &Tag) -> api::Tag {
    api::Tag {
        name: tag.name.to_string(),
        title: tag.title.clone(),
        description: tag.description.clone(),
        create_time: time(tag.created_ms),
        update_time: time(tag.updated_ms),
        etag: tag.revision.to_string(),
    }
}

serve!(TagService {
    create_tag(CreateTagRequest) -> Tag;
    get_tag(GetTagRequest) -> Tag;
    list_tags(ListTagsRequest) -> ListTagsResponse;
    update_tag(UpdateTagRequest) -> Tag;
    delete_tag(DeleteTagRequest) -> DeleteTagResponse;
    attach_tag(AttachTagRequest) -> AttachTagResponse;
    detach_tag(DetachTagRequest) -> DetachTagResponse;
    list_tagged_objects(ListTaggedObjectsRequest) -> ListTaggedObjectsResponse;
});
