//! What the pages of the edge say, in each language.

use http::StatusCode;
use web::i18n::Language;

/// A title and what to do.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
}

/// All that the pages say in one language.
#[derive(Debug)]
pub(super) struct Texts {
    // refusals
    pub(super) bad_request: Text,
    pub(super) unauthenticated: Text,
    pub(super) forbidden: Text,
    pub(super) not_found: Text,
    pub(super) too_long: Text,
    pub(super) busy: Text,
    pub(super) backend: Text,
    pub(super) unavailable: Text,
    // sessions
    pub(super) sign_in_unavailable: Text,
    pub(super) sign_in_failed: Text,
    pub(super) sign_in_unknown: Text,
    pub(super) signed_out: Text,
    pub(super) cross_site: Text,
    pub(super) sign_out_failed: Text,
    pub(super) sign_out: Text,
    /// The button that signs out.
    pub(super) sign_out_button: &'static str,
    // links
    pub(super) sign_in_again: &'static str,
    pub(super) front_page: &'static str,
    /// Above what is meant for developers.
    pub(super) details: &'static str,
}

impl Texts {
    /// What is said of a refusal with this status.
    pub(super) const fn of_status(&self, status: StatusCode) -> &Text {
        match status {
            StatusCode::UNAUTHORIZED => &self.unauthenticated,
            StatusCode::FORBIDDEN => &self.forbidden,
            StatusCode::NOT_FOUND => &self.not_found,
            StatusCode::PAYLOAD_TOO_LARGE => &self.too_long,
            StatusCode::TOO_MANY_REQUESTS => &self.busy,
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => &self.backend,
            StatusCode::SERVICE_UNAVAILABLE => &self.unavailable,
            _ => &self.bad_request,
        }
    }
}

/// What the pages say in this language.
pub(super) const fn texts(language: Language) -> &'static Texts {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

const ENGLISH: Texts = Texts {
    bad_request: Text { title: "This request is not valid", text: "Check the address, or go back and try again." },
    unauthenticated: Text { title: "Sign-in is required", text: "This page is only for users who have signed in." },
    forbidden: Text { title: "You do not have access to this page", text: "Ask your administrator for access." },
    not_found: Text { title: "Page not found", text: "Check the address, or go to the start page." },
    too_long: Text { title: "This is too large", text: "Choose a smaller file, or ask your administrator." },
    busy: Text { title: "Too many requests", text: "Please wait a moment and try again." },
    backend: Text {
        title: "The application does not respond",
        text: "Please try again in a moment. If the problem persists, contact your administrator.",
    },
    unavailable: Text { title: "Not possible right now", text: "Please try again in a moment." },
    sign_in_unavailable: Text {
        title: "Signing in is not possible",
        text: "The sign-in service cannot be reached. Please try again in a moment.",
    },
    sign_in_failed: Text { title: "Signing in has failed", text: "You are not signed in." },
    sign_in_unknown: Text {
        title: "Signing in has failed",
        text: "This sign-in was begun in another browser, or too long ago, or your browser does not accept cookies of this site.",
    },
    signed_out: Text { title: "You are signed out", text: "You can close this window." },
    cross_site: Text { title: "Not permitted", text: "This request comes from another site." },
    sign_out_failed: Text {
        title: "Signing out has failed",
        text: "You are still signed in. Please try again in a moment.",
    },
    sign_out: Text { title: "Sign out?", text: "You will be signed out here and at the sign-in service." },
    sign_out_button: "Sign out",
    sign_in_again: "Sign in again",
    front_page: "Go to the start page",
    details: "For developers",
};

const GERMAN: Texts = Texts {
    bad_request: Text {
        title: "Diese Anfrage ist nicht gültig",
        text: "Prüfen Sie die Adresse, oder gehen Sie zurück und versuchen Sie es noch einmal.",
    },
    unauthenticated: Text { title: "Anmeldung erforderlich", text: "Diese Seite ist nur für Angemeldete." },
    forbidden: Text {
        title: "Sie haben keinen Zugriff auf diese Seite",
        text: "Fragen Sie Ihre Administration nach der Berechtigung.",
    },
    not_found: Text { title: "Hier ist nichts", text: "Prüfen Sie die Adresse, oder gehen Sie zur Startseite." },
    too_long: Text {
        title: "Das ist zu groß",
        text: "Wählen Sie eine kleinere Datei, oder fragen Sie Ihre Administration.",
    },
    busy: Text { title: "Zu viele Anfragen", text: "Bitte warten Sie einen Moment und versuchen Sie es noch einmal." },
    backend: Text {
        title: "Die Anwendung antwortet nicht",
        text: "Bitte versuchen Sie es gleich noch einmal; bleibt es dabei, sagen Sie es Ihrer Administration.",
    },
    unavailable: Text { title: "Gerade nicht möglich", text: "Bitte versuchen Sie es gleich noch einmal." },
    sign_in_unavailable: Text {
        title: "Die Anmeldung ist nicht möglich",
        text: "Der Anmeldedienst ist nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.",
    },
    sign_in_failed: Text { title: "Die Anmeldung ist fehlgeschlagen", text: "Sie sind nicht angemeldet." },
    sign_in_unknown: Text {
        title: "Die Anmeldung ist fehlgeschlagen",
        text: "Sie wurde in einem anderen Browser oder vor zu langer Zeit begonnen, oder Ihr Browser nimmt keine Cookies dieser Seite an.",
    },
    signed_out: Text { title: "Sie sind abgemeldet", text: "Sie können dieses Fenster schließen." },
    cross_site: Text { title: "Nicht erlaubt", text: "Diese Anfrage kommt von einer anderen Website." },
    sign_out_failed: Text {
        title: "Die Abmeldung ist fehlgeschlagen",
        text: "Sie sind noch angemeldet. Bitte versuchen Sie es gleich noch einmal.",
    },
    sign_out: Text { title: "Abmelden?", text: "Sie werden hier und beim Anmeldedienst abgemeldet." },
    sign_out_button: "Abmelden",
    sign_in_again: "Neu anmelden",
    front_page: "Zur Startseite",
    details: "Für die Entwicklung",
};

const FRENCH: Texts = Texts {
    bad_request: Text {
        title: "Cette requête n’est pas valide",
        text: "Vérifiez l’adresse, ou revenez en arrière et réessayez.",
    },
    unauthenticated: Text {
        title: "Une connexion est nécessaire",
        text: "Pour voir cette page, il faut une session ouverte.",
    },
    forbidden: Text {
        title: "Vous n’avez pas accès à cette page",
        text: "Demandez l’accès à l’administration du site.",
    },
    not_found: Text { title: "Il n’y a rien ici", text: "Vérifiez l’adresse, ou allez à la page d’accueil." },
    too_long: Text {
        title: "C’est trop volumineux",
        text: "Choisissez un fichier plus petit, ou adressez-vous à l’administration du site.",
    },
    busy: Text { title: "Trop de requêtes", text: "Veuillez patienter un instant, puis réessayer." },
    backend: Text {
        title: "L’application ne répond pas",
        text: "Veuillez réessayer dans un instant\u{a0}; si cela persiste, prévenez l’administration du site.",
    },
    unavailable: Text { title: "Impossible pour le moment", text: "Veuillez réessayer dans un instant." },
    sign_in_unavailable: Text {
        title: "La connexion est impossible",
        text: "Le service de connexion est injoignable. Veuillez réessayer dans un instant.",
    },
    sign_in_failed: Text { title: "La connexion a échoué", text: "Aucune session n’est ouverte." },
    sign_in_unknown: Text {
        title: "La connexion a échoué",
        text: "Elle a été commencée dans un autre navigateur ou il y a trop longtemps, ou votre navigateur n’accepte pas les cookies de ce site.",
    },
    signed_out: Text { title: "Votre session est fermée", text: "Vous pouvez fermer cette fenêtre." },
    cross_site: Text { title: "Ce n’est pas permis", text: "Cette requête vient d’un autre site." },
    sign_out_failed: Text {
        title: "La déconnexion a échoué",
        text: "Votre session est encore ouverte. Veuillez réessayer dans un instant.",
    },
    sign_out: Text {
        title: "Se déconnecter\u{a0}?",
        text: "Votre session sera fermée ici et auprès du service de connexion.",
    },
    sign_out_button: "Se déconnecter",
    sign_in_again: "Se reconnecter",
    front_page: "Aller à la page d’accueil",
    details: "Pour le développement",
};
