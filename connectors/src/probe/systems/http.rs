//! A service that answers HTTP requests.

use reqwest::Url;
use tidegate_connector_spec::data_source::{Parameters, headers};

use super::{Result, invalid};
use crate::probe::http::{Credentials, Site};
use crate::probe::report::{Failure, What};
use crate::probe::trace::Trace;

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let url = parameters.required("base-url").map_err(invalid)?;
    let url = Url::parse(url).map_err(|_| Failure::protocol(url, "it is no URL", "mend it"))?;
    let text = |name: &str| parameters.text(name).unwrap_or_default();
    let authentication = text("authentication").to_ascii_lowercase();
    let credentials = match authentication.as_str() {
        "basic" => Credentials::basic(parameters.text("username"), parameters.text("password")),
        "bearer" => Credentials::header("Authorization", &format!("Bearer {}", text("token")))?,
        "api-key" => Credentials::header(text("api-key-header"), text("api-key"))?,
        _ => Credentials::None,
    };
    let site = Site::open(trace, url, parameters.text("ca-certificate"), credentials).await?;
    let pairs = headers(text("headers"))
        .map_err(|part| Failure::protocol(part, "it is not Name:value", "mend 'headers'"))?;
    let site = site.with_headers(&pairs)?;
    let what = if authentication == "none" { What::Ask } else { What::Authenticate };
    site.step(trace, what, text("test-path"), "ask for 'test-path'").await.map(drop)
}
