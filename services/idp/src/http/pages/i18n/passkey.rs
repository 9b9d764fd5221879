//! What the pages for passkeys say, in each language.

use web::i18n::{Language, Phrase};

/// All that the pages say about passkeys in one language.
#[derive(Debug)]
pub(in crate::http::pages) struct PasskeyWords {
    /// The button that signs in.
    pub(in crate::http::pages) sign_in: &'static str,
    /// The browser has returned no passkey.
    pub(in crate::http::pages) unused: &'static str,
    /// The passkey does not sign in.
    pub(in crate::http::pages) refused: &'static str,
    /// The heading where a passkey is the second factor.
    pub(in crate::http::pages) factor_title: &'static str,
    pub(in crate::http::pages) factor_lead: &'static str,
    /// The field for a recovery code.
    pub(in crate::http::pages) recovery: &'static str,
    /// The heading where an application needs a passkey and the user has none.
    pub(in crate::http::pages) needed_title: &'static str,
    pub(in crate::http::pages) needed: &'static str,
    /// The heading of the list.
    pub(in crate::http::pages) title: &'static str,
    pub(in crate::http::pages) lead: &'static str,
    pub(in crate::http::pages) none: &'static str,
    /// A passkey without a label.
    pub(in crate::http::pages) unnamed: &'static str,
    pub(in crate::http::pages) added: Phrase,
    pub(in crate::http::pages) used: Phrase,
    pub(in crate::http::pages) never_used: &'static str,
    /// It was made for another host.
    pub(in crate::http::pages) for_another_address: &'static str,
    pub(in crate::http::pages) label: &'static str,
    pub(in crate::http::pages) label_hint: &'static str,
    pub(in crate::http::pages) rename: &'static str,
    pub(in crate::http::pages) remove: &'static str,
    pub(in crate::http::pages) add_title: &'static str,
    pub(in crate::http::pages) add: &'static str,
    /// The link to the other factors.
    pub(in crate::http::pages) back: &'static str,
    pub(in crate::http::pages) needs_script: &'static str,
    /// There are no passkeys at this address.
    pub(in crate::http::pages) unavailable: &'static str,
    /// The browser has made no passkey.
    pub(in crate::http::pages) not_made: &'static str,
    pub(in crate::http::pages) not_added: &'static str,
    pub(in crate::http::pages) expired: &'static str,
    pub(in crate::http::pages) limit_reached: &'static str,
    pub(in crate::http::pages) needed_factor: &'static str,
}

/// What the pages say in this language.
pub(in crate::http::pages) const fn words(language: Language) -> &'static PasskeyWords {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

const ENGLISH: PasskeyWords = PasskeyWords {
    sign_in: "Sign in with a passkey",
    unused: "No passkey was used. Try again, or sign in another way.",
    refused: "This passkey was not accepted. Try again, or sign in another way.",
    factor_title: "Use your passkey",
    factor_lead: "Confirm with your passkey that it is you.",
    recovery: "Recovery code",
    needed_title: "A passkey is needed",
    needed: "This sign-in needs a passkey, and you have none yet. Add one, and then start again.",
    title: "Passkeys",
    lead: "A passkey signs you in by the fingerprint, face or PIN of your device or security key. It works for this site only, so it cannot be stolen by a fake one.",
    none: "You have no passkey yet.",
    unnamed: "Passkey",
    added: Phrase("Added on {}"),
    used: Phrase("last used on {}"),
    never_used: "not used yet",
    for_another_address: "For another address: this passkey was made when this site had another address, and does not work here. Add a new one.",
    label: "Name",
    label_hint: "For example where it is stored: phone, laptop, security key.",
    rename: "Rename",
    remove: "Remove",
    add_title: "Add a passkey",
    add: "Add a passkey",
    back: "Other ways to secure your account",
    needs_script: "Passkeys need JavaScript, which is off in this browser.",
    unavailable: "Passkeys are not available at this address.",
    not_made: "No passkey was made. Perhaps this device has one for this site already.",
    not_added: "The passkey was not accepted. Try again, or use another device.",
    expired: "The page was open for too long. Please try again.",
    limit_reached: "You have as many passkeys as are possible. Remove one first.",
    needed_factor: "Your account needs a second factor, and this is the last one. Add another one first.",
};

const GERMAN: PasskeyWords = PasskeyWords {
    sign_in: "Mit Passkey anmelden",
    unused: "Es wurde kein Passkey benutzt. Versuchen Sie es erneut oder melden Sie sich anders an.",
    refused: "Dieser Passkey wurde nicht angenommen. Versuchen Sie es erneut oder melden Sie sich anders an.",
    factor_title: "Passkey benutzen",
    factor_lead: "Bestätigen Sie mit Ihrem Passkey, dass Sie es sind.",
    recovery: "Wiederherstellungscode",
    needed_title: "Ein Passkey ist nötig",
    needed: "Diese Anmeldung braucht einen Passkey, und Sie haben noch keinen. Fügen Sie einen hinzu und beginnen Sie dann neu.",
    title: "Ihre Passkeys",
    lead: "Ein Passkey meldet Sie mit Fingerabdruck, Gesicht oder PIN Ihres Geräts oder Sicherheitsschlüssels an. Er gilt nur für diese Seite und kann daher nicht von einer gefälschten gestohlen werden.",
    none: "Sie haben noch keinen Passkey.",
    unnamed: "Passkey ohne Namen",
    added: Phrase("Hinzugefügt am {}"),
    used: Phrase("zuletzt benutzt am {}"),
    never_used: "noch nicht benutzt",
    for_another_address: "Für eine andere Adresse: Dieser Passkey wurde erstellt, als diese Seite eine andere Adresse hatte, und funktioniert hier nicht. Fügen Sie einen neuen hinzu.",
    label: "Bezeichnung",
    label_hint: "Zum Beispiel, wo er gespeichert ist: Telefon, Laptop, Sicherheitsschlüssel.",
    rename: "Umbenennen",
    remove: "Entfernen",
    add_title: "Passkey hinzufügen",
    add: "Passkey hinzufügen",
    back: "Andere Wege, Ihr Konto zu schützen",
    needs_script: "Passkeys brauchen JavaScript, das in diesem Browser ausgeschaltet ist.",
    unavailable: "An dieser Adresse gibt es keine Passkeys.",
    not_made: "Es wurde kein Passkey erstellt. Vielleicht hat dieses Gerät schon einen für diese Seite.",
    not_added: "Der Passkey wurde nicht angenommen. Versuchen Sie es erneut oder benutzen Sie ein anderes Gerät.",
    expired: "Die Seite war zu lange geöffnet. Bitte versuchen Sie es erneut.",
    limit_reached: "Sie haben so viele Passkeys, wie möglich sind. Entfernen Sie zuerst einen.",
    needed_factor: "Ihr Konto braucht einen zweiten Faktor, und dies ist der letzte. Fügen Sie zuerst einen anderen hinzu.",
};

const FRENCH: PasskeyWords = PasskeyWords {
    sign_in: "Se connecter avec une clé d’accès",
    unused: "Aucune clé d’accès n’a été utilisée. Réessayez ou connectez-vous autrement.",
    refused: "Cette clé d’accès n’a pas été acceptée. Réessayez ou connectez-vous autrement.",
    factor_title: "Utilisez votre clé d’accès",
    factor_lead: "Confirmez votre identité avec votre clé d’accès.",
    recovery: "Code de secours",
    needed_title: "Une clé d’accès est nécessaire",
    needed: "Cette connexion exige une clé d’accès et vous n’en avez pas encore. Ajoutez-en une, puis recommencez.",
    title: "Clés d’accès",
    lead: "Une clé d’accès vous connecte par l’empreinte, le visage ou le code PIN de votre appareil ou de votre clé de sécurité. Elle ne vaut que pour ce site : un faux site ne peut pas la voler.",
    none: "Vous n’avez pas encore de clé d’accès.",
    unnamed: "Clé d’accès",
    added: Phrase("Ajoutée le {}"),
    used: Phrase("dernière utilisation le {}"),
    never_used: "jamais utilisée",
    for_another_address: "Pour une autre adresse : cette clé d’accès a été créée quand ce site avait une autre adresse et ne fonctionne pas ici. Ajoutez-en une nouvelle.",
    label: "Nom de la clé",
    label_hint: "Par exemple l’endroit où elle est enregistrée : téléphone, ordinateur, clé de sécurité.",
    rename: "Renommer",
    remove: "Supprimer",
    add_title: "Ajouter une clé d’accès",
    add: "Ajouter une clé d’accès",
    back: "Autres moyens de protéger votre compte",
    needs_script: "Les clés d’accès exigent JavaScript, qui est désactivé dans ce navigateur.",
    unavailable: "Les clés d’accès ne sont pas disponibles à cette adresse.",
    not_made: "Aucune clé d’accès n’a été créée. Cet appareil en a peut-être déjà une pour ce site.",
    not_added: "La clé d’accès n’a pas été acceptée. Réessayez ou utilisez un autre appareil.",
    expired: "La page est restée ouverte trop longtemps. Veuillez réessayer.",
    limit_reached: "Vous avez atteint le nombre maximal de clés d’accès. Supprimez-en d’abord une.",
    needed_factor: "Votre compte a besoin d’un second facteur, et celui-ci est le dernier. Ajoutez-en d’abord un autre.",
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
