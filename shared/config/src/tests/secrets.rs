//! Secrets: from a variable, from a file, or refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Folder, JWT_SECRET, read_ok, refusal};

#[test]
fn a_numeric_secret_stays_a_text() {
    let digits = "01234567890123456789012345678901";
    let config = read_ok(&Folder::new().bare_env().with("OCIS_JWT_SECRET", digits)).config;
    assert_eq!(config.token_manager.jwt_secret.expose(), digits);

    for written in [
        digits,
        "12345678901234567890123456789012345",
        "-12345678901234567890123456789012345",
        "1234567890123456789012345678901234567890123",
        "0x11111111111111111111111111111111",
        "1.234567890123456789012345678901234567890e5",
    ] {
        let folder = Folder::holding("auth-app.yaml", &format!("token_manager: {{jwt_secret: {written}}}\n"));
        let config = read_ok(&folder.bare_env()).config;
        assert_eq!(config.token_manager.jwt_secret.expose(), written);
    }
    let folder = Folder::holding("auth-app.yaml", "machine_auth_api_key: 0123\ndebug: {token: 1.50}\n");
    let config = read_ok(&folder.env()).config;
    assert_eq!((config.machine_auth_api_key.expose(), config.debug.token.expose()), ("0123", "1.50"));
}

#[test]
fn a_secret_is_read_from_the_file_a_variable_names() {
    for (written, expected) in
        [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("s3cret\n\n", "s3cret\n"), (" s", " s")]
    {
        let folder = Folder::new();
        let file = folder.write("key", written);
        let env = folder.env().with("OC_MACHINE_AUTH_API_KEY_FILE", file.to_str().expect("UTF-8"));
        let read = read_ok(&env);
        assert_eq!(read.config.machine_auth_api_key.expose(), expected);
        assert_eq!((read.files, read.warnings), (vec![file], vec![]));
        let comment = "machine_auth_api_key: '***' # env OC_MACHINE_AUTH_API_KEY_FILE";
        assert!(read_ok(&env).shown.contains(comment));
    }
}

#[test]
fn a_services_own_name_wins_whether_by_file_or_not() {
    let folder = Folder::new();
    let file = folder.write("key", "from-the-file");
    let file = file.to_str().expect("UTF-8");
    let env = folder.env().with("OCIS_MACHINE_AUTH_API_KEY", "direct").with("AUTH_APP_MACHINE_AUTH_API_KEY_FILE", file);
    assert_eq!(read_ok(&env).config.machine_auth_api_key.expose(), "from-the-file");
    let env = folder.env().with("OCIS_MACHINE_AUTH_API_KEY_FILE", file).with("AUTH_APP_MACHINE_AUTH_API_KEY", "direct");
    assert_eq!(read_ok(&env).config.machine_auth_api_key.expose(), "direct");
}

#[test]
fn a_secret_given_twice_is_refused() {
    let env = Folder::new().env();
    assert_eq!(
        refusal(&env.clone().with("OCIS_JWT_SECRET_FILE", "/x")),
        "OCIS_JWT_SECRET and OCIS_JWT_SECRET_FILE are both set; keep one of them and remove the other"
    );
    assert!(refusal(&env.clone().with("OC_JWT_SECRET_FILE", "/x")).contains("OC_JWT_SECRET_FILE"));
    assert!(read_ok(&env.with("OCIS_JWT_SECRET_FILE", "")).files.is_empty());
}

/// An empty variable is set, and one that names no file is not.
#[test]
fn empty_secret_with_a_file_is_given_twice() {
    let env = Folder::new().bare_env().with("OCIS_JWT_SECRET", "").with("OCIS_JWT_SECRET_FILE", "/x");
    assert_eq!(
        refusal(&env),
        "OCIS_JWT_SECRET and OCIS_JWT_SECRET_FILE are both set; keep one of them and remove the other"
    );
}

#[test]
fn an_unreadable_file_is_refused() {
    let folder = Folder::new();
    let path = folder.0.path().join("nowhere");
    let text = refusal(&folder.bare_env().with("AUTH_APP_JWT_SECRET_FILE", path.to_str().expect("UTF-8")));
    assert!(text.starts_with(&format!("AUTH_APP_JWT_SECRET_FILE names the file {}", path.display())), "{text}");
}

#[test]
fn allowed_readable_secret_file_is_warned_about() {
    let folder = Folder::new();
    let secret = folder.write("key", "x");
    let yaml = folder.write("auth-app.yaml", "debug: {token: abc}");
    for file in [&secret, &yaml] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("sets the mode");
    }
    let env = folder.env().with("AUTH_APP_MACHINE_AUTH_API_KEY_FILE", secret.to_str().expect("UTF-8"));
    let read = read_ok(&env.with("OC_ALLOW_READABLE_SECRETS", "true"));
    assert_eq!(read.files, [yaml.clone(), secret.clone()]);
    let shown = |file: &std::path::Path| {
        format!(
            "{0} holds a secret and other accounts of this machine can read it; run: chmod go-rwx {0}",
            file.display()
        )
    };
    assert_eq!(read.warnings, [shown(&yaml), shown(&secret)]);
}

#[test]
fn a_missing_secret_is_refused_with_its_names() {
    let hint = "give every service the same one, made with: openssl rand -base64 32";
    let names = "OCIS_JWT_SECRET (or AUTH_APP_JWT_SECRET, or either with _FILE)";
    let folder = Folder::new();
    assert_eq!(refusal(&folder.bare_env()), format!("{names} is not set; {hint}"));
    let env = folder.env().with("AUTH_APP_JWT_SECRET", "");
    assert_eq!(refusal(&env), format!("{names} is empty in AUTH_APP_JWT_SECRET; {hint}"));
    let env = folder.env().with("OC_JWT_SECRET", "");
    assert_eq!(refusal(&env), format!("{names} is empty in OC_JWT_SECRET; {hint}"));
}

#[test]
fn short_and_well_known_secrets_are_refused() {
    let folder = Folder::new();
    let text = refusal(&folder.bare_env().with("OCIS_JWT_SECRET", &JWT_SECRET[..31]));
    assert!(text.contains("must have at least 32 bytes, not 31") && !text.contains("adequate"), "{text}");
    let text = refusal(&folder.bare_env().with("OCIS_JWT_SECRET", "Change-Me"));
    assert!(text.contains("is a placeholder value"), "{text}");
    assert!(
        refusal(&folder.env().with("OCIS_JWT_SECRET_PREVIOUS", "short")).starts_with("OCIS_JWT_SECRET_PREVIOUS (or")
    );
}

/// Row D4.
#[test]
fn secret_file_readable_by_others_is_refused() {
    let folder = Folder::new();
    let file = folder.write("key", "from-the-file");
    let env = folder.env().with("AUTH_APP_MACHINE_AUTH_API_KEY_FILE", file.to_str().expect("UTF-8"));
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("sets the mode");
        let text = refusal(&env);
        assert!(text.starts_with("AUTH_APP_MACHINE_AUTH_API_KEY_FILE names the file"), "{text}");
        assert!(text.contains(&format!("(mode {mode:04o}); run chmod go-rwx")), "{text}");
        assert!(text.contains("OCIS_ALLOW_READABLE_SECRETS=true") && !text.contains("from-the-file"), "{text}");
        for name in ["OCIS_ALLOW_READABLE_SECRETS", "AUTH_APP_ALLOW_READABLE_SECRETS"] {
            let config = read_ok(&env.clone().with(name, "true")).config;
            assert_eq!(config.machine_auth_api_key.expose(), "from-the-file");
        }
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("sets the mode");
    assert_eq!(read_ok(&env).config.machine_auth_api_key.expose(), "from-the-file");
}

/// Row D4.
#[test]
fn private_key_readable_by_others_is_refused() {
    for key in ["OCIS_GRPC_TLS_KEY", "OCIS_HTTP_TLS_KEY", "OCIS_GRPC_CLIENT_TLS_KEY"] {
        let folder = Folder::new();
        let file = folder.write("tls.key", "from-the-file");
        let path = file.to_str().expect("UTF-8");
        let env = folder.env().with(key, path).with(key.replace("_KEY", "_CERTIFICATE"), path);
        read_ok(&env);
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("sets the mode");
            let text = refusal(&env);
            assert!(text.starts_with(&format!("{key} names the file {path}, which other accounts")), "{text}");
            assert!(text.contains(&format!("(mode {mode:04o}); run chmod go-rwx")), "{text}");
            let allowed = read_ok(&env.clone().with("OCIS_ALLOW_READABLE_SECRETS", "true"));
            assert!(allowed.warnings.iter().any(|warning| warning.contains(path)), "{:?}", allowed.warnings);
        }
    }
}

#[test]
fn secrets_without_entropy_are_refused() {
    let folder = Folder::new();
    for guessable in [" ".repeat(40), "\t \n".repeat(20), "a".repeat(40), "a ".repeat(20), "\u{a0}".repeat(20)] {
        for name in ["OCIS_JWT_SECRET", "OCIS_JWT_SECRET_PREVIOUS"] {
            let text = refusal(&folder.env().with(name, guessable.clone()));
            assert!(text.starts_with(name) && text.contains("consists of blanks or of one character"), "{text}");
        }
    }
    read_ok(&folder.env().with("OCIS_JWT_SECRET", "ab".repeat(16)));
}

#[test]
fn secrets_are_serialized_redacted() {
    let secret = crate::Secret::from("hush-hush");
    assert_eq!(serde_json::to_string(&secret).expect("JSON"), "\"***\"");
}

#[test]
fn secrets_of_the_defaults_stay_where_none_is_configured() {
    let folder = Folder::new();
    let mut defaults = super::AuthAppLike::default();
    defaults.token_manager.jwt_secret = JWT_SECRET.into();
    let loaded = crate::load_over(&defaults, &super::IDENTITY, &folder.bare_env()).expect("valid");
    assert_eq!(loaded.config.token_manager.jwt_secret.expose(), JWT_SECRET);
    assert!(loaded.shown.contains("  jwt_secret: '***'\n"), "{}", loaded.shown);
}

/// Row D13.
#[test]
fn generated_secrets_hold_where_nothing_else_is_configured() {
    const NAMES: &[&str] = &["OCIS_JWT_SECRET", "OCIS_JWT_SECRET_PREVIOUS", "OCIS_MACHINE_AUTH_API_KEY"];
    let (made, former, configured) = ("m".repeat(31) + "1", "f".repeat(31) + "1", "c".repeat(31) + "1");
    let folder = Folder::new();
    let lines = format!("# made\nOCIS_JWT_SECRET={made}\nOCIS_JWT_SECRET_PREVIOUS={former}\nAUTH_APP_TOKEN_KEY=x\n");
    let file = folder.write("secrets", &lines);
    let env = folder.bare_env().with_generated(file.clone(), NAMES);

    let read = read_ok(&env);
    let tokens = &read.config.token_manager;
    assert_eq!((tokens.jwt_secret.expose(), tokens.jwt_secret_previous.expose()), (&*made, &*former));
    assert!(read.files.contains(&file), "it is watched");
    assert!(read.shown.contains(&format!("jwt_secret: '***' # file {}", file.display())), "{}", read.shown);
    let over = read_ok(&env.clone().with("OCIS_JWT_SECRET", &configured)).config;
    assert_eq!(over.token_manager.jwt_secret.expose(), configured);
    assert!(over.token_manager.jwt_secret_previous.is_empty(), "it belongs to the generated one");

    // what was read before is the default of the next reading
    folder.write("secrets", &format!("OCIS_JWT_SECRET={made}\n"));
    let identity = super::IDENTITY;
    let again = crate::load_over(&read.config, &identity, &env).expect("is read").config;
    assert!(again.token_manager.jwt_secret_previous.is_empty(), "a removed line is an empty secret");
    fs::remove_file(&file).expect("removes");
    let error = crate::load_over(&read.config, &identity, &env).expect_err("is gone").to_string();
    assert!(error.contains("secrets"), "{error}");
}

/// Rows G9 and M12.
#[test]
fn previous_secret_ends_when_it_is_removed_from_a_yaml_file() {
    let (current, former) = ("c".repeat(31) + "1", "f".repeat(31) + "1");
    let lines = format!("machine_auth_api_key: key\ntoken_manager:\n  jwt_secret: {current}\n");
    let with_previous = format!("{lines}  jwt_secret_previous: {former}\n");
    let folder = Folder::holding("auth-app.yaml", &with_previous);
    let at_start = read_ok(&folder.bare_env()).config;
    assert_eq!(at_start.token_manager.jwt_secret_previous.expose(), former);

    let in_force = crate::InForce::new(at_start, super::IDENTITY, folder.bare_env());
    let again = || in_force.read_again().expect("is read").config;
    assert_eq!(again().token_manager.jwt_secret_previous.expose(), former);
    folder.write("auth-app.yaml", &lines);
    let tokens = again().token_manager;
    assert!(tokens.jwt_secret_previous.is_empty(), "the value of the start does not come back");
    assert_eq!(tokens.jwt_secret.expose(), current);

    let next = "n".repeat(31) + "1";
    folder.write("auth-app.yaml", &lines.replace(&current, &next));
    assert_eq!(again().token_manager.jwt_secret.expose(), next);

    folder.write("auth-app.yaml", "debug: {}\n");
    let unset = again();
    let left = (unset.token_manager.jwt_secret.expose(), unset.machine_auth_api_key.expose());
    assert_eq!(left, (&*next, "key"), "what was in force stays, and the value of the start does not come back");
}
