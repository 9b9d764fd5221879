//! What the page for sign-in methods says, in each language.

use web::i18n::{Language, Phrase};

/// All that the page says in one language.
#[derive(Debug)]
pub(in crate::http::pages) struct SecurityWords {
    /// The heading of the page.
    pub(in crate::http::pages) title: &'static str,
    /// What the page is for.
    pub(in crate::http::pages) lead: &'static str,
    /// The heading of the authenticator app.
    pub(in crate::http::pages) app: &'static str,
    /// Since when there is one.
    pub(in crate::http::pages) app_since: Phrase,
    /// When it was last used.
    pub(in crate::http::pages) app_used: Phrase,
    /// It was never used.
    pub(in crate::http::pages) app_unused: &'static str,
    /// There is none.
    pub(in crate::http::pages) app_none: &'static str,
    /// The button that adds one.
    pub(in crate::http::pages) add: &'static str,
    /// The button that replaces it.
    pub(in crate::http::pages) replace: &'static str,
    /// The button that removes it.
    pub(in crate::http::pages) remove: &'static str,
    /// Why it cannot be removed.
    pub(in crate::http::pages) required: &'static str,
    /// It was removed.
    pub(in crate::http::pages) app_removed: &'static str,
    /// The heading of the passkeys.
    pub(in crate::http::pages) passkeys: &'static str,
    /// What they are.
    pub(in crate::http::pages) passkeys_lead: &'static str,
    /// The link to them.
    pub(in crate::http::pages) to_passkeys: &'static str,
    /// The heading of the recovery codes.
    pub(in crate::http::pages) codes: &'static str,
    /// How many are left.
    pub(in crate::http::pages) codes_left: Phrase,
    /// What they are for.
    pub(in crate::http::pages) codes_lead: &'static str,
    /// The button that makes new ones.
    pub(in crate::http::pages) make_codes: &'static str,
    /// The heading of the trusted devices.
    pub(in crate::http::pages) devices: &'static str,
    /// How many there are.
    pub(in crate::http::pages) devices_count: Phrase,
    /// For how long they are trusted.
    pub(in crate::http::pages) devices_lead: &'static str,
    /// The button that forgets them.
    pub(in crate::http::pages) forget_devices: &'static str,
    /// They were forgotten.
    pub(in crate::http::pages) devices_forgotten: &'static str,
    /// The link to the account pages.
    pub(in crate::http::pages) to_account: &'static str,
    /// The heading of the form that adds an app.
    pub(in crate::http::pages) add_title: &'static str,
    /// What it is for.
    pub(in crate::http::pages) add_lead: &'static str,
    /// The heading of the form that replaces it.
    pub(in crate::http::pages) replace_title: &'static str,
    /// What ends then.
    pub(in crate::http::pages) replace_lead: &'static str,
    /// The first step.
    pub(in crate::http::pages) scan: &'static str,
    /// What the picture is, for those who do not see it.
    pub(in crate::http::pages) picture: &'static str,
    /// Before the secret as text.
    pub(in crate::http::pages) secret: &'static str,
    /// The second step.
    pub(in crate::http::pages) code: &'static str,
    /// The link that goes back.
    pub(in crate::http::pages) cancel: &'static str,
    /// The heading of the page that asks.
    pub(in crate::http::pages) remove_title: &'static str,
    /// What ends then.
    pub(in crate::http::pages) remove_means: &'static str,
}

/// What the page says in this language.
pub(in crate::http::pages) const fn words(language: Language) -> &'static SecurityWords {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

const ENGLISH: SecurityWords = SecurityWords {
    title: "How you sign in",
    lead: "Besides your password, a second factor protects your account. Here you set it up, and change it.",
    app: "Authenticator app",
    app_since: Phrase("Set up on {}."),
    app_used: Phrase("Last used on {}."),
    app_unused: "Not used yet.",
    app_none: "You have not set up an app. With one, signing in takes a code from your phone or computer besides the password.",
    add: "Add an app",
    replace: "Replace the app",
    remove: "Remove the app",
    required: "Your account needs a second factor. So you can replace the app, but not remove it.",
    app_removed: "The app is removed. No device is trusted any more.",
    passkeys: "Passkeys",
    passkeys_lead: "With a passkey you sign in by your fingerprint, face or PIN.",
    to_passkeys: "Manage passkeys",
    codes: "Recovery codes",
    codes_left: Phrase("Codes left: {}"),
    codes_lead: "Without the app, each code lets you in once. New codes replace the former ones, which then do not work any more.",
    make_codes: "Make new codes",
    devices: "Trusted devices",
    devices_count: Phrase("Devices on which you are not asked for a code: {}"),
    devices_lead: "Trust ends after 30 days, and when you change your password or the app.",
    forget_devices: "Forget all devices",
    devices_forgotten: "No device is trusted any more.",
    to_account: "Back to your account",
    add_title: "Add an authenticator app",
    add_lead: "From then on, signing in takes a code from this app besides your password.",
    replace_title: "Replace the authenticator app",
    replace_lead: "When you confirm the new app, the former one, its recovery codes and all trusted devices end. You get new recovery codes.",
    scan: "Scan this picture with the app.",
    picture: "QR code with the secret for the app",
    secret: "Or enter this secret by hand:",
    code: "Then enter the code that the app shows",
    cancel: "Cancel",
    remove_title: "Remove the authenticator app?",
    remove_means: "Without a second factor, whoever knows your password can sign in. Your recovery codes and trusted devices end too. You stay signed in.",
};

const GERMAN: SecurityWords = SecurityWords {
    title: "So melden Sie sich an",
    lead: "Außer dem Passwort schützt ein zweiter Faktor Ihr Konto. Hier richten Sie ihn ein und ändern ihn.",
    app: "Authenticator-App",
    app_since: Phrase("Eingerichtet am {}."),
    app_used: Phrase("Zuletzt benutzt am {}."),
    app_unused: "Noch nicht benutzt.",
    app_none: "Sie haben keine App eingerichtet. Mit einer App braucht die Anmeldung außer dem Passwort einen Code von Ihrem Telefon oder Computer.",
    add: "App hinzufügen",
    replace: "App ersetzen",
    remove: "App entfernen",
    required: "Ihr Konto braucht einen zweiten Faktor. Deshalb können Sie die App ersetzen, aber nicht entfernen.",
    app_removed: "Die App ist entfernt. Kein Gerät ist mehr vertrauenswürdig.",
    passkeys: "Passkeys (Zugangsschlüssel)",
    passkeys_lead: "Mit einem Passkey melden Sie sich mit Fingerabdruck, Gesicht oder PIN an.",
    to_passkeys: "Passkeys verwalten",
    codes: "Wiederherstellungscodes",
    codes_left: Phrase("Verbleibende Codes: {}"),
    codes_lead: "Ohne die App können Sie sich mit jedem Code einmal anmelden. Neue Codes ersetzen die bisherigen, die dann nicht mehr gelten.",
    make_codes: "Neue Codes erstellen",
    devices: "Vertrauenswürdige Geräte",
    devices_count: Phrase("Geräte, auf denen kein Code verlangt wird: {}"),
    devices_lead: "Das Vertrauen endet nach 30 Tagen, und wenn Sie Ihr Passwort oder die App ändern.",
    forget_devices: "Alle Geräte vergessen",
    devices_forgotten: "Kein Gerät ist mehr vertrauenswürdig.",
    to_account: "Zurück zu Ihrem Konto",
    add_title: "Authenticator-App hinzufügen",
    add_lead: "Von da an braucht die Anmeldung außer dem Passwort einen Code aus dieser App.",
    replace_title: "Authenticator-App ersetzen",
    replace_lead: "Wenn Sie die neue App bestätigen, gelten die bisherige, ihre Wiederherstellungscodes und alle vertrauenswürdigen Geräte nicht mehr. Sie erhalten neue Wiederherstellungscodes.",
    scan: "Scannen Sie dieses Bild mit der App.",
    picture: "QR-Code mit dem Geheimnis für die App",
    secret: "Oder geben Sie dieses Geheimnis von Hand ein:",
    code: "Geben Sie dann den Code ein, den die App zeigt",
    cancel: "Abbrechen",
    remove_title: "Authenticator-App entfernen?",
    remove_means: "Ohne zweiten Faktor genügt Ihr Passwort zur Anmeldung. Auch Ihre Wiederherstellungscodes und vertrauenswürdigen Geräte gelten dann nicht mehr. Sie bleiben angemeldet.",
};

const FRENCH: SecurityWords = SecurityWords {
    title: "Vos moyens de connexion",
    lead: "En plus du mot de passe, un second facteur protège votre compte. Vous le configurez et le modifiez ici.",
    app: "Application d’authentification",
    app_since: Phrase("Configurée le {}."),
    app_used: Phrase("Dernière utilisation le {}."),
    app_unused: "Pas encore utilisée.",
    app_none: "Vous n’avez configuré aucune application. Avec elle, la connexion demande, en plus du mot de passe, un code de votre téléphone ou ordinateur.",
    add: "Ajouter une application",
    replace: "Remplacer l’application",
    remove: "Supprimer l’application",
    required: "Votre compte exige un second facteur. Vous pouvez donc remplacer l’application, mais pas la supprimer.",
    app_removed: "L’application est supprimée. Plus aucun appareil n’est de confiance.",
    passkeys: "Clés d’accès",
    passkeys_lead: "Avec une clé d’accès, vous vous connectez par empreinte, visage ou code PIN.",
    to_passkeys: "Gérer les clés d’accès",
    codes: "Codes de secours",
    codes_left: Phrase("Codes restants : {}"),
    codes_lead: "Sans l’application, chaque code permet une connexion. De nouveaux codes remplacent les anciens, qui ne fonctionnent alors plus.",
    make_codes: "Créer de nouveaux codes",
    devices: "Appareils de confiance",
    devices_count: Phrase("Appareils sur lesquels aucun code n’est demandé : {}"),
    devices_lead: "La confiance prend fin après 30 jours, et quand vous changez de mot de passe ou d’application.",
    forget_devices: "Oublier tous les appareils",
    devices_forgotten: "Plus aucun appareil n’est de confiance.",
    to_account: "Retour à votre compte",
    add_title: "Ajouter une application d’authentification",
    add_lead: "Ensuite, la connexion demandera, en plus du mot de passe, un code de cette application.",
    replace_title: "Remplacer l’application d’authentification",
    replace_lead: "Quand vous confirmez la nouvelle application, l’ancienne, ses codes de secours et tous les appareils de confiance ne valent plus. Vous recevez de nouveaux codes de secours.",
    scan: "Scannez cette image avec l’application.",
    picture: "QR code contenant le secret pour l’application",
    secret: "Ou saisissez ce secret à la main :",
    code: "Saisissez ensuite le code que l’application affiche",
    cancel: "Annuler",
    remove_title: "Supprimer l’application d’authentification ?",
    remove_means: "Sans second facteur, votre mot de passe suffit pour se connecter. Vos codes de secours et appareils de confiance ne vaudront plus non plus. Votre session reste ouverte.",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(language: Language) -> Vec<String> {
        let table = format!("{:#?}", words(language));
        table.lines().filter_map(|line| line.split_once('"')).map(|(_, rest)| rest.to_owned()).collect()
    }

    #[test]
    fn every_text_is_there_and_translated() {
        let english = texts(Language::English);
        for language in [Language::German, Language::French] {
            let texts = texts(language);
            assert_eq!(texts.len(), english.len());
            for (text, english) in texts.iter().zip(&english) {
                assert!(text != english && text.len() > 3, "{language:?}: {text}");
            }
        }
    }
}
