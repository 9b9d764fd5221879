use runtime::Random;

use super::*;
use crate::services::ServiceId;

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

/// Row D13.
#[test]
fn configured_secret_is_explained_and_not_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let (made, _) = Secrets::read_or_make(folder.path(), &Random::seeded(1)).expect("makes");
    let value = "c".repeat(40) + "1";
    let environment = Environment::from([("OCIS_BASE_DATA_PATH", data.as_str()), ("OCIS_CONFIG_DIR", "/nonexistent")]);
    let arguments = |end_previous| Rotate {
        name: Some(GeneratedSecret::Jwt),
        end_previous,
        dry_run: false,
        confirmation: runtime::Confirmation { yes: true },
        output: Output { json: false },
    };
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
