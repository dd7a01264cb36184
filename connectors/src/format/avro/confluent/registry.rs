//! Asking a schema registry: the schema with a number, the number of a schema.

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode, Url};
use rustls::AlertDescription;
use serde_json::{Value, json};
use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, ErrorCode, Result};

use super::settings::{Credentials, addresses, client, credentials};
use crate::causes::causes;

/// A registry.
pub(super) struct Registry {
    client: Client,
    /// Asked one after the other, until one answers.
    urls: Vec<Url>,
    credentials: Credentials,
    /// The options that help where it cannot be talked to.
    truststore: String,
    keystore: String,
}

/// Times that a registry is asked that does not answer, or cannot now.
const ATTEMPTS: u32 = 4;
/// Pause behind the first time; each later one is four times as long.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest answer, in bytes.
const MAX_ANSWER: usize = 16 << 20;
/// Longest part of a registry's message that is passed on, in bytes.
const MAX_MESSAGE: usize = 500;

/// Why a registry did not give what was asked.
enum Failure {
    /// Another time it may.
    Passing(Error),
    Lasting(Error),
}

impl Registry {
    /// The registry of a table's options. Opens no connection.
    ///
    /// # Errors
    /// `INVALID_OPTION` and `UNSUPPORTED` for options that cannot be acted on.
    pub(super) fn new(options: &FormatOptions) -> Result<Self> {
        let (urls, in_url) = addresses(options)?;
        let credentials = credentials(options, in_url)?;
        Ok(Self {
            client: client(options)?,
            urls,
            credentials,
            truststore: options.full_key("ssl.truststore.location"),
            keystore: options.full_key("ssl.keystore.location"),
        })
    }

    /// Where it is, for messages.
    pub(super) fn describe(&self) -> String {
        let urls: Vec<_> = self.urls.iter().map(Url::as_str).collect();
        format!("the registry at {}", urls.join(", "))
    }

    /// The text of the schema with a number.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is none, `INCOMPATIBLE` if it is none of Avro, `PERMISSION_DENIED`, `UNAVAILABLE`.
    pub(super) async fn schema(&self, number: u32) -> Result<String> {
        let path = ["schemas", "ids", &number.to_string()].map(str::to_owned);
        let doing = format!("fetch schema {number}");
        let answer = self.ask(&doing, Method::GET, &path, None).await?;
        let refuse = |why: String| {
            let message = format!("schema {number} of {}: {why}", self.describe());
            Err(Error::new(ErrorCode::Incompatible, message))
        };
        match answer["schemaType"].as_str() {
            None | Some("AVRO") => {}
            Some(other) => return refuse(format!("it is of {other}, not of Avro")),
        }
        if answer["references"].as_array().is_some_and(|references| !references.is_empty()) {
            return refuse("it refers to other schemas, which is not supported".to_owned());
        }
        match answer["schema"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => refuse("the answer has no schema".to_owned()),
        }
    }

    /// Registers a schema under a subject, unless it is there already. Returns its number.
    ///
    /// # Errors
    /// `INCOMPATIBLE` if the registry refuses it, `PERMISSION_DENIED`, `UNAVAILABLE`.
    pub(super) async fn register(&self, subject: &str, schema: &str) -> Result<u32> {
        let path = ["subjects", subject, "versions"].map(str::to_owned);
        let doing = format!("register the schema of subject '{subject}'");
        let body = json!({ "schema": schema });
        let answer = self.ask(&doing, Method::POST, &path, Some(&body)).await?;
        let number = answer["id"].as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| {
            let message = format!("{doing} at {}: the answer has no number", self.describe());
            Error::new(ErrorCode::Unavailable, message)
        })
    }

    /// Asks, several times if need be.
    async fn ask(
        &self,
        doing: &str,
        method: Method,
        path: &[String],
        body: Option<&Value>,
    ) -> Result<Value> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let mut last = None;
            for url in &self.urls {
                match self.ask_at(url, method.clone(), path, body).await {
                    Ok(answer) => return Ok(answer),
                    Err(Failure::Lasting(error)) => return Err(error.context(doing.to_owned())),
                    Err(Failure::Passing(error)) => last = Some(error),
                }
            }
            if attempt == ATTEMPTS {
                let error = last.unwrap_or_else(|| Error::internal("a registry has no address"));
                return Err(error.context(doing.to_owned()));
            }
            attempt += 1;
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
    }

    async fn ask_at(
        &self,
        url: &Url,
        method: Method,
        path: &[String],
        body: Option<&Value>,
    ) -> std::result::Result<Value, Failure> {
        let mut full = url.clone();
        if let Ok(mut segments) = full.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut request = self
            .client
            .request(method, full)
            .header("Accept", "application/vnd.schemaregistry.v1+json, application/json");
        match &self.credentials {
            Credentials::None => {}
            Credentials::Basic { user, password } => {
                request = request.basic_auth(user, Some(password));
            }
            Credentials::Bearer(token) => request = request.bearer_auth(token),
        }
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .body(body.to_string());
        }
        let away = |error: reqwest::Error| self.unanswered(url, error);
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let bytes = read(response).await.map_err(|error| match error {
            Some(error) => away(error),
            None => {
                let message =
                    format!("the registry at {url} answers with more than {MAX_ANSWER} bytes");
                Failure::Lasting(Error::new(ErrorCode::ResourceExhausted, message))
            }
        })?;
        let answer: Option<Value> = serde_json::from_slice(&bytes).ok();
        if status.is_success() {
            return answer.ok_or_else(|| {
                let message = format!("what answers at {url} is no schema registry");
                Failure::Lasting(
                    Error::new(ErrorCode::InvalidOption, message).help("mend the option 'url'"),
                )
            });
        }
        Err(refusal(url, status, answer.as_ref()))
    }

    /// Why no answer came.
    fn unanswered(&self, url: &Url, error: reqwest::Error) -> Failure {
        // Texts of these errors have the address as it was asked; credentials are in none.
        let cause = causes(&error).last().unwrap_or(&error);
        let message = format!("the registry at {url} does not answer: {cause}");
        let lasting = |help: String| {
            Failure::Lasting(Error::new(ErrorCode::PermissionDenied, message.clone()).help(help))
        };
        match cause.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => lasting(format!(
                "let '{}' name a PEM file with the authority of its certificate, and the address be one that is in it",
                self.truststore
            )),
            Some(rustls::Error::AlertReceived(
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                | AlertDescription::DecryptError
                | AlertDescription::CertificateRequired,
            )) => lasting(format!(
                "it wants another certificate: let '{}' name a PEM file with one and its key",
                self.keystore
            )),
            _ => Failure::Passing(Error::new(ErrorCode::Unavailable, message)),
        }
    }
}

/// The body of an answer; `None`: it is too long.
async fn read(mut response: Response) -> std::result::Result<Vec<u8>, Option<reqwest::Error>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Some)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn refusal(url: &Url, status: StatusCode, answer: Option<&Value>) -> Failure {
    let said = answer.and_then(|answer| answer["message"].as_str()).unwrap_or_default();
    let said: String = said.chars().take(MAX_MESSAGE).collect();
    let message = format!("the registry at {url} answers {status}: {said}");
    let error = |code| Error::new(code, message.trim_end_matches([':', ' ']).to_owned());
    match status {
        StatusCode::NOT_FOUND => Failure::Lasting(error(ErrorCode::NotFound)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Lasting(
            error(ErrorCode::PermissionDenied).help("mend the options 'basic-auth.…' or 'bearer-auth.…'"),
        ),
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Failure::Lasting(
            error(ErrorCode::Incompatible)
                .help("let the new schema be compatible with the ones of its subject, or use another subject"),
        ),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Failure::Passing(error(ErrorCode::Unavailable))
        }
        status if status.is_server_error() => Failure::Passing(error(ErrorCode::Unavailable)),
        _ => Failure::Lasting(error(ErrorCode::InvalidOption)),
    }
}
