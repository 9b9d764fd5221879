//! What the pages for verifying a mail address say, in each language.

use web::i18n::{Language, Phrase};

/// All that these pages say in one language.
#[derive(Debug)]
pub(in crate::http::pages) struct MailLinkWords {
    /// The heading of the form.
    pub(in crate::http::pages) title: &'static str,
    pub(in crate::http::pages) lead: &'static str,
    /// The login name follows.
    pub(in crate::http::pages) account: &'static str,
    /// The new address follows.
    pub(in crate::http::pages) address: &'static str,
    /// The button.
    pub(in crate::http::pages) confirm: &'static str,
    pub(in crate::http::pages) too_many: Phrase,
    /// The heading of the page of a link of another user.
    pub(in crate::http::pages) other_title: &'static str,
    pub(in crate::http::pages) other: &'static str,
    /// The heading of the page of a link that was used or has ended.
    pub(in crate::http::pages) unusable_title: &'static str,
    pub(in crate::http::pages) unusable: &'static str,
    /// The heading of the page for an address of another user.
    pub(in crate::http::pages) taken_title: &'static str,
    pub(in crate::http::pages) taken: &'static str,
    /// The heading once it is changed.
    pub(in crate::http::pages) changed_title: &'static str,
    pub(in crate::http::pages) changed: Phrase,
    /// The link to the account pages.
    pub(in crate::http::pages) to_account: &'static str,
}

/// What the pages say in this language.
pub(in crate::http::pages) const fn words(language: Language) -> &'static MailLinkWords {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

const ENGLISH: MailLinkWords = MailLinkWords {
    title: "Confirm your mail address",
    lead: "Nothing is changed until you confirm.",
    account: "Account",
    address: "New mail address",
    confirm: "Change the mail address",
    too_many: Phrase("Too many requests. Try again in {}."),
    other_title: "This link belongs to another account",
    other: "Nothing is changed. Sign out, and open the link again as the user who has asked for it.",
    unusable_title: "This link does not work any more",
    unusable: "It was used already, it has expired, or your account was changed in the meantime. Ask for another one in your profile.",
    taken_title: "This address cannot be used",
    taken: "Your mail address is not changed. Choose another one in your profile, or ask your administrators.",
    changed_title: "Your mail address is changed",
    changed: Phrase("Messages go to {} from now on. The address until now gets a notice."),
    to_account: "Back to your account",
};

const GERMAN: MailLinkWords = MailLinkWords {
    title: "Bestätigen Sie Ihre E-Mail-Adresse",
    lead: "Es wird nichts geändert, bis Sie bestätigen.",
    account: "Konto",
    address: "Neue E-Mail-Adresse",
    confirm: "E-Mail-Adresse ändern",
    too_many: Phrase("Zu viele Anfragen. Versuchen Sie es in {} noch einmal."),
    other_title: "Dieser Link gehört zu einem anderen Konto",
    other: "Es ist nichts geändert. Melden Sie sich ab, und öffnen Sie den Link noch einmal mit dem Konto, für das er angefordert wurde.",
    unusable_title: "Dieser Link funktioniert nicht mehr",
    unusable: "Er wurde schon benutzt, er ist abgelaufen, oder Ihr Konto wurde inzwischen geändert. Fordern Sie in Ihrem Profil einen neuen an.",
    taken_title: "Diese Adresse kann nicht verwendet werden",
    taken: "Ihre E-Mail-Adresse ist nicht geändert. Wählen Sie in Ihrem Profil eine andere, oder fragen Sie Ihre Administration.",
    changed_title: "Ihre E-Mail-Adresse ist geändert",
    changed: Phrase("Nachrichten gehen von nun an an {}. An die bisherige Adresse geht eine Mitteilung."),
    to_account: "Zurück zu Ihrem Konto",
};

const FRENCH: MailLinkWords = MailLinkWords {
    title: "Confirmez votre adresse e-mail",
    lead: "Rien ne change tant que vous ne confirmez pas.",
    account: "Compte",
    address: "Nouvelle adresse e-mail",
    confirm: "Changer l’adresse e-mail",
    too_many: Phrase("Trop de demandes. Réessayez dans {}."),
    other_title: "Ce lien appartient à un autre compte",
    other: "Rien n’a changé. Déconnectez-vous, puis ouvrez à nouveau le lien avec le compte qui l’a demandé.",
    unusable_title: "Ce lien ne fonctionne plus",
    unusable: "Il a déjà été utilisé, il a expiré, ou votre compte a été modifié entre-temps. Demandez-en un autre dans votre profil.",
    taken_title: "Cette adresse ne peut pas être utilisée",
    taken: "Votre adresse e-mail n’a pas changé. Choisissez-en une autre dans votre profil, ou adressez-vous à votre service d’administration.",
    changed_title: "Votre adresse e-mail a changé",
    changed: Phrase("Les messages vont désormais à {}. L’ancienne adresse reçoit un avis."),
    to_account: "Retour à votre compte",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(language: Language) -> Vec<String> {
        let table = format!("{:#?}", words(language));
        table.lines().filter_map(|line| line.split_once('"')).map(|(_, rest)| rest.to_owned()).collect()
    }

    #[test]
    fn every_text_is_translated() {
        let english = texts(Language::English);
        assert_eq!(english.len(), 15);
        for language in [Language::German, Language::French] {
            assert_eq!(texts(language).len(), english.len());
            let is_same = |(text, english): &(String, &String)| text == *english;
            assert_eq!(texts(language).into_iter().zip(&english).filter(is_same).count(), 0, "{language:?}");
        }
    }
}
