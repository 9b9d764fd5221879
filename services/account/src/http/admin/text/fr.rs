//! French.

use super::AdminText;

pub(super) const TEXT: AdminText = AdminText {
    administration: "Administration",
    sign_in_again_title: "Connectez-vous à nouveau",
    recent_needed: "Rien n’a été modifié. Pour cela, votre connexion doit dater de dix minutes au plus. Connectez-vous à nouveau, puis recommencez.",
    second_factor_needed: "L’administration exige le second facteur des comptes qui en ont un. Rien n’a été modifié.",
    sign_in_again: "Se connecter à nouveau",
    gone_title: "Introuvable",
    gone: "Cette entrée n’existe plus. Elle a peut-être été supprimée entre-temps.",
    refused_title: "Rien n’a été modifié",
    refused: "La demande ne peut pas être traitée telle quelle. Les détails en donnent la raison.",
    // INSERT
};
