//! The domain of the platform as a deterministic state machine: what there is, the commands that change it, and what
//! applying them answers. No clock, no randomness, no I/O, no unordered iteration: time and ids arrive inside commands.
//!
//! [`Catalog::apply`] is the only way to change anything. Two catalogs that applied the same commands in the same order
//! are equal to the byte ([`Catalog::encode`]), which is what lets every coordinator keep one.

mod account;
mod apply;
mod approval;
mod audit;
mod bounds;
mod child_name;
mod command;
mod data_source;
mod entry;
mod grant;
mod hook;
mod job;
mod lineage;
mod metadata;
mod name;
mod operation;
mod page;
mod persistent;
mod quality;
mod read;
mod requests;
mod resource;
mod response;
mod role;
mod run;
mod savepoint;
mod scope;
mod search;
mod shared;
mod snapshot;
mod state;
mod table;
mod tenancy;
mod worker;

pub use account::{Account, AccountAction, AccountName, Key, Password, Session, Tokens};
pub use approval::{
    Approval, ApprovalAction, ApprovalFilter, ApprovalState, ApprovalView, Deciders, Opinion,
    Publish, Subject,
};
pub use audit::{AuditAction, AuditFilter, AuditRecord, Call, Origin, Outcome, Segment};
pub use bounds::Bounds;
pub use child_name::{ChildName, Collection};
pub use command::{Action, COMMAND_VERSION, Command};
pub use data_source::{
    Connection, ConnectionChange, DataSource, DataSourceAction, DataSourceFilter, Sealed,
};
pub use entry::{Content, Entry, EntryFilter, Published};
pub use grant::{
    Access, Asker, BoundTable, ColumnAccess, ColumnMask, DataPermission, Grant, GrantAction,
    GrantFilter, Grantee, Rights, RunTables, TableUse,
};
pub use hook::{Delivery, DeliveryState, Hook, HookAction, HookEvent, Reported, Setting};
pub use job::{Job, JobVersion, Priority, VersionSpec};
pub use lineage::{ColumnFlow, Lineage, LineageEdge, TableFlow, TableUser};
pub use metadata::{
    Attribute, AttributeType, BusinessData, BusinessDataAction, BusinessDataContent,
    BusinessDataFilter, Category, CategoryAction, MetaModel, MetaModelAction, MetaModelContent,
    MetaModelFilter, MetadataAction, Relation, RelationAction, RelationContent, RelationEnd,
    RelationFilter, RelationKind, Tag, TagAction, Tagging,
};
pub use name::{
    JobName, MAX_ID_LENGTH, ResourceName, RunName, SavepointName, VersionName, check_id,
};
pub use operation::{Operation, OperationKind, OperationState};
pub use page::{MAX_PAGE_SIZE, Page, PageRequest};
pub use quality::{
    QualityAction, QualityRule, QualityRuleContent, QualityRuleFilter, RuleCheck, Severity,
};
pub use requests::RequestMemory;
pub use resource::{
    Resource, ResourceAction, ResourceContent, ResourceFilter, ResourceKind, ResourceVersion,
    Upload, UploadSpec,
};
pub use response::{Refusal, Response};
pub use role::{RoleAction, RoleAssignment, SYSTEM_ADMINISTRATOR};
pub use run::{DesiredState, Failure, RestoreOrigin, Run, RunState};
pub use savepoint::{Savepoint, SavepointState};
pub use scope::Scope;
pub use search::{
    CatalogSearch, Document, DocumentKind, Field, Found, Hit, MAX_LOOKS, Refreshed, SearchFilter,
    SearchIndex,
};
pub use snapshot::SNAPSHOT_VERSION;
pub use state::Catalog;
pub use table::{
    Column, DEFAULT_DATABASE, Database, Design, Environment, Publication, PublicationState, Ready,
    Table, TableAction, TableDefinition, TableFilter, TableName, TenantTableFilter, Topic,
    WatermarkSpec,
};
pub use tenancy::{
    DEFAULT_PROJECT, DEFAULT_TENANT, GrantLoss, Project, ProjectSettings, Quota, Service,
    ServiceKind, TenancyAction, Tenant,
};
pub use worker::{Worker, WorkerSpec, WorkerState};
