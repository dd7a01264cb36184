//! Reading the audit records: the newest from the catalog, older ones from the segments that they are sealed in.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_catalog::{AuditFilter, AuditRecord, Catalog, Outcome, Scope, Segment};
use tidegate_proto::status::to_status;
use tidegate_proto::v1 as api;
use tidegate_proto::v1::audit_service_server::AuditService;
use tidegate_types::Result;
use tonic::{Request, Response, Status};

use super::convert::time;
use super::fields::{milliseconds, page};
use super::{Api, answer};
use crate::audit::continues;
use crate::raft::Consistency;

/// Records of the catalog that an export reads at once.
const PIECE: usize = 500;
/// Segments that one page is looked for in.
const SEGMENTS: usize = 8;

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
        let (mut found, segments, first) = self
            .read(|catalog| {
                let found = catalog.list_audit(&scope, &filter, &page)?;
                Ok((found, catalog.audit_segments().to_vec(), catalog.first_audit()))
            })
            .await?;
        let below = Catalog::audit_position(&scope, &page)?.or(first).unwrap_or(u64::MAX);
        if found.next.is_none() {
            let room = page.bounded_size() - found.items.len();
            let older = self.older(&scope, &filter, &segments, below, room).await?;
            found.items.extend(older.0);
            found.next = older.1.map(|below| Catalog::audit_token(&scope, below));
        }
        Ok(api::ListAuditRecordsResponse {
            records: found.items.iter().map(|record| message(record)).collect(),
            next_page_token: found.next.unwrap_or_default(),
        })
    }

    /// Sealed records below a number, newest first, and where to go on; none: there are no more.
    async fn older(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        segments: &[Segment],
        below: u64,
        room: usize,
    ) -> Result<(Vec<Arc<AuditRecord>>, Option<u64>)> {
        let mut found = Vec::new();
        let mut looked = 0;
        for (at, segment) in segments.iter().enumerate().rev() {
            let early = filter.after_ms.is_some_and(|after| segment.last_ms < after);
            if early {
                // Those before it are earlier still.
                break;
            }
            let late = filter.before_ms.is_some_and(|before| segment.first_ms >= before);
            if segment.first >= below || late {
                continue;
            }
            if looked == SEGMENTS || found.len() == room {
                return Ok((found, Some(below.min(segment.last + 1))));
            }
            looked += 1;
            let records = self.sealed.read(segment, hash_before(segments, at)).await?;
            let taken = self
                .read(|catalog| {
                    let taken = records.into_iter().rev().filter(|record| {
                        record.number < below
                            && catalog.is_within(&record.scope, scope)
                            && filter.takes(record)
                    });
                    Ok(taken.map(Arc::new).take(room - found.len()).collect::<Vec<_>>())
                })
                .await?;
            let last = taken.last().map(|record| record.number);
            found.extend(taken);
            if let Some(last) = last.filter(|last| found.len() == room && *last > segment.first) {
                return Ok((found, Some(last)));
            }
        }
        Ok((found, None))
    }

    /// The records from a number on, read piece by piece.
    fn records(&self, from: u64, limit: u64) -> Records {
        let api = self.clone();
        let limit = if limit == 0 { u64::MAX } else { limit };
        let state = Export { next: from.max(1), left: limit, before: None };
        let pieces = stream::try_unfold(state, move |mut state| {
            let api = api.clone();
            async move {
                let piece = api.piece(&mut state).await.map_err(|error| to_status(&error))?;
                Ok::<_, Status>((!piece.is_empty()).then_some((piece, state)))
            }
        });
        pieces.map_ok(|piece| stream::iter(piece).map(Ok)).try_flatten().boxed()
    }

    /// The next records of an export, which are checked to continue those before.
    async fn piece(&self, state: &mut Export) -> Result<Vec<api::AuditRecord>> {
        if state.left == 0 {
            return Ok(Vec::new());
        }
        let most = usize::try_from(state.left).unwrap_or(usize::MAX);
        let next = state.next;
        let (segments, tail) = self
            .metadata
            .read(Consistency::Stale, |catalog| {
                let segments = catalog.audit_segments();
                match segments.last().is_some_and(|last| next <= last.last) {
                    true => (segments.to_vec(), Vec::new()),
                    false => {
                        let last = segments.last().cloned().into_iter().collect();
                        (last, catalog.audit_from(next).take(most.min(PIECE)).cloned().collect())
                    }
                }
            })
            .await?;
        let found = match segments.iter().position(|segment| next <= segment.last) {
            Some(at) => {
                let records = self.sealed.read(&segments[at], hash_before(&segments, at)).await?;
                let rest = records.into_iter().skip_while(|record| record.number < next);
                rest.take(most).map(Arc::new).collect()
            }
            None => tail,
        };
        let sealed = segments.last().filter(|last| last.last + 1 == next);
        let mut before = state.before.take().or(sealed.map(|last| last.hash.clone()));
        for record in &found {
            if let Some(before) = &before {
                continues(record, before)?;
            }
            before = Some(record.hash.clone());
        }
        state.before = before;
        state.left -= found.len() as u64;
        state.next = found.last().map_or(next, |last| last.number + 1);
        Ok(found.iter().map(|record| message(record)).collect())
    }
}

/// How far an export is.
struct Export {
    /// Number of the next record.
    next: u64,
    /// Records that may still come.
    left: u64,
    /// Hash of the last one; none before the first.
    before: Option<String>,
}

/// Hash of the record before a segment.
fn hash_before(segments: &[Segment], at: usize) -> String {
    let before = at.checked_sub(1).and_then(|before| segments.get(before));
    before.map(|before| before.hash.clone()).unwrap_or_default()
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
