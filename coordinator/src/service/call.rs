//! The call that is being served: who makes it, and what its audit record says. Known to everything that works on it,
//! without being handed through.

use tidegate_catalog::Origin;
use tidegate_types::{Error, ErrorCode, Result};

use super::gate::{Caller, SignedIn};

tokio::task_local! {
    static CALL: CurrentCall;
}

/// A call that was let in.
#[derive(Debug, Clone)]
pub(super) struct CurrentCall {
    /// Who makes it.
    pub(super) caller: Caller,
    /// What its commands carry; none for calls that change nothing.
    pub(super) origin: Option<Origin>,
    /// Address that it comes from; empty if that is not known.
    pub(super) address: String,
}

impl CurrentCall {
    /// Works on a call.
    pub(super) async fn serve<T>(self, work: impl Future<Output = T>) -> T {
        CALL.scope(self, work).await
    }

    /// The call that is being served; none outside of calls.
    pub(super) fn get() -> Option<Self> {
        CALL.try_with(Clone::clone).ok()
    }
}

/// Who makes the call that is being served, by name.
pub(super) fn caller_name() -> String {
    CurrentCall::get().map_or_else(|| "tidegate".to_owned(), |call| call.caller.name)
}

/// The account that makes the call that is being served.
///
/// # Errors
/// `FAILED_PRECONDITION` for callers that are no accounts.
pub(super) fn signed_in() -> Result<SignedIn> {
    let caller = CurrentCall::get().map(|call| call.caller);
    caller.as_ref().and_then(Caller::signed_in).cloned().ok_or_else(|| {
        let message = "the caller is no account: tokens of the configuration have no sessions";
        Error::new(ErrorCode::FailedPrecondition, message).help("sign in with `tidegate login`")
    })
}
