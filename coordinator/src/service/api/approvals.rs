//! Approvals.

use tidegate_catalog::{
    Action, Approval, ApprovalAction, ApprovalFilter, ApprovalState, ApprovalView, ChildName,
    Collection, Environment, ResourceName,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::approval_service_server::ApprovalService;
use tidegate_types::Result;

use super::convert::time;
use super::fields::{invalid, page, serve, tenant};
use super::{Api, unknown};
use crate::service::call::{caller_name, signed_in};
use crate::service::gate::Place;

impl Api {
    /// An approval that was made or changed.
    pub(super) async fn approval(&self, name: &ChildName) -> Result<api::Approval> {
        self.read(|catalog| catalog.approval(name).map(message).ok_or_else(|| unknown(name))).await
    }

    async fn get_approval(&self, request: api::GetApprovalRequest) -> Result<api::Approval> {
        let name = name_of(&request.name)?;
        let of = signed_in().ok();
        self.read(|catalog| {
            // Who is no account has all rights; an account sees what it has to do with.
            let sees = |approval: &&Approval| {
                of.as_ref().is_none_or(|of| {
                    catalog.may_see(&of.account, approval)
                        || of.may("approvals.read_all", &Place::System)
                })
            };
            let found = catalog.approval(&name).filter(sees);
            found.map(message).ok_or_else(|| unknown(&name))
        })
        .await
    }

    async fn list_approvals(
        &self,
        request: api::ListApprovalsRequest,
    ) -> Result<api::ListApprovalsResponse> {
        use api::list_approvals_request::View;
        let tenant = tenant(&request.parent)?;
        let of = signed_in()?;
        let view = match request.view() {
            View::Unspecified | View::PendingForMe => ApprovalView::Pending,
            View::DecidedByMe => ApprovalView::Decided,
            View::SubmittedByMe => ApprovalView::Submitted,
        };
        let filter = ApprovalFilter {
            environment: stored(request.environment()),
            state: stored_state(request.state()),
            kind: request.kind,
        };
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_approvals(&of.account, &tenant, view, &filter, &page)?;
            Ok(api::ListApprovalsResponse {
                approvals: found.items.iter().map(|approval| message(approval)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn decide_approval(&self, request: api::DecideApprovalRequest) -> Result<api::Approval> {
        let name = name_of(&request.name)?;
        let decide = ApprovalAction::Decide {
            approval: name.clone(),
            account: signed_in()?.account,
            approve: request.approve,
            text: request.opinion,
        };
        self.apply(Action::Approval(decide), &request.request_id).await?;
        self.approval(&name).await
    }

    async fn withdraw_approval(
        &self,
        request: api::WithdrawApprovalRequest,
    ) -> Result<api::Approval> {
        let name = name_of(&request.name)?;
        let requester = caller_name();
        let withdraw = ApprovalAction::Withdraw { approval: name.clone(), requester };
        self.apply(Action::Approval(withdraw), &request.request_id).await?;
        self.approval(&name).await
    }
}

fn name_of(text: &str) -> Result<ChildName> {
    match text.parse()? {
        ResourceName::Child(name) if name.collection() == Collection::Approvals => Ok(name),
        _ => Err(invalid(format!("'{text}' is not the name of an approval"))),
    }
}

/// An environment of the API; none where it is not said.
pub(super) fn stored(environment: api::Environment) -> Option<Environment> {
    match environment {
        api::Environment::Unspecified => None,
        api::Environment::Design => Some(Environment::Design),
        api::Environment::Test => Some(Environment::Test),
        api::Environment::Production => Some(Environment::Production),
    }
}

/// An environment of the catalog.
pub(super) fn environment(environment: Environment) -> api::Environment {
    match environment {
        Environment::Design => api::Environment::Design,
        Environment::Test => api::Environment::Test,
        Environment::Production => api::Environment::Production,
    }
}

fn stored_state(state: api::approval::State) -> Option<ApprovalState> {
    use api::approval::State;
    match state {
        State::Unspecified => None,
        State::Pending => Some(ApprovalState::Pending),
        State::Approved => Some(ApprovalState::Approved),
        State::Rejected => Some(ApprovalState::Rejected),
        State::Withdrawn => Some(ApprovalState::Withdrawn),
        State::Expired => Some(ApprovalState::Expired),
    }
}

fn message(approval: &Approval) -> api::Approval {
    use api::approval::State;
    let state = match approval.state {
        ApprovalState::Pending => State::Pending,
        ApprovalState::Approved => State::Approved,
        ApprovalState::Rejected => State::Rejected,
        ApprovalState::Withdrawn => State::Withdrawn,
        ApprovalState::Expired => State::Expired,
    };
    let opinions = approval.opinions.iter().map(|opinion| api::approval::Opinion {
        account: opinion.account.to_string(),
        approve: opinion.approve,
        text: opinion.text.clone(),
        create_time: time(opinion.at_ms),
    });
    let at = approval.subject.environment().map_or(api::Environment::Unspecified, environment);
    api::Approval {
        name: approval.name.to_string(),
        kind: approval.subject.kind().to_owned(),
        subject: approval.subject.about().to_string(),
        summary: approval.subject.summary(),
        environment: at.into(),
        requester: approval.requester.clone(),
        reason: approval.reason.clone(),
        state: state.into(),
        decider_role: approval.deciders.role.clone(),
        decider_scope: approval.deciders.scope.to_string(),
        required: approval.required,
        opinions: opinions.collect(),
        create_time: time(approval.created_ms),
        expire_time: time(approval.expires_ms),
        end_time: approval.ended_ms.and_then(time),
    }
}

serve!(ApprovalService {
    get_approval(GetApprovalRequest) -> Approval;
    list_approvals(ListApprovalsRequest) -> ListApprovalsResponse;
    decide_approval(DecideApprovalRequest) -> Approval;
    withdraw_approval(WithdrawApprovalRequest) -> Approval;
});
