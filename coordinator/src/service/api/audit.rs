//! Reading the audit records.

use futures::stream;
use tidegate_catalog::{AuditFilter, AuditRecord, Outcome, Scope};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::audit_service_server::AuditService;
use tidegate_types::Result;
use tonic::{Request, Response, Status};

use super::convert::time;
use super::fields::{milliseconds, page};
use super::{Api, answer};
use crate::raft::Consistency;

/// Records that an export reads at once.
const PIECE: usize = 500;

type Records =
    std::pin::Pin<Box<dyn futures::Stream<Item = Result<api::AuditRecord, Status>> + Send>>;

impl Api {
    async fn list_audit_records(
        &self,
        request: api::ListAuditRecordsRequest,
    ) -> Result<api::ListAuditRecordsResponse> {
        let scope: Scope = request.parent.parse()?;
        let page = page(request.page_size, &request.page_token)?;
        let outcome = stored(request.outcome());
        let filter = AuditFilter {
            outcome,
            after_ms: milliseconds("after_time", request.after_time)?,
            before_ms: milliseconds("before_time", request.before_time)?,
            principal: request.principal,
            resource_prefix: request.resource_prefix,
            method: request.method,
        };
        self.read(|catalog| {
            let found = catalog.list_audit(&scope, &filter, &page)?;
            Ok(api::ListAuditRecordsResponse {
                records: found.items.iter().map(|record| message(record)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    /// The records from a number on, read piece by piece.
    fn records(&self, from: u64, limit: u64) -> Records {
        let metadata = self.metadata.clone();
        let limit = if limit == 0 { u64::MAX } else { limit };
        let pieces = stream::try_unfold((from, limit), move |(from, left)| {
            let metadata = metadata.clone();
            async move {
                if left == 0 {
                    return Ok::<_, Status>(None);
                }
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
                let read = metadata.read(Consistency::Stale, |catalog| {
                    let records = catalog.audit_from(from).take(most);
                    records.map(|record| message(record)).collect::<Vec<_>>()
                });
                let piece =
                    read.await.map_err(|error| tidegate_proto::status::to_status(&error))?;
                let next = piece.last().map(|last| (last.number + 1, left - piece.len() as u64));
                Ok(next.map(|next| (piece, next)))
            }
        });
        use futures::{StreamExt, TryStreamExt};
        pieces.map_ok(|piece| stream::iter(piece).map(Ok)).try_flatten().boxed()
    }
}

fn stored(outcome: api::audit_record::Outcome) -> Option<Outcome> {
    use api::audit_record::Outcome as Wire;
    match outcome {
        Wire::Unspecified => None,
        Wire::Done => Some(Outcome::Done),
        Wire::Denied => Some(Outcome::Denied),
        Wire::Failed => Some(Outcome::Failed),
        Wire::Abandoned => Some(Outcome::Abandoned),
    }
}

fn message(record: &AuditRecord) -> api::AuditRecord {
    use api::audit_record::Outcome as Wire;
    let outcome = match record.outcome {
        Outcome::Done => Wire::Done,
        Outcome::Denied => Wire::Denied,
        Outcome::Failed => Wire::Failed,
        Outcome::Abandoned => Wire::Abandoned,
    };
    let scope = match &record.scope {
        Scope::System => String::new(),
        scope => scope.to_string(),
    };
    api::AuditRecord {
        number: record.number,
        time: time(record.time_ms),
        principal: record.origin.principal.clone(),
        method: record.origin.method.clone(),
        resource: record.origin.resource.clone(),
        request_id: record.origin.request_id.clone(),
        address: record.origin.address.clone(),
        outcome: outcome.into(),
        reason: record.reason.clone(),
        scope,
        hash: record.hash.clone(),
        left_out: record.left_out,
    }
}

#[async_trait::async_trait]
impl AuditService for Api {
    type ExportAuditRecordsStream = Records;

    async fn list_audit_records(
        &self,
        request: Request<api::ListAuditRecordsRequest>,
    ) -> Result<Response<api::ListAuditRecordsResponse>, Status> {
        answer(Self::list_audit_records(self, request.into_inner()).await)
    }

    async fn export_audit_records(
        &self,
        request: Request<api::ExportAuditRecordsRequest>,
    ) -> Result<Response<Records>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.records(request.from, request.limit)))
    }
}
