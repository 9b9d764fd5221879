//! German.

use super::AdminText;

pub(super) const TEXT: AdminText = AdminText {
    administration: "Verwaltung",
    sign_in_again_title: "Melden Sie sich neu an",
    recent_needed: "Es wurde nichts geändert. Dafür darf Ihre Anmeldung höchstens zehn Minuten alt sein. Melden Sie sich neu an, und wiederholen Sie, was Sie tun wollten.",
    second_factor_needed: "Wer verwaltet und einen zweiten Faktor hat, meldet sich damit an. Es wurde nichts geändert.",
    sign_in_again: "Neu anmelden",
    gone_title: "Nicht gefunden",
    gone: "Diesen Eintrag gibt es nicht mehr. Vielleicht hat ihn jemand anderes entfernt.",
    refused_title: "Es wurde nichts geändert",
    refused: "Die Anfrage kann so nicht erfüllt werden. Die Einzelheiten sagen, warum.",
    // INSERT
};
