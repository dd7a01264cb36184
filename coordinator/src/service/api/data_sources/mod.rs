//! Data sources: types and their parameters come from the connectors' descriptions, secrets go into envelopes.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidegate_catalog::{
    Action, Approval, ApprovalState, Catalog, ChildName, Collection, Connection, ConnectionChange,
    DataSource, DataSourceAction, DataSourceFilter, ResourceName, Scope,
};
use tidegate_connector_spec::data_source::{self as spec, DataSourceSpec};
use tidegate_connector_spec::{OptionKind, Text};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::v1 as api;
use tidegate_proto::v1::data_source_service_client::DataSourceServiceClient;
use tidegate_proto::v1::data_source_service_server::DataSourceService;
use tidegate_security::Policy;
use tidegate_types::Result;

use crate::service::api::convert::time;
use crate::service::api::fields::{Mask, etag, invalid, missing, page, project, serve};
use crate::service::api::{Api, unknown};
use crate::service::call::{CurrentCall, caller_name};
use crate::service::gate::Place;
use crate::service::workers::probes::Visited;

/// How long a test takes where nobody says, and at most.
const TEST_SECONDS: u32 = 15;
const MOST_TEST_SECONDS: u32 = 60;
/// Whoever has it needs nobody's approval for a data source.
const APPROVE: &str = "data_sources.approve";

impl Api {
    async fn list_data_source_types(
        &self,
        _: api::ListDataSourceTypesRequest,
    ) -> Result<api::ListDataSourceTypesResponse> {
        let types = spec::data_sources().iter().map(|spec| type_message(spec)).collect();
        Ok(api::ListDataSourceTypesResponse { types })
    }

    async fn data_source(&self, name: &ChildName) -> Result<api::DataSource> {
        self.read(|catalog| {
            let found = catalog.data_source(name).map(|found| message(catalog, found));
            found.ok_or_else(|| unknown(name))
        })
        .await
    }

    async fn create_data_source(
        &self,
        request: api::CreateDataSourceRequest,
    ) -> Result<api::DataSource> {
        let project = project(&request.parent)?;
        let owner = Scope::Project(project);
        let name = ChildName::new(owner, Collection::DataSources, request.data_source_id)?;
        let given = request.data_source.ok_or_else(|| missing("data_source"))?;
        let spec = type_of(&given.r#type)?;
        let values: BTreeMap<String, String> = given.parameters.into_iter().collect();
        check(spec, &values)?;
        let (parameters, secrets) = spec::split_secrets(spec, values.clone());
        let mut sealed = BTreeMap::new();
        for (key, secret) in secrets {
            sealed.insert(key.clone(), self.secrets.seal(&name, &key, &secret)?);
        }
        let create = DataSourceAction::Create {
            data_source: name.clone(),
            kind: spec.name.to_owned(),
            description: given.description,
            connection: Connection { parameters, secrets: sealed },
            owner: caller_name(),
            active: self.approves(&name).await?,
            shared_with: projects(&given.shared_with)?,
            shared_with_all: given.shared_with_all,
        };
        self.apply(Action::DataSource(Box::new(create)), &request.request_id).await?;
        self.data_source(&name).await
    }

    async fn get_data_source(&self, request: api::GetDataSourceRequest) -> Result<api::DataSource> {
        self.data_source(&name_of(&request.name)?).await
    }

    async fn list_data_sources(
        &self,
        request: api::ListDataSourcesRequest,
    ) -> Result<api::ListDataSourcesResponse> {
        let project = project(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        let filter = DataSourceFilter { kind: request.r#type, usable: request.usable };
        self.read(|catalog| {
            let found = catalog.list_data_sources(&project, &filter, &page)?;
            Ok(api::ListDataSourcesResponse {
                data_sources: found.items.iter().map(|found| message(catalog, found)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_data_source(
        &self,
        request: api::UpdateDataSourceRequest,
    ) -> Result<api::DataSource> {
        let given = request.data_source.ok_or_else(|| missing("data_source"))?;
        let name = name_of(&given.name)?;
        let fields = ["description", "parameters", "shared_with", "shared_with_all"];
        let mask = Mask::new(request.update_mask, &fields)?;
        let now = self.read(|catalog| Ok(catalog.data_source(&name).cloned())).await?;
        let now = now.ok_or_else(|| unknown(&name))?;
        let connection = match mask.has("parameters") {
            true => Some(self.changed(&now, given.parameters.into_iter().collect())?),
            false => None,
        };
        let shared_with = match mask.has("shared_with") {
            true => Some(projects(&given.shared_with)?),
            false => None,
        };
        let active = self.approves(&name).await?;
        let update = DataSourceAction::Update {
            data_source: name.clone(),
            // Secrets that are not given stay as they were when they were read.
            etag: etag(&given.etag)?.or(connection.as_ref().map(|_| now.revision)),
            description: mask.has("description").then_some(given.description),
            connection,
            shared_with,
            shared_with_all: mask.has("shared_with_all").then_some(given.shared_with_all),
            active,
        };
        self.apply(Action::DataSource(Box::new(update)), &request.request_id).await?;
        self.data_source(&name).await
    }

    /// Parameters anew, with those secrets that were given.
    fn changed(
        &self,
        now: &DataSource,
        values: BTreeMap<String, String>,
    ) -> Result<ConnectionChange> {
        let spec = type_of(&now.kind)?;
        let (parameters, secrets) = spec::split_secrets(spec, values.clone());
        check_kept(&now.connection, &values)?;
        // A secret that is kept is there, whatever it is; one that is given empty goes.
        let mut whole = values.clone();
        whole.retain(|_, value| !value.is_empty());
        for key in now.connection.secrets.keys().filter(|key| !secrets.contains_key(*key)) {
            let opened = self.secrets.open(&now.name, key, &now.connection.secrets[key])?;
            whole.insert(key.clone(), opened);
        }
        check(spec, &whole)?;
        let mut sealed = BTreeMap::new();
        for (key, secret) in secrets {
            let secret = match secret.is_empty() {
                true => None,
                false => Some(self.secrets.seal(&now.name, &key, &secret)?),
            };
            sealed.insert(key, secret);
        }
        Ok(ConnectionChange { parameters, secrets: sealed })
    }

    async fn delete_data_source(
        &self,
        request: api::DeleteDataSourceRequest,
    ) -> Result<api::DeleteDataSourceResponse> {
        let data_source = name_of(&request.name)?;
        let delete = DataSourceAction::Delete { data_source, etag: etag(&request.etag)? };
        self.apply(Action::DataSource(Box::new(delete)), &request.request_id).await?;
        Ok(api::DeleteDataSourceResponse {})
    }

    /// What is tested: the registered one with what is given over it, or what is given.
    async fn visited(&self, request: api::TestDataSourceRequest) -> Result<Visited> {
        let seconds = match request.timeout_seconds {
            0 => TEST_SECONDS,
            seconds @ 1..=MOST_TEST_SECONDS => seconds,
            seconds => {
                return Err(invalid(format!(
                    "timeout_seconds {seconds} is more than {MOST_TEST_SECONDS}"
                )));
            }
        };
        let given: BTreeMap<String, String> = request.parameters.into_iter().collect();
        let (kind, mut parameters) = match request.data_source.as_str() {
            "" => (request.r#type, BTreeMap::new()),
            name => {
                let name = name_of(name)?;
                if name.owner().to_string() != request.parent {
                    return Err(invalid(format!("{name} is not of {}", request.parent)));
                }
                let found = self.read(|catalog| Ok(catalog.data_source(&name).cloned())).await?;
                let found = found.ok_or_else(|| unknown(&name))?;
                let stored = self.secrets.parameters(&name, &found.connection)?;
                check_kept(&found.connection, &given)?;
                (found.kind.clone(), stored)
            }
        };
        parameters.extend(given);
        check(type_of(&kind)?, &parameters)?;
        Ok(Visited { kind, parameters, deadline: Duration::from_secs(seconds.into()) })
    }

    async fn tested(
        &self,
        request: api::TestDataSourceRequest,
    ) -> Result<api::TestDataSourceResponse> {
        let visited = self.visited(request).await?;
        let (worker, tested) = visited.test(&self.pool).await?;
        let step = |step: wire::tested::Step| api::test_data_source_response::Step {
            what: step.what,
            passed: step.passed,
            detail: step.detail,
            elapsed_ms: step.elapsed_us as f64 / 1_000.0,
        };
        let failure = tested.failure;
        let passed = failure.is_none();
        let wire::tested::Reason { reason, message, help } = failure.unwrap_or_default();
        Ok(api::TestDataSourceResponse {
            passed,
            steps: tested.steps.into_iter().map(step).collect(),
            reason,
            message,
            help,
            worker: format!("workers/{worker}"),
        })
    }

    async fn publish_data_source(
        &self,
        request: api::PublishDataSourceRequest,
    ) -> Result<api::DataSource> {
        let name = name_of(&request.name)?;
        let publish = DataSourceAction::Publish {
            data_source: name.clone(),
            requester: caller_name(),
            reason: request.reason,
        };
        self.apply(Action::DataSource(Box::new(publish)), &request.request_id).await?;
        self.data_source(&name).await
    }

    /// Whether the caller is who would approve.
    async fn approves(&self, name: &ChildName) -> Result<bool> {
        let policy = Policy::shipped()?;
        let Some(call) = CurrentCall::get() else { return Ok(false) };
        let place = self.read(|catalog| Place::of_name(catalog, &name.to_string())).await?;
        Ok(call.caller.may(policy, APPROVE, &place))
    }
}

fn name_of(text: &str) -> Result<ChildName> {
    match text.parse()? {
        ResourceName::Child(name) if name.collection() == Collection::DataSources => Ok(name),
        _ => Err(invalid(format!("'{text}' is not the name of a data source"))),
    }
}

/// Ids of projects.
fn projects(names: &[String]) -> Result<BTreeSet<String>> {
    names.iter().map(|name| project(name)).collect()
}

/// The type with a name.
pub(in crate::service::api) fn type_of(name: &str) -> Result<&'static DataSourceSpec> {
    spec::data_source(name).ok_or_else(|| {
        let names: Vec<&str> = spec::data_sources().iter().map(|spec| spec.name).collect();
        invalid(format!("'{name}' is no type of data sources"))
            .help(format!("use one of {}", names.join(", ")))
    })
}

/// Refuses parameters that have faults, with all of them.
fn check(spec: &'static DataSourceSpec, values: &BTreeMap<String, String>) -> Result<()> {
    let violations = spec::check(spec, values);
    let Some(first) = violations.first() else { return Ok(()) };
    let message = match violations.len() {
        1 => format!("parameter {}: {}", first.field, first.message),
        count => format!("{count} parameters are wrong"),
    };
    let error = violations.iter().fold(invalid(message), |error, violation| {
        let text = match violation.help.as_str() {
            "" => violation.message.clone(),
            help => format!("{}; {help}", violation.message),
        };
        error.field(format!("data_source.parameters.{}", violation.field), text)
    });
    Err(error)
}

/// Refuses to send secrets that are kept to where they were not meant to go: whoever changes another parameter gives
/// them anew.
fn check_kept(now: &Connection, given: &BTreeMap<String, String>) -> Result<()> {
    let changed = given.iter().find(|(key, value)| {
        !now.secrets.contains_key(*key) && now.parameters.get(*key) != Some(value)
    });
    let kept = now.secrets.keys().find(|key| !given.contains_key(*key));
    match (changed, kept) {
        (Some((changed, _)), Some(kept)) => {
            let message = format!("the parameter {changed} changes, and {kept} is not given");
            Err(invalid(message)
                .help("secrets go only to where they were given for: give them anew"))
        }
        _ => Ok(()),
    }
}

fn message(catalog: &Catalog, found: &DataSource) -> api::DataSource {
    use api::data_source::State;
    let state = match found.approved {
        Some(_) => State::Active,
        None => State::Draft,
    };
    let about = ResourceName::Child(found.name.clone());
    let mut approvals = catalog.approvals_about(&about);
    let pending = |approval: &&Approval| approval.state == ApprovalState::Pending;
    api::DataSource {
        name: found.name.to_string(),
        r#type: found.kind.clone(),
        description: found.description.clone(),
        parameters: found.connection.parameters.clone().into_iter().collect(),
        secret_parameters: found.connection.secrets.keys().cloned().collect(),
        state: state.into(),
        shared_with: found.shared_with.iter().map(|id| format!("projects/{id}")).collect(),
        shared_with_all: found.shared_with_all,
        owner: found.owner.clone(),
        create_time: time(found.created_ms),
        update_time: time(found.updated_ms),
        etag: found.revision.to_string(),
        pending_approval: approvals
            .find(pending)
            .map(|approval| approval.name.to_string())
            .unwrap_or_default(),
    }
}

fn type_message(spec: &DataSourceSpec) -> api::DataSourceType {
    let category = spec.category.title();
    let text = |text: Text| (text.en.to_owned(), text.zh.to_owned());
    let (title_en, title_zh) = text(spec.title);
    let (category_en, category_zh) = text(category);
    let (summary_en, summary_zh) = text(spec.summary);
    let parameters = spec.parameters.iter().map(|parameter| {
        let (kind, values): (&str, &[&str]) = match parameter.kind {
            OptionKind::Text => ("text", &[]),
            OptionKind::Integer { .. } => ("integer", &[]),
            OptionKind::Float { .. } => ("float", &[]),
            OptionKind::Boolean => ("boolean", &[]),
            OptionKind::Duration => ("duration", &[]),
            OptionKind::MemorySize => ("memory-size", &[]),
            OptionKind::Enum(words) => ("enum", words),
            OptionKind::List => ("list", &[]),
            OptionKind::Map => ("map", &[]),
            OptionKind::Character => ("character", &[]),
        };
        let (label_en, label_zh) = text(parameter.label);
        let (help_en, help_zh) = text(parameter.help);
        api::data_source_type::Parameter {
            name: parameter.name.to_owned(),
            label_en,
            label_zh,
            kind: kind.to_owned(),
            values: values.iter().map(|word| (*word).to_owned()).collect(),
            default_value: parameter.default.unwrap_or_default().to_owned(),
            required: parameter.required,
            secret: parameter.secret,
            help_en,
            help_zh,
            only_if: parameter.when.map(|when| api::data_source_type::Condition {
                parameter: when.parameter.to_owned(),
                values: when.values.iter().map(|value| (*value).to_owned()).collect(),
            }),
        }
    });
    api::DataSourceType {
        r#type: spec.name.to_owned(),
        title_en,
        title_zh,
        category_en,
        category_zh,
        summary_en,
        summary_zh,
        parameters: parameters.collect(),
        table_noun: spec.table.name().to_owned(),
        has_databases: spec.database.is_some(),
        permissions: spec.permissions.iter().map(|one| one.name().to_owned()).collect(),
        column_permissions: spec.column_grants,
        connector: spec.connectors.first().copied().unwrap_or_default().to_owned(),
    }
}

serve!(DataSourceService {
    list_data_source_types(ListDataSourceTypesRequest) -> ListDataSourceTypesResponse;
    create_data_source(CreateDataSourceRequest) -> DataSource;
    get_data_source(GetDataSourceRequest) -> DataSource;
    list_data_sources(ListDataSourcesRequest) -> ListDataSourcesResponse;
    update_data_source(UpdateDataSourceRequest) -> DataSource;
    delete_data_source(DeleteDataSourceRequest) -> DeleteDataSourceResponse;
    publish_data_source(PublishDataSourceRequest) -> DataSource;
} on the leader {
    test_data_source(TestDataSourceRequest) -> TestDataSourceResponse
        by tested, DataSourceServiceClient;
    list_physical_tables(ListPhysicalTablesRequest) -> ListPhysicalTablesResponse
        by listed, DataSourceServiceClient;
    describe_physical_table(DescribePhysicalTableRequest) -> DescribePhysicalTableResponse
        by described, DataSourceServiceClient;
});
