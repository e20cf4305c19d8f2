//! Whether a cluster answers, and what to do if it does not.

use arrow_kafka::Distrust;
use connectors::admin::{Admin, TopicDescription};
use connectors::reach::Cause;

use crate::Error;

/// All topics of the cluster, by name.
///
/// # Errors
/// [`Error::Unreachable`], at the latest after ten seconds.
pub(crate) fn topics(admin: &Admin) -> Result<Vec<TopicDescription>, Error> {
    admin.reach().map_err(|why| Error::Unreachable { cluster: admin.cluster().to_string(), why })
}

/// What to do about it.
pub(crate) fn fix(cause: Cause) -> &'static str {
    match cause {
        Cause::UnknownHost => "correct the host in `bootstrap_servers`, or this machine's DNS",
        Cause::NothingListens => "start the broker, or correct the port in `bootstrap_servers`",
        Cause::WantsTls => {
            "set `security_protocol` to `SSL` or `SASL_SSL`, or use the broker's port without TLS"
        }
        Cause::NoTls => {
            "use the broker's TLS port, or set `security_protocol` to `PLAINTEXT` or `SASL_PLAINTEXT`"
        }
        Cause::Certificate(Distrust::UnknownAuthority) => {
            "name the file with the broker's authority (PEM) in `ssl_ca_location`"
        }
        Cause::Certificate(Distrust::Expired) => "renew the broker's certificate",
        Cause::Certificate(Distrust::NotYetValid) => {
            "check the clocks of this machine and of who made the broker's certificate"
        }
        Cause::Certificate(Distrust::OtherHost) => {
            "write the host in `bootstrap_servers` as the certificate names it, or add the name to the certificate"
        }
        Cause::Certificate(Distrust::Revoked | Distrust::Other(_)) => {
            "have the broker's certificate renewed"
        }
        Cause::OwnCertificateMissing => {
            "name certificate and key (PEM) in `ssl_certificate_location` and `ssl_key_location`"
        }
        Cause::OwnCertificateRefused => {
            "check that the certificate in `ssl_certificate_location` has not expired and that the broker trusts its authority"
        }
        Cause::Credentials => "check `sasl_username`, `sasl_password` and `sasl_mechanism`",
        Cause::Mechanism => "set `sasl_mechanism` to one that the message says the broker offers",
        Cause::Silence => {
            "check that a broker runs there, that `security_protocol` fits its port, and that no firewall is between"
        }
    }
}
