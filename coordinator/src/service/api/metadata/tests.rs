//! Business metadata and quality rules over the whole API: who makes, who approves, who sees what.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use prost_types::FieldMask;
use tidegate_catalog::{
    AccountAction, AccountName, Action, Command, RoleAction, Scope, Tokens as SessionTokens,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::approval_service_client::ApprovalServiceClient;
use tidegate_proto::v1::business_data_service_client::BusinessDataServiceClient;
use tidegate_proto::v1::catalog_service_client::CatalogServiceClient;
use tidegate_proto::v1::category_service_client::CategoryServiceClient;
use tidegate_proto::v1::meta_model_service_client::MetaModelServiceClient;
use tidegate_proto::v1::quality_rule_service_client::QualityRuleServiceClient;
use tidegate_proto::v1::relation_service_client::RelationServiceClient;
use tidegate_proto::v1::table_service_client::TableServiceClient;
use tidegate_proto::v1::tag_service_client::TagServiceClient;
use tidegate_runtime::SystemClock;
use tidegate_security::KnownTokens;
use tidegate_security::token::TokenHash;
use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::CheckpointFolders;
use crate::raft::NodeOptions;
use crate::raft::network::{Connector, TcpConnector};
use crate::service::{Coordinator, CoordinatorOptions, Formation, Security};

/// A coordinator with two tenants: `acme`, whose project is `own`, and `rival`.
struct World {
    coordinator: Coordinator,
    channel: Channel,
    _folder: tempfile::TempDir,
}

/// Calls a method as somebody: `call!(world, "ann", CategoryServiceClient.get_category(request))`.
macro_rules! call {
    ($world:expr, $who:expr, $client:ident.$method:ident($request:expr)) => {{
        let mut request = Request::new($request);
        let token = MetadataValue::try_from(format!("Bearer {}", account($who))).unwrap();
        request.metadata_mut().insert("authorization", token);
        let mut client = $client::new($world.channel.clone());
        client.$method(request).await.map(tonic::Response::into_inner)
    }};
}

/// Accounts are of `acme`, but for `spy`.
fn account(id: &str) -> AccountName {
    AccountName::user(if id == "spy" { "rival" } else { "acme" }, id).unwrap()
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let options = CoordinatorOptions {
            node: NodeOptions::new(1, "test"),
            formation: Formation::Initial([(1, address.clone())].into()),
            data: folder.path().to_owned(),
            folders: CheckpointFolders { checkpoints: None, savepoints: None },
            security: Security {
                identity: None,
                tokens: KnownTokens::default(),
                open: false,
                keyring: None,
            },
        };
        let connector = std::sync::Arc::new(TcpConnector::default());
        let channel = connector.channel(&address).unwrap();
        let clock = SystemClock::shared();
        let coordinator = Coordinator::start(options, listener, connector, clock).await.unwrap();
        let world = Self { coordinator, channel, _folder: folder };
        for tenant in ["acme", "rival"] {
            let (tenant, description) = (tenant.to_owned(), String::new());
            world.apply(Action::CreateTenant { tenant, description }).await;
        }
        world
            .apply(Action::CreateProject {
                project: "own".to_owned(),
                tenant: "acme".to_owned(),
                description: String::new(),
                services: None,
            })
            .await;
        let (acme, own) = (Scope::Tenant("acme".into()), Scope::Project("own".into()));
        for (id, role) in [
            ("global", Some((acme.clone(), "global-data-admin"))),
            ("asset", Some((acme.clone(), "data-asset-manager"))),
            ("biz", Some((acme, "business-user"))),
            ("dev", Some((own.clone(), "developer"))),
            ("data", Some((own, "project-data-admin"))),
            ("ann", None),
            ("spy", Some((Scope::Tenant("rival".into()), "data-asset-manager"))),
        ] {
            world.account(&account(id), role).await;
        }
        world
    }

    async fn apply(&self, action: Action) {
        let metadata = self.coordinator.metadata();
        // As soon as it leads.
        for _ in 0..200 {
            let now_ms = SystemClock::shared().now_ms();
            match metadata.propose(Command::new(now_ms, action.clone())).await {
                Ok(_) => return,
                Err(error) if error.code().is_retryable() => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{action:?}: {error}"),
            }
        }
        panic!("nobody leads");
    }

    /// An account that is signed in; its access token is its name.
    async fn account(&self, account: &AccountName, role: Option<(Scope, &str)>) {
        self.apply(Action::Account(AccountAction::Create {
            account: account.clone(),
            display_name: String::new(),
            email: String::new(),
            password: Some("x".to_owned()),
        }))
        .await;
        self.apply(Action::Account(AccountAction::SetPassword {
            account: account.clone(),
            hash: "y".to_owned(),
            one_time: false,
            instead_of: None,
            keep_session: None,
        }))
        .await;
        if let Some((scope, role)) = role {
            let (account, role) = (account.clone(), role.to_owned());
            let creator = "test".to_owned();
            self.apply(Action::Role(RoleAction::Assign { account, scope, role, creator })).await;
        }
        let now_ms = SystemClock::shared().now_ms();
        let known = |catalog: &tidegate_catalog::Catalog| {
            catalog.account(account).map(|account| account.revision)
        };
        let checked = self.coordinator.metadata().peek(known).unwrap();
        self.apply(Action::Account(AccountAction::BeginSession {
            session: account.id().to_owned(),
            account: account.clone(),
            checked,
            key: None,
            tokens: SessionTokens {
                access: TokenHash::of(&account.to_string()).to_string(),
                access_expires_ms: now_ms + 600_000,
                refresh: account.to_string(),
            },
            expires_ms: now_ms + 600_000,
            client: String::new(),
            address: String::new(),
        }))
        .await;
    }

    async fn decide(&self, who: &str, name: &str, approve: bool) -> Result<api::Approval, Status> {
        let request = api::DecideApprovalRequest {
            name: name.to_owned(),
            approve,
            opinion: "because".to_owned(),
            request_id: String::new(),
        };
        call!(self, who, ApprovalServiceClient.decide_approval(request))
    }

    async fn category(&self) {
        let request = api::CreateCategoryRequest {
            parent: ACME.to_owned(),
            category_id: "sales".to_owned(),
            category: Some(api::Category { title: "Sales".to_owned(), ..Default::default() }),
            request_id: String::new(),
        };
        let denied = call!(self, "biz", CategoryServiceClient.create_category(request.clone()));
        assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
        call!(self, "global", CategoryServiceClient.create_category(request)).unwrap();
    }

    /// A model with a segment that must be given and a size, as `global` approves it.
    async fn model(&self) -> api::MetaModel {
        let model = call!(self, "asset", MetaModelServiceClient.create_meta_model(new_model()));
        let model = model.unwrap();
        let publish = api::PublishMetaModelRequest {
            name: model.name.clone(),
            reason: "for the sales".to_owned(),
            etag: model.etag.clone(),
            request_id: "publish-1".to_owned(),
        };
        let asked = call!(self, "asset", MetaModelServiceClient.publish_meta_model(publish));
        self.decide("global", &asked.unwrap().name, true).await.unwrap();
        model
    }

    /// Business data of the tenant, as `asset` approves them.
    async fn data(&self, id: &str) -> api::BusinessData {
        let request = new_data(id, &[("segment", "b2b")]);
        let data = call!(self, "biz", BusinessDataServiceClient.create_business_data(request));
        let data = data.unwrap();
        let publish = api::PublishBusinessDataRequest {
            name: data.name.clone(),
            etag: data.etag.clone(),
            ..Default::default()
        };
        let asked = call!(self, "biz", BusinessDataServiceClient.publish_business_data(publish));
        self.decide("asset", &asked.unwrap().name, true).await.unwrap();
        data
    }

    async fn table(&self) -> String {
        let column = |name: &str, ty: &str| api::table_definition::Column {
            name: name.to_owned(),
            r#type: ty.to_owned(),
            ..Default::default()
        };
        let definition = api::TableDefinition {
            columns: vec![column("id", "BIGINT"), column("email", "STRING")],
            options: HashMap::from([("format".to_owned(), "json".to_owned())]),
            ..Default::default()
        };
        let table = api::Table {
            r#type: "kafka".to_owned(),
            definition: Some(definition),
            ..Default::default()
        };
        let request = api::CreateTableRequest {
            parent: "projects/own/databases/default".to_owned(),
            table_id: "orders".to_owned(),
            table: Some(table),
            request_id: String::new(),
        };
        call!(self, "dev", TableServiceClient.create_table(request)).unwrap().name
    }
}

const ACME: &str = "tenants/acme";
const OWN: &str = "projects/own";

fn new_model() -> api::CreateMetaModelRequest {
    use api::meta_model::{Attribute, Type};
    let attribute = |id: &str, ty: Type, required: bool| Attribute {
        id: id.to_owned(),
        title: id.to_owned(),
        required,
        r#type: ty.into(),
        ..Default::default()
    };
    let meta_model = api::MetaModel {
        title: "Customer".to_owned(),
        category: format!("{ACME}/categories/sales"),
        attributes: vec![
            attribute("segment", Type::Text, true),
            attribute("size", Type::Integer, false),
        ],
        ..Default::default()
    };
    api::CreateMetaModelRequest {
        parent: ACME.to_owned(),
        meta_model_id: "customer".to_owned(),
        meta_model: Some(meta_model),
        request_id: "create-1".to_owned(),
    }
}

fn new_data(id: &str, values: &[(&str, &str)]) -> api::CreateBusinessDataRequest {
    let own = |(id, value): &(&str, &str)| ((*id).to_owned(), (*value).to_owned());
    let business_data = api::BusinessData {
        meta_model: format!("{ACME}/metaModels/customer"),
        title: format!("The {id}"),
        values: values.iter().map(own).collect(),
        ..Default::default()
    };
    api::CreateBusinessDataRequest {
        parent: ACME.to_owned(),
        business_data_id: id.to_owned(),
        business_data: Some(business_data),
        request_id: String::new(),
    }
}

/// The fields that an answer finds fault with.
fn fields(status: &Status) -> Vec<String> {
    let found = status.get_details_bad_request().map(|found| found.field_violations);
    found.unwrap_or_default().into_iter().map(|violation| violation.field).collect()
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test]
async fn b4_a_model_is_seen_by_everybody_once_it_is_approved_and_by_nobody_elses_tenant() {
    let world = World::start().await;
    world.category().await;
    let create = || new_model();
    let denied = call!(world, "biz", MetaModelServiceClient.create_meta_model(create()));
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    let model = call!(world, "asset", MetaModelServiceClient.create_meta_model(create())).unwrap();
    assert_eq!(model.state(), api::PublishState::Draft);
    // The same call again is answered, and nothing is done twice.
    let again = call!(world, "asset", MetaModelServiceClient.create_meta_model(create())).unwrap();
    assert_eq!(again, model);
    let get = |name: &str| api::GetMetaModelRequest { name: name.to_owned() };
    let list = || api::ListMetaModelsRequest { parent: ACME.to_owned(), ..Default::default() };
    let hidden = call!(world, "ann", MetaModelServiceClient.get_meta_model(get(&model.name)));
    assert_eq!(hidden.unwrap_err().code(), Code::NotFound);
    let listed = call!(world, "ann", MetaModelServiceClient.list_meta_models(list())).unwrap();
    assert!(listed.meta_models.is_empty());
    for who in ["asset", "global", "biz"] {
        let listed = call!(world, who, MetaModelServiceClient.list_meta_models(list())).unwrap();
        assert_eq!(listed.meta_models.len(), 1, "{who} sees drafts");
    }
    let publish = |etag: &str| api::PublishMetaModelRequest {
        name: model.name.clone(),
        etag: etag.to_owned(),
        request_id: "publish-1".to_owned(),
        ..Default::default()
    };
    let blind = call!(world, "asset", MetaModelServiceClient.publish_meta_model(publish("")));
    assert_eq!(blind.unwrap_err().code(), Code::InvalidArgument);
    let old = call!(world, "asset", MetaModelServiceClient.publish_meta_model(publish("1")));
    assert_eq!(reason(&old.unwrap_err()), "CONFLICT");
    let ask = || publish(&model.etag);
    let asked = call!(world, "asset", MetaModelServiceClient.publish_meta_model(ask())).unwrap();
    let again = call!(world, "asset", MetaModelServiceClient.publish_meta_model(ask())).unwrap();
    assert_eq!(again.name, asked.name, "one approval");
    assert_eq!((asked.kind.as_str(), asked.subject), ("PUBLISH_META_MODEL", model.name.clone()));
    let denied = world.decide("asset", &asked.name, true).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    world.decide("global", &asked.name, true).await.unwrap();
    let seen = call!(world, "ann", MetaModelServiceClient.get_meta_model(get(&model.name)));
    assert_eq!(seen.unwrap().state(), api::PublishState::Published);
    // A change is seen by those who edit.
    let update = api::UpdateMetaModelRequest {
        meta_model: Some(api::MetaModel {
            name: model.name.clone(),
            title: "Client".to_owned(),
            ..Default::default()
        }),
        update_mask: Some(FieldMask { paths: vec!["title".to_owned()] }),
        request_id: String::new(),
    };
    let changed = call!(world, "asset", MetaModelServiceClient.update_meta_model(update)).unwrap();
    assert_eq!((changed.title.as_str(), changed.attributes.len()), ("Client", 2));
    assert_eq!(changed.state(), api::PublishState::Changed);
    assert_eq!(changed.published_version.unwrap().title, "Customer");
    let seen = call!(world, "ann", MetaModelServiceClient.get_meta_model(get(&model.name)));
    let seen = seen.unwrap();
    assert_eq!((seen.title.as_str(), seen.published_version.as_deref()), ("Customer", None));
    assert_eq!(seen.state(), api::PublishState::Published);
    // In another tenant nothing of it exists, as if the name were made up.
    let spied = call!(world, "spy", MetaModelServiceClient.get_meta_model(get(&model.name)));
    let made_up = format!("{ACME}/metaModels/none");
    let none = call!(world, "spy", MetaModelServiceClient.get_meta_model(get(&made_up)));
    let (spied, none) = (spied.unwrap_err(), none.unwrap_err());
    assert_eq!((spied.code(), spied.message()), (Code::NotFound, none.message()));
    let foreign = api::CreateMetaModelRequest {
        parent: "tenants/rival".to_owned(),
        request_id: String::new(),
        ..new_model()
    };
    let foreign = call!(world, "spy", MetaModelServiceClient.create_meta_model(foreign));
    let foreign = foreign.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound, "the category is another tenant's");
    assert_eq!(fields(&foreign), ["meta_model.category"]);
    world.coordinator.stop().await.unwrap();
}

#[tokio::test]
async fn b4_business_data_relations_and_tags_over_the_api() {
    let world = World::start().await;
    world.category().await;
    world.model().await;
    let wrong = new_data("acme", &[("size", "big")]);
    let wrong = call!(world, "biz", BusinessDataServiceClient.create_business_data(wrong));
    let wrong = wrong.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert_eq!(fields(&wrong), ["business_data.values.size", "business_data.values.segment"]);
    let data = world.data("acme").await;
    let list = |published: bool| api::ListBusinessDataRequest {
        parent: ACME.to_owned(),
        published,
        ..Default::default()
    };
    let draft = new_data("beta", &[("segment", "b2c")]);
    call!(world, "biz", BusinessDataServiceClient.create_business_data(draft)).unwrap();
    for (who, published, count) in [("biz", false, 2), ("biz", true, 1), ("ann", false, 1)] {
        let listed =
            call!(world, who, BusinessDataServiceClient.list_business_data(list(published)));
        assert_eq!(listed.unwrap().business_data.len(), count, "{who}");
    }

    let table = world.table().await;
    let relation = |column: &str| api::CreateRelationRequest {
        parent: OWN.to_owned(),
        relation_id: "describes".to_owned(),
        relation: Some(api::Relation {
            kind: api::relation::Kind::Describes.into(),
            source: data.name.clone(),
            target: table.clone(),
            target_column: column.to_owned(),
            ..Default::default()
        }),
        request_id: String::new(),
    };
    let none = call!(world, "dev", RelationServiceClient.create_relation(relation("none")));
    assert_eq!(fields(&none.unwrap_err()), ["relation.target_column"]);
    let made = call!(world, "dev", RelationServiceClient.create_relation(relation("id"))).unwrap();
    let get = || api::GetRelationRequest { name: made.name.clone() };
    let hidden = call!(world, "ann", RelationServiceClient.get_relation(get()));
    assert_eq!(hidden.unwrap_err().code(), Code::NotFound);
    let publish = api::PublishRelationRequest {
        name: made.name.clone(),
        etag: made.etag.clone(),
        ..Default::default()
    };
    let asked = call!(world, "dev", RelationServiceClient.publish_relation(publish)).unwrap();
    let denied = world.decide("data", &asked.name, true).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    world.decide("asset", &asked.name, true).await.unwrap();
    let seen = call!(world, "ann", RelationServiceClient.get_relation(get())).unwrap();
    assert_eq!((seen.target, seen.target_column.as_str()), (table.clone(), "id"));

    // Tags are the data asset manager's; everybody sees them, and of what has them what is published.
    let tag = || api::CreateTagRequest {
        parent: ACME.to_owned(),
        tag_id: "pii".to_owned(),
        tag: Some(api::Tag { title: "Personal".to_owned(), ..Default::default() }),
        request_id: String::new(),
    };
    let denied = call!(world, "biz", TagServiceClient.create_tag(tag()));
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    let pii = call!(world, "asset", TagServiceClient.create_tag(tag())).unwrap().name;
    for object in [&data.name, &table] {
        let (name, object) = (pii.clone(), object.clone());
        let attach = api::AttachTagRequest { name, object, request_id: String::new() };
        call!(world, "asset", TagServiceClient.attach_tag(attach)).unwrap();
    }
    let objects = || api::ListTaggedObjectsRequest { name: pii.clone(), ..Default::default() };
    let found = call!(world, "dev", TagServiceClient.list_tagged_objects(objects())).unwrap();
    assert_eq!(found.objects, [table.clone(), data.name.clone()]);
    let draft = api::AttachTagRequest {
        name: pii.clone(),
        object: format!("{ACME}/businessData/beta"),
        request_id: String::new(),
    };
    call!(world, "asset", TagServiceClient.attach_tag(draft)).unwrap();
    let found = call!(world, "biz", TagServiceClient.list_tagged_objects(objects())).unwrap();
    assert_eq!(found.objects.len(), 3);
    let found = call!(world, "ann", TagServiceClient.list_tagged_objects(objects())).unwrap();
    assert_eq!(found.objects, [table.clone(), data.name.clone()], "and no draft");
    let detail = api::GetTableDetailRequest { name: table.clone() };
    let detail = call!(world, "ann", CatalogServiceClient.get_table_detail(detail)).unwrap();
    assert_eq!((detail.attached_tags, detail.relations.len()), (vec![pii.clone()], 1));
    let search = |query: &str| api::SearchCatalogRequest {
        parent: ACME.to_owned(),
        query: query.to_owned(),
        ..Default::default()
    };
    let search = async |who: &str, query: &str| {
        let found = call!(world, who, CatalogServiceClient.search_catalog(search(query)));
        found.map(|found| found.hits.into_iter().map(|hit| hit.name).collect::<Vec<_>>())
    };
    assert_eq!(search("ann", "personal").await.unwrap(), [table.clone(), data.name.clone()]);
    assert_eq!(search("ann", "b2b").await.unwrap(), std::slice::from_ref(&data.name));
    assert!(search("ann", "b2c").await.unwrap().is_empty(), "a draft");
    assert_eq!(search("spy", "b2b").await.unwrap_err().code(), Code::NotFound);
    let tagged = api::ListCatalogTablesRequest {
        parent: ACME.to_owned(),
        tag: "pii".to_owned(),
        ..Default::default()
    };
    let found = call!(world, "ann", CatalogServiceClient.list_catalog_tables(tagged)).unwrap();
    assert_eq!(found.tables.len(), 1);
    let get = api::GetBusinessDataRequest { name: data.name.clone() };
    let found = call!(world, "ann", BusinessDataServiceClient.get_business_data(get)).unwrap();
    assert_eq!(found.attached_tags, [pii]);

    // A table that goes takes what nobody sees with it, and leaves a word in what is published.
    let delete = api::DeleteTableRequest { name: table, ..Default::default() };
    call!(world, "dev", TableServiceClient.delete_table(delete)).unwrap();
    let get = || api::GetRelationRequest { name: made.name.clone() };
    let lost = call!(world, "dev", RelationServiceClient.get_relation(get())).unwrap();
    assert!(lost.problem.contains("was deleted"), "{lost:?}");
    let hidden = call!(world, "ann", RelationServiceClient.get_relation(get()));
    assert_eq!(hidden.unwrap_err().code(), Code::NotFound);
    world.coordinator.stop().await.unwrap();
}

#[tokio::test]
async fn b4_quality_rules_are_checked_approved_and_seen() {
    use api::quality_rule::check::Check;
    use api::quality_rule::{Matches, Range};
    let world = World::start().await;
    let table = world.table().await;
    let rule = |check: Option<Check>| api::CreateQualityRuleRequest {
        parent: OWN.to_owned(),
        quality_rule_id: "ids".to_owned(),
        quality_rule: Some(api::QualityRule {
            table: table.clone(),
            title: "Ids".to_owned(),
            check: Some(api::quality_rule::Check { check }),
            ..Default::default()
        }),
        request_id: "rule-1".to_owned(),
    };
    let matches = |column: &str, pattern: &str| {
        Some(Check::Matches(Matches { column: column.to_owned(), pattern: pattern.to_owned() }))
    };
    let range = |column: &str, min: &str| {
        let (column, min) = (column.to_owned(), min.to_owned());
        Some(Check::InRange(Range { column, min, max: String::new() }))
    };
    for (check, field) in [
        (None, "check"),
        (matches("email", "(["), "check.matches.pattern"),
        (matches("id", "x"), "check.matches.column"),
        (range("id", "one"), "check.in_range.min"),
        (range("none", "1"), "check.in_range.column"),
    ] {
        let wrong = call!(world, "dev", QualityRuleServiceClient.create_quality_rule(rule(check)));
        let wrong = wrong.unwrap_err();
        assert_eq!(wrong.code(), Code::InvalidArgument);
        assert_eq!(fields(&wrong), [format!("quality_rule.{field}")]);
    }
    let good = || rule(range("id", "1"));
    let denied = call!(world, "data", QualityRuleServiceClient.create_quality_rule(good()));
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    let made = call!(world, "dev", QualityRuleServiceClient.create_quality_rule(good())).unwrap();
    let again = call!(world, "dev", QualityRuleServiceClient.create_quality_rule(good())).unwrap();
    assert_eq!(again, made);
    assert_eq!(made.severity(), api::quality_rule::Severity::Warning);
    let publish = api::PublishQualityRuleRequest {
        name: made.name.clone(),
        etag: made.etag.clone(),
        ..Default::default()
    };
    let ask = || publish.clone();
    let asked = call!(world, "dev", QualityRuleServiceClient.publish_quality_rule(ask())).unwrap();
    let get = || api::GetQualityRuleRequest { name: made.name.clone() };
    let pending = call!(world, "data", QualityRuleServiceClient.get_quality_rule(get())).unwrap();
    assert_eq!(pending.pending_approval, asked.name);
    // What is asked for is told, also when the draft goes on.
    let update = |paths: &[&str], disabled: bool, check: Option<Check>| {
        let quality_rule = api::QualityRule {
            name: made.name.clone(),
            disabled,
            check: Some(api::quality_rule::Check { check }),
            ..Default::default()
        };
        api::UpdateQualityRuleRequest {
            quality_rule: Some(quality_rule),
            update_mask: Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() }),
            request_id: String::new(),
        }
    };
    let stricter = update(&["check.in_range.column", "check.in_range.min"], true, range("id", "2"));
    let changed = call!(world, "dev", QualityRuleServiceClient.update_quality_rule(stricter));
    let changed = changed.unwrap();
    assert!(!changed.disabled && changed.published_version.is_none());
    assert_eq!(changed.check.unwrap().check, range("id", "2"));
    assert_eq!(changed.pending_version.unwrap().check.unwrap().check, range("id", "1"));
    let rejected = world.decide("data", &asked.name, false).await.unwrap();
    assert_eq!(rejected.opinions[0].text, "because");
    let hidden = call!(world, "ann", QualityRuleServiceClient.get_quality_rule(get()));
    assert_eq!(hidden.unwrap_err().code(), Code::NotFound, "a no changes nothing");
    let old = call!(world, "dev", QualityRuleServiceClient.publish_quality_rule(ask()));
    assert_eq!(reason(&old.unwrap_err()), "CONFLICT", "it was changed since");
    let back = update(&["check"], false, range("id", "1"));
    let back = call!(world, "dev", QualityRuleServiceClient.update_quality_rule(back)).unwrap();
    let ask = || api::PublishQualityRuleRequest { etag: back.etag.clone(), ..publish.clone() };
    let asked = call!(world, "dev", QualityRuleServiceClient.publish_quality_rule(ask())).unwrap();
    world.decide("data", &asked.name, true).await.unwrap();
    let seen = call!(world, "ann", QualityRuleServiceClient.get_quality_rule(get())).unwrap();
    assert_eq!(seen.check.unwrap().check, range("id", "1"));
    let list = api::ListQualityRulesRequest {
        parent: OWN.to_owned(),
        table,
        enabled: true,
        ..Default::default()
    };
    let listed = call!(world, "ann", QualityRuleServiceClient.list_quality_rules(list)).unwrap();
    assert_eq!(listed.quality_rules.len(), 1);
    world.coordinator.stop().await.unwrap();
}
