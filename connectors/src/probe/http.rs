//! Asking over HTTP: a client that connects to checked addresses only, follows nothing, and reads bounded answers.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::Value;

use super::report::{Failure, Reason, What};
use super::tls::{self, Verification};
use super::trace::Trace;
use super::{address, tcp};
use crate::causes::causes;

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 8 << 20;

/// Who asks.
#[derive(Clone)]
pub(super) enum Credentials {
    None,
    Basic {
        user: String,
        password: String,
    },
    /// A header with a secret value.
    Header {
        name: HeaderName,
        value: HeaderValue,
    },
}

impl Credentials {
    /// User and password, if there is a user.
    pub(super) fn basic(user: Option<&str>, password: Option<&str>) -> Self {
        match user {
            Some(user) => Self::Basic {
                user: user.to_owned(),
                password: password.unwrap_or_default().to_owned(),
            },
            None => Self::None,
        }
    }

    /// A secret in a header.
    pub(super) fn header(name: &str, value: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::new(Reason::Protocol, what.to_owned(), "use visible ASCII letters only")
        };
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("the name of the header is none"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| wrong("the secret has letters that a header cannot have"))?;
        value.set_sensitive(true);
        Ok(Self::Header { name, value })
    }

    fn who(&self) -> &str {
        match self {
            Self::Basic { user, .. } => user,
            Self::None => "nobody",
            Self::Header { .. } => "the key",
        }
    }
}

/// A server at an address.
pub(super) struct Site {
    url: Url,
    client: Client,
    credentials: Credentials,
    headers: HeaderMap,
    /// `host:port`, for messages.
    pub(super) place: String,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; NULL if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A client for a host whose addresses were checked, after a connection and, for https, a handshake
/// have shown that it is there.
pub(super) async fn client(
    trace: &mut Trace<'_>,
    url: &Url,
    authorities: Option<&str>,
) -> Result<(Client, String), Failure> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let place = format!("{host}:{port}");
    let addresses = address::resolve(trace, &host, port).await?;
    let stream = tcp::connect(trace, &place, &addresses).await?;
    let settings = tls::settings(Verification::Full, authorities, None)?;
    if url.scheme() == "https" {
        drop(tls::begin(trace, &place, &host, &settings, stream).await?);
    }
    let client = Client::builder()
        .use_preconfigured_tls(settings)
        .resolve_to_addrs(&host, &addresses)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(trace.left())
        .build();
    let client = client.map_err(|error| {
        Failure::protocol(&place, &error.to_string(), "report this as a defect")
    })?;
    Ok((client, place))
}

impl Site {
    /// Goes to the server.
    pub(super) async fn open(
        trace: &mut Trace<'_>,
        url: Url,
        authorities: Option<&str>,
        credentials: Credentials,
    ) -> Result<Self, Failure> {
        if let Credentials::Basic { user, password } = &credentials {
            use base64::Engine as _;
            let both = format!("{user}:{password}");
            let encoded = base64::engine::general_purpose::STANDARD.encode(&both);
            trace.redaction.add(encoded);
        }
        let (client, place) = client(trace, &url, authorities).await?;
        Ok(Self { url, client, credentials, headers: HeaderMap::new(), place })
    }

    /// With more headers in each request.
    pub(super) fn with_headers(mut self, pairs: &[(&str, &str)]) -> Result<Self, Failure> {
        for (name, value) in pairs {
            if let Credentials::Header { name, value } = Credentials::header(name, value)? {
                self.headers.insert(name, value);
            }
        }
        Ok(self)
    }

    fn request(&self, path: &str) -> RequestBuilder {
        let mut url = self.url.clone();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let base = self.url.path().trim_end_matches('/');
        url.set_path(&format!("{base}/{}", path.trim_start_matches('/')));
        url.set_query((!query.is_empty()).then_some(query));
        let request = self.client.request(Method::GET, url).headers(self.headers.clone());
        match &self.credentials {
            Credentials::None => request,
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password)),
            Credentials::Header { name, value } => request.header(name, value),
        }
    }

    /// Asks for a path below the address; whatever is answered is an answer.
    pub(super) async fn ask(&self, path: &str) -> Result<Answer, Failure> {
        self.ask_for(path, "application/json").await
    }

    pub(super) async fn ask_for(&self, path: &str, accept: &str) -> Result<Answer, Failure> {
        let away = |error: &reqwest::Error| {
            let said = causes(error).last().map(ToString::to_string).unwrap_or_default();
            let reason = if error.is_timeout() { Reason::Timeout } else { Reason::Protocol };
            Failure::new(
                reason,
                format!("{} does not answer as expected: {said}", self.place),
                "see that it is an HTTP server, and whether it wants https",
            )
        };
        let request = self.request(path).header("Accept", accept);
        let mut response = request.send().await.map_err(|error| away(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| away(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let said = format!("an answer of more than {MAX_ANSWER} bytes");
                return Err(Failure::protocol(&self.place, &said, "ask for less"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }

    /// The failure of a status that is not a success.
    pub(super) fn refusal(&self, answer: &Answer, what: &str) -> Failure {
        let said: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
        let (place, status) = (&self.place, answer.status);
        match status {
            401 => {
                Failure::refused_login(place, self.credentials.who(), &format!("{status} {said}"))
            }
            403 => Failure::new(
                Reason::Permission,
                format!("{place} does not let {} {what}: {status} {said}", self.credentials.who()),
                "give the user the right to do it",
            ),
            300..=399 => Failure::new(
                Reason::Protocol,
                format!("{place} points elsewhere ({status}), which is not followed"),
                "use the address that it points to",
            ),
            _ => Failure::protocol(
                place,
                &format!("{status} {said}"),
                "mend the address; see the server's log",
            ),
        }
    }

    /// As a step: asks, and takes anything but a success for a failure.
    pub(super) async fn step(
        &self,
        trace: &mut Trace<'_>,
        what: What,
        path: &str,
        doing: &str,
    ) -> Result<Answer, Failure> {
        let work = async {
            let answer = self.ask(path).await?;
            if !(200..300).contains(&answer.status) {
                return Err(self.refusal(&answer, doing));
            }
            let detail = format!("{} answers {}", self.place, answer.status);
            Ok((answer, detail))
        };
        trace.step(what, &self.place, work).await
    }
}
