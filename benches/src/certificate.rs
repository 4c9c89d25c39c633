//! The certificate of the encrypted servers.

use std::io;
use std::path::Path;

use rcgen::{CertifiedKey, generate_simple_self_signed};

/// Creates a certificate with its key in this directory. Returns the variables of the environment
/// that name the files to a server.
pub(crate) fn create(directory: &Path) -> io::Result<Vec<(&'static str, String)>> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
    let files = [
        ("TLS_CERT", "bench.crt", cert.pem()),
        ("TLS_KEY", "bench.key", signing_key.serialize_pem()),
    ];
    let mut variables = Vec::new();
    for (variable, name, pem) in files {
        let path = directory.join(name);
        std::fs::write(&path, pem)?;
        variables.push((variable, path.to_string_lossy().into_owned()));
    }
    Ok(variables)
}
