//! Signing in, refreshing, and what an account does with itself.

use tidegate_catalog::{
    Account, AccountAction, AccountName, Action, DEFAULT_TENANT, ResourceName, Session, Tokens,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::session_service_server::SessionService;
use tidegate_security::password;
use tidegate_types::{Error, ErrorCode, Result};

use super::attempts::After;
use super::{roles, secrets};
use crate::service::api::convert::time;
use crate::service::api::fields::{invalid, missing, serve};
use crate::service::api::{Api, unknown};
use crate::service::call::{CurrentCall, signed_in};

/// How long an access token counts.
const ACCESS_MS: i64 = 15 * 60_000;
/// How long a session lasts at most.
const SESSION_MS: i64 = 7 * 24 * 3_600_000;
/// How long an account is locked after too many wrong passwords.
const LOCK_MS: i64 = 5 * 60_000;
/// Bytes of a password that are looked at.
const SECRET_BYTES: usize = 1_024;
/// A hash that no password has: an account that does not exist takes as long as one that does.
const NO_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What an account has shown and was found right.
struct Proven {
    account: Account,
    /// Id of the key, for programs.
    key: Option<String>,
}

impl Api {
    async fn sign_in(&self, request: api::SignInRequest) -> Result<api::SessionTokens> {
        let account = account_name(&request.account)?;
        let secret = request.secret.ok_or_else(|| missing("password or key"))?;
        let address = CurrentCall::get().map(|call| call.address).unwrap_or_default();
        let from = address.rsplit_once(':').map_or(address.as_str(), |(ip, _)| ip).to_owned();
        let name = account.to_string();
        if let Some(wait) = self.attempts.wait(&name, &from, self.clock.elapsed()) {
            let seconds = wait.as_secs() + 1;
            let message = format!("too many wrong passwords: try again in {seconds} s");
            return Err(Error::new(ErrorCode::ResourceExhausted, message));
        }
        let Some(proven) = self.prove(&account, secret).await? else {
            if self.attempts.failed(&name, &from, self.clock.elapsed()) == After::Lock {
                let until_ms = self.clock.now_ms() + LOCK_MS;
                let lock = AccountAction::Lock { account: account.clone(), until_ms };
                match self.apply(Action::Account(lock), "").await {
                    Err(error) if error.code() == ErrorCode::NotFound => {}
                    locked => drop(locked?),
                }
            }
            let message = "the account or its password is wrong, or it may not sign in";
            return Err(Error::new(ErrorCode::Unauthenticated, message));
        };
        self.attempts.succeeded(&name, &from);
        let must_change =
            proven.account.password.as_ref().is_some_and(|password| password.one_time);
        let (shown, tokens) = self.new_tokens()?;
        let session = secrets::id()?;
        let begin = AccountAction::BeginSession {
            session: session.clone(),
            account,
            checked: proven.account.revision,
            key: proven.key,
            tokens,
            expires_ms: self.clock.now_ms() + SESSION_MS,
            client: request.client,
            address,
        };
        self.apply(Action::Account(begin), "").await?;
        self.tokens_of(&session, shown, must_change).await
    }

    /// The account, if the secret is its own.
    async fn prove(
        &self,
        name: &AccountName,
        secret: api::sign_in_request::Secret,
    ) -> Result<Option<Proven>> {
        use api::sign_in_request::Secret;
        let now_ms = self.clock.now_ms();
        let account = self.read(|catalog| Ok(catalog.account(name).cloned())).await?;
        let usable = |account: &Account| {
            account.is_active() && account.locked_until_ms.is_none_or(|until| until <= now_ms)
        };
        match secret {
            Secret::Password(password) => {
                if password.len() > SECRET_BYTES {
                    return Ok(None);
                }
                let hash = account.as_ref().and_then(|account| account.password.as_ref());
                let hash =
                    hash.map_or_else(|| NO_HASH.to_owned(), |password| password.hash.clone());
                let right = self.hasher.verify(password, hash).await?;
                let account = account.filter(|account| right && usable(account));
                Ok(account.map(|account| Proven { account, key: None }))
            }
            Secret::Key(key) => {
                let hash = secrets::hash_of(&key);
                let Some(account) = account.filter(usable) else { return Ok(None) };
                let keys = account.keys.iter();
                let mut counts =
                    keys.filter(|(_, key)| key.hash == hash && key.expires_ms > now_ms);
                let id = counts.next().map(|(id, _)| id.clone());
                Ok(id.map(|id| Proven { account, key: Some(id) }))
            }
        }
    }

    async fn refresh_session(
        &self,
        request: api::RefreshSessionRequest,
    ) -> Result<api::SessionTokens> {
        let unknown = || {
            Error::new(ErrorCode::Unauthenticated, "the refresh token is not known")
                .help("its session is over: sign in again")
        };
        let shown = secrets::hash_of(&request.refresh_token);
        let of_hash = |catalog: &tidegate_catalog::Catalog| {
            let session = catalog.session_of_hash(&shown).cloned();
            Ok(session.filter(|session| session.tokens.access != shown))
        };
        let session = self.read(of_hash).await?.ok_or_else(unknown)?;
        let (tokens, hashes) = self.new_tokens()?;
        let refresh = AccountAction::RefreshSession {
            session: session.id.clone(),
            shown: shown.clone(),
            tokens: hashes,
        };
        match self.apply(Action::Account(refresh), "").await {
            Ok(_) => {}
            Err(error) if error.code() == ErrorCode::Unauthenticated => {
                // Shown twice: somebody else has it, or has had it.
                let end = AccountAction::EndSession { session: session.id };
                match self.apply(Action::Account(end), "").await {
                    Err(error) if error.code() == ErrorCode::NotFound => {}
                    ended => drop(ended?),
                }
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        let account = self.read(|catalog| Ok(catalog.account(&session.account).cloned())).await?;
        let password = account.and_then(|account| account.password);
        let must_change = password.is_some_and(|password| password.one_time);
        self.tokens_of(&session.id, tokens, must_change).await
    }

    /// New tokens, and what the catalog keeps of them.
    fn new_tokens(&self) -> Result<((String, String), Tokens)> {
        let (access, access_hash) = secrets::token()?;
        let (refresh, refresh_hash) = secrets::token()?;
        let access_expires_ms = self.clock.now_ms() + ACCESS_MS;
        let kept = Tokens { access: access_hash, access_expires_ms, refresh: refresh_hash };
        Ok(((access, refresh), kept))
    }

    async fn tokens_of(
        &self,
        session: &str,
        (access_token, refresh_token): (String, String),
        must_change_password: bool,
    ) -> Result<api::SessionTokens> {
        let found = self.read(|catalog| Ok(catalog.session(session).cloned())).await?;
        let found = found.ok_or_else(|| unknown(&ResourceName::Session(session.to_owned())))?;
        Ok(api::SessionTokens {
            access_expire_time: time(found.tokens.access_expires_ms),
            session: Some(session_message(&found, Some(&found.id))),
            access_token,
            refresh_token,
            must_change_password,
        })
    }

    async fn get_caller(&self, _: api::GetCallerRequest) -> Result<api::Caller> {
        let Ok(of) = signed_in() else {
            let account = CurrentCall::get().map(|call| call.caller.name).unwrap_or_default();
            return Ok(api::Caller { account, ..api::Caller::default() });
        };
        self.read(|catalog| {
            let account = catalog.account(&of.account).ok_or_else(|| unknown(&of.account))?;
            Ok(api::Caller {
                account: account.name.to_string(),
                display_name: account.display_name.clone(),
                tenant: format!("tenants/{}", account.name.tenant()),
                roles: catalog.roles_of(&account.name).map(roles::assignment).collect(),
                must_change_password: of.must_change,
            })
        })
        .await
    }

    async fn list_sessions(
        &self,
        _: api::ListSessionsRequest,
    ) -> Result<api::ListSessionsResponse> {
        let of = signed_in()?;
        let now_ms = self.clock.now_ms();
        self.read(|catalog| {
            let mut sessions = catalog.sessions_of(&of.account);
            sessions.retain(|session| session.expires_ms > now_ms);
            sessions.sort_by_key(|session| std::cmp::Reverse((session.created_ms, &session.id)));
            let shown = sessions.into_iter().map(|found| session_message(found, Some(&of.session)));
            Ok(api::ListSessionsResponse { sessions: shown.collect() })
        })
        .await
    }

    async fn end_session(
        &self,
        request: api::EndSessionRequest,
    ) -> Result<api::EndSessionResponse> {
        let of = signed_in()?;
        let id = match request.name.as_str() {
            "" => of.session.clone(),
            name => match name.parse()? {
                ResourceName::Session(id) => id,
                _ => return Err(invalid(format!("'{name}' is not the name of a session"))),
            },
        };
        let own = self
            .read(|catalog| {
                let session = catalog.session(&id);
                Ok(session.is_some_and(|session| session.account == of.account))
            })
            .await?;
        if !own {
            return Err(unknown(&ResourceName::Session(id)));
        }
        self.apply(Action::Account(AccountAction::EndSession { session: id }), "").await?;
        Ok(api::EndSessionResponse {})
    }

    async fn change_password(
        &self,
        request: api::ChangePasswordRequest,
    ) -> Result<api::ChangePasswordResponse> {
        let of = signed_in()?;
        let name = of.account.to_string();
        let address = CurrentCall::get().map(|call| call.address).unwrap_or_default();
        if self.attempts.wait(&name, &address, self.clock.elapsed()).is_some() {
            let message = "too many wrong passwords: try again later";
            return Err(Error::new(ErrorCode::ResourceExhausted, message));
        }
        let account = self.read(|catalog| Ok(catalog.account(&of.account).cloned())).await?;
        let current = account.and_then(|account| account.password).ok_or_else(|| {
            let message = format!("{name} is a program's account: it has keys, no password");
            Error::new(ErrorCode::FailedPrecondition, message)
        })?;
        let old = request.old_password;
        if old.len() > SECRET_BYTES
            || !self.hasher.verify(old.clone(), current.hash.clone()).await?
        {
            self.attempts.failed(&name, &address, self.clock.elapsed());
            return Err(Error::new(ErrorCode::PermissionDenied, "the old password is wrong"));
        }
        password::check(&request.new_password, &name)?;
        if request.new_password == old {
            return Err(invalid("the new password is the old one"));
        }
        let hash = self.hasher.hash(request.new_password).await?;
        let set = AccountAction::SetPassword {
            account: of.account,
            hash,
            one_time: false,
            instead_of: Some(current.hash),
            keep_session: Some(of.session),
        };
        self.apply(Action::Account(set), "").await?;
        Ok(api::ChangePasswordResponse {})
    }
}

/// The account that a field names: in full, or as a user of the default tenant.
fn account_name(text: &str) -> Result<AccountName> {
    match text.contains('/') {
        true => text.parse(),
        false => AccountName::user(DEFAULT_TENANT, text),
    }
}

fn session_message(session: &Session, current: Option<&str>) -> api::Session {
    api::Session {
        name: ResourceName::Session(session.id.clone()).to_string(),
        account: session.account.to_string(),
        client: session.client.clone(),
        address: session.address.clone(),
        create_time: time(session.created_ms),
        refresh_time: time(session.refreshed_ms),
        expire_time: time(session.expires_ms),
        current: current == Some(session.id.as_str()),
    }
}

serve!(SessionService {
    sign_in(SignInRequest) -> SessionTokens;
    refresh_session(RefreshSessionRequest) -> SessionTokens;
    get_caller(GetCallerRequest) -> Caller;
    list_sessions(ListSessionsRequest) -> ListSessionsResponse;
    end_session(EndSessionRequest) -> EndSessionResponse;
    change_password(ChangePasswordRequest) -> ChangePasswordResponse;
});
