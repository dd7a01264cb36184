//! Business metadata: from a category to what everybody sees, and what stands in the way.

mod people;
mod relations;

use std::collections::BTreeMap;

use tidegate_types::ErrorCode;

use super::*;
use crate::approval::tests::{decide, person};
use crate::{
    Action, ApprovalState, Bounds, Catalog, EntryFilter, PageRequest, ResourceName, Scope,
};
use people::{Office, data, edit, make, model, name, text};

#[test]
fn b4_categories_are_a_tree_of_bounded_depth_and_those_in_use_stay() {
    let mut office = Office::new();
    let category = |id: &str| name("tenants/default/categories", id);
    office.category("sales", None);
    for depth in 2..=Bounds::CATEGORY_DEPTH {
        let above = if depth == 2 { "sales".to_owned() } else { format!("c{}", depth - 1) };
        office.category(&format!("c{depth}"), Some(&above));
    }
    let below = |id: &str, parent: &str| {
        people::category(CategoryAction::Create {
            category: category(id),
            title: id.to_owned(),
            description: String::new(),
            parent: Some(category(parent)),
        })
    };
    let lowest = format!("c{}", Bounds::CATEGORY_DEPTH);
    assert_eq!(office.refuse(below("deeper", &lowest)), ErrorCode::FailedPrecondition);
    assert_eq!(office.refuse(below("lost", "none")), ErrorCode::NotFound);
    let move_to = |id: &str, parent: Option<&str>, etag: Option<u64>| {
        people::category(CategoryAction::Update {
            category: category(id),
            etag,
            title: None,
            description: None,
            parent: Some(parent.map(category)),
        })
    };
    assert_eq!(office.refuse(move_to("sales", Some("c3"), None)), ErrorCode::FailedPrecondition);
    assert_eq!(office.refuse(move_to("sales", Some("sales"), None)), ErrorCode::FailedPrecondition);
    // With what is below it, it would be too deep.
    office.category("other", None);
    assert_eq!(office.refuse(move_to("sales", Some("other"), None)), ErrorCode::FailedPrecondition);
    assert_eq!(office.refuse(move_to("c5", None, Some(1))), ErrorCode::Conflict);
    office.apply(move_to("c5", Some("other"), None));
    let delete =
        |id: &str| people::category(CategoryAction::Delete { category: category(id), etag: None });
    assert_eq!(office.refuse(delete("c2")), ErrorCode::FailedPrecondition, "c3 is in it");
    office.model("customer", "c4", &[text("title")]);
    assert_eq!(office.refuse(delete("c4")), ErrorCode::FailedPrecondition, "a model is in it");
    office.apply(people::models(MetaModelAction::Delete {
        meta_model: model("customer"),
        etag: None,
    }));
    office.apply(delete("c4"));
    let top = |below: Option<Option<&ChildName>>| {
        let tenant = Scope::Tenant("default".to_owned());
        let page = office.catalog.list_categories(&tenant, below, &PageRequest::first(100));
        page.unwrap().items.iter().map(|one| one.name.id().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(top(Some(None)), ["other", "sales"]);
    assert_eq!(top(Some(Some(&category("other")))), ["c5"]);
    assert_eq!(top(None).len(), Bounds::CATEGORY_DEPTH);
}

#[test]
fn b4_a_model_is_a_draft_until_the_global_data_administrator_says_yes() {
    let mut office = Office::new();
    office.category("sales", None);
    office.model("customer", "sales", &[text("segment")]);
    let seen = |office: &Office| {
        let found = office.catalog.meta_model(&model("customer")).unwrap();
        found.entry.seen(true).map(|content| content.attributes.len())
    };
    let approval = office.publish_model("customer");
    assert_eq!(office.refuse(people::publish_model("customer")), ErrorCode::FailedPrecondition);
    assert_eq!(office.refuse(decide(&approval, "asset", true)), ErrorCode::PermissionDenied);
    assert_eq!(office.refuse(decide(&approval, "biz", true)), ErrorCode::PermissionDenied);
    // What is approved is what was asked for.
    office.change_model("customer", &[text("segment"), text("country")]);
    office.apply(decide(&approval, "global", true));
    assert_eq!(seen(&office), Some(1));
    assert!(office.catalog.meta_model(&model("customer")).unwrap().entry.is_changed());
    // A no changes nothing, and says why.
    let approval = office.publish_model("customer");
    office.apply(decide(&approval, "global", false));
    assert_eq!(office.state(&approval), ApprovalState::Rejected);
    assert_eq!(office.catalog.approval(&approval).unwrap().opinions[0].text, "because");
    assert_eq!(seen(&office), Some(1));
    let approval = office.publish_model("customer");
    office.apply(decide(&approval, "global", true));
    assert_eq!(seen(&office), Some(2));
    let again = office.refuse(people::publish_model("customer"));
    assert_eq!(again, ErrorCode::FailedPrecondition, "it is published as it is");
}

#[test]
fn nobody_approves_his_own_model_and_an_old_etag_is_refused() {
    let mut office = Office::new();
    office.category("sales", None);
    office.role("asset", "global-data-admin");
    office.model("customer", "sales", &[]);
    let approval = office.publish_model("customer");
    assert_eq!(office.refuse(decide(&approval, "asset", true)), ErrorCode::SelfApproval);
    let old = people::models(MetaModelAction::Publish {
        meta_model: model("customer"),
        etag: Some(1),
        requester: person("asset").to_string(),
        reason: String::new(),
    });
    assert_eq!(office.refuse(old), ErrorCode::Conflict);
    assert_eq!(office.refuse(people::publish_model("none")), ErrorCode::NotFound);
}

#[test]
fn what_is_wrong_with_a_model_is_said_field_by_field() {
    let mut office = Office::new();
    office.category("sales", None);
    let odd = Attribute {
        id: "1st".to_owned(),
        ty: AttributeType::Enum(vec!["a".to_owned(), "a".to_owned()]),
        ..text("x")
    };
    let elsewhere = AttributeType::Reference(Some(name("tenants/other/metaModels", "m")));
    let foreign = Attribute { ty: elsewhere, ..text("owner") };
    let action = people::create_model("customer", "sales", &[text("a"), text("a"), odd, foreign]);
    let error = office.attempt(action).unwrap_err();
    let fields: Vec<&str> = error.fields().iter().map(|one| one.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "meta_model.attributes[1].id",
            "meta_model.attributes[2].id",
            "meta_model.attributes[2].choices",
            "meta_model.attributes[3].reference_model"
        ]
    );
    assert_eq!(error.code(), ErrorCode::InvalidOption);
    let error = office.attempt(people::create_model("customer", "none", &[])).unwrap_err();
    assert_eq!((error.code(), error.fields().len()), (ErrorCode::NotFound, 1));
    let stranger = people::models(MetaModelAction::Create {
        meta_model: model("customer"),
        content: Box::new(people::content("sales", &[])),
        managers: [crate::AccountName::user("other", "ann").unwrap()].into(),
        owner: person("asset").to_string(),
    });
    assert_eq!(office.refuse(stranger), ErrorCode::InvalidOption);
}

#[test]
fn b4_business_data_fit_their_model_and_the_data_asset_manager_approves_them() {
    let mut office = Office::new();
    office.published_model(
        "customer",
        &[
            Attribute { required: true, ..text("segment") },
            Attribute { ty: AttributeType::Integer, ..text("size") },
        ],
    );
    let error = office
        .attempt(make("acme", "customer", &[("size", "big"), ("colour", "red")]))
        .unwrap_err();
    let fields: Vec<&str> = error.fields().iter().map(|one| one.field.as_str()).collect();
    let wanted = ["colour", "size", "segment"];
    assert_eq!(fields, wanted.map(|id| format!("business_data.values.{id}")));
    office.apply(make("acme", "customer", &[("segment", "b2b"), ("size", "7")]));
    let seen = |office: &Office| {
        let found = office.catalog.business_data(&data("acme")).unwrap();
        found.entry.seen(true).map(|content| content.values["segment"].clone())
    };
    assert_eq!(seen(&office), None);
    let approval = office.publish_data("acme");
    assert_eq!(office.refuse(decide(&approval, "global", true)), ErrorCode::PermissionDenied);
    office.apply(edit("acme", &[("segment", "b2c")]));
    office.apply(decide(&approval, "asset", true));
    assert_eq!(seen(&office).as_deref(), Some("b2b"), "as it was asked for");
    // A model that changes does not change data; it says what does not fit any more.
    office.change_model("customer", &[Attribute { ty: AttributeType::Date, ..text("segment") }]);
    let approval = office.publish_data("acme");
    let of_model = office.publish_model("customer");
    office.apply(decide(&of_model, "global", true));
    let code = office.refuse(decide(&approval, "asset", true));
    assert_eq!(code, ErrorCode::InvalidOption, "what was asked for does not fit any more");
    assert_eq!(office.state(&approval), ApprovalState::Pending);
    let found = office.catalog.business_data(&data("acme")).unwrap();
    let misfit = office.catalog.misfit(found, found.entry.seen(true).unwrap());
    assert!(misfit.contains("segment: 'b2b' is not a day"), "{misfit}");
}

#[test]
fn data_of_a_draft_cannot_be_made_and_a_model_with_data_stays() {
    let mut office = Office::new();
    office.category("sales", None);
    office.model("customer", "sales", &[]);
    assert_eq!(office.refuse(make("acme", "customer", &[])), ErrorCode::FailedPrecondition);
    assert_eq!(office.refuse(make("acme", "none", &[])), ErrorCode::NotFound);
    let approval = office.publish_model("customer");
    office.apply(decide(&approval, "global", true));
    office.apply(make("acme", "customer", &[]));
    assert_eq!(office.refuse(make("acme", "customer", &[])), ErrorCode::AlreadyExists);
    let delete =
        || people::models(MetaModelAction::Delete { meta_model: model("customer"), etag: None });
    let unpublish =
        || people::models(MetaModelAction::Unpublish { meta_model: model("customer"), etag: None });
    assert_eq!(office.refuse(delete()), ErrorCode::FailedPrecondition);
    assert_eq!(office.refuse(unpublish()), ErrorCode::FailedPrecondition);
    office.apply(people::delete_data("acme"));
    office.apply(unpublish());
    office.apply(delete());
    let tenant = Action::DeleteTenant { tenant: "rival".to_owned(), etag: None };
    office.tenant("rival");
    office.apply(people::category(CategoryAction::Create {
        category: name("tenants/rival/categories", "theirs"),
        title: "theirs".to_owned(),
        description: String::new(),
        parent: None,
    }));
    assert_eq!(office.refuse(tenant), ErrorCode::FailedPrecondition, "it has a category");
    // What is another tenant's is not there.
    let foreign = people::models(MetaModelAction::Create {
        meta_model: model("mine"),
        content: Box::new(MetaModelContent {
            category: name("tenants/rival/categories", "theirs"),
            ..people::content("sales", &[])
        }),
        managers: BTreeSet::new(),
        owner: person("asset").to_string(),
    });
    assert_eq!(office.refuse(foreign), ErrorCode::NotFound);
    let foreign = people::business_data(BusinessDataAction::Create {
        business_data: name("tenants/rival/businessData", "theirs"),
        model: model("customer"),
        title: "x".to_owned(),
        description: String::new(),
        values: BTreeMap::new(),
        editor: person("biz").to_string(),
    });
    assert_eq!(office.refuse(foreign), ErrorCode::NotFound);
}

#[test]
fn b4_only_managers_edit_the_data_of_their_model() {
    let mut office = Office::new();
    office.published_model("customer", &[]);
    office.apply(make("acme", "customer", &[]));
    office.apply(people::models(MetaModelAction::Update {
        meta_model: model("customer"),
        etag: None,
        title: None,
        description: None,
        category: None,
        attributes: None,
        managers: Some([person("dev")].into()),
    }));
    for action in [
        make("other", "customer", &[]),
        edit("acme", &[]),
        people::publish_data("acme"),
        people::delete_data("acme"),
    ] {
        assert_eq!(office.refuse(action), ErrorCode::PermissionDenied);
    }
    office.apply(people::models(MetaModelAction::Update {
        meta_model: model("customer"),
        etag: None,
        title: None,
        description: None,
        category: None,
        attributes: None,
        managers: Some([person("dev"), person("biz")].into()),
    }));
    office.apply(edit("acme", &[]));
}

#[test]
fn what_is_named_by_values_is_there_and_stays() {
    let mut office = Office::new();
    let model_name = model("customer");
    let refers =
        |to: ChildName| Attribute { ty: AttributeType::Reference(Some(to)), ..text("parent") };
    office.published_model("customer", &[refers(model_name)]);
    office.published_model("region", &[]);
    office.apply(make("north", "region", &[]));
    office.apply(make("acme", "customer", &[]));
    let named = |of: &ChildName| of.to_string();
    let (north, acme) = (named(&data("north")), named(&data("acme")));
    for wrong in [north.as_str(), "tenants/default/businessData/none", "x"] {
        let error = office.attempt(make("sub", "customer", &[("parent", wrong)])).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidOption, "{wrong}");
        assert_eq!(error.fields()[0].field, "business_data.values.parent");
    }
    assert_eq!(office.refuse(edit("acme", &[("parent", &acme)])), ErrorCode::InvalidOption);
    office.apply(make("sub", "customer", &[("parent", &acme)]));
    assert_eq!(office.refuse(people::delete_data("acme")), ErrorCode::FailedPrecondition);
    office.apply(people::delete_data("sub"));
    office.apply(people::delete_data("acme"));
}

#[test]
fn drafts_are_not_among_what_everybody_sees_or_finds() {
    let mut office = Office::new();
    office.published_model("customer", &[text("segment")]);
    office.apply(make("acme", "customer", &[("segment", "wholesale")]));
    office.apply(make("beta", "customer", &[("segment", "retail")]));
    let list = |catalog: &Catalog, published: bool, search: &str| -> Vec<String> {
        let search = search.to_owned();
        let entry = EntryFilter { published, search, ..EntryFilter::default() };
        let filter = BusinessDataFilter { entry, ..BusinessDataFilter::default() };
        let owner = Scope::Tenant("default".to_owned());
        let page = catalog.list_business_data(&owner, &filter, &PageRequest::first(10)).unwrap();
        page.items.iter().map(|one| one.entry.name.id().to_owned()).collect()
    };
    let approval = office.publish_data("acme");
    assert_eq!(list(&office.catalog, false, ""), ["acme", "beta"]);
    assert!(list(&office.catalog, true, "").is_empty());
    let mut search = crate::CatalogSearch::default();
    let found = |search: &mut crate::CatalogSearch, catalog: &Catalog, query: &str| -> usize {
        search.refresh(catalog);
        let filter = crate::SearchFilter::default();
        let page = search.search(query, &filter, |_| true, &PageRequest::first(10)).unwrap();
        page.page.items.len()
    };
    assert_eq!(found(&mut search, &office.catalog, "wholesale"), 0);
    office.apply(decide(&approval, "asset", true));
    assert_eq!(list(&office.catalog, true, "whole"), ["acme"]);
    assert_eq!(found(&mut search, &office.catalog, "wholesale"), 1);
    assert_eq!(found(&mut search, &office.catalog, "retail"), 0);
    office.apply(people::business_data(BusinessDataAction::Unpublish {
        business_data: data("acme"),
        etag: None,
        editor: person("biz").to_string(),
    }));
    assert_eq!(found(&mut search, &office.catalog, "wholesale"), 0);
}

#[test]
fn b4_tags_mark_tables_databases_and_data_and_are_found() {
    let mut office = Office::new();
    office.published_model("customer", &[]);
    office.apply(make("acme", "customer", &[]));
    office.table("orders");
    let table: ResourceName = "projects/p/databases/default/tables/orders".parse().unwrap();
    let pii = name("tenants/default/tags", "pii");
    office.apply(people::tags(TagAction::Create {
        tag: pii.clone(),
        title: "Personal".to_owned(),
        description: String::new(),
    }));
    let attach = |object: &ResourceName| {
        let (tag, creator) = (name("tenants/default/tags", "pii"), person("asset").to_string());
        people::tags(TagAction::Attach { tag, object: object.clone(), creator })
    };
    let detach = |object: &ResourceName| {
        let tag = name("tenants/default/tags", "pii");
        people::tags(TagAction::Detach { tag, object: object.clone() })
    };
    let acme = ResourceName::Child(data("acme"));
    let mut search = crate::CatalogSearch::default();
    search.refresh(&office.catalog);
    office.apply(attach(&table));
    office.apply(attach(&table));
    office.apply(attach(&acme));
    let none = "projects/p/databases/default/tables/none".parse().unwrap();
    assert_eq!(office.refuse(attach(&none)), ErrorCode::NotFound);
    assert_eq!(office.refuse(attach(&"projects/p".parse().unwrap())), ErrorCode::InvalidOption);
    office.tenant("rival");
    office.project("theirs", "rival");
    office.table_in("theirs", "orders");
    let foreign = "projects/theirs/databases/default/tables/orders".parse().unwrap();
    assert_eq!(office.refuse(attach(&foreign)), ErrorCode::NotFound);
    let found = |search: &mut crate::CatalogSearch, catalog: &Catalog| -> Vec<ResourceName> {
        search.refresh(catalog);
        let filter = crate::SearchFilter::default();
        let page = search.search("personal", &filter, |_| true, &PageRequest::first(10)).unwrap();
        page.page.items.into_iter().map(|hit| hit.name).collect()
    };
    assert_eq!(found(&mut search, &office.catalog), std::slice::from_ref(&table));
    let tagged = |catalog: &Catalog, of: &ChildName| {
        let page = catalog.list_tagged(of, &PageRequest::first(1), |_| true).unwrap();
        let next = PageRequest::first(1).after(&page).unwrap();
        let rest = catalog.list_tagged(of, &next, |_| true).unwrap();
        (page.items, rest.items, rest.next)
    };
    assert_eq!(tagged(&office.catalog, &pii), (vec![table.clone()], vec![acme.clone()], None));
    let delete = |force: bool| {
        let tag = name("tenants/default/tags", "pii");
        people::tags(TagAction::Delete { tag, etag: None, force })
    };
    assert_eq!(office.refuse(delete(false)), ErrorCode::FailedPrecondition);
    office.apply(detach(&acme));
    assert_eq!(office.refuse(detach(&acme)), ErrorCode::NotFound);
    office.delete_table("orders");
    office.table("orders");
    assert_eq!(office.catalog.tags_on(&table).count(), 0, "another table of the same name");
    office.apply(attach(&table));
    office.apply(delete(true));
    assert!(found(&mut search, &office.catalog).is_empty());
    assert_eq!(office.catalog.tags_on(&table).count(), 0);
}

#[test]
fn the_same_request_again_is_answered_and_not_done_twice() {
    let mut office = Office::new();
    office.category("sales", None);
    let create = people::create_model("customer", "sales", &[]);
    let command = || crate::Command::new(office.now_ms, create.clone()).with_request_id("r-1");
    let (first, again) = (command(), command());
    let answer = office.catalog.apply(first).unwrap();
    assert_eq!(office.catalog.apply(again).unwrap(), answer);
    let publish = crate::Command::new(office.now_ms, people::publish_model("customer"));
    let publish = publish.with_request_id("r-2");
    let asked = office.catalog.apply(publish.clone()).unwrap();
    assert_eq!(office.catalog.apply(publish).unwrap(), asked, "one approval");
    assert_eq!(office.catalog.pending_approvals().count(), 1);
}
