//! Who does what in these tests, and short words for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use super::super::*;
use crate::approval::tests::{World, decide, person};
use crate::{
    Action, Column, DEFAULT_DATABASE, RoleAction, Scope, TableAction, TableDefinition, TableName,
};

/// A world in which `asset` is data asset manager and `biz` a business user of the tenant.
pub(super) struct Office(World);

impl Deref for Office {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Office {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

impl Office {
    pub(super) fn new() -> Self {
        let mut world = World::new();
        let tenant = || Scope::Tenant("default".to_owned());
        world.account("asset", tenant(), "data-asset-manager");
        world.account("biz", tenant(), "business-user");
        Self(world)
    }

    pub(super) fn role(&mut self, id: &str, role: &str) {
        self.apply(Action::Role(RoleAction::Assign {
            account: person(id),
            scope: Scope::Tenant("default".to_owned()),
            role: role.to_owned(),
            creator: "test".to_owned(),
        }));
    }

    pub(super) fn tenant(&mut self, id: &str) {
        let (tenant, description) = (id.to_owned(), String::new());
        self.apply(Action::CreateTenant { tenant, description });
    }

    pub(super) fn project(&mut self, id: &str, tenant: &str) {
        self.apply(Action::CreateProject {
            project: id.to_owned(),
            tenant: tenant.to_owned(),
            description: String::new(),
            services: None,
        });
    }

    pub(super) fn category(&mut self, id: &str, parent: Option<&str>) {
        let of = |id: &str| name("tenants/default/categories", id);
        self.apply(category(CategoryAction::Create {
            category: of(id),
            title: id.to_owned(),
            description: String::new(),
            parent: parent.map(of),
        }));
    }

    pub(super) fn model(&mut self, id: &str, category: &str, attributes: &[Attribute]) {
        self.apply(create_model(id, category, attributes));
    }

    pub(super) fn change_model(&mut self, id: &str, attributes: &[Attribute]) {
        self.apply(models(MetaModelAction::Update {
            meta_model: model(id),
            etag: None,
            title: None,
            description: None,
            category: None,
            attributes: Some(attributes.to_vec()),
            managers: None,
        }));
    }

    pub(super) fn publish_model(&mut self, id: &str) -> ChildName {
        self.apply(publish_model(id)).parse().unwrap()
    }

    /// A model that everybody sees, in the category `sales`.
    pub(super) fn published_model(&mut self, id: &str, attributes: &[Attribute]) {
        if self.catalog.category(&name("tenants/default/categories", "sales")).is_none() {
            self.category("sales", None);
        }
        self.model(id, "sales", attributes);
        let approval = self.publish_model(id);
        self.apply(decide(&approval, "global", true));
    }

    pub(super) fn publish_data(&mut self, id: &str) -> ChildName {
        self.apply(publish_data(id)).parse().unwrap()
    }

    /// Business data of a model that everybody sees.
    pub(super) fn published_data(&mut self, id: &str, model: &str) {
        self.apply(make(id, model, &[]));
        let approval = self.publish_data(id);
        self.apply(decide(&approval, "asset", true));
    }

    pub(super) fn table(&mut self, id: &str) {
        self.table_in("p", id);
    }

    pub(super) fn table_in(&mut self, project: &str, id: &str) {
        let column = |name: &str, ty: &str| Column {
            name: name.to_owned(),
            ty: ty.to_owned(),
            ..Column::default()
        };
        let columns = vec![column("id", "BIGINT NOT NULL"), column("email", "STRING")];
        self.apply(Action::Table(Box::new(TableAction::CreateTable {
            table: TableName::new(project, DEFAULT_DATABASE, id).unwrap(),
            kind: "kafka".to_owned(),
            description: String::new(),
            tags: BTreeSet::new(),
            owner: person("dev").to_string(),
            definition: Box::new(TableDefinition { columns, ..TableDefinition::default() }),
            design: None,
        })));
    }

    pub(super) fn delete_table(&mut self, id: &str) {
        let table = TableName::new("p", DEFAULT_DATABASE, id).unwrap();
        self.apply(Action::Table(Box::new(TableAction::DeleteTable { table, etag: None })));
    }
}

pub(super) fn name(collection: &str, id: &str) -> ChildName {
    format!("{collection}/{id}").parse().unwrap()
}

pub(super) fn model(id: &str) -> ChildName {
    name("tenants/default/metaModels", id)
}

pub(super) fn data(id: &str) -> ChildName {
    name("tenants/default/businessData", id)
}

pub(super) fn category(action: CategoryAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::Category(action)))
}

pub(super) fn models(action: MetaModelAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::MetaModel(action)))
}

pub(super) fn business_data(action: BusinessDataAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::BusinessData(action)))
}

pub(super) fn relations(action: RelationAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::Relation(action)))
}

pub(super) fn tags(action: TagAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::Tag(action)))
}

/// An attribute that takes any text.
pub(super) fn text(id: &str) -> Attribute {
    Attribute {
        id: id.to_owned(),
        title: id.to_uppercase(),
        help: String::new(),
        required: false,
        ty: AttributeType::Text,
    }
}

pub(super) fn content(category: &str, attributes: &[Attribute]) -> MetaModelContent {
    MetaModelContent {
        title: "Model".to_owned(),
        description: "what it is".to_owned(),
        category: name("tenants/default/categories", category),
        attributes: attributes.to_vec(),
    }
}

pub(super) fn create_model(id: &str, category: &str, attributes: &[Attribute]) -> Action {
    models(MetaModelAction::Create {
        meta_model: model(id),
        content: Box::new(content(category, attributes)),
        managers: BTreeSet::new(),
        owner: person("asset").to_string(),
    })
}

pub(super) fn publish_model(id: &str) -> Action {
    models(MetaModelAction::Publish {
        meta_model: model(id),
        etag: None,
        requester: person("asset").to_string(),
        reason: String::new(),
    })
}

fn values(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect()
}

/// Makes business data of the tenant.
pub(super) fn make(id: &str, of: &str, with: &[(&str, &str)]) -> Action {
    business_data(BusinessDataAction::Create {
        business_data: data(id),
        model: model(of),
        title: format!("The {id}"),
        description: String::new(),
        values: values(with),
        editor: person("biz").to_string(),
    })
}

pub(super) fn edit(id: &str, with: &[(&str, &str)]) -> Action {
    business_data(BusinessDataAction::Update {
        business_data: data(id),
        etag: None,
        title: None,
        description: None,
        values: Some(values(with)),
        editor: person("biz").to_string(),
    })
}

pub(super) fn publish_data(id: &str) -> Action {
    business_data(BusinessDataAction::Publish {
        business_data: data(id),
        etag: None,
        requester: person("biz").to_string(),
        reason: String::new(),
    })
}

pub(super) fn delete_data(id: &str) -> Action {
    let (business_data_, editor) = (data(id), person("biz").to_string());
    business_data(BusinessDataAction::Delete { business_data: business_data_, etag: None, editor })
}
