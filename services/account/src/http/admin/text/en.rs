//! English.

use super::AdminText;

pub(super) const TEXT: AdminText = AdminText {
    administration: "Administration",
    sign_in_again_title: "Sign in again",
    recent_needed: "Nothing has been changed. For this, your sign-in must be at most ten minutes old. Sign in again, and repeat what you wanted to do.",
    second_factor_needed: "Administrators who have a second factor sign in with it. Nothing has been changed.",
    sign_in_again: "Sign in again",
    gone_title: "Not found",
    gone: "This entry no longer exists. Someone else may have removed it.",
    refused_title: "Nothing has been changed",
    refused: "The request cannot be fulfilled as it stands. The details say why.",
    // INSERT
};
