//! German.

use web::i18n::Phrase;

use super::HealthText;

pub(super) const TEXT: HealthText = HealthText {
    health: "Zustand",
    health_title: "Zustand der Dienste",
    all_ready: "Alle hier aufgeführten Dienste sind bereit.",
    some_not_ready: Phrase("Nicht bereit: {}"),
    some_unknown: Phrase("Kein Dienst meldet ein Problem; nicht bekannt: {}"),
    service: "Dienst",
    state: "Status",
    problem: "Was nicht stimmt",
    since: "Seit",
    version: "Programmversion",
    ready: "Bereit",
    not_ready: "Nicht bereit",
    unknown: "Unbekannt",
    database: "Die Datenbank antwortet nicht, ist voll oder nur lesbar. Prüfen Sie, ob sie läuft und ob auf ihrem Datenträger Platz ist.",
    ldap: "Der LDAP-Server antwortet nicht. Prüfen Sie, ob er läuft, sowie Adresse und Passwort dafür.",
    clock: "Die Uhr dieses Rechners weicht von der der Datenbank ab. Prüfen Sie, ob beide synchronisiert sind.",
    starting: "Der Dienst startet.",
    shutting_down: "Der Dienst wird beendet.",
    other_check: Phrase(
        "„{}“ ist ausgefallen. Den Grund nennt das Protokoll des Dienstes; ein Neustart beginnt von vorn.",
    ),
    remote_not_ready: "Der Dienst läuft und meldet, dass er nicht bereit ist. Den Grund nennen sein Protokoll und „/readyz“ seines Debug-Servers.",
    remote_unknown: "Der Dienst läuft und meldet nicht, ob er bereit ist.",
    remote_unreachable: "Es kommt keine Verbindung zustande. Prüfen Sie, ob der Dienst läuft, sowie seinen Endpunkt und TLS in den Einstellungen der Kontoseiten.",
    remote_no_answer: "Der Dienst hat nicht innerhalb von zwei Sekunden geantwortet. Vielleicht ist er überlastet oder das Netz gestört.",
    others: "Dienste in anderen Prozessen, die diese Seiten nicht aufrufen, sind nicht aufgeführt. Ihren Zustand nennen „doorward health“ und ihre Debug-Server.",
    certificates: "Zertifikate",
    listener: "Anschluss",
    valid_from: "Gültig ab",
    valid_until: "Gültig bis",
    certificate_valid: "Gültig",
    certificate_ends_soon: "Endet innerhalb von zwei Wochen: erneuern Sie es",
    certificate_early: "Noch nicht gültig",
    certificate_expired: "Abgelaufen: erneuern Sie es jetzt",
    keys: "Verwendete Signaturschlüssel",
    key_id: "Schlüsselkennung",
    algorithm: "Algorithmus",
    signs_since: "Signiert seit",
};
