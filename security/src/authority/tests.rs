//! Certificates that fit, and what is refused.

use super::*;
use crate::identity::Identity;
use crate::role::NodeRole;

const NOW: Validity = Validity { now_ms: 1_760_000_000_000, days: 30 };

fn node(hosts: &[&str], roles: NodeRoles) -> NodeRequest {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    NodeRequest { name: "n".to_owned(), hosts, roles }
}

fn provider() {
    // As the binary does when it starts; another test may have done it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[test]
fn certificates_bear_the_roles_that_they_were_made_for() {
    provider();
    let authority = Authority::create("test", NOW).unwrap();
    for roles in [NodeRoles::ALL, NodeRoles::only(NodeRole::Worker), NodeRoles::default()] {
        let issued = authority.issue(&node(&["a.b", "*.c", "::1"], roles), NOW).unwrap();
        let identity =
            Identity::new(authority.own().certificate.clone(), issued.certificate, issued.key);
        assert_eq!(identity.unwrap().roles(), roles);
    }
}

#[test]
fn an_authority_that_was_kept_signs_what_the_new_one_would() {
    provider();
    let made = Authority::create("test", NOW).unwrap();
    let Issued { certificate, key } = made.own();
    let kept = Authority::open(certificate.clone(), key.clone()).unwrap();
    let issued = kept.issue(&node(&["h"], NodeRoles::ALL), NOW).unwrap();
    let leaf = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let root = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let anchor = webpki::anchor_from_trusted_cert(&root).unwrap();
    let verify = |ms: u64| {
        EndEntityCert::try_from(&leaf)
            .unwrap()
            .verify_for_usage(
                rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all,
                std::slice::from_ref(&anchor),
                &[],
                rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_millis(ms)),
                webpki::KeyUsage::client_auth(),
                None,
                None,
            )
            .map(drop)
    };
    verify(NOW.now_ms).unwrap();
    assert!(verify(NOW.now_ms + 31 * 86_400_000).is_err(), "it counts for 30 days");
    let other = Authority::create("test", NOW).unwrap();
    let error = Authority::open(certificate.clone(), other.own().key.clone()).err().unwrap();
    assert!(error.to_string().contains("not that of its certificate"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    provider();
    let authority = Authority::create("test", NOW).unwrap();
    for host in ["", "a:7411", "a b", "http://a", "a..b"] {
        let error = authority.issue(&node(&[host], NodeRoles::ALL), NOW).err().unwrap();
        assert!(error.to_string().contains(&format!("'{host}'")), "{error}");
    }
    let (ca, issue) = (authority.own().certificate.clone(), |name: &str| {
        authority.issue(&node(&[name], NodeRoles::ALL), NOW).unwrap()
    });
    let (one, two) = (issue("one"), issue("two"));
    let refused = |ca: &str, certificate: &str, key: &str| {
        Identity::new(ca.to_owned(), certificate.to_owned(), key.to_owned())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&ca, &one.certificate, &two.key).contains("do not fit"));
    assert!(refused("", &one.certificate, &one.key).contains("authority: there is none"));
    assert!(refused(&ca, "", &one.key).contains("no certificate"));
    assert!(refused(&ca, &one.certificate, "").contains("the key cannot be read"));
}
