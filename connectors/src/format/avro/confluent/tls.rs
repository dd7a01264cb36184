//! TLS to a registry: which authorities are trusted, and the certificate that is shown. Both are PEM, in a file or in the
//! option itself, as Kafka's Java client takes them beside the stores of Java.

use std::borrow::Cow;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, Result};

use super::settings::{invalid, property, unsupported};

const TRUSTED_FILE: &str = "ssl.truststore.location";
const OWN_FILE: &str = "ssl.keystore.location";
/// Flink's options for passwords of stores.
const PASSWORDS: [&str; 2] = ["ssl.truststore.password", "ssl.keystore.password"];
/// Properties of the Java client.
const TYPES: [&str; 2] = [
    "properties.schema.registry.ssl.truststore.type",
    "properties.schema.registry.ssl.keystore.type",
];
const TRUSTED_TEXT: &str = "properties.schema.registry.ssl.truststore.certificates";
const OWN_CHAIN: &str = "properties.schema.registry.ssl.keystore.certificate.chain";
const OWN_KEY: &str = "properties.schema.registry.ssl.keystore.key";

const NO_STORES: &str = "stores of Java are not read: give certificates and keys as PEM, without a password, for example \
                         made with keytool and openssl";

/// What is needed to talk to a registry.
///
/// # Errors
/// `INVALID_OPTION` for files that cannot be read or have no certificates; `UNSUPPORTED` for stores of Java.
pub(super) fn settings(options: &FormatOptions) -> Result<ClientConfig> {
    refuse_stores(options)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("TLS: {error}")))?
        .with_root_certificates(authorities(options)?);
    let (chain_at, key_at, chain, key) = match pem_file(options, OWN_FILE)? {
        Some(pem) => (OWN_FILE, OWN_FILE, Cow::Owned(pem.clone()), Cow::Owned(pem)),
        None => match (options.text(OWN_CHAIN), options.text(OWN_KEY)) {
            (None, None) => return Ok(builder.with_no_client_auth()),
            (Some(_), None) => {
                return Err(invalid(options, OWN_KEY, "it is needed beside the certificate"));
            }
            (None, Some(_)) => {
                return Err(invalid(options, OWN_CHAIN, "it is needed beside the key"));
            }
            (Some(chain), Some(key)) => {
                (OWN_CHAIN, OWN_KEY, Cow::Borrowed(chain.as_bytes()), Cow::Borrowed(key.as_bytes()))
            }
        },
    };
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| invalid(options, key_at, format!("no private key: {error}")))?;
    builder
        .with_client_auth_cert(certificates(options, chain_at, &chain)?, key)
        .map_err(|error| invalid(options, key_at, error))
}

fn refuse_stores(options: &FormatOptions) -> Result<()> {
    for key in PASSWORDS {
        if options.text(key).is_some() {
            let key = options.full_key(key);
            return Err(
                Error::unsupported(format!("option '{key}' is not supported")).help(NO_STORES)
            );
        }
    }
    for key in TYPES {
        match options.text(key) {
            Some(kind) if !kind.eq_ignore_ascii_case("PEM") => {
                return Err(unsupported(options, key, kind, NO_STORES));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The authorities whose certificates are taken.
fn authorities(options: &FormatOptions) -> Result<RootCertStore> {
    let given = match (pem_file(options, TRUSTED_FILE)?, options.text(TRUSTED_TEXT)) {
        (Some(pem), _) => Some((TRUSTED_FILE, Cow::Owned(pem))),
        (None, Some(text)) => Some((TRUSTED_TEXT, Cow::Borrowed(text.as_bytes()))),
        (None, None) => None,
    };
    let mut roots = RootCertStore::empty();
    let Some((key, pem)) = given else {
        // Certificates of this machine that cannot be read are passed over, as browsers do.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates(options, key, &pem)? {
        roots.add(certificate).map_err(|error| invalid(options, key, error))?;
    }
    Ok(roots)
}

fn certificates(
    options: &FormatOptions,
    key: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>> {
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| invalid(options, key, error))?;
    if all.is_empty() {
        return Err(invalid(options, key, "there is no certificate in it"));
    }
    Ok(all)
}

/// The content of a PEM file that an option names, or the property that says the same.
fn pem_file(options: &FormatOptions, key: &str) -> Result<Option<Vec<u8>>> {
    let Some(path) =
        options.text(key).or_else(|| property(options, &format!("schema.registry.{key}")))
    else {
        return Ok(None);
    };
    let content = std::fs::read(path)
        .map_err(|error| invalid(options, key, format!("{path} cannot be read: {error}")))?;
    if memchr::memmem::find(&content, b"-----BEGIN").is_none() {
        let key = options.full_key(key);
        let message = format!("option '{key}': {path} is no PEM file");
        return Err(Error::unsupported(message).help(NO_STORES));
    }
    Ok(Some(content))
}
