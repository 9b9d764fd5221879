use runtime::Random;

use super::*;
use crate::running::{RunningFile, RunningService};

fn settings(environment: &Environment, secrets: &Secrets) -> Settings {
    Settings::load(environment, secrets).expect("is read")
}

/// A new secret needs an entry, so that no operator looks for it in vain.
#[test]
fn rotation_of_every_secret_setting_is_explained() {
    for service in ServiceId::ALL {
        let mut count = 0;
        source::each_secret(service, &mut |names| {
            count += 1;
            let generated = GeneratedSecret::ALL.iter().flat_map(|secret| {
                let previous = secret.has_previous().then(|| format!("{}_PREVIOUS", secret.variable()));
                [Some(secret.variable().to_owned()), previous].into_iter().flatten()
            });
            let elsewhere = KEPT_ELSEWHERE.iter().flat_map(|secret| secret.variables).map(|name| (*name).to_owned());
            let explained: Vec<String> = generated.chain(elsewhere).collect();
            let is_debug_token = names.iter().any(|name| name.ends_with("_DEBUG_TOKEN"));
            let is_explained = is_debug_token || names.iter().any(|name| explained.contains(name));
            assert!(is_explained, "{}: {names:?}", service.name());
        });
        assert!(count > 1, "{}", service.name());
    }
}

#[test]
fn source_is_what_is_in_force() {
    let secrets = Secrets::make(&Random::seeded(1));
    let of = |environment: &Environment, secret| {
        Source::of(secret, Some(&secrets), &settings(environment, &secrets), environment)
    };
    let none = Environment::from([("OCIS_CONFIG_DIR", "/nonexistent")]);
    for secret in GeneratedSecret::ALL {
        assert_eq!(of(&none, secret), Source::DataFolder, "{secret:?}");
    }
    let value = "c".repeat(40) + "1";
    for name in ["OCIS_JWT_SECRET", "OC_JWT_SECRET", "USERS_JWT_SECRET"] {
        let configured = none.clone().with(name, &value);
        assert_eq!(of(&configured, GeneratedSecret::Jwt), Source::Variable(name.to_owned()));
        assert_eq!(of(&configured, GeneratedSecret::MachineKey), Source::DataFolder);
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("auth-machine.yaml"), format!("machine_auth_api_key: {value}\n"))
        .expect("writes");
    let yaml = Environment::from([("OCIS_CONFIG_DIR", folder.path().display().to_string())]);
    assert_eq!(of(&yaml, GeneratedSecret::MachineKey), Source::Yaml("auth-machine"));
}

fn arguments(secret: GeneratedSecret, end_previous: bool) -> Rotate {
    Rotate {
        name: Some(secret),
        end_previous,
        dry_run: false,
        confirmation: runtime::Confirmation { yes: true },
        output: Output { json: false },
    }
}

/// Rotates a secret, or ends its previous value, as the command does that reads everything anew.
fn run(secret: GeneratedSecret, end_previous: bool, environment: &Environment) -> Result<bool, BoxError> {
    let kept = Secrets::read(&config::base_data_path(environment))?.expect("is there");
    rotate(secret, &arguments(secret, end_previous), &settings(environment, &kept), &Context::new(environment.clone()))
}

/// Row D13.
#[test]
fn configured_previous_value_is_named_and_nothing_is_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let (made, _) = Secrets::read_or_make(folder.path(), &Random::seeded(1)).expect("makes");
    let none = Environment::from([("OCIS_BASE_DATA_PATH", data.as_str()), ("OCIS_CONFIG_DIR", "/nonexistent")]);
    let (value, file) = ("c".repeat(40) + "1", folder.path().join("previous"));
    std::fs::write(&file, &value).expect("writes");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("sets the mode");
    let yaml = folder.path().join("yaml");
    std::fs::create_dir(&yaml).expect("creates");
    std::fs::write(yaml.join("auth-machine.yaml"), format!("machine_auth_api_key_previous: {value}\n"))
        .expect("writes");
    let file = file.display().to_string();
    for (secret, name, text, remedy) in [
        (GeneratedSecret::Jwt, "OCIS_JWT_SECRET_PREVIOUS", &value, "unset OCIS_JWT_SECRET_PREVIOUS"),
        (GeneratedSecret::Jwt, "USERS_JWT_SECRET_PREVIOUS", &value, "unset USERS_JWT_SECRET_PREVIOUS"),
        (
            GeneratedSecret::AppTokenKey,
            "AUTH_APP_TOKEN_KEY_PREVIOUS_FILE",
            &file,
            "unset AUTH_APP_TOKEN_KEY_PREVIOUS_FILE",
        ),
        (
            GeneratedSecret::MachineKey,
            "OCIS_CONFIG_DIR",
            &yaml.display().to_string(),
            "remove it from the settings of auth-machine",
        ),
    ] {
        for end_previous in [false, true] {
            let refused =
                run(secret, end_previous, &none.clone().with(name, text)).expect_err("is configured").to_string();
            assert!(refused.contains("nothing was changed") && refused.contains(remedy), "{name}: {refused}");
            assert!(!refused.contains(&value), "{name}");
        }
        let kept = Secrets::read(folder.path()).expect("is read").expect("is there");
        assert!(secret.of(&kept).expose() == secret.of(&made).expose(), "{name}");
    }
    assert!(!run(GeneratedSecret::Jwt, true, &none).expect("has none"), "nothing was ended");
}

/// Row D13.
#[test]
fn former_key_of_idp_is_not_ended_before_a_start_has_sealed_anew() {
    const SECRET: GeneratedSecret = GeneratedSecret::IdpEncryption;
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let (made, _) = Secrets::read_or_make(folder.path(), &Random::seeded(1)).expect("makes");
    let environment = Environment::from([("OCIS_BASE_DATA_PATH", data.as_str()), ("OCIS_CONFIG_DIR", "/nonexistent")]);
    let starts = |service: &str, changed| {
        let debug = config::ListenAddr::Off;
        let service = RunningService { name: service.to_owned(), debug, debug_tls: false };
        RunningFile::write(folder.path(), vec![service], changed).expect("writes")
    };
    let assert_refused = || {
        let refused = run(SECRET, true, &environment).expect_err("is needed still").to_string();
        assert!(refused.contains("restart doorward server first"), "{refused}");
        let kept = Secrets::read(folder.path()).expect("is read").expect("is there");
        assert_eq!(kept.previous.idp_encryption.expose(), made.idp_encryption.expose());
    };
    assert!(run(SECRET, false, &environment).expect("rotates"));
    assert_refused();
    let changed = secrets::changed(folder.path());
    let before = starts("idp", changed - std::time::Duration::from_secs(1));
    assert_refused();
    drop(before);
    let other = starts("users", changed);
    assert_refused();
    drop(other);
    let _started = starts("idp", changed);
    assert!(run(SECRET, true, &environment).expect("ends"));
    assert!(Secrets::read(folder.path()).expect("is read").expect("is there").previous.idp_encryption.is_empty());
}

/// A service that signs with a new value when it starts must not be ahead of one that has not read it yet.
#[test]
fn secrets_that_are_read_at_the_start_are_changed_in_two_passes() {
    let variable = Source::Variable("OCIS_JWT_SECRET".to_owned()).remedy_to_rotate(GeneratedSecret::Jwt);
    let steps = [
        "first set OCIS_JWT_SECRET_PREVIOUS to the new value",
        "restart them; when all are ready, set OCIS_JWT_SECRET to the new value",
        "set OCIS_JWT_SECRET_PREVIOUS to the present value, and restart them again",
    ];
    let places: Vec<_> = steps.iter().map(|step| variable.find(step)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{variable}");
    let published =
        Source::Variable("OCIS_TRANSACTION_SECRET".to_owned()).remedy_to_rotate(GeneratedSecret::Transaction);
    let step = "restart them; eleven minutes after all are ready, set OCIS_TRANSACTION_SECRET to the new value";
    assert!(published.contains(step), "verifiers fetch the keys every ten minutes: {published}");

    let file = |path: &str| Source::File { variable: "OCIS_JWT_SECRET_FILE".to_owned(), path: path.to_owned() };
    let credential = file("/run/credentials/doorward.service/jwt-secret");
    let text = credential.remedy_to_rotate(GeneratedSecret::Jwt);
    assert!(
        text.contains(
            "first change the file of a second credential, of OCIS_JWT_SECRET_PREVIOUS_FILE, to the new value"
        )
    );
    assert!(text.contains("change the file that LoadCredential=jwt-secret of doorward.service names to the new value"));
    assert!(text.ends_with("gateway, proxy") && !text.contains("/run/"), "the copy is not to be changed: {text}");
    let end = credential.remedy_to_end(GeneratedSecret::Jwt);
    assert!(end.starts_with("empty the file that LoadCredential= names for OCIS_JWT_SECRET_PREVIOUS_FILE"), "{end}");
    assert!(end.contains("restart them in this order: users, "), "a credential is read at the start: {end}");

    let single = Source::Variable("IDP_EDGE_CLIENT_SECRET".to_owned()).remedy_to_rotate(GeneratedSecret::EdgeClient);
    assert!(single.ends_with("; set IDP_EDGE_CLIENT_SECRET to the new value, and restart idp, proxy"), "{single}");
    let own = file("/etc/doorward/jwt-secret").remedy_to_rotate(GeneratedSecret::Jwt);
    assert!(own.contains("into /etc/doorward/jwt-secret") && own.ends_with("within seconds"), "{own}");
}

/// Row D13.
#[test]
fn configured_secret_is_explained_and_not_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let (made, _) = Secrets::read_or_make(folder.path(), &Random::seeded(1)).expect("makes");
    let value = "c".repeat(40) + "1";
    let environment = Environment::from([("OCIS_BASE_DATA_PATH", data.as_str()), ("OCIS_CONFIG_DIR", "/nonexistent")]);
    let arguments = |end_previous| arguments(GeneratedSecret::Jwt, end_previous);
    let run = |environment: Environment, end_previous| {
        let settings = settings(&environment, &made);
        rotate(GeneratedSecret::Jwt, &arguments(end_previous), &settings, &Context::new(environment))
    };
    let refused =
        run(environment.clone().with("OCIS_JWT_SECRET", &value), false).expect_err("is configured").to_string();
    assert!(
        refused.contains("OCIS_JWT_SECRET: nothing was changed")
            && refused.contains("OCIS_JWT_SECRET_PREVIOUS to the present value"),
        "{refused}"
    );
    assert!(refused.ends_with("users, auth-basic, auth-service, auth-app, idp, auth-bearer, account, gateway, proxy"));
    assert!(!refused.contains(&value) && !refused.contains(made.jwt.expose()));
    let read = || Secrets::read(folder.path()).expect("is read").expect("is there");
    assert_eq!(read().jwt.expose(), made.jwt.expose());

    run(environment.clone(), false).expect("rotates");
    assert_eq!(read().previous.jwt.expose(), made.jwt.expose());
    let again = Secrets::read(folder.path()).expect("is read").expect("is there");
    let settings = settings(&environment, &again);
    rotate(GeneratedSecret::Jwt, &arguments(true), &settings, &Context::new(environment)).expect("ends");
    assert!(read().previous.jwt.is_empty() && read().jwt.expose() == again.jwt.expose());
}
