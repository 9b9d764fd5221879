//! What mails say, in each language.

use web::i18n::{Language, Phrase};

/// All that mails say in one language.
#[derive(Debug)]
pub(super) struct LetterText {
    pub(super) greeting: Phrase,
    // a forgotten password
    pub(super) reset_subject: Phrase,
    pub(super) reset: Phrase,
    pub(super) reset_button: &'static str,
    pub(super) reset_lifetime: &'static str,
    pub(super) reset_ignore: &'static str,
    // an invitation
    pub(super) invitation_subject: Phrase,
    pub(super) invitation: Phrase,
    pub(super) invitation_button: &'static str,
    pub(super) invitation_lifetime: Phrase,
    // a password that was set
    pub(super) changed_subject: Phrase,
    pub(super) changed: Phrase,
    pub(super) changed_warning: &'static str,
    // another mail address
    pub(super) mail_subject: Phrase,
    pub(super) mail: Phrase,
    pub(super) mail_address: Phrase,
    pub(super) mail_button: &'static str,
    pub(super) mail_ignore: &'static str,
    // a mail address that was changed
    pub(super) mail_changed_subject: Phrase,
    pub(super) mail_changed: Phrase,
    pub(super) mail_changed_warning: &'static str,
    // a sign-in
    pub(super) sign_in_subject: Phrase,
    pub(super) sign_in: Phrase,
    pub(super) sign_in_time: Phrase,
    pub(super) sign_in_device: Phrase,
    pub(super) sign_in_address: Phrase,
    pub(super) sign_in_warning: &'static str,
    pub(super) sign_in_button: &'static str,
}

/// What mails say in this language.
pub(super) const fn text(language: Language) -> &'static LetterText {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

const ENGLISH: LetterText = LetterText {
    greeting: Phrase("Hello {},"),
    reset_subject: Phrase("{}: set a new password"),
    reset: Phrase("A new password was requested for the account {}."),
    reset_button: "Set a new password",
    reset_lifetime: "The link works once, for 30 minutes.",
    reset_ignore: "If you did not request it, ignore this message: your password stays as it is.",
    invitation_subject: Phrase("Your account at {}"),
    invitation: Phrase("An account was created for you. Your username is {}."),
    invitation_button: "Set your password",
    invitation_lifetime: Phrase("The link works once, until {}."),
    changed_subject: Phrase("{}: your password was changed"),
    changed: Phrase("The password of the account {} was changed by a link in a mail. All devices were signed out."),
    changed_warning: "If it was not you who changed it, contact your administrator at once.",
    mail_subject: Phrase("{}: confirm your mail address"),
    mail: Phrase("Another mail address was entered for the account {}. It is changed once you confirm it."),
    mail_address: Phrase("New address: {}"),
    mail_button: "Confirm the address",
    mail_ignore: "If you did not request it, ignore this message: nothing is changed.",
    mail_changed_subject: Phrase("{}: your mail address was changed"),
    mail_changed: Phrase("The mail address of the account {} was changed. This address gets no more messages."),
    mail_changed_warning: "If it was not you who changed it, change your password and contact your administrator at once.",
    sign_in_subject: Phrase("{}: sign-in with a new browser"),
    sign_in: Phrase("The account {} was used with a browser that it was not used with before."),
    sign_in_time: Phrase("Time: {}"),
    sign_in_device: Phrase("Browser: {}"),
    sign_in_address: Phrase("Network address: {}"),
    sign_in_warning: "If it was not you, sign out everywhere and change your password.",
    sign_in_button: "Show where you are signed in",
};

const GERMAN: LetterText = LetterText {
    greeting: Phrase("Guten Tag {},"),
    reset_subject: Phrase("{}: neues Passwort festlegen"),
    reset: Phrase("Für das Konto {} wurde ein neues Passwort angefordert."),
    reset_button: "Neues Passwort festlegen",
    reset_lifetime: "Der Link funktioniert einmal und 30 Minuten lang.",
    reset_ignore: "Wenn Sie das nicht angefordert haben, ignorieren Sie diese Nachricht: Ihr Passwort bleibt unverändert.",
    invitation_subject: Phrase("Ihr Konto bei {}"),
    invitation: Phrase("Für Sie wurde ein Konto eingerichtet. Ihr Benutzername ist {}."),
    invitation_button: "Passwort festlegen",
    invitation_lifetime: Phrase("Der Link funktioniert einmal, bis {}."),
    changed_subject: Phrase("{}: Ihr Passwort wurde geändert"),
    changed: Phrase(
        "Das Passwort des Kontos {} wurde über einen Link in einer E-Mail geändert. Alle Geräte wurden abgemeldet.",
    ),
    changed_warning: "Wenn Sie es nicht selbst geändert haben, wenden Sie sich sofort an Ihre Administration.",
    mail_subject: Phrase("{}: bestätigen Sie Ihre E-Mail-Adresse"),
    mail: Phrase("Für das Konto {} wurde eine andere E-Mail-Adresse angegeben. Sie gilt, sobald Sie sie bestätigen."),
    mail_address: Phrase("Neue Adresse: {}"),
    mail_button: "Adresse bestätigen",
    mail_ignore: "Wenn Sie das nicht angefordert haben, ignorieren Sie diese Nachricht: Es wird nichts geändert.",
    mail_changed_subject: Phrase("{}: Ihre E-Mail-Adresse wurde geändert"),
    mail_changed: Phrase(
        "Die E-Mail-Adresse des Kontos {} wurde geändert. An diese Adresse gehen keine Nachrichten mehr.",
    ),
    mail_changed_warning: "Wenn Sie das nicht waren, ändern Sie Ihr Passwort und wenden Sie sich sofort an Ihre Administration.",
    sign_in_subject: Phrase("{}: Anmeldung mit einem neuen Browser"),
    sign_in: Phrase("Das Konto {} wurde mit einem Browser benutzt, mit dem es zuvor nicht benutzt wurde."),
    sign_in_time: Phrase("Zeit: {}"),
    sign_in_device: Phrase("Verwendeter Browser: {}"),
    sign_in_address: Phrase("Netzwerkadresse: {}"),
    sign_in_warning: "Wenn Sie das nicht waren, melden Sie sich überall ab und ändern Sie Ihr Passwort.",
    sign_in_button: "Zeigen, wo Sie angemeldet sind",
};

const FRENCH: LetterText = LetterText {
    greeting: Phrase("Bonjour {},"),
    reset_subject: Phrase("{} : choisir un nouveau mot de passe"),
    reset: Phrase("Un nouveau mot de passe a été demandé pour le compte {}."),
    reset_button: "Choisir un nouveau mot de passe",
    reset_lifetime: "Le lien fonctionne une fois, pendant 30 minutes.",
    reset_ignore: "Si cette demande ne vient pas de vous, ignorez ce message : votre mot de passe ne change pas.",
    invitation_subject: Phrase("Votre compte {}"),
    invitation: Phrase("Un compte a été créé pour vous. Votre nom d’utilisateur est {}."),
    invitation_button: "Choisir votre mot de passe",
    invitation_lifetime: Phrase("Le lien fonctionne une fois, jusqu’au {}."),
    changed_subject: Phrase("{} : votre mot de passe a changé"),
    changed: Phrase(
        "Le mot de passe du compte {} a été changé par un lien reçu par e-mail. Tous les appareils ont été déconnectés.",
    ),
    changed_warning: "Si ce changement ne vient pas de vous, contactez immédiatement votre service d’administration.",
    mail_subject: Phrase("{} : confirmez votre adresse e-mail"),
    mail: Phrase(
        "Une autre adresse e-mail a été saisie pour le compte {}. Elle sera changée quand vous la confirmerez.",
    ),
    mail_address: Phrase("Nouvelle adresse : {}"),
    mail_button: "Confirmer l’adresse",
    mail_ignore: "Si cette demande ne vient pas de vous, ignorez ce message : rien ne change.",
    mail_changed_subject: Phrase("{} : votre adresse e-mail a changé"),
    mail_changed: Phrase("L’adresse e-mail du compte {} a été changée. Cette adresse ne recevra plus de messages."),
    mail_changed_warning: "Si ce changement ne vient pas de vous, changez votre mot de passe et contactez immédiatement votre service d’administration.",
    sign_in_subject: Phrase("{} : connexion avec un nouveau navigateur"),
    sign_in: Phrase("Le compte {} a été utilisé avec un navigateur avec lequel il ne l’avait pas été auparavant."),
    sign_in_time: Phrase("Date : {}"),
    sign_in_device: Phrase("Navigateur : {}"),
    sign_in_address: Phrase("Adresse réseau : {}"),
    sign_in_warning: "Si ce n’était pas vous, déconnectez-vous partout et changez votre mot de passe.",
    sign_in_button: "Voir vos sessions",
};
