//! Quality rules.

use tidegate_catalog::{
    Action, Catalog, ChildName, Collection, Publish, QualityAction, QualityRule,
    QualityRuleContent, QualityRuleFilter, RuleCheck, Scope, Severity, Subject, TableName,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::quality_rule_service_server::QualityRuleService;
use tidegate_types::Result;

use super::{Standing, entry_filter, name_in, new_name, pending, seen_etag, sees_drafts, standing};
use crate::service::api::Api;
use crate::service::api::fields::{Mask, etag, invalid, missing, page, project, serve};
use crate::service::call::caller_name;

const COLLECTION: Collection = Collection::QualityRules;
/// Who has it sees drafts.
const READ: &str = "quality_rules.get";
const PATTERN: &str = "quality_rule.check.matches.pattern";
const CHECK: &str = "quality_rule.check";

fn action(action: QualityAction) -> Action {
    Action::Quality(Box::new(action))
}

impl Api {
    async fn quality_rule(&self, name: &ChildName) -> Result<api::QualityRule> {
        self.seen(name, READ, |catalog, drafts| {
            message(catalog, catalog.quality_rule(name)?, drafts)
        })
        .await
    }

    async fn create_quality_rule(
        &self,
        request: api::CreateQualityRuleRequest,
    ) -> Result<api::QualityRule> {
        let name = new_name(&request.parent, COLLECTION, request.quality_rule_id)?;
        let given = request.quality_rule.ok_or_else(|| missing("quality_rule"))?;
        let severity = severity(given.severity());
        let content = QualityRuleContent {
            title: given.title,
            description: given.description,
            severity: severity.unwrap_or(Severity::Warning),
            enabled: !given.disabled,
            check: check(given.check)?,
        };
        let table: TableName = given.table.parse().map_err(|error: tidegate_types::Error| {
            error.field("quality_rule.table", "name a table of the project in full")
        })?;
        let create = QualityAction::Create {
            rule: name.clone(),
            table,
            content: Box::new(content),
            owner: caller_name(),
        };
        self.apply(action(create), &request.request_id).await?;
        self.quality_rule(&name).await
    }

    async fn get_quality_rule(
        &self,
        request: api::GetQualityRuleRequest,
    ) -> Result<api::QualityRule> {
        self.quality_rule(&name_in("name", &request.name, COLLECTION)?).await
    }

    async fn list_quality_rules(
        &self,
        request: api::ListQualityRulesRequest,
    ) -> Result<api::ListQualityRulesResponse> {
        let severity = severity(request.severity());
        let owner = Scope::Project(project(&request.parent)?);
        let entry = entry_filter(request.published, &request.search, &request.owner)?;
        let table = match request.table.as_str() {
            "" => None,
            table => Some(table.parse::<TableName>()?),
        };
        let enabled = request.enabled;
        let mut filter = QualityRuleFilter { entry, table, severity, enabled };
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            filter.entry.published |= !sees_drafts(catalog, READ, &owner);
            let drafts = !filter.entry.published;
            let found = catalog.list_quality_rules(&owner, &filter, &page)?;
            let rules = found.items.iter().filter_map(|rule| message(catalog, rule, drafts));
            Ok(api::ListQualityRulesResponse {
                quality_rules: rules.collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_quality_rule(
        &self,
        request: api::UpdateQualityRuleRequest,
    ) -> Result<api::QualityRule> {
        let given = request.quality_rule.ok_or_else(|| missing("quality_rule"))?;
        let name = name_in("quality_rule.name", &given.name, COLLECTION)?;
        let fields = ["title", "description", "severity", "disabled", "check"];
        // A check is changed as a whole.
        let whole =
            |path: String| if path.starts_with("check.") { "check".to_owned() } else { path };
        let mask = request.update_mask.map(|mask| prost_types::FieldMask {
            paths: mask.paths.into_iter().map(whole).collect(),
        });
        let mask = Mask::new(mask, &fields)?;
        let update = QualityAction::Update {
            rule: name.clone(),
            etag: etag(&given.etag)?,
            severity: mask
                .has("severity")
                .then(|| severity(given.severity()).unwrap_or(Severity::Warning)),
            title: mask.has("title").then_some(given.title),
            description: mask.has("description").then_some(given.description),
            enabled: mask.has("disabled").then_some(!given.disabled),
            check: match mask.has("check") {
                true => Some(check(given.check)?),
                false => None,
            },
        };
        self.apply(action(update), &request.request_id).await?;
        self.quality_rule(&name).await
    }

    async fn delete_quality_rule(
        &self,
        request: api::DeleteQualityRuleRequest,
    ) -> Result<api::DeleteQualityRuleResponse> {
        let rule = name_in("name", &request.name, COLLECTION)?;
        let delete = QualityAction::Delete { rule, etag: etag(&request.etag)? };
        self.apply(action(delete), &request.request_id).await?;
        Ok(api::DeleteQualityRuleResponse {})
    }

    async fn publish_quality_rule(
        &self,
        request: api::PublishQualityRuleRequest,
    ) -> Result<api::Approval> {
        let publish = QualityAction::Publish {
            rule: name_in("name", &request.name, COLLECTION)?,
            etag: seen_etag(&request.etag)?,
            requester: caller_name(),
            reason: request.reason,
        };
        self.ask_to_publish(action(publish), &request.request_id).await
    }

    async fn unpublish_quality_rule(
        &self,
        request: api::UnpublishQualityRuleRequest,
    ) -> Result<api::QualityRule> {
        let name = name_in("name", &request.name, COLLECTION)?;
        let unpublish = QualityAction::Unpublish { rule: name.clone(), etag: etag(&request.etag)? };
        self.apply(action(unpublish), &request.request_id).await?;
        self.quality_rule(&name).await
    }
}

/// What rows must be like. That an expression is one is seen here: the catalog must mean the same for ever.
fn check(given: Option<api::quality_rule::Check>) -> Result<RuleCheck> {
    use api::quality_rule::check::Check;
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let given = given.and_then(|check| check.check).ok_or_else(|| {
        missing(CHECK)
            .field(CHECK, "say what rows must be like")
            .help("not_null, unique, in_range, matches, accepted_values, row_count or freshness")
    })?;
    Ok(match given {
        Check::NotNull(of) => RuleCheck::NotNull { columns: of.columns },
        Check::Unique(of) => RuleCheck::Unique { columns: of.columns },
        Check::InRange(range) => {
            RuleCheck::InRange { column: range.column, min: text(range.min), max: text(range.max) }
        }
        Check::Matches(matches) => {
            if let Err(error) = fancy_regex::Regex::new(&matches.pattern) {
                let why = format!("it is no regular expression: {error}");
                return Err(invalid(format!("{PATTERN}: {why}")).field(PATTERN, why));
            }
            RuleCheck::Matches { column: matches.column, pattern: matches.pattern }
        }
        Check::AcceptedValues(of) => {
            RuleCheck::AcceptedValues { column: of.column, values: of.values }
        }
        Check::RowCount(rows) => {
            RuleCheck::RowCount { min: rows.min, max: rows.max, window_ms: rows.window_ms }
        }
        Check::Freshness(fresh) => {
            RuleCheck::Freshness { column: fresh.column, max_age_ms: fresh.max_age_ms }
        }
    })
}

fn check_message(check: &RuleCheck) -> api::quality_rule::Check {
    use api::quality_rule::check::Check;
    use api::quality_rule::{AcceptedValues, Columns, Freshness, Matches, Range, RowCount};
    let check = match check.clone() {
        RuleCheck::NotNull { columns } => Check::NotNull(Columns { columns }),
        RuleCheck::Unique { columns } => Check::Unique(Columns { columns }),
        RuleCheck::InRange { column, min, max } => {
            let (min, max) = (min.unwrap_or_default(), max.unwrap_or_default());
            Check::InRange(Range { column, min, max })
        }
        RuleCheck::Matches { column, pattern } => Check::Matches(Matches { column, pattern }),
        RuleCheck::AcceptedValues { column, values } => {
            Check::AcceptedValues(AcceptedValues { column, values })
        }
        RuleCheck::RowCount { min, max, window_ms } => {
            Check::RowCount(RowCount { min, max, window_ms })
        }
        RuleCheck::Freshness { column, max_age_ms } => {
            Check::Freshness(Freshness { column, max_age_ms })
        }
    };
    api::quality_rule::Check { check: Some(check) }
}

fn severity(severity: api::quality_rule::Severity) -> Option<Severity> {
    match severity {
        api::quality_rule::Severity::Unspecified => None,
        api::quality_rule::Severity::Info => Some(Severity::Info),
        api::quality_rule::Severity::Warning => Some(Severity::Warning),
        api::quality_rule::Severity::Error => Some(Severity::Error),
    }
}

fn content_message(content: &QualityRuleContent) -> api::QualityRule {
    let severity = match content.severity {
        Severity::Info => api::quality_rule::Severity::Info,
        Severity::Warning => api::quality_rule::Severity::Warning,
        Severity::Error => api::quality_rule::Severity::Error,
    };
    api::QualityRule {
        title: content.title.clone(),
        description: content.description.clone(),
        severity: severity.into(),
        disabled: !content.enabled,
        check: Some(check_message(&content.check)),
        ..api::QualityRule::default()
    }
}

/// A rule with its draft, or as everybody sees it; none if nobody does.
pub(super) fn message(
    catalog: &Catalog,
    rule: &QualityRule,
    drafts: bool,
) -> Option<api::QualityRule> {
    let seen = rule.entry.seen(!drafts)?;
    let published = rule.entry.seen(true).filter(|_| drafts);
    let Standing {
        state,
        pending_approval,
        publish_time,
        approval,
        create_time,
        update_time,
        etag,
    } = standing(catalog, &rule.entry, drafts);
    let asked = pending(catalog, &rule.entry.name).filter(|_| drafts);
    let asked = asked.and_then(|approval| match &approval.subject {
        Subject::Publish(Publish::QualityRule { content, .. }) => Some(content.as_ref()),
        _ => None,
    });
    Some(api::QualityRule {
        name: rule.entry.name.to_string(),
        table: rule.table.to_string(),
        owner: rule.entry.owner.clone(),
        state,
        pending_approval,
        create_time,
        update_time,
        etag,
        publish_time,
        approval,
        problem: catalog.rule_misfit(rule, seen),
        published_version: published.map(|published| Box::new(content_message(published))),
        pending_version: asked.map(|asked| Box::new(content_message(asked))),
        ..content_message(seen)
    })
}

serve!(QualityRuleService {
    create_quality_rule(CreateQualityRuleRequest) -> QualityRule;
    get_quality_rule(GetQualityRuleRequest) -> QualityRule;
    list_quality_rules(ListQualityRulesRequest) -> ListQualityRulesResponse;
    update_quality_rule(UpdateQualityRuleRequest) -> QualityRule;
    delete_quality_rule(DeleteQualityRuleRequest) -> DeleteQualityRuleResponse;
    publish_quality_rule(PublishQualityRuleRequest) -> Approval;
    unpublish_quality_rule(UnpublishQualityRuleRequest) -> QualityRule;
});
