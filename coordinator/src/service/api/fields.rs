//! What the fields of many requests have in common.

use tidegate_catalog::{PageRequest, ResourceName};
use tidegate_types::{Error, ErrorCode, Result};

/// The page that a call asks for; the catalog bounds its size.
pub(super) fn page(size: i32, token: &str) -> Result<PageRequest> {
    let size =
        usize::try_from(size).map_err(|_| invalid(format!("page_size {size} is less than 0")))?;
    let token = Some(token.to_owned()).filter(|token| !token.is_empty());
    Ok(PageRequest { size, token })
}

/// A field that must be there.
pub(super) fn missing(field: &str) -> Error {
    invalid(format!("the field '{field}' is missing"))
}

/// A field that cannot be.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}

/// The revision that a caller has seen; none if it does not say.
pub(super) fn etag(text: &str) -> Result<Option<u64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let malformed =
        |_| Error::new(ErrorCode::Conflict, format!("etag '{text}' is of nothing here"));
    text.parse().map(Some).map_err(malformed)
}

/// Id of the project that a field names.
pub(super) fn project(name: &str) -> Result<String> {
    match name.parse()? {
        ResourceName::Project(project) => Ok(project),
        _ => Err(invalid(format!("'{name}' is not the name of a project (projects/…)"))),
    }
}

/// Id of the tenant that a field names.
pub(super) fn tenant(name: &str) -> Result<String> {
    match name.parse()? {
        ResourceName::Tenant(tenant) => Ok(tenant),
        _ => Err(invalid(format!("'{name}' is not the name of a tenant (tenants/…)"))),
    }
}

/// A moment, milliseconds since the epoch.
pub(super) fn milliseconds(
    field: &str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<i64>> {
    let Some(time) = time else { return Ok(None) };
    let ms = time.seconds.checked_mul(1_000);
    let ms = ms.and_then(|ms| ms.checked_add(i64::from(time.nanos) / 1_000_000));
    ms.map(Some).ok_or_else(|| invalid(format!("{field} is out of range")))
}

/// Which fields an update changes.
pub(super) struct Mask(Vec<String>);

impl Mask {
    /// From a mask, all of whose paths must be among these; none means all.
    pub(super) fn new(mask: Option<prost_types::FieldMask>, known: &[&str]) -> Result<Self> {
        let paths = mask.map(|mask| mask.paths).unwrap_or_default();
        match paths.iter().find(|path| !known.contains(&path.as_str())) {
            Some(path) => {
                Err(invalid(format!("update_mask: '{path}' is not one of {}", known.join(", "))))
            }
            None => Ok(Self(paths)),
        }
    }

    /// Whether a field is changed.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|path| path == field)
    }
}

/// Serves the methods of a service by functions of [`super::Api`] with their names, which take and give the messages
/// alone. Those that need workers are passed on to the leader and served there by a function of another name.
macro_rules! serve {
    (
        $service:ident { $($method:ident($request:ident) -> $response:ident;)* }
        $(on the leader {
            $($led:ident($led_request:ident) -> $led_response:ident by $function:ident, $client:ident;)*
        })?
    ) => {
        #[async_trait::async_trait]
        impl $service for $crate::service::api::Api {
            $(
                async fn $method(
                    &self,
                    request: tonic::Request<api::$request>,
                ) -> Result<tonic::Response<api::$response>, tonic::Status> {
                    let work = $crate::service::api::Api::$method(self, request.into_inner());
                    $crate::service::api::answer(Box::pin(work).await)
                }
            )*
            $($(
                async fn $led(
                    &self,
                    request: tonic::Request<api::$led_request>,
                ) -> Result<tonic::Response<api::$led_response>, tonic::Status> {
                    match self.leader(request.metadata()) {
                        Ok(None) => {
                            let work = $crate::service::api::Api::$function(self, request.into_inner());
                            $crate::service::api::answer(Box::pin(work).await)
                        }
                        Ok(Some(leader)) => {
                            let request = $crate::service::api::passed_on(request);
                            $client::new(leader).$led(request).await
                        }
                        Err(error) => $crate::service::api::answer(Err(error)),
                    }
                }
            )*)?
        }
    };
}
pub(super) use serve;
