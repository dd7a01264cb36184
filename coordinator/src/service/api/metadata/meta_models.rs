//! Meta-models.

use std::collections::BTreeSet;

use tidegate_catalog::{
    AccountName, Action, Attribute, AttributeType, Catalog, ChildName, Collection, MetaModel,
    MetaModelAction, MetaModelContent, MetaModelFilter, MetadataAction, Publish, Scope, Subject,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::meta_model_service_server::MetaModelService;
use tidegate_types::Result;

use super::{
    Standing, entry_filter, name_in, new_name, optional, pending, seen_etag, sees_drafts, standing,
};
use crate::service::api::Api;
use crate::service::api::fields::{Mask, etag, invalid, missing, page, serve, tenant};
use crate::service::call::caller_name;

const COLLECTION: Collection = Collection::MetaModels;
/// Who has it sees drafts.
const READ: &str = "meta_models.get";

fn action(action: MetaModelAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::MetaModel(action)))
}

impl Api {
    async fn meta_model(&self, name: &ChildName) -> Result<api::MetaModel> {
        self.seen(name, READ, |catalog, drafts| message(catalog, catalog.meta_model(name)?, drafts))
            .await
    }

    async fn create_meta_model(
        &self,
        request: api::CreateMetaModelRequest,
    ) -> Result<api::MetaModel> {
        let name = new_name(&request.parent, COLLECTION, request.meta_model_id)?;
        let given = request.meta_model.ok_or_else(|| missing("meta_model"))?;
        let content = MetaModelContent {
            title: given.title,
            description: given.description,
            category: name_in("meta_model.category", &given.category, Collection::Categories)?,
            attributes: attributes(given.attributes)?,
        };
        let create = MetaModelAction::Create {
            meta_model: name.clone(),
            content: Box::new(content),
            managers: managers(&given.managers)?,
            owner: caller_name(),
        };
        self.apply(action(create), &request.request_id).await?;
        self.meta_model(&name).await
    }

    async fn get_meta_model(&self, request: api::GetMetaModelRequest) -> Result<api::MetaModel> {
        self.meta_model(&name_in("name", &request.name, COLLECTION)?).await
    }

    async fn list_meta_models(
        &self,
        request: api::ListMetaModelsRequest,
    ) -> Result<api::ListMetaModelsResponse> {
        let owner = Scope::Tenant(tenant(&request.parent)?);
        let category = optional("category", &request.category, Collection::Categories)?;
        let entry = entry_filter(request.published, &request.search, &request.owner)?;
        let mut filter = MetaModelFilter { entry, category };
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            filter.entry.published |= !sees_drafts(catalog, READ, &owner);
            let drafts = !filter.entry.published;
            let found = catalog.list_meta_models(&owner, &filter, &page)?;
            let models = found.items.iter().filter_map(|model| message(catalog, model, drafts));
            Ok(api::ListMetaModelsResponse {
                meta_models: models.collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_meta_model(
        &self,
        request: api::UpdateMetaModelRequest,
    ) -> Result<api::MetaModel> {
        let given = request.meta_model.ok_or_else(|| missing("meta_model"))?;
        let name = name_in("meta_model.name", &given.name, COLLECTION)?;
        let fields = ["title", "description", "category", "attributes", "managers"];
        let mask = Mask::new(request.update_mask, &fields)?;
        let category = || name_in("meta_model.category", &given.category, Collection::Categories);
        let update = MetaModelAction::Update {
            meta_model: name.clone(),
            etag: etag(&given.etag)?,
            category: mask.has("category").then(category).transpose()?,
            title: mask.has("title").then_some(given.title),
            description: mask.has("description").then_some(given.description),
            attributes: match mask.has("attributes") {
                true => Some(attributes(given.attributes)?),
                false => None,
            },
            managers: match mask.has("managers") {
                true => Some(managers(&given.managers)?),
                false => None,
            },
        };
        self.apply(action(update), &request.request_id).await?;
        self.meta_model(&name).await
    }

    async fn delete_meta_model(
        &self,
        request: api::DeleteMetaModelRequest,
    ) -> Result<api::DeleteMetaModelResponse> {
        let meta_model = name_in("name", &request.name, COLLECTION)?;
        let delete = MetaModelAction::Delete { meta_model, etag: etag(&request.etag)? };
        self.apply(action(delete), &request.request_id).await?;
        Ok(api::DeleteMetaModelResponse {})
    }

    async fn publish_meta_model(
        &self,
        request: api::PublishMetaModelRequest,
    ) -> Result<api::Approval> {
        let publish = MetaModelAction::Publish {
            meta_model: name_in("name", &request.name, COLLECTION)?,
            etag: seen_etag(&request.etag)?,
            requester: caller_name(),
            reason: request.reason,
        };
        self.ask_to_publish(action(publish), &request.request_id).await
    }

    async fn unpublish_meta_model(
        &self,
        request: api::UnpublishMetaModelRequest,
    ) -> Result<api::MetaModel> {
        let name = name_in("name", &request.name, COLLECTION)?;
        let (meta_model, etag) = (name.clone(), etag(&request.etag)?);
        let unpublish = MetaModelAction::Unpublish { meta_model, etag };
        self.apply(action(unpublish), &request.request_id).await?;
        self.meta_model(&name).await
    }
}

fn managers(names: &[String]) -> Result<BTreeSet<AccountName>> {
    let manager = |name: &String| {
        name.parse::<AccountName>().map_err(|error| {
            let why = format!("'{name}' is not the name of an account");
            error.field("meta_model.managers", why)
        })
    };
    names.iter().map(manager).collect()
}

fn attributes(given: Vec<api::meta_model::Attribute>) -> Result<Vec<Attribute>> {
    let attribute = |(at, attribute): (usize, api::meta_model::Attribute)| {
        let ty = attribute_type(at, &attribute)?;
        let api::meta_model::Attribute { id, title, help, required, .. } = attribute;
        Ok(Attribute { id, title, help, required, ty })
    };
    given.into_iter().enumerate().map(attribute).collect()
}

fn attribute_type(at: usize, given: &api::meta_model::Attribute) -> Result<AttributeType> {
    use api::meta_model::Type;
    let place = |field: &str| format!("meta_model.attributes[{at}].{field}");
    let only = |field: &str, ty: &str| {
        let why = format!("only attributes of type {ty} have it");
        Err(invalid(format!("{}: {why}", place(field))).field(place(field), why))
    };
    let ty = given.r#type();
    if !given.choices.is_empty() && ty != Type::Enum {
        return only("choices", "ENUM");
    }
    if !given.reference_model.is_empty() && ty != Type::Reference {
        return only("reference_model", "REFERENCE");
    }
    Ok(match ty {
        Type::Unspecified | Type::Text => AttributeType::Text,
        Type::Integer => AttributeType::Integer,
        Type::Number => AttributeType::Number,
        Type::Boolean => AttributeType::Boolean,
        Type::Date => AttributeType::Date,
        Type::Enum => AttributeType::Enum(given.choices.clone()),
        Type::Reference => {
            let field = place("reference_model");
            AttributeType::Reference(optional(&field, &given.reference_model, COLLECTION)?)
        }
    })
}

fn attribute_message(attribute: &Attribute) -> api::meta_model::Attribute {
    use api::meta_model::Type;
    let mut message = api::meta_model::Attribute {
        id: attribute.id.clone(),
        title: attribute.title.clone(),
        help: attribute.help.clone(),
        required: attribute.required,
        ..api::meta_model::Attribute::default()
    };
    let ty = match &attribute.ty {
        AttributeType::Text => Type::Text,
        AttributeType::Integer => Type::Integer,
        AttributeType::Number => Type::Number,
        AttributeType::Boolean => Type::Boolean,
        AttributeType::Date => Type::Date,
        AttributeType::Enum(choices) => {
            message.choices.clone_from(choices);
            Type::Enum
        }
        AttributeType::Reference(model) => {
            message.reference_model = model.as_ref().map(ToString::to_string).unwrap_or_default();
            Type::Reference
        }
    };
    message.set_type(ty);
    message
}

fn content_message(content: &MetaModelContent) -> api::MetaModel {
    api::MetaModel {
        title: content.title.clone(),
        description: content.description.clone(),
        category: content.category.to_string(),
        attributes: content.attributes.iter().map(attribute_message).collect(),
        ..api::MetaModel::default()
    }
}

/// A model with its draft, or as everybody sees it; none if nobody does.
fn message(catalog: &Catalog, model: &MetaModel, drafts: bool) -> Option<api::MetaModel> {
    let seen = model.entry.seen(!drafts)?;
    let published = model.entry.seen(true).filter(|_| drafts);
    let Standing {
        state,
        pending_approval,
        publish_time,
        approval,
        create_time,
        update_time,
        etag,
    } = standing(catalog, &model.entry, drafts);
    let asked = pending(catalog, &model.entry.name).filter(|_| drafts);
    let asked = asked.and_then(|approval| match &approval.subject {
        Subject::Publish(Publish::MetaModel { content, .. }) => Some(content.as_ref()),
        _ => None,
    });
    Some(api::MetaModel {
        name: model.entry.name.to_string(),
        managers: model.managers.iter().map(ToString::to_string).collect(),
        owner: model.entry.owner.clone(),
        state,
        pending_approval,
        create_time,
        update_time,
        etag,
        publish_time,
        approval,
        published_version: published.map(|published| Box::new(content_message(published))),
        pending_version: asked.map(|asked| Box::new(content_message(asked))),
        ..content_message(seen)
    })
}

serve!(MetaModelService {
    create_meta_model(CreateMetaModelRequest) -> MetaModel;
    get_meta_model(GetMetaModelRequest) -> MetaModel;
    list_meta_models(ListMetaModelsRequest) -> ListMetaModelsResponse;
    update_meta_model(UpdateMetaModelRequest) -> MetaModel;
    delete_meta_model(DeleteMetaModelRequest) -> DeleteMetaModelResponse;
    publish_meta_model(PublishMetaModelRequest) -> Approval;
    unpublish_meta_model(UnpublishMetaModelRequest) -> MetaModel;
});
