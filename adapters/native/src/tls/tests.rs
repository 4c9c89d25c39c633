//! Certificates and keys from PEM.

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::*;

fn pem() -> (String, String) {
    let localhost = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(localhost).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

#[test]
fn a_chain_and_its_key_make_tls() {
    let (chain, key) = pem();
    Tls::from_pem(&chain, &key).unwrap();
    let both = format!("# a comment\n{key}\n{chain}");
    Tls::from_pem(&both, &both).unwrap();
    Tls::from_pem(both.replace('\n', "\r\n"), &both).unwrap();
}

#[test]
fn each_error_names_what_is_wrong() {
    let (chain, key) = pem();
    let error = |chain: &str, key: &str| Tls::from_pem(chain, key).unwrap_err();
    assert!(matches!(error(&key, &key), TlsError::NoCertificate));
    assert!(matches!(error("", &key), TlsError::NoCertificate));
    assert!(matches!(error(&chain, &chain), TlsError::NoKey));
    assert!(matches!(error(&chain, ""), TlsError::NoKey));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(matches!(error(&chain, &encrypted), TlsError::EncryptedKey));
    let (_, anothers) = pem();
    assert!(matches!(error(&chain, &anothers), TlsError::Mismatch));
    // The text that a `main` prints.
    assert_eq!(
        format!("{:?}", error(&chain, &anothers)),
        "the private key does not belong to the first certificate of the chain"
    );
    // Cut off in the middle of a section.
    let half = |text: &str| text[..text.len() / 2].to_owned();
    assert!(matches!(
        error(&half(&chain), &key),
        TlsError::CertificatePem(_)
    ));
    assert!(matches!(error(&chain, &half(&key)), TlsError::KeyPem(_)));
    // Valid base64 with other contents.
    let section =
        |label: &str| format!("-----BEGIN {label}-----\naGVsbG8gd29ybGQ=\n-----END {label}-----\n");
    assert!(matches!(
        error(&section("CERTIFICATE"), &key),
        TlsError::Certificate(_)
    ));
    assert!(matches!(
        error(&chain, &section("PRIVATE KEY")),
        TlsError::Key(_)
    ));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = std::env::temp_dir().join("crossws-there-is-no-such-file.pem");
    let error = Tls::from_pem_files(&missing, &missing).unwrap_err();
    assert!(matches!(&error, TlsError::File { path, .. } if *path == missing));
    assert!(error.to_string().contains("crossws-there-is-no-such-file"));
}
