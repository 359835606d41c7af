//! Whether the server took part in the TLS handshake to its end.
//!
//! Under TLS 1.3 a client has done its part before the server has looked at its certificate, and
//! requests are under way when it is refused (RFC 8446 §2, §4.4.2.4).

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::AlertDescription;

/// What a connection knows of its handshake.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    /// An answer came: it ended well.
    stands: AtomicBool,
    refused: Mutex<Option<AlertDescription>>,
}

impl Handshake {
    /// Notes that the server answers requests.
    pub(super) fn stands(&self) {
        if !self.stands.load(Ordering::Relaxed) {
            self.stands.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn alerted(&self, alert: AlertDescription) {
        if !self.stands.load(Ordering::Relaxed) && is_of_handshake(alert) {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(alert);
        }
    }

    /// Why the server refused it: no byte of a request was looked at then.
    pub(super) fn refused(&self) -> Option<AlertDescription> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Alerts that only a handshake can cause (RFC 8446 §6.2); others may be about what followed it.
fn is_of_handshake(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::InsufficientSecurity
            | Alert::CertificateRequired
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_refuses_the_handshake_only_before_an_answer() {
        let handshake = Handshake::default();
        handshake.alerted(AlertDescription::InternalError);
        assert_eq!(handshake.refused(), None);
        handshake.alerted(AlertDescription::UnknownCA);
        assert_eq!(handshake.refused(), Some(AlertDescription::UnknownCA));

        let handshake = Handshake::default();
        handshake.stands();
        handshake.alerted(AlertDescription::AccessDenied);
        assert_eq!(handshake.refused(), None);
    }
}
