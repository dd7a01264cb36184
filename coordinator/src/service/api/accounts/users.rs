//! Accounts of a tenant.

use tidegate_catalog::{Account, AccountAction, AccountName, Action};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::user_service_server::UserService;
use tidegate_types::{Error, ErrorCode, Result};

use super::secrets;
use crate::service::api::convert::time;
use crate::service::api::fields::{Mask, etag, invalid, missing, page, serve, tenant};
use crate::service::api::{Api, unknown};

/// Days that a key counts where nobody says, and at most.
const KEY_DAYS: u32 = 90;
const MOST_KEY_DAYS: u32 = 366;
const DAY_MS: i64 = 24 * 3_600_000;

impl Api {
    async fn account(&self, name: &AccountName) -> Result<Account> {
        let found = self.read(|catalog| Ok(catalog.account(name).cloned())).await?;
        found.ok_or_else(|| unknown(name))
    }

    async fn create_user(
        &self,
        request: api::CreateUserRequest,
    ) -> Result<api::CreateUserResponse> {
        let name = AccountName::user(&tenant(&request.parent)?, &request.user_id)?;
        let user = request.user.unwrap_or_default();
        // A repeated request has another password, which would be another request: it is answered without.
        let repeated = !request.request_id.is_empty()
            && self.read(|catalog| Ok(catalog.remembers(&request.request_id))).await?;
        if repeated {
            let user = Some(self.user(&name).await?);
            return Ok(api::CreateUserResponse { user, one_time_password: String::new() });
        }
        let one_time_password = secrets::one_time_password()?;
        let create = AccountAction::Create {
            account: name.clone(),
            display_name: user.display_name,
            email: user.email,
            password: Some(self.hasher.hash(one_time_password.clone()).await?),
        };
        self.apply(Action::Account(create), &request.request_id).await?;
        let user = Some(self.user(&name).await?);
        Ok(api::CreateUserResponse { user, one_time_password })
    }

    async fn user(&self, name: &AccountName) -> Result<api::User> {
        self.account(name).await.map(|account| user_message(&account))
    }

    async fn get_user(&self, request: api::GetUserRequest) -> Result<api::User> {
        self.user(&user_name(&request.name)?).await
    }

    async fn list_users(&self, request: api::ListUsersRequest) -> Result<api::ListUsersResponse> {
        let (tenant, page) =
            (tenant(&request.parent)?, page(request.page_size, &request.page_token)?);
        self.read(|catalog| {
            let found = catalog.list_accounts(&tenant, true, &page)?;
            Ok(api::ListUsersResponse {
                users: found.items.iter().map(|account| user_message(account)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_user(&self, request: api::UpdateUserRequest) -> Result<api::User> {
        let user = request.user.ok_or_else(|| missing("user"))?;
        let name = user_name(&user.name)?;
        let mask = Mask::new(request.update_mask, &["display_name", "email", "disabled"])?;
        let update = AccountAction::Update {
            account: name.clone(),
            etag: etag(&user.etag)?,
            display_name: mask.has("display_name").then_some(user.display_name),
            email: mask.has("email").then_some(user.email),
            disabled: mask.has("disabled").then_some(user.disabled),
        };
        self.apply(Action::Account(update), &request.request_id).await?;
        self.user(&name).await
    }

    async fn delete_user(
        &self,
        request: api::DeleteUserRequest,
    ) -> Result<api::DeleteUserResponse> {
        let account = user_name(&request.name)?;
        let delete = AccountAction::Delete { account, etag: etag(&request.etag)? };
        self.apply(Action::Account(delete), &request.request_id).await?;
        Ok(api::DeleteUserResponse {})
    }

    async fn reset_password(
        &self,
        request: api::ResetPasswordRequest,
    ) -> Result<api::ResetPasswordResponse> {
        let account = user_name(&request.name)?;
        let one_time_password = secrets::one_time_password()?;
        let hash = self.hasher.hash(one_time_password.clone()).await?;
        let set = AccountAction::SetPassword {
            account,
            hash,
            one_time: true,
            instead_of: None,
            keep_session: None,
        };
        self.apply(Action::Account(set), "").await?;
        Ok(api::ResetPasswordResponse { one_time_password })
    }

    async fn create_service_account(
        &self,
        request: api::CreateServiceAccountRequest,
    ) -> Result<api::ServiceAccount> {
        let name = AccountName::service(&tenant(&request.parent)?, &request.service_account_id)?;
        let create = AccountAction::Create {
            account: name.clone(),
            display_name: request.service_account.unwrap_or_default().description,
            email: String::new(),
            password: None,
        };
        self.apply(Action::Account(create), &request.request_id).await?;
        self.service_account(&name).await
    }

    async fn service_account(&self, name: &AccountName) -> Result<api::ServiceAccount> {
        self.account(name).await.map(|account| service_account_message(&account))
    }

    async fn get_service_account(
        &self,
        request: api::GetServiceAccountRequest,
    ) -> Result<api::ServiceAccount> {
        self.service_account(&service_name(&request.name)?).await
    }

    async fn list_service_accounts(
        &self,
        request: api::ListServiceAccountsRequest,
    ) -> Result<api::ListServiceAccountsResponse> {
        let (tenant, page) =
            (tenant(&request.parent)?, page(request.page_size, &request.page_token)?);
        self.read(|catalog| {
            let found = catalog.list_accounts(&tenant, false, &page)?;
            let accounts = found.items.iter().map(|account| service_account_message(account));
            Ok(api::ListServiceAccountsResponse {
                service_accounts: accounts.collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn delete_service_account(
        &self,
        request: api::DeleteServiceAccountRequest,
    ) -> Result<api::DeleteServiceAccountResponse> {
        let account = service_name(&request.name)?;
        let delete = AccountAction::Delete { account, etag: etag(&request.etag)? };
        self.apply(Action::Account(delete), &request.request_id).await?;
        Ok(api::DeleteServiceAccountResponse {})
    }

    async fn create_service_account_key(
        &self,
        request: api::CreateServiceAccountKeyRequest,
    ) -> Result<api::CreateServiceAccountKeyResponse> {
        let account = service_name(&request.parent)?;
        let days = match request.valid_days {
            0 => KEY_DAYS,
            days @ 1..=MOST_KEY_DAYS => days,
            days => return Err(invalid(format!("valid_days {days} is more than {MOST_KEY_DAYS}"))),
        };
        let (secret, hash) = secrets::token()?;
        let key = secrets::id()?;
        let create = AccountAction::CreateKey {
            account: account.clone(),
            key: key.clone(),
            hash,
            expires_ms: self.clock.now_ms() + i64::from(days) * DAY_MS,
        };
        self.apply(Action::Account(create), "").await?;
        let made = self.service_account(&account).await?;
        let name = format!("{account}/keys/{key}");
        let key = made.keys.into_iter().find(|key| key.name == name);
        Ok(api::CreateServiceAccountKeyResponse { key, secret })
    }

    async fn delete_service_account_key(
        &self,
        request: api::DeleteServiceAccountKeyRequest,
    ) -> Result<api::ServiceAccount> {
        let (account, key) = request
            .name
            .split_once("/keys/")
            .ok_or_else(|| invalid(format!("'{}' is not the name of a key", request.name)))?;
        let (account, key) = (service_name(account)?, key.to_owned());
        let delete = AccountAction::DeleteKey { account: account.clone(), key };
        self.apply(Action::Account(delete), "").await?;
        self.service_account(&account).await
    }
}

fn user_name(text: &str) -> Result<AccountName> {
    let name: AccountName = text.parse()?;
    match name.is_user() {
        true => Ok(name),
        false => Err(invalid(format!("'{text}' is not the name of a user"))),
    }
}

fn service_name(text: &str) -> Result<AccountName> {
    let name: AccountName = text.parse()?;
    match name.is_user() {
        false => Ok(name),
        true => Err(Error::new(
            ErrorCode::InvalidOption,
            format!("'{text}' is not the name of a service account"),
        )),
    }
}

fn user_message(account: &Account) -> api::User {
    api::User {
        name: account.name.to_string(),
        display_name: account.display_name.clone(),
        email: account.email.clone(),
        disabled: account.disabled,
        create_time: time(account.created_ms),
        update_time: time(account.updated_ms),
        etag: account.revision.to_string(),
        locked_until_time: account.locked_until_ms.and_then(time),
        must_change_password: account.password.as_ref().is_some_and(|password| password.one_time),
    }
}

fn service_account_message(account: &Account) -> api::ServiceAccount {
    let name = &account.name;
    let key = |(id, key): (&String, &tidegate_catalog::Key)| api::ServiceAccountKey {
        name: format!("{name}/keys/{id}"),
        create_time: time(key.created_ms),
        expire_time: time(key.expires_ms),
    };
    api::ServiceAccount {
        name: name.to_string(),
        description: account.display_name.clone(),
        keys: account.keys.iter().map(key).collect(),
        create_time: time(account.created_ms),
        etag: account.revision.to_string(),
    }
}

serve!(UserService {
    create_user(CreateUserRequest) -> CreateUserResponse;
    get_user(GetUserRequest) -> User;
    list_users(ListUsersRequest) -> ListUsersResponse;
    update_user(UpdateUserRequest) -> User;
    delete_user(DeleteUserRequest) -> DeleteUserResponse;
    reset_password(ResetPasswordRequest) -> ResetPasswordResponse;
    create_service_account(CreateServiceAccountRequest) -> ServiceAccount;
    get_service_account(GetServiceAccountRequest) -> ServiceAccount;
    list_service_accounts(ListServiceAccountsRequest) -> ListServiceAccountsResponse;
    delete_service_account(DeleteServiceAccountRequest) -> DeleteServiceAccountResponse;
    create_service_account_key(CreateServiceAccountKeyRequest) -> CreateServiceAccountKeyResponse;
    delete_service_account_key(DeleteServiceAccountKeyRequest) -> ServiceAccount;
});
