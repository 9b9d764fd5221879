//! What the pages for passwords by mail say, in each language.

use web::i18n::{Language, Phrase};

/// All that these pages say in one language.
#[derive(Debug)]
pub(in crate::http::pages) struct LinkWords {
    /// The link on the page for signing in.
    pub(in crate::http::pages) forgotten_link: &'static str,
    /// The heading of the form that asks for a link.
    pub(in crate::http::pages) forgotten_title: &'static str,
    /// What it does.
    pub(in crate::http::pages) forgotten_lead: &'static str,
    /// The field.
    pub(in crate::http::pages) login: &'static str,
    /// The button.
    pub(in crate::http::pages) send_link: &'static str,
    pub(in crate::http::pages) too_many: Phrase,
    /// The heading after that.
    pub(in crate::http::pages) sent_title: &'static str,
    pub(in crate::http::pages) sent: &'static str,
    /// The heading of the page of a link that was used or has ended.
    pub(in crate::http::pages) unusable_title: &'static str,
    pub(in crate::http::pages) unusable: &'static str,
    /// The link to the form.
    pub(in crate::http::pages) ask_again: &'static str,
    /// The heading of the form for a new password.
    pub(in crate::http::pages) new_title: &'static str,
    /// Why the login name is asked for.
    pub(in crate::http::pages) login_hint: &'static str,
    pub(in crate::http::pages) wrong_login: &'static str,
    pub(in crate::http::pages) not_set: &'static str,
    /// The field.
    pub(in crate::http::pages) new_password: &'static str,
    pub(in crate::http::pages) new_hint: Phrase,
    /// The button that shows what was typed.
    pub(in crate::http::pages) show_password: &'static str,
    /// The button.
    pub(in crate::http::pages) set_password: &'static str,
    /// The heading once it is set.
    pub(in crate::http::pages) set_title: &'static str,
    pub(in crate::http::pages) set: &'static str,
    /// The link to the sign-in.
    pub(in crate::http::pages) sign_in: &'static str,
    pub(in crate::http::pages) weakness_short: Phrase,
    pub(in crate::http::pages) weakness_long: &'static str,
    pub(in crate::http::pages) weakness_control_characters: &'static str,
    pub(in crate::http::pages) weakness_app_token: &'static str,
    pub(in crate::http::pages) weakness_common: &'static str,
    pub(in crate::http::pages) weakness_pattern: &'static str,
    pub(in crate::http::pages) weakness_context: &'static str,
    pub(in crate::http::pages) weakness_guessable: &'static str,
    pub(in crate::http::pages) weakness_other: &'static str,
}

/// What the pages say in this language.
pub(in crate::http::pages) const fn words(language: Language) -> &'static LinkWords {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

const ENGLISH: LinkWords = LinkWords {
    forgotten_link: "Forgot your password?",
    forgotten_title: "Set a new password",
    forgotten_lead: "Enter your username or mail address. You get a mail with a link.",
    login: "Username or mail address",
    send_link: "Send the link",
    too_many: Phrase("Too many requests. Try again in {}."),
    sent_title: "Check your mail",
    sent: "If there is an account with this name and a mail address, a link is on its way to it. It works for 30 minutes. Look into the spam folder too.",
    unusable_title: "This link does not work any more",
    unusable: "It was used already, or it has expired. Ask for another one.",
    ask_again: "Ask for another link",
    new_title: "Set a password",
    login_hint: "The link was requested in another browser, so we need your username.",
    wrong_login: "The link belongs to another account.",
    not_set: "Your password is not set.",
    new_password: "New password",
    new_hint: Phrase(
        "At least {} characters. Several words that do not belong together are easy to remember and hard to guess.",
    ),
    show_password: "Show new password",
    set_password: "Set the password",
    set_title: "Your password is set",
    set: "All sessions from before have ended. Sign in with the new password.",
    sign_in: "Sign in",
    weakness_short: Phrase("It has fewer than {} characters."),
    weakness_long: "It is too long: 1024 bytes are allowed.",
    weakness_control_characters: "It has characters that cannot be typed everywhere.",
    weakness_app_token: "It is an app token.",
    weakness_common: "Many others use it.",
    weakness_pattern: "It is a repetition or a sequence, like aaaa or 1234.",
    weakness_context: "It is made of your name, user name or mail address, or of the name of this installation.",
    weakness_guessable: "It is too easy to guess. Use several words that do not belong together.",
    weakness_other: "It is not accepted. Choose another one.",
};

const GERMAN: LinkWords = LinkWords {
    forgotten_link: "Passwort vergessen?",
    forgotten_title: "Neues Passwort festlegen",
    forgotten_lead: "Geben Sie Ihren Benutzernamen oder Ihre E-Mail-Adresse ein. Sie erhalten eine E-Mail mit einem Link.",
    login: "Benutzername oder E-Mail-Adresse",
    send_link: "Link senden",
    too_many: Phrase("Zu viele Anfragen. Versuchen Sie es in {} noch einmal."),
    sent_title: "Sehen Sie in Ihre E-Mail",
    sent: "Wenn es ein Konto mit diesem Namen und einer E-Mail-Adresse gibt, ist ein Link dorthin unterwegs. Er gilt 30 Minuten. Sehen Sie auch im Spam-Ordner nach.",
    unusable_title: "Dieser Link funktioniert nicht mehr",
    unusable: "Er wurde schon benutzt oder ist abgelaufen. Fordern Sie einen neuen an.",
    ask_again: "Neuen Link anfordern",
    new_title: "Passwort festlegen",
    login_hint: "Der Link wurde in einem anderen Browser angefordert, darum brauchen wir Ihren Benutzernamen.",
    wrong_login: "Der Link gehört zu einem anderen Konto.",
    not_set: "Ihr Passwort ist nicht festgelegt.",
    new_password: "Neues Passwort",
    new_hint: Phrase(
        "Mindestens {} Zeichen. Mehrere Wörter, die nicht zusammengehören, sind leicht zu merken und schwer zu erraten.",
    ),
    show_password: "Neues Passwort anzeigen",
    set_password: "Passwort speichern",
    set_title: "Ihr Passwort ist festgelegt",
    set: "Alle früheren Sitzungen sind beendet. Melden Sie sich mit dem neuen Passwort an.",
    sign_in: "Anmelden",
    weakness_short: Phrase("Es hat weniger als {} Zeichen."),
    weakness_long: "Es ist zu lang: 1024 Bytes sind erlaubt.",
    weakness_control_characters: "Es hat Zeichen, die man nicht überall eingeben kann.",
    weakness_app_token: "Es ist ein App-Token.",
    weakness_common: "Viele andere benutzen es.",
    weakness_pattern: "Es ist eine Wiederholung oder eine Reihe, wie aaaa oder 1234.",
    weakness_context: "Es besteht aus Ihrem Namen, Benutzernamen, Ihrer E-Mail-Adresse oder dem Namen dieser Installation.",
    weakness_guessable: "Es ist zu leicht zu erraten. Nehmen Sie mehrere Wörter, die nicht zusammengehören.",
    weakness_other: "Es wird nicht angenommen. Wählen Sie ein anderes.",
};

const FRENCH: LinkWords = LinkWords {
    forgotten_link: "Mot de passe oublié\u{a0}?",
    forgotten_title: "Choisir un nouveau mot de passe",
    forgotten_lead: "Saisissez votre nom d’utilisateur ou votre adresse e-mail. Vous recevrez un e-mail avec un lien.",
    login: "Nom d’utilisateur ou adresse e-mail",
    send_link: "Envoyer le lien",
    too_many: Phrase("Trop de demandes. Réessayez dans {}."),
    sent_title: "Consultez votre messagerie",
    sent: "S’il existe un compte avec ce nom et une adresse e-mail, un lien vient d’y être envoyé. Il est valable 30 minutes. Regardez aussi dans les indésirables.",
    unusable_title: "Ce lien ne fonctionne plus",
    unusable: "Il a déjà été utilisé ou il a expiré. Demandez-en un autre.",
    ask_again: "Demander un autre lien",
    new_title: "Choisir un mot de passe",
    login_hint: "Le lien a été demandé dans un autre navigateur\u{a0}: nous avons besoin de votre nom d’utilisateur.",
    wrong_login: "Ce lien appartient à un autre compte.",
    not_set: "Votre mot de passe n’est pas enregistré.",
    new_password: "Nouveau mot de passe",
    new_hint: Phrase(
        "Au moins {} caractères. Plusieurs mots sans lien entre eux sont faciles à retenir et difficiles à deviner.",
    ),
    show_password: "Afficher le nouveau mot de passe",
    set_password: "Enregistrer le mot de passe",
    set_title: "Votre mot de passe est enregistré",
    set: "Toutes les sessions précédentes sont terminées. Connectez-vous avec le nouveau mot de passe.",
    sign_in: "Se connecter",
    weakness_short: Phrase("Il a moins de {} caractères."),
    weakness_long: "Il est trop long\u{a0}: 1024 octets sont autorisés.",
    weakness_control_characters: "Il contient des caractères que l’on ne peut pas saisir partout.",
    weakness_app_token: "C’est un jeton d’application.",
    weakness_common: "Beaucoup d’autres l’utilisent.",
    weakness_pattern: "C’est une répétition ou une suite, comme aaaa ou 1234.",
    weakness_context: "Il est formé de votre nom, de votre nom d’utilisateur, de votre adresse e-mail ou du nom de cette installation.",
    weakness_guessable: "Il est trop facile à deviner. Prenez plusieurs mots sans lien entre eux.",
    weakness_other: "Il n’est pas accepté. Choisissez-en un autre.",
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
        assert!(english.len() > 20);
        for language in [Language::German, Language::French] {
            assert_eq!(texts(language).len(), english.len());
            let is_same = |(text, english): &(String, &String)| text == *english;
            assert_eq!(texts(language).into_iter().zip(&english).filter(is_same).count(), 0, "{language:?}");
        }
    }
}
