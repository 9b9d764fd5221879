//! What the pages for second factors say, in each language.

use web::i18n::{Language, Phrase};

/// All that the pages for second factors say in one language.
#[derive(Debug)]
pub(in crate::http::pages) struct FactorWords {
    /// The heading of the form for a code.
    pub(in crate::http::pages) code_title: &'static str,
    /// What to do.
    pub(in crate::http::pages) code_lead: &'static str,
    /// The field.
    pub(in crate::http::pages) code: &'static str,
    /// What to do without the app.
    pub(in crate::http::pages) recovery_hint: &'static str,
    /// The box.
    pub(in crate::http::pages) trust: &'static str,
    /// The button.
    pub(in crate::http::pages) next: &'static str,
    /// The other button.
    pub(in crate::http::pages) cancel: &'static str,
    pub(in crate::http::pages) wrong: &'static str,
    pub(in crate::http::pages) too_many: Phrase,
    pub(in crate::http::pages) expired: &'static str,
    /// The heading of the form that enrols an app.
    pub(in crate::http::pages) enrol_title: &'static str,
    /// Why it is asked for.
    pub(in crate::http::pages) enrol_lead: &'static str,
    /// The first step.
    pub(in crate::http::pages) enrol_scan: &'static str,
    /// What the picture is, for those who do not see it.
    pub(in crate::http::pages) picture: &'static str,
    /// Before the secret as text.
    pub(in crate::http::pages) secret: &'static str,
    /// The second step.
    pub(in crate::http::pages) enrol_confirm: &'static str,
    /// The heading above recovery codes.
    pub(in crate::http::pages) recovery_title: &'static str,
    /// What they are for.
    pub(in crate::http::pages) recovery_lead: &'static str,
    /// The link that goes on.
    pub(in crate::http::pages) recovery_saved: &'static str,
    /// The button that copies the codes.
    pub(in crate::http::pages) copy: &'static str,
    /// What the button says afterwards.
    pub(in crate::http::pages) copied: &'static str,
    /// The link that saves the codes as a file.
    pub(in crate::http::pages) download: &'static str,
    /// The name of the file.
    pub(in crate::http::pages) file_name: &'static str,
}

/// What the pages say in this language.
pub(in crate::http::pages) const fn words(language: Language) -> &'static FactorWords {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

const ENGLISH: FactorWords = FactorWords {
    code_title: "Enter your code",
    code_lead: "Open your authenticator app and enter the code that it shows for this site.",
    code: "Six-digit code",
    recovery_hint: "Without the app, enter one of your recovery codes. Each of them works once.",
    trust: "Do not ask for a code on this device for 30 days",
    next: "Continue",
    cancel: "Cancel",
    wrong: "This code is wrong, or was used already. Enter the code that the app shows now.",
    too_many: Phrase("There were too many wrong codes. Try again in {}."),
    expired: "The page was open for too long. Please start again with this one.",
    enrol_title: "Set up an authenticator app",
    enrol_lead: "Signing in here needs a second factor: besides your password, a code from an app on your phone or computer.",
    enrol_scan: "Scan this picture with the app.",
    picture: "QR code with the secret for the app",
    secret: "Or enter this secret by hand:",
    enrol_confirm: "Then enter the code that the app shows",
    recovery_title: "Save your recovery codes",
    recovery_lead: "If you lose the app, each of these codes lets you in once. Keep them in a safe place. They are not shown again.",
    recovery_saved: "I have saved the codes",
    copy: "Copy the codes",
    copied: "Copied",
    download: "Save as a file",
    file_name: "recovery-codes.txt",
};

const GERMAN: FactorWords = FactorWords {
    code_title: "Code eingeben",
    code_lead: "Öffnen Sie Ihre Authenticator-App und geben Sie den Code ein, den sie für diese Seite zeigt.",
    code: "Sechsstelliger Code",
    recovery_hint: "Ohne die App geben Sie einen Ihrer Wiederherstellungscodes ein. Jeder gilt einmal.",
    trust: "Auf diesem Gerät 30 Tage lang nicht nach einem Code fragen",
    next: "Weiter",
    cancel: "Abbrechen",
    wrong: "Dieser Code ist falsch oder wurde schon benutzt. Geben Sie den Code ein, den die App jetzt zeigt.",
    too_many: Phrase("Es gab zu viele falsche Codes. Versuchen Sie es in {} erneut."),
    expired: "Die Seite war zu lange geöffnet. Bitte beginnen Sie mit dieser neu.",
    enrol_title: "Authenticator-App einrichten",
    enrol_lead: "Die Anmeldung braucht hier einen zweiten Faktor: außer dem Passwort einen Code aus einer App auf Ihrem Telefon oder Computer.",
    enrol_scan: "Scannen Sie dieses Bild mit der App.",
    picture: "QR-Code mit dem Geheimnis für die App",
    secret: "Oder geben Sie dieses Geheimnis von Hand ein:",
    enrol_confirm: "Geben Sie dann den Code ein, den die App zeigt",
    recovery_title: "Wiederherstellungscodes aufbewahren",
    recovery_lead: "Wenn Sie die App verlieren, können Sie sich mit jedem dieser Codes einmal anmelden. Bewahren Sie sie sicher auf. Sie werden nicht noch einmal angezeigt.",
    recovery_saved: "Ich habe die Codes aufbewahrt",
    copy: "Codes kopieren",
    copied: "Kopiert",
    download: "Als Datei speichern",
    file_name: "wiederherstellungscodes.txt",
};

const FRENCH: FactorWords = FactorWords {
    code_title: "Saisissez votre code",
    code_lead: "Ouvrez votre application d’authentification et saisissez le code qu’elle affiche pour ce site.",
    code: "Code à six chiffres",
    recovery_hint: "Sans l’application, saisissez l’un de vos codes de secours. Chacun ne sert qu’une fois.",
    trust: "Ne pas demander de code sur cet appareil pendant 30 jours",
    next: "Continuer",
    cancel: "Annuler",
    wrong: "Ce code est incorrect ou a déjà servi. Saisissez le code que l’application affiche maintenant.",
    too_many: Phrase("Trop de codes incorrects. Réessayez dans {}."),
    expired: "La page est restée ouverte trop longtemps. Veuillez recommencer avec celle-ci.",
    enrol_title: "Configurer une application d’authentification",
    enrol_lead: "La connexion exige ici un second facteur : en plus du mot de passe, un code d’une application sur votre téléphone ou ordinateur.",
    enrol_scan: "Scannez cette image avec l’application.",
    picture: "QR code contenant le secret pour l’application",
    secret: "Ou saisissez ce secret à la main :",
    enrol_confirm: "Saisissez ensuite le code que l’application affiche",
    recovery_title: "Conservez vos codes de secours",
    recovery_lead: "Si vous perdez l’application, chacun de ces codes vous permet de vous connecter une fois. Conservez-les en lieu sûr. Ils ne seront plus affichés.",
    recovery_saved: "J’ai conservé les codes",
    copy: "Copier les codes",
    copied: "Copié",
    download: "Enregistrer dans un fichier",
    file_name: "codes-de-secours.txt",
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
