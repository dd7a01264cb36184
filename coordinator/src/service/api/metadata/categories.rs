//! Categories.

use tidegate_catalog::{
    Action, Category, CategoryAction, ChildName, Collection, MetadataAction, Scope,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::category_service_server::CategoryService;
use tidegate_types::Result;

use super::{name_in, new_name, optional};
use crate::service::api::convert::time;
use crate::service::api::fields::{Mask, etag, missing, page, serve, tenant};
use crate::service::api::{Api, unknown};

const COLLECTION: Collection = Collection::Categories;

fn action(action: CategoryAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::Category(action)))
}

impl Api {
    async fn category(&self, name: &ChildName) -> Result<api::Category> {
        self.read(|catalog| catalog.category(name).map(message).ok_or_else(|| unknown(name))).await
    }

    async fn create_category(&self, request: api::CreateCategoryRequest) -> Result<api::Category> {
        let name = new_name(&request.parent, COLLECTION, request.category_id)?;
        let given = request.category.ok_or_else(|| missing("category"))?;
        let create = CategoryAction::Create {
            category: name.clone(),
            title: given.title,
            description: given.description,
            parent: optional("category.parent_category", &given.parent_category, COLLECTION)?,
        };
        self.apply(action(create), &request.request_id).await?;
        self.category(&name).await
    }

    async fn get_category(&self, request: api::GetCategoryRequest) -> Result<api::Category> {
        self.category(&name_in("name", &request.name, COLLECTION)?).await
    }

    async fn list_categories(
        &self,
        request: api::ListCategoriesRequest,
    ) -> Result<api::ListCategoriesResponse> {
        let owner = Scope::Tenant(tenant(&request.parent)?);
        let parent = optional("parent_category", &request.parent_category, COLLECTION)?;
        let below = match (&parent, request.top) {
            (Some(parent), _) => Some(Some(parent)),
            (None, true) => Some(None),
            (None, false) => None,
        };
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_categories(&owner, below, &page)?;
            Ok(api::ListCategoriesResponse {
                categories: found.items.iter().map(|category| message(category)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_category(&self, request: api::UpdateCategoryRequest) -> Result<api::Category> {
        let given = request.category.ok_or_else(|| missing("category"))?;
        let name = name_in("category.name", &given.name, COLLECTION)?;
        let mask = Mask::new(request.update_mask, &["title", "description", "parent_category"])?;
        let parent = match mask.has("parent_category") {
            true => Some(optional("category.parent_category", &given.parent_category, COLLECTION)?),
            false => None,
        };
        let update = CategoryAction::Update {
            category: name.clone(),
            etag: etag(&given.etag)?,
            title: mask.has("title").then_some(given.title),
            description: mask.has("description").then_some(given.description),
            parent,
        };
        self.apply(action(update), &request.request_id).await?;
        self.category(&name).await
    }

    async fn delete_category(
        &self,
        request: api::DeleteCategoryRequest,
    ) -> Result<api::DeleteCategoryResponse> {
        let category = name_in("name", &request.name, COLLECTION)?;
        let delete = CategoryAction::Delete { category, etag: etag(&request.etag)? };
        self.apply(action(delete), &request.request_id).await?;
        Ok(api::DeleteCategoryResponse {})
    }
}

fn message(category: &Category) -> api::Category {
    api::Category {
        name: category.name.to_string(),
        title: category.title.clone(),
        description: category.description.clone(),
        parent_category: category.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        create_time: time(category.created_ms),
        update_time: time(category.updated_ms),
        etag: category.revision.to_string(),
    }
}

serve!(CategoryService {
    create_category(CreateCategoryRequest) -> Category;
    get_category(GetCategoryRequest) -> Category;
    list_categories(ListCategoriesRequest) -> ListCategoriesResponse;
    update_category(UpdateCategoryRequest) -> Category;
    delete_category(DeleteCategoryRequest) -> DeleteCategoryResponse;
});
