//! Whether a call is let in: who makes it, where it takes place, whether the caller has the permission there.

use std::sync::Arc;

use tidegate_catalog::{Catalog, ServiceKind};
use tidegate_proto::access::{Method, Scope, Subject};
use tidegate_runtime::Clock;
use tidegate_security::{KnownTokens, Policy};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::Semaphore;

use super::Asked;
use super::caller::{Caller, Shown};
use super::directory::Directory;
use super::place::Place;
use super::rate::Rates;

/// Callers with unknown tokens for whom the newest state is asked for at the same time: everybody can make some up.
const UNKNOWN: usize = 32;
/// What lets a caller read in a project that is archived.
const ARCHIVES: &str = "archives.get";
/// Permissions that one whose password must be changed has.
const OF_ACCOUNT: &str = "account.";

/// Decides over calls.
pub(super) struct Doorkeeper {
    policy: &'static Policy,
    tokens: KnownTokens,
    /// Nobody is asked who they are.
    open: bool,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    rates: Rates,
    unknown: Semaphore,
}

/// What was decided.
pub(super) struct Admission {
    /// Who calls, with what is known now.
    pub(super) caller: Caller,
    /// Whether the call is let in.
    pub(super) decision: Result<()>,
}

impl Doorkeeper {
    pub(super) fn new(
        asked: Asked,
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let Asked { tokens, nobody: open, .. } = asked;
        let (policy, rates, unknown) =
            (Policy::shipped()?, Rates::default(), Semaphore::new(UNKNOWN));
        Ok(Self { policy, tokens, open, directory, clock, rates, unknown })
    }

    /// Who shows this. Whoever shows nothing is nobody, who may do little.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for what is not known.
    pub(super) async fn caller(&self, shown: &Shown) -> Result<Caller> {
        match shown {
            Shown::Nothing | Shown::Nonsense | Shown::Token(_) if self.open => {
                return Ok(Caller::anybody());
            }
            Shown::Nothing => return Ok(Caller::nobody()),
            _ => {}
        }
        let here = self.peek(|catalog| self.who(shown, catalog));
        match here {
            // The session may have begun elsewhere a moment ago.
            Err(error) if !matches!(shown, Shown::Nonsense) => {
                let Ok(_permit) = self.unknown.acquire().await else { return Err(error) };
                match self.directory.catch_up().await {
                    Ok(()) => self.peek(|catalog| self.who(shown, catalog)),
                    Err(_) => Err(error),
                }
            }
            other => other,
        }
    }

    /// Whether a call is let in.
    pub(super) async fn admit(
        &self,
        shown: &Shown,
        caller: Caller,
        method: &Method,
        permission: &str,
        subject: &Subject,
    ) -> Admission {
        let decide = |caller: &Caller, catalog: &Catalog| {
            self.decide(caller, method, permission, subject, catalog)
        };
        let first = self.peek(|catalog| decide(&caller, catalog));
        // What is refused here may be allowed elsewhere since a moment, and the other way round: only reading may be
        // allowed by what is a moment old.
        let certain = self.open
            || caller.signed_in().is_none()
                && !matches!(first, Err(ref error) if error.code() == ErrorCode::NotFound);
        if certain || (first.is_ok() && !method.mutates()) {
            return Admission { caller, decision: first };
        }
        if let Err(error) = self.directory.catch_up().await {
            let decision = match first {
                Ok(()) => Err(error),
                refused => refused,
            };
            return Admission { caller, decision };
        }
        self.peek(|catalog| match self.who(shown, catalog) {
            Ok(now) => {
                let decision = decide(&now, catalog);
                Admission { caller: now, decision }
            }
            Err(error) => Admission { caller: caller.clone(), decision: Err(error) },
        })
    }

    fn who(&self, shown: &Shown, catalog: &Catalog) -> Result<Caller> {
        match shown {
            Shown::Nothing => Ok(Caller::nobody()),
            shown => shown.caller(&self.tokens.now(), catalog, self.clock.now_ms()),
        }
    }

    fn decide(
        &self,
        caller: &Caller,
        method: &Method,
        permission: &str,
        subject: &Subject,
        catalog: &Catalog,
    ) -> Result<()> {
        let place = match &method.scope {
            Scope::System => Place::System,
            Scope::Any => Place::Anywhere,
            // Nobody is told what is a name and what is not.
            Scope::Field(_) if caller == &Caller::nobody() => Place::System,
            Scope::Field(_) => match Place::of_name(catalog, &subject.scope) {
                Ok(place) => place,
                // With all rights there is nothing to hide, and the method knows better what is wrong.
                Err(_) if caller.signed_in().is_none() => Place::System,
                Err(error) => return Err(error),
            },
        };
        if let Place::Nowhere(name) = &place
            && caller.signed_in().is_some()
        {
            return Err(nowhere(name));
        }
        if caller == &Caller::nobody() && !caller.may(self.policy, permission, &place) {
            let message = "the call bears no token";
            return Err(Error::new(ErrorCode::Unauthenticated, message).help(
                "sign in with `tidegate login`, or give a token: --token-file FILE or TIDEGATE_TOKEN, as header `authorization: Bearer TOKEN`",
            ));
        }
        if !caller.knows(&place) {
            // As if there were nothing.
            return Err(nowhere(&hidden(&place)));
        }
        if let Some(of) = caller.signed_in()
            && of.must_change
            && !permission.starts_with(OF_ACCOUNT)
        {
            let message = format!("the password of {} is for one time", caller.name);
            return Err(Error::new(ErrorCode::PermissionDenied, message)
                .help("choose another: `tidegate password`, ChangePassword"));
        }
        if !caller.may(self.policy, permission, &place) {
            let message = format!("{} may not {}", caller.name, method.name);
            return Err(Error::new(ErrorCode::PermissionDenied, message)
                .help(format!("it takes the permission {permission}")));
        }
        let Place::Project { id, archived, .. } = &place else { return Ok(()) };
        if *archived && (method.mutates() || !caller.may(self.policy, ARCHIVES, &place)) {
            return Err(Error::new(
                ErrorCode::ProjectArchived,
                format!("projects/{id} is archived"),
            )
            .help("nothing in it can be changed or run any more; what it holds is kept"));
        }
        self.within_quota(catalog, id, method)
    }

    /// Takes one of the calls that a project may have in a second.
    fn within_quota(&self, catalog: &Catalog, project: &str, method: &Method) -> Result<()> {
        let of_jobs = ["tidegate.v1.JobService/", "tidegate.v1.SavepointService/"];
        let service = match of_jobs.iter().any(|service| method.name.starts_with(service)) {
            true => ServiceKind::StreamCompute,
            false => ServiceKind::DataManagement,
        };
        let found = catalog.project(project).and_then(|project| project.services.get(&service));
        let most = found.map_or(0, |service| service.quota.requests_per_second);
        if most == 0 {
            return Ok(());
        }
        let key = format!("{project}/{service}");
        match self.rates.take(&key, most, self.clock.elapsed()) {
            Some(_) => Ok(()),
            None => {
                let message =
                    format!("projects/{project} has used its {most} calls per second of {service}");
                Err(Error::new(ErrorCode::QuotaExceeded, message)
                    .help("call less often, or have the quota of the service raised"))
            }
        }
    }

    fn peek<T>(&self, mut read: impl FnMut(&Catalog) -> T) -> T {
        let mut found = None;
        self.directory.peek(&mut |catalog| found = Some(read(catalog)));
        found.expect("a directory calls what reads it")
    }
}

/// The answer for what is not there, and for what the caller must not know to be there.
fn nowhere(name: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("{name} does not exist"))
}

fn hidden(place: &Place) -> String {
    match place {
        Place::Tenant(id) => format!("tenants/{id}"),
        Place::Project { id, .. } => format!("projects/{id}"),
        Place::Nowhere(name) => name.clone(),
        Place::System | Place::Anywhere => "it".to_owned(),
    }
}
