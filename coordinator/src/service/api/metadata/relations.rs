//! Relations.

use tidegate_catalog::{
    Action, Catalog, ChildName, Collection, MetadataAction, Publish, Relation, RelationAction,
    RelationContent, RelationEnd, RelationFilter, RelationKind, ResourceName, Scope, Subject,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::relation_service_server::RelationService;
use tidegate_types::Result;

use super::{Standing, entry_filter, name_in, new_name, pending, seen_etag, sees_drafts, standing};
use crate::service::api::Api;
use crate::service::api::fields::{Mask, etag, invalid, missing, page, serve};
use crate::service::call::caller_name;

const COLLECTION: Collection = Collection::Relations;
/// Who has it sees drafts.
const READ: &str = "relations.get";

fn action(action: RelationAction) -> Action {
    Action::Metadata(Box::new(MetadataAction::Relation(action)))
}

impl Api {
    async fn relation(&self, name: &ChildName) -> Result<api::Relation> {
        self.seen(name, READ, |catalog, drafts| message(catalog, catalog.relation(name)?, drafts))
            .await
    }

    async fn create_relation(&self, request: api::CreateRelationRequest) -> Result<api::Relation> {
        let name = new_name(&request.parent, COLLECTION, request.relation_id)?;
        let given = request.relation.ok_or_else(|| missing("relation"))?;
        let content = RelationContent {
            kind: kind(given.kind()).ok_or_else(|| {
                missing("relation.kind").field("relation.kind", "say what it says of its ends")
            })?,
            source: name_in("relation.source", &given.source, Collection::BusinessData)?,
            target: target(&given.target, &given.target_column)?,
            description: given.description,
        };
        let create = RelationAction::Create {
            relation: name.clone(),
            content: Box::new(content),
            owner: caller_name(),
        };
        self.apply(action(create), &request.request_id).await?;
        self.relation(&name).await
    }

    async fn get_relation(&self, request: api::GetRelationRequest) -> Result<api::Relation> {
        self.relation(&name_in("name", &request.name, COLLECTION)?).await
    }

    async fn list_relations(
        &self,
        request: api::ListRelationsRequest,
    ) -> Result<api::ListRelationsResponse> {
        let kind = kind(request.kind());
        let owner: Scope = request.parent.parse()?;
        let entry = entry_filter(request.published, &request.search, &request.owner)?;
        let end = match request.end.as_str() {
            "" => None,
            end => Some(end.parse::<ResourceName>()?),
        };
        let mut filter = RelationFilter { entry, end, kind };
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            filter.entry.published |= !sees_drafts(catalog, READ, &owner);
            let drafts = !filter.entry.published;
            let found = catalog.list_relations(&owner, &filter, &page)?;
            let relations =
                found.items.iter().filter_map(|relation| message(catalog, relation, drafts));
            Ok(api::ListRelationsResponse {
                relations: relations.collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_relation(&self, request: api::UpdateRelationRequest) -> Result<api::Relation> {
        let given = request.relation.ok_or_else(|| missing("relation"))?;
        let name = name_in("relation.name", &given.name, COLLECTION)?;
        let mask = Mask::new(request.update_mask, &["kind", "description"])?;
        let update = RelationAction::Update {
            relation: name.clone(),
            etag: etag(&given.etag)?,
            // One that is not said stays.
            kind: kind(given.kind()).filter(|_| mask.has("kind")),
            description: mask.has("description").then_some(given.description),
        };
        self.apply(action(update), &request.request_id).await?;
        self.relation(&name).await
    }

    async fn delete_relation(
        &self,
        request: api::DeleteRelationRequest,
    ) -> Result<api::DeleteRelationResponse> {
        let relation = name_in("name", &request.name, COLLECTION)?;
        let delete = RelationAction::Delete { relation, etag: etag(&request.etag)? };
        self.apply(action(delete), &request.request_id).await?;
        Ok(api::DeleteRelationResponse {})
    }

    async fn publish_relation(
        &self,
        request: api::PublishRelationRequest,
    ) -> Result<api::Approval> {
        let publish = RelationAction::Publish {
            relation: name_in("name", &request.name, COLLECTION)?,
            etag: seen_etag(&request.etag)?,
            requester: caller_name(),
            reason: request.reason,
        };
        self.ask_to_publish(action(publish), &request.request_id).await
    }

    async fn unpublish_relation(
        &self,
        request: api::UnpublishRelationRequest,
    ) -> Result<api::Relation> {
        let name = name_in("name", &request.name, COLLECTION)?;
        let (relation, etag) = (name.clone(), etag(&request.etag)?);
        let unpublish = RelationAction::Unpublish { relation, etag };
        self.apply(action(unpublish), &request.request_id).await?;
        self.relation(&name).await
    }
}

/// What a relation leads to.
fn target(text: &str, column: &str) -> Result<RelationEnd> {
    let refused = |field: &str, why: String| Err(invalid(why.clone()).field(field, why));
    match text.parse() {
        Ok(ResourceName::Table(table)) => {
            let column = Some(column.to_owned()).filter(|column| !column.is_empty());
            Ok(RelationEnd::Table { table, column })
        }
        Ok(ResourceName::Child(name)) if name.collection() == Collection::BusinessData => {
            match column {
                "" => Ok(RelationEnd::BusinessData(name)),
                _ => refused("relation.target_column", "only tables have columns".to_owned()),
            }
        }
        _ => {
            let shown: String = text.chars().take(200).collect();
            let why = format!("'{shown}' is not the name of business data or of a table");
            refused("relation.target", why)
        }
    }
}

fn kind(kind: api::relation::Kind) -> Option<RelationKind> {
    use api::relation::Kind;
    match kind {
        Kind::Unspecified => None,
        Kind::Describes => Some(RelationKind::Describes),
        Kind::DerivedFrom => Some(RelationKind::DerivedFrom),
        Kind::SameAs => Some(RelationKind::SameAs),
        Kind::PartOf => Some(RelationKind::PartOf),
        Kind::RelatedTo => Some(RelationKind::RelatedTo),
    }
}

fn content_message(content: &RelationContent) -> api::Relation {
    use api::relation::Kind;
    let kind = match content.kind {
        RelationKind::Describes => Kind::Describes,
        RelationKind::DerivedFrom => Kind::DerivedFrom,
        RelationKind::SameAs => Kind::SameAs,
        RelationKind::PartOf => Kind::PartOf,
        RelationKind::RelatedTo => Kind::RelatedTo,
    };
    let column = match &content.target {
        RelationEnd::Table { column, .. } => column.clone().unwrap_or_default(),
        RelationEnd::BusinessData(_) => String::new(),
    };
    api::Relation {
        kind: kind.into(),
        source: content.source.to_string(),
        target: content.target.name().to_string(),
        target_column: column,
        description: content.description.clone(),
        ..api::Relation::default()
    }
}

/// A relation with its draft, or as everybody sees it; none if nobody does.
pub(super) fn message(
    catalog: &Catalog,
    relation: &Relation,
    drafts: bool,
) -> Option<api::Relation> {
    let entry = &relation.entry;
    let seen = entry.seen(!drafts).filter(|_| drafts || catalog.is_seen(relation))?;
    let published = entry.seen(true).filter(|_| drafts);
    let Standing {
        state,
        pending_approval,
        publish_time,
        approval,
        create_time,
        update_time,
        etag,
    } = standing(catalog, entry, drafts);
    let asked = pending(catalog, &entry.name).filter(|_| drafts);
    let asked = asked.and_then(|approval| match &approval.subject {
        Subject::Publish(Publish::Relation { content, .. }) => Some(content.as_ref()),
        _ => None,
    });
    Some(api::Relation {
        name: entry.name.to_string(),
        owner: entry.owner.clone(),
        state,
        pending_approval,
        create_time,
        update_time,
        etag,
        publish_time,
        approval,
        problem: catalog.broken(relation),
        published_version: published.map(|published| Box::new(content_message(published))),
        pending_version: asked.map(|asked| Box::new(content_message(asked))),
        ..content_message(seen)
    })
}

serve!(RelationService {
    create_relation(CreateRelationRequest) -> Relation;
    get_relation(GetRelationRequest) -> Relation;
    list_relations(ListRelationsRequest) -> ListRelationsResponse;
    update_relation(UpdateRelationRequest) -> Relation;
    delete_relation(DeleteRelationRequest) -> DeleteRelationResponse;
    publish_relation(PublishRelationRequest) -> Approval;
    unpublish_relation(UnpublishRelationRequest) -> Relation;
});
