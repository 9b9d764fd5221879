//! English.

use web::i18n::Phrase;

use super::HealthText;

pub(super) const TEXT: HealthText = HealthText {
    health: "Health",
    health_title: "Health of the services",
    all_ready: "All services listed here are ready.",
    some_not_ready: Phrase("Not ready: {}"),
    some_unknown: Phrase("No service reports a problem; not known: {}"),
    service: "Service",
    state: "State",
    problem: "What is wrong",
    since: "Since",
    version: "Version",
    ready: "Ready",
    not_ready: "Not ready",
    unknown: "Unknown",
    database: "The database does not answer, is full or is only readable. Check that it runs and that its disk has space.",
    ldap: "The LDAP server does not answer. Check that it runs, and the address and password for it.",
    clock: "The clock of this machine differs from that of the database. Check that both are synchronised.",
    starting: "The service is starting.",
    shutting_down: "The service is shutting down.",
    other_check: Phrase("“{}” has failed. The log of the service says why; a restart begins anew."),
    remote_not_ready: "The service runs and says that it is not ready. Its log and “/readyz” of its debug server say why.",
    remote_unknown: "The service runs, and does not say whether it is ready.",
    remote_unreachable: "No connection can be made. Check that the service runs, and its endpoint and TLS in the settings of the account pages.",
    remote_no_answer: "The service did not answer within two seconds. It may be overloaded, or the network is down.",
    others: "Services in other processes that these pages do not call are not listed. “doorward health” and their debug servers say how they are.",
    certificates: "Certificates",
    listener: "Listener",
    valid_from: "Valid from",
    valid_until: "Valid until",
    certificate_valid: "Valid",
    certificate_ends_soon: "Ends within two weeks: renew it",
    certificate_early: "Not valid yet",
    certificate_expired: "Expired: renew it now",
    keys: "Signing keys in use",
    key_id: "Key ID",
    algorithm: "Algorithm",
    signs_since: "Signs since",
};
