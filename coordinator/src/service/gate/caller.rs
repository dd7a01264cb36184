//! Who calls: from a token, or from the coordinator that passes a call on.

use std::collections::HashMap;

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Request};
use tidegate_proto::status::to_status_about;
use tidegate_security::{Grants, KnownTokens, NodeRoles, Principal};
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

/// For whom a coordinator passes a call on, and what that one may do.
const PRINCIPAL: &str = "tidegate-principal";
const GRANTS: &str = "tidegate-grants";
/// What a call that is passed on keeps: a deadline, and the token for clusters without certificates.
const KEPT: [&str; 2] = ["authorization", "grpc-timeout"];

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

/// Who calls.
///
/// # Errors
/// `UNAUTHENTICATED` without a token that is known.
pub(super) fn who(request: &Request<Body>, tokens: Option<&KnownTokens>) -> Result<Principal> {
    if is_handed_on(request) {
        return asserted(request.headers());
    }
    let Some(tokens) = tokens else { return Ok(Principal::anybody()) };
    let refused = |message: &str, help: &str| {
        Err(Error::new(ErrorCode::Unauthenticated, message).help(help.to_owned()))
    };
    let Some(header) = request.headers().get(AUTHORIZATION) else {
        return refused(
            "the call bears no token",
            "give one: --token-file FILE or TIDEGATE_TOKEN, as header `authorization: Bearer TOKEN`",
        );
    };
    let bearer = header.to_str().ok().and_then(|text| text.split_once(' '));
    let token = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let tokens = tokens.now();
    match token.and_then(|(_, token)| tokens.find(token.trim())) {
        Some(principal) => Ok(principal.clone()),
        None => refused(
            "the token is not known",
            "`tidegate token create` makes one and prints what the coordinators must know of it",
        ),
    }
}

fn asserted(headers: &HeaderMap) -> Result<Principal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let grants = text(GRANTS).split(',').filter(|grant| !grant.is_empty());
    Principal::new(text(PRINCIPAL).to_owned(), Grants::new(grants.map(str::to_owned))?)
}

/// Who calls without saying who that is.
pub(super) fn nobody() -> Principal {
    Principal { name: "unauthenticated".to_owned(), grants: Grants::default() }
}

/// Adds to a call that is passed on for whom it is, as the gate has found out when it came in.
pub(in crate::service) fn hand_on(from: &MetadataMap, who: &Extensions, to: &mut MetadataMap) {
    for name in KEPT {
        if let Some(value) = from.get(name) {
            to.insert(name, value.clone());
        }
    }
    let Some(principal) = who.get::<Principal>() else { return };
    let ascii = |text: &str| MetadataValue::<Ascii>::try_from(text).ok();
    // Names and permissions have characters of headers only.
    if let (Some(name), Some(grants)) =
        (ascii(&principal.name), ascii(&principal.grants.texts().join(",")))
    {
        to.insert(PRINCIPAL, name);
        to.insert(GRANTS, grants);
    }
}

/// The answer to a call that is refused: which permission is missing, on what.
pub(super) fn refusal(error: &Error, permission: &str, resource: &str) -> Status {
    let about = [("permission", permission), ("resource", resource)];
    let metadata: HashMap<String, String> =
        about.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    to_status_about(error, metadata)
}
