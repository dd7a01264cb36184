//! Accounts at the gate: sessions that count and that do not, tenants that hide, quotas, records.

use tidegate_catalog::{
    AccountAction, AccountName, Action, AuditFilter, Catalog, Command, Outcome, PageRequest, Quota,
    RoleAction, Scope, ServiceKind, TenancyAction, Tokens as SessionTokens,
};
use tidegate_security::token::TokenHash;

use super::*;

/// A world of two tenants: `acme` with the projects `own` and `other`, and `rival` with the project `theirs`.
pub(super) fn world() -> Arc<Alone> {
    let alone = Arc::<Alone>::default();
    for tenant in ["acme", "rival"] {
        let create = Action::CreateTenant { tenant: tenant.to_owned(), description: String::new() };
        alone.apply(create);
    }
    for (project, tenant) in [("own", "acme"), ("other", "acme"), ("theirs", "rival")] {
        alone.apply(Action::CreateProject {
            project: project.to_owned(),
            tenant: tenant.to_owned(),
            description: String::new(),
            services: None,
        });
    }
    alone
}

impl Alone {
    pub(super) fn apply(&self, action: Action) {
        let now_ms = SystemClock::shared().now_ms();
        self.0.lock().unwrap().apply(Command::new(now_ms, action)).unwrap();
    }

    /// An account with a role, signed in; its access token is its name.
    pub(super) fn account(&self, account: &AccountName, role: Option<(Scope, &str)>) {
        self.apply(Action::Account(AccountAction::Create {
            account: account.clone(),
            display_name: String::new(),
            email: String::new(),
            password: account.is_user().then(|| "x".to_owned()),
        }));
        self.apply(Action::Account(AccountAction::SetPassword {
            account: account.clone(),
            hash: "y".to_owned(),
            one_time: false,
            instead_of: None,
            keep_session: None,
        }));
        if let Some((scope, role)) = role {
            let (account, role) = (account.clone(), role.to_owned());
            self.apply(Action::Role(RoleAction::Assign {
                account,
                scope,
                role,
                creator: "test".to_owned(),
            }));
        }
        self.begin(account, &account.to_string(), 60_000);
    }

    /// A session whose access token expires.
    pub(super) fn begin(&self, account: &AccountName, token: &str, lives_ms: i64) {
        let now_ms = SystemClock::shared().now_ms();
        let checked = self.read(|catalog| catalog.account(account).unwrap().revision);
        let id = format!("{:x}", random());
        self.apply(Action::Account(AccountAction::BeginSession {
            session: id.clone(),
            account: account.clone(),
            checked,
            key: None,
            tokens: SessionTokens {
                access: TokenHash::of(token).to_string(),
                access_expires_ms: now_ms + lives_ms,
                refresh: id,
            },
            expires_ms: now_ms + 600_000,
            client: String::new(),
            address: String::new(),
        }));
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Catalog) -> T) -> T {
        read(&self.0.lock().unwrap())
    }
}

pub(super) fn user(tenant: &str, id: &str) -> AccountName {
    AccountName::user(tenant, id).unwrap()
}

fn framed(message: &impl Message) -> Body {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    Body::new(http_body_util::Full::new([&[0], length.as_slice(), &message].concat().into()))
}

async fn asks(gate: &Gate, path: &str, message: &impl Message, token: &str) -> Status {
    let request = call(&format!("/tidegate.v1.{path}"), Some(token)).body(framed(message)).unwrap();
    pass(gate, &Behind::default(), request).await
}

fn job(project: &str) -> api::GetJobRequest {
    api::GetJobRequest { name: format!("projects/{project}/jobs/j") }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test]
async fn what_is_another_tenants_answers_as_what_is_not_there() {
    let world = world();
    let ann = user("acme", "ann");
    world.account(&ann, Some((Scope::Project("own".to_owned()), "developer")));
    let gate = gate(Asked::default(), &world);
    let token = ann.to_string();
    assert_eq!(asks(&gate, "JobService/GetJob", &job("own"), &token).await.code(), Code::Ok);
    let other = asks(&gate, "JobService/GetJob", &job("other"), &token).await;
    assert_eq!(other.code(), Code::PermissionDenied);
    let theirs = asks(&gate, "JobService/GetJob", &job("theirs"), &token).await;
    let none = asks(&gate, "JobService/GetJob", &job("absent"), &token).await;
    assert_eq!((theirs.code(), none.code()), (Code::NotFound, Code::NotFound));
    let plain = |status: &Status| status.message().replace("theirs", "_").replace("absent", "_");
    assert_eq!(plain(&theirs), plain(&none));
    assert_eq!(theirs.details().len(), none.details().len());
    let odd = api::GetJobRequest { name: "nonsense".to_owned() };
    assert_eq!(asks(&gate, "JobService/GetJob", &odd, &token).await.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_session_that_is_over_counts_for_absent() {
    let world = world();
    let ann = user("acme", "ann");
    world.account(&ann, Some((Scope::Tenant("acme".to_owned()), "operations")));
    world.begin(&ann, "soon", 0);
    let gate = gate(Asked::default(), &world);
    let get = async |token: &str| asks(&gate, "JobService/GetJob", &job("own"), token).await;
    let expired = get("soon").await;
    assert!(expired.message().contains("has expired"), "{expired}");
    world.begin(&ann, "fine", 60_000);
    assert_eq!(get("fine").await.code(), Code::Ok);
    let id = world.read(|catalog| {
        let hash = TokenHash::of("fine").to_string();
        catalog.session_of_hash(&hash).unwrap().id.clone()
    });
    world.apply(Action::Account(AccountAction::EndSession { session: id }));
    assert_eq!(get("fine").await.code(), Code::Unauthenticated);
    // A role that is taken back counts at once, too.
    world.begin(&ann, "third", 60_000);
    let (account, scope) = (ann, Scope::Tenant("acme".to_owned()));
    world.apply(Action::Role(RoleAction::Revoke { account, scope, role: "operations".into() }));
    assert_eq!(get("third").await.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_password_for_one_time_allows_to_choose_another_only() {
    let world = world();
    let ann = user("acme", "ann");
    world.account(&ann, Some((Scope::Tenant("acme".to_owned()), "operations")));
    world.apply(Action::Account(AccountAction::SetPassword {
        account: ann.clone(),
        hash: "z".to_owned(),
        one_time: true,
        instead_of: None,
        keep_session: None,
    }));
    world.begin(&ann, "t", 60_000);
    let gate = gate(Asked::default(), &world);
    let refused = asks(&gate, "JobService/GetJob", &job("own"), "t").await;
    assert!(refused.message().contains("for one time"), "{refused}");
    let change = api::ChangePasswordRequest::default();
    assert_eq!(asks(&gate, "SessionService/ChangePassword", &change, "t").await.code(), Code::Ok);
}

#[tokio::test]
async fn b3_an_archived_project_is_read_for_audit_only() {
    let world = world();
    let (ann, owner) = (user("acme", "ann"), user("acme", "owner"));
    world.account(&ann, Some((Scope::Project("own".to_owned()), "project-administrator")));
    world.account(&owner, Some((Scope::Tenant("acme".to_owned()), "tenant-account")));
    let etag = world.read(|catalog| catalog.project("own").unwrap().revision);
    let archive = TenancyAction::ArchiveProject { project: "own".to_owned(), etag };
    world.apply(Action::Tenancy(archive));
    let gate = gate(Asked::default(), &world);
    let start = api::StartJobRequest { name: job("own").name, ..Default::default() };
    for (token, get) in [(&ann, Code::FailedPrecondition), (&owner, Code::Ok)] {
        let token = token.to_string();
        assert_eq!(asks(&gate, "JobService/GetJob", &job("own"), &token).await.code(), get);
    }
    let refused = asks(&gate, "JobService/StartJob", &start, &ann.to_string()).await;
    assert_eq!(reason(&refused), "PROJECT_ARCHIVED");
}

#[tokio::test]
async fn b2_calls_beyond_the_quota_of_a_service_are_refused() {
    let world = world();
    let ann = user("acme", "ann");
    world.account(&ann, Some((Scope::Project("own".to_owned()), "developer")));
    world.apply(Action::Tenancy(TenancyAction::UpdateService {
        project: "own".to_owned(),
        service: ServiceKind::StreamCompute,
        etag: None,
        quota: Quota { requests_per_second: 3, ..Quota::default() },
    }));
    let gate = gate(Asked::default(), &world);
    let mut refused = 0;
    for _ in 0..10 {
        let status = asks(&gate, "JobService/GetJob", &job("own"), &ann.to_string()).await;
        refused += u32::from(reason(&status) == "QUOTA_EXCEEDED");
    }
    assert!((6..=7).contains(&refused), "{refused}");
}

#[tokio::test]
async fn refused_calls_are_recorded_with_a_bound_and_their_number() {
    let world = world();
    let ann = user("acme", "ann");
    world.account(&ann, None);
    let gate = gate(Asked::default(), &world);
    let start = api::StartJobRequest { name: job("own").name, ..Default::default() };
    for _ in 0..60 {
        let status = asks(&gate, "JobService/StartJob", &start, &ann.to_string()).await;
        assert_eq!(reason(&status), "PERMISSION_DENIED");
    }
    let records = world.read(|catalog| {
        let filter = AuditFilter { principal: ann.to_string(), ..AuditFilter::default() };
        let scope = Scope::Project("own".to_owned());
        catalog.list_audit(&scope, &filter, &PageRequest::first(100)).unwrap().items
    });
    assert!((20..60).contains(&records.len()), "{}", records.len());
    let first = records.last().unwrap();
    assert_eq!((first.outcome, first.reason.as_str()), (Outcome::Denied, "PERMISSION_DENIED"));
    assert_eq!(first.origin.method, "tidegate.v1.JobService/StartJob");
    assert_eq!(first.origin.resource, "projects/own/jobs/j");
}
