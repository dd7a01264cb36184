//! Calls to etcd. Each has a limit of time: a client of etcd that cannot connect waits for ever, and one that is made
//! for a closed port is made all the same.

use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use tidegate_types::{Error, ErrorCode, Result};

use crate::options::EtcdOptions;

/// How long a call may take.
pub(crate) const CALL: Duration = Duration::from_secs(3);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How often a connection is asked whether it lives, and how long it may take to say so.
const ALIVE: Duration = Duration::from_secs(3);
/// Before it is tried again.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// A client, which may not have reached anybody yet.
pub(crate) async fn connect(options: &EtcdOptions) -> Result<Client> {
    let mut how = ConnectOptions::new().with_connect_timeout(CONNECT).with_keep_alive(ALIVE, ALIVE);
    if let Some((name, password)) = options.user() {
        how = how.with_user(name.clone(), password.clone());
    }
    if let Some(tls) = options.tls() {
        let mut secured = TlsOptions::new().ca_certificate(Certificate::from_pem(&tls.authority));
        if let Some((certificate, key)) = &tls.identity {
            secured = secured.identity(Identity::from_pem(certificate, key));
        }
        how = how.with_tls(secured);
    }
    within(options, "connect", Client::connect(options.urls(), Some(how))).await
}

/// The answer to a call, or why there is none.
pub(crate) async fn within<T>(
    options: &EtcdOptions,
    what: &str,
    call: impl Future<Output = std::result::Result<T, etcd_client::Error>>,
) -> Result<T> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => answer.map_err(|error| failed(options, what, &error)),
        Err(_) => {
            let message = format!("{what}: etcd does not answer at {options}");
            Err(Error::new(ErrorCode::Unavailable, message))
        }
    }
}

/// What etcd, or the connection to it, says.
pub(crate) fn failed(options: &EtcdOptions, what: &str, error: &etcd_client::Error) -> Error {
    let (code, said) = match error {
        etcd_client::Error::GRpcStatus(status) => {
            let denied = ["permission denied", "authentication failed", "invalid auth token"];
            let is_denied = denied.iter().any(|text| status.message().contains(text));
            let code = if is_denied { ErrorCode::PermissionDenied } else { ErrorCode::Unavailable };
            (code, status.message().to_owned())
        }
        other => (ErrorCode::Unavailable, other.to_string()),
    };
    Error::new(code, format!("{what} at {options}: {said}"))
}
