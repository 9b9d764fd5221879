//! Scopes in plain words.

use authn::{Grant, Permission};

use super::i18n::Words;

/// What a scope of an app token allows; the scope itself if it is not known here.
pub(super) fn describe(words: &Words, scope: &str) -> String {
    match scope.parse() {
        Ok(Grant::User) => words.scope_user.to_owned(),
        Ok(Grant::Profile) => words.scope_profile.to_owned(),
        Ok(Grant::Tokens(permission)) if permission.writes() => words.scope_tokens_write.to_owned(),
        Ok(Grant::Tokens(_)) => words.scope_tokens_read.to_owned(),
        Ok(Grant::Path { prefix, permission }) => {
            format!("{} ({})", words.scope_path.with(&prefix), permission_text(words, permission))
        }
        Ok(Grant::Node { id, permission }) => {
            format!("{} ({})", words.scope_node.with(&id), permission_text(words, permission))
        }
        Err(_) => scope.to_owned(),
    }
}

fn permission_text(words: &Words, permission: Permission) -> &'static str {
    match permission {
        Permission::Read => words.may_read,
        Permission::Write => words.may_write,
        Permission::ReadWrite => words.may_read_and_write,
    }
}

#[cfg(test)]
mod tests {
    use web::i18n::Language;

    use super::super::i18n::words;
    use super::*;

    #[test]
    fn scopes_are_described_in_plain_words() {
        let describe = |scope| describe(words(Language::English), scope);
        assert_eq!(describe("user"), "Everything that you may do");
        assert_eq!(describe("path:/photos:rw"), "Folder /photos (read and write)");
        assert_eq!(describe("tokens:read"), "See your app tokens");
        assert_eq!(describe("tokens:write"), "Manage your app tokens");
        assert_eq!(
            describe("node:1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11:r"),
            "File or folder 1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11 (read)"
        );
        assert_eq!(describe("calendar"), "calendar", "a scope of a later version");
    }
}
