//! Encryption: who an engine is must be vouched for, by the system's certificates or by a file of the user's.

use super::{Access, Trouble};
use crate::engine::EngineFault;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// What is needed to begin an encrypted conversation; nothing where the address asks for none.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Tls {
    /// Prepares encryption if the address asks for it. `protocols` are what is spoken inside.
    pub(super) fn prepare(access: &Access, protocols: &[&[u8]]) -> Result<Option<Tls>, Trouble> {
        if !access.address.encrypted {
            return match &access.ca {
                Some(path) => Err(Trouble::new(
                    EngineFault::Unreachable,
                    format!("{} is given, but the address asks for no encryption", path.display()),
                )),
                None => Ok(None),
            };
        }
        let name = ServerName::try_from(access.address.host.clone()).map_err(|e| {
            Trouble::new(EngineFault::Unreachable, "no certificate can bear this name").because(e)
        })?;
        let roots = access.ca.as_deref().map_or_else(of_system, of_file)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.expect("the provider has the protocols of its own crate");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        Ok(Some(Tls { config: Arc::new(config), name }))
    }
}

fn of_file(path: &Path) -> Result<RootCertStore, Trouble> {
    let shown = path.display();
    let no_file = |e: rustls::pki_types::pem::Error| {
        Trouble::new(EngineFault::Unreachable, format!("cannot read the certificates in {shown}")).because(e)
    };
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(path).map_err(no_file)? {
        roots.add(found.map_err(no_file)?).map_err(|e| {
            Trouble::new(EngineFault::Unreachable, format!("a certificate in {shown} is none")).because(e)
        })?;
    }
    if roots.is_empty() {
        return Err(Trouble::new(EngineFault::Unreachable, format!("{shown} holds no certificate"))
            .help("a file in PEM is expected: -----BEGIN CERTIFICATE-----"));
    }
    Ok(roots)
}

fn of_system() -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Trouble::new(EngineFault::Unreachable, "this machine has no certificates to trust")
            .help("install them (Debian: ca-certificates), or name a file with the engine's own"));
    }
    Ok(roots)
}
