//! What this coordinator answers to health checks (`grpc.health.v1`): that it serves while it knows a leader that a
//! majority follows. One that is cut off does not serve, so that clients and load balancers ask another.

use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::raft::Leadership;

/// Keeps the answers true for as long as the node lives.
pub(super) async fn report(health: HealthReporter, mut leadership: watch::Receiver<Leadership>) {
    // The empty name stands for the whole server.
    let mut services = vec![String::new()];
    match tidegate_proto::access::public_services(tidegate_proto::DESCRIPTORS) {
        Ok(public) => services.extend(public),
        Err(error) => tracing::error!(error, "the services of the API are not known"),
    }
    loop {
        let status = match leadership.borrow_and_update().leader {
            Some(_) => ServingStatus::Serving,
            None => ServingStatus::NotServing,
        };
        for service in &services {
            health.set_service_status(service, status).await;
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_leader_it_does_not_serve() {
        let (reporter, _service) = tonic_health::server::health_reporter();
        let (sender, receiver) = watch::channel(Leadership::default());
        let health = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
        let check = || async {
            use tonic_health::pb::health_server::Health;
            let request = tonic_health::pb::HealthCheckRequest::default();
            let answer = health.check(tonic::Request::new(request)).await.unwrap();
            answer.into_inner().status()
        };
        let running = tidegate_runtime::spawn("health", report(reporter, receiver));
        let wanted = |status| async move {
            while check().await != status {
                tokio::task::yield_now().await;
            }
        };
        use tonic_health::pb::health_check_response::ServingStatus as Told;
        wanted(Told::NotServing).await;
        sender.send_modify(|known| known.leader = Some((2, "b:1".to_owned())));
        wanted(Told::Serving).await;
        sender.send_modify(|known| known.leader = None);
        wanted(Told::NotServing).await;
        drop(running);
    }
}
