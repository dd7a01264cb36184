//! What there is, as the API says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use tidegate_types::{ErrorCode, Result};

use super::calls::Caller;

/// Reads what there is, what many items need but once.
pub(super) struct World<'a> {
    pub(super) caller: Caller<'a>,
    /// Whether secrets of data sources are set again.
    pub(super) update_secrets: bool,
    /// For projects that do not say theirs.
    pub(super) tenant: String,
    projects: BTreeMap<String, Option<Json>>,
    roles: BTreeMap<String, Vec<Json>>,
    /// Tables as this run leaves them.
    tables: BTreeMap<String, Json>,
    secrets: Option<BTreeMap<String, BTreeSet<String>>>,
    approvals: BTreeMap<String, Vec<Json>>,
    /// Etags as they were read.
    pub(super) etags: BTreeMap<String, String>,
}

impl<'a> World<'a> {
    pub(super) fn new(caller: Caller<'a>, tenant: String, update_secrets: bool) -> Self {
        Self {
            caller,
            update_secrets,
            tenant,
            projects: BTreeMap::new(),
            roles: BTreeMap::new(),
            tables: BTreeMap::new(),
            secrets: None,
            approvals: BTreeMap::new(),
            etags: BTreeMap::new(),
        }
    }

    /// A project; none if it is not there.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn project(&mut self, id: &str) -> Result<Option<Json>> {
        if let Some(known) = self.projects.get(id) {
            return Ok(known.clone());
        }
        let name = format!("projects/{id}");
        let found = self.read("ProjectService.GetProject", &name).await?;
        self.projects.insert(id.to_owned(), found.clone());
        Ok(found)
    }

    /// Something with an etag that is in a project; none if it, or the project, is not there.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn get(
        &mut self,
        project: &str,
        method: &str,
        name: &str,
    ) -> Result<Option<Json>> {
        match self.project(project).await? {
            Some(_) => self.read(method, name).await,
            None => Ok(None),
        }
    }

    async fn read(&mut self, method: &str, name: &str) -> Result<Option<Json>> {
        let found = self.caller.get(method, name).await?;
        if let Some(etag) = found.as_ref().and_then(|found| found["etag"].as_str()) {
            self.etags.insert(name.to_owned(), etag.to_owned());
        }
        Ok(found)
    }

    /// Who has which role in a project.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn roles(&mut self, project: &str) -> Result<&[Json]> {
        if !self.roles.contains_key(project) {
            let found = match self.project(project).await? {
                Some(_) => {
                    let request = json!({"scope": format!("projects/{project}")});
                    self.caller
                        .list("RoleService.ListRoleAssignments", request, "assignments")
                        .await?
                }
                None => Vec::new(),
            };
            self.roles.insert(project.to_owned(), found);
        }
        Ok(self.roles.get(project).map(Vec::as_slice).unwrap_or_default())
    }

    /// Says how this run leaves a table.
    pub(super) fn leave_table(&mut self, name: &str, table: Json) {
        self.tables.insert(name.to_owned(), table);
    }

    /// A table or database as this run leaves it.
    pub(super) fn left(&self, name: &str) -> Option<&Json> {
        self.tables.get(name)
    }

    /// Names of the secret parameters of a type of data sources.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn secrets(&mut self, kind: &str) -> Result<BTreeSet<String>> {
        if self.secrets.is_none() {
            let method = "DataSourceService.ListDataSourceTypes";
            let types = self.caller.call(method, json!({})).await?;
            let of = |one: &Json| {
                let parameters = one["parameters"].as_array().cloned().unwrap_or_default();
                let secret = parameters.iter().filter(|parameter| parameter["secret"] == true);
                (text(one, "type"), secret.map(|parameter| text(parameter, "name")).collect())
            };
            self.secrets = Some(types["types"].as_array().into_iter().flatten().map(of).collect());
        }
        Ok(self.secrets.as_ref().and_then(|all| all.get(kind)).cloned().unwrap_or_default())
    }

    /// The approval that somebody has asked for and nobody has decided, of those that the caller may see.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn pending(
        &mut self,
        project: &str,
        subject: &str,
        environment: &str,
    ) -> Result<Option<String>> {
        let Some(found) = self.project(project).await? else { return Ok(None) };
        let tenant = text(&found, "tenant");
        if !self.approvals.contains_key(&tenant) {
            let mut all = Vec::new();
            for view in ["SUBMITTED_BY_ME", "PENDING_FOR_ME"] {
                let request = json!({"parent": tenant, "view": view, "state": "PENDING"});
                match self.caller.list("ApprovalService.ListApprovals", request, "approvals").await
                {
                    Ok(found) => all.extend(found),
                    // Without accounts nobody has asked for anything.
                    Err(error) if error.code() == ErrorCode::Unauthenticated => {}
                    Err(error) => return Err(error),
                }
            }
            self.approvals.insert(tenant.clone(), all);
        }
        let mut all = self.approvals.get(&tenant).into_iter().flatten();
        let found = all
            .find(|one| text(one, "subject") == subject && text(one, "environment") == environment);
        Ok(found.map(|approval| text(approval, "name")))
    }
}

/// A field that is a text; empty if it is not there.
pub(super) fn text(json: &Json, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
