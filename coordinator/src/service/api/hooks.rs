//! Addresses outside that are told of approvals and grants.

use std::collections::BTreeSet;

use tidegate_catalog::{
    Action, ChildName, Collection, Delivery, DeliveryState, Hook, HookAction, HookEvent,
    ResourceName, Scope, Sealed, Setting,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::hook_service_server::HookService;
use tidegate_types::Result;

use super::convert::time;
use super::fields::{Mask, etag, invalid, missing, page, project, serve, tenant};
use super::{Api, unknown};
use crate::governance::hook_secret;
use crate::service::call::caller_name;

/// Characters of a secret at least.
const SHORTEST_SECRET: usize = 8;

impl Api {
    async fn hook(&self, name: &ChildName) -> Result<api::Hook> {
        self.read(|catalog| catalog.hook(name).map(message).ok_or_else(|| unknown(name))).await
    }

    async fn create_hook(&self, request: api::CreateHookRequest) -> Result<api::Hook> {
        let owner = Scope::Tenant(tenant(&request.parent)?);
        let name = ChildName::new(owner, Collection::Hooks, request.hook_id)?;
        let given = request.hook.ok_or_else(|| missing("hook"))?;
        let create = HookAction::Create {
            hook: name.clone(),
            secret: self.sealed_secret(&name, &given.secret)?,
            url: check_url(given.url)?,
            events: events(&given.events)?,
            project: only(&given.only_project)?,
            description: given.description,
            enabled: !given.disabled,
            creator: caller_name(),
        };
        self.apply(Action::Hook(Box::new(create)), &request.request_id).await?;
        self.hook(&name).await
    }

    async fn get_hook(&self, request: api::GetHookRequest) -> Result<api::Hook> {
        self.hook(&name_of(&request.name)?).await
    }

    async fn list_hooks(&self, request: api::ListHooksRequest) -> Result<api::ListHooksResponse> {
        let tenant = tenant(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_hooks(&tenant, &page)?;
            Ok(api::ListHooksResponse {
                hooks: found.items.iter().map(|hook| message(hook)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_hook(&self, request: api::UpdateHookRequest) -> Result<api::Hook> {
        let given = request.hook.ok_or_else(|| missing("hook"))?;
        let name = name_of(&given.name)?;
        let fields = ["description", "url", "events", "only_project", "secret", "disabled"];
        // Without a mask a secret that is not given stays.
        let keeps = request.update_mask.is_none() && given.secret.is_empty();
        let mask = Mask::new(request.update_mask, &fields)?;
        let secret = match mask.has("secret") && !keeps {
            true => Some(Setting::of(self.sealed_secret(&name, &given.secret)?)),
            false => None,
        };
        let update = HookAction::Update {
            hook: name.clone(),
            etag: etag(&given.etag)?,
            url: mask.has("url").then(|| check_url(given.url)).transpose()?,
            events: mask.has("events").then(|| events(&given.events)).transpose()?,
            project: match mask.has("only_project") {
                true => Some(Setting::of(only(&given.only_project)?)),
                false => None,
            },
            description: mask.has("description").then_some(given.description),
            enabled: mask.has("disabled").then_some(!given.disabled),
            secret,
        };
        self.apply(Action::Hook(Box::new(update)), &request.request_id).await?;
        self.hook(&name).await
    }

    async fn delete_hook(
        &self,
        request: api::DeleteHookRequest,
    ) -> Result<api::DeleteHookResponse> {
        let hook = name_of(&request.name)?;
        let delete = HookAction::Delete { hook, etag: etag(&request.etag)? };
        self.apply(Action::Hook(Box::new(delete)), &request.request_id).await?;
        Ok(api::DeleteHookResponse {})
    }

    async fn list_deliveries(
        &self,
        request: api::ListDeliveriesRequest,
    ) -> Result<api::ListDeliveriesResponse> {
        use api::delivery::State;
        let state = match request.state() {
            State::Unspecified => None,
            State::Pending => Some(DeliveryState::Pending),
            State::Delivered => Some(DeliveryState::Delivered),
            State::Failed => Some(DeliveryState::Failed),
        };
        let hook = name_of(&request.name)?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_deliveries(&hook, state, &page)?;
            Ok(api::ListDeliveriesResponse {
                deliveries: found.items.iter().map(|delivery| told(delivery)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    fn sealed_secret(&self, hook: &ChildName, secret: &str) -> Result<Option<Sealed>> {
        match secret.len() {
            0 => Ok(None),
            1..SHORTEST_SECRET => {
                Err(invalid(format!("the secret has fewer than {SHORTEST_SECRET} characters")))
            }
            _ => self.secrets.seal(hook, hook_secret(), secret).map(Some),
        }
    }
}

fn name_of(text: &str) -> Result<ChildName> {
    match text.parse()? {
        ResourceName::Child(name) if name.collection() == Collection::Hooks => Ok(name),
        _ => Err(invalid(format!("'{text}' is not the name of a hook"))),
    }
}

/// Refuses an address that cannot be one, or has something in it that everybody would see.
fn check_url(url: String) -> Result<String> {
    let wrong = |why: &str| {
        invalid(format!("the url of a hook {why}")).help("write it as https://host/path")
    };
    let parsed: http::Uri = url.parse().map_err(|_| wrong("is none"))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err(wrong("begins with neither http:// nor https://"));
    }
    let authority = parsed.authority().ok_or_else(|| wrong("has no host"))?;
    if authority.host().is_empty() {
        return Err(wrong("has no host"));
    }
    if authority.as_str().contains('@') {
        return Err(wrong("has a user or password in it"));
    }
    Ok(url)
}

fn events(texts: &[String]) -> Result<BTreeSet<HookEvent>> {
    texts.iter().map(|text| text.parse()).collect()
}

/// Id of a project; none: all.
fn only(name: &str) -> Result<Option<String>> {
    if name.is_empty() { Ok(None) } else { project(name).map(Some) }
}

fn message(hook: &Hook) -> api::Hook {
    api::Hook {
        name: hook.name.to_string(),
        description: hook.description.clone(),
        url: hook.url.clone(),
        events: hook.events.iter().map(ToString::to_string).collect(),
        only_project: hook.project.as_ref().map(|id| format!("projects/{id}")).unwrap_or_default(),
        secret: String::new(),
        has_secret: hook.secret.is_some(),
        disabled: !hook.enabled,
        lost: hook.lost,
        creator: hook.creator.clone(),
        create_time: time(hook.created_ms),
        update_time: time(hook.updated_ms),
        etag: hook.revision.to_string(),
    }
}

fn told(delivery: &Delivery) -> api::Delivery {
    use api::delivery::State;
    let state = match delivery.state {
        DeliveryState::Pending => State::Pending,
        DeliveryState::Delivered => State::Delivered,
        DeliveryState::Failed => State::Failed,
    };
    let pending = delivery.state == DeliveryState::Pending;
    api::Delivery {
        number: delivery.number,
        event: delivery.event.to_string(),
        body: delivery.body.clone(),
        state: state.into(),
        attempts: delivery.attempts,
        detail: delivery.detail.clone(),
        create_time: time(delivery.created_ms),
        attempt_time: delivery.tried_ms.and_then(time),
        next_time: pending.then(|| time(delivery.next_ms)).flatten(),
    }
}

serve!(HookService {
    create_hook(CreateHookRequest) -> Hook;
    get_hook(GetHookRequest) -> Hook;
    list_hooks(ListHooksRequest) -> ListHooksResponse;
    update_hook(UpdateHookRequest) -> Hook;
    delete_hook(DeleteHookRequest) -> DeleteHookResponse;
    list_deliveries(ListDeliveriesRequest) -> ListDeliveriesResponse;
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_looked_at() {
        for good in ["https://chat.example/in?x=1", "http://10.0.0.1:8080/", "http://h"] {
            check_url(good.to_owned()).unwrap();
        }
        for (bad, why) in [
            ("ftp://h/x", "neither http"),
            ("/only/a/path", "neither http"),
            ("https://ann:secret@h/x", "user or password"),
            ("", "none"),
            ("http://", "none"),
        ] {
            let error = check_url(bad.to_owned()).unwrap_err();
            assert!(error.to_string().contains(why), "{bad}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
