//! Who calls: from a token, or from the coordinator that passes a call on.

use std::collections::HashMap;

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Request};
use tidegate_catalog::{AccountName, Catalog, Scope};
use tidegate_proto::status::to_status_about;
use tidegate_security::policy::{ANONYMOUS, AUTHENTICATED, TENANT_MEMBER};
use tidegate_security::token::TokenHash;
use tidegate_security::{Grants, NodeRoles, Policy, Principal, Tokens};
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::place::Place;

/// For whom a coordinator passes a call on, what that one may do, the session that it came with, and the call's id and
/// address.
const PRINCIPAL: &str = "tidegate-principal";
const GRANTS: &str = "tidegate-grants";
const SESSION: &str = "tidegate-session";
/// What a call that is passed on keeps: a deadline, and the token for clusters without certificates.
const KEPT: [&str; 2] = ["authorization", "grpc-timeout"];

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct Caller {
    /// Name of the account, or of the principal of a token.
    pub(in crate::service) name: String,
    /// What it may do.
    pub(in crate::service) rights: Rights,
}

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) enum Rights {
    /// These, everywhere.
    Everywhere(Grants),
    /// What its roles say, where it has them.
    OfAccount(Box<SignedIn>),
    /// What anybody may.
    OfNobody,
}

/// An account with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct SignedIn {
    /// The account.
    pub(in crate::service) account: AccountName,
    /// Id of the session.
    pub(in crate::service) session: String,
    /// Whether its password must be changed first.
    pub(in crate::service) must_change: bool,
    roles: Vec<(Scope, String)>,
}

impl SignedIn {
    /// Whether its roles give it a permission in a place.
    pub(in crate::service) fn may(&self, permission: &str, place: &Place) -> bool {
        Policy::shipped().is_ok_and(|policy| {
            let given = |(scope, role): &(Scope, String)| {
                place.is_within(scope) && policy.allows(role, permission)
            };
            self.roles.iter().any(given)
        })
    }
}

impl Caller {
    /// Everybody, where nobody is asked who they are.
    pub(super) fn anybody() -> Self {
        let Principal { name, grants } = Principal::anybody();
        Self { name, rights: Rights::Everywhere(grants) }
    }

    /// Who calls without saying who that is.
    pub(super) fn nobody() -> Self {
        Self { name: "unauthenticated".to_owned(), rights: Rights::OfNobody }
    }

    /// An account with its roles as they are now; none if it may do nothing any more.
    fn of_account(catalog: &Catalog, account: AccountName, session: String) -> Option<Self> {
        let found = catalog.account(&account).filter(|account| account.is_active())?;
        let must_change = found.password.as_ref().is_some_and(|password| password.one_time);
        let roles = catalog.roles_of(&account);
        let roles = roles.map(|given| (given.scope.clone(), given.role.clone())).collect();
        let signed_in = SignedIn { account, session, must_change, roles };
        let name = signed_in.account.to_string();
        Some(Self { name, rights: Rights::OfAccount(Box::new(signed_in)) })
    }

    /// The account, if it is one.
    pub(in crate::service) fn signed_in(&self) -> Option<&SignedIn> {
        match &self.rights {
            Rights::OfAccount(signed_in) => Some(signed_in),
            Rights::Everywhere(_) | Rights::OfNobody => None,
        }
    }

    /// Whether it has a permission in a place.
    pub(in crate::service) fn may(&self, policy: &Policy, permission: &str, place: &Place) -> bool {
        match &self.rights {
            Rights::Everywhere(grants) => grants.allow(permission),
            Rights::OfNobody => *place == Place::Anywhere && policy.allows(ANONYMOUS, permission),
            Rights::OfAccount(of) => {
                let own_tenant =
                    *place == Place::Anywhere || place.tenant() == Some(of.account.tenant());
                let by_circumstance = (*place == Place::Anywhere
                    && (policy.allows(AUTHENTICATED, permission)
                        || policy.allows(ANONYMOUS, permission)))
                    || (own_tenant && policy.allows(TENANT_MEMBER, permission));
                let given = |(scope, role): &(Scope, String)| {
                    place.is_within(scope) && policy.allows(role, permission)
                };
                by_circumstance || of.roles.iter().any(given)
            }
        }
    }

    /// Whether it may know what there is in a place.
    pub(super) fn knows(&self, place: &Place) -> bool {
        match (&self.rights, place) {
            (_, Place::System | Place::Anywhere) | (Rights::Everywhere(_), _) => true,
            (Rights::OfNobody, _) | (_, Place::Nowhere(_)) => false,
            (Rights::OfAccount(of), _) => {
                place.tenant() == Some(of.account.tenant())
                    || of.roles.iter().any(|(scope, _)| place.is_within(scope))
            }
        }
    }
}

/// Whether the other end has shown a certificate with a role. Whoever signed it was checked by TLS.
pub(in crate::service) fn peer_has(extensions: &Extensions, role: &str) -> bool {
    let certificates =
        extensions.get::<TlsConnectInfo<TcpConnectInfo>>().and_then(TlsConnectInfo::peer_certs);
    let roles = certificates
        .and_then(|chain| chain.first().map(NodeRoles::of_certificate))
        .unwrap_or_default();
    roles.iter().any(|has| has.as_str() == role)
}

/// Whether a coordinator says for whom the call is. From anybody else the header counts for nothing.
pub(super) fn is_handed_on(request: &Request<Body>) -> bool {
    request.headers().contains_key(PRINCIPAL) && peer_has(request.extensions(), "coordinator")
}

/// What a call shows of who makes it.
pub(super) enum Shown {
    /// Nothing.
    Nothing,
    /// Something that is no bearer token.
    Nonsense,
    /// A token.
    Token(String),
    /// What another coordinator has found out.
    HandedOn(HeaderMap),
}

/// What a call shows.
pub(super) fn shown(request: &Request<Body>) -> Shown {
    if is_handed_on(request) {
        return Shown::HandedOn(request.headers().clone());
    }
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Shown::Nothing };
    let bearer = header.to_str().ok().and_then(|text| text.split_once(' '));
    match bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, token)) => Shown::Token(token.trim().to_owned()),
        None => Shown::Nonsense,
    }
}

impl Shown {
    /// Who that is: a principal of the configuration's tokens, or an account with a session.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is not known.
    pub(super) fn caller(&self, tokens: &Tokens, catalog: &Catalog, now_ms: i64) -> Result<Caller> {
        let refused = |message: &str, help: &str| {
            Err(Error::new(ErrorCode::Unauthenticated, message).help(help.to_owned()))
        };
        let token = match self {
            Self::HandedOn(headers) => return asserted(headers, catalog),
            Self::Nothing => {
                return refused(
                    "the call bears no token",
                    "sign in with `tidegate login`, or give a token: --token-file FILE or TIDEGATE_TOKEN, as header `authorization: Bearer TOKEN`",
                );
            }
            Self::Nonsense => {
                return refused(
                    "the header `authorization` has no bearer token",
                    "write it as `authorization: Bearer TOKEN`",
                );
            }
            Self::Token(token) => token,
        };
        if let Some(Principal { name, grants }) = tokens.find(token).cloned() {
            return Ok(Caller { name, rights: Rights::Everywhere(grants) });
        }
        let hash = TokenHash::of(token).to_string();
        let session =
            catalog.session_of_hash(&hash).filter(|session| session.tokens.access == hash);
        let Some(session) = session else {
            return refused(
                "the token is not known",
                "its session may be over: sign in again with `tidegate login`",
            );
        };
        if session.tokens.access_expires_ms <= now_ms || session.expires_ms <= now_ms {
            return refused(
                "the access token has expired",
                "refresh the session with its refresh token, or sign in again with `tidegate login`",
            );
        }
        let (account, id) = (session.account.clone(), session.id.clone());
        match Caller::of_account(catalog, account, id) {
            Some(caller) => Ok(caller),
            None => refused("the account may not sign in", "ask its tenant's administrator"),
        }
    }
}

fn asserted(headers: &HeaderMap, catalog: &Catalog) -> Result<Caller> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let name = text(PRINCIPAL);
    if text(SESSION).is_empty() {
        let grants = text(GRANTS).split(',').filter(|grant| !grant.is_empty());
        let grants = Grants::new(grants.map(str::to_owned))?;
        let Principal { name, grants } = Principal::new(name.to_owned(), grants)?;
        return Ok(Caller { name, rights: Rights::Everywhere(grants) });
    }
    let account = name.parse()?;
    Caller::of_account(catalog, account, text(SESSION).to_owned())
        .ok_or_else(|| Error::new(ErrorCode::Unauthenticated, format!("{name} may not sign in")))
}

/// Adds to a call that is passed on for whom it is, as the gate has found out when it came in.
pub(in crate::service) fn hand_on(from: &MetadataMap, who: &Extensions, to: &mut MetadataMap) {
    for name in KEPT {
        if let Some(value) = from.get(name) {
            to.insert(name, value.clone());
        }
    }
    let Some(caller) = who.get::<Caller>() else { return };
    let mut add = |header: &'static str, text: &str| {
        // Names and permissions have characters of headers only.
        if let Ok(value) = MetadataValue::<Ascii>::try_from(text) {
            to.insert(header, value);
        }
    };
    match &caller.rights {
        Rights::Everywhere(grants) => {
            add(PRINCIPAL, &caller.name);
            add(GRANTS, &grants.texts().join(","));
        }
        Rights::OfAccount(of) => {
            add(PRINCIPAL, &caller.name);
            add(SESSION, &of.session);
        }
        Rights::OfNobody => {}
    }
}

/// The answer to a call that is refused: which permission is missing, on what.
pub(super) fn refusal(error: &Error, permission: &str, resource: &str) -> Status {
    let about = [("permission", permission), ("resource", resource)];
    let metadata: HashMap<String, String> =
        about.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    to_status_about(error, metadata)
}
