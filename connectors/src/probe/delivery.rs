//! Telling an outside address of something, with one request.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_types::{Error, ErrorCode, Result};

use super::http;
use super::limits::Limits;
use super::redaction::Redaction;
use super::report::{Failure, Reason, What};
use super::trace::Trace;
use crate::causes::causes;
use crate::env::MonotonicClock;

/// Bytes of an answer that are shown.
const SHOWN: usize = 200;

/// What is told.
#[derive(Debug, Clone)]
pub struct Post {
    /// Where, http or https.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Status; 200 to 299: it was taken.
    pub status: u16,
    /// The beginning of the answer.
    pub said: String,
}

impl Post {
    /// Sends it to an address that may be connected to. Nothing is followed.
    ///
    /// # Errors
    /// `INVALID_OPTION` for an address or a header that is none; what [`Failure::into_error`] makes of the step that
    /// failed.
    pub async fn send(&self, limits: &Limits, clock: &MonotonicClock) -> Result<Posted> {
        let invalid = |what: &str| Error::new(ErrorCode::InvalidOption, what.to_owned());
        let url = Url::parse(&self.url).map_err(|_| invalid("the address is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid("the address is not http:// or https:// with a host"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(invalid("a header has letters that none can have"));
            };
            headers.insert(name, value);
        }
        // What stands behind the host may be a secret between both.
        let secrets = [url.path(), url.query().unwrap_or_default()];
        let redaction = Redaction::new(secrets.into_iter().filter(|text| text.len() > 1));
        let mut trace = Trace::new(clock, limits, redaction);
        let posted = self.post(&mut trace, url, headers).await;
        posted.map_err(|failure| trace.redacted(failure).into_error())
    }

    async fn post(
        &self,
        trace: &mut Trace<'_>,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Posted, Failure> {
        let (client, place) = http::client(trace, &url, None).await?;
        let left: Duration = trace.left();
        let ask = async {
            let request = client.post(url).headers(headers).timeout(left).body(self.body.clone());
            let away = |error: reqwest::Error| {
                let error = error.without_url();
                let said = causes(&error).last().map(ToString::to_string).unwrap_or_default();
                let reason = if error.is_timeout() { Reason::Timeout } else { Reason::Protocol };
                let message = format!("{place} does not answer as expected: {said}");
                Failure::new(reason, message, "see that it is an HTTP server, and its log")
            };
            let mut response = request.send().await.map_err(away)?;
            let status = response.status().as_u16();
            let mut said = Vec::new();
            while said.len() < SHOWN
                && let Some(chunk) = response.chunk().await.map_err(away)?
            {
                said.extend_from_slice(&chunk[..chunk.len().min(SHOWN - said.len())]);
            }
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            Ok((Posted { status, said }, format!("{place} answered {status}")))
        };
        trace.step(What::Ask, &place, ask).await
    }
}
