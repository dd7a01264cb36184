//! Applying changes of accounts and sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_types::{Error, ErrorCode, Result};

use super::session::REPEAT_MS;
use super::{Account, AccountAction, AccountName, Key, Password, Session, Tokens};
use crate::bounds::{self, Bounds, invalid};
use crate::grant::Grantee;
use crate::name::ResourceName;
use crate::role::{RoleAction, SYSTEM_ADMINISTRATOR};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};

impl Catalog {
    pub(crate) fn apply_account(
        &mut self,
        stamp: Stamp,
        action: AccountAction,
    ) -> Result<ResourceName> {
        use AccountAction as A;
        match action {
            A::Create { account, display_name, email, password } => {
                self.create_account(stamp, account, (display_name, email), password)
            }
            A::CreateFirst { account, password } => self.create_first(stamp, account, password),
            A::Update { account, etag, display_name, email, disabled } => {
                self.update_account(stamp, account, etag, (display_name, email), disabled)
            }
            A::Delete { account, etag } => self.delete_account(stamp, account, etag),
            A::SetPassword { account, hash, one_time, instead_of, keep_session } => {
                let password = Password { hash, one_time };
                self.set_password(stamp, account, password, instead_of, keep_session)
            }
            A::Lock { account, until_ms } => {
                self.account_mut(stamp, &account)?.locked_until_ms = Some(until_ms);
                Ok(account.into())
            }
            A::CreateKey { account, key, hash, expires_ms } => {
                self.create_key(stamp, account, key, hash, expires_ms)
            }
            A::DeleteKey { account, key } => self.delete_key(stamp, account, &key),
            A::BeginSession { .. } => self.begin_session(stamp, action),
            A::RefreshSession { session, shown, tokens } => {
                self.refresh_session(stamp, session, &shown, tokens)
            }
            A::EndSession { session } => {
                self.session_entry(&session)?;
                self.remove_session(&session);
                Ok(ResourceName::Session(session))
            }
        }
    }

    fn create_account(
        &mut self,
        stamp: Stamp,
        name: AccountName,
        (display_name, email): (String, String),
        password: Option<String>,
    ) -> Result<ResourceName> {
        check_words(&display_name, &email)?;
        if name.is_user() != password.is_some() {
            return Err(invalid(format!("{name}: people have a password, programs have none")));
        }
        if !self.tenants.contains_key(name.tenant()) {
            return Err(not_found(&ResourceName::Tenant(name.tenant().to_owned())));
        }
        if let Some(there) = self.accounts.get(&name) {
            return Err(match there.deleted {
                true => already_exists(&name)
                    .context("the account was deleted, its name stands in histories"),
                false => already_exists(&name),
            });
        }
        bounds::room("accounts", self.accounts.len(), Bounds::ACCOUNTS)?;
        let Stamp { now_ms, revision } = stamp;
        let account = Account {
            name: name.clone(),
            display_name,
            email,
            password: password.map(|hash| Password { hash, one_time: true }),
            keys: BTreeMap::new(),
            disabled: false,
            locked_until_ms: None,
            deleted: false,
            created_ms: now_ms,
            updated_ms: now_ms,
            revision,
        };
        self.accounts.insert(name.clone(), Arc::new(account));
        Ok(name.into())
    }

    fn create_first(
        &mut self,
        stamp: Stamp,
        name: AccountName,
        password: String,
    ) -> Result<ResourceName> {
        if self.has_accounts() {
            return Err(already_exists(&"an account"));
        }
        let words = ("Administrator".to_owned(), String::new());
        self.create_account(stamp, name.clone(), words, Some(password))?;
        let assign = RoleAction::Assign {
            account: name,
            scope: Scope::System,
            role: SYSTEM_ADMINISTRATOR.to_owned(),
            creator: "tidegate".to_owned(),
        };
        self.apply_role(stamp, assign)
    }

    fn update_account(
        &mut self,
        stamp: Stamp,
        name: AccountName,
        etag: Option<u64>,
        (display_name, email): (Option<String>, Option<String>),
        disabled: Option<bool>,
    ) -> Result<ResourceName> {
        check_words(display_name.as_deref().unwrap_or(""), email.as_deref().unwrap_or(""))?;
        check_etag(&name, self.account_ref(&name)?.revision, etag)?;
        let disables = disabled == Some(true);
        if disables {
            self.check_administrator_left(&name)?;
        }
        let account = self.account_mut(stamp, &name)?;
        account.display_name = display_name.unwrap_or_else(|| account.display_name.clone());
        account.email = email.unwrap_or_else(|| account.email.clone());
        account.disabled = disabled.unwrap_or(account.disabled);
        if disabled == Some(false) {
            account.locked_until_ms = None;
        }
        if disables {
            self.end_sessions(&name, |_| true);
        }
        Ok(name.into())
    }

    fn delete_account(
        &mut self,
        stamp: Stamp,
        name: AccountName,
        etag: Option<u64>,
    ) -> Result<ResourceName> {
        check_etag(&name, self.account_ref(&name)?.revision, etag)?;
        self.check_administrator_left(&name)?;
        let account = self.account_mut(stamp, &name)?;
        account.deleted = true;
        account.password = None;
        account.keys.clear();
        self.end_sessions(&name, |_| true);
        self.remove_roles(&name);
        self.remove_grants_to(&Grantee::Account(name.clone()));
        Ok(name.into())
    }

    fn set_password(
        &mut self,
        stamp: Stamp,
        name: AccountName,
        password: Password,
        instead_of: Option<String>,
        keep_session: Option<String>,
    ) -> Result<ResourceName> {
        let account = self.account_ref(&name)?;
        let Some(current) = &account.password else {
            return Err(precondition(format!(
                "{name} is a program's account: it has keys, no password"
            )));
        };
        if instead_of.is_some_and(|hash| hash != current.hash) {
            let message = format!("the password of {name} was changed meanwhile");
            return Err(Error::new(ErrorCode::Conflict, message));
        }
        let account = self.account_mut(stamp, &name)?;
        account.password = Some(password);
        account.locked_until_ms = None;
        self.end_sessions(&name, |session| keep_session.as_ref() != Some(&session.id));
        Ok(name.into())
    }

    fn create_key(
        &mut self,
        stamp: Stamp,
        name: AccountName,
        key: String,
        hash: String,
        expires_ms: i64,
    ) -> Result<ResourceName> {
        crate::name::check_id("key", &key)?;
        let account = self.account_ref(&name)?;
        if name.is_user() {
            return Err(precondition(format!(
                "{name} is a person's account: it has a password, no keys"
            )));
        }
        if account.keys.contains_key(&key) {
            return Err(already_exists(&format!("{name}/keys/{key}")));
        }
        bounds::room("keys of the account", account.keys.len(), Bounds::ACCOUNT_KEYS)?;
        let key_entry = Key { hash, created_ms: stamp.now_ms, expires_ms };
        self.account_mut(stamp, &name)?.keys.insert(key, key_entry);
        Ok(name.into())
    }

    fn delete_key(&mut self, stamp: Stamp, name: AccountName, key: &str) -> Result<ResourceName> {
        if !self.account_ref(&name)?.keys.contains_key(key) {
            return Err(not_found(&format!("{name}/keys/{key}")));
        }
        self.account_mut(stamp, &name)?.keys.remove(key);
        self.end_sessions(&name, |session| session.key.as_deref() == Some(key));
        Ok(name.into())
    }

    fn begin_session(&mut self, stamp: Stamp, action: AccountAction) -> Result<ResourceName> {
        let AccountAction::BeginSession {
            session: id,
            account,
            checked,
            key,
            tokens,
            expires_ms,
            client,
            address,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        crate::name::check_id("session", &id)?;
        bounds::text("the client", &client, Bounds::LABEL_BYTES)?;
        bounds::text("the address", &address, Bounds::LABEL_BYTES)?;
        let owner = self.account_ref(&account)?;
        let locked = owner.locked_until_ms.is_some_and(|until| until > stamp.now_ms);
        if !owner.is_active() || locked || owner.revision != checked {
            return Err(precondition(format!("{account} was changed while it signed in"))
                .help("sign in again"));
        }
        if self.sessions.contains_key(&id) {
            return Err(already_exists(&ResourceName::Session(id)));
        }
        let of_account = self.sessions_of(&account);
        let over = of_account.iter().filter(|session| session.expires_ms <= stamp.now_ms);
        let over: Vec<String> = over.map(|session| session.id.clone()).collect();
        let mut rest: Vec<(i64, String)> = of_account
            .iter()
            .filter(|session| session.expires_ms > stamp.now_ms)
            .map(|session| (session.refreshed_ms, session.id.clone()))
            .collect();
        rest.sort();
        let too_many = (rest.len() + 1).saturating_sub(Bounds::ACCOUNT_SESSIONS);
        let oldest = rest.into_iter().take(too_many).map(|(_, id)| id);
        for ended in over.into_iter().chain(oldest) {
            self.remove_session(&ended);
        }
        let session = Session {
            id: id.clone(),
            account,
            key,
            tokens,
            previous_refresh: None,
            client,
            address,
            created_ms: stamp.now_ms,
            refreshed_ms: stamp.now_ms,
            expires_ms,
        };
        self.index_session(&session);
        self.sessions.insert(id.clone(), Arc::new(session));
        Ok(ResourceName::Session(id))
    }

    fn refresh_session(
        &mut self,
        stamp: Stamp,
        id: String,
        shown: &str,
        mut tokens: Tokens,
    ) -> Result<ResourceName> {
        let over = || Error::new(ErrorCode::Unauthenticated, "the session is over");
        let session = self.sessions.get(&id).ok_or_else(over)?;
        let repeated = session.previous_refresh.as_deref() == Some(shown)
            && stamp.now_ms - session.refreshed_ms <= REPEAT_MS;
        let active = self.account(&session.account).is_some_and(Account::is_active);
        if session.expires_ms <= stamp.now_ms || !active {
            return Err(over());
        }
        if session.tokens.refresh != shown && !repeated {
            let message = "the refresh token was used before";
            return Err(Error::new(ErrorCode::Unauthenticated, message).help("sign in again"));
        }
        tokens.access_expires_ms = tokens.access_expires_ms.min(session.expires_ms);
        let mut renewed = Session::clone(session);
        renewed.previous_refresh = Some(shown.to_owned());
        renewed.tokens = tokens;
        renewed.refreshed_ms = stamp.now_ms;
        self.remove_session(&id);
        self.index_session(&renewed);
        self.sessions.insert(id.clone(), Arc::new(renewed));
        Ok(ResourceName::Session(id))
    }

    /// Ends the sessions of an account for which this is true.
    fn end_sessions(&mut self, account: &AccountName, ends: impl Fn(&Session) -> bool) {
        let ended: Vec<String> = self
            .sessions_of(account)
            .into_iter()
            .filter(|session| ends(session))
            .map(|session| session.id.clone())
            .collect();
        for id in ended {
            self.remove_session(&id);
        }
    }

    fn remove_session(&mut self, id: &str) {
        if let Some(session) = self.sessions.remove(id) {
            let hashes = [Some(&session.tokens.access), Some(&session.tokens.refresh)];
            for hash in hashes.into_iter().chain([session.previous_refresh.as_ref()]).flatten() {
                self.index.session_of_hash.remove(hash);
            }
            self.index.sessions_of.remove(&(session.account.clone(), id.to_owned()));
        }
    }

    /// Adds a session to what sessions are found by.
    pub(crate) fn index_session(&mut self, session: &Session) {
        let hashes = [Some(&session.tokens.access), Some(&session.tokens.refresh)];
        for hash in hashes.into_iter().chain([session.previous_refresh.as_ref()]).flatten() {
            self.index.session_of_hash.insert(hash.clone(), session.id.clone());
        }
        self.index.sessions_of.insert((session.account.clone(), session.id.clone()));
    }

    /// An account that is not deleted; `NOT_FOUND`.
    pub(crate) fn account_ref(&self, name: &AccountName) -> Result<&Account> {
        self.account(name).ok_or_else(|| not_found(name))
    }

    fn account_mut(&mut self, stamp: Stamp, name: &AccountName) -> Result<&mut Account> {
        self.account_ref(name)?;
        let account = self.accounts.get_mut(name).ok_or_else(|| not_found(name))?;
        let account = Arc::make_mut(account);
        account.revision = stamp.revision;
        account.updated_ms = stamp.now_ms;
        Ok(account)
    }

    fn session_entry(&self, id: &str) -> Result<&Session> {
        self.session(id).ok_or_else(|| not_found(&ResourceName::Session(id.to_owned())))
    }

    /// Refuses what would leave nobody to administer the system but this account.
    pub(crate) fn check_administrator_left(&self, without: &AccountName) -> Result<()> {
        let administrates =
            |account: &AccountName| self.has_role(account, &Scope::System, SYSTEM_ADMINISTRATOR);
        if !administrates(without) {
            return Ok(());
        }
        let others = self.assignments_in(&Scope::System).filter(|assignment| {
            assignment.role == SYSTEM_ADMINISTRATOR
                && assignment.account != *without
                && self.account(&assignment.account).is_some_and(Account::is_active)
        });
        match others.count() {
            0 => Err(precondition(format!("{without} is the last system administrator"))
                .help("give the role to another account first")),
            _ => Ok(()),
        }
    }
}

fn check_words(display_name: &str, email: &str) -> Result<()> {
    bounds::text("the display name", display_name, Bounds::LABEL_BYTES)?;
    bounds::text("the address", email, Bounds::LABEL_BYTES)
}
